//! The results as one table, with the ratios that count.

use std::{fs, path::Path, time::Duration};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde_json::Value;

/// What is shown: group, benchmark, what it is, what it is held against, and at
/// most how much of that it may be.
const ROWS: &[(&str, &str, &str, Option<&str>, Option<f64>)] = &[
    (
        "nothing",
        "bare",
        "bare wasmtime: instantiate and call",
        None,
        None,
    ),
    (
        "nothing",
        "live",
        "the same through the host",
        Some("bare"),
        Some(2.0),
    ),
    (
        "nothing",
        "replay",
        "the same in a replay",
        Some("bare"),
        None,
    ),
    (
        "one request",
        "bare, warm",
        "bare wasmtime, instance kept",
        Some("bare"),
        None,
    ),
    (
        "one request",
        "bare",
        "bare wasmtime, answered from memory",
        None,
        None,
    ),
    (
        "one request",
        "replay",
        "the same in a replay",
        Some("bare"),
        Some(1.5),
    ),
    (
        "one request",
        "loopback",
        "the same live, over TLS on loopback",
        Some("bare"),
        None,
    ),
    (
        "page of 100 accounts",
        "bare",
        "bare wasmtime, answered from memory",
        None,
        None,
    ),
    (
        "page of 100 accounts",
        "replay",
        "the same in a replay",
        Some("bare"),
        None,
    ),
    (
        "egress",
        "policy",
        "policy, a request of list-grants",
        None,
        None,
    ),
    (
        "egress",
        "cassette",
        "one of 1,000 recorded answers",
        None,
        None,
    ),
    (
        "egress",
        "redaction",
        "search of a page for the credential",
        None,
        None,
    ),
    (
        "store",
        "page of 1,000 grants",
        "commit of 1,000 grants",
        None,
        None,
    ),
    (
        "facade",
        "direct",
        "validate, over TLS on loopback",
        None,
        None,
    ),
    (
        "facade",
        "served",
        "the same through the server",
        Some("direct"),
        None,
    ),
];

/// Prints the medians of the latest run. What was not measured, since a filter
/// left it out, is not shown.
pub fn print(folder: &Path) {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["layer", "what", "median", "ratio", "at most"]);
    for (group, name, what, against, most) in ROWS {
        let Some(median) = median(folder, group, name) else {
            continue;
        };
        let ratio = against
            .and_then(|against| self::median(folder, group, against))
            .map(|against| median / against);
        table.add_row([
            (*group).to_owned(),
            (*what).to_owned(),
            format!("{:.2?}", Duration::from_nanos(median as u64)),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} x")),
            most.map_or_else(String::new, |most| {
                let met = ratio.is_some_and(|ratio| ratio <= most);
                format!("{most:.1} x {}", if met { "(met)" } else { "(missed)" })
            }),
        ]);
    }
    for right in [2, 3] {
        if let Some(column) = table.column_mut(right) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("\n{table}\n");
}

/// The median in nanoseconds.
fn median(folder: &Path, group: &str, name: &str) -> Option<f64> {
    let file = folder.join(group).join(name).join("new/estimates.json");
    let estimates: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
