//! What a restart finds, whatever ended the process before.

use std::{env, fs, path::Path, process::Command, sync::Arc};

use host_harness::registry::{Registry, RegistryError, Stage, audit::AuditEvent};
use serde_json::{Value, json};

use super::{config, engine, engine_with_cache, events, last, load, open, serving, version};
use crate::support::run;

const STAGES: [Stage; 8] = [
    Stage::Read,
    Stage::Quarantine,
    Stage::Signature,
    Stage::Verify,
    Stage::Compatibility,
    Stage::Replay,
    Stage::Store,
    Stage::Swap,
];

/// Not a test of its own: what the process does that is killed below. Loads a
/// version over another one, and dies when a stage begins.
#[test]
#[ignore = "is run by another test, as a process of its own"]
fn a_process_that_dies() {
    let (Ok(folder), Ok(stage)) = (env::var("REGISTRY_FOLDER"), env::var("REGISTRY_DIES_AT"))
    else {
        return;
    };
    run(async {
        let folder = Path::new(&folder);
        let mut config = config(&folder.join("registry"));
        config.on_stage = Some(Arc::new(move |begun| {
            if json!(begun) == stage {
                kill_this_process();
            }
        }));
        let engine = engine_with_cache(&folder.join("cache"));
        let registry = Registry::open(&engine, config).await.expect("it opens");
        registry
            .load(load(&version("0.2.0")))
            .await
            .expect("it is sound");
        // No stage is left.
        kill_this_process();
    });
}

/// As `kill -9` does: nothing is flushed, dropped or unlocked by this process.
fn kill_this_process() {
    let id = std::process::id().to_string();
    let _ = Command::new("kill").args(["-9", &id]).status();
    loop {
        std::thread::park();
    }
}

fn dies_at(folder: &Path, stage: &str) {
    let output = Command::new(env::current_exe().expect("this program"))
        .args(["registry::restart::a_process_that_dies", "--exact"])
        .args(["--ignored", "--nocapture"])
        .env("REGISTRY_FOLDER", folder)
        .env("REGISTRY_DIES_AT", stage)
        .output()
        .expect("it runs");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(9),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_at_any_stage_leaves_a_generation_that_serves() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("registry");
        let registry = open(config(&state)).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        registry.close().await.expect("it is closed");
        for stage in STAGES {
            let name = json!(stage);
            dies_at(folder.path(), name.as_str().expect("a word"));
            let registry = open(config(&state)).await;
            assert_eq!(serving(&registry).as_deref(), Some("0.1.0"), "{name}");
            let records = registry.history(None).expect("the chain holds");
            let interrupted = records
                .iter()
                .rev()
                .find(|record| record.event == AuditEvent::Interrupted)
                .expect("it is recorded");
            assert_eq!(interrupted.detail["stage"], name);
            // What it had put there is not left over.
            let files = fs::read_dir(state.join("components")).expect("a folder");
            assert_eq!(files.count(), 1, "{name}");
            registry.close().await.expect("it is closed");
        }
        dies_at(folder.path(), "never");
        let registry = open(config(&state)).await;
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
        let back = registry.rollback("pagerduty", None, "ada", "").await;
        back.expect("the one before is still there");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}

/// The narrowest place: the swap is in the log, and not in the state.
#[test]
fn a_swap_that_was_recorded_and_not_done_is_not_done_after_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state.json");
        let registry = open(config(folder.path())).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        let before = fs::read(&state).expect("a state");
        registry
            .load(load(&version("0.2.0")))
            .await
            .expect("it is sound");
        registry.close().await.expect("it is closed");
        fs::write(&state, before).expect("written");

        let registry = open(config(folder.path())).await;
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        assert_eq!(events(&registry).last(), Some(&AuditEvent::Opened));
        registry
            .load(load(&version("0.2.0")))
            .await
            .expect("it can be loaded again");
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
    });
}

#[test]
fn a_state_that_is_not_readable_is_an_error_and_is_left_as_it_is() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        registry.close().await.expect("it is closed");
        let state = folder.path().join("state.json");
        let text = fs::read_to_string(&state).expect("a state");
        let climbing = text.replace("\"sha256\": \"", "\"sha256\": \"../../");
        let half = text[..text.len() / 2].to_owned();
        let newer = text.replacen("\"format\": 1", "\"format\": 2", 1);
        for broken in [String::new(), half, newer, climbing] {
            assert_ne!(broken, text);
            fs::write(&state, &broken).expect("written");
            let error = Registry::open(engine(), config(folder.path()))
                .await
                .expect_err("it is not readable");
            assert!(matches!(error, RegistryError::State { .. }), "{error}");
            assert!(error.to_string().contains("state.json"), "{error}");
            assert!(!error.hint().is_empty());
            assert_eq!(fs::read_to_string(&state).expect("a state"), broken);
            let components = fs::read_dir(folder.path().join("components"));
            assert_eq!(components.expect("a folder").count(), 1);
        }
    });
}

