//! Teams and their members.

use std::collections::HashMap;

use super::{Account, Row};

/// A role within a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TeamRole {
    Observer,
    Responder,
    Manager,
}

impl TeamRole {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Responder => "responder",
            Self::Manager => "manager",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Observer, Self::Responder, Self::Manager]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A team.
#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// A private team has the default role `none`.
    pub(crate) private: bool,
    pub(crate) parent: Option<String>,
    members: Vec<(String, TeamRole)>,
    index: HashMap<String, usize>,
}

impl Row for Team {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Team {
    pub(crate) fn new(id: String, name: String, private: bool, parent: Option<String>) -> Self {
        Self {
            id,
            description: Some(format!("The {name} team")),
            name,
            private,
            parent,
            members: Vec::new(),
            index: HashMap::new(),
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, TeamRole)> {
        self.members.iter().map(|(id, role)| (id.as_str(), *role))
    }

    pub(crate) fn role(&self, user: &str) -> Option<TeamRole> {
        self.members
            .get(*self.index.get(user)?)
            .map(|(_, role)| *role)
    }

    pub(super) fn remove(&mut self, user: &str) {
        if self.index.remove(user).is_some() {
            self.members.retain(|(id, _)| id != user);
            self.index = self
                .members
                .iter()
                .enumerate()
                .map(|(at, (id, _))| (id.clone(), at))
                .collect();
        }
    }

    fn put(&mut self, user: &str, role: TeamRole) {
        match self
            .index
            .get(user)
            .and_then(|at| self.members.get_mut(*at))
        {
            Some(member) => member.1 = role,
            None => {
                self.index.insert(user.to_owned(), self.members.len());
                self.members.push((user.to_owned(), role));
            }
        }
    }
}

impl Account {
    /// Adds a user to a team or changes the role in it.
    pub(crate) fn put_member(&mut self, team: &str, user: &str, role: TeamRole) {
        let (Some(team), Some(user)) = (self.teams.get_mut(team), self.users.get_mut(user)) else {
            return;
        };
        team.put(&user.id, role);
        if !user.teams.contains(&team.id) {
            user.teams.push(team.id.clone());
        }
        self.users_version += 1;
    }

    pub(crate) fn remove_member(&mut self, team: &str, user: &str) {
        if let Some(team) = self.teams.get_mut(team) {
            team.remove(user);
        }
        if let Some(user) = self.users.get_mut(user) {
            user.teams.retain(|id| id != team);
        }
        self.users_version += 1;
    }

    /// Whether an escalation policy of the team targets the user, which keeps
    /// the user in the team.
    pub(crate) fn is_held_by_policy(&self, team: &str, user: &str) -> bool {
        self.policies
            .iter()
            .any(|p| p.teams.iter().any(|t| t == team) && p.targets_user(user))
    }

    /// After a change of base role, a fixed team role applies to every team.
    pub(crate) fn align_team_roles(&mut self, user: &str) {
        let Some(user) = self.users.get(user) else {
            return;
        };
        let Some(role) = user.role.fixed_team_role() else {
            return;
        };
        for team in &user.teams {
            if let Some(team) = self.teams.get_mut(team) {
                team.put(&user.id, role);
            }
        }
    }
}
