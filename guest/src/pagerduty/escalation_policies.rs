//! Escalation policies.

use crate::errors::{Error, ErrorCode, Result};
use crate::ids::unique;
use crate::pagerduty::client::{Change, Client, Request, checked_id};
use crate::pagerduty::errors::clean;
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::references::Reference;

/// The list.
pub const PATH: &str = "/escalation_policies";
/// The most targets of a rule.
pub const MAX_TARGETS: usize = 10;

/// Whom to notify, in which order.
#[derive(Clone, Debug)]
pub struct EscalationPolicy {
    /// Vendor identifier; empty if there was none.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The levels.
    pub rules: Vec<Rule>,
    /// The team that it belongs to. Users that the policy names join it.
    pub teams: Vec<Reference>,
    loops: Option<u32>,
    handoff: Option<String>,
}

/// One level of an escalation policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Vendor identifier; none for a new one.
    pub id: Option<String>,
    /// Users and schedules, all notified at once.
    pub targets: Vec<Reference>,
    /// In minutes.
    delay: Option<u32>,
    strategy: Json<'static>,
}

impl Row for EscalationPolicy {
    const MANY: &'static str = "escalation_policies";
    const ONE: &'static str = "escalation_policy";

    fn read(json: &Json) -> Self {
        Self {
            id: json.id(),
            name: json.text("name"),
            description: json.text("description"),
            rules: json.objects("escalation_rules").map(Rule::read).collect(),
            teams: json.objects("teams").map(Reference::read).collect(),
            loops: json.count("num_loops"),
            handoff: json.text("on_call_handoff_notifications"),
        }
    }

    fn is_identified(json: &Json) -> bool {
        json.has_id()
            && json.each("teams", &Json::is_reference)
            && json.each("escalation_rules", &|rule| {
                rule.each("targets", &Json::is_reference)
            })
    }
}

impl Rule {
    /// From PagerDuty's answer, or from `write`.
    pub fn read(json: &Json) -> Self {
        Self {
            id: json.text("id"),
            targets: json.objects("targets").map(Reference::read).collect(),
            delay: json.count("escalation_delay_in_minutes"),
            strategy: json.get("escalation_rule_assignment_strategy").to_static(),
        }
    }

    /// For a request. Targets without a type are answered with a 404.
    pub fn write(&self) -> Json<'static> {
        let targets = self.targets.iter().map(Reference::write);
        // Without the feature that it is part of, a strategy is a 403, also the
        // one that is the default.
        let name = match &self.strategy {
            Json::Text(name) => Some(name.to_string()),
            strategy => strategy.text("type"),
        };
        let is_default = name.is_none_or(|name| name == "assign_to_everyone");
        let strategy = if is_default {
            Json::Null
        } else {
            self.strategy.clone()
        };
        Json::of([
            ("id", self.id.as_deref().into()),
            ("escalation_delay_in_minutes", self.delay.into()),
            ("targets", Json::List(targets.collect())),
            ("escalation_rule_assignment_strategy", strategy),
        ])
    }

    /// Whether it names that user, who may be gone.
    pub fn names(&self, user: &str) -> bool {
        self.targets.iter().any(|target| target.is_user(user))
    }

    /// Whether it notifies anybody but that user.
    pub fn has_others(&self, than: &str) -> bool {
        (self.targets.iter()).any(|target| target.is_live() && !target.is_user(than))
    }
}

impl EscalationPolicy {
    /// The users that it names itself, each once. Those that it reaches by a
    /// schedule are members of the schedule.
    pub fn members(&self) -> Vec<&str> {
        let targets = self.rules.iter().flat_map(|rule| &rule.targets);
        let users = targets
            .filter(|target| target.is_live() && target.is_a("user"))
            .map(|target| target.id.as_str());
        unique(users)
    }

    /// What people call it, fit for a sentence.
    pub fn called(&self) -> String {
        clean(self.name.as_deref().unwrap_or(&self.id))
    }

