//! Snapshots as workbooks.

use std::{fs::File, io::Read, path::Path};

use super::{
    exports::{HOSTILE, KINDS, hostile},
    scene::text,
    tables::five,
};
use crate::command_line::harness;

/// The XML of a workbook's part.
fn part(file: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(File::open(file).expect("a file")).expect("a workbook");
    let mut xml = String::new();
    let mut part = archive.by_name(name).expect(name);
    part.read_to_string(&mut xml).expect("text");
    xml
}

/// Texts of the cells of a sheet, row by row. Empty cells are left out.
pub fn from_sheet(file: &Path, sheet: usize) -> Vec<Vec<String>> {
    let xml = part(file, &format!("xl/worksheets/sheet{sheet}.xml"));
    let rows = xml.split("<row ").skip(1);
    rows.map(|row| {
        let cells = row.split("<c ").skip(1);
        cells
            .map(|cell| {
                let text = cell.split_once("<t").or_else(|| cell.split_once("<v"));
                let (_, text) = text.expect("a value");
                let (_, text) = text.split_once('>').expect("a tag");
                let (text, _) = text.split_once("</").expect("an end");
                text.replace("&lt;", "<").replace("&amp;", "&")
            })
            .collect()
    })
    .collect()
}

#[test]
fn formulas_in_names_are_texts_in_a_workbook_and_stay_so() {
    let scene = hostile();
    for raw in [&[][..], &["--raw"]] {
        let file = scene.beside("all.xlsx");
        let args = ["export", "--format", "xlsx", "--output", text(&file)];
        scene.told(&[&args[..], raw].concat());
        let styles = part(&file, "xl/styles.xml");
        // Bold heads are the first format, texts that stay texts the second.
        let formats: Vec<&str> = styles
            .split_once("<cellXfs")
            .and_then(|(_, rest)| rest.split_once("</cellXfs>"))
            .map(|(formats, _)| formats.split("<xf ").skip(1).collect())
            .expect("formats");
        assert!(formats[2].contains("quotePrefix=\"1\""), "{styles}");
        let mut stay_texts = 0;
        for sheet in 1..=KINDS.len() {
            let xml = part(&file, &format!("xl/worksheets/sheet{sheet}.xml"));
            assert!(!xml.contains("<f>") && !xml.contains("<f "), "no formula");
            assert!(!xml.contains("hyperlink"), "no link");
            let cells = xml.split("<c ").skip(1);
            stay_texts += cells
                .filter(|cell| cell.contains("s=\"2\" t=\"inlineStr\""))
                .count();
        }
        // Eight names, and that of the team: a cell of a workbook ends nowhere else.
        assert_eq!(stay_texts, 8 + 1);
        let names: Vec<String> = from_sheet(&file, 1)
            .into_iter()
            .skip(1)
            .map(|row| row[2].clone())
            .collect();
        assert_eq!(names[1..4], HOSTILE[1..4]);
        if raw.is_empty() {
            assert_eq!(names[4], "\\u{9}=1+1");
        }
    }
}

#[test]
fn a_cell_that_a_spreadsheet_can_not_take_is_cut_off_and_said() {
    let scene = five();
    scene.sql(
        "UPDATE resources SET description = ?1 WHERE id = 'TPAY'",
        &[&"long ".repeat(10_000)],
    );
    let file = scene.beside("all.xlsx");
    let output = scene.run_command(&["export", "--format", "xlsx", "--output", text(&file)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("notice: 1 cell was cut off at 32,767 characters"),
        "{said}"
    );
    let rows = from_sheet(&file, 2);
    let team = rows.iter().find(|row| row[0] == "team").expect("a row");
    assert_eq!(team.last().expect("a cell").len(), 32_767);
}

#[test]
fn a_workbook_says_what_it_is_of_and_what_is_missing() {
    let scene = five();
    scene.batch(
        r#"UPDATE runs SET notices = '[{"code":"plan-lacks-teams","message":"=teams are left out","hint":"upgrade"}]',
           findings = '[{"check":"shrinkage","severity":"error","message":"40 % are gone","hint":"look","examples":[]}]',
           accepted_by = 'ada' WHERE id = 2"#,
    );
    let file = scene.beside("all.xlsx");
    scene.told(&["export", "--format", "xlsx", "--output", text(&file)]);
    let names = part(&file, "xl/workbook.xml");
    assert!(names.contains("name=\"run\""), "{names}");
    let told = from_sheet(&file, KINDS.len() + 1);
    for line in [
        ["tenant", "acme"],
        ["run", "2"],
        ["as of", "2026-06-30T12:00:00Z"],
        ["read until", "2026-06-30T12:05:00Z"],
        ["not all is known", "=teams are left out"],
        ["hint", "upgrade"],
        ["not plausible", "40 % are gone"],
        ["accepted by", "ada"],
    ] {
        assert!(
            told.iter().any(|found| *found == line),
            "{line:?}: {told:?}"
        );
    }
}

#[test]
fn where_there_are_no_temporary_files_a_workbook_says_so() {
    let scene = five();
    let file = scene.beside("all.xlsx");
    let output = harness()
        .args(["export", "--format", "xlsx", "--output", text(&file)])
        .args(["--store", text(&scene.path())])
        .env("TMPDIR", scene.beside("nowhere"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("nowhere") && said.contains("`TMPDIR`"),
        "{said}"
    );
    assert!(!file.exists());
}
