//! What a run must not be believed.

use host_harness::{
    store::{RunState, Severity},
    sync::{self, SyncError},
};
use serde_json::{Value, json};

use super::{Desk, answer, complete, last_page, of, refused};
use crate::support::run;

/// A user with something else in it.
fn with(user: &Value, field: &str, value: &str) -> Value {
    let mut user = user.clone();
    user[field] = json!(value);
    user
}

#[test]
fn an_account_on_two_pages_that_differ_is_refused() {
    run(async {
        let desk = Desk::new(150).await;
        desk.sync().await;
        let (dump, runs) = (desk.dump(), desk.runs());
        let users = desk.users();
        let mut page = users[100..].to_vec();
        page.push(with(&users[3], "name", "Somebody Else"));
        desk.simulator()
            .faults()
            .add(answer("/users", 1, &last_page("users", &page, 100)));
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "duplicate");
        assert_eq!(found.len(), 2, "the account, and its role twice: {found:?}");
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.starts_with("1 accounts "), "{found:?}");
        assert_eq!(found[0].examples, [users[3]["id"].as_str().expect("an id")]);
        // Its role is in both, alike.
        assert_eq!(found[1].severity, Severity::Warning);
        assert_eq!(desk.dump(), dump, "nothing is replaced");
        assert_eq!(desk.runs()[0], runs[0]);
    });
}

#[test]
fn an_account_on_two_pages_that_are_alike_is_only_worth_a_word() {
    run(async {
        let desk = Desk::new(150).await;
        let users = desk.users();
        let mut page = users[100..].to_vec();
        page.push(users[3].clone());
        desk.simulator()
            .faults()
            .add(answer("/users", 1, &last_page("users", &page, 100)));
        let summary = desk.sync().await;
        assert_eq!(summary.changes[0].total, 150);
        let findings = &summary.run.findings;
        assert!(!findings.is_empty());
        for finding in findings {
            assert_eq!(finding.check, "duplicate");
            assert_eq!(finding.severity, Severity::Warning);
        }
        assert_eq!(desk.runs()[0].findings, *findings);
    });
}

#[test]
fn a_grant_of_something_that_is_not_listed_is_refused() {
    run(async {
        let desk = Desk::new(60).await;
        let mut users = desk.users();
        users[7]["role"] = json!("emperor");
        desk.simulator()
            .faults()
            .add(answer("/users", 0, &last_page("users", &users, 0)));
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "dangling-reference");
        assert_eq!(found.len(), 1, "{:?}", run.findings);
        assert!(found[0].message.starts_with("1 entitlements "));
        let id = users[7]["id"].as_str().expect("an id");
        assert_eq!(found[0].examples, [format!("{id} holds role:emperor")]);
        assert_eq!(desk.number("SELECT count(*) FROM accounts"), 0);
    });
}

#[test]
fn more_strangers_than_can_have_come_meanwhile_are_refused() {
    run(async {
        let desk = Desk::new(60).await;
        let team = desk.get("/teams?limit=1")["teams"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        // On one page: pages are asked for at the same time, and answered in any order.
        let members: Vec<Value> = (0..300)
            .map(|n| {
                json!({
                    "user": {"id": format!("PXN{n}"), "type": "user_reference"},
                    "role": "responder",
                })
            })
            .collect();
        desk.simulator().faults().add(answer(
            &format!("/teams/{team}/members"),
            0,
            &last_page("members", &members, 0),
        ));
        let asked = desk.simulator().request_count();
        let run = refused(desk.try_sync().await);
        assert_eq!(desk.simulator().faults().fired(), 1);
        assert!(
            desk.simulator().request_count() - asked < 100,
            "nobody looks for 300 one by one"
        );
        let found = of(&run.findings, "dangling-reference");
        assert_eq!(found.len(), 1, "{:?}", run.findings);
        assert!(found[0].message.starts_with("300 accounts "));
        assert_eq!(found[0].examples.len(), 5);
    });
}

#[test]
fn accounts_without_what_each_must_hold_are_refused() {
    run(async {
        let desk = Desk::new(400).await;
        // The second page of licences, and all behind it, does not come.
        let page = desk.get("/license_allocations?limit=100");
        let rows = page["license_allocations"].as_array().expect("a list");
        let page = last_page("license_allocations", rows, 0);
        desk.simulator()
            .faults()
            .add(answer("/license_allocations", 0, &page));
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "bounds");
        assert_eq!(found.len(), 1, "{:?}", run.findings);
        assert!(
            found[0]
                .message
                .starts_with("300 accounts do not hold 1 of the type license"),
            "{}",
            found[0].message
        );
        assert!(found[0].examples[0].ends_with(" holds 0"), "{:?}", found[0]);
    });
}

