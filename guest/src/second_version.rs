//! Another version of this connector, for the tests of a host that has to change
//! versions. Only there with the feature `second-version`.

use std::hint::black_box;

/// The version that it says it has, and puts into its requests.
macro_rules! version {
    () => {
        "0.2.0"
    };
}

/// In what it differs, in words. One build does for many versions: the tests write
/// over the second part of this text in the component's bytes.
static DIFFERENCES: [u8; 64] = *b"the-second-version-differs-here:                                ";

fn differs(word: &str) -> bool {
    // Read at run time, whatever the compiler thinks to know of its value.
    let text = String::from_utf8_lossy(black_box(&DIFFERENCES));
    let (_, words) = text.split_once(':').unwrap_or_default();
    words.split_whitespace().any(|known| known == word)
}

/// `names`: a role has another name.
pub fn label(label: &str) -> String {
    if label == "Responder" && differs("names") {
        return concat!("Responder of ", version!()).to_owned();
    }
    label.to_owned()
}

/// `requests`: each request has a parameter more.
pub fn query(query: &str) -> String {
    let separator = if query.is_empty() { '?' } else { '&' };
    if differs("requests") {
        return format!("{query}{separator}client_version={}", version!());
    }
    query.to_owned()
}

/// `tokens`: a page token means something else.
pub fn token_version(version: u8) -> u8 {
    if differs("tokens") {
        version + 1
    } else {
        version
    }
}

/// `traps`: it can't stand a user whose job no recording has.
pub fn meet(job_title: Option<String>) -> Option<String> {
    assert!(
        job_title.as_deref() != Some("Lift Operator") || !differs("traps"),
        "nobody has thought of that job"
    );
    job_title
}
