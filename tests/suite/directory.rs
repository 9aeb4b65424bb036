//! Accounts, resources, entitlements and grants.

use std::collections::{BTreeMap, BTreeSet};

use host_harness::contract::types::{AccountStatus, ErrorCode, PageRequest};
use pagerduty_simulator::Search;

use crate::support::{
    Bench, Opening, all_accounts, all_entitlements, all_grants, all_resources, contract_error,
    grant_key, page, run,
};

#[test]
fn every_user_is_listed_once_with_a_status() {
    run(async {
        let bench = Opening::users(250).open().await;
        let (accounts, notices) = all_accounts(&bench.tenant, None).await.expect("accounts");
        let ids: BTreeSet<_> = accounts.iter().map(|account| &account.id).collect();
        assert_eq!((accounts.len(), ids.len()), (250, 250));
        assert!(notices.is_empty(), "{notices:?}");
        let pending = accounts
            .iter()
            .filter(|account| account.status == AccountStatus::Pending)
            .count();
        assert!(pending > 0, "some invitations are outstanding");
        assert!(
            accounts.iter().all(|account| matches!(
                account.status,
                AccountStatus::Active | AccountStatus::Pending
            )),
            "PagerDuty knows no other state"
        );
        assert!(accounts.iter().all(|account| account.email.is_some()));
        // 250 users in pages of 100.
        assert_eq!(bench.requests(), 3);
    });
}

#[test]
fn get_account_agrees_with_the_list() {
    run(async {
        let bench = Opening::users(12).open().await;
        let (accounts, _) = all_accounts(&bench.tenant, None).await.expect("accounts");
        for account in accounts {
            let got = bench
                .tenant
                .get_account(&account.id)
                .await
                .expect("it exists");
            assert_eq!(got, account);
        }
    });
}

#[test]
fn an_unknown_account_is_not_found() {
    run(async {
        let bench = Opening::users(5).open().await;
        let error = contract_error(bench.tenant.get_account("PNOPE99").await);
        assert_eq!(error.code, ErrorCode::NotFound);
        assert_eq!(error.upstream_status, Some(404));
        let error = contract_error(bench.tenant.account_grants("PNOPE99").await);
        assert_eq!(error.code, ErrorCode::NotFound);
    });
}

#[test]
fn an_id_that_is_no_id_is_refused_before_any_request() {
    run(async {
        let bench = Opening::users(5).open().await;
        for id in [
            "",
            "..",
            "a/b",
            "a?b",
            "%2e%2e",
            "Ünïcode",
            &"x".repeat(300),
        ] {
            let error = contract_error(bench.tenant.get_account(id).await);
            assert_eq!(error.code, ErrorCode::InvalidInput, "{id:?}");
        }
        assert_eq!(bench.requests(), 0);
    });
}

/// Every list, read in pages of every size, is the same list.
#[test]
fn page_size_does_not_change_what_is_listed() {
    run(async {
        let bench = Opening::users(45).open().await;
        let tenant = &bench.tenant;
        let accounts = all_accounts(tenant, None).await.expect("accounts").0;
        let resources = all_resources(tenant, None).await.expect("resources").0;
        let entitlements = all_entitlements(tenant, None)
            .await
            .expect("entitlements")
            .0;
        let grants = all_grants(tenant, None).await.expect("grants").0;
        for size in [1, 7, 100, 1000] {
            let size = Some(size);
            assert_eq!(
                all_accounts(tenant, size).await.expect("accounts").0,
                accounts
            );
            assert_eq!(
                all_resources(tenant, size).await.expect("resources").0,
                resources
            );
            assert_eq!(
                all_entitlements(tenant, size)
                    .await
                    .expect("entitlements")
                    .0,
                entitlements
            );
            assert_eq!(all_grants(tenant, size).await.expect("grants").0, grants);
        }
    });
}

