//! Tenants that change while they are read.

use pagerduty_simulator::{Effect, Fault, Match, Meanwhile};
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

use super::{Desk, answer, last_page};
use crate::support::run;

/// Before the answer to a request, the first one after `skip` others, somebody
/// makes another.
fn meanwhile(path: &str, skip: u32, method: &str, target: &str, body: Option<Value>) -> Fault {
    Fault {
        when: Match {
            method: Some("GET".to_owned()),
            path: Some(path.to_owned()),
            skip,
            times: Some(1),
        },
        effect: Effect::Meanwhile(Meanwhile {
            method: method.to_owned(),
            path: target.to_owned(),
            body,
        }),
    }
}

fn id(user: &Value) -> String {
    user["id"].as_str().expect("an id").to_owned()
}

#[test]
fn nobody_counts_as_gone_because_somebody_else_was_deleted_while_the_list_was_read() {
    run(async {
        let desk = Desk::new(150).await;
        desk.sync().await;
        // Somebody on the first page whom the vendor lets go.
        let probe = Desk::of(desk.simulator().fork()).await;
        let users = desk.users();
        let leaver = users[..100].iter().map(id).find(|id| {
            let path = format!("/users/{id}");
            probe.simulator().ask("DELETE", &path, None).0 < 300
        });
        let leaver = leaver.expect("somebody can go");
        // With that, the first of the second page becomes the last of the first,
        // which was read already.
        let missed = id(&users[100]);
        desk.simulator().faults().add(meanwhile(
            "/users",
            1,
            "DELETE",
            &format!("/users/{leaver}"),
            None,
        ));
        let summary = desk.sync().await;
        assert_eq!(desk.simulator().faults().fired(), 1);
        let accounts = desk.rows(
            "SELECT id, status FROM accounts WHERE to_run IS NULL AND status = 'deprovisioned'",
        );
        let gone = [Sql::Text(leaver), Sql::Text("deprovisioned".to_owned())];
        assert_eq!(accounts, [gone], "the leaver, and only the leaver");
        let missed = format!("SELECT from_run FROM accounts WHERE id = '{missed}'");
        assert_eq!(desk.number(&missed), 1, "the row is as it was");
        assert_eq!(summary.changes[0].total, 149);
        assert_eq!(summary.changes[0].removed, 1);
        assert_eq!(summary.changes[0].changed, 0);
        // What the missed one holds has not ended either.
        assert_eq!(summary.changes[3].added, 0, "{:?}", summary.changes[3]);
        let codes: Vec<&str> = summary
            .run
            .notices
            .iter()
            .map(|notice| notice.code.as_str())
            .collect();
        assert_eq!(codes, ["lists-disagreed"]);
        assert!(
            summary.run.findings.is_empty(),
            "{:?}",
            summary.run.findings
        );
    });
}

#[test]
fn who_is_created_while_the_tenant_is_read_is_there_with_what_it_holds() {
    run(async {
        let desk = Desk::new(60).await;
        desk.sync().await;
        // After the list of users, and before that of licences.
        let newcomer = json!({"user": {
            "type": "user", "name": "New Comer", "email": "new.comer@acme.example",
            "role": "limited_user",
        }});
        let created = meanwhile("/license_allocations", 0, "POST", "/users", Some(newcomer));
        desk.simulator().faults().add(created);
        let summary = desk.sync().await;
        assert_eq!(summary.changes[0].added, 1);
        assert_eq!(summary.changes[0].total, 61);
        let held = desk.rows(
            "SELECT entitlement_type FROM grants
             JOIN accounts ON accounts.id = grants.account AND accounts.to_run IS NULL
             WHERE accounts.email = 'new.comer@acme.example' ORDER BY 1",
        );
        let held: Vec<&Sql> = held.iter().map(|row| &row[0]).collect();
        let named = |name: &str| Sql::Text(name.to_owned());
        assert_eq!(held, [&named("license"), &named("role")]);
        assert!(summary.run.findings.is_empty());
        // The next one finds the same in the lists.
        let again = desk.sync().await;
        let different = |of: usize| {
            let changes = &again.changes[of];
            changes.added + changes.removed
        };
        assert_eq!((different(0), different(3)), (0, 0));
    });
}

#[test]
fn a_grant_of_an_account_that_is_no_more_is_left_out() {
    run(async {
        let desk = Desk::new(60).await;
        let team = desk.get("/teams?limit=1")["teams"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let path = format!("/teams/{team}/members");
        let mut members = desk.get(&path)["members"]
            .as_array()
            .expect("a list")
            .clone();
        members.push(json!({
            "user": {"id": "PNOBODY", "type": "user_reference", "summary": "Nobody"},
            "role": "responder",
        }));
        desk.simulator()
            .faults()
            .add(answer(&path, 0, &last_page("members", &members, 0)));
        let summary = desk.sync().await;
        assert_eq!(desk.simulator().faults().fired(), 1);
        assert_eq!(
            desk.number("SELECT count(*) FROM grants WHERE account = 'PNOBODY'"),
            0
        );
        assert_eq!(summary.changes[0].total, 60);
        let notice = &summary.run.notices[0];
        assert_eq!(notice.code, "lists-disagreed");
        assert!(notice.message.contains("PNOBODY"));
    });
}
