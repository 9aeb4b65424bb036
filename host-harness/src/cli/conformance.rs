//! `harness conformance`: may a connector go to production?

use std::{collections::BTreeSet, path::Path, sync::Arc};

use async_trait::async_trait;
use pagerduty_simulator::{Certificate, Config, Listening, Simulator, TOKENS};
use serde_json::json;

use super::{
    args::{ConformanceArgs, ConformanceFormat},
    connect,
    failure::Failure,
    output,
};
use crate::{
    Connector, Credential, CredentialError, Network, Origin,
    conformance::{
        self, Check, CheckReport, Level, Report, StandIn, Subject, SubjectError, UnknownCheck,
        Vendor,
    },
    contract::metadata,
    openapi::{Description, Overlay},
    whole_file,
};

/// The vendor that the simulator is one of.
const SIMULATED: &str = "pagerduty.com";

pub(super) async fn run(args: ConformanceArgs) -> Result<(), Failure> {
    let mut checks = conformance::select(&args.check)?;
    if args.read_only {
        let is_read = |check: &&'static Check| check.level == Level::Read;
        if args.check.is_empty() {
            checks.retain(is_read);
        } else if let Some(check) = checks.iter().find(|check| !is_read(check)) {
            return Err(Failure::usage(
                format!("the check `{}` changes the tenant", check.id),
                "leave out `--read-only`: changes are only tried on a stand-in",
            ));
        }
    }
    if args.list {
        return list(&checks, &args);
    }
    let description = description(&args)?;
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, &args.reach.connector).await?;
    let against = match &args.against {
        Some(file) => Some(connect::connector_file(&engine, file).await?),
        None => None,
    };
    let (format, target) = (args.format, args.output.clone());
    // What a live tenant needs has to live as long.
    let mut session = None;
    let mut subject = if let Some(folder) = &args.cassette {
        Subject::recorded(connector, folder)?
    } else if args.live {
        let opened = connect::session(&args.connect()).await?;
        let config = opened.tenant.config().clone();
        session = Some(opened);
        tell_doubtful_reads(&connector);
        Subject::live(connector, config)
    } else {
        let domain = &connector.descriptor().vendor_domain;
        if domain != SIMULATED {
            return Err(Failure::usage(
                format!("there is no simulator of the vendor `{domain}`"),
                "check it on recordings with `--cassette DIR`, or on a tenant with \
                 `--live --read-only`",
            ));
        }
        let vendor = Simulated::new(&connector, &args)?;
        Subject::stand_in(connector, Arc::new(vendor))
    };
    if let Some(against) = against {
        subject = subject.against(against);
    }
    if let Some(description) = description {
        subject = subject.described(description);
    }
    let streams = format == ConformanceFormat::Table && target.is_none();
    let width = checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let observer = |report: &CheckReport| {
        if streams {
            // If nobody reads any more, the exit code still tells.
            output::raw(line(report, width).as_bytes()).ok();
        }
    };
    let report = conformance::run(&subject, &checks, &observer).await?;
    drop(session);
    if !streams {
        let text = match format {
            ConformanceFormat::Table => table(&report, width),
            ConformanceFormat::Json => document(&report.to_json()),
            ConformanceFormat::Junit => report.to_junit(),
        };
        write(target.as_deref(), &text)?;
    }
    talk!("{}", summary(&report));
    match report.count("fail") {
        0 if report.is_conformant() => Ok(()),
        0 => Err(Failure::call(
            "nothing could be checked",
            Some("each line says why it was skipped".to_owned()),
        )),
        failed => Err(Failure::call(
            format!("{} failed", output::counted(failed, "check", "checks")),
            Some("each says what to do; `--check ID` runs one alone".to_owned()),
        )),
    }
}

/// What the vendor says of its API, corrected.
fn description(args: &ConformanceArgs) -> Result<Option<Description>, Failure> {
    let Some(file) = &args.openapi else {
        return Ok(None);
    };
    let overlay = match &args.openapi_overlay {
        Some(overlay) => Overlay::read(overlay)?,
        None => Overlay::default(),
    };
    Ok(Some(Description::read(file, &overlay)?))
}

/// Says which requests will be sent as reads for which there is nothing but the
/// connector's word.
fn tell_doubtful_reads(connector: &Connector) {
    let capabilities = connector.descriptor().capabilities.iter();
    let rules = capabilities.flat_map(|capability| &capability.requests);
    let doubtful: BTreeSet<String> = rules
        .filter(|rule| rule.level == metadata::Level::Read)
        .filter(|rule| !["GET", "HEAD"].contains(&rule.method.as_str()))
        .map(|rule| format!("{} {}", rule.method, rule.path))
        .collect();
    for rule in doubtful {
        talk!("sends `{rule}` as a read: that it changes nothing is the connector's word alone");
    }
}

/// Writes what the calls of recordings may use.
pub(super) async fn record_ceilings(args: &ConformanceArgs) -> Result<(), Failure> {
    let engine = connect::engine()?;
    let connector = connect::connector(&engine, &args.reach.connector).await?;
    // `--record-ceilings` asks for `--cassette`.
    let folder = args.cassette.as_deref().unwrap_or(Path::new("."));
    let subject = Subject::recorded(connector, folder)?;
    if let Some(written) = subject.record_ceilings(folder).await {
        talk!("wrote `{}`", written?.display());
    }
    Ok(())
}

