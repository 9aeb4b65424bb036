//! What a new account is to hold from the start.

use super::{Wanted, licenses, roles, teams};
use crate::errors::{Error, Result};
use crate::iga::connector::types::EntitlementRef;
use crate::pagerduty::client::Client;
use crate::pagerduty::teams as vendor_teams;

/// The role that PagerDuty gives to who gets none.
const DEFAULT_ROLE: &str = "user";

/// A role, a licence, and any number of memberships.
pub struct Holdings<'a> {
    /// None: PagerDuty's default.
    pub role: Option<&'a str>,
    /// None: PagerDuty chooses one that fits the role.
    pub license: Option<&'a str>,
    /// Teams first: who joins an escalation policy joins its team by that, with
    /// whatever role.
    pub memberships: Vec<Wanted<'a>>,
}

impl<'a> Holdings<'a> {
    /// Refuses what no account can hold at once.
    pub fn read(entitlements: &'a [EntitlementRef]) -> Result<Self> {
        let (mut roles, mut licenses) = (Vec::new(), Vec::new());
        let (mut teams, mut others) = (Vec::new(), Vec::new());
        for entitlement in entitlements {
            match Wanted::read(entitlement)? {
                Wanted::Role(role) => roles.push(role),
                Wanted::License(license) => licenses.push(license),
                wanted @ Wanted::TeamRole { .. } => teams.push(wanted),
                wanted => others.push(wanted),
            }
        }
        let role = only(&roles, "role")?;
        if let Some(role) = role {
            roles::check_name(role)?;
        }
        let mut seen = Vec::new();
        for wanted in &teams {
            if let Wanted::TeamRole { team, role } = *wanted {
                teams::check_name(role)?;
                if seen.contains(&team) {
                    return Err(Error::invalid_input(format!(
                        "two roles on the team `{team}` are wanted, and an account has one"
                    )));
                }
                seen.push(team);
            }
        }
        teams.extend(others);
        Ok(Self {
            role,
            license: only(&licenses, "licence")?,
            memberships: teams,
        })
    }

    /// Looks for what would keep a new account from getting them, so that it
    /// does not come into being by half.
    pub fn check(&self, client: &Client) -> Result<()> {
        let base = self.role.unwrap_or(DEFAULT_ROLE);
        roles::check_plan(client, base)?;
        licenses::check_seat(client, base, self.license)?;
        for wanted in &self.memberships {
            if let Wanted::TeamRole { team, role } = wanted {
                teams::check_base_role(base, role)?;
                vendor_teams::get(client, team)?;
            }
        }
        Ok(())
    }
}

fn only<'a>(wanted: &[&'a str], what: &str) -> Result<Option<&'a str>> {
    match wanted {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(Error::invalid_input(format!(
            "{} {what}s are wanted, and an account has one",
            wanted.len()
        ))),
    }
}
