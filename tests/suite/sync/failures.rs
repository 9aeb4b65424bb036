//! Stores that can't be read or written: each says what is wrong, and what was in
//! it is still there.

use std::{fs, path::Path, process::Command, time::Duration};

use host_harness::{
    Store, StoreError,
    sync::{self, SyncError},
};
use rusqlite::Connection;

use super::{Desk, dump};
use crate::support::run;

#[track_caller]
fn open_error(file: &Path) -> StoreError {
    let error = Store::open(file).expect_err("it can't be used");
    assert!(!error.hint().is_empty());
    error
}

#[test]
fn a_file_that_is_something_else_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.txt");
    let notes = "my notes\n".repeat(200);
    fs::write(&file, &notes).expect("written");
    assert!(matches!(open_error(&file), StoreError::NotADatabase(_)));
    assert!(matches!(
        Store::open_to_read(&file),
        Err(StoreError::NotADatabase(_))
    ));
    assert_eq!(fs::read_to_string(&file).expect("there"), notes);

    let file = folder.path().join("other.db");
    let other = Connection::open(&file).expect("a database");
    other
        .execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')")
        .expect("made");
    drop(other);
    let before = fs::read(&file).expect("there");
    assert!(matches!(open_error(&file), StoreError::NotAStore(_)));
    assert!(matches!(
        Store::open_to_read(&file),
        Err(StoreError::NotAStore(_))
    ));
    assert_eq!(fs::read(&file).expect("there"), before);

    let missing = folder.path().join("missing.db");
    assert!(matches!(
        Store::open_to_read(&missing),
        Err(StoreError::Missing(_))
    ));
    assert!(!missing.exists());
    let nowhere = folder.path().join("no/such/folder.db");
    assert!(matches!(open_error(&nowhere), StoreError::File { .. }));
}

#[test]
fn a_store_is_for_its_owner_alone() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("store.db");
        let store = Store::open(&file).expect("it opens");
        for name in ["store.db", "store.db-wal", "store.db-shm"] {
            let mode = fs::metadata(folder.path().join(name)).expect("there");
            assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
        }
        drop(store);
    }
}

#[test]
#[cfg(unix)]
fn a_store_that_everybody_could_read_is_closed_to_them_and_a_group_stays() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("store.db");
    for (found, then) in [(0o644, 0o640), (0o664, 0o660), (0o600, 0o600)] {
        fs::write(&file, "").expect("touched");
        fs::set_permissions(&file, fs::Permissions::from_mode(found)).expect("ours");
        drop(Store::open(&file).expect("it opens"));
        let mode = fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, then, "{found:o}");
    }
}

#[test]
#[cfg(unix)]
fn a_tenant_is_synced_by_one_process_at_a_time_whatever_link_leads_to_the_store() {
    run(async {
        let desk = Desk::new(9).await;
        desk.sync().await;
        let link = desk.folder.path().join("link.db");
        std::os::unix::fs::symlink(desk.file(), &link).expect("made");
        let lock = fs::OpenOptions::new()
            .write(true)
            .open(desk.folder.path().join("store.db-sync-1"))
            .expect("it stays");
        lock.lock().expect("free");
        let store = Store::open(&link).expect("it opens");
        let error = sync::run(desk.tenant(), store, &desk.options, &|_| {}).await;
        let error = error.expect_err("somebody is at it");
        assert!(
            matches!(error, SyncError::Store(StoreError::Syncing { .. })),
            "{error:?}"
        );
    });
}

#[test]
fn a_schema_from_the_future_is_refused_and_one_from_the_past_needs_a_writer() {
    run(async {
        let desk = Desk::new(9).await;
        desk.sync().await;
        let dump_before = desk.dump();
        let version = |version: i64| {
            let store = Connection::open(desk.file()).expect("a database");
            store
                .pragma_update(None, "user_version", version)
                .expect("set");
        };
        version(99);
        for error in [
            open_error(&desk.file()),
            Store::open_to_read(&desk.file()).expect_err("too new"),
        ] {
            assert!(
                matches!(error, StoreError::Newer { found: 99, .. }),
                "{error:?}"
            );
        }
        assert_eq!(desk.dump(), dump_before);
        version(0);
        let error = Store::open_to_read(&desk.file()).expect_err("too old");
        assert!(
            matches!(error, StoreError::Older { found: 0, .. }),
            "{error:?}"
        );
    });
}

#[test]
fn a_damaged_store_is_told_and_not_written_to() {
    run(async {
        let desk = Desk::new(200).await;
        desk.sync().await;
        let file = desk.file();
        drop(desk.store());
        let mut bytes = fs::read(&file).expect("there");
        // In the middle of a page somewhere behind the schema.
        let page = 4096 * 20;
        assert!(bytes.len() > page + 4096);
        bytes[page..page + 512].fill(0xff);
        fs::write(&file, &bytes).expect("written");
        let error = open_error(&file);
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
        assert!(error.hint().contains(".recover"));
        assert_eq!(fs::read(&file).expect("there"), bytes);
        // Half of it.
        fs::write(&file, &bytes[..bytes.len() / 2]).expect("written");
        let error = open_error(&file);
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    });
}

#[test]
fn a_tenant_is_synced_by_one_process_at_a_time() {
    run(async {
        let desk = Desk::new(9).await;
        desk.sync().await;
        let dump_before = desk.dump();
        // As another process holds it.
        let lock = fs::OpenOptions::new()
            .write(true)
            .open(desk.folder.path().join("store.db-sync-1"))
            .expect("it stays");
        lock.lock().expect("free");
        let error = desk.try_sync().await.expect_err("somebody is at it");
        assert!(
            matches!(&error, SyncError::Store(StoreError::Syncing { tenant, .. }) if tenant == "acme"),
            "{error:?}"
        );
        assert_eq!(desk.runs().len(), 1, "no run was begun");
        drop(lock);
        desk.sync().await;
        assert_eq!(desk.dump(), dump_before);
    });
}

