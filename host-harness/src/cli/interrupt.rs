//! Signals while files are written.

use super::{failure::Failure, signals::Signals};
use crate::whole_file;

/// From now on a signal ends the process at once, and leaves no half-written file
/// behind.
pub(super) fn leave_nothing_half_written() -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        let _nothing_more = whole_file::give_up();
        talk!("ended by a signal: what was not whole is removed");
        std::process::exit(1);
    });
    Ok(())
}
