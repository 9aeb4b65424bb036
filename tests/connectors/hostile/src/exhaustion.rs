//! Taking all there is: time, memory, stack, handles, requests.

use std::hint::black_box;

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{FutureIncomingResponse, Method};
use wasip2::io::poll::Pollable;
use wasip2::random::random::get_random_bytes;

use crate::misbehaviour::Misbehaviour;
use crate::request::Request;
use crate::seen::Seen;

const MANY: usize = 100_000;

fn request() -> Option<FutureIncomingResponse> {
    let request = Request::new(Method::Get, "/users/PNOBODY");
    let request = request.prepare(&mut Seen::ignored()).ok()?;
    outgoing_handler::handle(request, None).ok()
}

/// Each call needs the result of the next, and some room of its own.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    1 + deeper(room[7] + 1) + room[9]
}

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("never-end", |_| {
        loop {
            std::hint::spin_loop();
        }
    }),
    ("wait-for-ever", |_| {
        monotonic_clock::subscribe_duration(u64::MAX).block();
    }),
    ("ask-again-and-again-whether-time-is-over", |_| {
        let over = monotonic_clock::subscribe_duration(0);
        while black_box(true) {
            over.block();
        }
    }),
    ("take-all-the-memory", |_| {
        let mut flood: Vec<Vec<u8>> = Vec::new();
        while black_box(true) {
            flood.push(black_box(vec![1; 1 << 20]));
        }
    }),
    ("recurse-for-ever", |seen| {
        seen.note(&deeper(0).to_string());
    }),
    ("open-100000-requests", |seen| {
        let open: Vec<_> = (0..MANY).map(|_| request()).collect();
        seen.note(&format!("{} are open", open.len()));
    }),
    ("open-and-drop-100000-requests", |seen| {
        let open = (0..MANY).filter_map(|_| request()).count();
        seen.note(&format!("{open} were opened"));
    }),
    ("set-100000-timers", |seen| {
        let timers: Vec<Pollable> = (0..MANY)
            .map(|_| monotonic_clock::subscribe_duration(u64::MAX))
            .collect();
        seen.note(&format!("{} are set", timers.len()));
    }),
    ("take-all-the-randomness", |seen| {
        seen.note(&get_random_bytes(1 << 40).len().to_string());
    }),
    ("fill-the-headers", |seen| {
        let value = "x".repeat(1 << 20);
        let headers = [("x-note", value.as_str())];
        let mut request = Request::new(Method::Get, "/users/PNOBODY");
        request.headers = &headers;
        request.send(seen);
    }),
    ("send-a-huge-body", |seen| {
        let body = "x".repeat(8 << 20);
        let mut request = Request::new(Method::Post, "/analytics/raw/users");
        request.body = &body;
        request.send(seen);
    }),
    ("exit", |_| std::process::exit(0)),
    ("abort", |_| std::process::abort()),
];
