//! How a task is to be run: what a user asks for, and what that comes to.
//!
//! Owns the names of the options, their defaults, and what R's numbers mean: milliseconds and counts are doubles there,
//! and infinity is "for ever" or "as many as there are". What the options do is decided in `taskq-core`; no combination
//! is an error.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::words::RetryReason;

/// How a task is to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskOptions {
    /// How long an attempt may run, counted from when it is the head of its line. Default: for ever.
    pub timeout: Option<Duration>,
    /// How often it may be begun. 0 means 1. Default 1.
    pub tries: u32,
    /// After which failures it is tried again. Default: after a crash.
    pub retry_on: RetryOn,
    /// How long it is held before the second try, at most; doubles with each try. Default: not at
    /// all.
    pub backoff: Duration,
    /// Tasks of a higher priority are sent first. Default 0.
    pub priority: i32,
    /// It runs in a session that has never been sent anything, and will be sent nothing else.
    /// Default: no.
    pub isolate: bool,
}

/// After which failures a task is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryOn {
    /// Its session died.
    pub crash: bool,
    /// It took too long.
    pub timeout: bool,
    /// It raised an R error.
    pub error: bool,
}

/// What a user asks for a task, by the names that the arguments of `push()` have. What is absent is the queue's
/// default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRequest {
    /// In milliseconds; infinite for ever.
    pub timeout: Option<f64>,
    /// How often it may be begun.
    pub tries: Option<f64>,
    /// After which failures it is tried again.
    pub retry_on: Option<Vec<RetryReason>>,
    /// In milliseconds.
    pub backoff: Option<f64>,
    /// A whole number.
    pub priority: Option<f64>,
    /// Whether it has a session of its own.
    pub isolate: Option<bool>,
    /// The ids of the tasks that must have succeeded before.
    pub after: Vec<Box<str>>,
    /// The arguments that the values of these are, in the same order; empty where one is none.
    pub given: Vec<Box<str>>,
    /// The name that it shares with others.
    pub tag: Option<Box<str>>,
    /// The key by which it takes the place of another.
    pub replace: Option<Box<str>>,
    /// Whether it may wait in a full queue.
    pub may_exceed: bool,
}

impl TaskRequest {
    /// The options that this comes to in a queue with these defaults.
    #[must_use]
    pub fn options(&self, defaults: &TaskOptions) -> TaskOptions {
        let retry_on = self.retry_on.as_deref().map(RetryOn::these);
        let backoff = self.backoff.map(|ms| duration(ms).unwrap_or(Duration::MAX));
        TaskOptions {
            timeout: self.timeout.map_or(defaults.timeout, duration),
            tries: self.tries.map_or(defaults.tries, whole),
            retry_on: retry_on.unwrap_or(defaults.retry_on),
            backoff: backoff.unwrap_or(defaults.backoff),
            // Casting saturates.
            priority: self
                .priority
                .map_or(defaults.priority, |given| given as i32),
            isolate: self.isolate.unwrap_or(defaults.isolate),
        }
    }
}

impl RetryOn {
    /// After these, and no others.
    #[must_use]
    pub fn these(reasons: &[RetryReason]) -> RetryOn {
        RetryOn {
            crash: reasons.contains(&RetryReason::Crash),
            timeout: reasons.contains(&RetryReason::Timeout),
            error: reasons.contains(&RetryReason::Error),
        }
    }
}

impl Default for TaskOptions {
    fn default() -> Self {
        TaskOptions {
            timeout: None,
            tries: 1,
            retry_on: RetryOn::default(),
            backoff: Duration::ZERO,
            priority: 0,
            isolate: false,
        }
    }
}

impl Default for RetryOn {
    fn default() -> Self {
        RetryOn::these(&[RetryReason::Crash])
    }
}

/// Milliseconds as R gives them; `None` is for ever.
#[must_use]
pub fn duration(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1e3).ok()
}

/// A count as R gives it; infinity, and what is above, is the largest number.
#[must_use]
pub fn whole(count: f64) -> u32 {
    // Casting saturates.
    count as u32
}
