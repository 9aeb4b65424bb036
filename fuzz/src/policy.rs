//! What may leave the sandbox, against the same said as plainly as possible.

use host_harness::{
    Grant, Origin,
    egress::{
        Scheme,
        policy::{Declaration, DeclaredCapability, Level, PathTemplate, Policy, RequestLine},
    },
};

/// Method, path template, level.
pub type Rules<'a> = [(&'a str, &'a str, Level)];

/// Of the one capability that declares anything.
pub const CAPABILITY: &str = "directory.list-accounts";

/// What the policy must say.
pub fn reference(
    rules: &Rules<'_>,
    granted: &[Origin],
    level: Level,
    asked: RequestLine<'_>,
) -> bool {
    let mut matching = rules
        .iter()
        .filter(|(method, path, _)| {
            let template: Vec<&str> = path.split('/').collect();
            let actual: Vec<&str> = asked.path.split('/').collect();
            *method == asked.method
                && template.len() == actual.len()
                && template.iter().zip(&actual).all(|(template, actual)| {
                    template == actual || (template.starts_with('{') && is_harmless(actual))
                })
        })
        .map(|(_, _, level)| *level)
        .peekable();
    asked.capability == CAPABILITY
        && granted.contains(asked.origin)
        && matching.peek().is_some()
        && matching.all(|needed| needed <= level)
}

/// Whether nobody who decodes a segment finds another path in it.
fn is_harmless(segment: &str) -> bool {
    let decoded = segment.to_lowercase().replace("%2e", ".");
    let opens_another = ["%2f", "%5c", "%25", "%00"];
    !segment.is_empty()
        && decoded != "."
        && decoded != ".."
        && !opens_another.iter().any(|bad| decoded.contains(bad))
        && !decoded.contains('\\')
}

/// A policy of these rules.
pub fn policy(grant: Grant, rules: &Rules<'_>) -> Option<Policy> {
    let declared = DeclaredCapability {
        name: CAPABILITY.to_owned(),
        level: Level::Write,
        requests: rules
            .iter()
            .map(|(method, path, level)| ((*method).to_owned(), (*path).to_owned(), *level))
            .collect(),
    };
    Some(Policy::new(Declaration::new([declared]).ok()?, grant))
}

/// Method, host, port, path, template, and whether the operator grants writes, in
/// lines.
pub(super) fn decides_as_the_reference(input: &[u8]) {
    let (lines, _) = super::lines(input, 6);
    let [method, host, port, path, template, writes] = &lines[..] else {
        return;
    };
    let rules = [
        ("GET", "/users", Level::Read),
        ("GET", "/users/{id}", Level::Read),
        ("PUT", "/users/{id}", Level::Write),
        ("GET", template.as_str(), Level::Read),
    ];
    // Not every text is a template; which are, the policy says.
    let is_template = PathTemplate::parse(template).is_some();
    let rules = if is_template { &rules[..] } else { &rules[..3] };
    let granted = ["https://api.example.com", "https://api.example.com:8443"];
    let granted = granted.map(|origin| origin.parse::<Origin>().expect("an origin"));
    let (grant, level) = if writes.contains('w') {
        (Grant::read_write(), Level::Write)
    } else {
        (Grant::read_only(), Level::Read)
    };
    let grant = granted.iter().cloned().fold(grant, Grant::origin);
    let port = port.parse().unwrap_or(443);
    let origin = Origin::from_parts(Scheme::Https, host, port);
    let asked = RequestLine {
        capability: CAPABILITY,
        method,
        origin: &origin,
        path,
    };
    let policy = policy(grant, rules).expect("sound rules");
    let decision = policy.decide(asked);
    assert_eq!(
        decision.is_ok(),
        reference(rules, &granted, level, asked),
        "{asked:?} under {rules:?}: {decision:?}"
    );
    if let Err(denial) = decision {
        assert!(!denial.hint().is_empty());
    }
}
