//! More users than PagerDuty's lists reach: 10,000 rows.

use std::collections::BTreeSet;

use pagerduty_simulator::{Config, Search};

use crate::{
    directory::assert_exactly_one,
    support::{Opening, all_accounts, all_grants, grant_key, run},
};

/// 10,050 users: more than the lists of users and of licence allocations give.
fn opening(search: Search) -> Opening {
    Opening {
        config: Config {
            users: 10_050,
            search,
            ..Config::default()
        },
        ..Opening::default()
    }
}

#[test]
fn nobody_is_lost_or_listed_twice_where_the_search_matches_anywhere() {
    run(async {
        let bench = opening(Search::Substring).open().await;
        let accounts = all_accounts(&bench.tenant, Some(1000))
            .await
            .expect("accounts")
            .0;
        let ids: BTreeSet<String> = accounts.iter().map(|account| account.id.clone()).collect();
        assert_eq!((accounts.len(), ids.len()), (10_050, 10_050));

        let grants = all_grants(&bench.tenant, Some(1000))
            .await
            .expect("grants")
            .0;
        assert_exactly_one(&grants, "role", &ids);
        assert_exactly_one(&grants, "license", &ids);
        let unique: BTreeSet<_> = grants.iter().map(grant_key).collect();
        assert_eq!(unique.len(), grants.len());
    });
}

#[test]
fn nobody_is_lost_or_listed_twice_where_the_search_matches_beginnings() {
    run(async {
        let bench = opening(Search::Prefix).open().await;
        let accounts = all_accounts(&bench.tenant, Some(1000))
            .await
            .expect("accounts")
            .0;
        let ids: BTreeSet<String> = accounts.iter().map(|account| account.id.clone()).collect();
        assert_eq!((accounts.len(), ids.len()), (10_050, 10_050));
    });
}
