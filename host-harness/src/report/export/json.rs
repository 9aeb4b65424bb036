//! One JSON document, a row a line.

use std::{
    io::{BufWriter, Write},
    path::Path,
};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap},
};
use serde_json::Value;

use super::{Cell, Column, Exported, Holds, ReportError, Snapshot, TABLES, begin, finish};

pub(super) fn export(snapshot: &Snapshot<'_>, output: &Path) -> Result<Exported, ReportError> {
    let mut out = BufWriter::new(begin(snapshot, output)?);
    let mut exported = Exported::default();
    out.write_all(b"{\n\"run\": ")?;
    put(&mut out, snapshot.run())?;
    for table in &TABLES {
        write!(out, ",\n\"{}\": [", table.name)?;
        let mut separator = "\n";
        let rows = table.visit(snapshot, |cells| {
            out.write_all(separator.as_bytes())?;
            separator = ",\n";
            put(&mut out, &Row(table.columns, cells))
        })?;
        out.write_all(b"\n]")?;
        exported.rows.push((table.name, rows));
    }
    out.write_all(b"\n}\n")?;
    let file = out
        .into_inner()
        .map_err(|error| ReportError::file(output, &error.error()))?;
    exported.files.push(finish(file)?);
    Ok(exported)
}

fn put(out: &mut impl Write, value: &impl Serialize) -> Result<(), ReportError> {
    serde_json::to_writer(out, value).map_err(|error| ReportError::Output(error.into()))
}

/// A row as an object, in the order of the columns.
struct Row<'r>(&'static [Column], &'r [Cell<'r>]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (column, cell) in self.0.iter().zip(self.1) {
            match cell {
                Cell::Empty => object.serialize_entry(column.name, &Value::Null)?,
                Cell::Text(text) if column.holds == Holds::Json => {
                    let value: Value = serde_json::from_str(text).map_err(S::Error::custom)?;
                    object.serialize_entry(column.name, &value)?;
                }
                Cell::Text(text) => object.serialize_entry(column.name, text)?,
                Cell::Flag(flag) => object.serialize_entry(column.name, flag)?,
                Cell::Number(number) => object.serialize_entry(column.name, number)?,
            }
        }
        object.end()
    }
}