#[test]
fn a_store_that_somebody_holds_locked_is_told_and_the_sync_goes_on_later() {
    run(async {
        let desk = Desk::new(9).await;
        desk.sync().await;
        let dump_before = desk.dump();
        let other = Connection::open(desk.file()).expect("a database");
        other.execute_batch("BEGIN IMMEDIATE").expect("locked");
        let impatient = desk.store().patience(Duration::from_millis(200));
        let impatient = impatient.expect("it is open");
        let synced = sync::run(desk.tenant(), impatient, &desk.options, &|_| {}).await;
        let error = synced.expect_err("it is locked");
        assert!(
            matches!(error, SyncError::Store(StoreError::Locked(_))),
            "{error:?}"
        );
        // Readers are not in the way, and have none.
        assert_eq!(desk.runs().len(), 1);
        other.execute_batch("ROLLBACK").expect("let go");
        desk.sync().await;
        assert_eq!(desk.dump(), dump_before);
    });
}

/// Runs a script with a small disk of its own at `$DISK`, and the store at
/// `$STORE`. None where the system does not allow it.
fn on_a_small_disk(desk: &Desk, origin: &str, script: &str) -> Option<std::process::Output> {
    let allowed = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a disk of its own takes `unshare` and a user namespace");
        return None;
    }
    let disk = desk.folder.path().join("disk");
    fs::create_dir_all(&disk).expect("made");
    let harness = crate::command_line::harness();
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-euc", script])
        .env("DISK", &disk)
        .env("STORE", desk.file())
        .env("KEPT", desk.folder.path().join("kept.db"))
        .env("HARNESS", harness.get_program())
        .env("ORIGIN", origin)
        .env("PAGERDUTY_TOKEN", "simulated-token")
        .env("HARNESS_CREDENTIALS", "/nowhere");
    Some(command.output().expect("it runs"))
}

#[test]
fn a_full_disk_is_told_and_the_run_goes_on_once_there_is_room() {
    run(async {
        let desk = Desk::new(600).await;
        desk.sync().await;
        let listening = desk
            .simulator()
            .listen(([127, 0, 0, 1], 0).into())
            .await
            .expect("a free port");
        let script = r#"
            mount -t tmpfs -o size=$(($(stat -c %s "$STORE") / 1024 + 300))k none "$DISK"
            cp "$STORE" "$DISK/store.db"
            set +e
            "$HARNESS" sync --store "$DISK/store.db" --base-url "$ORIGIN"
            code=$?
            set -e
            cp "$DISK/store.db" "$KEPT"
            test ! -e "$DISK/store.db-wal" || cp "$DISK/store.db-wal" "$KEPT-wal"
            exit $code"#;
        let before = desk.dump();
        let file = desk.file();
        drop(Connection::open(&file).expect("a database"));
        let origin = listening.origin();
        let Some(output) = tokio::task::block_in_place(|| on_a_small_disk(&desk, &origin, script))
        else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let last = said.lines().last().expect("a line");
        assert!(
            last.contains("there is no room to write the store")
                && last.contains("; hint: make room"),
            "{said}"
        );
        // What was complete is there, and the run goes on.
        let kept = desk.folder.path().join("kept.db");
        assert_eq!(dump(&kept), before);
        fs::copy(&kept, &file).expect("copied");
        let wal = desk.folder.path().join("kept.db-wal");
        if wal.exists() {
            fs::copy(&wal, desk.folder.path().join("store.db-wal")).expect("copied");
        }
        let again = tokio::task::block_in_place(|| {
            crate::command_line::harness()
                .args(["sync", "--store"])
                .arg(&file)
                .args(["--base-url", &origin])
                .env("PAGERDUTY_TOKEN", "simulated-token")
                .output()
                .expect("it runs")
        });
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        assert_eq!(again.status.code(), Some(0), "{said}");
        assert!(said.contains("run 2 of `acme` goes on"), "{said}");
        assert_eq!(desk.dump(), before);
    });
}

#[test]
fn a_store_that_can_only_be_read_is_told_and_can_be_read() {
    run(async {
        let desk = Desk::new(60).await;
        desk.sync().await;
        let listening = desk
            .simulator()
            .listen(([127, 0, 0, 1], 0).into())
            .await
            .expect("a free port");
        let script = r#"
            mount -t tmpfs -o size=20m none "$DISK"
            cp "$STORE" "$DISK/store.db"
            cp "$STORE" "$DISK/written.db"
            echo changes > "$DISK/written.db-wal"
            mount -o remount,ro "$DISK"
            set +e
            "$HARNESS" sync --store "$DISK/store.db" --base-url "$ORIGIN"
            code=$?
            ! "$HARNESS" runs --store "$DISK/written.db"
            set -e
            "$HARNESS" runs --store "$DISK/store.db" --json
            exit $code"#;
        let origin = listening.origin();
        let Some(output) = tokio::task::block_in_place(|| on_a_small_disk(&desk, &origin, script))
        else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("can only be read") && said.contains("; hint: make the file"),
            "{said}"
        );
        // One whose changes are not all in the file is not shown without them.
        let written = said.lines().last().expect("a line");
        assert!(
            written.contains("written.db` can't be opened") && written.contains("; hint: "),
            "{said}"
        );
        let runs: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("the store reads");
        assert_eq!(runs[0]["state"], "complete");
    });
}
