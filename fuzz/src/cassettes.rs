//! Recordings, ours and other programs': read as they were meant, or refused.

use host_harness::egress::cassette::{Cassette, Matcher, RequestKey, Scrubber, convert, lint};

/// A cassette that reads is written as it was read, and each interaction answers
/// its own request, once.
pub(super) fn reads_back_as_it_is_written(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(cassette) = Cassette::parse(&text, "fuzzed") else {
        return;
    };
    let written = cassette.to_text();
    let again = Cassette::parse(&written, "written");
    assert_eq!(again.as_ref().ok(), Some(&cassette), "{again:?}: {written}");
    for finding in lint(&cassette, jiff::Timestamp::UNIX_EPOCH) {
        assert!(!finding.message.is_empty());
    }
    let mut matcher = Matcher::new(&cassette.interactions);
    let mut played = Vec::new();
    for interaction in &cassette.interactions {
        let request = &interaction.request;
        let key = RequestKey::new(&request.method, &request.uri, &request.body);
        if let Some(key) = key {
            played.push(matcher.take(&key).expect("its own request is known"));
            if played.len() == cassette.interactions.len() {
                matcher.take(&key).expect_err("none is played twice");
            }
        }
    }
    let count = played.len();
    played.sort_unstable();
    played.dedup();
    assert_eq!(played.len(), count, "none is played twice");
    assert_eq!(
        matcher.unplayed().len(),
        cassette.interactions.len() - count,
        "all others are left"
    );
    convert::to_har(&cassette);
}

/// What another program has recorded becomes a cassette that reads, or an error
/// with a hint; and what is scrubbed stays so.
pub(super) fn other_formats_are_read_or_refused(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let scrubber = Scrubber::with_key([7; 32], "example.com", ["api.example.com".to_owned()]);
    for read in [
        convert::from_har(&text, "fuzzed.har", &scrubber),
        convert::from_vcr(&text, "fuzzed.yaml", &scrubber),
    ] {
        match read {
            Ok(cassette) => {
                let written = cassette.to_text();
                let again = Cassette::parse(&written, "written").expect("it was just written");
                assert_eq!(again, cassette);
                // There is nothing left to be scrubbed.
                let secrets = lint(&cassette, jiff::Timestamp::UNIX_EPOCH)
                    .into_iter()
                    .filter(|finding| {
                        let said = &finding.message;
                        said.contains("it keeps the header") || said.contains("a credential")
                    })
                    .count();
                assert_eq!(secrets, 0, "{written}");
            }
            Err(error) => assert!(!error.hint().is_empty(), "{error}"),
        }
    }
}
