use serde_json::{Value, json};

use crate::client::{Api, config, id};

async fn policy(api: &Api, wanted: impl Fn(&Value) -> bool) -> Value {
    let policies = api.all("/escalation_policies", "escalation_policies").await;
    policies.into_iter().find(wanted).unwrap()
}

fn body(policy: &Value) -> Value {
    json!({"type": "escalation_policy", "name": policy["name"], "escalation_rules": policy["escalation_rules"]})
}

#[tokio::test]
async fn a_put_has_its_traps() {
    let api = Api::new(config()).await;
    let policy = policy(&api, |_| true).await;
    let path = format!("/escalation_policies/{}", id(&policy));
    let put = async |change: &dyn Fn(&mut Value)| {
        let mut body = body(&policy);
        change(&mut body);
        api.call("PUT", &path, Some(json!({"escalation_policy": body})))
            .await
    };
    assert_eq!(put(&|_| {}).await.status, 200);
    assert_eq!(put(&|b| b["description"] = Value::Null).await.status, 400);
    let empty = put(&|b| b["escalation_rules"] = json!([])).await;
    assert_eq!(
        empty.json["error"]["message"],
        "Cannot Delete Only Rule For Escalation Policy"
    );
    let untyped = put(&|b| {
        b["escalation_rules"][0]["targets"][0]
            .as_object_mut()
            .unwrap()
            .remove("type");
    });
    assert_eq!(untyped.await.status, 404);
    let strategy = put(&|b| {
        b["escalation_rules"][0]["escalation_rule_assignment_strategy"] = json!("round_robin");
    });
    assert_eq!(strategy.await.status, 403);
}

#[tokio::test]
async fn a_policy_holds_its_users_in_its_team() {
    let api = Api::new(config()).await;
    let team = |p: &Value| p["teams"][0]["id"].as_str().map(str::to_owned);
    let policy = policy(&api, |p| team(p).is_some()).await;
    let team = team(&policy).unwrap();
    let users = api.all("/users", "users").await;
    let outsider = users
        .iter()
        .find(|u| u["role"] == "limited_user" && u["teams"].as_array().unwrap().is_empty())
        .unwrap();
    let mut body = body(&policy);
    let targets = body["escalation_rules"][0]["targets"]
        .as_array_mut()
        .unwrap();
    targets.push(json!({"id": id(outsider), "type": "user_reference"}));
    let path = format!("/escalation_policies/{}", id(&policy));
    let put = api
        .call("PUT", &path, Some(json!({"escalation_policy": body})))
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    let found = api
        .get(&format!("/escalation_policies?user_ids[]={}", id(outsider)))
        .await
        .json;
    assert_eq!(id(&found["escalation_policies"][0]), id(&policy));
    let member = format!("/teams/{team}/users/{}", id(outsider));
    let held = api.call("DELETE", &member, None).await;
    assert_eq!(held.status, 400, "joined by the policy and held by it");
    body["escalation_rules"][0]["targets"]
        .as_array_mut()
        .unwrap()
        .pop();
    api.call("PUT", &path, Some(json!({"escalation_policy": body})))
        .await;
    assert_eq!(api.call("DELETE", &member, None).await.status, 204);
    assert_eq!(
        api.call("PUT", &member, Some(json!({"role": "observer"})))
            .await
            .status,
        204
    );
    let stakeholder = users
        .iter()
        .find(|u| u["role"] == "read_only_user")
        .unwrap();
    let refused = format!("/teams/{team}/users/{}", id(stakeholder));
    assert_eq!(api.call("PUT", &refused, None).await.status, 400);
}

#[tokio::test]
async fn incident_updates_are_all_or_nothing() {
    let api = Api::new(config()).await;
    let open = api
        .all(
            "/incidents?statuses[]=triggered&statuses[]=acknowledged&date_range=all",
            "incidents",
        )
        .await;
    assert!(
        open.iter()
            .any(|i| i["assignments"].as_array().unwrap().len() == 2)
    );
    let recent = api
        .all(
            "/incidents?statuses[]=triggered&statuses[]=acknowledged",
            "incidents",
        )
        .await;
    assert!(
        recent.len() < open.len(),
        "without date_range=all only a month is shown"
    );
    let update = |id: &str| json!({"id": id, "type": "incident_reference", "status": "resolved"});
    let mixed = json!({"incidents": [update(id(&open[0])), update("QNOSUCH")]});
    assert_eq!(api.call("PUT", "/incidents", Some(mixed)).await.status, 404);
    let untouched = api.get(&format!("/incidents/{}", id(&open[0]))).await.json;
    assert_eq!(untouched["incident"]["status"], open[0]["status"]);
    let many: Vec<Value> = (0..251).map(|_| update(id(&open[0]))).collect();
    assert_eq!(
        api.call("PUT", "/incidents", Some(json!({"incidents": many})))
            .await
            .status,
        413
    );
    let one = json!({"incidents": [update(id(&open[0]))]});
    assert_eq!(
        api.call("PUT", "/incidents", Some(one.clone()))
            .await
            .status,
        200
    );
    assert_eq!(
        api.call("PUT", "/incidents", Some(one)).await.json["error"]["code"],
        1001
    );
}

#[tokio::test]
async fn incidents_are_moved_in_the_name_of_somebody_who_may() {
    let mut api = Api::new(config()).await;
    let users = api.all("/users", "users").await;
    let with_role = |role: &str| users.iter().find(|u| u["role"] == role).unwrap().clone();
    let (stakeholder, heir) = (with_role("read_only_user"), with_role("limited_user"));
    let opened = api.simulator.open_incidents(&[id(&users[0])], 3);
    let assign = |user: &str, to: &str| {
        let to = json!([{"assignee": {"id": to, "type": "user_reference"}}]);
        json!({"incidents": [{"id": user, "type": "incident_reference", "assignments": to}]})
    };
    api.using(pagerduty_simulator::TOKENS.account);
    for (from, code) in [
        (None, json!(2016)),
        (Some("nobody@example.com"), json!(1008)),
        (stakeholder["email"].as_str(), json!(1018)),
        (heir["email"].as_str(), Value::Null),
    ] {
        api.from = from.map(str::to_owned);
        let body = assign(&opened[0], id(&heir));
        let put = api.call("PUT", "/incidents", Some(body)).await;
        assert_eq!(put.json["error"]["code"], code, "{}", put.text);
    }
    let to_nobody = assign(&opened[1], "PNOSUCH");
    let put = api.call("PUT", "/incidents", Some(to_nobody)).await;
    assert_eq!(put.json["error"]["code"], 1007);
}

#[tokio::test]
async fn opened_incidents_are_everybodys_who_was_named() {
    let api = Api::new(config()).await;
    let users = api.simulator.user_ids();
    let (one, other) = (users[2].as_str(), users[3].as_str());
    let opened = api.simulator.open_incidents(&[one, other], 120);
    assert_eq!(opened.len(), 120);
    let open = "/incidents?statuses[]=triggered&statuses[]=acknowledged&date_range=all";
    let rows = api
        .all(&format!("{open}&user_ids[]={one}"), "incidents")
        .await;
    let mine: Vec<&Value> = rows
        .iter()
        .filter(|row| opened.contains(&id(row).to_owned()))
        .collect();
    assert_eq!(mine.len(), 120);
    assert!(mine.iter().all(|row| {
        let assignments = row["assignments"].as_array().unwrap();
        assignments.iter().any(|a| a["assignee"]["id"] == other)
    }));
    assert!(mine.iter().any(|row| row["status"] == "acknowledged"));
}
