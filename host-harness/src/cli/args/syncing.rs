//! `harness sync` and `runs`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

use super::ConnectArgs;

#[derive(Args, Debug)]
pub struct SyncArgs {
    /// The store: an SQLite database. Made if it is not there.
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub store: Option<PathBuf>,
    /// Sync all tenants of this file (TOML). One that fails does not stop the rest.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tenant", "accept", "profile", "token_file", "simulator", "base_url", "setting", "auth", "connector", "grant", "record", "replay", "deadline", "ca_file", "users", "teams", "schedules", "seed"])]
    pub config: Option<PathBuf>,
    /// Tenants at a time, with `--config`; the file's `parallel` if not said, or else 4.
    #[arg(long, value_name = "N", requires = "config")]
    pub parallel: Option<NonZeroUsize>,
    /// Your name for the tenant in the store; what the vendor calls it if not said.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Begin anew, even if a run was cut off.
    #[arg(long)]
    pub restart: bool,
    /// Begin anew where a run was cut off that began longer ago than that: what it has read is not
    /// read again.
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub resume_within: u64,
    /// Refuse a run in which more than that is gone of the accounts, of the grants of a type, or of
    /// anything else, since the last complete one.
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub max_shrink: u8,
    /// Accept what is not plausible: the run of this tenant that was refused, without reading
    /// again; or else whatever this one finds.
    #[arg(long, conflicts_with = "restart")]
    pub accept: bool,
    /// Who accepts; your user's name if not said.
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    pub by: Option<String>,
    /// Items per call. As many as suit the vendor's API if not said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub page_size: Option<u32>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct RunsArgs {
    /// The store.
    #[arg(long, value_name = "FILE")]
    pub store: PathBuf,
    /// Only those of this tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
