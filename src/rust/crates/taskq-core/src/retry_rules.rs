//! Whether a failure is tried again, and after which delay: for every queue, in memory or in a store.

use std::time::Duration;

use taskq_record::{Outcome, RetryOn, TaskId, TaskOptions};

/// Whether these failures are tried again, as long as tries are left.
#[must_use]
pub fn is_retried_on(retry_on: RetryOn, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Crash { .. } => retry_on.crash,
        Outcome::Timeout => retry_on.timeout,
        Outcome::Error => retry_on.error,
        Outcome::Success | Outcome::Cancelled | Outcome::Skipped { .. } | Outcome::NoWorker => {
            false
        }
    }
}

/// How long a task that has begun `tries` times is held before its next try: the backoff doubled for
/// each try but the first, and shortened by up to a half, by chance, so that tasks which failed
/// together do not come back together. The same seed, task and try, the same delay.
#[must_use]
pub fn delay(options: &TaskOptions, tries: u32, task: TaskId, seed: u64) -> Duration {
    if options.backoff.is_zero() {
        return Duration::ZERO;
    }
    let nanos = u64::try_from(options.backoff.as_nanos()).unwrap_or(u64::MAX);
    let doublings = tries.saturating_sub(1);
    let longest = if doublings <= nanos.leading_zeros() {
        nanos << doublings.min(63)
    } else {
        u64::MAX
    };
    let chance = hash([seed, task.0, tries.into()]);
    // A number between a half and one, in units of 2^-64.
    let share = (1 << 63) | (chance >> 1);
    let nanos = (u128::from(longest) * u128::from(share)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Mixes numbers so that each bit of the result depends on all of them (splitmix64).
fn hash(numbers: [u64; 3]) -> u64 {
    numbers.into_iter().fold(0, |state, number| {
        let mut z = (state ^ number).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
