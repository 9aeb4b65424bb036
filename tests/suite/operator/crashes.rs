//! A version that turns out bad once it serves.

use pagerduty_simulator::{Config, Simulator};
use serde_json::{Value, json};

use super::{Host, text};
use crate::{
    registry::{recordings, second_version},
    serve::command::envelope,
    support::run,
};

#[test]
fn a_version_that_crashes_on_live_calls_rolls_itself_back_and_the_log_says_why() {
    run(async {
        let simulator = Simulator::new(Config {
            users: 5,
            ..Config::default()
        });
        let vendor = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        let vendor = vendor.expect("a free port");
        let recordings = recordings();
        let args = [
            "--base-url",
            &vendor.origin(),
            "--recordings",
            text(recordings.path()),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let host = Host::before(folder, &args);
        let traps = host.file("next.wasm", &second_version("traps"));
        // It passes all stages: no recording has such a user.
        host.done(&["swap", text(&traps)]);
        host.call("list_accounts");
        assert_eq!(host.serving(), ("0.2.0".to_owned(), 2));

        let id = simulator.user_ids().swap_remove(0);
        let hired = json!({ "user": { "job_title": "Lift Operator" } });
        let (status, _) = simulator.ask("PUT", &format!("/users/{id}"), Some(&hired));
        assert_eq!(status, 200);
        for _ in 0..3 {
            let answer = host.process.call("list_accounts", &envelope(json!({})));
            assert_eq!(
                answer["error"]["error_code"], "internal_error",
                "{answer:#}"
            );
            assert_eq!(answer["error"]["raised_by"], "connector", "{answer:#}");
        }
        assert_eq!(host.serving(), ("0.1.0".to_owned(), 1));
        let accounts = host.call("list_accounts").to_string();
        assert!(accounts.contains("Lift Operator"), "{accounts}");

        let history: Value =
            serde_json::from_str(&host.done(&["history", "--json"])).expect("JSON");
        let records = history["records"].as_array().expect("a list");
        let of = |event: &str| {
            let found = records.iter().find(|record| record["event"] == event);
            found.unwrap_or_else(|| panic!("no {event} in {history:#}"))
        };
        let why = of("rollback")["reason"].as_str().expect("a reason");
        assert!(
            why.starts_with("3 calls of generation 2 crashed within its probation, the last one: "),
            "{why}"
        );
        assert_eq!(of("rollback")["by"], "registry");
        assert_eq!(of("quarantined")["version"], "0.2.0");
        let said = host.refused(&["swap", text(&traps), "--accept"]);
        assert!(
            said.contains("is in quarantine: 3 calls of generation 2 crashed"),
            "{said}"
        );
    });
}
