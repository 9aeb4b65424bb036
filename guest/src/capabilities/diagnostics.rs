//! `diagnostics`: the questions of somebody whose sync does not work.

use crate::capabilities::credentials::{self, Identity};
use crate::errors::{Error, ErrorCode, Result};
use crate::exports::iga::connector::diagnostics::{Finding, Verdict};
use crate::ids::ById;
use crate::pagerduty::client::Client;
use crate::pagerduty::paging::{self, List, Place};
use crate::pagerduty::teams::{self, Member, Team};
use crate::pagerduty::users::{self, User};
use crate::pagerduty::{abilities, analytics, licenses, sign_ins};

/// Rows looked at where looking at all takes too long.
const SAMPLE: usize = 100;
/// Teams whose members are counted.
const TEAM_SAMPLE: usize = 20;
/// With fewer requests left than that, a sync is about to wait.
const FEW_REQUESTS: u32 = 96;

/// Runs every check.
pub fn diagnose(client: &Client) -> Vec<Finding> {
    let identity = match credentials::identify(client) {
        Ok(identity) => identity,
        Err(error) => return unreachable_tenant(client, &error),
    };
    let (users, sample) = users(client);
    vec![
        finding(
            "network",
            Verdict::Pass,
            format!("{} answers", client.settings().base_url),
        ),
        finding("authentication", Verdict::Pass, whom(&identity)),
        account_state(client),
        permissions(&identity),
        subdomain(client, &identity),
        users,
        emails(&sample),
        teams(client),
        licenses(client),
        activity_source(client, &sample),
        from_email(client, &identity),
        rate_limit(client),
    ]
}

/// Checks that need a good credential.
const DEPENDENT: [&str; 10] = [
    "account-state",
    "permissions",
    "subdomain",
    "users-syncing",
    "user-emails",
    "teams-appearing",
    "licenses",
    "activity-source",
    "from-email",
    "rate-limit",
];

fn finding(check: &str, verdict: Verdict, summary: impl Into<String>) -> Finding {
    Finding {
        check: check.to_owned(),
        verdict,
        summary: summary.into(),
        hint: None,
    }
}

impl Finding {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What a check found that could not be made.
    fn of_error(check: &str, error: &Error) -> Self {
        let verdict = match error.code {
            // Works, for who does without.
            _ if error.is_out_of_reach() => Verdict::Warn,
            // Says nothing about the tenant.
            ErrorCode::BudgetExhausted | ErrorCode::RateLimited => Verdict::Skip,
            _ => Verdict::Fail,
        };
        Self {
            hint: error.hint.clone(),
            ..finding(check, verdict, &error.message)
        }
    }
}

fn unreachable_tenant(client: &Client, error: &Error) -> Vec<Finding> {
    let settings = client.settings();
    let mut findings = Vec::new();
    let reason = if error.upstream_status.is_some() {
        findings.push(finding(
            "network",
            Verdict::Pass,
            format!("{} answers", settings.base_url),
        ));
        "the credential was not accepted"
    } else {
        findings.push(Finding::of_error("network", error));
        "PagerDuty's API was not reached"
    };
    findings.push(match error.code {
        _ if error.upstream_status.is_none() => finding("authentication", Verdict::Skip, reason),
        ErrorCode::Unauthorized => refused_credential(client, error),
        _ => Finding {
            verdict: Verdict::Fail,
            ..Finding::of_error("authentication", error)
        },
    });
    findings.extend(DEPENDENT.map(|check| finding(check, Verdict::Skip, reason)));
    findings
}

fn refused_credential(client: &Client, error: &Error) -> Finding {
    let settings = client.settings();
    let refused = finding("authentication", Verdict::Fail, &error.message);
    if settings.base_url_is_custom {
        return refused.hint(
            "the credential is wrong, was revoked, or its user is gone: make a new one, or \
             reconnect; check that `base-url` leads to the right service region",
        );
    }
    let other = settings.region.other();
    match abilities::get_from(client, other.origin()) {
        Ok(_) => refused.hint(format!(
            "the credential belongs to the {} service region: set region={}",
            other.name().to_ascii_uppercase(),
            other.name()
        )),
        Err(error) if error.code == ErrorCode::Unauthorized => refused.hint(format!(
            "the credential is wrong, was revoked, or its user is gone (the service region {} \
             refuses it too): make a new one, or disconnect and reconnect",
            other.name()
        )),
        Err(_) => refused.hint(format!(
            "the credential is wrong, was revoked, or its user is gone, or it belongs to the \
             service region {}, which could not be asked",
            other.name()
        )),
    }
}

