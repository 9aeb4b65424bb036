//! The command line, literally. What it means is resolved elsewhere.

mod bench;
mod conformance;
mod report;
mod serving;
mod syncing;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use bench::{BenchArgs, BenchPart, Contender, ReadArgs};
pub use conformance::{ConformanceArgs, ConformanceFormat};
pub use report::{
    DiffArgs, ExportArgs, ExportFormat, ReportArgs, ReportCommand, ReportFormat, SnapshotArgs,
};
pub use serving::{
    AdminArgs, AuditCommand, ConnectorsCommand, OperatorArgs, ServeArgs, Signatures,
};
pub use syncing::{RunsArgs, SyncArgs};

/// Run identity-governance connectors in a sandbox.
#[derive(Debug, Parser)]
#[command(
    name = "harness",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 the command succeeded, 1 a call or a check failed, 2 the command line or a file it \
names is wrong.

Start here: `harness demo` walks through everything without an account or a network."
)]
pub struct Cli {
    /// Say more on stderr: -v calls, -vv requests, -vvv everything. `HARNESS_LOG` takes a filter
    /// such as `harness::egress=debug` instead.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a connector is, what it can do and what it may reach.
    #[command(after_help = "Example:\n  harness info --connector ./my_connector.wasm --json")]
    Info(InfoArgs),
    /// Ask the vendor whether the credential is good, and whose it is.
    #[command(after_help = "Example:\n  PAGERDUTY_TOKEN=... harness validate")]
    Validate(ConnectArgs),
    /// Find out why a connection does not work, or does not work fully.
    ///
    /// Exits with 1 if a check fails.
    #[command(after_help = "Example:\n  PAGERDUTY_TOKEN=... harness doctor --setting region=eu")]
    Doctor(ConnectArgs),
    /// Sign in by OAuth, and keep the sign-in as a profile.
    ///
    /// With a person's consent: prints an address to open in a browser, and waits for the answer on
    /// this machine. With `--client-credentials`: as the application itself, without a person.
    #[command(after_help = "\
The vendor sends the browser back to http://127.0.0.1:8976/callback (the port is that of \
`--redirect-port`). Register the application with this redirect URI.

The client secret is read from `--client-secret-file` or from `PAGERDUTY_CLIENT_SECRET`; a public \
client has none. Secret and tokens are kept in a file that only you can read, in the folder \
`HARNESS_CREDENTIALS` or the user's state folder.

Examples:
  harness login --client-id abc123
  harness login --client-id abc123 --write --profile emea --setting region=eu
  harness login --client-credentials --client-id abc123 --client-secret-file secret \\
      --setting subdomain=acme
  harness login --client-id simulated-client --base-url http://127.0.0.1:8080 \\
      --identity-url http://127.0.0.1:8080")]
    Login(LoginArgs),
    /// Remove a profile from this machine.
    #[command(after_help = "Example:\n  harness logout --profile emea")]
    Logout(LogoutArgs),
    /// Call any function of the connector with JSON.
    #[command(after_help = "\
Examples:
  harness call directory.list-accounts --simulator --input '{\"page\":{\"size\":2}}'
  harness call on-call.who --simulator --input '{\"schedules\":[]}'
  harness call directory.get-account --simulator --input @input.json")]
    Call(CallArgs),
    /// List the accounts, all pages.
    #[command(
        after_help = "Example:\n  harness accounts --simulator --users 500 --json | jq '.items | length'"
    )]
    Accounts(ListArgs),
    /// List what access is granted on: the tenant, teams, schedules, policies.
    #[command(after_help = "Example:\n  harness resources --simulator")]
    Resources(ListArgs),
    /// List the access that can be held: roles, licences, memberships.
    #[command(after_help = "Example:\n  harness entitlements --simulator")]
    Entitlements(ListArgs),
    /// List who holds what.
    #[command(after_help = "Example:\n  harness grants --simulator --users 10500 --json")]
    Grants(ListArgs),
    /// Say who is on call now, or whether one account is.
    #[command(after_help = "\
