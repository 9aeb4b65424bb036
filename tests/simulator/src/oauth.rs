//! PagerDuty's identity service: codes, access tokens, refresh tokens.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::api::{Answer, Incoming, Refusal, Reply};
use crate::state::{Account, Ids, shift};

/// The OAuth client that the identity service knows.
#[derive(Clone, Copy, Debug)]
pub struct OauthClient {
    /// The `client_id`.
    pub id: &'static str,
    /// The `client_secret`.
    pub secret: &'static str,
}

/// The OAuth client of every simulated account.
pub const OAUTH_CLIENT: OauthClient = OauthClient {
    id: "simulated-client",
    secret: "simulated-client-secret",
};

/// A code is valid for half a minute.
const CODE_SECONDS: i64 = 30;
/// What the documented reply for a user token says: ten days.
const USER_TOKEN_SECONDS: i64 = 864_000;
const REFRESH_SECONDS: i64 = 210 * 86_400;
const APP_TOKEN_SECONDS: i64 = 86_400;

/// Resources with `.read` and `.write` scopes.
const RESOURCES: [&str; 11] = [
    "users",
    "licenses",
    "teams",
    "schedules",
    "oncalls",
    "escalation_policies",
    "incidents",
    "abilities",
    "services",
    "oauth_delegations",
    "audit_records",
];

/// What the identity service has issued.
pub(crate) struct Grants {
    ids: Ids,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    /// Refresh tokens that have been used, with the sign-in they belong to.
    used: HashMap<String, u64>,
    sign_ins: u64,
}

struct Code {
    redirect_uri: String,
    challenge: Option<String>,
    scopes: Vec<String>,
    until: Timestamp,
}

/// What an access token may do.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) scopes: Vec<String>,
    pub(crate) acts_as_user: bool,
    sign_in: u64,
    until: Timestamp,
}

struct Refresh {
    scopes: Vec<String>,
    sign_in: u64,
    until: Timestamp,
}

impl Grants {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            // Not the seed of the account: its ids must not depend on sign-ins.
            ids: Ids::new(seed ^ 0x6f61_7574),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            used: HashMap::new(),
            sign_ins: 0,
        }
    }

    /// A refresh token works once: the reply has the next one. Who uses it
    /// again may have stolen it, so that the whole sign-in ends, as RFC 9700,
    /// 4.14.2 has it. PagerDuty does not say what it does; this is the strict
    /// way.
    fn use_up(&mut self, token: &str) -> Option<Refresh> {
        if let Some(sign_in) = self.used.get(token) {
            self.refresh
                .retain(|_, refresh| refresh.sign_in != *sign_in);
            self.access.retain(|_, access| access.sign_in != *sign_in);
            return None;
        }
        let refresh = self.refresh.remove(token)?;
        self.used.insert(token.to_owned(), refresh.sign_in);
        Some(refresh)
    }

    fn new_sign_in(&mut self) -> u64 {
        self.sign_ins += 1;
        self.sign_ins
    }

    pub(crate) fn access(&self, token: &str, now: Timestamp) -> Option<&Access> {
        self.access.get(token).filter(|access| access.until > now)
    }

    fn token(&mut self, kind: char) -> String {
        format!("pdus+_{kind}X{}", self.ids.secret(24))
    }
}

/// Answers the OAuth paths, which need no credential; `None` for all others.
pub(crate) fn answer(
    request: &Incoming,
    grants: &mut Grants,
    account: &mut Account,
    now: Timestamp,
) -> Option<Answer> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/oauth/authorize") => {
            Some(authorize(request, grants, account.config.consent, now))
        }
        ("POST", "/oauth/token") => Some(token(request, grants, account, now)),
        ("GET", "/global/oauth/anonymous/jwks") => Some(Ok(Reply::ok(json!({"keys": []})))),
        _ => None,
    }
}

