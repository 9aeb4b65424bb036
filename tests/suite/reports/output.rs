//! Where reports and exports go, and what is left behind where they don't get
//! there.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{scene::text, tables::five};
use crate::command_line::harness;

/// A report and an export of each kind, without where they go.
const WRITERS: [&[&str]; 3] = [
    &["report", "access", "--format", "html"],
    &["export", "--format", "json"],
    &["export", "--format", "xlsx"],
];

fn to<'a>(writer: &[&'a str], output: &'a Path) -> Vec<&'a str> {
    [writer, &["--output", text(output)]].concat()
}

#[cfg(unix)]
#[test]
fn new_files_are_for_nobody_else_and_those_replaced_stay_as_open_as_they_were() {
    use std::os::unix::fs::PermissionsExt as _;

    let scene = five();
    let mode = |file: &Path| fs::metadata(file).expect("there").permissions().mode() & 0o777;
    for writer in WRITERS {
        let file = scene.beside("output");
        scene.told(&to(writer, &file));
        assert_eq!(mode(&file), 0o600, "{writer:?}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).expect("ours");
        scene.told(&to(writer, &file));
        assert_eq!(mode(&file), 0o664, "{writer:?}");
        fs::remove_file(&file).expect("ours");
    }
    let folder = scene.beside("folder");
    scene.told(&to(&["export", "--format", "csv"], &folder));
    for entry in fs::read_dir(&folder).expect("there") {
        let file = entry.expect("an entry").path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// Files that were not finished.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let is_temporary = |file: &PathBuf| {
        let name = file.file_name().expect("a name").to_string_lossy();
        name.starts_with(".tmp")
    };
    files.filter(is_temporary).collect()
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_half_written() {
    let scene = five();
    // To read this never ends: whoever does so stands in the middle of writing.
    scene.batch(
        "ALTER TABLE resources RENAME TO known;
         CREATE VIEW resources AS SELECT * FROM known WHERE (
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
             SELECT count(*) FROM n) > 0",
    );
    let output = scene.beside("out");
    for (writer, signal) in WRITERS.into_iter().zip(["-TERM", "-INT", "-TERM"]) {
        fs::write(&output, "what was there").expect("written");
        let mut process = harness()
            .args(to(writer, &output))
            .args(["--store", text(&scene.path())])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let folder = output.parent().expect("a folder");
        while unfinished(folder).is_empty() {
            assert!(process.try_wait().expect("it is ours").is_none());
            std::thread::sleep(Duration::from_millis(5));
        }
        let sent = Command::new("kill")
            .args([signal, &process.id().to_string()])
            .status();
        assert!(sent.expect("there is kill").success());
        let ended = process.wait().expect("it ends");
        let mut said = String::new();
        let mut stderr = process.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(ended.code(), Some(1), "{writer:?}: {said}");
        assert_eq!(said, "ended by a signal: what was not whole is removed\n");
        assert_eq!(unfinished(folder), Vec::<PathBuf>::new(), "{writer:?}");
        let kept = fs::read_to_string(&output).expect("it is there");
        assert_eq!(kept, "what was there");
    }
}

#[test]
fn the_store_and_what_belongs_to_it_are_not_written_over() {
    let scene = five();
    let before = fs::read(scene.path()).expect("a store");
    let mut outputs: Vec<PathBuf> = [
        "store.db",
        "store.db-wal",
        "store.db-shm",
        "store.db-sync-1",
    ]
    .iter()
    .map(|name| scene.beside(name))
    .collect();
    outputs.push(scene.beside("sub/../store.db"));
    fs::create_dir(scene.beside("sub")).expect("made");
    #[cfg(unix)]
    {
        let link = scene.beside("link.html");
        std::os::unix::fs::symlink(scene.path(), &link).expect("a link");
        outputs.push(link);
    }
    for writer in WRITERS {
        for output in &outputs {
            let (code, said) = scene.refused(&to(writer, output));
            assert_eq!(code, 2, "{said}");
            assert!(said.contains("belongs to the store"), "{said}");
        }
        // Names are those of the folder in which the command runs.
        let output = harness()
            .current_dir(scene.path().parent().expect("a folder"))
            .args(to(writer, Path::new("store.db")))
            .args(["--store", "./store.db"])
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{writer:?}");
    }
    assert!(fs::read(scene.path()).expect("a store") == before);
    // Its neighbours are anybody's.
    scene.told(&to(WRITERS[0], &scene.beside("store.db.html")));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_a_dash_is_stdout() {
    let scene = five();
    let folder = scene.beside("folder");
    fs::create_dir(&folder).expect("made");
    for writer in WRITERS {
        for output in [folder.as_path(), Path::new("/dev/null")] {
            let (code, said) = scene.refused(&to(writer, output));
            assert_eq!(code, 2, "{said}");
            assert!(
                said.contains("no file that could be replaced; hint: name a file"),
                "{said}"
            );
        }
    }
    let args = ["report", "access", "--format", "csv"];
    let dash = scene.told(&to(&args, Path::new("-")));
    assert_eq!(dash, scene.told(&args));
    assert!(!scene.beside("-").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error_with_a_hint() {
    let scene = five();
    for format in ["table", "csv", "html"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = harness()
            .args(["report", "access", "--format", format])
            .args(["--store", text(&scene.path())])
            .stdout(full.expect("a device"))
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{format}: {said}");
        let last = said.lines().last().expect("a line");
        assert!(
            last.starts_with("error: the output can't be written: ") && last.contains("; hint: "),
            "{format}: {said}"
        );
    }
}

#[test]
fn a_folder_says_what_it_is_of_only_once_all_of_it_is_there() {
    let scene = five();
    let folder = scene.beside("folder");
    let export = |run: &str| {
        scene.run_command(&[
            "export",
            "--format",
            "csv",
            "--run",
            run,
            "--output",
            text(&folder),
        ])
    };
    assert!(export("1").status.success());
    let before = fs::read(folder.join("accounts.csv")).expect("there");
    // It can't be said: so nothing is replaced.
    fs::remove_file(folder.join("run.json")).expect("there");
    fs::create_dir(folder.join("run.json")).expect("made");
    assert_eq!(export("2").status.code(), Some(2));
    assert!(fs::read(folder.join("accounts.csv")).expect("there") == before);
    fs::remove_dir(folder.join("run.json")).expect("ours");
    assert!(export("2").status.success());
    assert!(fs::read(folder.join("accounts.csv")).expect("there") != before);
    assert!(folder.join("run.json").is_file());
}
