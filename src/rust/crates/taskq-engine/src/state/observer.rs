//! What is born and what ends in a queue, and who hears of it, in the order in which it happens.

use std::sync::Arc;

use taskq_core::id::{Time, WorkerId};
use taskq_core::{Ended, GoneCause};
use taskq_record::words::Asked;

/// Something that was born, or has ended.
#[derive(Debug)]
pub(crate) enum Fact<'a> {
    /// A session is to come up on this seat.
    Launched(WorkerId, u32),
    /// It is this process.
    Process(WorkerId, i32),
    /// It waits for its first task.
    Ready(WorkerId),
    /// It is to end; or all are.
    Asked(Option<WorkerId>, Asked),
    /// An attempt is over. What it shows instead of its label, if so.
    Ended(&'a Ended, Option<Arc<str>>),
    /// A session has ended.
    Gone(WorkerId, GoneCause),
    /// All sessions have ended, and it is not known how.
    AllGone,
}

/// Whoever keeps a record of that. Called under the lock: it may not block.
pub(crate) trait Observer {
    fn note(&mut self, fact: &Fact<'_>, now: Time);
}
