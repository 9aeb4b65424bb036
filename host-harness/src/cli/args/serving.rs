//! `harness serve`, `connectors` and `audit`.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum, builder::TypedValueParser as _};

use super::PopulationArgs;

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where platforms call.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8700")]
    pub listen: SocketAddr,
    /// Where the operator looks and changes things: the console for a browser, what
    /// `harness connectors` asks, /metrics, /healthz, /readyz.
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
    /// File with the token that callers send. Not needed with `--client-ca`; with both, callers need
    /// both.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the token for `--admin`; the same as callers send if not said.
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub admin_token_file: Option<PathBuf>,
    /// Certificate chain of both listeners, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Take only callers with a certificate of these authorities, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
    /// Serve plain http to other machines: a proxy in between does TLS.
    #[arg(long)]
    pub behind_proxy: bool,
    /// Component file to serve besides the bundled connector, or in its place if it is for the same
    /// application. One that was replaced or rolled back since stays so. Repeatable.
    #[arg(long, value_name = "FILE")]
    pub connector: Vec<PathBuf>,
    /// Folder to watch: components that appear or change there take over, once they have come to
    /// rest and passed all stages.
    #[arg(long, value_name = "FOLDER")]
    pub connectors: Option<PathBuf>,
    /// Let connectors look, and change nothing.
    #[arg(long)]
    pub read_only: bool,
    /// Profile of `harness login` that requests may refer to. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub profile: Vec<String>,
    /// Folder for what must outlive the process: generations of connectors, audit log, plans and
    /// journals of long requests. Else `HARNESS_STATE`, or else the user's state folder.
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Folder of recordings that new versions of a connector are held against.
    #[arg(long, value_name = "FOLDER", help_heading = "Versions")]
    pub recordings: Option<PathBuf>,
    /// Whether components need a signature: `NAME.wasm.minisig` beside `NAME.wasm`, as minisign
    /// makes it.
    #[arg(long, value_enum, default_value_t = Signatures::Off, help_heading = "Versions")]
    pub signatures: Signatures,
    /// Public keys of minisign whose signatures count.
    #[arg(long, value_name = "FILE", required_if_eq_any = [("signatures", "require"), ("signatures", "warn")], help_heading = "Versions")]
    pub trusted_keys: Option<PathBuf>,
    /// How long a new version is on probation.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        help_heading = "Versions"
    )]
    pub probation: u64,
    /// So many crashes within the probation bring the earlier version back.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Versions")]
    pub crashes: u64,
    /// How many earlier versions of each connector are kept for a rollback.
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Versions")]
    pub keep: usize,
    /// After this, calls that a replaced version still has are reported as overdue.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        help_heading = "Versions"
    )]
    pub drain: u64,
    /// Where the vendor's API is, if not where the connector says. That origin is thereby granted.
    /// Plain http for loopback hosts only.
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Connection",
        conflicts_with = "simulator"
    )]
    pub base_url: Option<String>,
    /// Where the vendor's sign-in is, if not where the connector says.
    #[arg(long, value_name = "URL", help_heading = "Connection")]
    pub identity_url: Option<String>,
    /// Origin that connectors other than the bundled one may reach. Repeatable.
    #[arg(long, value_name = "ORIGIN", help_heading = "Connection")]
    pub grant: Vec<String>,
    /// Setting for all tenants; those of a request come before it. Repeatable.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Connection")]
    pub setting: Vec<String>,
    /// Certificate authorities to trust besides Mozilla's, PEM.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub ca_file: Option<PathBuf>,
    /// Longest time for a request; a request may ask for less.
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Limits")]
    pub deadline: u64,
    /// Calls of one tenant at the same time; further ones wait.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000).map(usize::from), help_heading = "Limits")]
    pub concurrent: usize,
    /// Calls of all tenants at the same time; further ones are refused.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=10_000).map(usize::from), help_heading = "Limits")]
    pub max_calls: usize,
    /// Largest body of a request.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, help_heading = "Limits")]
    pub max_body: usize,
    /// Talk to a simulated PagerDuty in this process.
    #[arg(long, help_heading = "Simulator and recordings")]
    pub simulator: bool,
    #[command(flatten)]
    pub population: PopulationArgs,
}

