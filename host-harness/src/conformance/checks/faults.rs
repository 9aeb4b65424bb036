//! A vendor on a bad day. Reads are played from recordings, where a connector
//! that waits loses no time; changes are made at a stand-in vendor.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::super::{
    Outcome,
    ground::{Ground, Scene},
    listing::Walk,
    outcome::{Verdict, contract_code, expect_code, none_of, skip},
    tape::{PlayedCall, Single, play},
};
use super::accounts::newcomer;
use crate::{
    Budget, CallError, Tenant,
    contract::{
        provisioning::NewAccount,
        types::{Account, ErrorCode},
    },
    egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen},
};

/// Whatever is left to chance, is left to it in the same way each time.
const SEED: u64 = 7;

/// The vendor's window ends in so many seconds.
const RESET: u32 = 600;

/// Time for a call that can't be done in it.
const SHORT: Duration = Duration::from_secs(2);

const CREATE: &str = "provisioning.create-account";
const DELETE: &str = "provisioning.delete-account";

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
    let mut wrong = Vec::new();
    let silent = always(
        ground,
        &[Fault::rate_limited(None)],
        &codes,
        &mut wrong,
        |_| None,
    )
    .await?;
    let telling = [Fault::rate_limited(Some(30))];
    let telling = always(ground, &telling, &codes, &mut wrong, told).await?;
    none_of(&wrong, "a platform that is told so waits, and asks again")?;
    seen(silent + telling)
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
    let mut wrong = Vec::new();
    let mut count = always(ground, &faults, &codes, &mut wrong, |_| None).await?;
    // What can be made of these, a connector may decide; it does not crash.
    for fault in [Fault::NullFields, Fault::WrongTypes, Fault::OddFields] {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, None).await? else {
                continue;
            };
            count += 1;
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
    seen(count)
}

/// Strikes all requests of each read, with each fault.
async fn expect_always(ground: &Ground<'_>, faults: &[Fault], codes: &[ErrorCode]) -> Verdict {
    let mut wrong = Vec::new();
    let count = always(ground, faults, codes, &mut wrong, |_| None).await?;
    none_of(
        &wrong,
        "by the code a platform knows whether, and when, to ask again",
    )?;
    seen(count)
}

/// Skips if nothing went wrong at all.
fn seen(count: usize) -> Verdict {
    if count == 0 {
        return Err(skip("the recordings do not know what becomes of any fault"));
    }
    Ok(format!("{count} calls that went wrong on purpose"))
}

async fn always(
    ground: &Ground<'_>,
    faults: &[Fault],
    codes: &[ErrorCode],
    wrong: &mut Vec<String>,
    also: impl Fn(&PlayedCall) -> Option<String>,
) -> Result<usize, Outcome> {
    let mut count = 0;
    for fault in faults {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, None).await? else {
                continue;
            };
            count += 1;
            let after = format!("`{}`, {fault}", call.function);
            expect_code(&call.output, codes, &after, wrong);
            wrong.extend(also(&call).map(|what| format!("{after}: {what}")));
        }
    }
    Ok(count)
}

/// Plays a call with a fault. None if no request was struck, or if the recording
/// does not know what becomes of it.
async fn struck(
    ground: &Ground<'_>,
    single: &Single,
    rule: FaultRule,
    deadline: Option<Duration>,
) -> Result<Option<PlayedCall>, Outcome> {
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
    // What it asks for instead may not be recorded; then nothing is known.
    let is_known = |call: &PlayedCall| {
        let error = call.output.as_ref().err();
        error.is_none_or(|error| error.code() != "not_in_cassette")
    };
    Ok(call.filter(|call| plan.fired() > 0 && is_known(call)))
}