#[test]
fn a_tenant_that_shrinks_at_once_is_refused_until_somebody_accepts_it() {
    run(async {
        let mut desk = Desk::new(60).await;
        desk.sync().await;
        let dump = desk.dump();
        let users = desk.users();
        let half = last_page("users", &users[..36], 0);
        desk.simulator().faults().add(answer("/users", 0, &half));
        // Nor is any of them to be seen by itself.
        let unseen = "GET /users/P* status=404";
        desk.simulator()
            .faults()
            .add(unseen.parse().expect("a fault"));
        let refused_run = refused(desk.try_sync().await);
        desk.simulator().faults().clear();
        let found = of(&refused_run.findings, "shrinkage");
        assert!(
            found[0]
                .message
                .starts_with("24 of 60 accounts (40 %) are gone since run 1"),
            "{}",
            found[0].message
        );
        assert!(found[0].examples[0].contains("@acme.example"), "{found:?}");
        assert!(
            found[1].message.contains("grants of the type "),
            "{:?}",
            found[1].message
        );
        assert_eq!(desk.dump(), dump);
        // The name of another tenant accepts nothing.
        let nothing = sync::accept(desk.store(), "globex", "ada").await;
        assert!(matches!(nothing, Err(SyncError::NothingToAccept { .. })));
        // What was read is accepted, without reading it again.
        let asked = desk.simulator().request_count();
        let summary = complete(sync::accept(desk.store(), "acme", "ada").await);
        assert_eq!(desk.simulator().request_count(), asked);
        assert_eq!(summary.run.id, refused_run.id);
        assert_eq!(summary.run.accepted_by.as_deref(), Some("ada"));
        assert_eq!(summary.run.findings, refused_run.findings);
        assert_eq!(summary.changes[0].removed, 24);
        assert_eq!(
            desk.number(
                "SELECT count(*) FROM accounts WHERE to_run IS NULL AND status = 'deprovisioned'"
            ),
            24
        );
        let again = sync::accept(desk.store(), "acme", "ada").await;
        assert!(matches!(again, Err(SyncError::NothingToAccept { .. })));
        // They come back.
        desk.options.max_shrink = 0;
        let third = desk.sync().await;
        assert_eq!(third.changes[0].changed, 24);
        assert_eq!(third.run.accepted_by, None);
    });
}

#[test]
fn how_much_may_be_gone_is_for_the_operator_to_say() {
    run(async {
        let mut desk = Desk::new(60).await;
        desk.sync().await;
        desk.delete_somebody();
        desk.options.max_shrink = 1;
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "shrinkage");
        assert!(
            found[0].message.starts_with("1 of 60 accounts (1 %)"),
            "{found:?}"
        );
        // A refused run is not gone on with: the next one reads anew.
        desk.options.max_shrink = 30;
        let third = desk.sync().await;
        assert_eq!(third.run.id, 3);
        assert_eq!(third.changes[0].removed, 1);
        assert_eq!(desk.runs()[1].state, RunState::Refused);
        // Whoever accepts beforehand gets it in one go.
        desk.delete_somebody();
        desk.options.max_shrink = 0;
        desk.options.accept = Some("grace".to_owned());
        let fourth = complete(desk.try_sync().await);
        assert_eq!(fourth.run.accepted_by.as_deref(), Some("grace"));
        assert_eq!(fourth.changes[0].removed, 1);
        // Where there is nothing to accept, nobody has accepted anything.
        let fifth = desk.sync().await;
        assert_eq!(fifth.run.accepted_by, None);
    });
}

#[test]
fn a_type_of_access_that_vanishes_among_the_others_is_noticed() {
    run(async {
        let desk = Desk::new(60).await;
        desk.sync().await;
        // The credential may not see teams any more, say.
        let fault = "GET /teams* status=403";
        desk.simulator()
            .faults()
            .add(fault.parse().expect("a fault"));
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "shrinkage");
        assert!(
            found.iter().any(|finding| finding
                .message
                .contains("grants of the type team-membership (100 %)")),
            "{found:?}"
        );
        assert!(
            run.notices
                .iter()
                .any(|notice| notice.code == "plan-lacks-teams"),
            "{:?}",
            run.notices
        );
    });
}

#[test]
fn in_a_tenant_of_a_few_anybody_may_leave_but_not_everybody() {
    run(async {
        let mut desk = Desk::new(9).await;
        desk.sync().await;
        // One of nine is more than that.
        desk.options.max_shrink = 10;
        desk.delete_somebody();
        desk.sync().await;
        let nobody = last_page("users", &[], 0);
        desk.simulator().faults().add(answer("/users", 0, &nobody));
        let unseen = "GET /users/P* status=404";
        desk.simulator()
            .faults()
            .add(unseen.parse().expect("a fault"));
        let run = refused(desk.try_sync().await);
        let found = of(&run.findings, "shrinkage");
        assert!(
            found[0].message.starts_with("8 of 8 accounts (100 %)"),
            "{found:?}"
        );
    });
}
