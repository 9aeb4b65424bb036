//! A vendor on a bad day. Reads are played from recordings, where a connector
//! that waits loses no time.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::super::{
    Outcome,
    ground::Ground,
    outcome::{Verdict, contract_code, expect_code, none_of, skip},
    tape::{PlayedCall, Single, play},
};
use crate::{
    Budget, CallError,
    contract::types::ErrorCode,
    egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen},
};

/// Whatever is left to chance, is left to it in the same way each time.
const SEED: u64 = 7;

/// The vendor's window ends in so many seconds.
const RESET: u32 = 600;

/// Time for a call that can't be done in it.
const SHORT: Duration = Duration::from_secs(2);

/// Requests of a call that are struck one by one, at most.
const REQUESTS: usize = 8;

pub(super) async fn rate_limit(ground: &Ground<'_>) -> Verdict {
    let told = |call: &PlayedCall| match &call.output {
        Err(CallError::Connector { error, .. })
            if error.code == ErrorCode::RateLimited && error.retry_after.is_none() =>
        {
            Some("it does not say after how long to come back, and the vendor did".to_owned())
        }
        _ => None,
    };
    let codes = [ErrorCode::RateLimited, ErrorCode::BudgetExhausted];
    let (mut wrong, mut trials) = (Vec::new(), Trials::default());
    let silent = [Fault::rate_limited(None)];
    always(ground, &silent, &codes, (&mut wrong, &mut trials), |_| None).await?;
    let telling = [Fault::rate_limited(Some(30))];
    always(ground, &telling, &codes, (&mut wrong, &mut trials), told).await?;
    none_of(&wrong, "a platform that is told so waits, and asks again")?;
    trials.verdict()
}

pub(super) async fn unavailable(ground: &Ground<'_>) -> Verdict {
    let faults = [500, 502, 503, 504].map(Fault::status);
    let codes = [
        ErrorCode::Unavailable,
        ErrorCode::Timeout,
        ErrorCode::BudgetExhausted,
    ];
    expect_always(ground, &faults, &codes).await
}

pub(super) async fn timeout(ground: &Ground<'_>) -> Verdict {
    let faults = [Fault::TimeoutBefore, Fault::TimeoutAfter];
    expect_always(
        ground,
        &faults,
        &[ErrorCode::Timeout, ErrorCode::BudgetExhausted],
    )
    .await
}

pub(super) async fn connection(ground: &Ground<'_>) -> Verdict {
    let faults = [Fault::RefusedConnection, Fault::Reset];
    let codes = [ErrorCode::ConnectionFailed, ErrorCode::BudgetExhausted];
    expect_always(ground, &faults, &codes).await
}

pub(super) async fn nonsense(ground: &Ground<'_>) -> Verdict {
    let codes = [
        ErrorCode::InvalidResponse,
        ErrorCode::Unavailable,
        ErrorCode::BudgetExhausted,
    ];
    let faults = [Fault::TruncatedBody, Fault::HtmlBody, Fault::EmptyBody];
    let (mut wrong, mut trials) = (Vec::new(), Trials::default());
    always(ground, &faults, &codes, (&mut wrong, &mut trials), |_| None).await?;
    // What can be made of these, a connector may decide; it does not crash.
    for fault in [Fault::NullFields, Fault::WrongTypes, Fault::OddFields] {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, None, &mut trials).await? else {
                continue;
            };
            if let Err(error) = &call.output
                && (error.is_crash() || contract_code(error).is_none())
            {
                wrong.push(format!("`{}`, {fault}: {error}", call.function));
            }
        }
    }
    none_of(
        &wrong,
        "whatever the vendor sends, the answer is an error of the contract",
    )?;
    trials.verdict()
}

/// Strikes all requests of each read, with each fault.
async fn expect_always(ground: &Ground<'_>, faults: &[Fault], codes: &[ErrorCode]) -> Verdict {
    let (mut wrong, mut trials) = (Vec::new(), Trials::default());
    always(ground, faults, codes, (&mut wrong, &mut trials), |_| None).await?;
    none_of(
        &wrong,
        "by the code a platform knows whether, and when, to ask again",
    )?;
    trials.verdict()
}

/// How often each fault was tried.
#[derive(Default)]
struct Trials(BTreeMap<String, Tried>);

#[derive(Default)]
struct Tried {
    /// Calls that were struck, and whose end is known.
    played: usize,
    /// Calls that were struck and asked for something else than was recorded
    /// then: nobody knows what would have become of them.
    unrecorded: usize,
}

