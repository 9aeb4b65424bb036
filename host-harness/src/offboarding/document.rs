//! A plan as a document: the contract's plan, and where it comes from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    CallError, Tenant,
    contract::offboarding::{Plan, Step},
    egress::cassette::hex,
};

/// A plan, as `harness plan --json` prints it and `harness apply` reads it: the
/// contract's record `plan` with one more field.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PlanDocument {
    /// The changes, in order.
    pub steps: Vec<PlannedStep>,
    /// What the plan can't take care of.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Where it comes from. A plan that somebody else's host made has none.
    #[serde(rename = "x-harness", default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<PlanOrigin>,
}

/// One change of a plan: the contract's record `step`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlannedStep {
    /// Stable within the plan.
    pub id: String,
    /// `reassign-incidents`, `replace-in-schedule`, ...
    pub kind: String,
    /// For a person to read before saying yes.
    pub summary: String,
    /// For the connector alone.
    pub payload: String,
}

/// Where a plan comes from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PlanOrigin {
    /// What it is for.
    #[serde(flatten)]
    pub kind: PlanKind,
    /// Whose work or access it is about.
    pub account: String,
    /// The vendor's name for the tenant; empty if the vendor does not tell.
    /// A plan is not applied to another one.
    pub tenant: String,
    /// The connector, for example `pagerduty`.
    pub app_id: String,
    /// Its version.
    pub version: String,
    /// When the plan was made.
    pub made_at: Timestamp,
}

/// What a plan is for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlanKind {
    /// To hand everything of an account to another.
    Transfer {
        /// The heir.
        to: String,
    },
    /// To take an account out of everything, and then to delete it.
    Removal,
}

/// Why a document is no plan for this tenant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Not JSON, or not a plan.
    #[error("that is not a plan: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Two steps share an id, so a journal could not tell them apart.
    #[error("two steps of the plan have the id `{0}`")]
    Ambiguous(String),
    /// Made for another tenant.
    #[error(
        "the plan was made for the tenant `{planned}`, and the credential belongs to `{found}`"
    )]
    Tenant {
        /// The plan's.
        planned: String,
        /// The credential's.
        found: String,
    },
    /// Made by a connector for something else.
    #[error("the plan was made by the connector `{planned}`, and this one is `{found}`")]
    Connector {
        /// The plan's.
        planned: String,
        /// The one in use.
        found: String,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Ambiguous(_) => {
                "make one with `harness plan transfer ACCOUNT --to HEIR --json > plan.json`"
            }
            Self::Tenant { .. } => "use the credential with which the plan was made",
            Self::Connector { .. } => "use the connector with which the plan was made",
        }
    }
}

impl PlanDocument {
    /// Makes a plan. Only reads.
    pub async fn make(tenant: &Tenant, account: &str, kind: PlanKind) -> Result<Self, CallError> {
        let identity = tenant.validate().await?;
        let plan = match &kind {
            PlanKind::Transfer { to } => tenant.plan_transfer(account, to).await?,
            PlanKind::Removal => tenant.plan_removal(account).await?,
        };
        let descriptor = tenant.connector().descriptor();
        Ok(Self {
            origin: Some(PlanOrigin {
                kind,
                account: account.to_owned(),
                tenant: identity.id,
                app_id: descriptor.app_id.clone(),
                version: descriptor.version.clone(),
                made_at: Timestamp::now(),
            }),
            ..Self::from(plan)
        })
    }

    /// Reads a document.
    pub fn parse(json: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(json)?;
        let mut ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(PlanError::Ambiguous(pair[0].to_owned())),
            None => Ok(plan),
        }
    }

    /// Whether it is for that connector and that tenant, by the vendor's name
    /// for it. What a plan does not say is not held against it.
    pub fn check(&self, tenant: &Tenant, name: &str) -> Result<(), PlanError> {
        let Some(origin) = &self.origin else {
            return Ok(());
        };
        let app_id = &tenant.connector().descriptor().app_id;
        if origin.app_id != *app_id {
            return Err(PlanError::Connector {
                planned: origin.app_id.clone(),
                found: app_id.clone(),
            });
        }
        if !origin.tenant.is_empty() && !name.is_empty() && origin.tenant != name {
            return Err(PlanError::Tenant {
                planned: origin.tenant.clone(),
                found: name.to_owned(),
            });
        }
        Ok(())
    }

    /// The document, indented, with a line break at its end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan has string keys only");
        text.push('\n');
        text
    }

    /// Digest of its steps, in hexadecimal: what a journal belongs to.
    pub fn sha256(&self) -> String {
        let steps = serde_json::to_vec(&self.steps).expect("steps have string keys only");
        hex(&Sha256::digest(steps))
    }
}

impl From<Plan> for PlanDocument {
    fn from(plan: Plan) -> Self {
        Self {
            steps: plan.steps.into_iter().map(PlannedStep::from).collect(),
            warnings: plan.warnings,
            origin: None,
        }
    }
}

impl From<Step> for PlannedStep {
    fn from(step: Step) -> Self {
        Self {
            id: step.id,
            kind: step.kind,
            summary: step.summary,
            payload: step.payload,
        }
    }
}

impl From<&PlannedStep> for Step {
    fn from(step: &PlannedStep) -> Self {
        Self {
            id: step.id.clone(),
            kind: step.kind.clone(),
            summary: step.summary.clone(),
            payload: step.payload.clone(),
        }
    }
}
