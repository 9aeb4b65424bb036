//! What a run is read with, and how long ago: a view that is half of one
//! credential, or of another month, is nobody's.

use std::time::Duration;

use host_harness::{
    Store,
    contract::types::ErrorCode,
    store::RunState,
    sync::{self, Event, Outcome, SyncError},
};
use pagerduty_simulator::{Simulator, TOKENS};
use serde_json::json;

use super::{Desk, answer, complete, config, last_page, of, refused};
use crate::support::{Opening, connector, run};

/// The vendor has no users any more, also when it is asked for each.
fn nobody_is_left(desk: &Desk) {
    let mut nobody = answer("/users", 0, &last_page("users", &[], 0));
    nobody.when.times = None;
    desk.simulator().faults().add(nobody);
    let unknown = "GET /users/P* status=404";
    desk.simulator()
        .faults()
        .add(unknown.parse().expect("a fault"));
}

fn codes(run: &host_harness::store::Run) -> Vec<&str> {
    run.notices
        .iter()
        .map(|notice| notice.code.as_str())
        .collect()
}

#[test]
fn an_answer_that_makes_no_sense_is_asked_for_again_by_the_same_sync() {
    run(async {
        let whole = Desk::new(250).await;
        whole.sync().await;
        let desk = Desk::new(250).await;
        let broken = "GET /users truncated times=1 skip=1";
        desk.simulator()
            .faults()
            .add(broken.parse().expect("a fault"));
        let summary = desk.sync().await;
        assert_eq!(desk.simulator().faults().fired(), 1);
        assert_eq!(summary.changes[0].total, 250);
        assert_eq!(desk.dump(), whole.dump());
    });
}

#[test]
fn an_answer_that_makes_no_sense_does_not_stand_in_the_way_of_the_next_sync() {
    run(async {
        let desk = Desk::new(250).await;
        let page = json!({ "users": "none", "more": false });
        let mut wrong = answer("/users", 1, &page);
        wrong.when.times = None;
        desk.simulator().faults().add(wrong);
        match desk.try_sync().await {
            Err(SyncError::Call { error, .. }) => {
                assert_eq!(error.to_contract().code, ErrorCode::InvalidResponse);
            }
            other => panic!("{other:?}"),
        }
        desk.simulator().faults().clear();
        let summary = desk.sync().await;
        assert_eq!(summary.run.id, 1, "it goes on");
        assert_eq!(summary.changes[0].total, 250);
    });
}

#[test]
fn a_run_that_began_too_long_ago_is_not_gone_on_with() {
    run(async {
        let mut desk = Desk::new(150).await;
        assert_eq!(desk.stop_behind(1).await.id, 1);
        desk.options.resume_within = Duration::ZERO;
        std::thread::sleep(Duration::from_millis(5));
        let summary = desk.sync().await;
        assert_eq!(summary.run.id, 2);
        assert_eq!(codes(&summary.run), ["begun-anew"]);
        assert_eq!(desk.runs()[0].state, RunState::Abandoned);
    });
}

#[test]
fn a_run_is_not_gone_on_with_by_another_credential_or_with_other_settings() {
    run(async {
        for other in ["credential", "settings"] {
            let desk = Desk::new(150).await;
            desk.stop_behind(1).await;
            let mut opening = Opening::default();
            if other == "credential" {
                opening.token = TOKENS.account;
            } else {
                opening.settings = vec![("from-email", "ada@acme.example")];
            }
            let desk = desk.reopened(opening, connector()).await;
            let summary = desk.sync().await;
            assert_eq!(summary.run.id, 2, "{other}");
            assert!(codes(&summary.run).contains(&"begun-anew"), "{other}");
        }
    });
}

#[test]
fn what_a_credential_does_not_see_is_said_with_the_run() {
    run(async {
        let opening = Opening {
            token: TOKENS.responder,
            ..Opening::default()
        };
        let desk = Desk::new(40).await.reopened(opening, connector()).await;
        let identity = desk.tenant().validate().await.expect("it is valid");
        assert!(!identity.warnings.is_empty(), "{identity:?}");
        let summary = desk.sync().await;
        let said: Vec<&String> = summary
            .run
            .notices
            .iter()
            .filter(|notice| notice.code == "credential-warning")
            .map(|notice| &notice.message)
            .collect();
        assert_eq!(said, identity.warnings.iter().collect::<Vec<_>>());
    });
}

