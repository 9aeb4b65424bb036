//! What `fuzz/` fuzzes, briefly: all that is kept in its corpora, and inputs that
//! are made of these.
//!
//! `PROPTEST_CASES=1000000 cargo test --release --test suite fuzzing` tries a million
//! inputs with each target.

#[path = "../../fuzz/src/lib.rs"]
pub mod targets;

use std::{fs, path::Path};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use targets::target;

/// Inputs that are kept: what has found something once, or leads somewhere.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut files: Vec<_> = fs::read_dir(folder.join(name))
        .expect("each target has a corpus")
        .map(|file| file.expect("it lists").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has a corpus");
    let read = |file: &_| fs::read(file).expect("it reads");
    files.iter().map(read).collect()
}

/// What is done to an input.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, u8),
    Insert(Index, Vec<u8>),
    /// A piece of this or another input of the corpus, at that place.
    Splice(Index, Index, Index, u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = any::<Index>;
    // What formats turn on.
    let token = prop::sample::select(vec![
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "0",
        "-1",
        "1e999",
        "\\u0000",
        "%2e",
        "/",
        "..",
        "\n",
        "PABC123",
        "\u{202e}",
        "\0",
        "99999999999999999999",
        "2026-11-22T00:00:00Z",
        "true",
    ]);
    let edit = prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, count)| Edit::Remove(at, count)),
        (at(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), token).prop_map(|(at, token)| Edit::Insert(at, token.as_bytes().to_vec())),
        (at(), at(), at(), any::<u8>())
            .prop_map(|(at, other, from, count)| Edit::Splice(at, other, from, count)),
    ];
    prop::collection::vec(edit, 0..6)
}

fn edited(corpus: &[Vec<u8>], seed: &Index, edits: &[Edit]) -> Vec<u8> {
    let mut input = seed.get(corpus).clone();
    for edit in edits {
        let place = |at: &Index| at.index(input.len() + 1);
        match edit {
            Edit::Set(at, byte) => {
                let at = place(at);
                if let Some(there) = input.get_mut(at) {
                    *there = *byte;
                }
            }
            Edit::Flip(at, bit) => {
                let at = place(at);
                if let Some(there) = input.get_mut(at) {
                    *there ^= 1 << bit;
                }
            }
            Edit::Remove(at, count) => {
                let at = place(at);
                let end = input.len().min(at + usize::from(*count));
                input.drain(at..end);
            }
            Edit::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Edit::Splice(at, other, from, count) => {
                let at = place(at);
                let other = other.get(corpus);
                let from = from.index(other.len() + 1);
                let end = other.len().min(from + usize::from(*count));
                input.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    input
}

/// Runs a target on its corpus, and on what is made of it. The same inputs each
/// time, so that a failure comes back.
fn fuzz(name: &str) {
    let run = target(name).run;
    let corpus = corpus(name);
    for input in &corpus {
        run(input);
    }
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let inputs = (any::<Index>(), edits());
    TestRunner::new_with_rng(config, random)
        .run(&inputs, |(seed, edits)| {
            run(&edited(&corpus, &seed, &edits));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

macro_rules! each {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            fuzz($name);
        })*

        #[test]
        fn each_target_is_fuzzed_here_as_well() {
            let here = [$($name),*];
            let all = targets::TARGETS.map(|target| target.name);
            assert_eq!(here[..], all[..]);
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
            for name in all {
                let text = fs::read_to_string(folder.join(format!("{name}.rs")));
                assert!(text.is_ok_and(|text| text.contains(&format!("\"{name}\""))), "{name}");
            }
        }
    };
}

each! {
    a_policy_decides_as_the_reference: "policy",
    a_cassette_reads_back_as_it_is_written: "cassette",
    recordings_of_other_programs_are_read_or_refused: "import",
    page_tokens_are_used_or_refused: "page_token",
    parameters_are_taken_or_refused: "parameters",
    answers_become_results_or_errors: "vendor_error",
    schedules_are_edited_or_refused: "schedule_edit",
    files_load_or_are_refused: "verification",
}
