//! Conditions that tasks have signalled while they run, in the order in which they came, until the R thread signals
//! them.
//!
//! Sessions go on meanwhile, whether the R thread waits or not, so there is a limit: what comes when it is reached is
//! counted, and the R thread hears of that behind what is kept.

use std::collections::VecDeque;

use taskq_payload::payload::Payload;

/// How many are kept.
const MOST: usize = 10_000;
/// How many bytes of them.
const MOST_BYTES: usize = 16 << 20;

/// What the R thread is to signal.
#[derive(Debug)]
pub enum Relayed {
    /// This condition.
    Condition(Box<Payload>),
    /// That so many were not kept.
    Lost(u64),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    kept: VecDeque<Box<Payload>>,
    /// The size of them all.
    bytes: usize,
    lost: u64,
}

impl Conditions {
    pub(super) fn add(&mut self, condition: Box<Payload>) {
        let bytes = self.bytes.saturating_add(condition.size());
        if self.kept.len() >= MOST || bytes > MOST_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes = bytes;
        self.kept.push_back(condition);
    }

    /// Puts the one that was taken last back.
    pub(super) fn put_back(&mut self, condition: Box<Payload>) {
        self.bytes += condition.size();
        self.kept.push_front(condition);
    }

    /// How often [`next`](Conditions::next) has an answer.
    pub(super) fn count(&self) -> usize {
        self.kept.len() + usize::from(self.lost > 0)
    }

    /// Takes the oldest out.
    pub(super) fn next(&mut self) -> Option<Relayed> {
        if let Some(condition) = self.kept.pop_front() {
            self.bytes -= condition.size();
            return Some(Relayed::Condition(condition));
        }
        match std::mem::take(&mut self.lost) {
            0 => None,
            lost => Some(Relayed::Lost(lost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> Box<Payload> {
        Box::new(vec![0; bytes].into())
    }

    /// The sizes of what is kept, and how many were lost.
    fn drain(conditions: &mut Conditions) -> (Vec<usize>, u64) {
        let (mut sizes, mut lost) = (Vec::new(), 0);
        for left in (0..conditions.count()).rev() {
            match conditions.next().expect("as many as are counted") {
                Relayed::Condition(condition) => sizes.push(condition.size()),
                Relayed::Lost(count) => lost += count,
            }
            assert_eq!(conditions.count(), left);
        }
        assert!(conditions.next().is_none() && conditions.bytes == 0);
        (sizes, lost)
    }

    #[test]
    fn conditions_keep_their_order_and_those_beyond_a_limit_are_counted() {
        let mut conditions = Conditions::default();
        assert_eq!(drain(&mut conditions), (vec![], 0));
        (0..MOST + 7).for_each(|size| conditions.add(of(size % 100)));
        let sizes = (0..MOST).map(|size| size % 100).collect();
        assert_eq!(drain(&mut conditions), (sizes, 7));
        for size in [1, MOST_BYTES, MOST_BYTES - 1, 1] {
            conditions.add(of(size));
        }
        assert_eq!(drain(&mut conditions), (vec![1, MOST_BYTES - 1], 2));
        (1..3).for_each(|size| conditions.add(of(size)));
        if let Some(Relayed::Condition(condition)) = conditions.next() {
            conditions.put_back(condition);
        }
        assert_eq!(drain(&mut conditions), (vec![1, 2], 0));
        conditions.add(of(MOST_BYTES + 1));
        assert_eq!(drain(&mut conditions), (vec![], 1));
    }
}
