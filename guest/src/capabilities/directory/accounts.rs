//! Accounts are PagerDuty's users.

use super::{page_size, position};
use crate::errors::{Error, Result};
use crate::exports::iga::connector::directory::AccountPage;
use crate::iga::connector::types::{Account, AccountKind, AccountStatus, PageRequest};
use crate::page_token::{self, Cursor, Function};
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Json;
use crate::pagerduty::user_walk;
use crate::pagerduty::users::{self, User};

impl Cursor for user_walk::Cursor {
    fn write(&self) -> Json<'static> {
        self.write()
    }

    fn read(json: &Json) -> Option<Self> {
        Self::read(json)
    }

    fn is_valid(&self) -> bool {
        self.is_valid()
    }
}

/// Some of the accounts.
pub fn list_accounts(client: &Client, page: &PageRequest) -> Result<AccountPage> {
    let size = page_size(client, page)?;
    let cursor = position(Function::Accounts, page)?;
    let (users, next) = user_walk::next(client, cursor, size)?;
    Ok(AccountPage {
        items: users.into_iter().map(account).collect(),
        next: next
            .map(|cursor| page_token::encode(Function::Accounts, &cursor))
            .transpose()?,
        notices: Vec::new(),
    })
}

/// One account.
pub fn get_account(client: &Client, id: &str) -> Result<Account> {
    let user = users::get(client, id)?;
    if user.id.is_empty() {
        return Err(Error::invalid_response(
            "PagerDuty sent a user without an id",
        ));
    }
    Ok(account(user))
}

/// A user in the contract's terms.
pub fn account(user: User) -> Account {
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    // In the order of the names, as the contract has it.
    let attributes = [
        ("billed", flag(user.billed)),
        ("created-via-sso", flag(user.created_via_sso)),
        ("description", user.description),
        ("job-title", user.job_title),
        ("locale", user.locale),
        ("role", user.role),
        ("time-zone", user.time_zone),
    ];
    let email = user.email.filter(|email| !email.is_empty());
    let display_name = (user.name.filter(|name| !name.is_empty()))
        .or_else(|| email.clone())
        .unwrap_or_else(|| user.id.clone());
    Account {
        id: user.id,
        email,
        // PagerDuty keeps one name, and how it divides is anybody's guess.
        given_name: None,
        family_name: None,
        display_name,
        status: match user.invitation_sent {
            Some(true) => AccountStatus::Pending,
            _ => AccountStatus::Active,
        },
        kind: AccountKind::User,
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
    }
}
