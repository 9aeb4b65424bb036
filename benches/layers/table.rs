//! The results as one table, with the ratios that count.

use std::{fs, path::Path, time::Duration};

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde_json::Value;

/// One line.
struct Line {
    group: &'static str,
    bench: &'static str,
    what: &'static str,
    /// The benchmark of the group that it is held against.
    against: Option<&'static str>,
    /// How much of that it may be.
    most: Option<f64>,
}

const fn line(group: &'static str, bench: &'static str, what: &'static str) -> Line {
    Line {
        group,
        bench,
        what,
        against: None,
        most: None,
    }
}

impl Line {
    const fn against(mut self, bench: &'static str) -> Self {
        self.against = Some(bench);
        self
    }

    const fn at_most(mut self, ratio: f64) -> Self {
        self.most = Some(ratio);
        self
    }
}

const LINES: &[Line] = &[
    line("nothing", "bare", "bare wasmtime: instantiate and call"),
    line("nothing", "live", "the same through the host")
        .against("bare")
        .at_most(2.0),
    line("nothing", "replay", "the same in a replay").against("bare"),
    line("nothing", "replay, hop", "the same, on another thread").against("bare"),
    line("one request", "bare, warm", "bare wasmtime, instance kept").against("bare"),
    line("one request", "bare", "bare wasmtime, answered from memory"),
    line("one request", "replay", "the same in a replay")
        .against("bare")
        .at_most(1.5),
    line("one request", "replay, hop", "the same, on another thread").against("bare"),
    line(
        "one request",
        "loopback",
        "the same live, over TLS on loopback",
    )
    .against("bare"),
    line(
        "page of 100 accounts",
        "bare",
        "bare wasmtime, answered from memory",
    ),
    line("page of 100 accounts", "replay", "the same in a replay").against("bare"),
    line("egress", "policy", "policy, a request of list-grants"),
    line("egress", "cassette", "one of 1,000 recorded answers"),
    line("egress", "redaction", "search of a page for the credential"),
    line("store", "page of 1,000 grants", "commit of 1,000 grants"),
    line("facade", "direct", "validate, over TLS on loopback"),
    line("facade", "served", "the same through the server").against("direct"),
];

/// Prints the medians of the latest run. What was not measured, since a filter
/// left it out, is not shown.
pub fn print(folder: &Path) {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["layer", "what", "median", "ratio", "at most"]);
    for Line {
        group,
        bench,
        what,
        against,
        most,
    } in LINES
    {
        let Some(median) = median(folder, group, bench) else {
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
