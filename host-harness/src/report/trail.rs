//! Who has made a change, as far as the vendor's records tell.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Change, Fate, Kind};
use crate::contract::activity::ActivityRecord;

/// The records of a time, by what something was done to.
#[derive(Debug)]
pub struct Trail {
    until: Timestamp,
    done: HashMap<String, Vec<Deed>>,
}

/// Somebody has done something to something; how often is not kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Deed {
    /// The account that did it, where it was one.
    pub actor: Option<String>,
    /// The vendor's word for it, for example `update`.
    pub action: String,
    /// By which way in, for example `browser` or `api-token`.
    pub method: Option<String>,
    /// When for the last time, RFC 3339.
    pub at: String,
}

impl Trail {
    /// Without records yet. Those after `until` will be passed over.
    pub fn until(until: Timestamp) -> Self {
        Self {
            until,
            done: HashMap::new(),
        }
    }

    /// Takes a record into account. Records may come in any order.
    pub fn add(&mut self, record: &ActivityRecord) {
        // A time that can't be read is no reason to pass something over.
        if record.at.parse().is_ok_and(|at: Timestamp| at > self.until) {
            return;
        }
        for target in &record.targets {
            let done = self.done.entry(target.id.clone()).or_default();
            let same = done.iter_mut().find(|deed| {
                deed.actor == record.actor
                    && deed.action == record.action
                    && deed.method == record.method
            });
            match same {
                Some(deed) if deed.at < record.at => deed.at.clone_from(&record.at),
                Some(_) => {}
                None => done.push(Deed {
                    actor: record.actor.clone(),
                    action: record.action.clone(),
                    method: record.method.clone(),
                    at: record.at.clone(),
                }),
            }
        }
    }

    /// What may have made the change, the last first. Records tell what was
    /// touched, not what became of it: where several people have changed the
    /// schedule that somebody has left, all of them are named.
    pub fn of(&self, change: &Change) -> Vec<Deed> {
        let done_to = |id: &str| self.done.get(id).map_or(&[][..], Vec::as_slice);
        let key = |name: &str| change.key.get(name).map_or("", String::as_str);
        let mut deeds: Vec<Deed> = match change.kind {
            Kind::Account | Kind::Resource => done_to(key("id")).to_vec(),
            Kind::Entitlement => done_to(key("resource")).to_vec(),
            Kind::Grant => {
                let account = done_to(key("account")).iter();
                if key("resource").is_empty() {
                    // A role or a licence is a field of the account.
                    account.cloned().collect()
                } else {
                    // With an account comes and goes all that it holds.
                    let whole = account.filter(|deed| deed.action != UPDATE);
                    done_to(key("resource"))
                        .iter()
                        .chain(whole)
                        .cloned()
                        .collect()
                }
            }
        };
        let fitting = match change.change {
            Fate::Created => CREATE,
            Fate::Removed => DELETE,
            Fate::Changed => UPDATE,
        };
        // Who has deleted an account is more to the point than who has renamed it.
        if deeds.iter().any(|deed| deed.action == fitting) && change.kind != Kind::Grant {
            deeds.retain(|deed| deed.action == fitting);
        }
        deeds.sort_by(|a, b| b.at.cmp(&a.at));
        deeds
    }
}

/// Words for actions that vendors share.
const CREATE: &str = "create";
const UPDATE: &str = "update";
const DELETE: &str = "delete";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::activity::ActivityTarget;

    fn record(actor: &str, action: &str, target: &str, at: &str) -> ActivityRecord {
        ActivityRecord {
            id: String::new(),
            at: at.to_owned(),
            actor: Some(actor.to_owned()),
            action: action.to_owned(),
            method: None,
            targets: vec![ActivityTarget {
                target_type: String::new(),
                id: target.to_owned(),
                label: None,
            }],
        }
    }

    fn change(kind: Kind, fate: Fate, key: &[(&'static str, &str)]) -> Change {
        let key = key.iter().map(|(name, id)| (*name, (*id).to_owned()));
        Change {
            kind,
            change: fate,
            key: key.collect(),
            label: String::new(),
            fields: Vec::new(),
        }
    }

    fn actors(trail: &Trail, change: &Change) -> Vec<String> {
        let deeds = trail.of(change).into_iter();
        deeds.filter_map(|deed| deed.actor).collect()
    }

    #[test]
    fn whoever_touched_a_thing_in_that_time_may_have_changed_it() {
        let mut trail = Trail::until("2026-02-01T00:00:00Z".parse().expect("a time"));
        for (actor, action, target, at) in [
            ("ada", "update", "BOB", "2026-01-03T00:00:00Z"),
            ("ada", "update", "BOB", "2026-01-02T00:00:00Z"),
            ("eve", "delete", "BOB", "2026-01-01T00:00:00Z"),
            ("dan", "update", "TEAM", "2026-01-01T00:00:00Z"),
            ("ida", "update", "TEAM", "2026-01-05T00:00:00Z"),
            ("zoe", "update", "TEAM", "2026-02-02T00:00:00Z"),
        ] {
            trail.add(&record(actor, action, target, at));
        }
        let bob = |fate| change(Kind::Account, fate, &[("id", "BOB")]);
        assert_eq!(actors(&trail, &bob(Fate::Changed)), ["ada"]);
        assert_eq!(actors(&trail, &bob(Fate::Removed)), ["eve"]);
        assert_eq!(trail.of(&bob(Fate::Changed))[0].at, "2026-01-03T00:00:00Z");

        let grant = |resource| {
            let key = [("account", "BOB"), ("resource", resource)];
            change(Kind::Grant, Fate::Removed, &key)
        };
        assert_eq!(actors(&trail, &grant("TEAM")), ["ida", "dan", "eve"]);
        assert_eq!(actors(&trail, &grant("")), ["ada", "eve"]);
        let other = change(Kind::Resource, Fate::Changed, &[("id", "OTHER")]);
        assert_eq!(trail.of(&other), []);
    }
}
