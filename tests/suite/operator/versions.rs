//! Which versions serve after starts, and what a watched folder brings.

use std::{fs, time::Duration};

use super::{Host, text};
use crate::{hostile, registry::version};

/// Waits until that version serves.
fn until(host: &Host, version: &str) {
    while host.serving().0 != version {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_served_before_a_kill_serves_after_it_and_not_what_came_with_the_host() {
    let host = Host::start(&[]);
    for next in ["0.2.0", "0.3.0"] {
        let file = host.file("next.wasm", &version(next));
        host.done(&["swap", text(&file)]);
    }
    host.done(&["rollback", "pagerduty"]);
    let folder = host.process.killed();
    let host = Host::start_in(folder, &[]);
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 2));
    host.call("list_accounts");
}

#[test]
fn a_file_of_the_command_line_is_loaded_once_and_what_became_of_it_outlives_a_restart() {
    let files = tempfile::tempdir().expect("a folder");
    let file = files.path().join("own.wasm");
    fs::write(&file, version("0.2.0")).expect("written");
    let args = ["--connector", text(&file)];
    let host = Host::start(&[]);
    let host = Host::start_in(host.process.killed(), &args);
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 2));
    // Another one took its place.
    let next = host.file("next.wasm", &version("0.3.0"));
    host.done(&["swap", text(&next)]);
    let host = Host::start_in(host.process.killed(), &args);
    assert_eq!(host.serving(), ("0.3.0".to_owned(), 3));
    // It was rolled back.
    host.done(&["rollback", "pagerduty", "--to", "2"]);
    host.done(&["rollback", "pagerduty"]);
    let host = Host::start_in(host.process.killed(), &args);
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
    // It is in quarantine: the host says so, and starts.
    let list = host.list();
    let generations = list["connectors"][0]["generations"].as_array();
    let own = generations
        .into_iter()
        .flatten()
        .find(|generation| generation["version"] == "0.2.0");
    let digest = own.expect("it is kept")["sha256"].as_str().expect("text");
    host.done(&["quarantine", digest, "--reason", "it counts wrong"]);
    let host = Host::start_in(host.process.killed(), &args);
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
    let log = host.process.log();
    assert!(
        log.contains("own.wasm` is not loaded: ") && log.contains("it counts wrong"),
        "{log}"
    );
}

#[test]
fn a_component_that_appears_in_the_watched_folder_takes_over_and_a_broken_one_does_not() {
    let watched = tempfile::tempdir().expect("a folder");
    let place = watched.path().join("pagerduty.wasm");
    fs::write(&place, version("0.2.0")).expect("written");
    let host = Host::start(&["--connectors", text(watched.path())]);
    // It was there before the first call could come.
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 1));
    fs::write(&place, &version("0.3.0")[..1000]).expect("written");
    host.wait_for("refused");
    host.call("list_accounts");
    assert_eq!(host.serving().0, "0.2.0");
    fs::write(&place, version("0.3.0")).expect("written");
    until(&host, "0.3.0");
    fs::write(watched.path().join("other.wasm"), hostile::variant("sound")).expect("written");
    while host.list()["connectors"].as_array().map(Vec::len) != Some(2) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_host_that_requires_signatures_serves_its_own_connector_and_no_unsigned_one() {
    let keys = tempfile::tempdir().expect("a folder");
    let trusted = keys.path().join("trusted.pub");
    // A public key from minisign's documentation.
    fs::write(
        &trusted,
        "untrusted comment: the author\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    )
    .expect("written");
    let args = ["--signatures", "require", "--trusted-keys", text(&trusted)];
    let host = Host::start(&args);
    host.call("list_accounts");
    let file = host.file("next.wasm", &version("0.2.0"));
    let said = host.refused(&["swap", text(&file), "--accept"]);
    assert!(
        said.contains("refused at the stage `signature`: it is not signed"),
        "{said}"
    );

    // One that was let in before nobody asked for signatures does not serve.
    let folder = host.process.killed();
    let host = Host::start_in(folder, &[]);
    let file = host.file("next.wasm", &version("0.2.0"));
    host.done(&["swap", text(&file)]);
    let host = Host::start_in(host.process.killed(), &args);
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
}

#[test]
fn where_what_served_does_not_load_any_more_the_hosts_own_connector_serves() {
    let files = tempfile::tempdir().expect("a folder");
    let file = files.path().join("own.wasm");
    fs::write(&file, version("0.2.0")).expect("written");
    let host = Host::start(&["--connector", text(&file)]);
    assert_eq!(host.serving(), ("0.2.0".to_owned(), 1));
    let folder = host.process.killed();
    for kept in fs::read_dir(folder.path().join("state/registry/components")).expect("a folder") {
        let kept = kept.expect("an entry").path();
        fs::write(kept, "damaged").expect("written");
    }
    let host = Host::start_in(folder, &[]);
    assert_eq!(host.serving(), ("0.1.0".to_owned(), 2));
    host.call("list_accounts");
}
