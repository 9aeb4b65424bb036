//! A candidate that is tried on live reads.

use std::num::NonZeroU32;

use host_harness::{
    Tenant,
    connector::BUNDLED,
    registry::{CandidateError, LoadFailure, Registry, ShadowReport, Stage, audit::AuditEvent},
};
use pagerduty_simulator::Config;
use serde_json::{Value, json};

use super::{config, events, last, load, open, second_version, serving, version};
use crate::support::{Bench, Opening, page, run};

const ENTITLEMENTS: &str = "directory.list-entitlements";

fn every(reads: u32) -> NonZeroU32 {
    NonZeroU32::new(reads).expect("not zero")
}

/// A registry whose candidate is tried on every read.
async fn shadowing(folder: &std::path::Path, candidate: &[u8]) -> Registry {
    let registry = open(config(folder)).await;
    registry.load(load(BUNDLED)).await.expect("it is sound");
    registry.stage(load(candidate)).await.expect("it is sound");
    let begun = registry.shadow("pagerduty", every(1), "ada").await;
    begun.expect("there is a candidate");
    registry
}

/// A call as a server makes it: answered by the generation that serves, and then
/// by the candidate. Returns whether it was that one's turn.
async fn call(registry: &Registry, bench: &Bench, function: &str, input: &Value) -> bool {
    let pinned = registry.current("pagerduty").expect("one serves");
    let tenant = pinned.open(bench.config.clone()).expect("it opens");
    let shadow = pinned.shadow();
    let watched = shadow.as_ref().map(|shadow| shadow.watch(&tenant));
    let tenant = watched.unwrap_or(tenant);
    let outcome = tenant.call(function, input).await;
    pinned.report(&outcome);
    let Some(shadow) = shadow else { return false };
    shadow.compare().await;
    true
}

fn seen(registry: &Registry) -> ShadowReport {
    let candidate = registry.list()[0].candidate.clone().expect("one waits");
    candidate.shadow.expect("it was tried")
}

#[test]
fn a_candidate_that_answers_live_reads_alike_takes_over() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        assert_eq!(last(&registry, AuditEvent::Shadowed).detail["every"], 1);

        // Nothing was compared yet. Nor is there a way around that.
        for failure in [
            registry.swap_candidate("pagerduty", "ada", false).await,
            registry.load(load(&second_version(""))).await,
        ] {
            let failure = failure.expect_err("it has shown nothing");
            assert_eq!(failure.stage(), Stage::Shadow);
            assert!(failure.to_string().contains("none was compared"));
        }

        for (function, input) in [
            (ENTITLEMENTS, json!({})),
            ("directory.list-accounts", json!({ "page": { "size": 5 } })),
            // An error is an answer as well.
            ("directory.get-account", json!({ "id": "PNOBODY" })),
        ] {
            assert!(call(&registry, &bench, function, &input).await);
        }
        let report = seen(&registry);
        assert_eq!(
            (report.compared, report.differing, report.skipped),
            (3, 0, 0),
            "{report:?}"
        );

        let report = registry.swap_candidate("pagerduty", "bob", false).await;
        let report = report.expect("it has shown that it does the same");
        assert_eq!((report.replaced, report.staged), (Some(1), false));
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
        let swap = last(&registry, AuditEvent::Swap);
        assert_eq!(swap.by, "bob");
        assert_eq!(
            swap.detail["shadow"],
            json!({ "compared": 3, "differing": 0, "skipped": 0 })
        );
        assert!(registry.list()[0].candidate.is_none());
        let pinned = registry.current("pagerduty").expect("one serves");
        assert!(pinned.shadow().is_none());
    });
}