Examples:
  harness on-call --simulator
  harness on-call PABC123 --schedule PSCHED1 --schedule PSCHED2")]
    OnCall(OnCallArgs),
    /// Read everything into a store, to know who had what when.
    ///
    /// A run that is cut off, by whatever, goes on with the same command and ends as if it had not
    /// been. Only a run that is complete and plausible becomes the tenant's snapshot. Ctrl-C ends
    /// it after the page that is being read, a second one at once.
    #[command(after_help = "\
Examples:
  harness sync --store tenants.db
  harness sync --store tenants.db --tenant emea --profile emea
  harness sync --store tenants.db --accept --by ada
  harness sync --config tenants.toml --parallel 8

A file of tenants:
  store = \"tenants.db\"
  parallel = 4
  [[tenant]]
  name = \"emea\"
  profile = \"emea\"               # or token-file = \"emea.token\", beside the file
  settings = { region = \"eu\" }   # also: auth, base-url, ca-file, connector, grant, deadline, max-shrink

Exits with 1 if the run was refused or has stopped.")]
    Sync(SyncArgs),
    /// List the runs of a store.
    #[command(after_help = "Example:\n  harness runs --store tenants.db --tenant acme")]
    Runs(RunsArgs),
    /// Create an account, or find the one with that e-mail address.
    #[command(after_help = "\
Examples:
  harness create --email ada@example.com --name 'Ada Lovelace' --entitlement role:limited_user
  harness create --email ada@example.com --name Ada --entitlement team-membership:manager@PTEAM1 --dry-run")]
    Create(CreateArgs),
    /// Change an account.
    #[command(after_help = "\
Example:
  harness update ada@example.com --name 'Ada King' --attribute job_title=Countess")]
    Update(UpdateArgs),
    /// Give an account an entitlement.
    #[command(after_help = ENTITLEMENT_EXAMPLES)]
    Assign(AssignArgs),
    /// Take an entitlement from an account.
    #[command(after_help = ENTITLEMENT_EXAMPLES)]
    Unassign(AssignArgs),
    /// Delete an account. `harness offboard` hands its work over first.
    #[command(after_help = "Example:\n  harness delete PABC123 --dry-run")]
    Delete(DeleteArgs),
    /// Plan a hand-over or a removal. Only reads.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Apply a plan, going on where an earlier run ended.
    #[command(after_help = "\
Examples:
  harness plan transfer PLEAVER --to PHEIR01 --json > plan.json
  harness apply plan.json
  harness apply plan.json --undo --dry-run")]
    Apply(ApplyArgs),
    /// Hand over an account's work, then remove it from everything and delete it.
    ///
    /// Shows both plans and asks before it changes anything. What is done is written down at once:
    /// the same command goes on where an earlier run ended.
    #[command(after_help = "\
Examples:
  harness offboard bob@example.com --to ada@example.com
  harness offboard --accounts leavers.csv --yes --json
A file of leavers is CSV with the columns leaver and heir, ids or e-mail addresses.")]
    Offboard(OffboardArgs),
    /// Show what is different between two runs of a sync.
    #[command(after_help = "\
Examples:
  harness diff --store tenants.db
  harness diff --store tenants.db --tenant acme 3 7 --json
  PAGERDUTY_TOKEN=... harness diff --store tenants.db --who
In the last line + is what was created, - what was removed, ~ what was changed.")]
    Diff(DiffArgs),
    /// Write what a run has seen to files, for other programs.
    ///
    /// Accounts, resources, entitlements, grants and last activity, with the columns of the store,
    /// by key. csv and parquet: a folder with a file of each, and `run.json`, which says of which
    /// run. json: a document with a list of each, one row a line. xlsx: a workbook with a sheet of
    /// each.
    #[command(after_help = "\
Examples:
  harness export --store tenants.db --format csv --output exported
  harness export --store tenants.db --tenant acme --run 7 --format xlsx --output acme.xlsx
  harness export --store tenants.db --format json --output all.json && jq '.grants | length' all.json")]
    Export(ExportArgs),
    /// Report on a run: access review, licences, inactive accounts.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Look into recordings, check and convert them.
    #[command(subcommand)]
    Cassette(CassetteCommand),
    /// Find out whether a connector may go to production.
    ///
    /// Holds it against the contract and its own description: on the simulator, on recordings, or
    /// on a tenant that is only read. What can't be looked at is skipped, with the reason. Exits with
    /// 1 if a check fails.
    #[command(after_help = "\
Examples:
  harness conformance
  harness conformance --list
  harness conformance --connector ./my_connector.wasm --check page-end --check duplicates
  harness conformance --cassette recordings --format junit --output conformance.xml
  harness conformance --cassette recordings --openapi vendor.yaml --openapi-overlay known.json
  harness conformance --live --read-only --profile emea
  harness conformance --connector new.wasm --against old.wasm")]
    Conformance(Box<ConformanceArgs>),
    /// Serve connectors to platforms over HTTP, in the wire format of Lumos' connectors.
    ///
    /// Platforms call `POST /CONNECTOR/CAPABILITY`; `/docs` describes it. Ends on SIGTERM or SIGINT,
    /// once the calls that are under way have ended.
    #[command(after_help = "\
Examples:
  harness serve --listen 127.0.0.1:8700 --admin 127.0.0.1:8701 --token-file token
  harness serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --client-ca clients.pem
  harness serve --listen 127.0.0.1:8700 --token-file token --simulator
Credentials come with each request, or by reference to a profile that `--profile` names.")]
    Serve(ServeArgs),
    /// Look at a host that serves, and change which versions serve.
    #[command(
        subcommand,
        after_help = "\
Examples:
  harness connectors list --token-file TOKEN
  harness connectors swap pagerduty-0.2.0.wasm --token-file TOKEN
  harness connectors load pagerduty-0.2.0.wasm && harness connectors shadow pagerduty --every 5
  harness connectors rollback pagerduty --reason 'accounts are missing'
`HARNESS_ADMIN` and `HARNESS_ADMIN_TOKEN_FILE` say where the host is."
    )]
    Connectors(ConnectorsCommand),
    /// Check the log of what was changed.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Serve a simulated PagerDuty.
    #[command(after_help = "\
