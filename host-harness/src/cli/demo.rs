//! `harness demo`: the whole story against a simulated PagerDuty, in the order
//! in which somebody who connects a tenant for the first time would go.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{
    args::DemoArgs,
    connect,
    failure::Failure,
    list::{self, name},
    output::{self, count},
    plans, queries,
};
use crate::{
    CallError, CallReport, Connector, Credential, Grant, Network, Tenant, TenantConfig,
    TraceOutcome,
    contract::{
        on_call::Shift,
        types::{Account, AccountStatus, ErrorCode, PageRequest},
    },
    egress::cassette::{RecordedFrom, Recorder, Scrubber},
    offboarding::{Journal, PlanDocument, PlanKind},
    text::printable,
};

/// Looks like a token; the simulator knows it as the account owner's.
const TOKEN: &str = pagerduty_simulator::TOKENS.owner;

pub(super) async fn run(args: &DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let engine = connect::engine()?;

    chapter(1, "What is this connector?", "harness info")?;
    let connector = Connector::bundled(&engine).await?;
    let descriptor = connector.descriptor();
    output::fields(&[
        (
            "connector",
            format!("{} {}", descriptor.display_name, descriptor.version),
        ),
        (
            "component",
            format!("{} KiB of WebAssembly", connector.size().div_ceil(1024)),
        ),
        ("may reach", descriptor.origins.join(", ")),
        (
            "declares",
            format!(
                "{}, each with the only requests that it may make",
                output::counted(descriptor.capabilities.len(), "capability", "capabilities")
            ),
        ),
    ])?;

    let (listening, certificate) = connect::start_simulator(&args.population, "us").await?;
    let reports: Arc<Mutex<Vec<CallReport>>> = Arc::default();
    let mut network = Network::default().trust_pem(certificate.ca_pem().as_bytes())?;
    let mut grant = Grant::read_only();
    for origin in connector.origins() {
        network = network.route(origin.clone(), listening.addr());
        grant = grant.origin(origin.clone());
    }
    let config = TenantConfig::new(grant.clone())
        .credential(Credential::token(TOKEN)?)
        .network(network.clone());
    let mut grant_writes = Grant::read_write();
    for origin in connector.origins() {
        grant_writes = grant_writes.origin(origin.clone());
    }
    let writing = TenantConfig::new(grant_writes)
        .credential(Credential::token(TOKEN)?)
        .network(network);
    let seen = Arc::clone(&reports);
    let tenant = connector.open(config.clone().observe(move |report| {
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(report.clone());
    }))?;

    chapter(2, "Is the credential good?", "harness validate --simulator")?;
    let identity = tenant.validate().await?;
    output::fields(&[
        ("tenant", identity.id.clone()),
        ("acting as", identity.acting_as.clone().unwrap_or_default()),
        ("role", identity.role.clone().unwrap_or_default()),
    ])?;

    chapter(
        3,
        "Who is there, and who holds what?",
        "harness grants --simulator",
    )?;
    let accounts = list::all_accounts(&tenant, None).await?;
    let resources = list::all_resources(&tenant, None).await?;
    let entitlements = list::all_entitlements(&tenant, None).await?;
    let grants = list::all_grants(&tenant, None).await?;
    let requests: usize = lock(&reports)
        .iter()
        .map(|report| report.requests.len())
        .sum();
    output::fields(&[
        ("accounts", count(accounts.items.len())),
        ("resources", count(resources.items.len())),
        ("entitlements", count(entitlements.items.len())),
        ("grants", count(grants.items.len())),
        ("requests", count(requests)),
    ])?;

    chapter(
        4,
        "Review: access by kind",
        "harness grants --simulator --json",
    )?;
    let mut holders: BTreeMap<(String, String), usize> = BTreeMap::new();
    for grant in &grants.items {
        let entitlement = &grant.entitlement;
        let kind = match entitlement.entitlement_type.as_str() {
            "role" | "team-membership" => entitlement.id.clone(),
            "license" => label(&entitlements.items, &entitlement.id),
            _ => "-".to_owned(),
        };
        *holders
            .entry((entitlement.entitlement_type.clone(), kind))
            .or_default() += 1;
    }
    let rows = holders
        .into_iter()
        .map(|((entitlement, kind), holders)| vec![entitlement, kind, count(holders)]);
    output::table(&["entitlement", "which", "held"], rows)?;

    chapter(
        5,
        "Who is on call right now?",
        "harness on-call --simulator",
    )?;
    let shifts = tenant.who_is_on_call(&[], None).await?;
    queries::show_shifts(shifts.get(..shifts.len().min(5)).unwrap_or_default())?;
    output::line(&format!(
        "... {} in all",
        output::counted(shifts.len(), "shift", "shifts")
    ))?;

    chapter(
        6,
        "Who has not signed in?",
        "harness call activity.get-last-activity",
    )?;
    let ids: Vec<String> = accounts
        .items
        .iter()
        .take(100)
        .map(|account| account.id.clone())
        .collect();
    let activity = tenant.get_last_activity(&ids).await?;
    let never = ids.len() - activity.items.len();
    output::line(&format!(
        "of {} asked about, {} have never signed in; the latest sign-in was {}",
        output::counted(ids.len(), "account", "accounts"),
        count(never),
        activity
            .items
            .iter()
            .map(|seen| seen.at.as_str())
            .max()
            .unwrap_or("never"),
    ))?;

    chapter(
        7,
        "Is everything as it should be?",
        "harness doctor --simulator",
    )?;
    queries::show_findings(&tenant.diagnose().await?)?;

    chapter(
        8,
        "What left the sandbox?",
        "harness validate --simulator -vv",
    )?;
    let last = lock(&reports)
        .iter()
        .find(|report| report.function == "credentials.validate")
        .cloned();
    if let Some(report) = last {
        let rows = report.requests.iter().map(|request| {
            let outcome = match &request.outcome {
                TraceOutcome::Status(status) => status.to_string(),
                TraceOutcome::Failed(code) => code.clone(),
            };
            vec![
                report.function.clone(),
                outcome,
                request.rule.clone().unwrap_or_default(),
                request.uri.clone(),
            ]
        });
        output::table(&["capability", "answer", "rule", "request"], rows)?;
    }
    output::line("The token was added after each request had left the sandbox.")?;

    chapter(
        9,
        "Can it be repeated without the vendor?",
        "harness accounts --record / --replay",
    )?;
    record_and_replay(&connector, config, grant).await?;

    chapter(
        10,
        "Somebody leaves: who takes over?",
        "harness offboard LEAVER --to HEIR",
    )?;
    offboard(&connector, writing, &accounts.items, &shifts).await?;

    listening.stop().await;
    output::line(&format!(
        "\nDone in {:.1} s. Next: `harness --help`, or your own account with `PAGERDUTY_TOKEN`.",
        started.elapsed().as_secs_f32()
    ))
}