pub(super) async fn once(ground: &Ground<'_>) -> Verdict {
    let faults = [
        Fault::status(503),
        Fault::TimeoutBefore,
        Fault::TruncatedBody,
    ];
    let (mut wrong, mut count) = (Vec::new(), 0);
    for single in ground.singles().await? {
        for fault in &faults {
            for skip in 0..single.requests.min(REQUESTS) {
                let rule = FaultRule::once(fault.clone()).when(FaultWhen {
                    skip: u32::try_from(skip).unwrap_or(u32::MAX),
                    ..FaultWhen::default()
                });
                let Some(call) = struck(ground, single, rule, None).await? else {
                    continue;
                };
                count += 1;
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
    seen(count)
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
    let (mut wrong, mut count) = (Vec::new(), 0);
    for fault in &faults {
        for single in ground.singles().await? {
            let rule = FaultRule::always(fault.clone());
            let Some(call) = struck(ground, single, rule, Some(SHORT)).await? else {
                continue;
            };
            count += 1;
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
    seen(count)
}

pub(super) async fn change(ground: &Ground<'_>) -> Verdict {
    ground.need(CREATE)?;
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for fault in [Fault::TimeoutBefore, Fault::TimeoutAfter, Fault::Reset] {
        let uncertain = Uncertain::new(ground, fault).await?;
        if uncertain.create(&mut wrong).await? {
            seen.insert("creating");
        }
        if ground.declares(DELETE) && uncertain.delete(&mut wrong).await? {
            seen.insert("deleting");
        }
    }
    none_of(
        &wrong,
        "look for a change whose fate is not known; if that fails too, say `may-have-applied`",
    )?;
    if seen.is_empty() {
        return Err(skip("no change is sent: see the check `create`"));
    }
    let seen: Vec<&str> = seen.into_iter().collect();
    Ok(format!("{}, with 3 faults each", seen.join(" and ")))
}

/// A tenant at which the answer to one change gets lost.
struct Uncertain {
    scene: Scene,
    tenant: Tenant,
    plan: FaultPlan,
    fault: Fault,
    new: NewAccount,
}

impl Uncertain {
    async fn new(ground: &Ground<'_>, fault: Fault) -> Result<Self, Outcome> {
        let scene = ground.fresh().await?;
        let plan = FaultPlan::new(SEED);
        Ok(Self {
            tenant: scene.reopened(|config| config.faults(plan.clone()))?,
            new: newcomer(ground, "uncertain").await?,
            scene,
            plan,
            fault,
        })
    }

    /// The next change goes wrong.
    fn arm(&self) -> u64 {
        let rule = FaultRule::once(self.fault.clone());
        self.plan.add(rule.when(FaultWhen::changes()));
        self.plan.fired()
    }

    /// Creates an account, and once more. False if no change was sent.
    async fn create(&self, wrong: &mut Vec<String>) -> Result<bool, Outcome> {
        let before = self.arm();
        let first = self.tenant.create_account(self.new.clone()).await;
        self.plan.clear();
        if self.plan.fired() == before {
            return Ok(false);
        }
        let is_done = !self.holders().await?.is_empty();
        self.judge(CREATE, first.err().as_ref(), is_done, wrong);
        if let Err(error) = self.tenant.create_account(self.new.clone()).await {
            wrong.push(format!(
                "`{CREATE}`, {}: it can't be repeated: {error}",
                self.fault
            ));
        }
        let after = self.holders().await?.len();
        if after != 1 {
            wrong.push(format!(
                "`{CREATE}`, {}: repeated, there are {after}",
                self.fault
            ));
        }
        Ok(true)
    }

    /// Deletes that account, and once more. False if no change was sent.
    async fn delete(&self, wrong: &mut Vec<String>) -> Result<bool, Outcome> {
        let Some(id) = self.holders().await?.into_iter().next() else {
            return Ok(false);
        };
        let before = self.arm();
        let first = self.tenant.delete_account(&id).await;
        self.plan.clear();
        if self.plan.fired() == before {
            return Ok(false);
        }
        let is_done = self.holders().await?.is_empty();
        self.judge(DELETE, first.err().as_ref(), is_done, wrong);
        if let Err(error) = self.tenant.delete_account(&id).await {
            wrong.push(format!(
                "`{DELETE}`, {}: it can't be repeated: {error}",
                self.fault
            ));
        }
        if !self.holders().await?.is_empty() {
            wrong.push(format!(
                "`{DELETE}`, {}: repeated, it is still there",
                self.fault
            ));
        }
        Ok(true)
    }

    /// Whether what was said fits what was done.
    fn judge(
        &self,
        function: &str,
        error: Option<&CallError>,
        is_done: bool,
        wrong: &mut Vec<String>,
    ) {
        let what = match error {
            None if !is_done => "it says that it was done, and it was not".to_owned(),
            Some(CallError::Connector { error, .. }) if is_done && !error.may_have_applied => {
                let code = crate::contract::to_json(&error.code);
                format!(
                    "it was done, and the error (`{}`) does not say that it may have been",
                    code.as_str().unwrap_or_default()
                )
            }
            Some(error) if contract_code(error).is_none() => error.to_string(),
            _ => return,
        };
        wrong.push(format!("`{function}`, {}: {what}", self.fault));
    }

    /// The ids of the accounts with the e-mail address.
    async fn holders(&self) -> Result<Vec<String>, Outcome> {
        let accounts = Walk::<Account>::of(&self.scene.tenant, None).await;
        let same = |account: &&Account| {
            let own = account.email.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(&self.new.email))
        };
        let holders = accounts.some()?.iter().filter(same);
        Ok(holders.map(|account| account.id.clone()).collect())
    }
}