#[test]
fn a_candidate_that_answers_live_reads_otherwise_is_refused_unless_that_is_accepted() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = shadowing(folder.path(), &second_version("names")).await;
        assert!(call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        let failure = registry.swap_candidate("pagerduty", "ada", false).await;
        let failure = failure.expect_err("it answers otherwise");
        let LoadFailure::Shadow(report) = &failure else {
            panic!("{failure}");
        };
        assert_eq!((report.compared, report.differing), (1, 1));
        assert_eq!(report.calls[0].function, ENTITLEMENTS);
        let difference = &report.calls[0].output[0];
        assert_eq!(difference.running, Some(json!("Responder")));
        assert_eq!(difference.candidate, Some(json!("Responder of 0.2.0")));
        assert!(
            report.calls[0]
                .to_string()
                .contains("+ \"Responder of 0.2.0\"")
        );
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));

        let report = registry.swap_candidate("pagerduty", "ada", true).await;
        report.expect("it was accepted");
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));

        // What was read may be about people: it is nowhere on the disk.
        for file in ["audit.jsonl", "state.json"] {
            let text = std::fs::read_to_string(folder.path().join(file)).expect("a file");
            assert!(!text.contains("Responder of 0.2.0"), "{file}");
        }
    });
}

#[test]
fn the_candidate_is_asked_what_typed_calls_were_asked() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        let pinned = registry.current("pagerduty").expect("one serves");
        let tenant = pinned.open(bench.config.clone()).expect("it opens");
        let shadow = pinned.shadow().expect("it is its turn");
        let watched: Tenant = shadow
            .watch(&tenant)
            .within(std::time::Duration::from_secs(60));
        let accounts = watched.list_accounts(page(Some(3))).await.expect("listed");
        watched
            .account_grants(&accounts.items[0].id)
            .await
            .expect("listed");
        bench.simulator.keep_exchanges(true);
        shadow.compare().await;
        let report = seen(&registry);
        assert_eq!((report.compared, report.differing), (2, 0), "{report:?}");
        assert!(!bench.simulator.exchanges().is_empty());
    });
}

#[test]
fn a_candidate_is_never_asked_to_change_anything() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).writing().open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        bench.simulator.keep_exchanges(true);
        let new = json!({ "account": {
            "email": "new@example.com",
            "display_name": "New",
            "entitlements": [],
            "attributes": [],
        } });
        call(&registry, &bench, "provisioning.create-account", &new).await;
        assert_eq!(seen(&registry).compared, 0);
        let exchanges = bench.simulator.exchanges();
        let created = exchanges
            .iter()
            .filter(|exchange| exchange.method == "POST" && exchange.path == "/users");
        assert_eq!(created.count(), 1, "by the generation that serves alone");
    });
}

#[test]
fn every_so_many_reads_it_is_the_candidate_s_turn_and_no_more_than_four_at_once() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = shadowing(folder.path(), &second_version("")).await;
        let begun = registry.shadow("pagerduty", every(3), "ada").await;
        begun.expect("it begins anew");
        let pinned = registry.current("pagerduty").expect("one serves");
        let turns: Vec<bool> = (0..9).map(|_| pinned.shadow().is_some()).collect();
        let third = [false, false, true];
        assert_eq!(turns, [third, third, third].concat());

        let begun = registry.shadow("pagerduty", every(1), "ada").await;
        begun.expect("it begins anew");
        let mut held: Vec<_> = (0..4).map(|_| pinned.shadow()).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(pinned.shadow().is_none() && pinned.shadow().is_none());
        assert_eq!(seen(&registry).skipped, 2);
        held.pop();
        assert!(pinned.shadow().is_some());
    });
}

#[test]
fn what_a_candidate_has_shown_counts_against_the_generation_that_served_then() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        assert!(call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        assert_eq!(seen(&registry).compared, 1);
        let pinned = registry.current("pagerduty").expect("one serves");
        let request = load(&version("0.1.1"));
        registry.load(request).await.expect("it is sound");
        assert_eq!(seen(&registry).compared, 0);
        assert!(pinned.shadow().is_none(), "it was replaced");
        let pinned = registry.current("pagerduty").expect("one serves");
        assert!(pinned.shadow().is_some());
        let registered = registry.swap_candidate("pagerduty", "ada", false).await;
        registered.expect_err("it has shown nothing");
    });
}

