//! Every operation of the simulator, asked for once and more.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pagerduty_simulator::{Config, Listening, Simulator, TOKENS};
use serde_json::{Value, json};

/// Asks for everything, also for what is refused.
pub(super) async fn everything(api: &Api) {
    account(api).await;
    users(api).await;
    teams(api).await;
    policies(api).await;
    schedules(api).await;
    shifts(api).await;
    incidents(api).await;
    refusals(api).await;
}

const NOW: &str = "2026-11-18T12:34:56Z";

/// A client of a simulator that keeps what is exchanged.
pub(super) struct Api {
    pub(super) simulator: Simulator,
    listening: Listening,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    pub(super) async fn start() -> Self {
        let simulator = Simulator::new(Config {
            users: 80,
            now: Some(NOW.parse().expect("a time")),
            ..Config::default()
        });
        simulator.keep_exchanges(true);
        let listening = simulator.listen(([127, 0, 0, 1], 0).into()).await;
        Self {
            simulator,
            listening: listening.expect("listens on loopback"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.listening.origin()))
            .header("authorization", format!("Token token={token}"))
            .header("accept", "application/vnd.pagerduty+json;version=2")
            .header("content-type", "application/json")
            .body(Full::from(
                body.map(|json| json.to_string()).unwrap_or_default(),
            ))
            .expect("a request");
        let response = self.client.request(request).await.expect("an answer");
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    async fn get(&self, path: &str) -> Value {
        self.call_as(TOKENS.owner, "GET", path, None).await
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Value {
        self.call_as(TOKENS.owner, method, path, Some(body)).await
    }

    async fn delete(&self, path: &str) {
        self.call_as(TOKENS.owner, "DELETE", path, None).await;
    }
}

fn id(value: &Value) -> &str {
    value["id"].as_str().expect("an id")
}

pub(super) fn rows<'a>(reply: &'a Value, name: &str) -> &'a [Value] {
    reply[name].as_array().expect("rows")
}

async fn account(api: &Api) {
    for path in [
        "/abilities",
        "/licenses",
        "/license_allocations",
        "/license_allocations?limit=10&offset=20",
        "/audit/records?limit=5",
        "/audit/records?since=2026-11-01T00:00:00Z&until=2026-11-18T00:00:00Z\
            &root_resource_types[]=users&actions[]=create",
        "/oncalls?limit=100&total=true",
        "/oncalls?schedule_ids[]=null&time_zone=Etc/UTC&earliest=true",
        "/oncalls?since=2026-11-18T00:00:00Z&until=2026-11-20T00:00:00Z",
    ] {
        api.get(path).await;
    }
    for body in [
        json!({"limit": 7, "order": "asc", "order_by": "name"}),
        json!({"filters": {"created_at_end": "2026-11-18T00:00:00Z"}, "time_zone": "Etc/UTC"}),
    ] {
        let page = api.send("POST", "/analytics/raw/users", body.clone()).await;
        if page["more"] == true {
            let mut next = body;
            next["starting_after"] = page["last"].clone();
            api.send("POST", "/analytics/raw/users", next).await;
        }
    }
}

