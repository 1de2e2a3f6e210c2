//! The elements of a batch, of which the session begins one after the other, and the host may take back those that have
//! not begun.
//!
//! One number, which both sides change by compare and exchange:
//!
//! | bits | what |
//! | --- | --- |
//! | 0-23 | how many elements have begun |
//! | 24-47 | how many there are for the session to begin |
//! | 48-63 | which attempt it is: a mark, so that the host cannot take elements of the next batch for those of this one |
//!
//! The session begins an element only after it has counted it here.

use std::sync::atomic::{AtomicU64, Ordering};

use taskq_record::AttemptId;

use super::LOOKS;

/// No batch has more elements.
pub const MOST: u64 = MASK;

const BITS: u32 = 24;
const MASK: u64 = (1 << BITS) - 1;

/// See the module.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Elements(AtomicU64);

impl Elements {
    /// Session: this attempt is a batch of `count` elements. False when there is one already: this is a map inside of
    /// it.
    pub fn open(&self, attempt: AttemptId, count: u64) -> bool {
        let word = mark(attempt) << (2 * BITS) | count.min(MOST) << BITS;
        self.0
            .compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Session: no elements.
    pub(super) fn close(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Session: one more element begins; false when there is none.
    pub fn begin_one(&self) -> bool {
        let next = |word: u64| (begun(word) < count(word)).then_some(word + 1);
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .is_ok()
    }

    /// Host: how many elements have begun.
    pub fn begun(&self) -> u64 {
        begun(self.0.load(Ordering::Acquire))
    }

    /// Host: takes back half of those elements of this attempt that have not begun, and at least one, from the end. How
    /// many are left to the session, those that have begun included; none when nothing was taken.
    pub fn take_back(&self, attempt: AttemptId) -> Option<u64> {
        let mut word = self.0.load(Ordering::Acquire);
        // A session that begins one after the other is overtaken, unless it only pretends to.
        for _ in 0..LOOKS {
            let (begun, count) = (begun(word), count(word));
            let is_other = word >> (2 * BITS) != mark(attempt);
            if is_other || begun >= count {
                return None;
            }
            let keep = begun + (count - begun) / 2;
            let left = word & !(MASK << BITS) | keep << BITS;
            match self
                .0
                .compare_exchange(word, left, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(keep),
                Err(other) => word = other,
            }
        }
        None
    }
}

fn begun(word: u64) -> u64 {
    word & MASK
}

fn count(word: u64) -> u64 {
    word >> BITS & MASK
}

fn mark(attempt: AttemptId) -> u64 {
    attempt.task.0.wrapping_add(u64::from(attempt.number) << 12) & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use taskq_record::id::TaskId;

    fn attempt(task: u64) -> AttemptId {
        AttemptId {
            task: TaskId(task),
            number: 1,
        }
    }

    #[test]
    fn the_host_takes_half_of_what_has_not_begun_and_nothing_of_another_batch() {
        let elements = Elements::default();
        assert!(!elements.begin_one());
        assert!(elements.open(attempt(1), 10));
        assert!(!elements.open(attempt(1), 3), "a map inside of it");
        assert!(elements.begin_one());
        assert_eq!(elements.take_back(attempt(2)), None);
        assert_eq!(elements.take_back(attempt(1)), Some(5));
        assert_eq!(elements.take_back(attempt(1)), Some(3));
        assert_eq!(elements.take_back(attempt(1)), Some(2));
        assert_eq!(elements.take_back(attempt(1)), Some(1));
        assert_eq!(elements.take_back(attempt(1)), None);
        assert!(!elements.begin_one());
        assert_eq!(elements.begun(), 1);
    }

    #[test]
    fn every_element_is_begun_or_taken_back_whoever_is_faster() {
        const COUNT: u64 = 200_000;
        let elements = Elements::default();
        assert!(elements.open(attempt(1), COUNT));
        let done = AtomicBool::new(false);
        let (begun, left) = std::thread::scope(|scope| {
            let session = scope.spawn(|| {
                let begun = std::iter::from_fn(|| elements.begin_one().then_some(())).count();
                done.store(true, Ordering::SeqCst);
                begun as u64
            });
            let mut left = COUNT;
            while !done.load(Ordering::SeqCst) {
                left = elements.take_back(attempt(1)).unwrap_or(left);
            }
            (session.join().expect("no panic"), left)
        });
        assert_eq!(begun, elements.begun());
        // What the session was left it has begun, unless the host took it afterwards.
        assert!(begun == left || elements.take_back(attempt(1)).is_none());
        assert_eq!(begun, left);
    }
}
