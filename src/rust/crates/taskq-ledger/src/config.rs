//! Limits and defaults of the protocol.

use std::time::Duration;

/// The version of the protocol: of what calls and records mean.
pub const PROTOCOL: u32 = 1;

/// The oldest one that is understood.
pub const OLDEST_PROTOCOL: u32 = 1;

/// How many tasks one call touches at most.
pub const STEP: usize = 1000;

/// How long a lease is.
pub const TTL: Duration = Duration::from_secs(30);

/// How long it is known that a task was forgotten: longer than any call is repeated.
pub const TOMBSTONE: Duration = Duration::from_secs(600);