async fn users(api: &Api) {
    let list = api.get("/users?limit=100&total=true").await;
    for path in [
        "/users",
        "/users?query=a&limit=3&offset=2",
        "/users/me",
        "/users?include[]=contact_methods&include[]=notification_rules&include[]=teams",
    ] {
        api.get(path).await;
    }
    for user in rows(&list, "users") {
        let path = format!("/users/{}", id(user));
        api.get(&path).await;
        for part in [
            "license",
            "sessions",
            "oauth_delegations?status=issued,revoked&delegation_type=web,mobile&limit=2",
            "audit/records",
        ] {
            api.get(&format!("{path}/{part}")).await;
        }
    }
    let body = json!({"user": {
        "type": "user", "name": "New One", "email": "new.one@acme.example",
        "role": "limited_user", "time_zone": "Europe/Berlin", "job_title": "Tester",
        "description": "New",
    }});
    let made = api.send("POST", "/users", body.clone()).await;
    api.send("POST", "/users", body).await;
    let path = format!("/users/{}", id(&made["user"]));
    let license = api.get(&format!("{path}/license")).await["license"].clone();
    let license = json!({"id": license["id"], "type": "license_reference"});
    for change in [
        json!({"type": "user", "name": "New Two", "email": "new.two@acme.example"}),
        json!({"type": "user", "job_title": "Lead"}),
        json!({"type": "user", "role": "user", "license": license}),
    ] {
        api.send("PUT", &path, json!({"user": change})).await;
    }
    api.get(&format!("{path}/audit/records?limit=2")).await;
    api.delete(&format!(
        "/oauth_delegations?user_id={}&type=mobile,web",
        id(&made["user"])
    ))
    .await;
    api.delete(&path).await;
    api.get(&path).await;
    api.delete(&path).await;
}

async fn teams(api: &Api) {
    let users = api.get("/users?limit=100").await;
    let responder = rows(&users, "users")
        .iter()
        .find(|user| user["role"] == "limited_user");
    let responder = id(responder.expect("a responder"));
    let list = api.get("/teams?limit=100&total=true").await;
    api.get("/teams?query=e").await;
    for team in rows(&list, "teams") {
        let path = format!("/teams/{}", id(team));
        api.get(&path).await;
        api.get(&format!("{path}/members")).await;
        api.get(&format!("{path}/members?limit=2&offset=1&include[]=users"))
            .await;
        let member = format!("{path}/users/{responder}");
        api.send("PUT", &member, json!({"role": "responder"})).await;
        api.call_as(TOKENS.owner, "PUT", &member, None).await;
        api.send("PUT", &member, json!({"role": "observer"})).await;
        api.delete(&member).await;
        api.delete(&member).await;
        api.get(&format!("/users?team_ids[]={}", id(team))).await;
    }
}

async fn policies(api: &Api) {
    let list = api
        .get("/escalation_policies?limit=100&sort_by=name:asc")
        .await;
    let owner = api.get("/users/me").await["user"].clone();
    api.get(&format!("/escalation_policies?user_ids[]={}", id(&owner)))
        .await;
    for policy in rows(&list, "escalation_policies") {
        let path = format!("/escalation_policies/{}", id(policy));
        let policy = api.get(&path).await["escalation_policy"].clone();
        let mut body = json!({
            "type": "escalation_policy", "name": policy["name"],
            "escalation_rules": policy["escalation_rules"],
        });
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
        body["escalation_rules"][0]["targets"] =
            json!([{"id": id(&owner), "type": "user_reference"}]);
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
        body["escalation_rules"] = json!([]);
        api.send("PUT", &path, json!({"escalation_policy": body}))
            .await;
    }
}

async fn schedules(api: &Api) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let list = api.get("/schedules?limit=100&total=true").await;
    api.get(&format!(
        "/schedules?limit=2&include[]=schedule_layers&query=a&{range}"
    ))
    .await;
    let owner = api.get("/users/me").await["user"].clone();
    let user = json!({"id": id(&owner), "type": "user_reference"});
    for row in rows(&list, "schedules") {
        let path = format!("/schedules/{}", id(row));
        api.get(&format!("{path}?{range}&time_zone=Etc/UTC&overflow=true"))
            .await;
        api.get(&format!("{path}/users")).await;
        api.get(&format!("{path}/users?{range}")).await;
        let schedule = api.get(&path).await["schedule"].clone();
        let mut layers: Vec<Value> = rows(&schedule, "schedule_layers").to_vec();
        layers.reverse();
        let body = json!({"schedule": {
            "type": "schedule", "name": schedule["name"], "time_zone": schedule["time_zone"],
            "schedule_layers": layers,
        }});
        api.send("PUT", &path, body).await;
        let overrides = format!("{path}/overrides");
        let made = json!({"overrides": [
            {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "user": user},
            {"start": "2026-11-21T00:00:00Z", "end": "2026-11-20T00:00:00Z", "user": user},
        ]});
        api.send("POST", &overrides, made).await;
        let listed = api.get(&format!("{overrides}?{range}&editable=true")).await;
        let all = api.get(&format!("{overrides}?{range}")).await;
        for one in rows(&listed, "overrides")
            .iter()
            .chain(rows(&all, "overrides"))
        {
            api.delete(&format!("{overrides}/{}", id(one))).await;
            // Whatever was running is past by now and stays.
            api.delete(&format!("{overrides}/{}", id(one))).await;
        }
    }
}