#[test]
fn nothing_dangles_and_nothing_is_listed_twice() {
    run(async {
        let bench = Opening::users(300).open().await;
        let tenant = &bench.tenant;
        let accounts: BTreeSet<String> = all_accounts(tenant, None)
            .await
            .expect("accounts")
            .0
            .into_iter()
            .map(|account| account.id)
            .collect();
        let resources = all_resources(tenant, None).await.expect("resources").0;
        let resource_keys: BTreeSet<_> = resources
            .iter()
            .map(|resource| (resource.resource_type.clone(), resource.id.clone()))
            .collect();
        assert_eq!(resource_keys.len(), resources.len(), "resources are unique");
        assert!(resource_keys.contains(&("tenant".to_owned(), String::new())));
        for kind in ["team", "schedule", "escalation-policy"] {
            assert!(
                resource_keys.iter().any(|(found, _)| found == kind),
                "no {kind}"
            );
        }

        let entitlements = all_entitlements(tenant, None)
            .await
            .expect("entitlements")
            .0;
        let mut entitlement_keys = BTreeSet::new();
        for entitlement in &entitlements {
            let name = &entitlement.ref_;
            assert!(
                resource_keys.contains(&(name.resource_type.clone(), name.resource.clone())),
                "{name:?} is on nothing"
            );
            assert!(
                entitlement_keys.insert((
                    name.entitlement_type.clone(),
                    name.id.clone(),
                    name.resource.clone()
                )),
                "{name:?} twice"
            );
        }

        let grants = all_grants(tenant, None).await.expect("grants").0;
        let mut grant_keys = BTreeSet::new();
        for grant in &grants {
            let name = &grant.entitlement;
            assert!(accounts.contains(&grant.account), "{grant:?} is nobody's");
            assert!(
                entitlement_keys.contains(&(
                    name.entitlement_type.clone(),
                    name.id.clone(),
                    name.resource.clone()
                )),
                "{grant:?} is of nothing"
            );
            assert!(grant_keys.insert(grant_key(grant)), "{grant:?} twice");
        }
        assert_exactly_one(&grants, "role", &accounts);
        assert_exactly_one(&grants, "license", &accounts);
        assert!(
            grants
                .iter()
                .filter(|grant| grant.entitlement.entitlement_type == "license")
                .all(|grant| grant
                    .since
                    .as_deref()
                    .is_some_and(|since| since.ends_with('Z'))),
            "an allocation says since when, in UTC"
        );
    });
}

#[test]
fn account_grants_agree_with_the_list() {
    run(async {
        let bench = Opening::users(80).open().await;
        let tenant = &bench.tenant;
        let mut expected: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
        for grant in all_grants(tenant, None).await.expect("grants").0 {
            expected
                .entry(grant.account.clone())
                .or_default()
                .insert(grant_key(&grant));
        }
        // Accounts that hold most, and one that holds least.
        let mut by_size: Vec<_> = expected.iter().collect();
        by_size.sort_by_key(|(_, grants)| std::cmp::Reverse(grants.len()));
        for (account, grants) in by_size.iter().take(5).chain(by_size.last()) {
            let got = tenant.account_grants(account).await.expect("it exists");
            let keys: BTreeSet<_> = got.items.iter().map(grant_key).collect();
            assert_eq!(&keys, *grants, "{account}");
            assert_eq!(keys.len(), got.items.len(), "no grant twice");
            assert!(got.notices.is_empty());
        }
    });
}

#[test]
fn a_page_token_belongs_to_the_function_that_gave_it() {
    run(async {
        let bench = Opening::users(30).open().await;
        let token = next_token(&bench).await;
        let tenant = &bench.tenant;
        let with = |token: &str| PageRequest {
            token: Some(token.to_owned()),
            size: Some(10),
        };
        assert_eq!(
            tenant
                .list_accounts(with(&token))
                .await
                .expect("its own")
                .items
                .len(),
            10
        );
        for error in [
            contract_error(tenant.list_resources(with(&token)).await),
            contract_error(tenant.list_entitlements(with(&token)).await),
            contract_error(tenant.list_grants(with(&token)).await),
            contract_error(
                tenant
                    .list_activity("2026-01-01T00:00:00Z", with(&token))
                    .await,
            ),
        ] {
            assert_eq!(error.code, ErrorCode::InvalidPageToken);
            assert!(error.hint.is_some());
        }
    });
}