fn list(checks: &[&'static Check], args: &ConformanceArgs) -> Result<(), Failure> {
    if args.format == ConformanceFormat::Junit {
        return Err(Failure::usage(
            "JUnit tells outcomes, and a list has none",
            "list with `--format table` or `--format json`",
        ));
    }
    let text = if args.format == ConformanceFormat::Json {
        let checks: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "id": check.id,
                    "level": check.level.as_str(),
                    "title": check.title,
                    "sources": check.sources.as_str(),
                })
            })
            .collect();
        document(&json!({ "checks": checks }))
    } else {
        let rows = checks.iter().map(|check| {
            vec![
                check.id.to_owned(),
                check.level.as_str().to_owned(),
                check.sources.as_str().to_owned(),
                check.title.to_owned(),
            ]
        });
        output::columns(&["check", "level", "on", "what holds if it passes"], rows)
    };
    write(args.output.as_deref(), &text)
}

/// A check's outcome in a line. What comes of strangers in it is printable.
fn line(report: &CheckReport, width: usize) -> String {
    let outcome = &report.outcome;
    let hint = outcome.hint().map(|hint| format!("; hint: {hint}"));
    format!(
        "{:4}  {:width$}  {}{}\n",
        outcome.word(),
        report.check.id,
        outcome.detail(),
        hint.unwrap_or_default()
    )
}

fn table(report: &Report, width: usize) -> String {
    report
        .checks
        .iter()
        .map(|check| line(check, width))
        .collect()
}

fn summary(report: &Report) -> String {
    let counts =
        ["pass", "fail", "warn", "skip"].map(|word| format!("{} {word}", report.count(word)));
    format!(
        "{} {} on {}: {}",
        report.app_id,
        report.version,
        report.source,
        counts.join(", ")
    )
}

fn document(value: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("a JSON value has string keys only");
    text + "\n"
}

fn write(target: Option<&Path>, text: &str) -> Result<(), Failure> {
    let Some(target) = target else {
        return output::raw(text.as_bytes());
    };
    whole_file::write(target, text.as_bytes()).map_err(|error| {
        Failure::usage(
            format!("`{}` can't be written: {error}", target.display()),
            "name a file in a folder that exists and is writable",
        )
    })?;
    talk!("wrote `{}`", target.display());
    Ok(())
}

/// The simulated PagerDuty as a vendor that knows nothing of the suite.
struct Simulated {
    certificate: Certificate,
    config: Config,
    origins: Vec<Origin>,
    settings: Vec<(String, String)>,
}

/// A simulator that runs until it is dropped.
struct Running(#[expect(dead_code, reason = "only to be dropped")] Listening);

impl Simulated {
    fn new(connector: &Connector, args: &ConformanceArgs) -> Result<Self, Failure> {
        let mut config = super::simulator::config(&args.population());
        // Room for those whom checks create.
        config.full_seats = Some(100);
        let certificate = Certificate::generate()
            .map_err(|error| Failure::call(format!("no certificate: {error}"), None))?;
        Ok(Self {
            certificate,
            config,
            origins: connector.origins().to_vec(),
            settings: connect::settings(&args.reach.setting)?
                .into_iter()
                .collect(),
        })
    }
}

#[async_trait]
impl StandIn for Simulated {
    async fn start(&self) -> Result<Vendor, SubjectError> {
        let failed = |cause: &dyn std::fmt::Display| SubjectError::StandIn(cause.to_string());
        let token =
            |token: &str| Credential::token(token).map_err(|error: CredentialError| failed(&error));
        let simulator = Simulator::new(self.config.clone());
        let listening = simulator
            .listen_tls(([127, 0, 0, 1], 0).into(), &self.certificate)
            .await
            .map_err(|error| failed(&error))?;
        let mut network = Network::default()
            .trust_pem(self.certificate.ca_pem().as_bytes())
            .map_err(|error| failed(&error))?;
        for origin in &self.origins {
            network = network.route(origin.clone(), listening.addr());
        }
        // The key of a user dies with the role that it was given for.
        let second = simulator.user_ids().get(1).cloned();
        let revoke = move || {
            if let Some(user) = &second {
                let change = json!({ "user": { "type": "user", "role": "user" } });
                drop(simulator.ask("PUT", &format!("/users/{user}"), Some(&change)));
            }
        };
        let vendor = Vendor::new(network, token(TOKENS.owner)?, Running(listening))
            .wrong(token("simulated-by-nobody")?)
            .revocable(token(TOKENS.responder)?, Box::new(revoke))
            .lacking(token(TOKENS.responder)?);
        let settings = self.settings.iter();
        Ok(settings.fold(vendor, |vendor, (name, value)| vendor.setting(name, value)))
    }
}

impl From<UnknownCheck> for Failure {
    fn from(error: UnknownCheck) -> Self {
        Self::usage(&error, error.hint())
    }
}

impl From<SubjectError> for Failure {
    fn from(error: SubjectError) -> Self {
        match &error {
            SubjectError::StandIn(_) => Self::call(&error, Some(error.hint().to_owned())),
            _ => Self::usage(&error, error.hint()),
        }
    }
}
