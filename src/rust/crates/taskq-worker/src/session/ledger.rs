//! Which attempts have begun, are over, or were given back: the pure part of what receiving and controlling share.
//!
//! An attempt is *unknown* (not sent yet, or waiting in the socket), then either *returned* for good, or *begun* and
//! then *over*. A recall returns what is unknown, so it must be known what is over, too. The session remembers the last
//! [`REMEMBERED`] of these: many times more than a host sends ahead.
//!
//! What is returned is asked for first, and noted when the host has been told, without letting go of the ledger in
//! between: so the host can know it before anything begins that it was sent later.

use std::collections::{HashSet, VecDeque};

use taskq_record::AttemptId;
/// How many attempts are remembered as over.
const REMEMBERED: usize = 16 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    begun: Option<Begun>,
    /// What is over, the oldest first; and the same to look it up.
    over: VecDeque<AttemptId>,
    known: HashSet<AttemptId>,
    returned: HashSet<AttemptId>,
}

#[derive(Debug)]
struct Begun {
    attempt: AttemptId,
    /// Whether interrupts may hit now.
    armed: bool,
    /// Whether the host wants it interrupted.
    wanted: bool,
    /// Whether an interrupt was sent.
    fired: bool,
}

/// What an interrupt leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// It has not begun: it is to be [given back](Ledger::give_back).
    NotBegun,
    /// It has begun: see [`Ledger::fire`].
    Wanted,
    /// It is over, or was returned before.
    Stale,
}

impl Ledger {
    /// An attempt was received. Returns whether it begins; otherwise it had been returned and is to be skipped.
    pub(super) fn begin(&mut self, attempt: AttemptId) -> bool {
        if self.returned.remove(&attempt) {
            self.remember(attempt);
            return false;
        }
        self.begun = Some(Begun {
            attempt,
            armed: false,
            wanted: false,
            fired: false,
        });
        true
    }

    /// From now on interrupts may hit. Returns whether one is waiting.
    pub(super) fn arm(&mut self) -> bool {
        let Some(begun) = &mut self.begun else {
            return false;
        };
        begun.armed = true;
        begun.wanted
    }

    /// From now on interrupts must not hit. Returns whether one was sent.
    pub(super) fn disarm(&mut self) -> bool {
        let Some(begun) = &mut self.begun else {
            return false;
        };
        begun.armed = false;
        begun.fired
    }

    /// Whether an interrupt is to be sent now (again); the caller sends it before it releases the ledger.
    pub(super) fn fire(&mut self) -> bool {
        match &mut self.begun {
            Some(begun) if begun.armed && begun.wanted => {
                begun.fired = true;
                true
            }
            _ => false,
        }
    }

    /// What had begun is over.
    pub(super) fn end(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.remember(begun.attempt);
        }
    }

    /// Those of `attempts` that have not begun.
    pub(super) fn not_begun(&self, mut attempts: Vec<AttemptId>) -> Vec<AttemptId> {
        attempts.retain(|attempt| !self.has_begun(*attempt));
        attempts
    }

    /// These, which have not begun, never will.
    pub(super) fn give_back(&mut self, attempts: Vec<AttemptId>) {
        self.returned.extend(attempts);
    }

    /// The host wants this attempt ended.
    pub(super) fn interrupt(&mut self, attempt: AttemptId) -> Interrupt {
        if let Some(begun) = self.begun.as_mut().filter(|begun| begun.attempt == attempt) {
            begun.wanted = true;
            return Interrupt::Wanted;
        }
        if self.has_begun(attempt) || self.returned.contains(&attempt) {
            return Interrupt::Stale;
        }
        Interrupt::NotBegun
    }

    fn has_begun(&self, attempt: AttemptId) -> bool {
        let begins = self
            .begun
            .as_ref()
            .is_some_and(|begun| begun.attempt == attempt);
        begins || self.known.contains(&attempt)
    }

    fn remember(&mut self, attempt: AttemptId) {
        if self.over.len() == REMEMBERED {
            if let Some(oldest) = self.over.pop_front() {
                self.known.remove(&oldest);
            }
        }
        self.over.push_back(attempt);
        self.known.insert(attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taskq_record::id::TaskId;

    fn attempt(task: u64) -> AttemptId {
        AttemptId {
            task: TaskId(task),
            number: 1,
        }
    }

    #[test]
    fn a_returned_attempt_is_skipped_once() {
        let mut ledger = Ledger::default();
        let both = vec![attempt(1), attempt(2)];
        assert_eq!(ledger.not_begun(both.clone()), both);
        ledger.give_back(both);
        assert!(!ledger.begin(attempt(1)));
        assert!(ledger.begin(attempt(3)));
        assert_eq!(ledger.not_begun(vec![attempt(3), attempt(1)]), []);
        assert_eq!(ledger.interrupt(attempt(1)), Interrupt::Stale);
        assert_eq!(ledger.interrupt(attempt(2)), Interrupt::Stale);
        assert_eq!(ledger.interrupt(attempt(4)), Interrupt::NotBegun);
        ledger.give_back(vec![attempt(4)]);
        assert_eq!(ledger.interrupt(attempt(4)), Interrupt::Stale);
        ledger.end();
        // Of this one the host could not be told.
        assert_eq!(ledger.interrupt(attempt(5)), Interrupt::NotBegun);
        assert!(ledger.begin(attempt(5)));
    }

    #[test]
    fn an_interrupt_fires_only_while_its_attempt_is_armed() {
        let mut ledger = Ledger::default();
        assert!(ledger.begin(attempt(1)));
        assert_eq!(ledger.interrupt(attempt(1)), Interrupt::Wanted);
        assert!(!ledger.fire());
        assert!(ledger.arm());
        assert!(ledger.fire());
        assert!(ledger.fire());
        assert!(ledger.disarm());
        assert!(!ledger.fire());
        ledger.end();
        assert_eq!(ledger.interrupt(attempt(1)), Interrupt::Stale);
        assert!(ledger.begin(attempt(2)));
        assert!(!ledger.arm());
        assert!(!ledger.fire());
        assert!(!ledger.disarm());
    }

    #[test]
    fn what_is_over_is_forgotten_late_and_the_ledger_does_not_grow() {
        let mut ledger = Ledger::default();
        for task in 0..2 * REMEMBERED as u64 {
            assert!(ledger.begin(attempt(task)));
            ledger.end();
        }
        assert_eq!(ledger.over.len(), REMEMBERED);
        assert_eq!(ledger.not_begun(vec![attempt(REMEMBERED as u64)]), []);
    }
}