Examples:
  harness simulator --listen 127.0.0.1:8080 --users 500
  harness simulator --listen 127.0.0.1:8443 --tls ./certificates
  harness simulator --listen 127.0.0.1:8080 --limit 960 --fault 'GET /users* status=503 times=2'
Tokens:
  simulated-token         user key of the account owner
  simulated-account-key   account key
  simulated-read-only     account key that only reads
  simulated-responder     user key of a user below Global Admin
OAuth: client `simulated-client`, secret `simulated-client-secret` or none, account `acme`")]
    Simulator(SimulatorArgs),
    /// Walk through everything against a simulated PagerDuty.
    Demo(DemoArgs),
    /// Measure a whole sync of a simulated tenant.
    ///
    /// Each contender runs in a process of its own, against a simulator in another one: its time,
    /// memory and processor time are its own. What it has read is checked, and everybody has to have
    /// read the same.
    #[command(after_help = "\
Examples:
  harness bench --users 10000 --against native --against python --runs 5
  harness bench --users 10000 --teams 200 --schedules 100 --latency 100 --limit 960 --json
  harness bench --users 100000 --memory-against 10000

MINIMUM is what nobody who reads the same could do without, counted from what is there: a request \
for each 100 users, teams, schedules, escalation policies, licence allocations and members of a \
team, or for each 1,000 rows of analytics or shift-based schedules; one for each shift-based \
schedule, for each user of whom analytics knows no sign-in, and for each licence behind the \
10,000th; and one each for licences, abilities, and whose the credential is.

