//! `harness export`: a snapshot as files.

use super::{
    args::{ExportArgs, ExportFormat},
    failure::Failure,
    interrupt, output, report,
};
use crate::{report::Format, store::Store};

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.snapshot.stored.store)?;
    let snapshot = report::snapshot(&store, &args.snapshot)?;
    let format = match args.format {
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Json => Format::Json,
        ExportFormat::Xlsx => Format::Xlsx,
        ExportFormat::Parquet => Format::Parquet,
    };
    interrupt::leave_nothing_half_written()?;
    let export = || snapshot.export(format, args.raw, &args.output);
    let exported = match format {
        Format::Xlsx => without_panic_messages(export)?,
        _ => export()?,
    };
    for file in &exported.files {
        output::line(&crate::printable(&file.display().to_string()))?;
    }
    let rows: Vec<String> = exported
        .rows
        .iter()
        .map(|(name, rows)| {
            let rows = output::count(usize::try_from(*rows).unwrap_or(usize::MAX));
            format!("{rows} {}", name.replace('_', " "))
        })
        .collect();
    talk!("run {}: {}", snapshot.run().id, rows.join(", "));
    if exported.cut > 0 {
        let cut = usize::try_from(exported.cut).unwrap_or(usize::MAX);
        talk!(
            "notice: {} cut off at 32,767 characters, which is what a spreadsheet takes",
            output::counted(cut, "cell was", "cells were")
        );
    }
    Ok(())
}

/// A panic of the library for workbooks becomes an error, which has its words. It
/// is not to be told on top of that.
fn without_panic_messages<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = work();
    std::panic::set_hook(hook);
    outcome
}
