//! Too much of everything.

use crate::misbehaviour::Misbehaviour;

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("flood-the-log", |_| {
        let line = "x".repeat(10_000);
        for number in 0..1500 {
            eprintln!("{number} {line}");
        }
        eprint!("and no line break at the end");
    }),
    ("write-escapes-to-the-log", |_| {
        eprintln!("\u{1b}]0;owned\u{7}\u{1b}[2J red\rback \u{202e}desrever\u{9b}31m");
        println!("on the other stream\0");
    }),
    ("write-no-text-to-the-log", |_| {
        use std::io::Write;
        let _ = std::io::stderr().write_all(b"\xff\xfe\xf0\x9f\n");
    }),
];
