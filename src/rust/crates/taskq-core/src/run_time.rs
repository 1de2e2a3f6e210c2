//! Run times of tasks: what a session reported, and their running mean.
//!
//! Reported times come from other processes, so nothing here trusts them. The mean decides how far
//! look-ahead goes and what waiting users are told; it is an estimate, and nothing else depends on it.

use std::time::Duration;

use taskq_record::Time;
/// An attempt's run time, made plausible: within the life of its task, and not negative.
pub(crate) fn plausible(began: Time, ended: Time, queued: Time, now: Time) -> (Time, Time) {
    let ended = ended.min(now).max(queued);
    (began.clamp(queued, ended), ended)
}

/// The running mean of task run times: each new one counts an eighth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MeanRunTime(Option<u64>);

impl MeanRunTime {
    /// Takes one more run time in.
    pub(crate) fn learn(&mut self, run_time: Duration) {
        let new = u64::try_from(run_time.as_nanos()).unwrap_or(u64::MAX);
        self.0 = Some(self.0.map_or(new, |mean| mean - mean / 8 + new / 8));
    }

    /// How long `count` tasks run, one after the other; none as long as nothing is known.
    pub(crate) fn of(&self, tasks: u64) -> Option<Duration> {
        let nanos = |mean: u64| Duration::from_nanos(mean.saturating_mul(tasks));
        self.0.map(nanos)
    }

    /// How many tasks fit into `budget`; none as long as nothing is known.
    pub(crate) fn fitting(&self, budget: Duration) -> u64 {
        let budget = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
        self.0.map_or(0, |mean| budget / mean.max(1))
    }
}
