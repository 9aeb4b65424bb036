//! The command line tool.

/// `eprintln!`, but for the panic when stderr is closed.
macro_rules! talk {
    ($($text:tt)*) => {
        $crate::cli::output::talk(format_args!($($text)*))
    };
}

mod admin;
mod args;
mod audit;
mod bench;
mod callback;
mod cassette;
mod changes;
mod confirm;
mod conformance;
mod connect;
mod connectors;
mod demo;
mod diff;
mod export;
mod failure;
mod interrupt;
mod leavers;
mod list;
mod login;
mod offboard;
mod output;
mod plans;
mod queries;
mod report;
mod runs;
mod serve;
mod sign_in;
mod signals;
mod simulator;
mod sync;
mod sync_all;
mod tenants;
mod traces;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use args::{CassetteCommand, Cli, Command};
use failure::Failure;
use traces::Traces;

/// Runs the command line. Exit codes: 0 success, 1 a call or a check failed, 2
/// the command line or a file it names is wrong.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::call(format!("no threads: {error}"), None);
            return failure.report();
        }
    };
    let traces = match &cli.command {
        Command::Serve(_) => Traces::from_environment(runtime.handle()),
        _ => None,
    };
    log(cli.verbose, traces.as_ref());
    let outcome = runtime.block_on(run(cli.command));
    if let Some(traces) = traces {
        traces.finish();
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Info(args) => queries::info(&args).await,
        Command::Validate(args) => queries::validate(&args).await,
        Command::Doctor(args) => queries::doctor(&args).await,
        Command::Login(args) => login::login(&args).await,
        Command::Logout(args) => login::logout(&args).await,
        Command::Call(args) => queries::call(&args).await,
        Command::OnCall(args) => queries::on_call(&args).await,
        Command::Accounts(args) => list::accounts(&args).await,
        Command::Resources(args) => list::resources(&args).await,
        Command::Entitlements(args) => list::entitlements(&args).await,
        Command::Grants(args) => list::grants(&args).await,
        Command::Sync(args) => sync::sync(&args).await,
        Command::Runs(args) => runs::runs(&args),
        Command::Create(args) => changes::create(&args).await,
        Command::Update(args) => changes::update(&args).await,
        Command::Assign(args) => changes::assign(&args).await,
        Command::Unassign(args) => changes::unassign(&args).await,
        Command::Delete(args) => changes::delete(&args).await,
        Command::Plan(args) => plans::plan(&args).await,
        Command::Apply(args) => plans::apply(&args).await,
        Command::Offboard(args) => offboard::run(&args).await,
        Command::Diff(args) => diff::run(&args).await,
        Command::Export(args) => export::run(&args),
        Command::Report(command) => report::run(&command),
        Command::Cassette(CassetteCommand::Inspect { file, json }) => {
            cassette::inspect(&file, json)
        }
        Command::Cassette(CassetteCommand::Lint { files }) => cassette::lint_files(&files),
        Command::Cassette(CassetteCommand::Convert {
            file,
            from,
            to,
            output,
        }) => cassette::convert(&file, from, to, output.as_deref()),
        Command::Conformance(args) if args.record_ceilings => {
            conformance::record_ceilings(&args).await
        }
        Command::Conformance(args) => conformance::run(*args).await,
        Command::Serve(args) => serve::serve(&args).await,
        Command::Connectors(command) => connectors::run(&command).await,
        Command::Audit(command) => audit::run(&command),
        Command::Simulator(args) => simulator::serve(&args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Bench(args) => bench::run(&args).await,
        Command::BenchPart(part) => bench::part(&part).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "harness", &mut script);
            output::raw(&script)
        }
    }
}

/// Talk goes to stderr, and only what was asked for. Spans are not talk: they
/// would stand in front of each line of a call.
fn log(verbose: u8, traces: Option<&Traces>) {
    let filter = std::env::var("HARNESS_LOG").unwrap_or_else(|_| {
        match verbose {
            // A failed command says so itself, in one line.
            0 => "error",
            1 => "warn,harness=info",
            2 => "info,harness=debug",
            _ => "debug,hyper_util=trace",
        }
        .to_owned()
    });
    let without_spans = format!("{}=off", crate::spans::TARGET)
        .parse()
        .expect("a target and a level are a directive");
    let talk = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .compact()
        .with_filter(EnvFilter::new(filter).add_directive(without_spans));
    tracing_subscriber::registry()
        .with(talk)
        .with(traces.map(Traces::layer))
        .init();
}