/// What a signature is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Signatures {
    /// Nothing else is loaded.
    Require,
    /// Others are loaded with a warning.
    Warn,
    /// Nobody looks.
    Off,
}

/// Where the host is that `harness serve --admin` runs.
#[derive(Args, Debug)]
pub struct AdminArgs {
    /// Where it listens for the operator.
    #[arg(
        long,
        value_name = "URL",
        env = "HARNESS_ADMIN",
        default_value = "http://127.0.0.1:8701"
    )]
    pub admin: String,
    /// File with its token.
    #[arg(long, value_name = "FILE", env = "HARNESS_ADMIN_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificate authorities to trust besides Mozilla's, PEM.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Certificate chain to show to the host, PEM.
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub client_key: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// A change, and who wants it.
#[derive(Args, Debug)]
pub struct OperatorArgs {
    /// Who wants it, for the audit log; your user's name if not said.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: String,
    #[command(flatten)]
    pub admin: AdminArgs,
}

#[derive(Debug, Subcommand)]
pub enum ConnectorsCommand {
    /// List connectors, their generations and candidates, and what is in quarantine.
    List {
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// Bring a version to the host as a candidate: it passes all stages and does not take over.
    ///
    /// If the connector has nobody to serve it, it takes over at once.
    Load {
        /// Component; its signature is `FILE.minisig`.
        file: PathBuf,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Let a version take over: a file, or the candidate.
    Swap {
        /// Component; its signature is `FILE.minisig`.
        #[arg(required_unless_present = "candidate", conflicts_with = "candidate")]
        file: Option<PathBuf>,
        /// Let the candidate of this connector take over.
        #[arg(long, value_name = "CONNECTOR")]
        candidate: Option<String>,
        /// Also if it lacks what the running version has, or does other things on the recordings or
        /// in the shadow.
        #[arg(long)]
        accept: bool,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Let an earlier generation take over again.
    Rollback {
        /// Connector, for example `pagerduty`.
        connector: String,
        /// Which generation; the newest before the present if not said.
        #[arg(long, value_name = "GENERATION")]
        to: Option<u64>,
        /// Why, for the audit log.
        #[arg(long, default_value = "asked for")]
        reason: String,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Try the candidate on live reads: it is asked the same, and its answers are compared.
    ///
    /// It changes nothing, and callers wait for the running version only. Its requests count for
    /// the vendor's rate limit.
    Shadow {
        /// Connector, for example `pagerduty`.
        connector: String,
        /// Ask it every n-th read.
        #[arg(long, value_name = "N", default_value = "10")]
        every: NonZeroU32,
        /// Ask it no more.
        #[arg(long, conflicts_with = "every")]
        end: bool,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Forget the candidate.
    Discard {
        /// Connector, for example `pagerduty`.
        connector: String,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Never load a digest again; if it serves, an earlier generation takes over.
    Quarantine {
        /// Digest, or the beginning of one that the host knows.
        sha256: String,
        /// Why, for the audit log.
        #[arg(long, required_unless_present = "release")]
        reason: Option<String>,
        /// Let it be loaded again.
        #[arg(long, conflicts_with = "reason")]
        release: bool,
        #[command(flatten)]
        operator: OperatorArgs,
    },
    /// Print what was changed, by whom and why, oldest first.
    History {
        /// Of one connector only.
        connector: Option<String>,
        /// How many records.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        admin: AdminArgs,
    },
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the audit log: each record follows the one before it, and none was changed.
    ///
    /// Reads the file and needs no running host. What was cut off its end can't be seen in the file
    /// alone: compare the last hash with one that was noted elsewhere.
    Verify {
        /// Folder of `harness serve --state`, or the log itself. Else `HARNESS_STATE`, or else the
        /// user's state folder.
        path: Option<PathBuf>,
        /// Fail if this is not the last record's hash.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
