use pagerduty_simulator::{Config, LayerOrder, OverrideReply};
use serde_json::{Value, json};

use crate::client::{Api, NOW, config, id};

async fn schedule_with(api: &Api, layers: usize) -> Value {
    for row in api.all("/schedules", "schedules").await {
        let schedule = api.get(&format!("/schedules/{}", id(&row))).await.json["schedule"].clone();
        if schedule["schedule_layers"].as_array().unwrap().len() == layers {
            return schedule;
        }
    }
    panic!("no schedule with {layers} layers");
}

fn ids(schedule: &Value) -> Vec<&str> {
    schedule["schedule_layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(id)
        .collect()
}

async fn put(api: &Api, schedule: &Value, layers: Vec<Value>) -> crate::client::Reply {
    let body = json!({"schedule": {
        "type": "schedule", "name": schedule["name"], "time_zone": "UTC", "schedule_layers": layers,
    }});
    api.call("PUT", &format!("/schedules/{}", id(schedule)), Some(body))
        .await
}

#[tokio::test]
async fn a_put_wants_layers_in_the_reverse_of_what_a_get_shows() {
    let api = Api::new(config()).await;
    let before = schedule_with(&api, 2).await;
    let mut layers = before["schedule_layers"].as_array().unwrap().clone();
    let swapped = put(&api, &before, layers.clone()).await.json["schedule"].clone();
    assert_eq!(
        ids(&swapped),
        ids(&before).into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(swapped["time_zone"], "Etc/UTC");
    layers.reverse();
    let restored = put(&api, &before, layers).await.json["schedule"].clone();
    assert_eq!(ids(&restored), ids(&before));
    assert_eq!(restored["description"], before["description"]);
}

#[tokio::test]
async fn a_put_takes_layers_as_a_get_shows_them_once_pagerduty_has_mended_it() {
    let api = Api::new(Config {
        layer_order: LayerOrder::Same,
        ..config()
    })
    .await;
    let before = schedule_with(&api, 2).await;
    let mut layers = before["schedule_layers"].as_array().unwrap().clone();
    let same = put(&api, &before, layers.clone()).await.json["schedule"].clone();
    assert_eq!(ids(&same), ids(&before));
    layers.reverse();
    let swapped = put(&api, &before, layers).await.json["schedule"].clone();
    assert_eq!(
        ids(&swapped),
        ids(&before).into_iter().rev().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn layers_are_changed_added_kept_and_ended_but_never_emptied() {
    let api = Api::new(config()).await;
    let before = schedule_with(&api, 2).await;
    let layer = before["schedule_layers"][0].clone();
    let mut empty = layer.clone();
    empty["users"] = json!([]);
    assert_eq!(put(&api, &before, vec![empty]).await.status, 400);

    // A past start comes back as now; the virtual start stays.
    let after = put(&api, &before, vec![layer.clone()]).await.json["schedule"].clone();
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(after["schedule_layers"][0]["start"], NOW);
    assert_eq!(
        after["schedule_layers"][0]["rotation_virtual_start"],
        layer["rotation_virtual_start"]
    );
    // What was before is still rendered.
    let past = format!(
        "/schedules/{}?since=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z",
        id(&before)
    );
    let past = api.get(&past).await.json["schedule"]["final_schedule"].clone();
    assert_eq!(past["rendered_coverage_percentage"], 100.0);

    let mut new = layer.clone();
    new.as_object_mut().unwrap().remove("id");
    let after = put(&api, &before, vec![new]).await.json["schedule"].clone();
    assert_eq!(
        ids(&after)[1..],
        ids(&before)[..],
        "the last in PUT order is the first in GET order"
    );

    let mut ended = layer;
    ended["end"] = json!(NOW);
    let after = put(&api, &before, vec![ended]).await.json["schedule"].clone();
    assert_eq!(after["schedule_layers"][1]["end"], NOW);
    assert_eq!(ids(&after).len(), 3);
}

#[tokio::test]
async fn overrides_answer_one_by_one_and_end_by_their_time() {
    let api = Api::new(config()).await;
    let schedule = api.get("/schedules").await.json["schedules"][0].clone();
    let path = format!("/schedules/{}/overrides", id(&schedule));
    assert_eq!(api.get(&path).await.status, 400);
    let range = "since=2026-11-18T00:00:00Z&until=2026-12-18T00:00:00Z";
    let existing = api.get(&format!("{path}?{range}")).await.json["overrides"].clone();
    let existing = existing.as_array().unwrap();
    assert_eq!(existing.len(), 2);
    let running = api
        .call("DELETE", &format!("{path}/{}", id(&existing[0])), None)
        .await;
    assert_eq!(running.status, 200);
    let again = api
        .call("DELETE", &format!("{path}/{}", id(&existing[0])), None)
        .await;
    assert_eq!(again.status, 400, "it is past now");
    let future = api
        .call("DELETE", &format!("{path}/{}", id(&existing[1])), None)
        .await;
    assert_eq!(future.status, 204);

    let user =
        json!({"id": id(&api.get("/users/me").await.json["user"]), "type": "user_reference"});
    let made = api
        .call(
            "POST",
            &path,
            Some(json!({"overrides": [
                {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "user": user},
                {"start": "2026-11-21T00:00:00Z", "end": "2026-11-20T00:00:00Z", "user": user},
            ]})),
        )
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json[0]["status"], 201);
    assert_eq!(
        made.json[1]["errors"][0],
        "Override must end after its start"
    );
}

#[tokio::test]
async fn the_answer_to_new_overrides_has_any_of_the_forms_that_pagerdutys_documents_show() {
    for (form, found) in [
        (OverrideReply::PerItem, "/0/override/id"),
        (OverrideReply::Wrapped, "/overrides/0/id"),
        (OverrideReply::Single, "/override/id"),
    ] {
        let api = Api::new(Config {
            override_reply: form,
            ..config()
        })
        .await;
        let schedule = api.get("/schedules").await.json["schedules"][0].clone();
        let path = format!("/schedules/{}/overrides", id(&schedule));
        let user = json!({"id": id(&api.get("/users/me").await.json["user"])});
        let one = json!({
            "start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z", "user": user,
        });
        let body = json!({ "overrides": [one] });
        let made = api.call("POST", &path, Some(body)).await;
        assert_eq!(made.status, 201);
        assert!(
            made.json.pointer(found).is_some(),
            "{form:?}: {}",
            made.text
        );
    }
}

#[tokio::test]
async fn on_calls_have_policies_levels_and_direct_targets() {
    let api = Api::new(config()).await;
    let rows = api.all("/oncalls", "oncalls").await;
    assert!(
        rows.iter()
            .any(|row| row["schedule"].is_null() && row["end"].is_null())
    );
    assert!(
        rows.iter()
            .any(|row| row["schedule"]["type"] == "schedule_v3_reference")
    );
    let scheduled = rows
        .iter()
        .find(|row| row["schedule"]["type"] == "schedule_reference")
        .unwrap();
    assert!(
        scheduled["start"].as_str().unwrap() <= NOW && scheduled["end"].as_str().unwrap() > NOW
    );
    let direct = api.all("/oncalls?schedule_ids[]=null", "oncalls").await;
    assert!(!direct.is_empty() && direct.iter().all(|row| row["schedule"].is_null()));
    assert_eq!(
        api.get("/oncalls?until=2027-11-18T00:00:00Z").await.status,
        400
    );
}