#[test]
fn answers_of_an_exhausted_or_unreachable_vendor_are_not_compared() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let limited = Opening {
            config: Config {
                users: 20,
                // Less than a quarter of it is left after the first few.
                limit: Some(8),
                ..Config::default()
            },
            ..Opening::default()
        };
        let bench = limited.open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        let pinned = registry.current("pagerduty").expect("one serves");
        let tenant = pinned.open(bench.config.clone()).expect("it opens");
        while tenant.rate_limit().is_none_or(|limit| limit.remaining > 1) {
            let nobody = tenant.get_account("PNOBODY").await;
            nobody.expect_err("there is nobody of that id");
        }
        let before = bench.simulator.request_count();
        let shadow = pinned.shadow().expect("it is its turn");
        let watched = shadow.watch(&tenant);
        let nobody = watched.get_account("PNOBODY").await;
        nobody.expect_err("there is nobody of that id");
        shadow.compare().await;
        assert_eq!(bench.simulator.request_count(), before + 1);
        let report = seen(&registry);
        assert_eq!((report.compared, report.skipped), (0, 1));
    });
}

#[test]
fn a_shadow_ends_with_its_trial_with_its_registry_and_when_that_is_closed() {
    enum End {
        Trial,
        Candidate,
        Registry,
        Closing,
    }
    run(async {
        let bench = Opening::users(20).open().await;
        let faults = bench.simulator.faults();
        for end in [End::Trial, End::Candidate, End::Registry, End::Closing] {
            let folder = tempfile::tempdir().expect("a folder");
            let registry = shadowing(folder.path(), &second_version("")).await;
            let pinned = registry.current("pagerduty").expect("one serves");
            let tenant = pinned.open(bench.config.clone()).expect("it opens");
            let shadow = pinned.shadow().expect("it is its turn");
            let watched = shadow.watch(&tenant);
            let accounts = watched.list_accounts(page(Some(3))).await;
            accounts.expect("listed");

            // It asks a vendor that does not answer, and nobody waits for that.
            let before = faults.fired();
            faults.add("* * latency=3000s".parse().expect("a fault"));
            let asking = tokio::spawn(shadow.compare());
            while faults.fired() == before {
                tokio::task::yield_now().await;
            }
            match end {
                End::Trial => {
                    let ended = registry.end_shadow("pagerduty", "ada").await;
                    ended.expect("it was tried");
                    assert!(events(&registry).contains(&AuditEvent::ShadowEnded));
                    let report = seen(&registry);
                    assert_eq!((report.ended, report.compared), (true, 0));
                    let again = registry.end_shadow("pagerduty", "ada").await;
                    assert!(matches!(again, Err(CandidateError::NotShadowing(_))));
                    // It is held to that, all the same.
                    let swapped = registry.swap_candidate("pagerduty", "ada", false).await;
                    swapped.expect_err("it has shown nothing");
                    assert!(pinned.shadow().is_none());
                }
                End::Candidate => {
                    let discarded = registry.discard("pagerduty", "ada").await;
                    discarded.expect("there is one");
                    assert!(pinned.shadow().is_none());
                }
                End::Registry => drop(registry),
                End::Closing => {
                    registry.close().await.expect("it is closed");
                    assert!(pinned.shadow().is_none());
                }
            }
            asking.await.expect("it has ended");
            faults.clear();
        }
    });
}

#[test]
fn a_candidate_is_held_to_its_trial_after_a_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = Opening::users(20).open().await;
        let registry = shadowing(folder.path(), &second_version("")).await;
        assert!(call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        registry.close().await.expect("it is closed");

        // What it had shown is gone, and has to be shown again.
        let registry = open(config(folder.path())).await;
        let report = seen(&registry);
        assert_eq!((report.ended, report.compared), (false, 0));
        let swapped = registry.swap_candidate("pagerduty", "ada", false).await;
        swapped.expect_err("it has shown nothing");
        assert!(call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        let ended = registry.end_shadow("pagerduty", "ada").await;
        ended.expect("it was tried");
        assert_eq!(
            last(&registry, AuditEvent::ShadowEnded).detail["compared"],
            1
        );
        assert!(!call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        registry.close().await.expect("it is closed");

        let registry = open(config(folder.path())).await;
        assert!(seen(&registry).ended);
        assert!(!call(&registry, &bench, ENTITLEMENTS, &json!({})).await);
        let swapped = registry.swap_candidate("pagerduty", "ada", false).await;
        swapped.expect_err("what it has shown is gone");
        let swapped = registry.swap_candidate("pagerduty", "ada", true).await;
        swapped.expect("it was accepted");
    });
}