fn whom(identity: &Identity) -> String {
    match (&identity.user, &identity.role) {
        (Some(user), Some(role)) => {
            format!("a key or token of user {user}, whose role is {role}")
        }
        (Some(user), None) => format!("a key or token of user {user}"),
        (None, _) => "an account-level API key or an app token, which acts as no user".to_owned(),
    }
}

/// A locked or expired account answers some requests with a refusal of its own.
fn account_state(client: &Client) -> Finding {
    match abilities::get(client) {
        Ok(_) => finding(
            "account-state",
            Verdict::Pass,
            "the PagerDuty account is active",
        ),
        Err(error) => Finding::of_error("account-state", &error),
    }
}

fn permissions(identity: &Identity) -> Finding {
    match &identity.role {
        Some(role) if !credentials::is_admin(role) => finding(
            "permissions",
            Verdict::Warn,
            format!("the credential's user has the role {role}: what it does not see is missing"),
        )
        .hint("connect as a Global Admin or the Account Owner"),
        Some(role) => finding(
            "permissions",
            Verdict::Pass,
            format!("the role {role} sees the whole account"),
        ),
        None => finding(
            "permissions",
            Verdict::Pass,
            "the credential acts as no user: its own scope decides, not a role",
        ),
    }
}

fn subdomain(client: &Client, identity: &Identity) -> Finding {
    let settings = client.settings();
    let region = if settings.base_url_is_custom {
        "by `base-url`".to_owned()
    } else {
        format!("in the {} service region", settings.region.name())
    };
    let found = match identity.subdomain.as_str() {
        "" => "an account whose subdomain is not visible".to_owned(),
        subdomain => format!("the account `{subdomain}`"),
    };
    match &settings.subdomain {
        Some(_) if identity.subdomain.is_empty() => finding("subdomain", Verdict::Skip, found),
        Some(expected) if !expected.eq_ignore_ascii_case(&identity.subdomain) => finding(
            "subdomain",
            Verdict::Fail,
            format!("the credential leads to {found} {region}, and not to `{expected}`"),
        )
        .hint("use a credential of the right account, or correct the setting `subdomain`"),
        _ => finding("subdomain", Verdict::Pass, format!("{found}, {region}")),
    }
}

fn users(client: &Client) -> (Finding, Vec<User>) {
    let list = List::all(users::PATH);
    let stretch = match paging::read::<User>(client, &list, &Place::default(), SAMPLE) {
        Ok(stretch) => stretch,
        Err(error) => {
            let failed = Finding {
                verdict: Verdict::Fail,
                ..Finding::of_error("users-syncing", &error)
            };
            return (failed, Vec::new());
        }
    };
    let sample: Vec<User> = stretch.rows.into_iter().flatten().collect();
    let total = stretch.total.map_or_else(
        || format!("at least {}", sample.len()),
        |total| total.to_string(),
    );
    let pending = sample
        .iter()
        .filter(|user| user.invitation_sent == Some(true));
    let summary = format!(
        "{total} users; of the first {}, {} have not accepted their invitation",
        sample.len(),
        pending.count()
    );
    let found = if sample.is_empty() {
        finding("users-syncing", Verdict::Fail, "no user is visible")
            .hint("connect as a Global Admin or the Account Owner, with the scope users.read")
    } else {
        finding("users-syncing", Verdict::Pass, summary)
            .hint("deleted users are not listed: PagerDuty has no inactive ones")
    };
    (found, sample)
}

fn emails(sample: &[User]) -> Finding {
    let check = "user-emails";
    if sample.is_empty() {
        return finding(check, Verdict::Skip, "no user is visible");
    }
    let missing = sample
        .iter()
        .filter(|user| user.email.as_deref().is_none_or(str::is_empty))
        .count();
    let summary = format!(
        "{missing} of the first {} users have no e-mail address",
        sample.len()
    );
    match missing {
        0 => finding(check, Verdict::Pass, summary),
        _ => finding(check, Verdict::Warn, summary)
            .hint("add the addresses in PagerDuty: accounts are matched to people by them"),
    }
}

fn teams(client: &Client) -> Finding {
    let check = "teams-appearing";
    let list = List::all(teams::PATH);
    let stretch = match paging::read::<Team>(client, &list, &Place::default(), SAMPLE) {
        Ok(stretch) => stretch,
        Err(error) => return Finding::of_error(check, &error),
    };
    let teams: Vec<Team> = stretch.rows.into_iter().flatten().collect();
    if teams.is_empty() {
        return finding(
            check,
            Verdict::Warn,
            "there are no teams, or none is visible",
        )
        .hint("make a team in PagerDuty, or connect as somebody who sees the teams");
    }
    let total = stretch.total.map_or_else(
        || format!("at least {}", teams.len()),
        |total| total.to_string(),
    );
    let sample: Vec<&Team> = teams.iter().take(TEAM_SAMPLE).collect();
    let empty = match count_empty(client, &sample) {
        Ok(empty) => empty,
        Err(error) => return Finding::of_error(check, &error),
    };
    let summary = format!(
        "{total} teams; of the first {}, {empty} have no members",
        sample.len()
    );
    match empty {
        0 => finding(check, Verdict::Pass, summary),
        _ => finding(check, Verdict::Warn, summary)
            .hint("a team without members grants nobody anything"),
    }
}

