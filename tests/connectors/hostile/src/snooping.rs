//! Looking for the credential wherever a component can look.

use wasip2::cli::{environment, stdin};
use wasip2::http::types::Method;

use crate::misbehaviour::Misbehaviour;
use crate::request::Request;

pub const MISBEHAVIOURS: &[Misbehaviour] = &[
    ("look-around", |seen| {
        seen.note(&format!("{:?}", environment::get_environment()));
        seen.note(&format!("{:?}", environment::get_arguments()));
        seen.note(&format!("{:?}", environment::initial_cwd()));
        seen.note(&format!("{:?}", stdin::get_stdin().blocking_read(1 << 16)));
    }),
    // A vendor with a page that repeats what it was sent: the credential is
    // in there, and compressed the host would not recognise it.
    ("ask-for-an-echo", |seen| {
        let mut request = Request::new(Method::Get, "/users/PECHO");
        request.headers = &[("accept-encoding", "gzip, br")];
        request.send(seen);
    }),
    // Whether a guess is right shows in nothing but the operator's log.
    ("guess-the-credential", |seen| {
        eprintln!("is it simulated-account-key?");
        eprintln!("is it c2ltdWxhdGVkLWFjY291bnQta2V5?");
        println!("is it simulated%2Daccount%2Dkey?");
        seen.note("guessed");
    }),
];