#[test]
fn a_blip_while_the_credential_is_looked_at_does_not_cost_the_sync() {
    run(async {
        let opening = Opening {
            budget: host_harness::Budget::with_deadline(Duration::from_secs(2)),
            ..Opening::default()
        };
        let desk = Desk::new(40).await.reopened(opening, connector()).await;
        let away = "GET /users/me status=503 times=3";
        desk.simulator()
            .faults()
            .add(away.parse().expect("a fault"));
        let summary = desk.sync().await;
        assert_eq!(summary.changes[0].total, 40);
    });
}

#[test]
fn a_refused_run_that_saw_nobody_can_be_accepted_and_keeps_no_answers() {
    run(async {
        let desk = Desk::new(8).await;
        desk.sync().await;
        nobody_is_left(&desk);
        let run = refused(desk.try_sync().await);
        let read_until = run.ended_at;
        assert_eq!(desk.number("SELECT count(*) FROM answers"), 0);
        std::thread::sleep(Duration::from_millis(1100));
        let summary = complete(sync::accept(desk.store(), "acme", "ada").await);
        assert_eq!(summary.changes[0].removed, 8);
        assert_eq!(summary.run.accepted_by.as_deref(), Some("ada"));
        // When it was read is one thing, when somebody accepted it another.
        assert_eq!(summary.run.ended_at, read_until);
        assert!(summary.run.accepted_at > read_until);
    });
}

#[test]
fn all_of_a_small_type_are_not_gone_by_chance() {
    run(async {
        let desk = Desk::new(16).await;
        let summary = desk.sync().await;
        let teams =
            desk.number("SELECT count(*) FROM grants WHERE entitlement_type = 'team-membership'");
        assert!(
            (5..20).contains(&teams),
            "{teams}: too few for a share: {:?}",
            desk.rows("SELECT entitlement_type, count(*) FROM grants GROUP BY 1")
        );
        let grants = summary.changes.iter().find(|of| of.of == "grants");
        let all = i64::try_from(grants.expect("there").total).expect("few");
        assert!(teams * 100 / all < 30, "{teams} of {all}");
        let list = desk.get("/teams?limit=100");
        for team in list["teams"].as_array().expect("a list") {
            let id = team["id"].as_str().expect("an id");
            let mut nobody = answer(
                &format!("/teams/{id}/members"),
                0,
                &last_page("members", &[], 0),
            );
            nobody.when.times = None;
            desk.simulator().faults().add(nobody);
        }
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "shrinkage");
        assert!(
            found
                .iter()
                .any(|finding| finding.message.contains("team-membership")),
            "{found:?}"
        );
    });
}

#[test]
fn whose_refused_run_is_accepted_is_a_matter_of_the_credential() {
    run(async {
        let desk = Desk::new(40).await;
        desk.sync().await;
        nobody_is_left(&desk);
        refused(desk.try_sync().await);
        let globex = Simulator::new(pagerduty_simulator::Config {
            subdomain: "globex".to_owned(),
            ..config(12)
        });
        let listening = globex.listen(([127, 0, 0, 1], 0).into()).await;
        let origin = listening.expect("a free port");
        let file = desk.file();
        let said = tokio::task::spawn_blocking(move || {
            let output = crate::command_line::harness()
                .args(["sync", "--accept", "--by", "ada", "--store"])
                .arg(&file)
                .args(["--base-url", &origin.origin()])
                .env("PAGERDUTY_TOKEN", "simulated-token")
                .output()
                .expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{said}");
            said
        });
        let said = said.await.expect("it runs");
        assert!(said.contains("of `globex` is complete"), "{said}");
        let store = Store::open_to_read(&desk.file()).expect("it opens");
        let acme = store.runs(Some("acme")).expect("it reads");
        assert_eq!(acme.last().expect("two").state, RunState::Refused);
    });
}

#[test]
fn a_sync_that_is_told_to_stop_before_it_knows_the_tenant_begins_no_run() {
    run(async {
        let desk = Desk::new(12).await;
        let away = "GET /users/me status=503";
        desk.simulator()
            .faults()
            .add(away.parse().expect("a fault"));
        let opening = Opening {
            budget: host_harness::Budget::with_deadline(Duration::from_secs(2)),
            ..Opening::default()
        };
        let desk = desk.reopened(opening, connector()).await;
        let stop = desk.options.stop.clone();
        let observer = |event: Event<'_>| {
            if let Event::Waiting { function, .. } = event {
                assert_eq!(function, "credentials.validate");
                stop.stop();
            }
        };
        let outcome = sync::run(desk.tenant(), desk.store(), &desk.options, &observer).await;
        assert_eq!(outcome.expect("it ends"), Outcome::NotBegun);
        assert!(desk.runs().is_empty());
    });
}