native: the same requests and rows in plain Rust, without a sandbox. python: PagerDuty's own client, \
which lists the same; it is installed into the cache folder the first time. Both read up to 10,000 \
users, which is as far as lists go.")]
    Bench(BenchArgs),
    /// One process of `bench`.
    #[command(subcommand, hide = true)]
    BenchPart(BenchPart),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  harness completions bash > /etc/bash_completion.d/harness")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub struct InfoArgs {
    #[command(flatten)]
    pub connector: ConnectorArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct ConnectorArgs {
    /// Component file to load instead of the bundled connector.
    #[arg(long, value_name = "FILE")]
    pub connector: Option<PathBuf>,
}

/// Where a tenant is, and what a connector may reach.
#[derive(Args, Debug)]
pub struct ReachArgs {
    #[command(flatten)]
    pub connector: ConnectorArgs,
    /// Where the vendor's API is, if not where the connector says. That origin is thereby granted.
    /// Plain http for loopback hosts only.
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    pub base_url: Option<String>,
    /// Origin that a connector other than the bundled one may reach. Repeatable.
    #[arg(long, value_name = "ORIGIN", help_heading = "Connection")]
    pub grant: Vec<String>,
    /// Setting of the connector; `harness info` lists them. Repeatable.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Connection")]
    pub setting: Vec<String>,
    /// Certificate authorities to trust besides Mozilla's, PEM.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub ca_file: Option<PathBuf>,
}

/// What it takes to reach a tenant with a credential.
#[derive(Args, Debug)]
pub struct ConnectArgs {
    #[command(flatten)]
    pub reach: ReachArgs,
    /// File with the credential. Else `PAGERDUTY_TOKEN` holds it, or else the default profile.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// Profile that `harness login` has made.
    #[arg(long, value_name = "NAME", help_heading = "Connection", conflicts_with_all = ["token_file", "simulator", "replay"])]
    pub profile: Option<String>,
    /// How to sign in; `harness info` lists the ways. The first one if not said. One of OAuth takes
    /// a profile.
    #[arg(long, value_name = "SCHEME", help_heading = "Connection")]
    pub auth: Option<String>,
    /// Time for one call.
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Connection")]
    pub deadline: u64,
    /// Talk to a simulated PagerDuty in this process.
    #[arg(long, help_heading = "Simulator and recordings", conflicts_with_all = ["base_url", "replay"])]
    pub simulator: bool,
    #[command(flatten)]
    pub population: PopulationArgs,
    /// Answer from a recording; nothing reaches the network.
    #[arg(long, value_name = "FILE", help_heading = "Simulator and recordings", conflicts_with_all = ["base_url", "record", "setting"])]
    pub replay: Option<PathBuf>,
    /// Record what passes, without secrets and with pseudonyms for people.
    #[arg(long, value_name = "FILE", help_heading = "Simulator and recordings")]
    pub record: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Who lives in the simulator.
#[derive(Args, Clone, Copy, Debug)]
pub struct PopulationArgs {
    /// Users of the simulated account.
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Simulator and recordings")]
    pub users: u32,
    /// Teams of the simulated account; one for each 40 users if not said. An account of one user has
    /// neither teams nor schedules.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Simulator and recordings")]
    pub teams: Option<u32>,
    /// Its schedules, two in seven of them shift-based; about one for each 43 users if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=10_000), help_heading = "Simulator and recordings")]
    pub schedules: Option<u32>,
    /// The same seed and numbers make the same account.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        help_heading = "Simulator and recordings"
    )]
    pub seed: u64,
}

