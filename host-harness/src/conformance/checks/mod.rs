//! The checks, one file for each concept.

mod accounts;
mod agreement;
mod assignment;
mod credentials;
mod declaration;
mod described;
mod duty;
mod faults;
mod pages;
mod plans;
mod references;
mod replays;
mod requests;
mod tokens;
mod uncertain;
mod values;

use super::{Check, Level, Sources};

macro_rules! checks {
    ($($id:literal $level:ident $sources:ident $run:path: $title:literal;)*) => {
        /// All checks, in the order in which they run: what is said before what
        /// is done, reads before writes.
        pub(super) static CHECKS: &[Check] = &[$(Check {
            id: $id,
            level: Level::$level,
            sources: Sources::$sources,
            title: $title,
            run: |ground| Box::pin($run(ground)),
        }),*];
    };
}

checks! {
    "description" Read Any declaration::description:
        "it describes itself completely, and the same each time";
    "declared-types" Read Any declaration::declared_types:
        "its types of resources and entitlements fit each other";
    "capabilities" Read Any declaration::capabilities:
        "each function is declared once, with the level that it has in the contract";
    "scopes" Read Any declaration::scopes:
        "each function that makes requests names the scopes that they need";
    "settings" Read Any declaration::settings:
        "its settings are texts with a description, and their defaults are valid";
    "unsupported" Read Tenant declaration::unsupported:
        "a function that is exported and not declared answers `unsupported`";

    "credential" Read Tenant credentials::good:
        "a good credential is valid, and says whose it is";
    "credential-wrong" Read StandIn credentials::wrong:
        "a wrong credential is `unauthorized`";
    "credential-revoked" Read StandIn credentials::revoked:
        "a credential that was good and is revoked is `unauthorized` in each read";

    "reads" Read Tenant requests::reads:
        "each declared read answers";
    "declared-requests" Read Tenant requests::declared_requests:
        "reads make no request that is not declared";
    "reads-change-nothing" Read StandIn requests::reads_change_nothing:
        "after all reads the tenant is as it was";
    "secrets" Read Tenant requests::secrets:
        "no credential, and nothing that opens something, is in results, errors, logs or addresses";

    "page-end" Read Any pages::page_end:
        "lists come to an end, and no token comes twice";
    "page-size" Read Any pages::page_size:
        "no page has more items than were asked for";
    "duplicates" Read Any pages::duplicates:
        "no list has an item twice";
    "page-sizes" Read Tenant pages::page_sizes:
        "small pages hold the same items as large ones";
    "page-token" Read Tenant tokens::page_token:
        "what is no token is an `invalid-page-token`";
    "page-token-of-another" Read Tenant tokens::page_token_of_another:
        "the token of another list is an `invalid-page-token`";
    "resume" Read Tenant tokens::resume:
        "a list that is cut after each page goes on elsewhere, and is the same";

    "references" Read Tenant references::references:
        "grants lead to accounts, entitlements and resources that are listed";
    "declared-kinds" Read Any references::declared_kinds:
        "resources and entitlements are of declared types that fit each other";
    "bounds" Read Tenant references::bounds:
        "each account holds as many of a type as is declared";
    "get-account" Read Tenant agreement::get_account:
        "an account by itself is as in the list";
    "account-grants" Read Tenant agreement::account_grants:
        "what one account holds is what the list of grants says of it";
    "unknown-account" Read Tenant agreement::unknown_account:
        "an account that is not there is `not-found`";
    "awkward-ids" Read Tenant agreement::awkward_ids:
        "an id that is none of the vendor's is turned away, and leads nowhere else";

    "identifiers" Read Any values::identifiers:
        "ids are there, and hold nothing that does not show";
    "attributes" Read Any values::attributes:
        "attributes have names, each once, in order";
    "account-state" Read Any values::account_state:
        "an account that is listed is not gone";
    "instants" Read Any values::instants:
        "instants are RFC 3339 in UTC";
    "notices" Read Any values::notices:
        "notices have a code in kebab case and a message";
    "last-activity" Read Any values::last_activity:
        "each account has at most one last activity, and only those asked for";
    "diagnostics" Read Any values::diagnostics:
        "findings have a code in kebab case, and what is not good has a hint";

    "on-call" Read Tenant duty::on_call:
        "whoever is on call is so by itself, and nobody else is";
    "plan" Read Tenant plans::plan:
        "the steps of a plan have ids, kinds and summaries";
    "plan-refused" Read Tenant plans::plan_refused:
        "a plan for nobody is `not-found`, one for oneself `invalid-input`";

    "determinism" Read Any replays::determinism:
        "two replays do the same, and what comes out does not hang on random numbers";
    "fault-rate-limit" Read Any faults::rate_limit:
        "a vendor that asks to come back later is `rate-limited`, with the time if it was told";
    "fault-unavailable" Read Any faults::unavailable:
        "a vendor that answers with server errors is `unavailable`";
    "fault-timeout" Read Any faults::timeout:
        "a vendor that does not answer is a `timeout`";
    "fault-connection" Read Any faults::connection:
        "a vendor that is not reached, or breaks off, is `connection-failed`";
    "fault-nonsense" Read Any faults::nonsense:
        "an answer that makes no sense is an `invalid-response`, and no crash";
    "fault-once" Read Any faults::once:
        "a read of which one request fails is whole, or an error";
    "deadline" Read Any faults::deadline:
        "a call that can't be done in its time says so before it is over";
    "recordings" Read Recordings replays::recordings:
        "recordings are sound, and are played to their end";
    "openapi" Read Described described::openapi:
        "requests and their answers are as the vendor describes them";
    "budget" Read Recordings replays::budget:
        "recorded calls stay below their ceilings";
    "versions" Read TwoVersions replays::versions:
        "both versions do the same on the same recordings";
    "swap" Read TenantWithTwoVersions tokens::swap:
        "a token of another version is taken or turned away, and nothing is lost or doubled";

    "credential-rights" Write StandIn credentials::rights:
        "a credential that may not change anything is `permission-denied`";
    "create" Write StandIn accounts::create:
        "an account that is created is there, as it was asked for";
    "create-again" Write StandIn accounts::create_again:
        "to create it again changes nothing";
    "create-full" Write StandIn accounts::create_full:
        "an account is created with all attributes and with what it is to hold";
    "create-invalid" Write StandIn accounts::create_invalid:
        "what makes no sense is `invalid-input`, and nothing is created";
    "update" Write StandIn accounts::update:
        "an account that is changed is as it was asked for";
    "update-again" Write StandIn accounts::update_again:
        "to change it again changes nothing";
    "delete" Write StandIn accounts::delete:
        "an account that is deleted is gone";
    "delete-again" Write StandIn accounts::delete_again:
        "to delete it again changes nothing";
    "assign" Write StandIn assignment::assign:
        "an entitlement that is given is held";
    "assign-again" Write StandIn assignment::assign_again:
        "to give it again changes nothing";
    "assign-in-place" Write StandIn assignment::assign_in_place:
        "of a type that an account holds one of, another one takes its place";
    "unassign" Write StandIn assignment::unassign:
        "an entitlement that is taken is not held";
    "unassign-again" Write StandIn assignment::unassign_again:
        "to take it again changes nothing";
    "plan-applied" Write StandIn plans::plan_applied:
        "a removal removes, and each of its steps is safe to repeat";
    "fault-change" Write StandIn uncertain::change:
        "a change whose answer is lost is found or reported, and repeated is done once";
    "dry-run" Write StandIn requests::dry_run:
        "a dry run changes nothing, and shows the first change that is then sent";
}
