//! Reports as a browser shows them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    scene::{Scene, text},
    tables::five,
};
use crate::browser::{Browser, ENTER, TAB};

/// The names of the entries that are seen, from the top.
const NAMES: &str = "return [...document.querySelectorAll('.entries tbody')]\
                     .filter(entry => entry.getClientRects().length)\
                     .map(entry => entry.querySelector('th')\
                     .firstChild.textContent.trim())";

/// How many entries are seen, in words.
const SHOWN: &str = "return document.querySelector('[role=status]').textContent";

/// The focus, as a word.
const FOCUS: &str = "return document.activeElement === document.body ? '' : \
                     (document.activeElement.labels?.[0]?.innerText \
                      || document.activeElement.innerText.split('\\n')[0].trim())";

fn page(scene: &Scene, report: &str) -> PathBuf {
    let file = scene.beside(&format!("{report}.html"));
    let args = [
        "report",
        report,
        "--format",
        "html",
        "--output",
        text(&file),
    ];
    scene.told(&args);
    file
}

pub fn open(browser: &Browser, scene: &Scene, report: &str) {
    browser.go(&format!("file://{}", text(&page(scene, report))));
}

/// Types into the filter, and waits until the page says what it shows.
pub fn filter(browser: &Browser, words: &str, shown: &str) {
    let script = format!(
        "const filter = document.querySelector('#filter'); filter.value = {}; \
         filter.dispatchEvent(new Event('input'))",
        json!(words)
    );
    browser.evaluate(&script);
    wait(browser, shown);
}

