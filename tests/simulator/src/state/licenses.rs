//! Licences: every user holds exactly one.

use super::Account;
use super::users::Role;

/// A licence of the account. Names are not unique.
#[derive(Clone, Debug)]
pub(crate) struct License {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) valid_roles: Vec<Role>,
    pub(crate) role_group: &'static str,
    /// How many are in use.
    pub(crate) used: usize,
    /// How many there are; `None` is unlimited.
    pub(crate) seats: Option<usize>,
}

impl License {
    pub(crate) fn has_seat(&self) -> bool {
        self.seats.is_none_or(|seats| self.used < seats)
    }
}

impl Account {
    pub(crate) fn license(&self, id: &str) -> Option<&License> {
        self.licenses.iter().find(|license| license.id == id)
    }

    pub(crate) fn license_mut(&mut self, id: &str) -> Option<&mut License> {
        self.licenses.iter_mut().find(|license| license.id == id)
    }

    /// The licence that the backend picks for a role when none is named.
    pub(crate) fn license_for(&self, role: Role) -> Option<&License> {
        self.licenses
            .iter()
            .find(|license| license.valid_roles.contains(&role) && license.has_seat())
    }
}
