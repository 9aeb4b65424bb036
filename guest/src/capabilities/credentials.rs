//! `credentials`: who are we talking to, and may we?

use crate::errors::{ErrorCode, Result};
use crate::exports::iga::connector::credentials::Tenant;
use crate::pagerduty::abilities;
use crate::pagerduty::client::Client;
use crate::pagerduty::licenses;
use crate::pagerduty::users::{self, User};

/// Asks PagerDuty whether the credential is good.
pub fn validate(client: &Client) -> Result<Tenant> {
    let identity = identify(client)?;
    let mut warnings = Vec::new();
    if let Some(role) = &identity.role
        && !is_admin(role)
    {
        warnings.push(format!(
            "the credential's user has the role {role} and is not a Global Admin or Account \
             Owner: what this role does not see is missing from every list"
        ));
    }
    if identity.tenant.is_empty() {
        warnings.push("PagerDuty does not let it be seen which account this is".to_owned());
    }
    match abilities::get(client) {
        Ok(abilities) if !abilities.has("teams") => {
            warnings.push("the plan has no teams: team memberships are left out".to_owned());
        }
        Ok(_) => {}
        Err(error) if error.is_out_of_reach() => {
            warnings.push(format!(
                "the plan's abilities are not readable: {}",
                error.message
            ));
        }
        Err(error) => return Err(error),
    }
    match licenses::all(client) {
        Ok(_) => {}
        Err(error) if error.is_out_of_reach() => {
            warnings.push(format!("licences are not readable: {}", error.message));
        }
        Err(error) => return Err(error),
    }
    if identity.user.is_none() && client.settings().from_email.is_none() {
        warnings.push(
            "the credential acts as no user: incident hand-over needs the from-email setting"
                .to_owned(),
        );
    }
    if let Some(expected) = &client.settings().subdomain
        && !identity.subdomain.is_empty()
        && !expected.eq_ignore_ascii_case(&identity.subdomain)
    {
        warnings.push(format!(
            "the credential belongs to `{}`, and the setting `subdomain` is `{expected}`",
            identity.subdomain
        ));
    }
    Ok(Tenant {
        id: identity.tenant,
        acting_as: identity.user,
        role: identity.role,
        warnings,
    })
}

/// Whom a credential stands for.
pub struct Identity {
    /// The tenant; empty if PagerDuty does not let it be seen.
    pub tenant: String,
    /// The same without its service region.
    pub subdomain: String,
    /// None for an account-level key or an app token.
    pub user: Option<String>,
    /// That user's role.
    pub role: Option<String>,
}

/// Asks for the credential's user first, and where it has none for any user:
/// an account-level key gets a 400 for the first, an app token a 403 or 404.
pub fn identify(client: &Client) -> Result<Identity> {
    match users::me(client) {
        Ok(me) => Ok(Identity {
            tenant: me.tenant().unwrap_or_default().to_owned(),
            subdomain: me.subdomain().unwrap_or_default().to_owned(),
            user: Some(me.id).filter(|id| !id.is_empty()),
            role: me.role,
        }),
        Err(error)
            if matches!(
                error.code,
                ErrorCode::InvalidInput | ErrorCode::PermissionDenied | ErrorCode::NotFound
            ) && error.upstream_status.is_some() =>
        {
            let (first, _) = users::first(client)?;
            let seen = |what: fn(&User) -> Option<&str>| {
                let seen = first.as_ref().and_then(what);
                seen.unwrap_or_default().to_owned()
            };
            Ok(Identity {
                tenant: seen(User::tenant),
                subdomain: seen(User::subdomain),
                user: None,
                role: None,
            })
        }
        Err(error) => Err(error),
    }
}

/// Whether that role sees everything.
pub fn is_admin(role: &str) -> bool {
    matches!(role, "admin" | "owner")
}
