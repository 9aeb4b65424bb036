//! Asking before something is changed.

use std::io::{self, BufRead, IsTerminal, Write};

use super::failure::Failure;

/// Refuses early where nobody could be asked.
pub(super) fn can_ask(yes: bool) -> Result<(), Failure> {
    if yes || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "this changes the tenant, and there is no terminal to ask on",
        "look at it with `--dry-run`, then say `--yes`",
    ))
}

/// Asks, unless `yes` was said. Only `yes` is a yes.
pub(super) fn ask(question: &str, yes: bool) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    can_ask(yes)?;
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} Type `yes` to go on: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