#[derive(Args, Debug)]
pub struct LoginArgs {
    #[command(flatten)]
    pub reach: ReachArgs,
    /// Where the vendor's sign-in is, if not where the connector says. That origin is thereby
    /// trusted with the client secret.
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    pub identity_url: Option<String>,
    /// Name to keep the sign-in by. One that is there is replaced.
    #[arg(long, value_name = "NAME", default_value = crate::oauth::DEFAULT_PROFILE)]
    pub profile: String,
    /// Which of the connector's OAuth schemes; `harness info` lists them. The first one that fits if
    /// not said.
    #[arg(long, value_name = "SCHEME")]
    pub auth: Option<String>,
    /// Sign in as the application itself, without a person.
    #[arg(long, conflicts_with_all = ["redirect_port", "timeout"])]
    pub client_credentials: bool,
    /// Id of the application, as it is registered with the vendor.
    #[arg(long, value_name = "ID", env = "PAGERDUTY_CLIENT_ID")]
    pub client_id: String,
    /// File with the application's secret. Else `PAGERDUTY_CLIENT_SECRET` holds it, if it has one.
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// Ask for this scope, instead of those that the connector needs. Repeatable.
    #[arg(long, value_name = "SCOPE", conflicts_with = "write")]
    pub scope: Vec<String>,
    /// Ask for what it takes to change the tenant, too.
    #[arg(long)]
    pub write: bool,
    /// Port of the redirect URI. 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 8976)]
    pub redirect_port: u16,
    /// How long to wait for the person.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub timeout: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct LogoutArgs {
    #[command(flatten)]
    pub connector: ConnectorArgs,
    /// Which profile.
    #[arg(long, value_name = "NAME", default_value = crate::oauth::DEFAULT_PROFILE)]
    pub profile: String,
}

#[derive(Args, Debug)]
pub struct CallArgs {
    /// For example `directory.list-accounts`; `harness info` lists them.
    #[arg(value_name = "INTERFACE.FUNCTION")]
    pub function: String,
    /// Object of the function's parameters by name, or @FILE with one.
    #[arg(long, value_name = "JSON|@FILE", default_value = "{}")]
    pub input: String,
    /// Let the function change something. Reads need no leave.
    #[arg(long)]
    pub allow_writes: bool,
    /// Send reads, and show the first change instead of sending it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What every command takes that changes something.
#[derive(Args, Debug)]
pub struct ChangeArgs {
    /// Send reads, and show the first change instead of sending it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Its e-mail address.
    #[arg(long)]
    pub email: String,
    /// What people will call it.
    #[arg(long)]
    pub name: Option<String>,
    /// Given name.
    #[arg(long)]
    pub given_name: Option<String>,
    /// Family name.
    #[arg(long)]
    pub family_name: Option<String>,
    /// What it is to hold from the start, as TYPE:ID or TYPE:ID@RESOURCE. Repeatable.
    #[arg(long, value_name = "ENTITLEMENT")]
    pub entitlement: Vec<String>,
    /// The vendor's own fields, such as `job_title=Engineer`. Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    pub attribute: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Args, Debug)]
pub struct UpdateArgs {
    /// The account's id or e-mail address.
    pub account: String,
    /// New name.
    #[arg(long)]
    pub name: Option<String>,
    /// New e-mail address.
    #[arg(long)]
    pub email: Option<String>,
    /// The vendor's own fields, such as `job_title=Engineer`. Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    pub attribute: Vec<String>,
    #[command(flatten)]
    pub change: ChangeArgs,
}

const ENTITLEMENT_EXAMPLES: &str = "\
An ENTITLEMENT is TYPE:ID, or TYPE:ID@RESOURCE, as `harness entitlements` lists them:
  harness assign ada@example.com role:limited_user
  harness assign PABC123 license:PLIC001
  harness assign PABC123 team-membership:manager@PTEAM1 --dry-run
  harness unassign PABC123 schedule-membership:member@PSCHED1";

#[derive(Args, Debug)]
pub struct AssignArgs {
    /// The account's id or e-mail address.
    pub account: String,
    /// TYPE:ID, or TYPE:ID@RESOURCE.
    pub entitlement: String,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// The account's id or e-mail address.
    pub account: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Hand everything of an account to another.
    #[command(
        after_help = "Example:\n  harness plan transfer bob@example.com --to ada@example.com --json > plan.json"
    )]
    Transfer {
        /// The leaver's id or e-mail address.
        account: String,
        /// The heir's id or e-mail address.
        #[arg(long, value_name = "HEIR")]
        to: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Take an account out of everything, and then delete it.
    #[command(after_help = "Example:\n  harness plan removal bob@example.com")]
    Removal {
        /// The leaver's id or e-mail address.
        account: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
}

#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// The plan, as `harness plan ... --json` printed it.
    pub plan: PathBuf,
    /// Where it is written down what is done. Beside the plan if not said.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Take back what is done, the latest step first, where that is possible.
    #[arg(long)]
    pub undo: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Args, Debug)]
