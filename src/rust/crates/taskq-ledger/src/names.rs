//! The names that travel, and the clocks.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// 128 random bits, by which a repeated call is recognised, and a late one refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Nonce(pub u128);

/// One life of an agent or a client: whoever starts again has a new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Incarnation(pub Nonce);

/// An instant on the wall clock of the store, in nanoseconds since 1970. It may jump in both directions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Wall(pub u64);

impl Nonce {
    /// The k-th nonce of a call that needs more than one, and brings one.
    #[must_use]
    pub fn nth(self, k: u64) -> Nonce {
        Nonce(self.0.wrapping_add(u128::from(k)))
    }
}

impl Wall {
    /// The instant `delay` later; stays at the end of time when the sum is beyond it.
    #[must_use]
    pub fn after(self, delay: Duration) -> Wall {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Wall(self.0.saturating_add(nanos))
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{:x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{:x}", self.0 .0)
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}