fn count_empty(client: &Client, teams: &[&Team]) -> Result<usize> {
    let paths = teams.iter().map(|team| teams::members_path(&team.id));
    let paths: Vec<String> = paths.collect::<Result<_>>()?;
    let lists: Vec<List<'_>> = paths.iter().map(|path| List::all(path)).collect();
    let requests = (lists.iter()).filter_map(|list| paging::first_request(list, 0));
    let mut empty = 0;
    for (list, reply) in lists.iter().zip(client.send_all(requests)) {
        let place = Place::default();
        let members = paging::read_after::<Member>(client, list, &place, 1, Some(reply))?;
        empty += usize::from(members.rows.is_empty());
    }
    Ok(empty)
}

fn licenses(client: &Client) -> Finding {
    let check = "licenses";
    let kinds = match licenses::all(client) {
        Ok(licenses) => licenses.len(),
        Err(error) => return Finding::of_error(check, &error),
    };
    let list = List::all(licenses::ALLOCATIONS_PATH);
    let place = Place::default();
    match paging::read::<licenses::Allocation>(client, &list, &place, 1) {
        Ok(stretch) => {
            let taken = stretch
                .total
                .map_or_else(String::new, |n| format!(", {n} seats taken"));
            finding(
                check,
                Verdict::Pass,
                format!("{kinds} kinds of licence{taken}"),
            )
        }
        Err(error) => Finding::of_error(check, &error),
    }
}

fn activity_source(client: &Client, sample: &[User]) -> Finding {
    let check = "activity-source";
    let Some(user) = sample.iter().find(|user| !user.id.is_empty()) else {
        return finding(check, Verdict::Skip, "no user is visible");
    };
    let analytics = client
        .send(analytics::request(&[&user.id]))
        .and_then(|reply| analytics::add_presence(client, &[&user.id], reply, &mut ById::new()));
    let refusal = match analytics {
        Ok(_) => {
            return finding(
                check,
                Verdict::Pass,
                "sign-ins come from analytics, which are up to a day old",
            );
        }
        Err(error) => error,
    };
    let delegations = sign_ins::delegations_request(&user.id)
        .and_then(|request| client.send(request))
        .and_then(|reply| sign_ins::last_delegation(client, &user.id, reply));
    let fallback = match delegations {
        Ok(_) => Ok("OAuth delegations"),
        Err(_) => sign_ins::sessions_request(&user.id)
            .and_then(|request| client.send(request))
            .and_then(|reply| sign_ins::last_session(&reply))
            .map(|_| "active sessions"),
    };
    match fallback {
        Ok(source) => finding(
            check,
            Verdict::Warn,
            format!("sign-ins come from {source}: {}", refusal.message),
        )
        .hint("analytics need a plan with them, and with scoped OAuth the scope analytics.write"),
        Err(error) => finding(
            check,
            Verdict::Warn,
            format!("no source of sign-ins is readable: {}", error.message),
        )
        .hint("connect as a Global Admin or the Account Owner"),
    }
}

fn from_email(client: &Client, identity: &Identity) -> Finding {
    let check = "from-email";
    match (&identity.user, &client.settings().from_email) {
        (_, Some(email)) => finding(check, Verdict::Pass, format!("incidents move as {email}")),
        (Some(user), None) => finding(
            check,
            Verdict::Pass,
            format!("incidents move as user {user}"),
        ),
        (None, None) => finding(
            check,
            Verdict::Warn,
            "the credential acts as no user, so incidents can't be handed over",
        )
        .hint("set `from-email` to the e-mail address of a user of this PagerDuty account"),
    }
}

fn rate_limit(client: &Client) -> Finding {
    let check = "rate-limit";
    let limits = client.rate_limit();
    let number = |number: Option<u32>| number.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let summary = format!(
        "{} of {} requests left; reset in {} s",
        number(limits.remaining),
        number(limits.limit),
        number(limits.reset)
    );
    match limits.remaining {
        None => finding(
            check,
            Verdict::Skip,
            "PagerDuty does not say how much is left",
        ),
        Some(left) if left < FEW_REQUESTS => finding(check, Verdict::Warn, summary).hint(
            "other integrations may use the same credential: give each its own; PagerDuty can \
             raise the limit",
        ),
        Some(_) => finding(check, Verdict::Pass, summary),
    }
}
