use serde_json::{Value, json};

use crate::client::{Api, NOW, config, id};

async fn first(api: &Api) -> Value {
    let list = api.get("/v3/schedules").await.json;
    api.get(&format!("/v3/schedules/{}", id(&list["schedules"][0])))
        .await
        .json["schedule"]
        .clone()
}

#[tokio::test]
async fn the_two_kinds_of_schedules_do_not_see_each_other() {
    let api = Api::new(config()).await;
    let v2 = api.get("/schedules").await.json["schedules"][0].clone();
    let refused = api.get(&format!("/v3/schedules/{}", id(&v2))).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json["error"]["errors"].is_object());
    let v3 = first(&api).await;
    assert_eq!(
        api.get(&format!("/schedules/{}", id(&v3))).await.status,
        404
    );
    assert_eq!(api.get("/v3/schedules/PNOSUCH").await.status, 404);
}

#[tokio::test]
async fn a_successor_event_keeps_the_cadence_of_the_others() {
    let api = Api::new(config()).await;
    let schedule = first(&api).await;
    let path = format!("/v3/schedules/{}", id(&schedule));
    let turns = format!(
        "{path}?since=2026-11-19T00:00:00Z&until=2026-12-01T00:00:00Z&include[]=final_schedule"
    );
    let on_call = |value: &Value| -> Vec<Value> {
        let shifts = value["schedule"]["final_schedule"]["computed_shift_assignments"].clone();
        shifts
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["member"].clone())
            .collect()
    };
    let before = on_call(&api.get(&turns).await.json);
    assert!(
        before.iter().any(|member| member["type"] == "empty_member"),
        "there is a gap"
    );

    let event = schedule["rotations"][0]["events"][0].clone();
    let events = format!("{path}/rotations/{}/events", id(&schedule["rotations"][0]));
    let one = format!("{events}/{}", id(&event));
    let mut renamed = event.clone();
    renamed["name"] = json!("Other");
    assert_eq!(
        api.call("PUT", &one, Some(json!({"event": renamed})))
            .await
            .status,
        400
    );
    let mut successor = event.clone();
    let leaver = event["assignment_strategy"]["members"][1].clone();
    successor["assignment_strategy"]["members"][1] = json!({"type": "empty_member"});
    successor["effective_since"] = json!(NOW);
    let overlapping = api
        .call("POST", &events, Some(json!({"event": successor})))
        .await;
    assert_eq!(overlapping.status, 400);
    assert_eq!(api.call("DELETE", &one, None).await.status, 204);
    let made = api
        .call("POST", &events, Some(json!({"event": successor})))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let after = on_call(&api.get(&turns).await.json);
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let expected = if *before == leaver {
            json!({"type": "empty_member"})
        } else {
            before.clone()
        };
        assert_eq!(*after, expected);
    }
    let listed = api.get(&events).await.json["events"].clone();
    assert_eq!(
        listed.as_array().unwrap().len(),
        2,
        "the deleted event stays as history"
    );
    assert_eq!(listed[0]["effective_until"], NOW);
}

#[tokio::test]
async fn custom_shifts_and_overrides_end_instead_of_vanishing() {
    let api = Api::new(config()).await;
    let path = format!("/v3/schedules/{}", id(&first(&api).await));
    let range = "since=2026-11-18T00:00:00Z&until=2026-12-18T00:00:00Z";
    let shifts = api.get(&format!("{path}/custom_shifts?{range}")).await.json;
    let shift = format!("{path}/custom_shifts/{}", id(&shifts["custom_shifts"][0]));
    assert_eq!(api.call("DELETE", &shift, None).await.status, 204);
    assert_eq!(api.get(&shift).await.json["custom_shift"]["end_time"], NOW);
    assert_eq!(api.call("DELETE", &shift, None).await.status, 400);
    let overrides = api.get(&format!("{path}/overrides?{range}")).await.json;
    let future = format!("{path}/overrides/{}", id(&overrides["overrides"][0]));
    assert_eq!(api.call("DELETE", &future, None).await.status, 204);
    assert_eq!(api.get(&future).await.status, 404);
}
