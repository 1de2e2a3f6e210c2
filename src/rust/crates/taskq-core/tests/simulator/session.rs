//! A simulated session: what it really did, whatever the scheduler believes.

use std::collections::{BTreeSet, VecDeque};

use taskq_core::{AttemptId, Begun, Time};

/// What befalls a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// It does not leave when told to.
    pub(crate) stays: bool,
    /// It does not die when killed, only with its supervisor.
    pub(crate) unkillable: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) nature: Nature,
    pub(crate) alive: bool,
    pub(crate) retiring: bool,
    /// It has closed its sockets, and does nothing more.
    pub(crate) hung_up: bool,
    /// All that it was sent, received or not.
    pub(crate) sent: BTreeSet<AttemptId>,
    /// What it was told to run as every session.
    pub(crate) broadcasts: BTreeSet<u64>,
    /// The attempts received and not begun.
    pub(crate) queue: VecDeque<AttemptId>,
    /// The attempts given back: never begun here.
    pub(crate) refused: BTreeSet<AttemptId>,
    pub(crate) over: BTreeSet<AttemptId>,
    pub(crate) current: Option<(AttemptId, Time)>,
    /// It will not end because of an interrupt.
    pub(crate) deaf: bool,
    pub(crate) begun: Option<Begun>,
    /// How many attempts it was sent, and how many of them it has begun.
    pub(crate) sends: u64,
    pub(crate) begins: u64,
    /// It was sent a task that is to be alone.
    pub(crate) isolated: bool,
    /// When the last message of each channel arrives, in either direction.
    pub(crate) task_in: Time,
    pub(crate) task_out: Time,
    pub(crate) control_in: Time,
    pub(crate) control_out: Time,
}

impl Session {
    pub(crate) fn new(nature: Nature) -> Self {
        Session {
            nature,
            alive: true,
            retiring: false,
            hung_up: false,
            sent: BTreeSet::new(),
            broadcasts: BTreeSet::new(),
            queue: VecDeque::new(),
            refused: BTreeSet::new(),
            over: BTreeSet::new(),
            current: None,
            deaf: false,
            begun: None,
            sends: 0,
            begins: 0,
            isolated: false,
            task_in: Time(0),
            task_out: Time(0),
            control_in: Time(0),
            control_out: Time(0),
        }
    }

    /// Gives an attempt back, unless it has begun or was given back already.
    pub(crate) fn give_back(&mut self, attempt: AttemptId) -> bool {
        let begun = self.current.is_some_and(|(current, _)| current == attempt);
        !begun && !self.over.contains(&attempt) && self.refused.insert(attempt)
    }

    /// The next attempt to begin.
    pub(crate) fn next(&mut self) -> Option<AttemptId> {
        loop {
            let attempt = self.queue.pop_front()?;
            if !self.refused.contains(&attempt) {
                return Some(attempt);
            }
        }
    }
}