impl Trials {
    /// What holds, and how far. Skips if nothing went wrong at all.
    fn verdict(self) -> Verdict {
        let sum = |of: fn(&Tried) -> usize| self.0.values().map(of).sum::<usize>();
        let (played, unrecorded) = (sum(|tried| tried.played), sum(|tried| tried.unrecorded));
        let left_out = match unrecorded {
            0 => String::new(),
            1 => "; of 1 more the recordings do not hold what it asks for then".to_owned(),
            _ => {
                format!("; of {unrecorded} more the recordings do not hold what they ask for then")
            }
        };
        if played == 0 {
            return Err(skip(format!(
                "the recordings do not know what becomes of any fault{left_out}"
            )));
        }
        let untried = self.0.iter().filter(|(_, tried)| tried.played == 0);
        let untried: Vec<String> = untried.map(|(name, _)| format!("`{name}`")).collect();
        let untried = match untried.as_slice() {
            [] => String::new(),
            names => format!("; not tried at all: {}", names.join(", ")),
        };
        let calls = if played == 1 { "call" } else { "calls" };
        Ok(format!(
            "{played} {calls} that went wrong on purpose{left_out}{untried}"
        ))
    }
}

async fn always(
    ground: &Ground<'_>,
    faults: &[Fault],
    codes: &[ErrorCode],
    (wrong, trials): (&mut Vec<String>, &mut Trials),
    also: impl Fn(&PlayedCall) -> Option<String>,
) -> Result<(), Outcome> {
    for fault in faults {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, None, trials).await? else {
                continue;
            };
            let after = format!("`{}`, {fault}", call.function);
            expect_code(&call.output, codes, &after, wrong);
            wrong.extend(also(&call).map(|what| format!("{after}: {what}")));
        }
    }
    Ok(())
}

/// Plays a call with a fault. None if no request was struck, or if the recording
/// does not know what becomes of it, which is counted.
async fn struck(
    ground: &Ground<'_>,
    single: &Single,
    rule: FaultRule,
    deadline: Option<Duration>,
    trials: &mut Trials,
) -> Result<Option<PlayedCall>, Outcome> {
    let tried = trials.0.entry(rule.fault.to_string()).or_default();
    let plan = FaultPlan::new(SEED).rule(rule);
    let faults = plan.clone();
    let played = play(ground.connector(), &single.tape, |config| {
        let config = config.faults(faults);
        match deadline {
            Some(deadline) => config.budget(Budget::with_deadline(deadline)),
            None => config,
        }
    })
    .await?;
    let call = played.calls.into_iter().next();
    let Some(call) = call.filter(|_| plan.fired() > 0) else {
        return Ok(None);
    };
    let error = call.output.as_ref().err();
    if error.is_some_and(|error| error.code() == "not_in_cassette") {
        tried.unrecorded += 1;
        return Ok(None);
    }
    tried.played += 1;
    Ok(Some(call))
}

pub(super) async fn once(ground: &Ground<'_>) -> Verdict {
    let faults = [
        Fault::status(503),
        Fault::TimeoutBefore,
        Fault::TruncatedBody,
    ];
    let (mut wrong, mut trials) = (Vec::new(), Trials::default());
    for single in ground.singles().await? {
        for fault in &faults {
            for skip in 0..single.requests.min(REQUESTS) {
                let rule = FaultRule::once(fault.clone()).when(FaultWhen {
                    skip: u32::try_from(skip).unwrap_or(u32::MAX),
                    ..FaultWhen::default()
                });
                let Some(call) = struck(ground, single, rule, None, &mut trials).await? else {
                    continue;
                };
                if let Ok(output) = &call.output
                    && without_notices(output) != without_notices(&single.output)
                {
                    wrong.push(format!(
                        "`{}` with {fault} at its request {}: it answers, with something else",
                        call.function,
                        skip + 1
                    ));
                }
            }
        }
    }
    none_of(
        &wrong,
        "a sync would take less for all there is: try the request again, or fail",
    )?;
    trials.verdict()
}

fn without_notices(output: &Value) -> Value {
    let mut output = output.clone();
    if let Some(fields) = output.as_object_mut() {
        fields.remove("notices");
        fields.remove("warnings");
    }
    output
}

pub(super) async fn deadline(ground: &Ground<'_>) -> Verdict {
    let faults = [
        Fault::rate_limited(Some(RESET)),
        Fault::status(503),
        Fault::SlowDrip,
    ];
    let (mut wrong, mut trials) = (Vec::new(), Trials::default());
    for fault in &faults {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, Some(SHORT), &mut trials).await? else {
                continue;
            };
            let waited = call.report.waited.unwrap_or_default();
            if waited > SHORT {
                wrong.push(format!(
                    "`{}`, {fault}: it waits for {} s, and has {}",
                    call.function,
                    waited.as_secs(),
                    SHORT.as_secs()
                ));
            } else if let Err(error) = &call.output
                && contract_code(error).is_none()
            {
                wrong.push(format!("`{}`, {fault}: {error}", call.function));
            }
        }
    }
    none_of(
        &wrong,
        "`CALL_DEADLINE_MS` says how long a call has: answer `budget-exhausted` before it ends",
    )?;
    trials.verdict()
}
