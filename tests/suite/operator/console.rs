//! The console, as a browser shows it.

use super::{Host, text};
use crate::{
    browser::{Browser, ENTER, TAB},
    command_line::Served,
    registry::{recordings, second_version},
    serve::{command::envelope, platform::TOKEN},
};

/// The focus, as a word: the text of what has it.
const FOCUS: &str = "return document.activeElement === document.body ? '' : \
                     (document.activeElement.innerText || document.activeElement.ariaLabel)";

#[test]
fn the_console_shows_what_serves_what_was_changed_and_who_calls() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let recordings = recordings();
    let vendor = Served::start(&["--users", "30", "--limit", "960"]);
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::before(
        folder,
        &[
            "--base-url",
            &vendor.origin,
            "--recordings",
            text(recordings.path()),
        ],
    );
    let other = host.file("other.wasm", &second_version("names"));
    host.refused(&["swap", text(&other)]);
    host.done(&["swap", text(&other), "--accept"]);
    host.call("find_entitlement_associations");
    let nobody = envelope(serde_json::json!({"account_id": "NOBODY"}));
    host.process.call("get_account", &nobody);

    browser.go(&format!("http://ada:{TOKEN}@{}/", host.admin));
    let page = browser.text();
    for part in [
        "PagerDuty pagerduty",
        "serving, on probation",
        "0.2.0",
        "it differs from the running generation on 1 of 2 recordings",
        "find_entitlement_associations",
        "not_found",
        "0 of 8",
        // What the tenant has left of the vendor's rate limit.
        " of 960",
    ] {
        assert!(page.contains(part), "{part} in:\n{page}");
    }
    // Columns are told by their heads, tables by their names.
    let unnamed = browser.evaluate(
        "return [...document.querySelectorAll('th')].filter(th => !th.scope).length \
         + [...document.querySelectorAll('[role=region]')].filter(r => !r.ariaLabel).length",
    );
    assert_eq!(unnamed, 0);
    // On a narrow screen tables scroll, the page does not.
    let wide = browser.evaluate(
        "document.body.style.width = '360px'; \
         return [...document.querySelectorAll('main > section > *')] \
         .filter(e => e.getBoundingClientRect().width > 361).length",
    );
    assert_eq!(wide, 0);
    let foreign =
        browser.evaluate("return performance.getEntriesByType('resource').map(e => e.name)");
    assert_eq!(
        foreign,
        serde_json::json!([]),
        "the page asks for nothing else"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_keyboard_leads_to_a_call_and_its_requests_and_to_a_change_and_its_difference() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let recordings = recordings();
    let host = Host::start(&["--recordings", text(recordings.path())]);
    let other = host.file("other.wasm", &second_version("names"));
    host.done(&["swap", text(&other), "--accept"]);
    host.call("find_entitlement_associations");
    let home = format!("http://ada:{TOKEN}@{}/", host.admin);

    browser.go(&home);
    browser.press(&[TAB]);
    assert_eq!(browser.evaluate(FOCUS), "Skip to the connectors");
    let visible = browser.evaluate("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(visible, "solid", "the focus is seen");

    // Whatever can be used is reached, in the order of the page.
    let reach = |wanted: &str| {
        for _ in 0..60 {
            if browser.evaluate(FOCUS) == wanted {
                browser.press(&[ENTER]);
                return;
            }
            browser.press(&[TAB]);
        }
        panic!("`{wanted}` is not reached");
    };
    reach("find_entitlement_associations");
    let page = browser.text();
    assert!(browser.url().contains("/calls/"), "{}", browser.url());
    assert!(
        page.contains("directory.list-grants")
            && page.contains("GET https://api.pagerduty.com/teams"),
        "{page}"
    );
    // The course: each bar lies within its lane.
    let outside = browser.evaluate(
        "return [...document.querySelectorAll('.bar')].filter(bar => { \
           const [b, l] = [bar.getBoundingClientRect(), bar.parentElement.getBoundingClientRect()]; \
           return b.left < l.left - 1 || b.right > l.right + 3; }).length",
    );
    assert_eq!(outside, 0);
    browser.press(&[TAB]);
    assert_eq!(browser.evaluate(FOCUS), "To the overview");

    browser.go(&home);
    reach("swap");
    let page = browser.text();
    assert!(
        page.contains("1 of 2 differ") && page.contains("+ Responder of 0.2.0"),
        "{page}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_is_hostile_in_a_name_does_nothing_in_the_browser() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let host = Host::start(&[]);
    let name = "</td><script>document.title='taken'</script><b id=x onclick=1>";
    let output = host.connectors(&["quarantine", &"ab".repeat(32), "--reason", name]);
    assert!(output.status.success());
    browser.go(&format!("http://ada:{TOKEN}@{}/", host.admin));
    assert!(
        browser.text().contains("document.title='taken'"),
        "it is shown"
    );
    assert_eq!(
        browser.evaluate("return document.title"),
        "Overview · connector host"
    );
    assert_eq!(
        browser.evaluate("return document.getElementById('x')"),
        serde_json::Value::Null
    );
}