async fn shifts(api: &Api) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let owner = api.get("/users/me").await["user"].clone();
    let member = json!({"type": "user_member", "user_id": id(&owner)});
    let list = api.get("/v3/schedules?limit=1000").await;
    api.get("/v3/schedules?query=a&offset=1&limit=1").await;
    for row in rows(&list, "schedules") {
        let path = format!("/v3/schedules/{}", id(row));
        let found = api.get(&path).await["schedule"].clone();
        api.get(&format!(
            "{path}?{range}&include[]=final_schedule&time_zone=Etc/UTC"
        ))
        .await;
        api.get(&format!("{path}/audit/records")).await;
        let rotations = format!("{path}/rotations");
        api.get(&format!("{rotations}?limit=5")).await;
        let rotation = &found["rotations"][0];
        api.get(&format!("{rotations}/{}", id(rotation))).await;
        overrides_and_custom_shifts(api, &path, id(rotation), &member).await;

        let events = format!("{rotations}/{}/events", id(rotation));
        api.get(&events).await;
        let event = &rotation["events"][0];
        let one = format!("{events}/{}", id(event));
        api.get(&one).await;
        let end = json!({"effective_until": "2026-12-01T00:00:00Z"});
        api.send("PUT", &one, json!({"event": end})).await;
        api.delete(&one).await;
        let mut successor = json!({"effective_since": NOW, "effective_until": null});
        for name in [
            "name",
            "start_time",
            "end_time",
            "recurrence",
            "assignment_strategy",
        ] {
            successor[name] = event[name].clone();
        }
        successor["assignment_strategy"]["members"][0] = json!({"type": "empty_member"});
        api.send("POST", &events, json!({"event": successor})).await;
        let new = api.send("POST", &rotations, json!({})).await["rotation"].clone();
        api.send(
            "POST",
            &format!("{rotations}/{}/events", id(&new)),
            json!({"event": successor}),
        )
        .await;
        api.delete(&format!("{rotations}/{}", id(&new))).await;
        api.get(&path).await;
    }
}

async fn overrides_and_custom_shifts(api: &Api, schedule: &str, rotation: &str, member: &Value) {
    let range = "since=2026-11-01T00:00:00Z&until=2026-12-18T00:00:00Z";
    let (start, end) = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z");
    let shifts = format!("{schedule}/custom_shifts");
    let assignments = json!([{"type": "shift_assignment", "member": member}]);
    let shift = json!({
        "type": "custom_shift", "start_time": start, "end_time": end, "assignments": assignments,
    });
    let made = api
        .send("POST", &shifts, json!({"custom_shifts": [shift]}))
        .await;
    let one = format!("{shifts}/{}", id(&made["custom_shifts"][0]));
    let later = json!({"custom_shift": {"end_time": "2026-11-22T00:00:00Z"}});
    api.send("PUT", &one, later).await;
    api.get(&one).await;
    api.get(&format!("{shifts}?{range}")).await;
    api.delete(&one).await;

    let overrides = format!("{schedule}/overrides");
    let body = json!({
        "type": "override_shift", "rotation_id": rotation, "start_time": start, "end_time": end,
        "overridden_member": {"type": "empty_member"}, "overriding_member": member,
    });
    let made = api
        .send("POST", &overrides, json!({"overrides": [body]}))
        .await;
    let one = format!("{overrides}/{}", id(&made["overrides"][0]));
    let later = json!({"override": {"end_time": "2026-11-22T00:00:00Z"}});
    api.send("PUT", &one, later).await;
    api.get(&one).await;
    api.get(&format!("{overrides}?{range}")).await;
    api.delete(&one).await;
}

