//! The console's first page: everything at a glance.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Query, State},
    response::Response,
};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    change_page,
    page::{digest, moment, page, rough, shown},
};
use crate::{
    registry::{
        CandidateStatus, ConnectorStatus, GenerationState, GenerationStatus, QuarantineRecord,
        audit::{AuditError, AuditEvent, AuditRecord},
    },
    server::{
        Shared,
        live::{Course, LiveCall},
        tenants::TenantStatus,
    },
};

/// Changes that are shown.
const CHANGES: usize = 20;

/// Calls that are shown.
const CALLS: usize = 40;

/// Tenants that are shown.
const TENANTS: usize = 100;

/// Shorter is no use to people, and a load for the host.
const SHORTEST_REFRESH: u32 = 2;

#[derive(Deserialize)]
pub(super) struct Look {
    #[serde(default)]
    refresh: Option<u32>,
}

pub(super) async fn overview(
    State(shared): State<Arc<Shared>>,
    Query(look): Query<Look>,
) -> Response {
    let every = look.refresh.map(|every| every.max(SHORTEST_REFRESH));
    let registry = shared.connectors.registry();
    let records = match registry {
        Some(registry) => super::records(registry, None).await,
        None => Ok(Vec::new()),
    };
    let body = html! {
        a.skip href="#connectors" { "Skip to the connectors" }
        (head(&shared, every))
        main {
            @match registry {
                Some(registry) => {
                    (connectors(&registry.list()))
                    (changes(&records))
                }
                None => (fixed(&shared)),
            }
            (calls(&shared.live.all()))
            (tenants(&shared.tenants.list()))
            @if let Some(registry) = registry {
                (quarantine(&registry.quarantined()))
            }
        }
    };
    page(StatusCode::OK, "Overview", every, &body)
}

fn head(shared: &Shared, every: Option<u32>) -> Markup {
    let under_way = shared.limits.calls - shared.calls.available_permits();
    html! {
        header {
            h1 { "Connector host" }
            span { (under_way) " of " (shared.limits.calls) " calls under way" }
            span { "up " (rough(shared.since.elapsed())) }
            nav aria-label="Sections" {
                a href="#connectors" { "Connectors" }
                a href="#changes" { "Changes" }
                a href="#calls" { "Calls" }
                a href="#tenants" { "Tenants" }
                a href="/metrics" { "Metrics" }
                @match every {
                    Some(every) => a href="/" { "Stop reloading (every " (every) " s)" },
                    None => a href="/?refresh=5" { "Reload every 5 s" },
                }
            }
        }
    }
}

fn connectors(connectors: &[ConnectorStatus]) -> Markup {
    html! {
        section aria-labelledby="connectors" {
            h2 #connectors { "Connectors" }
            @if connectors.is_empty() {
                p.empty { "None yet. " code { "harness connectors load FILE" } " brings one." }
            }
            @for connector in connectors {
                h3 {
                    @if let Some(name) = &connector.display_name { (shown(name)) " " }
                    code { (connector.app_id) }
                }
                @if let Some(problem) = &connector.problem {
                    p.note role="alert" { b { "Nobody serves it: " } (shown(problem)) }
                }
                (generations(&connector.generations))
                @if let Some(candidate) = &connector.candidate {
                    (self::candidate(candidate))
                }
            }
        }
    }
}

