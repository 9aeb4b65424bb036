//! `harness simulator`: a PagerDuty to point other clients at.

use std::time::Duration;

use pagerduty_simulator::{Certificate, Config, Fault, FaultError, Simulator};

use super::{
    args::{PaceArgs, PlanFeature, PopulationArgs, SimulatorArgs},
    failure::Failure,
    output,
};

/// The simulated account that the arguments describe.
pub(super) fn config(population: &PopulationArgs) -> Config {
    Config {
        users: population.users as usize,
        teams: population.teams.map(|teams| teams as usize),
        schedules: population.schedules.map(|schedules| schedules as usize),
        seed: population.seed,
        ..Config::default()
    }
}

/// The same, at that pace.
pub(super) fn paced(population: &PopulationArgs, pace: PaceArgs) -> Config {
    Config {
        limit: pace.limit,
        latency: Duration::from_millis(pace.latency),
        ..config(population)
    }
}

pub(super) async fn serve(args: &SimulatorArgs) -> Result<(), Failure> {
    let mut config = paced(&args.population, args.pace);
    for feature in &args.without {
        let plan = &mut config.plan;
        let included = match feature {
            PlanFeature::Teams => &mut plan.teams,
            PlanFeature::Licenses => &mut plan.licenses,
            PlanFeature::Analytics => &mut plan.analytics,
            PlanFeature::Audit => &mut plan.audit,
            PlanFeature::Delegations => &mut plan.delegations,
            PlanFeature::Stakeholders => &mut plan.stakeholders,
            PlanFeature::AdvancedPermissions => &mut plan.advanced_permissions,
            PlanFeature::V3Schedules => &mut plan.v3_schedules,
        };
        *included = false;
    }
    let simulator = Simulator::new(config);
    for fault in &args.fault {
        let fault: Fault = fault.parse().map_err(|error: FaultError| {
            Failure::usage(format!("--fault: {error}"), error.hint())
        })?;
        simulator.faults().add(fault);
    }
    let bind = |error: std::io::Error| {
        Failure::usage(
            format!("`{}` can't be listened on: {error}", args.listen),
            "choose a free port with `--listen 127.0.0.1:PORT`; port 0 takes any",
        )
    };
    let listening = match &args.tls {
        None => simulator.listen(args.listen).await.map_err(bind)?,
        Some(folder) => {
            let certificate = Certificate::generate()
                .map_err(|error| Failure::call(format!("no certificate: {error}"), None))?;
            certificate.write_to(folder).map_err(|error| {
                Failure::usage(
                    format!("`{}` can't be written to: {error}", folder.display()),
                    "name a folder that is writable",
                )
            })?;
            simulator
                .listen_tls(args.listen, &certificate)
                .await
                .map_err(bind)?
        }
    };
    output::line(&format!("listening on {}", listening.origin()))?;
    if let Some(folder) = &args.tls {
        talk!("certificate authority: {}", folder.join("ca.pem").display());
    }
    talk!(
        "try: PAGERDUTY_TOKEN=simulated-token harness accounts --base-url {}{}",
        listening.origin(),
        args.tls
            .as_ref()
            .map(|folder| format!(" --ca-file {}", folder.join("ca.pem").display()))
            .unwrap_or_default(),
    );
    tokio::signal::ctrl_c().await?;
    listening.stop().await;
    Ok(())
}