/// Whatever happens to a token on its way, it is refused or means the same.
#[test]
fn a_damaged_page_token_is_refused() {
    use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

    run(async {
        let bench = Opening::users(30).open().await;
        let token = next_token(&bench).await;
        let before = bench.requests();
        let bytes = token.clone().into_bytes();
        let damage = (0..bytes.len(), any::<u8>(), 0..4_u8);
        let mut runner = TestRunner::deterministic();
        for _ in 0..64 {
            let (at, byte, how) = damage.new_tree(&mut runner).expect("a value").current();
            let mut damaged = bytes.clone();
            match how {
                0 => damaged.truncate(at),
                1 => damaged[at] = b"ABCxyz019-_"[usize::from(byte) % 11],
                2 => damaged.insert(at, b'A'),
                _ => damaged = vec![byte; at],
            }
            let Ok(damaged) = String::from_utf8(damaged) else {
                continue;
            };
            if damaged == token {
                continue;
            }
            let request = PageRequest {
                token: Some(damaged.clone()),
                size: Some(10),
            };
            let error = contract_error(bench.tenant.list_accounts(request).await);
            assert_eq!(error.code, ErrorCode::InvalidPageToken, "{damaged}");
        }
        assert_eq!(bench.requests(), before, "a bad token makes no request");
    });
}

#[test]
fn a_page_of_nothing_is_refused() {
    run(async {
        let bench = Opening::users(5).open().await;
        let error = contract_error(bench.tenant.list_accounts(page(Some(0))).await);
        assert_eq!(error.code, ErrorCode::InvalidInput);
    });
}

#[test]
fn a_tenant_with_its_owner_alone_reads_as_that() {
    run(async {
        let bench = Opening::users(1).open().await;
        let tenant = &bench.tenant;
        assert_eq!(
            all_accounts(tenant, None).await.expect("accounts").0.len(),
            1
        );
        let resources = all_resources(tenant, None).await.expect("resources").0;
        assert_eq!(resources.len(), 1, "the tenant itself: {resources:?}");
        let grants = all_grants(tenant, None).await.expect("grants").0;
        let kinds: Vec<_> = grants
            .iter()
            .map(|grant| grant.entitlement.entitlement_type.as_str())
            .collect();
        assert_eq!(kinds, ["role", "license"]);
        assert!(
            tenant
                .who_is_on_call(&[], None)
                .await
                .expect("shifts")
                .is_empty()
        );
    });
}

#[test]
fn the_owner_role_can_not_be_assigned() {
    run(async {
        let bench = Opening::users(5).open().await;
        let entitlements = all_entitlements(&bench.tenant, None)
            .await
            .expect("entitlements")
            .0;
        let roles: BTreeMap<_, _> = entitlements
            .iter()
            .filter(|entitlement| entitlement.ref_.entitlement_type == "role")
            .map(|entitlement| (entitlement.ref_.id.as_str(), entitlement.assignable))
            .collect();
        assert_eq!(roles.get("owner"), Some(&false));
        assert_eq!(roles.get("limited_user"), Some(&true));
        assert_eq!(roles.len(), 8);
    });
}

#[test]
fn seats_that_are_left_of_a_licence_are_told() {
    run(async {
        let bench = Opening::users(60).open().await;
        let entitlements = all_entitlements(&bench.tenant, None)
            .await
            .expect("entitlements")
            .0;
        let left: Vec<Option<u32>> = entitlements
            .iter()
            .filter(|entitlement| entitlement.ref_.entitlement_type == "license")
            .map(|entitlement| entitlement.available)
            .collect();
        // The simulator's: some room, little room, no limit.
        assert_eq!(left, [Some(16), Some(3), None]);
        let others = entitlements
            .iter()
            .filter(|entitlement| entitlement.ref_.entitlement_type != "license");
        assert!(others.into_iter().all(|other| other.available.is_none()));
    });
}

#[test]
fn the_search_of_the_vendor_does_not_matter_to_small_tenants() {
    run(async {
        let mut opening = Opening::users(150);
        opening.config.search = Search::Prefix;
        let bench = opening.open().await;
        assert_eq!(
            all_accounts(&bench.tenant, None)
                .await
                .expect("accounts")
                .0
                .len(),
            150
        );
    });
}

async fn next_token(bench: &Bench) -> String {
    bench
        .tenant
        .list_accounts(page(Some(10)))
        .await
        .expect("accounts")
        .next
        .expect("there is more")
}

#[track_caller]
pub fn assert_exactly_one(
    grants: &[host_harness::contract::types::Grant],
    kind: &str,
    accounts: &BTreeSet<String>,
) {
    let holders: Vec<&String> = grants
        .iter()
        .filter(|grant| grant.entitlement.entitlement_type == kind)
        .map(|grant| &grant.account)
        .collect();
    let unique: BTreeSet<&String> = holders.iter().copied().collect();
    assert_eq!(holders.len(), unique.len(), "somebody holds two of {kind}");
    assert_eq!(
        unique,
        accounts.iter().collect(),
        "everybody holds a {kind}"
    );
}
