//! Users and their base roles.

use jiff::Timestamp;

use super::teams::TeamRole;
use super::{Account, Row};

/// A base role. `team_responder` is not one any more: it becomes `observer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Owner,
    Admin,
    User,
    LimitedUser,
    Observer,
    RestrictedAccess,
    ReadOnlyUser,
    ReadOnlyLimitedUser,
}

impl Role {
    pub(crate) const FULL: [Self; 6] = [
        Self::Owner,
        Self::Admin,
        Self::User,
        Self::LimitedUser,
        Self::Observer,
        Self::RestrictedAccess,
    ];
    pub(crate) const STAKEHOLDERS: [Self; 2] = [Self::ReadOnlyUser, Self::ReadOnlyLimitedUser];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::User => "user",
            Self::LimitedUser => "limited_user",
            Self::Observer => "observer",
            Self::RestrictedAccess => "restricted_access",
            Self::ReadOnlyUser => "read_only_user",
            Self::ReadOnlyLimitedUser => "read_only_limited_user",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        // Deprecated, silently turned into what it is today.
        if name == "team_responder" {
            return Some(Self::Observer);
        }
        Self::FULL
            .into_iter()
            .chain(Self::STAKEHOLDERS)
            .find(|role| role.name() == name)
    }

    pub(crate) fn is_stakeholder(self) -> bool {
        Self::STAKEHOLDERS.contains(&self)
    }

    /// The only team role that the base role can have.
    pub(crate) fn fixed_team_role(self) -> Option<TeamRole> {
        match self {
            Self::Owner | Self::Admin => Some(TeamRole::Manager),
            Self::ReadOnlyUser | Self::ReadOnlyLimitedUser => Some(TeamRole::Observer),
            Self::User | Self::LimitedUser | Self::Observer | Self::RestrictedAccess => None,
        }
    }

    pub(crate) fn default_team_role(self) -> TeamRole {
        match self {
            Self::Owner | Self::Admin | Self::User => TeamRole::Manager,
            Self::LimitedUser => TeamRole::Responder,
            Self::Observer
            | Self::RestrictedAccess
            | Self::ReadOnlyUser
            | Self::ReadOnlyLimitedUser => TeamRole::Observer,
        }
    }
}

/// A user of the account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: Role,
    pub(crate) time_zone: String,
    pub(crate) color: &'static str,
    pub(crate) job_title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) invitation_sent: bool,
    pub(crate) created_via_sso: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) last_sign_in_at: Option<Timestamp>,
    /// When browser and mobile access was last revoked, if it was.
    pub(crate) web_revoked_at: Option<Timestamp>,
    pub(crate) mobile_revoked_at: Option<Timestamp>,
    pub(crate) license: String,
    pub(crate) allocated_at: Timestamp,
    /// Team ids; the roles are with the teams.
    pub(crate) teams: Vec<String>,
    pub(crate) contact_method: String,
    pub(crate) notification_rules: [String; 2],
}

impl Row for User {
    fn id(&self) -> &str {
        &self.id
    }
}

impl User {
    pub(crate) fn has_mobile(&self) -> bool {
        self.id
            .bytes()
            .map(usize::from)
            .sum::<usize>()
            .is_multiple_of(2)
    }
}

/// Why a user cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocker {
    Owner,
    Incidents,
    CleanUp,
    Schedule,
    EscalationPolicy,
}

impl Account {
    pub(crate) fn add_user(&mut self, user: User) {
        self.emails
            .insert(user.email.to_lowercase(), user.id.clone());
        self.users.insert(user);
        self.users_version += 1;
    }

    pub(crate) fn user_by_email(&self, email: &str) -> Option<&User> {
        self.users.get(self.emails.get(&email.to_lowercase())?)
    }

    pub(crate) fn owner(&self) -> Option<&User> {
        // The owner is the first user and cannot be deleted.
        self.users.iter().next()
    }

    pub(crate) fn deletion_blocker(&self, id: &str) -> Option<Blocker> {
        let user = self.users.get(id)?;
        if user.role == Role::Owner {
            return Some(Blocker::Owner);
        }
        if self.config.plan.offboarding {
            return None;
        }
        if self
            .incidents
            .iter()
            .any(|i| i.is_open() && i.is_assigned_to(id))
        {
            return Some(Blocker::Incidents);
        }
        if self.cleanups.get(id).is_some_and(|until| self.now < *until) {
            return Some(Blocker::CleanUp);
        }
        let scheduled = self.schedules.iter().any(|s| s.counts_on(id, self.now))
            || self.schedules_v3.iter().any(|s| s.counts_on(id, self.now));
        if scheduled {
            return Some(Blocker::Schedule);
        }
        if self.policies.iter().any(|p| p.targets_user(id)) {
            return Some(Blocker::EscalationPolicy);
        }
        None
    }

    /// Deletes a user; layers, rules and incidents keep a reference to what is no more.
    pub(crate) fn delete_user(&mut self, id: &str) {
        let Some(user) = self.users.remove(id) else {
            return;
        };
        self.emails.remove(&user.email.to_lowercase());
        self.users_version += 1;
        for team in &user.teams {
            if let Some(team) = self.teams.get_mut(team) {
                team.remove(id);
            }
        }
        let deleted = super::DeletedUser {
            name: user.name,
            at: self.now,
        };
        self.deleted.insert(id.to_owned(), deleted);
        self.cleanups.remove(id);
        let due = self.reassignment_done_at();
        if due <= self.now {
            self.hand_back_incidents(id);
        } else {
            self.handovers.push((due, id.to_owned()));
        }
    }
}
