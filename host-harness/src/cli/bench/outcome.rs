//! What a benchmark comes to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{child::Said, population::Population, rows::Rows, served::Tally};
use crate::cli::{
    args::BenchArgs,
    failure::Failure,
    output::{self, count, counted},
};

/// Seconds of a rate limit's window.
const MINUTE: f64 = 60.0;

/// One reader, once.
pub(super) struct Trial {
    /// From the start of the process to its end.
    pub(super) seconds: f64,
    pub(super) tally: Tally,
    /// What is in the store, if it wrote one.
    pub(super) rows: Option<Rows>,
    /// The requests that it counted itself, if it did.
    pub(super) own_requests: Option<u64>,
    pub(super) said: Said,
}

/// One reader, as often as it ran.
pub(super) struct Measured {
    name: &'static str,
    pub(super) trials: Vec<Trial>,
}

impl Measured {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            trials: Vec::new(),
        }
    }

    fn seconds(&self) -> f64 {
        self.median(|trial| Some(trial.seconds)).unwrap_or_default()
    }

    fn requests(&self) -> f64 {
        let requests = self.median(|trial| Some(trial.tally.requests as f64));
        requests.unwrap_or_default()
    }

    /// Rows in the store; objects that were listed, where there is none.
    fn rows(&self) -> u64 {
        let trial = self.trials.first();
        trial.map_or(0, |trial| match &trial.rows {
            Some(rows) => rows.total(),
            None => trial.said.listed.values().sum(),
        })
    }

    fn rows_per_second(&self) -> f64 {
        self.rows() as f64 / self.seconds()
    }

    fn peak_kib(&self) -> Option<f64> {
        self.median(|trial| trial.said.usage.peak_kib.map(|kib| kib as f64))
    }

    fn cpu_seconds(&self) -> Option<f64> {
        self.median(|trial| trial.said.usage.cpu_seconds)
    }

    /// Refusals of the rate limit, and those after the first minute, of the run
    /// with the most.
    fn refused(&self) -> (u64, u64) {
        let most = |of: fn(&Tally) -> u64| self.trials.iter().map(|t| of(&t.tally)).max();
        (
            most(|tally| tally.refused).unwrap_or(0),
            most(|tally| tally.refused_late).unwrap_or(0),
        )
    }

    fn phases(&self) -> BTreeMap<&str, f64> {
        let names = self
            .trials
            .iter()
            .flat_map(|trial| trial.said.phases.keys());
        let median = |name: &String| self.median(|trial| trial.said.phases.get(name).copied());
        names
            .filter_map(|name| Some((name.as_str(), median(name)?)))
            .collect()
    }

    fn median(&self, of: impl Fn(&Trial) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.trials.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() % 2 {
            1 => values.get(middle).copied(),
            _ => Some(f64::midpoint(
                *values.get(middle)?,
                *values.get(middle.checked_sub(1)?)?,
            )),
        }
    }

    fn to_json(&self, fewest: u64) -> Value {
        let (refused, late) = self.refused();
        let first = self.trials.first();
        let rows = first.map(|trial| match &trial.rows {
            Some(rows) => json!(rows),
            None => json!(trial.said.listed),
        });
        json!({
            "name": self.name,
            "seconds": rounded(self.seconds()),
            "seconds_of_each_run":
                self.trials.iter().map(|trial| rounded(trial.seconds)).collect::<Vec<_>>(),
            "requests": self.requests(),
            "requests_by_own_count": first.and_then(|trial| trial.own_requests),
            "requests_to_minimum": rounded(self.requests() / fewest as f64),
            "rows": rows,
            "rows_in_all": self.rows(),
            "rows_per_second": self.rows_per_second().round(),
            "peak_memory_kib": self.peak_kib(),
            "cpu_seconds": self.cpu_seconds().map(rounded),
            "answers_429": refused,
            "answers_429_after_the_first_minute": late,
            "phases":
                self.phases().into_iter().map(|(name, s)| (name, rounded(s))).collect::<BTreeMap<_, _>>(),
        })
    }
}

/// A number that is held against another.
struct Ratio {
    name: &'static str,
    /// For people.
    what: String,
    value: f64,
    bound: Bound,
}

/// What is wanted of a ratio.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtMost(bound) => format!("at most {bound}"),
            Self::AtLeast(bound) => format!("at least {bound}"),
        }
    }
}

/// All that was measured.
pub(super) struct Outcome<'a> {
    pub(super) args: &'a BenchArgs,
    pub(super) population: &'a Population,
    /// The sync, then the others.
    pub(super) contenders: Vec<Measured>,
    /// The sync of a smaller tenant, and how many users that has.
    pub(super) smaller: Option<(u32, Measured)>,
}

