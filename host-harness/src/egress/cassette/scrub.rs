//! What is taken out of a recording before it is written.
//!
//! Secrets are dropped. What identifies people and the tenant is replaced by
//! pseudonyms made with a keyed hash: the same e-mail address becomes the same
//! alias everywhere in the cassette, so joins survive, and without the key
//! nobody can test a guess.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;
use url::Url;

use super::{
    format::{Body, Cassette, RecordedOutcome, ScrubReport},
    recorder::hex,
};

/// Names the rules below, so that a reader of a cassette knows what was done.
const POLICY: &str = "iga-scrub/1";

pub(crate) const SCRUBBED: &str = "[scrubbed]";

/// Starts of texts that are credentials by their shape.
pub(super) const TOKEN_SHAPES: &[&str] =
    &["Token token=", "Bearer ", "pdus+_", "pdeu+_", "eyJhbGci"];

/// Fields that are secrets whatever they hold: tokens, and feeds that anybody
/// who has the address can read (PagerDuty API: `http_cal_url` and its like).
fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("_cal_url")
        || [
            "calendar_urls",
            "access_token",
            "refresh_token",
            "id_token",
            "client_secret",
            "code_verifier",
            "password",
            "api_key",
            "apikey",
            "token",
            "truncated_token",
        ]
        .contains(&name.as_str())
}

/// Adds the texts in secret fields, but for those too short to be a secret.
pub(super) fn collect_secrets(value: &Value, secrets: &mut BTreeSet<String>) {
    const SHORTEST: usize = 8;
    match value {
        Value::Array(items) => {
            for item in items {
                collect_secrets(item, secrets);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if is_secret_field(name) && text.len() >= SHORTEST => {
                        secrets.insert(text.clone());
                    }
                    _ => collect_secrets(value, secrets),
                }
            }
        }
        _ => {}
    }
}

/// Fields about a person that no join needs.
fn plain_replacement(name: &str) -> Option<&'static str> {
    match name {
        "avatar_url" => Some("https://example.com/avatar.png"),
        "remote_address" | "ip_address" => Some("192.0.2.1"),
        "phone" | "phone_number" => Some("5550100"),
        _ => None,
    }
}

/// Applies the rules with one key.
pub struct Scrubber {
    key: [u8; 32],
    /// Domain below which each tenant has a name of its own.
    vendor_domain: String,
    /// Hosts below it that belong to everybody.
    shared_hosts: BTreeSet<String>,
}

impl Scrubber {
    /// With a key of its own, for recordings of a vendor: pseudonyms of two
    /// cassettes have nothing in common.
    pub fn random(vendor_domain: &str, shared_hosts: impl IntoIterator<Item = String>) -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the operating system has random numbers");
        Self::with_key(key, vendor_domain, shared_hosts)
    }

    /// With a given key. Only for data that belongs to nobody, such as the
    /// simulator's, where the same recording should give the same file.
    pub fn with_key(
        key: [u8; 32],
        vendor_domain: &str,
        shared_hosts: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            key,
            vendor_domain: vendor_domain.to_ascii_lowercase(),
            shared_hosts: shared_hosts.into_iter().collect(),
        }
    }

    /// Scrubs all of a cassette in place and notes what was done.
    pub fn scrub(&self, cassette: &mut Cassette) {
        let known = self.collect(cassette);
        let mut pass = Pass::new(self, &known);
        for interaction in &mut cassette.interactions {
            interaction.request.uri = pass.uri(&interaction.request.uri);
            pass.body(&mut interaction.request.body);
            if let RecordedOutcome::Response(response) = &mut interaction.outcome {
                pass.body(&mut response.body);
            }
        }
        for call in &mut cassette.harness.calls {
            // A page token is the connector's own and holds no secret; without
            // it the call could not be made again.
            let token = call.input.pointer_mut("/page/token").map(Value::take);
            pass.names(&mut call.input);
            pass.value(None, &mut call.input);
            if let (Some(token), Some(place)) = (token, call.input.pointer_mut("/page/token")) {
                *place = token;
            }
        }
        for value in cassette.harness.settings.values_mut() {
            *value = pass.text(value);
        }
        cassette.harness.scrub = ScrubReport {
            policy: POLICY.to_owned(),
            replaced: pass.replaced,
        };
    }

    /// First pass: who and which tenant is in there at all?
    fn collect(&self, cassette: &Cassette) -> Known {
        let mut known = Known::default();
        for interaction in &cassette.interactions {
            if let Body::Json(value) = &interaction.request.body {
                known.visit(self, value);
            }
            if let RecordedOutcome::Response(response) = &interaction.outcome
                && let Body::Json(value) = &response.body
            {
                known.visit(self, value);
            }
        }
        for call in &cassette.harness.calls {
            known.visit_input(&call.input);
        }
        known
    }

    fn alias(&self, kind: &str, value: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes any key");
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(value.to_lowercase().as_bytes());
        hex(&mac.finalize().into_bytes())[..10].to_owned()
    }

    fn email_alias(&self, email: &str) -> String {
        format!("person-{}@example.com", self.alias("email", email))
    }

    /// The label below the vendor's domain that names the tenant:
    /// `acme` of `acme.eu.pagerduty.com`.
    fn tenant_label<'a>(&self, host: &'a str) -> Option<&'a str> {
        if self.vendor_domain.is_empty() || self.shared_hosts.contains(host) {
            return None;
        }
        let below = host
            .strip_suffix(self.vendor_domain.as_str())?
            .strip_suffix('.')?;
        below.split('.').next().filter(|label| !label.is_empty())
    }
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber")
            .field("vendor_domain", &self.vendor_domain)
            .finish_non_exhaustive()
    }
}

