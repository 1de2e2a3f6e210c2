//! The instant, and its date. Everything that the machine is told a time of is told it by this clock.

use std::time::{SystemTime, UNIX_EPOCH};

use taskq_core::id::Time;
use taskq_sys::clock;

/// Ties the monotonic clock to the calendar, once, so that the same instant always has the same date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    monotonic: Time,
    calendar: f64,
}

impl Epoch {
    pub(crate) fn now() -> Epoch {
        let calendar = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64());
        Epoch {
            monotonic: now(),
            calendar,
        }
    }

    /// The instant at which it was tied.
    pub(crate) fn origin(&self) -> Time {
        self.monotonic
    }

    /// Seconds since 1970.
    pub(crate) fn calendar(&self, time: Time) -> f64 {
        let offset = if time >= self.monotonic {
            time.since(self.monotonic).as_secs_f64()
        } else {
            -self.monotonic.since(time).as_secs_f64()
        };
        self.calendar + offset
    }
}

/// The instant, on the clock that all processes of the machine share.
pub(crate) fn now() -> Time {
    Time(clock::now_ns())
}
