//! What is fuzzed, and what must hold for any input.
//!
//! Each target is a function of bytes that panics when something does not hold.
//! `fuzz_targets` runs them with libFuzzer; `tests/suite/fuzzing.rs` briefly, with
//! whatever is in `corpus`, and on a stable toolchain. What touches the connector
//! runs the real component: its sandbox, and a vendor that answers with the input.

mod cassettes;
mod component;
pub mod policy;
mod verification;

/// One thing that is fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Name of its file in `fuzz_targets`, and of its folder in `corpus`.
    pub name: &'static str,
    /// Panics if the input shows a defect.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "policy",
        run: policy::decides_as_the_reference,
    },
    Target {
        name: "cassette",
        run: cassettes::reads_back_as_it_is_written,
    },
    Target {
        name: "import",
        run: cassettes::other_formats_are_read_or_refused,
    },
    Target {
        name: "page_token",
        run: component::page_tokens_are_used_or_refused,
    },
    Target {
        name: "parameters",
        run: component::parameters_are_taken_or_refused,
    },
    Target {
        name: "vendor_error",
        run: component::answers_become_results_or_errors,
    },
    Target {
        name: "schedule_edit",
        run: component::schedules_are_edited_or_refused,
    },
    Target {
        name: "verification",
        run: verification::files_load_or_are_refused,
    },
];

/// The target of that name.
pub fn target(name: &str) -> Target {
    let mut targets = TARGETS.into_iter();
    let found = targets.find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("there is no target `{name}`"))
}

/// The input as lines of text, and what is behind the last of `count` of them.
fn lines(input: &[u8], count: usize) -> (Vec<String>, &[u8]) {
    let mut lines = Vec::with_capacity(count);
    let mut rest = input;
    for _ in 0..count {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, behind) = match end {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => (rest, &[][..]),
        };
        lines.push(String::from_utf8_lossy(line).into_owned());
        rest = behind;
    }
    (lines, rest)
}