pub struct OffboardArgs {
    /// The leaver's id or e-mail address.
    #[arg(required_unless_present = "accounts", requires = "to")]
    pub account: Option<String>,
    /// The heir's id or e-mail address.
    #[arg(long, value_name = "HEIR", requires = "account")]
    pub to: Option<String>,
    /// Many: a CSV file with the columns leaver and heir.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["account", "to"])]
    pub accounts: Option<PathBuf>,
    /// Where plans and journals are kept. In the user's state folder if not said.
    #[arg(long, value_name = "DIR")]
    pub journals: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub change: ChangeArgs,
}

#[derive(Args, Debug)]
pub struct ListArgs {
    /// Items per call. As many as suit the vendor's API if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub page_size: Option<u32>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct OnCallArgs {
    /// Account to ask about; everybody who is on call if not said.
    pub account: Option<String>,
    /// Only on this schedule. Repeatable.
    #[arg(long, value_name = "ID")]
    pub schedule: Vec<String>,
    /// At this instant instead of now, RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    pub at: Option<String>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Debug, Subcommand)]
pub enum CassetteCommand {
    /// Show what a recording holds.
    #[command(after_help = "Example:\n  harness cassette inspect accounts.json")]
    Inspect {
        /// The recording.
        file: PathBuf,
        /// Print its header and requests as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check recordings: format, secrets, personal data. Exits with 1 on an error.
    #[command(after_help = "Example:\n  harness cassette lint tests/fixtures/*.json")]
    Lint {
        /// The recordings.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Convert from and to other tools' formats.
    #[command(after_help = "\
Examples:
  harness cassette convert accounts.json --to har --output accounts.har
  harness cassette convert vcr.yaml --from vcr --output accounts.json")]
    Convert {
        /// What to convert.
        file: PathBuf,
        /// Its format.
        #[arg(long, value_enum, default_value_t = CassetteFormat::Cassette)]
        from: CassetteFormat,
        /// The format wanted.
        #[arg(long, value_enum, default_value_t = CassetteFormat::Cassette)]
        to: CassetteFormat,
        /// Where to write; stdout if not said.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Formats of recordings.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum CassetteFormat {
    /// This tool's own.
    Cassette,
    /// HTTP Archive 1.2.
    Har,
    /// VCR.py version 1, YAML or JSON. Only to read.
    Vcr,
}

#[derive(Args, Debug)]
pub struct SimulatorArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub population: PopulationArgs,
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Speak https, and write the certificates (ca.pem, cert.pem, key.pem) into this folder.
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// Features that the account's plan lacks.
    #[arg(long, value_name = "FEATURE", value_enum, value_delimiter = ',')]
    pub without: Vec<PlanFeature>,
    /// Go wrong on purpose, for example `GET /users* status=503 times=2`. Repeatable.
    #[arg(long, value_name = "FAULT")]
    pub fault: Vec<String>,
}

/// How fast the simulator answers.
#[derive(Args, Clone, Copy, Debug)]
pub struct PaceArgs {
    /// Requests a minute and credential, 960 at the real one. No limit if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Delay of every answer.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
}

/// What a plan may lack.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum PlanFeature {
    /// Teams.
    Teams,
    /// Reading licences.
    Licenses,
    /// Analytics, where last logins come from.
    Analytics,
    /// Audit records.
    Audit,
    /// OAuth delegations, where last logins come from next.
    Delegations,
    /// Stakeholder roles and licences.
    Stakeholders,
    /// The roles observer and restricted access.
    AdvancedPermissions,
    /// Shift-based schedules.
    V3Schedules,
}

#[derive(Args, Debug)]
pub struct DemoArgs {
    #[command(flatten)]
    pub population: PopulationArgs,
}