/// The user agrees, or not, at once; the browser goes back with a code or with
/// an error.
fn authorize(request: &Incoming, grants: &mut Grants, consent: bool, now: Timestamp) -> Answer {
    let param = |name: &str| {
        request
            .query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    };
    if param("client_id") != Some(OAUTH_CLIENT.id) {
        return Err(refuse(401, "invalid_client", "The client is unknown"));
    }
    let redirect = param("redirect_uri").and_then(|uri| url::Url::parse(uri).ok());
    let mut redirect =
        redirect.ok_or_else(|| refuse(400, "invalid_request", "redirect_uri is invalid"))?;
    let mut outcome = vec![];
    if param("response_type") != Some("code") {
        outcome.push(("error", "unsupported_response_type".to_owned()));
    } else if param("code_challenge").is_some() && param("code_challenge_method") != Some("S256") {
        outcome.push(("error", "invalid_request".to_owned()));
    } else if !consent {
        outcome.push(("error", "access_denied".to_owned()));
        let description = "The resource owner denied the request".to_owned();
        outcome.push(("error_description", description));
    } else {
        let code = grants.ids.secret(32);
        outcome.push(("code", code.clone()));
        let issued = Code {
            redirect_uri: param("redirect_uri").unwrap_or_default().to_owned(),
            challenge: param("code_challenge").map(str::to_owned),
            scopes: granted(param("scope").unwrap_or_default()),
            until: shift(now, CODE_SECONDS),
        };
        grants.codes.insert(code, issued);
    }
    if let Some(state) = param("state") {
        outcome.push(("state", state.to_owned()));
    }
    redirect.query_pairs_mut().extend_pairs(outcome);
    Ok(Reply {
        status: 302,
        body: None,
        location: Some(redirect.into()),
    })
}

/// The known scopes of a request. Unknown ones are dropped without an error.
fn granted(scope: &str) -> Vec<String> {
    let known = |scope: &str| {
        let resource = scope
            .rsplit_once('.')
            .filter(|(_, access)| matches!(*access, "read" | "write"));
        matches!(
            scope,
            "read" | "write" | "users:sessions.read" | "users:sessions.write" | "analytics.write"
        ) || resource.is_some_and(|(resource, _)| RESOURCES.contains(&resource))
    };
    let asked = scope.split_whitespace().filter(|scope| known(scope));
    ["openid"]
        .into_iter()
        .chain(asked)
        .map(str::to_owned)
        .collect()
}

fn token(request: &Incoming, grants: &mut Grants, account: &Account, now: Timestamp) -> Answer {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    let content_type = request.headers.get(http::header::CONTENT_TYPE);
    let is_form = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return Err(refuse(
            400,
            "invalid_request",
            "The body must be form-urlencoded",
        ));
    }
    let field = |name: &str| {
        form.get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let secret_fits = field("client_secret").is_none_or(|secret| secret == OAUTH_CLIENT.secret);
    if field("client_id") != Some(OAUTH_CLIENT.id) || !secret_fits {
        return Err(refuse(
            401,
            "invalid_client",
            "Client authentication failed",
        ));
    }
    let confidential = field("client_secret").is_some();
    match field("grant_type") {
        Some("authorization_code") => {
            // Used up by the attempt, also by one that fails.
            let code = field("code").and_then(|code| grants.codes.remove(code));
            let code = code
                .filter(|code| code.until > now)
                .filter(|code| field("redirect_uri") == Some(code.redirect_uri.as_str()))
                .filter(|code| verified(code.challenge.as_deref(), field("code_verifier")))
                // Without a secret, PKCE is all there is.
                .filter(|code| confidential || code.challenge.is_some())
                .ok_or_else(|| refuse(400, "invalid_grant", "The code is invalid or expired"))?;
            let sign_in = grants.new_sign_in();
            Ok(user_token(grants, account, code.scopes, sign_in, now))
        }
        Some("refresh_token") => {
            let refresh = field("refresh_token").and_then(|token| grants.use_up(token));
            let refresh = refresh.filter(|refresh| refresh.until > now);
            let refresh = refresh
                .ok_or_else(|| refuse(400, "invalid_grant", "The refresh token is invalid"))?;
            let sign_in = refresh.sign_in;
            Ok(user_token(grants, account, refresh.scopes, sign_in, now))
        }
        Some("client_credentials") if confidential => {
            app_token(grants, account, field("scope").unwrap_or_default(), now)
        }
        Some("client_credentials") => Err(refuse(
            401,
            "invalid_client",
            "Client authentication failed",
        )),
        _ => Err(refuse(
            400,
            "unsupported_grant_type",
            "The grant type is not supported",
        )),
    }
}

