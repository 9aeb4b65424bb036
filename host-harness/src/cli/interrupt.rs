//! Signals while files are written.

use super::failure::Failure;
use crate::whole_file;

/// From now on a signal ends the process at once, and leaves no half-written file
/// behind.
pub(super) fn leave_nothing_half_written() -> Result<(), Failure> {
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};

        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    tokio::spawn(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = signals.0.recv() => {}
            _ = signals.1.recv() => {}
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.ok();
        let _nothing_more = whole_file::give_up();
        talk!("ended by a signal: what was not whole is removed");
        std::process::exit(1);
    });
    Ok(())
}
