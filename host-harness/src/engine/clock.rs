//! The clocks that a call sees.
//!
//! - **Real**: the host's own.
//! - **Frozen**: the wall clock stands still at the start of the recording,
//!   so that a replay can show the same. Time-outs run on real time.
//! - **Virtual**: for replays. The wall clock as recorded; time passes only
//!   when the guest waits for it and nothing else is ready, and then at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use wasmtime::component::Resource;
use wasmtime_wasi::{
    async_trait,
    p2::{
        DynPollable, Pollable,
        bindings::clocks::{
            monotonic_clock::{self, Duration as Nanoseconds, Instant as MonotonicInstant},
            wall_clock::{self, Datetime},
        },
        subscribe,
    },
};

use super::CallState;

/// The clocks of one call.
#[derive(Clone, Debug)]
pub(crate) enum CallClock {
    /// The host's own.
    Real { started: Instant },
    /// The wall clock stands still.
    Frozen {
        wall: jiff::Timestamp,
        started: Instant,
    },
    /// Time passes by waiting.
    Virtual {
        wall: jiff::Timestamp,
        line: Arc<TimeLine>,
    },
}

impl CallClock {
    pub(crate) fn real() -> Self {
        Self::Real {
            started: Instant::now(),
        }
    }

    pub(crate) fn frozen(wall: jiff::Timestamp) -> Self {
        Self::Frozen {
            wall,
            started: Instant::now(),
        }
    }

    pub(crate) fn replayed(wall: jiff::Timestamp) -> Self {
        Self::Virtual {
            wall,
            line: Arc::default(),
        }
    }

    fn wall(&self) -> jiff::Timestamp {
        match self {
            Self::Real { .. } => jiff::Timestamp::now(),
            Self::Frozen { wall, .. } | Self::Virtual { wall, .. } => *wall,
        }
    }

    /// Nanoseconds since the call began.
    fn elapsed(&self) -> u64 {
        match self {
            Self::Real { started } | Self::Frozen { started, .. } => {
                u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
            }
            Self::Virtual { line, .. } => line.lock().now,
        }
    }

    /// How much virtual time has passed.
    pub(super) fn waited(&self) -> Option<Duration> {
        match self {
            Self::Real { .. } | Self::Frozen { .. } => None,
            Self::Virtual { line, .. } => Some(Duration::from_nanos(line.lock().now)),
        }
    }

    fn timer(&self, at: u64) -> Timer {
        match self {
            Self::Real { started } | Self::Frozen { started, .. } => Timer::Real {
                at: started.checked_add(Duration::from_nanos(at)),
                yielded: false,
            },
            Self::Virtual { line, .. } => Timer::Virtual {
                at,
                line: Arc::clone(line),
                yielded: false,
            },
        }
    }
}

/// Virtual time of one call.
#[derive(Debug, Default)]
pub(crate) struct TimeLine {
    state: Mutex<TimeState>,
}

#[derive(Debug, Default)]
struct TimeState {
    /// Nanoseconds since the call began.
    now: u64,
    /// How many timers the guest waits for at present, by their instant. A
    /// timer that it merely holds does not count.
    awaited: BTreeMap<u64, usize>,
}

impl TimeLine {
    /// Lets time pass until `at`, unless something earlier is waited for.
    fn pass_to(&self, at: u64) -> bool {
        let mut state = self.lock();
        let is_next = state.awaited.keys().next().is_none_or(|next| at <= *next);
        if is_next {
            state.now = state.now.max(at);
        }
        is_next || at <= state.now
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TimeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `wasi:io/poll.pollable` that is ready at an instant.
enum Timer {
    Real {
        /// None if it is too far away to be expressed.
        at: Option<Instant>,
        yielded: bool,
    },
    Virtual {
        at: u64,
        line: Arc<TimeLine>,
        yielded: bool,
    },
}

/// While it lives, the guest waits for an instant.
struct Awaited<'a> {
    at: u64,
    line: &'a TimeLine,
}

impl<'a> Awaited<'a> {
    fn new(at: u64, line: &'a TimeLine) -> Self {
        *line.lock().awaited.entry(at).or_default() += 1;
        Self { at, line }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        if let Some(count) = state.awaited.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                state.awaited.remove(&self.at);
            }
        }
    }
}

#[async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        match self {
            Self::Real { at: None, .. } => std::future::pending().await,
            Self::Real {
                at: Some(at),
                yielded,
            } => {
                if *at > Instant::now() {
                    tokio::time::sleep_until((*at).into()).await;
                } else if !*yielded {
                    // A guest that polls in a busy loop with an expired timer
                    // must not keep the runtime from its input and output.
                    *yielded = true;
                    tokio::task::yield_now().await;
                }
            }
            Self::Virtual { at, line, yielded } => {
                if *at <= line.lock().now {
                    // As above; but a guest that asks again without waiting
                    // must hear the truth.
                    if !std::mem::replace(yielded, true) {
                        tokio::task::yield_now().await;
                    }
                    return;
                }
                let _awaited = Awaited::new(*at, line);
                // Everything else goes first: answers that are on their way
                // belong to the present.
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                while !line.pass_to(*at) {
                    // An earlier one is in the same list, and comes first.
                    tokio::task::yield_now().await;
                }
                *yielded = true;
            }
        }
    }
}

impl wall_clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<Datetime> {
        let wall = self.clock().wall();
        Ok(Datetime {
            seconds: u64::try_from(wall.as_second()).unwrap_or(0),
            nanoseconds: u32::try_from(wall.subsec_nanosecond()).unwrap_or(0),
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<Datetime> {
        Ok(Datetime {
            seconds: 0,
            nanoseconds: 1_000,
        })
    }
}

impl monotonic_clock::Host for CallState {
    fn now(&mut self) -> wasmtime::Result<MonotonicInstant> {
        Ok(self.clock().elapsed())
    }

    fn resolution(&mut self) -> wasmtime::Result<Nanoseconds> {
        Ok(1_000)
    }

    fn subscribe_instant(
        &mut self,
        when: MonotonicInstant,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = self.clock().timer(when);
        let timer = self.table().push(timer)?;
        subscribe(self.table(), timer)
    }

    fn subscribe_duration(&mut self, when: Nanoseconds) -> wasmtime::Result<Resource<DynPollable>> {
        let at = self.clock().elapsed().saturating_add(when);
        monotonic_clock::Host::subscribe_instant(self, at)
    }
}
