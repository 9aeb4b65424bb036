//! What comes back from a call, too long or not fit to be shown.

use crate::misbehaviour::Misbehaviour;

/// Sets a title, clears the screen, writes backwards, ends the line.
const ESCAPES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J red\rback \u{202e}desrever\u{9b}31m\nnew";

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("a-huge-error", |seen| {
        seen.fail("all is lost ".repeat(1 << 20));
    }),
    ("an-error-larger-than-the-host-takes", |seen| {
        seen.fail("x".repeat(40 << 20));
    }),
    ("escapes-in-an-error", |seen| seen.fail(ESCAPES)),
    ("escapes-in-a-name", |seen| seen.call_itself(ESCAPES)),
    ("a-huge-name", |seen| {
        seen.call_itself(&"x".repeat(8 << 20));
    }),
    ("the-credential-in-an-error", |seen| {
        seen.fail("is it simulated-account-key, or c2ltdWxhdGVkLWFjY291bnQta2V5?");
    }),
];
