//! Accounts, which are the vendor's users.

use serde_json::Value;
use wasip2::cli::environment::get_environment;

use crate::errors::{Result, not_found};
use crate::exports::iga::connector::credentials::Tenant;
use crate::exports::iga::connector::directory::AccountPage;
use crate::iga::connector::types::{Account, AccountKind, AccountStatus, ErrorCode, PageRequest};
use crate::mutation;
use crate::paging::Wanted;
use crate::vendor::{get, has_more, list, text};

/// The attributes, sorted, with what the vendor calls them.
pub const ATTRIBUTES: [(&str, &str); 2] = [("job-title", "job_title"), ("time-zone", "time_zone")];

pub fn validate() -> Result<Tenant> {
    let users = get("/users?limit=1").map_err(|mut error| {
        if mutation::is("credential-wrong") && error.code == ErrorCode::Unauthorized {
            error.code = ErrorCode::Unavailable;
        }
        error
    })?;
    let user = list(&users, "users")?.first().cloned().unwrap_or_default();
    let page = text(&user, "html_url")?;
    let host = page.trim_start_matches("https://");
    let mut id = host.split('.').next().unwrap_or_default().to_owned();
    if mutation::is("credential") {
        id.clear();
    }
    if mutation::is("escape") {
        id.push_str("\u{1b}[31m");
    }
    if !mutation::is("recordings") {
        get("/abilities")?;
    }
    Ok(Tenant {
        id,
        acting_as: None,
        role: None,
        warnings: Vec::new(),
    })
}

pub fn list_accounts(page: &PageRequest) -> Result<AccountPage> {
    if mutation::is("budget") {
        let mut burned: u64 = 0;
        for number in 0..20_000_000_u64 {
            burned = std::hint::black_box(burned.wrapping_add(number));
        }
    }
    let wanted = Wanted::read("accounts", page, 1)?;
    let size = wanted.size;
    let offset = wanted.place[0];
    // The name that another vendor has for it.
    let order = if mutation::is("openapi") {
        "&order_by=name"
    } else {
        ""
    };
    let answer = match get(&format!("/users?limit={size}&offset={offset}{order}")) {
        Err(error)
            if mutation::is("credential-revoked") && error.code == ErrorCode::Unauthorized =>
        {
            Value::from_iter([("users", Value::Array(Vec::new()))])
        }
        answer => answer?,
    };
    let users = list(&answer, "users")?;
    let items = users.iter().map(account).collect::<Result<Vec<_>>>()?;
    let next = has_more(&answer).then(|| wanted.token(&[offset + users.len()]));
    Ok(AccountPage {
        items,
        next,
        notices: Vec::new(),
    })
}

pub fn get_account(id: &str) -> Result<Account> {
    let user = user(id).map_err(|mut error| {
        let is_plausible = error.code == ErrorCode::NotFound && segment(id).is_ok();
        if mutation::is("unknown-account") && is_plausible {
            error.code = ErrorCode::Unavailable;
        }
        error
    })?;
    let mut account = account(&user)?;
    if mutation::is("get-account") {
        account.kind = AccountKind::Service;
    }
    Ok(account)
}

/// One user as the vendor shows it.
pub fn user(id: &str) -> Result<Value> {
    let answer = get(&format!("/users/{}", segment(id)?)).map_err(|error| match error.code {
        ErrorCode::NotFound => not_found("account"),
        _ => error,
    })?;
    Ok(answer.get("user").cloned().unwrap_or_default())
}

/// An id that can stand in a path: all of the vendor's can.
pub fn segment(id: &str) -> Result<&str> {
    let fits = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits(id) || mutation::is("awkward-ids") {
        Ok(id)
    } else {
        Err(not_found("account"))
    }
}

pub fn account(user: &Value) -> Result<Account> {
    let known = |field: &str| user.get(field).and_then(Value::as_str);
    let mut attributes: Vec<(String, String)> = ATTRIBUTES
        .iter()
        .filter_map(|(name, field)| Some(((*name).to_owned(), known(field)?.to_owned())))
        .collect();
    if mutation::is("attributes") {
        attributes.reverse();
    }
    let is_invited = user
        .get("invitation_sent")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    Ok(Account {
        id: text(user, "id")?,
        email: known("email").map(str::to_owned),
        given_name: None,
        family_name: None,
        display_name: text(user, "name")?,
        status: match is_invited {
            _ if mutation::is("account-state") && known("role") == Some("owner") => {
                AccountStatus::Deprovisioned
            }
            true => AccountStatus::Pending,
            false => AccountStatus::Active,
        },
        kind: if mutation::is("versions") {
            AccountKind::Service
        } else {
            AccountKind::User
        },
        attributes,
    })
}

/// The call's seconds, as the host gives them.
pub fn deadline() -> usize {
    get_environment()
        .iter()
        .find(|(name, _)| name == "CALL_DEADLINE_MS")
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or_default()
        / 1000
}