    /// Puts `heir` in the place of `user` in each rule, or takes `user` out
    /// where there is no heir or the rule names the heir already. A rule that
    /// is left with nobody goes.
    pub fn replace(&mut self, user: &str, heir: Option<&str>) {
        self.rules.retain_mut(|rule| {
            if !rule.names(user) {
                return true;
            }
            let mut heir = heir.filter(|heir| !rule.names(heir));
            rule.targets.retain_mut(|target| {
                if target.is_user(user) {
                    let Some(heir) = heir.take() else {
                        return false;
                    };
                    *target = Reference::to_user(heir);
                }
                true
            });
            rule.has_others(user)
        });
    }

    /// Whether both notify the same in the same order.
    pub fn has_rules(&self, rules: &[Rule]) -> bool {
        let targets = |rule: &Rule| -> Vec<String> {
            rule.targets
                .iter()
                .map(|target| target.id.clone())
                .collect()
        };
        let pairs = || self.rules.iter().zip(rules);
        self.rules.len() == rules.len()
            && pairs().all(|(own, other)| own.delay == other.delay)
            && pairs().all(|(own, other)| targets(own) == targets(other))
    }

    /// Makes PagerDuty's policy like this one. Everything that a PUT can say is
    /// said as it was read, but for a description that is null, which a GET
    /// shows and a PUT refuses, and an empty list of teams, which without the
    /// ability `teams` may not be mentioned.
    pub fn put(&self, client: &Client) -> Result<()> {
        let rules = self.rules.iter().map(Rule::write);
        let teams = self.teams.iter().map(Reference::write);
        let teams: Vec<Json> = teams.collect();
        let policy = Json::of([
            ("type", "escalation_policy".into()),
            ("name", self.name.as_deref().into()),
            ("description", self.description.as_deref().into()),
            ("num_loops", self.loops.into()),
            (
                "on_call_handoff_notifications",
                self.handoff.as_deref().into(),
            ),
            (
                "teams",
                Some(teams)
                    .filter(|teams| !teams.is_empty())
                    .map(Json::List)
                    .into(),
            ),
            ("escalation_rules", Json::List(rules.collect())),
        ]);
        let body = Json::of([(Self::ONE, policy)]);
        let Err(error) = client.change(Change::put(path(&self.id)?, &body)) else {
            return Ok(());
        };
        if error.may_have_applied
            && get(client, &self.id).is_ok_and(|policy| policy.has_rules(&self.rules))
        {
            return Ok(());
        }
        if error.code == ErrorCode::NotFound {
            // The policy was there a moment ago.
            return Err(error.reworded(
                Error::new(
                    ErrorCode::Conflict,
                    format!(
                        "escalation policy `{}`, or somebody who is to be on it, is gone",
                        self.called()
                    ),
                )
                .hint("look at it in PagerDuty; a plan that is about it has to be made anew"),
            ));
        }
        Err(error)
    }
}

/// One escalation policy.
pub fn get(client: &Client, id: &str) -> Result<EscalationPolicy> {
    let policy: EscalationPolicy = client.fetch_one(Request::get(path(id)?))?;
    if policy.id != id || policy.rules.is_empty() {
        return Err(Error::invalid_response(format!(
            "PagerDuty's answer about the escalation policy {id} has no rules"
        )));
    }
    // A PUT repeats them: a rule without its id would be a new one.
    let is_whole = |rule: &Rule| rule.id.is_some() && rule.delay.is_some();
    if policy.name.is_none() || !policy.rules.iter().all(is_whole) {
        return Err(Error::invalid_response(format!(
            "PagerDuty's answer about the escalation policy {id} lacks its name, or a rule's id \
             or delay"
        )));
    }
    Ok(policy)
}

fn path(id: &str) -> Result<String> {
    Ok(format!("{PATH}/{}", checked_id(id)?))
}
