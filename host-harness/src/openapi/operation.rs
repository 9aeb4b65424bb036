//! Which operation of a description a request asks for.

use serde_json::Value;
use url::Url;

use super::pointer::token;

/// An operation of a description.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation {
    /// In lower case, as in the description.
    pub method: String,
    /// The template of its path, as in the description.
    pub template: String,
}

impl Operation {
    /// The pointer of what its path has in common.
    pub(super) fn path_item(&self) -> String {
        format!("/paths/{}", token(&self.template))
    }
}

/// The paths that servers of the description have in front of its own.
pub(super) fn base_paths(openapi: &Value) -> Vec<String> {
    let servers = openapi["servers"].as_array();
    let mut paths: Vec<String> = servers.into_iter().flatten().map(base_path).collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        paths.push(String::new());
    }
    paths
}

fn base_path(server: &Value) -> String {
    let mut address = server["url"].as_str().unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        let value = variable["default"].as_str().unwrap_or_default();
        address = address.replace(&format!("{{{name}}}"), value);
    }
    let path = match Url::parse(&address) {
        Ok(url) => url.path().to_owned(),
        // Relative to where the description was found.
        Err(_) => address,
    };
    path.trim_end_matches('/').to_owned()
}

/// How literally a template takes a path, segment by segment; none if it does
/// not fit. The greater, the more literal.
pub(super) fn fit(template: &str, path: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = template.split('/').collect();
    let segments: Vec<&str> = path.split('/').collect();
    if parts.len() != segments.len() {
        return None;
    }
    let pairs = parts.iter().zip(segments);
    pairs
        .map(|(part, segment)| {
            segment_fits(part, segment).then_some(match part.find('{') {
                None => 2,
                Some(_) if part.starts_with('{') && part.ends_with('}') => 0,
                Some(_) => 1,
            })
        })
        .collect()
}

/// Whether a segment is that of a template, where each name in braces stands
/// for at least one character. What stands between names is taken where it is
/// found first: if that is wrong, so is all that comes later.
fn segment_fits(part: &str, segment: &str) -> bool {
    let (first, others) = literals(part);
    let Some(mut rest) = segment.strip_prefix(first) else {
        return false;
    };
    let Some((last, between)) = others.split_last() else {
        return rest.is_empty();
    };
    for literal in between {
        let after = beyond_first(rest).and_then(|rest| rest.split_once(literal));
        let Some((_, after)) = after else {
            return false;
        };
        rest = after;
    }
    beyond_first(rest).is_some_and(|rest| rest.ends_with(last))
}

/// What stands before the first name in braces, and after each of them.
fn literals(part: &str) -> (&str, Vec<&str>) {
    let mut names = Vec::new();
    let mut from = 0;
    while let Some(open) = part[from..].find('{').map(|at| from + at)
        && let Some(close) = part[open..].find('}').map(|at| open + at)
    {
        names.push((open, close));
        from = close + 1;
    }
    let ends = names.iter().map(|(open, _)| *open).chain([part.len()]);
    let starts = [0]
        .into_iter()
        .chain(names.iter().map(|(_, close)| close + 1));
    let mut literals = starts.zip(ends).map(|(start, end)| &part[start..end]);
    (literals.next().unwrap_or_default(), literals.collect())
}

fn beyond_first(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next()?;
    Some(characters.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_in_braces_stands_for_something() {
        for (template, path, fits) in [
            ("/users", "/users", true),
            ("/users", "/users/", false),
            ("/users/{id}", "/users/7", true),
            ("/users/{id}", "/users/", false),
            ("/users/{id}", "/users/7/teams", false),
            ("/users('{id}')", "/users('7')", true),
            ("/users('{id}')", "/users('7", false),
            ("/{year}-{month}.ics", "/2026-11.ics", true),
            ("/{year}-{month}.ics", "/2026-.ics", false),
            ("/{open", "/{open", true),
            ("/{a}{b}", "/7", false),
            ("/{a}{b}", "/\u{e9}\u{e9}", true),
            ("/{a}-{b}-", "/1-2-3-", true),
            ("/{a}-{b}", "/--", false),
            ("/{a}-{b}", "/---", true),
        ] {
            assert_eq!(fit(template, path).is_some(), fits, "{template} {path}");
        }
        assert!(fit("/users/me", "/users/me") > fit("/users/{id}", "/users/me"));
        assert!(fit("/users/m{x}", "/users/me") > fit("/users/{id}", "/users/me"));
    }

    /// Trying each length of each name would take longer than anyone waits.
    #[test]
    fn many_names_in_a_segment_end() {
        let names: String = (0..24).map(|n| format!("{{a{n}}}")).collect();
        let template = format!("/{names}!");
        assert!(fit(&template, &format!("/{}", "x".repeat(200))).is_none());
        assert!(fit(&template, &format!("/{}!", "x".repeat(200))).is_some());
    }

    #[test]
    fn servers_have_paths() {
        let paths = |servers: Value| base_paths(&json!({ "servers": servers }));
        assert_eq!(base_paths(&json!({})), [""]);
        assert_eq!(paths(json!([{"url": "https://api.example.com/"}])), [""]);
        assert_eq!(paths(json!([{"url": "/v2/"}])), ["/v2"]);
        let variables = json!({"region": {"default": "eu"}, "base": {"default": "api/v1"}});
        let url = "https://{region}.example.com/{base}";
        assert_eq!(
            paths(json!([{ "url": url, "variables": variables }])),
            ["/api/v1"]
        );
    }
}
