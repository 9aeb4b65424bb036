//! One Parquet file of each kind.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};

use super::{Cell, Column, Exported, Folder, Holds, ReportError, Snapshot, TABLES, Table};
use crate::whole_file::WholeFile;

/// Rows of a row group. They are in memory until the group is full: some
/// megabytes.
const GROUP: usize = 10_000;

pub(super) fn export(snapshot: &Snapshot<'_>, output: &Path) -> Result<Exported, ReportError> {
    let mut folder = Folder::open(output, snapshot)?;
    let run = snapshot.run();
    let told = [
        ("tenant", run.tenant.name.clone()),
        ("run", run.id.to_string()),
        ("as_of", snapshot.as_of().to_string()),
    ];
    let properties = Arc::new(
        WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_created_by(format!("harness {}", env!("CARGO_PKG_VERSION")))
            .set_key_value_metadata(Some(
                told.into_iter()
                    .map(|(key, value)| KeyValue::new(key.to_owned(), value))
                    .collect(),
            ))
            .build(),
    );
    for table in &TABLES {
        let file = folder.begin(&format!("{}.parquet", table.name))?;
        let path = file.target().to_owned();
        let failed = |error: ParquetError| ReportError::file(&path, &error);
        let schema = parse_message_type(&schema(table)).expect("column names are words");
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::clone(&properties))
            .map_err(failed)?;
        let mut group = Group::of(table);
        let rows = table.visit(snapshot, |cells| {
            group.push(cells)?;
            if group.rows == GROUP {
                group.write(&mut writer).map_err(failed)?;
            }
            Ok(())
        })?;
        if group.rows > 0 {
            group.write(&mut writer).map_err(failed)?;
        }
        // Writes the end of the file as well.
        let file = writer.into_inner().map_err(failed)?;
        folder.keep(table, file, rows)?;
    }
    folder.finish()
}

fn schema(table: &Table) -> String {
    let columns: String = table
        .columns
        .iter()
        .map(|column| {
            let repetition = if column.may_be_empty {
                "optional"
            } else {
                "required"
            };
            let (kind, meaning) = match column.holds {
                Holds::Text => ("binary", " (STRING)"),
                Holds::Json => ("binary", " (JSON)"),
                Holds::Time => ("int64", " (TIMESTAMP(MICROS,true))"),
                Holds::Flag => ("boolean", ""),
                Holds::Number => ("int64", ""),
            };
            format!("{repetition} {kind} {}{meaning}; ", column.name)
        })
        .collect();
    format!("message {} {{ {columns}}}", table.name)
}

/// Rows that wait to be written, column by column.
struct Group {
    columns: Vec<Values>,
    rows: usize,
}

/// The values of a column.
struct Values {
    column: &'static Column,
    data: Data,
    /// 1 where a row has a value, 0 where not; for columns that may be empty.
    levels: Vec<i16>,
}

enum Data {
    Bytes(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Flags(Vec<bool>),
}

impl Group {
    fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|column| Values {
            column,
            data: match column.holds {
                Holds::Text | Holds::Json => Data::Bytes(Vec::new()),
                Holds::Time | Holds::Number => Data::Numbers(Vec::new()),
                Holds::Flag => Data::Flags(Vec::new()),
            },
            levels: Vec::new(),
        });
        Self {
            columns: columns.collect(),
            rows: 0,
        }
    }

    fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), ReportError> {
        for (values, cell) in self.columns.iter_mut().zip(cells) {
            values.push(*cell)?;
        }
        self.rows += 1;
        Ok(())
    }

    fn write(&mut self, writer: &mut SerializedFileWriter<WholeFile>) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for values in &mut self.columns {
            let column = group.next_column()?;
            values.write(column.expect("as many as the schema has"))?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Values {
    fn push(&mut self, cell: Cell<'_>) -> Result<(), ReportError> {
        self.levels.push(i16::from(cell != Cell::Empty));
        match (&mut self.data, cell) {
            (Data::Bytes(bytes), Cell::Text(text)) => bytes.push(text.into()),
            (Data::Numbers(numbers), Cell::Text(text)) => {
                let at: Timestamp = text.parse().map_err(|_| ReportError::Time {
                    column: self.column.name,
                    value: text.to_owned(),
                })?;
                numbers.push(at.as_microsecond());
            }
            (Data::Numbers(numbers), Cell::Number(number)) => numbers.push(number),
            (Data::Flags(flags), Cell::Flag(flag)) => flags.push(flag),
            // The store's tables are strict: that leaves what is empty.
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.column.may_be_empty.then_some(&self.levels[..]);
        match &self.data {
            Data::Bytes(bytes) => put::<ByteArrayType>(&mut column, bytes, levels)?,
            Data::Numbers(numbers) => put::<Int64Type>(&mut column, numbers, levels)?,
            Data::Flags(flags) => put::<BoolType>(&mut column, flags, levels)?,
        }
        column.close()?;
        self.levels.clear();
        match &mut self.data {
            Data::Bytes(bytes) => bytes.clear(),
            Data::Numbers(numbers) => numbers.clear(),
            Data::Flags(flags) => flags.clear(),
        }
        Ok(())
    }
}

fn put<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    column.typed::<T>().write_batch(values, levels, None)?;
    Ok(())
}
