//! The tables of things, which are alike: a staged one, and one of versions.

/// What a run reads one kind of, and the store keeps versions of.
#[derive(Debug)]
pub(crate) struct Table {
    /// Of the versions; the staged rows are in `staged_` and this.
    pub(crate) name: &'static str,
    /// What tells two things apart.
    pub(crate) keys: &'static [&'static str],
    /// What is said of them.
    pub(crate) says: &'static [&'static str],
}

pub(crate) const ACCOUNTS: Table = Table {
    name: "accounts",
    keys: &["id"],
    says: &[
        "email",
        "given_name",
        "family_name",
        "display_name",
        "status",
        "kind",
        "attributes",
    ],
};

pub(crate) const RESOURCES: Table = Table {
    name: "resources",
    keys: &["resource_type", "id"],
    says: &["label", "description"],
};

pub(crate) const ENTITLEMENTS: Table = Table {
    name: "entitlements",
    keys: &["entitlement_type", "resource_type", "resource", "id"],
    says: &["label", "description", "assignable", "available"],
};

pub(crate) const GRANTS: Table = Table {
    name: "grants",
    keys: &[
        "account",
        "entitlement_type",
        "resource_type",
        "resource",
        "entitlement",
    ],
    says: &["since"],
};

pub(crate) const LAST_ACTIVITY: Table = Table {
    name: "last_activity",
    keys: &["account"],
    says: &["kind", "at", "source"],
};

/// All of them.
pub(crate) const TABLES: [Table; 5] = [ACCOUNTS, RESOURCES, ENTITLEMENTS, GRANTS, LAST_ACTIVITY];

impl Table {
    /// Keys, then what is said.
    pub(crate) fn columns(&self) -> String {
        [self.keys, self.says].concat().join(", ")
    }

    /// Holds where rows of the tables `one` and `other` are of the same thing.
    pub(crate) fn same_thing(&self, one: &str, other: &str) -> String {
        equal(self.keys, "=", one, other)
    }

    /// Holds where they say the same of it.
    pub(crate) fn says_the_same(&self, one: &str, other: &str) -> String {
        equal(self.says, "IS", one, other)
    }
}

fn equal(columns: &[&str], operator: &str, one: &str, other: &str) -> String {
    let equal = columns
        .iter()
        .map(|column| format!("{one}.{column} {operator} {other}.{column}"));
    equal.collect::<Vec<_>>().join(" AND ")
}