fn wait(browser: &Browser, shown: &str) {
    for _ in 0..1000 {
        if browser.evaluate(SHOWN) == shown {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{} instead of {shown}", browser.evaluate(SHOWN));
}

fn sort_by(browser: &Browser, column: &str) {
    let script = format!(
        "[...document.querySelectorAll('thead button')]\
         .find(button => button.innerText.startsWith({})).click()",
        json!(column)
    );
    browser.evaluate(&script);
}

#[test]
fn each_report_is_a_page_that_says_of_when_it_is_and_asks_for_nothing_else() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = five();
    for (report, parts) in [
        (
            "access",
            [
                "Access review: acme",
                "1 schedule",
                "Member on Payments policy",
                "before 2026-01-10",
            ],
        ),
        (
            "licences",
            [
                "Licences: acme",
                "Full User",
                "invitation pending",
                "never logged in",
            ],
        ),
        (
            "inactive",
            [
                "Inactive accounts: acme",
                "1 schedule: Primary",
                "180 days before",
                "2025-02-03",
            ],
        ),
    ] {
        open(&browser, &scene, report);
        let shown = browser.text();
        let of_when = "pagerduty account acme, as of 2026-06-30 12:00 UTC (run 2). Made 2";
        for part in parts.iter().chain([&of_when]) {
            assert!(shown.contains(part), "{part} in:\n{shown}");
        }
        let foreign =
            browser.evaluate("return performance.getEntriesByType('resource').map(e => e.name)");
        assert_eq!(foreign, json!([]), "the page asks for nothing else");
        // The script ran, so the policy has its digest.
        assert_eq!(browser.complaints(), Vec::<String>::new());
        assert_ne!(browser.evaluate(SHOWN), "");
        let outside = browser.evaluate("return document.documentElement.outerHTML");
        let outside = outside.as_str().expect("text");
        assert!(
            !outside.contains("http://") && !outside.contains("https://"),
            "no address"
        );
        let unnamed = browser.evaluate(
            "return [...document.querySelectorAll('th')].filter(th => !th.scope).length \
             + [...document.querySelectorAll('[role=region]')].filter(r => !r.ariaLabel).length",
        );
        assert_eq!(unnamed, 0, "heads have a scope, regions a name");
        // Each cell stands under its head: those of further lines at the right.
        let astray = browser.evaluate(
            "const left = cell => Math.round(cell.getBoundingClientRect().left); \
             const seen = cells => [...cells].filter(cell => cell.getClientRects().length); \
             const heads = seen(document.querySelectorAll('.entries thead th')).map(left); \
             return [...document.querySelectorAll('.entries tbody tr')].flatMap(line => { \
               const cells = seen(line.cells).filter(cell => cell.colSpan === 1); \
               const under = line.previousSibling ? heads.slice(-cells.length) : heads; \
               return cells.filter((cell, at) => left(cell) !== under[at]); \
             }).map(cell => cell.innerText)",
        );
        assert_eq!(astray, json!([]), "{report}");
    }
}

#[test]
fn nothing_can_be_fetched_or_run_that_is_not_the_pages_own() {
    let Some(browser) = Browser::open() else {
        return;
    };
    open(&browser, &five(), "access");
    // Whatever got into the page would be stopped by its policy.
    browser.evaluate(
        "const script = document.createElement('script'); \
         script.textContent = 'document.title = \"taken\"'; document.body.append(script); \
         const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/x'; \
         document.body.append(image); \
         const div = document.createElement('div'); div.setAttribute('onclick', 'document.title = \"taken\"'); \
         document.body.append(div); div.click()",
    );
    assert_eq!(
        browser.evaluate("return document.title"),
        "Access review: acme"
    );
    // The browser writes them down when it comes to it.
    let mut complaints = Vec::new();
    let is_stopped = |complaints: &[String]| {
        ["script-src", "img-src"].iter().all(|directive| {
            let mut complaints = complaints.iter();
            complaints.any(|said| said.contains(directive) || said.contains("default-src"))
        })
    };
    for _ in 0..300 {
        complaints.extend(browser.complaints());
        if is_stopped(&complaints) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(is_stopped(&complaints), "{complaints:#?}");
}

#[test]
fn what_is_hostile_in_names_does_nothing_and_is_seen() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let hostile = "</th></table><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">";
    let scene = Scene::with(&[("PADA", hostile, "pending\" onmouseover=\"x", None)]);
    for sql in [
        "UPDATE resources SET label = ?1, description = ?1 WHERE id <> ''",
        "UPDATE entitlements SET label = ?1, description = ?1",
        "UPDATE accounts SET email = ?1, kind = ?1",
        "UPDATE tenants SET name = ?1, vendor_id = ?1, app_id = ?1",
        "UPDATE runs SET connector_version = ?1, accepted_by = ?1",
        "UPDATE runs SET notices = json_array(json_object('code', ?1, 'message', ?1, 'hint', ?1))",
        "UPDATE runs SET findings = json_array(json_object('check', ?1, 'severity', 'error', \
         'message', ?1, 'hint', ?1, 'examples', json_array(?1)))",
    ] {
        scene.sql(sql, &[hostile]);
    }
    scene.on_call(1, "PADA");
    scene.sql(
        "INSERT INTO last_activity VALUES (1, 'PADA', 1, NULL, ?1, ?1, ?1)",
        &[hostile],
    );
    scene.sql("UPDATE grants SET since = ?1", &[hostile]);
    // Nobody with such a trace is inactive; a second one has none.
    scene.account(1, ("PDAN", hostile, "active", None));
    scene.grant(1, "PDAN", ("license", "tenant", "", "LFULL"), Some(hostile));
    for report in ["access", "licences", "inactive"] {
        open(&browser, &scene, report);
        let title = browser.evaluate("return document.title");
        assert!(
            title.as_str().expect("text").contains("<script>"),
            "{title}"
        );
        assert!(
            browser.text().contains("document.title='taken'"),
            "{report}: it is seen"
        );
        let made = browser.evaluate(
            "return [document.scripts.length, document.images.length, \
             document.querySelectorAll('[onmouseover]').length]",
        );
        assert_eq!(made, json!([1, 0, 0]), "{report}");
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{report}");
        // Nor does the script that sorts make something of it.
        for column in 0..4 {
            browser.evaluate(&format!(
                "document.querySelectorAll('thead button')[{column}]?.click()"
            ));
        }
        let all = browser.evaluate(SHOWN);
        let all = all.as_str().expect("text");
        filter(&browser, "zzz", &format!("0 of {all}, by “zzz”"));
        filter(&browser, "<script>", all);
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{report}");
    }
}

#[test]
fn entries_are_sorted_by_what_a_column_means() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = five();
    scene.sql(
        "UPDATE accounts SET display_name = ?1 WHERE id = 'PDAN'",
        &["Ålex 10"],
    );
    scene.sql(
        "UPDATE accounts SET display_name = ?1 WHERE id = 'PCAR'",
        &["alex 9"],
    );
    open(&browser, &scene, "access");
    // As the file has them: by code points.
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["Ada", "alex 9", "Bob", "Ålex 10"])
    );
    sort_by(&browser, "Account");
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["Ada", "alex 9", "Ålex 10", "Bob"])
    );
    sort_by(&browser, "Account");
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["Bob", "Ålex 10", "alex 9", "Ada"])
    );
    // Who has never come is first; who is equal keeps its order.
    sort_by(&browser, "Last login");
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["alex 9", "Ålex 10", "Bob", "Ada"])
    );
    sort_by(&browser, "On-call load");
    sort_by(&browser, "On-call load");
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["Ada", "Bob", "alex 9", "Ålex 10"])
    );
    let told = browser.evaluate(
        "return [...document.querySelectorAll('thead th')].map(th => th.ariaSort).filter(s => s)",
    );
    assert_eq!(told, json!(["none", "none", "none", "descending"]));
    // All grants of an account stay with it.
    let of_ada = browser.evaluate("return document.querySelector('.entries tbody').rows.length");
    assert_eq!(of_ada, 4);
}