fn generations(generations: &[GenerationStatus]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Generations" {
            table {
                caption { "Generations, the newest first" }
                thead {
                    tr {
                        th.number scope="col" { "No." }
                        th scope="col" { "State" }
                        th scope="col" { "Version" }
                        th scope="col" { "Digest" }
                        th scope="col" { "Signed by" }
                        th scope="col" { "Loaded" }
                        th.number scope="col" { "Under way" }
                        th.number scope="col" { "Calls" }
                        th.number scope="col" { "Failed" }
                        th.number scope="col" { "Crashed" }
                    }
                }
                tbody {
                    @for generation in generations {
                        @let record = &generation.record;
                        tr {
                            td.number { (record.id) }
                            td { (state(generation.state)) }
                            td { (shown(&record.version)) }
                            td { (digest(&record.sha256)) }
                            td { (record.signer.as_deref().map_or("–".to_owned(), shown)) }
                            td { (moment(record.loaded_at)) }
                            @match generation.traffic {
                                Some(traffic) => {
                                    td.number { (traffic.in_flight) }
                                    td.number { (traffic.calls) }
                                    td.number { (traffic.failures) }
                                    td.number.bad[traffic.crashes > 0] { (traffic.crashes) }
                                }
                                None => {
                                    td.number colspan="4" { small { "not in memory" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn state(state: GenerationState) -> Markup {
    let (text, class) = match state {
        GenerationState::Serving => ("serving", "state good"),
        GenerationState::Probation => ("serving, on probation", "state warn"),
        GenerationState::Draining => ("draining", "state warn"),
        GenerationState::Kept => ("kept", "state soft"),
    };
    html! { span class=(class) { (text) } }
}

fn candidate(candidate: &CandidateStatus) -> Markup {
    html! {
        p {
            span.state.warn { "candidate" } " version " (shown(&candidate.version)) " "
            (digest(&candidate.sha256))
            ", loaded " (moment(candidate.since)) " by " (shown(&candidate.by))
            @if let Some(shadow) = &candidate.shadow {
                @if shadow.ended { ", was asked every " } @else { ", is asked every " }
                (shadow.every) ". read as well: " (shadow.compared) " compared, "
                span.bad[shadow.differing > 0] { (shadow.differing) " differ" }
                @if shadow.skipped > 0 { ", " (shadow.skipped) " passed over" }
            } @else {
                ", not tried on live reads"
            }
        }
    }
}

/// Of a host whose connectors stay as they are.
fn fixed(shared: &Shared) -> Markup {
    html! {
        section aria-labelledby="connectors" {
            h2 #connectors { "Connectors" }
            ul {
                @for id in shared.connectors.ids() {
                    li {
                        code { (id) }
                        @if let Some(served) = shared.connectors.connector(&id) {
                            " version " (shown(&served.descriptor().version)) " "
                            (digest(served.sha256()))
                        }
                    }
                }
            }
        }
    }
}

fn changes(records: &Result<Vec<AuditRecord>, AuditError>) -> Markup {
    html! {
        section aria-labelledby="changes" {
            h2 #changes { "Last changes" }
            @match records {
                Ok(records) => (change_table(records)),
                Err(error) => p.note role="alert" {
                    b { "The audit log does not hold: " } (shown(&error.to_string()))
                },
            }
        }
    }
}

fn change_table(records: &[AuditRecord]) -> Markup {
    // How calls come to their end is nobody's change.
    let changes = records
        .iter()
        .rev()
        .filter(|record| record.event != AuditEvent::Drained);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Last changes" {
            table {
                thead {
                    tr {
                        th scope="col" { "When" }
                        th scope="col" { "What" }
                        th scope="col" { "Connector" }
                        th.number scope="col" { "Generation" }
                        th scope="col" { "By" }
                        th scope="col" { "Why" }
                    }
                }
                tbody {
                    @for record in changes.take(CHANGES) {
                        tr {
                            td { (moment(record.at)) }
                            td { a href={ "/changes/" (record.seq) } { (change_page::event(record.event)) } }
                            td {
                                (record.component.app_id.as_deref().map_or("–".to_owned(), shown))
                                @if let Some(version) = &record.component.version { " " (shown(version)) }
                            }
                            td.number { @if let Some(id) = record.generation { (id) } }
                            td { (shown(&record.by)) }
                            td.reason {
                                @if let Some(reason) = &record.reason { (shown(reason)) }
                                @else if let Some(differing) = change_page::differing(record) {
                                    (differing)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn calls(calls: &[Arc<LiveCall>]) -> Markup {
    html! {
        section aria-labelledby="calls" {
            h2 #calls { "Calls" }
            @if calls.is_empty() {
                p.empty { "None since the host began." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Calls" {
                    table {
                        caption { "Those under way, then the latest that have ended" }
                        thead {
                            tr {
                                th.number scope="col" { "No." }
                                th scope="col" { "Capability" }
                                th scope="col" { "Connector" }
                                th.number scope="col" { "Generation" }
                                th scope="col" { "Tenant" }
                                th scope="col" { "Began" }
                                th.number scope="col" { "Took" }
                                th.number scope="col" { "Requests" }
                                th scope="col" { "Outcome" }
                            }
                        }
                        tbody {
                            @for call in calls.iter().take(CALLS) {
                                (call_row(call, &call.snapshot()))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn call_row(call: &LiveCall, course: &Course) -> Markup {
    let began = &call.began;
    html! {
        tr {
            td.number { (call.number) }
            td { a href={ "/calls/" (call.number) } { (began.capability) } }
            td { (shown(&began.connector)) " " (shown(&began.version)) }
            td.number { @if let Some(generation) = began.generation { (generation) } }
            td { (course.tenant.as_deref().map_or("–".to_owned(), shown)) }
            td { (moment(call.at)) }
            td.number {
                (rough(course.end.map_or_else(|| call.elapsed(), |(_, elapsed)| elapsed)))
            }
            td.number { (course.requests.len() + course.omitted) }
            td { (outcome(course)) }
        }
    }
}

pub(super) fn outcome(course: &Course) -> Markup {
    match course.end {
        None => html! { span.state.warn { "under way" } },
        Some(("ok", _)) => html! { span.state.good { "ok" } },
        Some((code, _)) => html! { span.state.bad { (code) } },
    }
}

fn tenants(tenants: &[TenantStatus]) -> Markup {
    html! {
        section aria-labelledby="tenants" {
            h2 #tenants { "Tenants" }
            @if tenants.is_empty() {
                p.empty { "None is open." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Tenants" {
                    table {
                        caption { "Open tenants, the latest used first. One is known by its profile, or by a word of this process alone." }
                        thead {
                            tr {
                                th scope="col" { "Tenant" }
                                th scope="col" { "Connector" }
                                th.number scope="col" { "Calls under way" }
                                th scope="col" { "Left of the vendor's rate limit" }
                                th scope="col" { "Last used" }
                            }
                        }
                        tbody {
                            @for tenant in tenants.iter().take(TENANTS) {
                                tr {
                                    td { (shown(&tenant.label)) }
                                    td { (shown(&tenant.connector)) }
                                    td.number { (tenant.under_way) " of " (tenant.concurrent) }
                                    td { (rate_limit(tenant)) }
                                    td { (rough(tenant.idle)) " ago" }
                                }
                            }
                        }
                    }
                }
                @if tenants.len() > TENANTS {
                    p.empty { "and " (tenants.len() - TENANTS) " more" }
                }
            }
        }
    }
}

fn rate_limit(tenant: &TenantStatus) -> Markup {
    let Some(state) = tenant.rate_limit else {
        return html! { small { "the vendor has not said" } };
    };
    html! {
        meter min="0" max=(state.limit) low=(state.limit / 5) optimum=(state.limit)
            value=(state.remaining) aria-hidden="true" {}
        (state.remaining) " of " (state.limit)
    }
}

fn quarantine(quarantine: &BTreeMap<String, QuarantineRecord>) -> Markup {
    html! {
        @if !quarantine.is_empty() {
            section aria-labelledby="quarantine" {
                h2 #quarantine { "Quarantine" }
                div.scroll tabindex="0" role="region" aria-label="Quarantine" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Digest" }
                                th scope="col" { "Since" }
                                th scope="col" { "By" }
                                th scope="col" { "Why" }
                            }
                        }
                        tbody {
                            @for (sha256, record) in quarantine {
                                tr {
                                    td { (digest(sha256)) }
                                    td { (moment(record.at)) }
                                    td { (shown(&record.by)) }
                                    td.reason { (shown(&record.reason)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