#[test]
fn a_component_that_is_gone_or_changed_is_passed_over_for_the_one_before() {
    run(async {
        for broken in [None, Some(&b"something else"[..])] {
            let folder = tempfile::tempdir().expect("a folder");
            let registry = open(config(folder.path())).await;
            let first = registry.load(load(&version("0.1.0"))).await;
            let second = registry.load(load(&version("0.2.0"))).await;
            registry.close().await.expect("it is closed");
            let file = |sha256: &str| {
                let components = folder.path().join("components");
                components.join(format!("{sha256}.wasm"))
            };
            let damage = |sha256: &str| match broken {
                None => fs::remove_file(file(sha256)).expect("it was there"),
                Some(bytes) => fs::write(file(sha256), bytes).expect("written"),
            };
            damage(&second.expect("it is sound").sha256);

            let registry = open(config(folder.path())).await;
            assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
            let records = registry.history(None).expect("the chain holds");
            let unservable: Vec<&Value> = records
                .iter()
                .filter(|record| record.event == AuditEvent::Unservable)
                .map(|record| &record.detail)
                .collect();
            assert_eq!(unservable.len(), 1);
            registry.close().await.expect("it is closed");

            damage(&first.expect("it is sound").sha256);
            let registry = open(config(folder.path())).await;
            assert!(registry.current("pagerduty").is_none());
            let list = registry.list();
            let problem = list[0].problem.as_deref().expect("it says why");
            assert!(problem.contains("generation 1 does not load"), "{problem}");
            registry
                .load(load(&version("0.1.0")))
                .await
                .expect("it is loaded anew");
            assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        }
    });
}

#[test]
fn two_processes_do_not_share_a_registry() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        let error = Registry::open(engine(), config(folder.path()))
            .await
            .expect_err("it is in use");
        assert!(matches!(error, RegistryError::Busy(_)), "{error}");
        registry.close().await.expect("it is closed");
        open(config(folder.path())).await;
    });
}

#[test]
fn what_the_log_announces_and_the_process_did_not_live_to_do_is_said_at_the_next_start() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(config(folder.path())).await;
        for known in ["0.1.0", "0.2.0"] {
            let request = load(&version(known));
            registry.load(request).await.expect("it is sound");
        }
        let file = folder.path().join("state.json");
        let before = fs::read(&file).expect("it is there");
        let known: Value = serde_json::from_slice(&before).expect("JSON");
        let known = known["audit"]["seq"].as_u64().expect("a number");
        let back = registry.rollback("pagerduty", None, "ada", "it counts wrong");
        back.await.expect("there is one");
        registry.close().await.expect("it closes");
        // As if it had died between the log and the state.
        fs::write(&file, before).expect("written");

        let registry = open(config(folder.path())).await;
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
        let failed = last(&registry, AuditEvent::Failed);
        let records = failed.detail["records"].as_array().expect("a list");
        let history = registry.history(None).expect("the chain holds");
        let rollback = history
            .iter()
            .find(|record| record.event == AuditEvent::Rollback)
            .expect("it is in the log");
        assert!(rollback.seq > known && records.contains(&json!(rollback.seq)));
        // Once is enough.
        registry.close().await.expect("it closes");
        let registry = open(config(folder.path())).await;
        let history = registry.history(None).expect("the chain holds");
        let said = history
            .iter()
            .filter(|record| record.event == AuditEvent::Failed);
        assert_eq!(said.count(), 1);
    });
}

#[test]
fn a_digest_that_has_served_is_left_alone_at_a_start_also_when_it_is_not_kept_any_more() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        config.keep = 1;
        config.probation = std::time::Duration::ZERO;
        let registry = open(config.clone()).await;
        for known in ["0.1.0", "0.2.0", "0.3.0", "0.4.0"] {
            let request = load(&version(known));
            registry.load(request).await.expect("it is sound");
        }
        registry.close().await.expect("it closes");
        let registry = open(config).await;
        let kept: Vec<String> = registry.list()[0]
            .generations
            .iter()
            .map(|generation| generation.record.version.clone())
            .collect();
        assert_eq!(kept, ["0.4.0", "0.3.0"]);
        let report = registry.load(load(&version("0.1.0")).new_only()).await;
        assert!(report.expect("nothing is wrong").unchanged);
        assert_eq!(serving(&registry).as_deref(), Some("0.4.0"));
        // Whoever asks for it gets it.
        registry
            .load(load(&version("0.1.0")))
            .await
            .expect("it is sound");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}