/// Names of people and tenants that occur in a recording.
#[derive(Debug, Default)]
struct Known {
    people: BTreeSet<String>,
    tenants: BTreeSet<String>,
}

impl Known {
    fn visit(&mut self, scrubber: &Scrubber, value: &Value) {
        match value {
            Value::Object(fields) => {
                if is_person(fields) {
                    for field in ["name", "summary"] {
                        self.person(fields.get(field));
                    }
                }
                self.person(fields.get("user_name"));
                for value in fields.values() {
                    self.visit(scrubber, value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.visit(scrubber, item)),
            Value::String(text) => {
                if let Some(label) = Url::parse(text)
                    .ok()
                    .as_ref()
                    .and_then(Url::host_str)
                    .and_then(|host| scrubber.tenant_label(host))
                {
                    self.tenants.insert(label.to_owned());
                }
            }
            _ => {}
        }
    }

    /// The parameters of a call, where names have the contract's fields.
    fn visit_input(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                self.person(fields.get("display_name"));
                self.name(full_name(fields).as_deref());
                fields.values().for_each(|value| self.visit_input(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.visit_input(item)),
            _ => {}
        }
    }

    fn person(&mut self, name: Option<&Value>) {
        self.name(name.and_then(Value::as_str));
    }

    fn name(&mut self, name: Option<&str>) {
        // Shorter ones would be found inside ordinary words.
        if let Some(name) = name
            && name.chars().count() >= 2
            && !name.contains('@')
        {
            self.people.insert(name.to_owned());
        }
    }
}

/// Whether an object stands for a person: it has an e-mail address, or its
/// type says so (`user`, `user_reference`).
fn is_person(fields: &Map<String, Value>) -> bool {
    fields.get("email").is_some_and(Value::is_string)
        || fields
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind == "user" || kind == "user_reference")
}

/// What a connector makes of a given and a family name, or of one of them.
fn full_name(fields: &Map<String, Value>) -> Option<String> {
    let parts = ["given_name", "family_name"].map(|field| fields.get(field));
    let parts: Vec<&str> = parts.iter().filter_map(|part| (*part)?.as_str()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Second pass: replace.
struct Pass<'a> {
    scrubber: &'a Scrubber,
    names: Option<AhoCorasick>,
    aliases: Vec<(&'static str, String)>,
    replaced: BTreeMap<String, u64>,
}

impl<'a> Pass<'a> {
    fn new(scrubber: &'a Scrubber, known: &Known) -> Self {
        let mut patterns = Vec::new();
        let mut aliases = Vec::new();
        for person in &known.people {
            patterns.push(person.clone());
            aliases.push(("name", format!("Person {}", scrubber.alias("name", person))));
        }
        for tenant in &known.tenants {
            // Only as a host name: a subdomain can be an ordinary word.
            let alias = format!("tenant-{}", scrubber.alias("tenant", tenant));
            patterns.push(format!("//{tenant}."));
            aliases.push(("tenant", format!("//{alias}.")));
        }
        let names = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .ok()
            .filter(|_| !patterns.is_empty());
        Self {
            scrubber,
            names,
            aliases,
            replaced: BTreeMap::new(),
        }
    }

    fn count(&mut self, kind: &str) {
        *self.replaced.entry(kind.to_owned()).or_default() += 1;
    }

    fn body(&mut self, body: &mut Body) {
        match body {
            Body::Json(value) => self.value(None, value),
            Body::Text(text) => *text = self.text(text),
            Body::None | Body::Base64(_) => {}
        }
    }

    /// Given and family names: by parts whose whole is the alias of the whole,
    /// so that a replay asks for what was recorded.
    fn names(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if let Some(name) = full_name(fields) {
                    let alias = self.scrubber.alias("name", &name);
                    let is = |field: &str| fields.get(field).is_some_and(Value::is_string);
                    let parts = match (is("given_name"), is("family_name")) {
                        (true, true) => {
                            vec![("given_name", "Person".to_owned()), ("family_name", alias)]
                        }
                        (true, false) => vec![("given_name", format!("Person {alias}"))],
                        _ => vec![("family_name", format!("Person {alias}"))],
                    };
                    for (field, part) in parts {
                        self.count("name");
                        fields.insert(field.to_owned(), Value::String(part));
                    }
                }
                fields.values_mut().for_each(|value| self.names(value));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.names(item)),
            _ => {}
        }
    }

    fn value(&mut self, field: Option<&str>, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                self.field_names(fields);
                for (name, value) in fields.iter_mut() {
                    if is_secret_field(name) && !value.is_null() {
                        self.count("secret");
                        *value = Value::String(SCRUBBED.to_owned());
                    } else {
                        self.value(Some(name), value);
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.value(field, item);
                }
            }
            Value::String(text) => {
                if let Some(replacement) = field.and_then(plain_replacement) {
                    self.count("personal");
                    *text = replacement.to_owned();
                } else {
                    *text = self.text(text);
                }
            }
            _ => {}
        }
    }

