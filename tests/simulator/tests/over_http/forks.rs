use pagerduty_simulator::Simulator;
use serde_json::json;

use crate::client::config;

#[test]
fn a_fork_goes_its_own_way() {
    let origin = Simulator::new(config());
    let user = origin.user_ids().remove(7);
    let rename =
        json!({"user": {"type": "user", "name": "Somebody Else", "email": "else@acme.example"}});
    let target = format!("/users/{user}");
    let before = origin.ask("GET", &target, None);
    assert_eq!(before.0, 200);
    let fork = origin.fork();
    assert_eq!(fork.ask("GET", &target, None), before, "it begins the same");
    assert_eq!(fork.ask("PUT", &target, Some(&rename)).0, 200);
    assert_eq!(
        fork.ask("GET", &target, None).1["user"]["name"],
        "Somebody Else"
    );
    assert_eq!(
        origin.ask("GET", &target, None),
        before,
        "the other is untouched"
    );
}