#[test]
fn the_keyboard_alone_filters_and_sorts() {
    let Some(browser) = Browser::open() else {
        return;
    };
    open(&browser, &five(), "access");
    browser.press(&[TAB]);
    assert_eq!(browser.evaluate(FOCUS), "Filter");
    let outline = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline), "solid", "the focus is seen");
    browser.press(&["P", "r", "i", "m", " ", "2", "0", "2", "5"]);
    wait(&browser, "2 of 4 accounts, by “Prim 2025”");
    assert_eq!(browser.evaluate(NAMES), json!(["Ada", "Bob"]));
    let mut reached = Vec::new();
    for _ in 0..6 {
        browser.press(&[TAB]);
        let focus = browser.evaluate(FOCUS);
        reached.push(focus.as_str().expect("text").to_owned());
        if focus == "Last login" {
            assert_eq!(browser.evaluate(outline), "solid", "the focus is seen");
            browser.press(&[ENTER]);
            break;
        }
    }
    assert_eq!(
        reached.last().map(String::as_str),
        Some("Last login"),
        "{reached:?}"
    );
    assert_eq!(browser.evaluate(NAMES), json!(["Bob", "Ada"]));
    assert_eq!(browser.evaluate(FOCUS), "Last login", "the focus stays");
}

#[test]
fn two_thousand_accounts_are_sorted_and_filtered() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = Scene::with(&[]);
    scene.batch(
        "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 1999)
         INSERT INTO accounts (tenant, id, from_run, email, display_name, status, kind, attributes)
         SELECT 1, 'P' || n, 1, 'p' || n || '@acme.example', 'Person ' || (n * 7 % 2000),
                'active', 'user', '{}' FROM n;
         INSERT INTO grants (tenant, account, entitlement_type, resource_type, resource, entitlement, from_run)
         SELECT 1, id, 'role', 'tenant', '', 'user', 1 FROM accounts;
         INSERT INTO last_activity
         SELECT 1, id, 1, NULL, 'last-login',
                strftime('%Y-%m-%dT%H:%M:%SZ', '2026-01-01', '+' || substr(id, 2) || ' hours'), 'x'
         FROM accounts;",
    );
    open(&browser, &scene, "access");
    assert_eq!(browser.evaluate(SHOWN), "2,000 accounts");
    let names = |browser: &Browser| -> Vec<String> {
        let names = browser.evaluate(NAMES);
        serde_json::from_value(names).expect("names")
    };
    sort_by(&browser, "Account");
    let sorted: Vec<String> = (0..2000).map(|n| format!("Person {n}")).collect();
    assert!(names(&browser) == sorted, "as people count");
    sort_by(&browser, "Last login");
    let by_login: Vec<String> = (0..2000)
        .map(|n| format!("Person {}", n * 7 % 2000))
        .collect();
    assert!(names(&browser) == by_login, "the longest ago first");
    filter(
        &browser,
        "  MANAGER   p199@ ",
        "1 of 2,000 accounts, by “MANAGER   p199@”",
    );
    assert_eq!(names(&browser), ["Person 1393"]);
    filter(&browser, "nobody", "0 of 2,000 accounts, by “nobody”");
    filter(&browser, "", "2,000 accounts");
    assert!(names(&browser) == by_login, "the order stays");
}

#[test]
fn without_its_script_a_page_shows_everything() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = five();
    let file = page(&scene, "access");
    let whole = std::fs::read_to_string(&file).expect("it is there");
    let (without, rest) = whole.split_once("<script>").expect("a script");
    let (_, end) = rest.split_once("</script>").expect("its end");
    let file = scene.beside("without.html");
    std::fs::write(&file, format!("{without}{end}")).expect("written");
    browser.go(&format!("file://{}", text(&file)));
    assert_eq!(
        browser.evaluate(NAMES),
        json!(["Ada", "Bob", "Carol", "Dan"])
    );
    let controls = browser.evaluate(
        "return [document.querySelectorAll('button').length, \
         document.querySelector('#filter').getClientRects().length]",
    );
    assert_eq!(controls, json!([0, 0]), "nothing that would do nothing");
    assert_eq!(
        browser.evaluate("return document.body.innerText.includes('Manager')"),
        Value::Bool(true)
    );
}

#[test]
fn a_word_of_the_filter_does_not_go_from_one_cell_into_the_next() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let scene = five();
    scene.batch("UPDATE accounts SET email = 'ada@acme.in' WHERE id = 'PADA'");
    open(&browser, &scene, "access");
    filter(&browser, "inactive", "0 of 4 accounts, by “inactive”");
    filter(
        &browser,
        "ada@acme.in active",
        "1 of 4 accounts, by “ada@acme.in active”",
    );
    // Nor from one line of a cell into the next.
    open(&browser, &scene, "inactive");
    filter(
        &browser,
        "userrole",
        "0 of 3 inactive accounts, by “userrole”",
    );
    filter(&browser, "manager", "3 inactive accounts");
}

#[test]
fn names_that_are_written_the_other_way_turn_nothing_beside_them() {
    let scene = five();
    scene.batch(
        "UPDATE accounts SET display_name = 'דנה' WHERE id = 'PDAN';
         UPDATE entitlements SET label = 'מנהל' WHERE id = 'user'",
    );
    for (report, label) in [("access", true), ("licences", false), ("inactive", true)] {
        let page = scene.told(&["report", report, "--format", "html"]);
        assert!(page.contains("<bdi>דנה</bdi>"), "{report}");
        assert_eq!(page.contains("<bdi>מנהל</bdi>"), label, "{report}");
    }
}