impl Outcome<'_> {
    pub(super) fn to_json(&self) -> Value {
        let fewest = self.population.fewest_requests();
        let ratios = self.ratios().into_iter().map(|ratio| {
            let (at_most, at_least) = match ratio.bound {
                Bound::AtMost(bound) => (Some(bound), None),
                Bound::AtLeast(bound) => (None, Some(bound)),
            };
            json!({
                "name": ratio.name, "value": rounded(ratio.value), "at_most": at_most,
                "at_least": at_least, "met": ratio.bound.is_met(ratio.value),
            })
        });
        json!({
            "tenant": self.population,
            "seed": self.args.population.seed,
            "latency_ms": self.args.pace.latency,
            "limit_per_minute": self.args.pace.limit,
            "runs": self.args.runs,
            "debug_build": cfg!(debug_assertions),
            "minimum_of_requests": fewest,
            "contenders":
                self.contenders.iter().map(|one| one.to_json(fewest)).collect::<Vec<_>>(),
            "smaller_tenant": self.smaller.as_ref().map(|(users, measured)| json!({
                "users": users, "peak_memory_kib": measured.peak_kib(),
                "seconds": rounded(measured.seconds()),
            })),
            "ratios": ratios.collect::<Vec<_>>(),
        })
    }

    pub(super) fn show(&self) -> Result<(), Failure> {
        let tenant = self.population;
        let many = |number: u64, one: &str, many: &str| counted(number as usize, one, many);
        output::line(&format!(
            "{}, {}, {} of which {} shift-based, {}; {}",
            many(tenant.users, "user", "users"),
            many(tenant.teams, "team", "teams"),
            many(
                tenant.schedules + tenant.shift_schedules,
                "schedule",
                "schedules"
            ),
            count(tenant.shift_schedules as usize),
            many(
                tenant.escalation_policies,
                "escalation policy",
                "escalation policies"
            ),
            self.pace(),
        ))?;
        let fewest = tenant.fewest_requests();
        output::line("")?;
        let header = [
            "",
            "seconds",
            "requests",
            "minimum",
            "rows",
            "rows/s",
            "memory",
            "cpu",
            "429",
            "429 after a minute",
        ];
        output::table(
            &header,
            self.contenders.iter().map(|one| {
                let (refused, late) = one.refused();
                vec![
                    one.name.to_owned(),
                    format!("{:.2}", one.seconds()),
                    count(one.requests().round() as usize),
                    count(fewest as usize),
                    count(one.rows() as usize),
                    count(one.rows_per_second().round() as usize),
                    shown(one.peak_kib(), |kib| format!("{:.0} MiB", kib / 1024.0)),
                    shown(one.cpu_seconds(), |seconds| format!("{seconds:.2} s")),
                    refused.to_string(),
                    late.to_string(),
                ]
            }),
        )?;
        output::line("")?;
        output::table(
            &["ratio", "is", "wanted", ""],
            self.ratios().into_iter().map(|ratio| {
                let met = if ratio.bound.is_met(ratio.value) {
                    ""
                } else {
                    "missed"
                };
                let value = format!("{:.3}", ratio.value);
                vec![ratio.what, value, ratio.bound.shown(), met.to_owned()]
            }),
        )
    }

    fn pace(&self) -> String {
        let latency = match self.args.pace.latency {
            0 => "no latency".to_owned(),
            latency => format!("{latency} ms latency"),
        };
        let limit = match self.args.pace.limit {
            None => "no limit".to_owned(),
            Some(limit) => format!(
                "{} a minute",
                counted(limit as usize, "request", "requests")
            ),
        };
        let runs = counted(self.args.runs as usize, "run", "runs");
        format!("{latency}, {limit}; median of {runs}")
    }

    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        let [sync, others @ ..] = self.contenders.as_slice() else {
            return ratios;
        };
        ratios.push(Ratio {
            name: "requests_to_minimum",
            what: "requests to their minimum".to_owned(),
            value: sync.requests() / self.population.fewest_requests() as f64,
            bound: Bound::AtMost(1.02),
        });
        for other in others {
            ratios.push(match other.name {
                "native" => Ratio {
                    name: "sync_to_native",
                    what: "time of sync to that of native".to_owned(),
                    value: sync.seconds() / other.seconds(),
                    bound: Bound::AtMost(1.5),
                },
                _ => Ratio {
                    name: "python_to_sync",
                    what: "time of python to that of sync".to_owned(),
                    value: other.seconds() / sync.seconds(),
                    bound: Bound::AtLeast(5.0),
                },
            });
        }
        if let Some(limit) = self.args.pace.limit {
            let allowed = sync.requests() / f64::from(limit) * MINUTE;
            ratios.push(Ratio {
                name: "sync_to_rate_limit",
                what: "time of sync to that which the limit takes".to_owned(),
                value: sync.seconds() / allowed,
                bound: Bound::AtMost(1.05),
            });
            ratios.push(Ratio {
                name: "answers_429_after_the_first_minute",
                what: "429 after the first minute".to_owned(),
                value: sync.refused().1 as f64,
                bound: Bound::AtMost(0.0),
            });
        }
        if let Some((users, smaller)) = &self.smaller
            && let (Some(large), Some(small)) = (sync.peak_kib(), smaller.peak_kib())
        {
            ratios.push(Ratio {
                name: "memory_to_that_of_the_smaller_tenant",
                what: format!(
                    "memory to that of {}",
                    counted(*users as usize, "user", "users")
                ),
                value: large / small,
                bound: Bound::AtMost(1.2),
            });
        }
        ratios
    }
}

/// Where a number is not known there is a dash.
fn shown(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// To a thousandth: the rest is noise.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