    /// Some vendors name fields by addresses, or worse. Names of people stay: they
    /// would be found in what documented fields are called.
    fn field_names(&mut self, fields: &mut Map<String, Value>) {
        let is_clean = |name: &String| {
            find_email(name).is_none() && !TOKEN_SHAPES.iter().any(|shape| name.contains(shape))
        };
        if fields.keys().all(is_clean) {
            return;
        }
        // Some may look alike now, and get numbers; none is lost.
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for (name, value) in std::mem::take(fields) {
            let clean = self.without_addresses(&name);
            let mut own = clean.clone();
            while fields.contains_key(&own) {
                let number = numbers.entry(clean.clone()).or_insert(1);
                *number += 1;
                own = format!("{clean} {number}");
            }
            fields.insert(own, value);
        }
    }

    fn uri(&mut self, uri: &str) -> String {
        let Ok(mut url) = Url::parse(uri) else {
            return self.text(uri);
        };
        if url.query().is_some() {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let mut query = url.query_pairs_mut();
            query.clear();
            for (name, value) in &pairs {
                let value = if is_secret_field(name) {
                    SCRUBBED.to_owned()
                } else {
                    self.text(value)
                };
                query.append_pair(name, &value);
            }
        }
        url.to_string()
    }

    fn text(&mut self, text: &str) -> String {
        let clean = self.without_addresses(text);
        let Some(names) = &self.names else {
            return clean;
        };
        let mut found = Vec::new();
        let mut replaced = String::with_capacity(clean.len());
        names.replace_all_with(&clean, &mut replaced, |hit, _, into| {
            let (kind, alias) = &self.aliases[hit.pattern().as_usize()];
            found.push(*kind);
            into.push_str(alias);
            true
        });
        for kind in found {
            self.count(kind);
        }
        replaced
    }

    /// Without credentials, and with pseudonyms for e-mail addresses.
    fn without_addresses(&mut self, text: &str) -> String {
        let without_tokens = self.without_tokens(text);
        let mut clean = String::with_capacity(without_tokens.len());
        let mut rest = without_tokens.as_str();
        while let Some((start, end)) = find_email(rest) {
            clean.push_str(&rest[..start]);
            clean.push_str(&self.scrubber.email_alias(&rest[start..end]));
            self.count("email");
            rest = &rest[end..];
        }
        clean.push_str(rest);
        clean
    }

    /// Takes out what is shaped like a credential, up to its end.
    fn without_tokens(&mut self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((start, shape)) = TOKEN_SHAPES
            .iter()
            .filter_map(|shape| Some((rest.find(shape)?, shape)))
            .min()
        {
            clean.push_str(&rest[..start]);
            clean.push_str(SCRUBBED);
            self.count("secret");
            let token = rest[start + shape.len()..].trim_start_matches(['"', '\'', '\\', ' ']);
            let ends = |c: char| c.is_whitespace() || "\"'\\,;&<>(){}[]".contains(c);
            rest = token.find(ends).map_or("", |end| &token[end..]);
        }
        clean.push_str(rest);
        clean
    }
}

/// The next thing in `text` that is shaped like an e-mail address.
pub(super) fn find_email(text: &str) -> Option<(usize, usize)> {
    let is_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    for (at, _) in text.match_indices('@') {
        let start = text[..at]
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_local(*c))
            .last()
            .map_or(at, |(position, _)| position);
        let domain = &text[at + 1..];
        let length: usize = domain
            .chars()
            .take_while(|c| is_domain(*c))
            .map(char::len_utf8)
            .sum();
        // A full stop behind it belongs to the sentence.
        let domain = domain[..length].trim_end_matches(['.', '-']);
        if start < at && domain.contains('.') && !domain.starts_with('.') {
            return Some((start, at + 1 + domain.len()));
        }
    }
    None
}
