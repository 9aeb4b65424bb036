//! `probe_integration`: would a sync work? Each check looks at one page.

use std::{collections::BTreeSet, future::Future, time::Instant};

use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Outcome, wrong},
    error::WireError,
};
use crate::contract::{
    diagnostics::{Finding, Verdict},
    types::PageRequest,
};

/// As many as Lumos' SDK looks at.
const SAMPLE: u32 = 10;

const CHECKS: [&str; 4] = [
    "accounts",
    "entitlements",
    "entitlement_associations",
    "capability_config",
];

/// What a check saw.
struct Seen {
    count: usize,
    samples: Vec<Value>,
    /// What else belongs to the check.
    more: Vec<(&'static str, Value)>,
    failed: bool,
}

pub(super) async fn probe_integration(call: &Call<'_>) -> Answer {
    let started = Instant::now();
    let asked = call.texts("checks")?;
    if let Some(unknown) = asked.iter().find(|asked| !CHECKS.contains(&asked.as_str())) {
        let expected = format!("some of {}, not `{unknown}`", CHECKS.join(", "));
        return Err(wrong("checks", &expected));
    }
    let is_asked = |check: &str| asked.is_empty() || asked.iter().any(|asked| asked == check);
    let mut checks = Vec::new();
    let mut sampled = BTreeSet::new();
    if is_asked(CHECKS[0]) {
        let seen = accounts(call, &mut sampled);
        checks.push(check(call, CHECKS[0], Some("list_accounts"), seen).await);
    }
    if is_asked(CHECKS[1]) {
        let seen = entitlements(call);
        checks.push(check(call, CHECKS[1], Some("list_entitlements"), seen).await);
    }
    if is_asked(CHECKS[2]) {
        let seen = associations(call, &sampled);
        checks.push(check(call, CHECKS[2], Some("find_entitlement_associations"), seen).await);
    }
    if is_asked(CHECKS[3]) {
        if call.connector.exports("diagnostics.diagnose") {
            checks.push(check(call, CHECKS[3], None, configuration(call)).await);
        } else {
            checks.push(json!({
                "check": CHECKS[3],
                "status": "unsupported",
                "source": "native",
                "observed_count": 0,
                "message": "the connector has no diagnostics",
                "samples": [],
            }));
        }
    }
    let with = |status: &str| {
        checks
            .iter()
            .filter(|check| check["status"] == status)
            .count()
    };
    let status = match (with("failed"), with("passed")) {
        (0, _) => "passed",
        (_, 0) => "failed",
        _ => "partial",
    };
    Ok(Outcome::of(json!({
        "status": status,
        "checks": checks,
        "duration_ms": millis(started),
    })))
}

async fn check(
    call: &Call<'_>,
    name: &str,
    capability: Option<&str>,
    look: impl Future<Output = Result<Seen, WireError>>,
) -> Value {
    let started = Instant::now();
    let mut json = match look.await {
        Ok(seen) => {
            let mut json = json!({
                "status": if seen.failed { "failed" } else { "passed" },
                "observed_count": seen.count,
                "samples": seen.samples,
            });
            for (field, value) in seen.more {
                json[field] = value;
            }
            json
        }
        Err(error) => json!({
            "status": "failed",
            "observed_count": 0,
            "samples": [],
            "message": error.to_text(),
            "error": error.to_json(call.connector_id, Some(call.capability.name)),
        }),
    };
    json["check"] = json!(name);
    json["source"] = json!("native");
    json["duration_ms"] = json!(millis(started));
    if let Some(capability) = capability {
        json["capability"] = json!(capability);
    }
    json
}

fn sample() -> PageRequest {
    PageRequest {
        token: None,
        size: Some(SAMPLE),
    }
}

/// Without names and addresses: a probe's result ends up in tickets.
async fn accounts(call: &Call<'_>, sampled: &mut BTreeSet<String>) -> Result<Seen, WireError> {
    let wanted = call.texts("custom_attributes")?;
    let page = call.tenant()?.list_accounts(sample()).await?;
    let samples = page
        .items
        .iter()
        .map(|account| {
            json!({
                "kind": "account",
                "integration_specific_id": account.id,
                "user_status": super::reads::status_name(account.status),
            })
        })
        .collect();
    sampled.extend(page.items.iter().map(|account| account.id.clone()));
    let coverage: Value = wanted
        .iter()
        .map(|name| {
            let found = page
                .items
                .iter()
                .any(|account| account.attributes.iter().any(|(found, _)| found == name));
            json!({"name": name, "status": if found { "found" } else { "not_found" }})
        })
        .collect();
    let more = if wanted.is_empty() {
        Vec::new()
    } else {
        vec![("custom_attributes", coverage)]
    };
    Ok(Seen {
        count: page.items.len(),
        samples,
        more,
        failed: false,
    })
}

async fn entitlements(call: &Call<'_>) -> Result<Seen, WireError> {
    let page = call.tenant()?.list_entitlements(sample()).await?;
    let samples = page
        .items
        .iter()
        .map(|entitlement| {
            let named = &entitlement.ref_;
            json!({
                "kind": "entitlement",
                "integration_specific_id": named.id,
                "integration_specific_resource_id": named.resource,
                "entitlement_type": named.entitlement_type,
                "label": entitlement.label,
            })
        })
        .collect();
    let is_whole = page.next.is_none();
    let coverage: Value = call
        .connector
        .descriptor()
        .entitlement_types
        .iter()
        .map(|declared| {
            let is_found = page
                .items
                .iter()
                .any(|entitlement| entitlement.ref_.entitlement_type == declared.id);
            let status = match (is_found, is_whole) {
                (true, _) => "found",
                (false, true) => "not_found",
                (false, false) => "not_checked",
            };
            json!({"entitlement_type": declared.id, "status": status})
        })
        .collect();
    Ok(Seen {
        count: page.items.len(),
        samples,
        more: vec![("entitlement_types", coverage)],
        failed: false,
    })
}

async fn associations(call: &Call<'_>, sampled: &BTreeSet<String>) -> Result<Seen, WireError> {
    let page = call.tenant()?.list_grants(sample()).await?;
    let samples = page
        .items
        .iter()
        .map(|grant| {
            let mut json = super::reads::association_json(grant);
            json["kind"] = json!("association");
            json["linked_to_sampled_account"] = json!(sampled.contains(&grant.account));
            json
        })
        .collect();
    Ok(Seen {
        count: page.items.len(),
        samples,
        more: Vec::new(),
        failed: false,
    })
}

/// The connector's own checks.
async fn configuration(call: &Call<'_>) -> Result<Seen, WireError> {
    let findings = call.tenant()?.diagnose().await?;
    let samples = findings.iter().filter_map(finding_json).collect();
    Ok(Seen {
        count: findings.len(),
        samples,
        more: Vec::new(),
        failed: findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail),
    })
}

/// A check that was left out is no finding.
fn finding_json(finding: &Finding) -> Option<Value> {
    let (status, severity) = match finding.verdict {
        Verdict::Pass => ("valid", "info"),
        Verdict::Warn => ("warning", "warning"),
        Verdict::Fail => ("invalid", "error"),
        Verdict::Skip => return None,
    };
    let mut told = json!({
        "severity": severity,
        "code": crate::printable(&finding.check),
        "message": crate::printable(&finding.summary),
    });
    if let Some(hint) = &finding.hint {
        told["suggestion"] = json!(crate::printable(hint));
    }
    Some(json!({
        "kind": "capability_config",
        "capability": "probe_integration",
        "capability_type": "read",
        "status": status,
        "findings": [told],
    }))
}

fn millis(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX)
}
