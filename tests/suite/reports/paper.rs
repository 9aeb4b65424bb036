//! Reports as they are printed, and in which colours.

use serde_json::json;

use super::{
    pages::{filter, open},
    tables::five,
};
use crate::browser::Browser;

#[test]
fn paper_has_heads_on_each_page_room_for_decisions_and_no_controls() {
    let Some(browser) = Browser::open() else {
        return;
    };
    open(&browser, &five(), "access");
    filter(&browser, "bob", "1 of 4 accounts, by “bob”");
    let look = |browser: &Browser| {
        browser.evaluate(
            "const seen = selector => document.querySelector(selector).getClientRects().length > 0; \
             return {filter: seen('#filter'), decision: seen('td.decision'), \
                     status: seen('[role=status]'), \
                     heads: getComputedStyle(document.querySelector('thead')).display, \
                     button: getComputedStyle(document.querySelector('thead button')).display, \
                     arrow: getComputedStyle(document.querySelector('thead button'), '::after').content, \
                     box: getComputedStyle([...document.querySelectorAll('tbody')].find(b => !b.hidden) \
                          .querySelector('td.decision'), '::after').content.includes('keep')}",
        )
    };
    let on_screen = look(&browser);
    assert_eq!(
        (&on_screen["filter"], &on_screen["decision"]),
        (&json!(true), &json!(false))
    );
    browser.show_as_printed();
    let mut on_paper = look(&browser);
    let decision = browser.evaluate(
        "return [...document.querySelectorAll('td.decision')].some(d => d.getClientRects().length)",
    );
    on_paper["decision"] = decision;
    assert_eq!(
        on_paper,
        json!({
            "filter": false,
            "decision": true,
            // What was filtered is said.
            "status": true,
            "heads": "table-header-group",
            // Chromium does not repeat a button.
            "button": "contents",
            "arrow": "none",
            "box": true,
        })
    );
    let light = browser.evaluate("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(light, "rgb(255, 255, 255)");
}

#[test]
fn soft_text_can_be_read_by_day_and_by_night() {
    let Some(browser) = Browser::open() else {
        return;
    };
    open(&browser, &five(), "access");
    // As WCAG computes it.
    let contrasts = "
        const light = color => { \
          const parts = color.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255); \
          const [r, g, b] = parts.map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); \
          return .2126 * r + .7152 * g + .0722 * b; }; \
        const paper = light(getComputedStyle(document.body).backgroundColor); \
        return ['.soft', '.empty', 'small', 'footer'].map(selector => { \
          const ink = light(getComputedStyle(document.querySelector(selector)).color); \
          return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05); })";
    let least = |browser: &Browser| {
        let all: Vec<f64> = serde_json::from_value(browser.evaluate(contrasts)).expect("numbers");
        all.into_iter().fold(f64::INFINITY, f64::min)
    };
    assert!(least(&browser) >= 4.5, "AA: {}", least(&browser));
    browser.show_as_printed();
    assert!(least(&browser) >= 4.5, "on paper: {}", least(&browser));
}

#[test]
fn on_paper_an_entry_stays_together_and_a_long_one_says_anew_whose_it_is() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = five();
    scene.batch(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 56)
         INSERT INTO grants (tenant, account, entitlement_type, resource_type, resource, entitlement, from_run)
         SELECT 1, 'PADA', 'team-membership', 'team', 'T' || n, 'responder', 1 FROM n",
    );
    open(&browser, &scene, "access");
    let again = "return [...document.querySelectorAll('.again')]\
                 .filter(line => line.innerText && line.getClientRects().length)\
                 .map(line => line.innerText.trim())";
    let seen = "return [...document.querySelectorAll('.again td')]\
                .filter(cell => cell.getClientRects().length).length";
    assert_eq!(browser.evaluate(seen), 0, "a screen has no pages");
    browser.show_as_printed();
    // Sixty lines.
    assert_eq!(
        browser.evaluate(again),
        json!(["Ada, continued", "Ada, continued"])
    );
    let together = "return getComputedStyle(document.querySelector('.entries tbody')).breakInside";
    assert_eq!(browser.evaluate(together), "avoid");
    // Every cell stands under its head also behind those lines.
    let astray = browser.evaluate(
        "const right = cell => Math.round(cell.getBoundingClientRect().right); \
         const last = [...document.querySelectorAll('.entries thead th')].pop(); \
         return [...document.querySelectorAll('.entries tbody tr')] \
           .filter(line => Math.abs(right([...line.cells].pop()) - right(last)) > 1).length",
    );
    assert_eq!(astray, 0);
}
