//! What a process has used so far, by its own account.

use std::fs;

use serde::{Deserialize, Serialize};

/// Clock ticks of `/proc/self/stat` in a second: what Linux promises to programs,
/// whatever the kernel's own clock does.
const TICKS: f64 = 100.0;

/// Memory and processor time. Nothing where there is no `/proc`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Usage {
    /// Most memory that it had at once, in KiB.
    pub(super) peak_kib: Option<u64>,
    /// Processor time of all its threads, in seconds.
    pub(super) cpu_seconds: Option<f64>,
}

impl Usage {
    /// Of this process.
    pub(super) fn own() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
        Self {
            peak_kib: read("status").as_deref().and_then(peak),
            cpu_seconds: read("stat").as_deref().and_then(cpu),
        }
    }
}

fn peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn cpu(stat: &str) -> Option<f64> {
    // The second field is the program's name, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_found_whatever_the_program_is_called() {
        assert_eq!(
            peak("Name:\tx\nVmPeak:\t9 kB\nVmHWM:\t  1234 kB\n"),
            Some(1234)
        );
        assert_eq!(peak("Name:\tx\n"), None);
        let stat = "7 (a) b ) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu(stat), Some(3.0));
        assert_eq!(cpu("7 (a) S 1"), None);
    }
}