async fn incidents(api: &Api) {
    let owner = api.get("/users/me").await["user"].clone();
    let assignee = json!({"assignee": {"id": id(&owner), "type": "user_reference"}});
    api.get("/incidents?sort_by=urgency:desc,created_at:asc&limit=5")
        .await;
    api.get("/incidents?since=2026-09-01T00:00:00Z&until=2026-11-18T00:00:00Z")
        .await;
    let open = api
        .get("/incidents?date_range=all&statuses[]=triggered&statuses[]=acknowledged&limit=100")
        .await;
    let open = rows(&open, "incidents");
    for (n, incident) in open.iter().enumerate() {
        let path = format!("/incidents/{}", id(incident));
        api.get(&path).await;
        let mut change = json!({"type": "incident_reference"});
        match n % 4 {
            0 => change["assignments"] = json!([assignee]),
            1 => change["status"] = json!("resolved"),
            2 => change["status"] = json!("acknowledged"),
            _ => {
                let policy = &incident["escalation_policy"];
                change["escalation_policy"] =
                    json!({"id": id(policy), "type": "escalation_policy_reference"});
            }
        }
        if n % 2 == 0 {
            api.send("PUT", &path, json!({"incident": change})).await;
        } else {
            change["id"] = incident["id"].clone();
            api.send("PUT", "/incidents", json!({"incidents": [change]}))
                .await;
        }
        if n % 4 == 1 {
            let again = json!({"type": "incident_reference", "status": "resolved"});
            api.send("PUT", &path, json!({"incident": again})).await;
        }
    }
    api.get("/incidents?date_range=all&limit=100&include[]=assignees")
        .await;
    api.get(&format!(
        "/incidents?user_ids[]={}&date_range=all",
        id(&owner)
    ))
    .await;
}

/// What is refused follows the description too.
async fn refusals(api: &Api) {
    let v2 = api.get("/schedules?limit=1").await["schedules"][0].clone();
    let v3 = api.get("/v3/schedules").await["schedules"][0].clone();
    for path in [
        "/users/PNOSUCH",
        "/teams/PNOSUCH/members",
        "/schedules/PNOSUCH",
        "/escalation_policies/PNOSUCH",
        "/incidents/PNOSUCH",
        "/v3/schedules/PNOSUCH",
        "/users?offset=9990&limit=100",
        "/incidents?since=2020-01-01T00:00:00Z",
        &format!("/schedules/{}", id(&v3)),
        &format!("/v3/schedules/{}", id(&v2)),
    ] {
        api.get(path).await;
        api.call_as("wrong", "GET", path, None).await;
    }
    api.call_as(TOKENS.account, "GET", "/users/me", None).await;
    api.call_as(TOKENS.responder, "GET", "/license_allocations", None)
        .await;
    api.call_as(TOKENS.responder, "GET", "/audit/records", None)
        .await;
    // The owner cannot be deleted, nor can those on schedules and policies.
    let users = api.get("/users?limit=20").await;
    for user in rows(&users, "users") {
        let path = format!("/users/{}", id(user));
        api.call_as(TOKENS.read_only, "DELETE", &path, None).await;
        api.delete(&path).await;
    }
    // Who was deleted leaves stubs.
    api.get("/incidents?date_range=all&limit=100").await;
    api.get("/schedules?limit=100").await;
    api.get("/audit/records").await;
}