fn verified(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(challenge), Some(verifier)) => {
            BASE64.encode(Sha256::digest(verifier.as_bytes())) == challenge
        }
    }
}

fn user_token(
    grants: &mut Grants,
    account: &Account,
    scopes: Vec<String>,
    sign_in: u64,
    now: Timestamp,
) -> Reply {
    let (access, refresh) = (grants.token('0'), grants.token('1'));
    let life = access_life(account, USER_TOKEN_SECONDS);
    let until = shift(now, life);
    let held = Access {
        scopes: scopes.clone(),
        acts_as_user: true,
        sign_in,
        until,
    };
    grants.access.insert(access.clone(), held);
    let scope = scopes.join(" ");
    let kept = Refresh {
        scopes,
        sign_in,
        until: shift(now, REFRESH_SECONDS),
    };
    grants.refresh.insert(refresh.clone(), kept);
    Reply::ok(json!({
        "client_info": "prefix_legacy_app", "id_token": id_token(account, now),
        "token_type": "bearer", "access_token": access, "refresh_token": refresh, "scope": scope,
        "expires_in": life,
    }))
}

fn access_life(account: &Account, documented: i64) -> i64 {
    let life = account.config.access_token_life;
    life.map_or(documented, |life| {
        i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
    })
}

/// A token of the app itself: no user and no refresh token.
fn app_token(grants: &mut Grants, account: &Account, scope: &str, now: Timestamp) -> Answer {
    let config = &account.config;
    let own = format!("as_account-{}.{}", config.region.name(), config.subdomain);
    if !scope.split_whitespace().any(|scope| scope == own) {
        return Err(refuse(
            400,
            "invalid_scope",
            "The account scope is missing or wrong",
        ));
    }
    let scopes: Vec<String> = [own]
        .into_iter()
        .chain(
            granted(scope)
                .into_iter()
                .filter(|scope| scope.contains('.')),
        )
        .collect();
    let access = grants.token('0');
    let life = access_life(account, APP_TOKEN_SECONDS);
    let reply = json!({
        "access_token": access, "scope": scopes.join(" "), "token_type": "bearer",
        "expires_in": life,
    });
    let until = shift(now, life);
    let sign_in = grants.new_sign_in();
    grants.access.insert(
        access,
        Access {
            scopes,
            acts_as_user: false,
            sign_in,
            until,
        },
    );
    Ok(Reply::ok(reply))
}

/// An ID token with the real claims. Its signature is not one.
fn id_token(account: &Account, now: Timestamp) -> String {
    let config = &account.config;
    let claims = json!({
        "iss": "https://identity.pagerduty.com/global/oauth/anonymous",
        "aud": [OAUTH_CLIENT.id, format!("https://{}", config.region.api_host())],
        "subdomain": config.subdomain, "region": config.region.name(), "account_id": "PACCNT1",
        "user_id": account.owner().map(|owner| &owner.id), "iat": now.as_second(),
        "exp": shift(now, USER_TOKEN_SECONDS).as_second(),
    });
    let part = |value: Value| BASE64.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "JWT", "kid": "simulated"}));
    format!("{header}.{}.{}", part(claims), BASE64.encode("simulated"))
}

fn refuse(status: u16, error: &str, description: &str) -> Refusal {
    Refusal {
        status,
        body: json!({"error": error, "error_description": description}),
    }
}