/// The whole way out of somebody who is on call.
async fn offboard(
    connector: &Connector,
    config: TenantConfig,
    accounts: &[Account],
    shifts: &[Shift],
) -> Result<(), Failure> {
    let named = |id: &str| accounts.iter().find(|account| account.id == id);
    let works = |account: &&Account| account.status == AccountStatus::Active;
    let tenant = connector.open(config)?;
    // The last in the list is nobody whose token is in use.
    let leaver = shifts
        .iter()
        .filter(|shift| shift.schedule.is_some())
        .filter_map(|shift| named(&shift.account))
        .next_back();
    let Some(leaver) = leaver else {
        return output::line("nobody is on call by a schedule in so small an account");
    };
    let mut plan = None;
    // Stakeholders can't be on call; the plan says so.
    for heir in accounts
        .iter()
        .filter(works)
        .filter(|account| account.id != leaver.id)
    {
        let kind = PlanKind::Transfer {
            to: heir.id.clone(),
        };
        match PlanDocument::make(&tenant, &leaver.id, kind).await {
            Ok(made) => {
                plan = Some((heir, made));
                break;
            }
            Err(CallError::Connector { error, .. }) if error.code == ErrorCode::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Some((heir, transfer)) = plan else {
        return output::line("nobody else can be on call in so small an account");
    };
    output::line(&format!(
        "{} leaves, {} takes over:",
        printable(&leaver.display_name),
        printable(&heir.display_name)
    ))?;
    plans::show(&transfer)?;
    let folder = tempfile::tempdir()?;
    let mut journal = Journal::open(&folder.path().join("transfer"), &transfer)?;
    let handed_over = plans::run_quietly(&tenant, &transfer, &mut journal).await?;
    let removal = PlanDocument::make(&tenant, &leaver.id, PlanKind::Removal).await?;
    output::line("Then the account goes:")?;
    plans::show(&removal)?;
    let mut journal = Journal::open(&folder.path().join("removal"), &removal)?;
    let removed = plans::run_quietly(&tenant, &removal, &mut journal).await?;
    let gone = matches!(
        tenant.get_account(&leaver.id).await,
        Err(CallError::Connector { error, .. }) if error.code == ErrorCode::NotFound
    );
    output::fields(&[
        ("changes", count(handed_over.changed + removed.changed)),
        ("account gone", if gone { "yes" } else { "NO" }.to_owned()),
    ])?;
    if gone {
        Ok(())
    } else {
        Err(Failure::call("the account should be gone", None))
    }
}

async fn record_and_replay(
    connector: &Connector,
    config: TenantConfig,
    grant: Grant,
) -> Result<(), Failure> {
    let recorder = Arc::new(Recorder::new(
        RecordedFrom::Simulator,
        jiff::Timestamp::now(),
        [7; 32],
    ));
    let live = connector.open(config.record(Arc::clone(&recorder)))?;
    let page = || PageRequest {
        token: None,
        size: Some(5),
    };
    let recorded = live.list_accounts(page()).await?;
    let scrubber = Scrubber::with_key(
        [0; 32],
        &connector.descriptor().vendor_domain,
        ["api.pagerduty.com".to_owned()],
    );
    let cassette = recorder.cassette(&connector.recorded_by(live.settings()), &scrubber);
    let clean = !cassette.to_text().contains(TOKEN);
    let replay = |cassette| -> Result<Tenant, Failure> {
        Ok(connector.open(TenantConfig::new(grant.clone()).replay(cassette)?)?)
    };
    let first = replay(cassette.clone())?.list_accounts(page()).await?;
    let second = replay(cassette.clone())?.list_accounts(page()).await?;
    let rows = recorded
        .items
        .iter()
        .zip(&first.items)
        .map(|(live, replayed)| {
            vec![
                live.id.clone(),
                live.display_name.clone(),
                replayed.display_name.clone(),
                name(&replayed.status),
            ]
        });
    output::table(&["account", "live", "replayed", "status"], rows)?;
    output::fields(&[
        ("requests recorded", count(cassette.interactions.len())),
        (
            "token in the recording",
            if clean { "no" } else { "YES" }.to_owned(),
        ),
        (
            "two replays equal",
            if first == second { "yes" } else { "NO" }.to_owned(),
        ),
    ])?;
    if clean && first == second {
        Ok(())
    } else {
        Err(Failure::call("the replay is not as it should be", None))
    }
}

fn chapter(number: u32, question: &str, command: &str) -> Result<(), Failure> {
    let gap = if number == 1 { "" } else { "\n" };
    output::line(&format!("{gap}{number}. {question}   $ {command}"))
}

fn label(entitlements: &[crate::contract::types::Entitlement], id: &str) -> String {
    entitlements
        .iter()
        .find(|entitlement| {
            entitlement.ref_.entitlement_type == "license" && entitlement.ref_.id == id
        })
        .map_or_else(|| id.to_owned(), |entitlement| entitlement.label.clone())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
