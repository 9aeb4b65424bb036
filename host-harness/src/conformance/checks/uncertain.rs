//! Changes whose answer is lost, at a stand-in vendor.

use std::collections::BTreeSet;

use super::super::{
    Outcome,
    ground::{Ground, Scene},
    listing::Walk,
    outcome::{Verdict, contract_code, none_of, skip},
};
use super::accounts::{is_there, newcomer};
use crate::{
    CallError, Tenant,
    contract::{provisioning::NewAccount, types::Account},
    egress::faults::{Fault, FaultPlan, FaultRule, FaultWhen},
};

const CREATE: &str = "provisioning.create-account";
const DELETE: &str = "provisioning.delete-account";

/// Nothing is left to chance here.
const SEED: u64 = 0;

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
        let holders = accounts.some()?.iter().filter(is_there).filter(same);
        Ok(holders.map(|account| account.id.clone()).collect())
    }
}
