//! How the elements of a map are shared out to workers.
//!
//! Owns which elements are sent next, and for how long the worker may go on with them. Knows nothing of
//! tasks, payloads or results. Pure, like the scheduler: what was measured is an argument.
//!
//! A batch is a range of elements and a **budget** of time. Its worker evaluates one element after the
//! other until the batch is done or the budget is spent, and what was not evaluated comes back and is
//! sent again. So no batch lasts longer than its budget and one element, however uneven elements are:
//! sharing out *time* is what keeps all workers busy to the end (guided self-scheduling by time). The
//! budget is a part of the time that is left, so it shrinks towards the end; the number of elements
//! follows the measured time of one, and grows by no more than a factor at once, so that it is learnt
//! from small batches. For each worker there is one batch under way and one that waits for it. Should all
//! long elements have come together in one batch, at the end of the map, those that have not begun are
//! taken back and shared out anew: from which batch, and when, is decided here, too.
//!
//! Invariant: every element is in one range of `left`, or in one batch that is under way, or settled.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// Elements that a worker is to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first of them, counted from 0.
    pub first: u64,
    /// How many there are.
    pub count: u64,
    /// No element is begun later than this after the first; without it, all are evaluated.
    pub budget: Option<Duration>,
}

/// How long elements took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// All that were evaluated together.
    pub all: Duration,
    /// The last of them, or somewhat more.
    pub last: Duration,
}

/// How far a batch is that a worker evaluates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchProgress {
    /// For how long it has run.
    pub ran: Duration,
    /// How many of its elements have begun.
    pub begun: u64,
    /// How many there are.
    pub count: u64,
}

/// How a worker that has nothing to do gets something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steal<K> {
    /// Elements of this batch are to be [taken back](Batches::take_back).
    From(K),
    /// Elements may be taken back from some batch after this time.
    Later(Duration),
    /// As long as nothing changes there are no elements to be had.
    Never,
}

/// No batch has more elements, whatever its number is fixed to.
pub const MOST_ELEMENTS: u64 = (1 << 24) - 1;

impl Batch {
    /// How long the batch may run when each element may run for `each`. No element begins after the
    /// budget, so with as much more time the last one has its own.
    #[must_use]
    pub fn time_limit(&self, each: Duration) -> Duration {
        match self.budget {
            Some(budget) => each.saturating_add(budget),
            None => each.saturating_mul(u32::try_from(self.count).unwrap_or(u32::MAX)),
        }
    }
}

/// The elements of a map.
#[derive(Debug)]
pub struct Batches {
    /// What is not sent, by the first element of each range: how many.
    left: BTreeMap<u64, u64>,
    unsent: u64,
    under_way: usize,
    /// Nothing is taken back.
    whole: bool,
    /// The number of elements in each batch, whatever they take.
    fixed: Option<u64>,
    speed: Speed,
    /// The most elements that one batch has settled.
    most: u64,
    /// The most bytes of an element so far.
    bytes: f64,
    /// For how long all workers together have evaluated.
    spent: Duration,
}

/// The mean time of an element, in which the last batches count most.
#[derive(Clone, Copy, Debug, Default)]
struct Speed {
    nanoseconds: f64,
    elements: f64,
}

/// How long a batch is left alone: most are over sooner.
const UNDISTURBED: Duration = Duration::from_millis(2);
/// What is under way for each worker: one batch that it evaluates, and the next.
const AHEAD: usize = 2;
/// A batch gets this part of its worker's share of the time that is left.
const PART: f64 = 2.0;
/// The budget of a batch before anything was measured.
const FIRST: Duration = Duration::from_millis(1);
/// No budget is longer: the user waits for what is lost with a session, and for signs of progress.
const LONGEST: Duration = Duration::from_millis(100);
/// The shortest budget is a hundredth of the time that a worker has for all, within these bounds: what
/// a batch costs to send must not count, nor what a worker waits for the others at the end.
const SHORTEST: (f64, f64) = (0.5e6, 5e6);
const SHORTEST_PART: f64 = 0.01;
/// How many times more elements are sent than the budget is expected to suffice for.
const RESERVE: f64 = 1.25;
/// A batch has at most this many times more elements than one of those before.
const GROWTH: u64 = 16;
/// What is measured loses this part of its weight with each batch that is measured after it.
const FORGETTING: f64 = 0.3;
/// A batch of more than one element has no more bytes than this, as far as that can be foreseen.
const MOST_BYTES: f64 = 8.0 * 1024.0 * 1024.0;

impl Batches {
    /// A map of this number of elements; each batch has `fixed` of them, or as many as its budget suffices for.
    #[must_use]
    pub fn new(length: u64, fixed: Option<u64>) -> Self {
        Batches {
            left: (length > 0).then_some((0, length)).into_iter().collect(),
            unsent: length,
            under_way: 0,
            whole: false,
            fixed: fixed.map(|count| count.max(1)),
            speed: Speed::default(),
            most: 1,
            bytes: 0.0,
            spent: Duration::ZERO,
        }
    }

    /// Batches from which nothing is taken back: one that may be tried again begins with all its
    /// elements.
    #[must_use]
    pub fn kept_whole(self) -> Self {
        Batches {
            whole: true,
            ..self
        }
    }

    /// The next batch to be sent; none when all elements are sent, or enough is under way for these
    /// workers.
    pub fn send(&mut self, workers: usize) -> Option<Batch> {
        let workers = workers.max(1);
        if self.under_way >= AHEAD.saturating_mul(workers) {
            return None;
        }
        let (wanted, budget) = match self.fixed {
            Some(count) => (count, None),
            None => self.portion(workers),
        };
        let (first, length) = self.left.pop_first()?;
        let count = wanted.min(length).min(MOST_ELEMENTS);
        if count < length {
            self.left.insert(first + count, length - count);
        }
        self.unsent -= count;
        self.under_way += 1;
        Some(Batch {
            first,
            count,
            budget,
        })
    }

    /// Notes how many bytes were sent for how many elements.
    pub fn weigh(&mut self, count: u64, bytes: u64) {
        self.bytes = self.bytes.max(bytes as f64 / count.max(1) as f64);
    }

    /// A batch has come back: `settled` of its elements, from the first, will not be
    /// sent again. `took`: how long it took to evaluate these, where that is known.
    ///
    /// When one long element has used the budget up, those behind it may be as long: if they went to
    /// one worker again, the others might wait for it.
    pub fn settle(&mut self, batch: Batch, settled: u64, took: Option<Took>) {
        self.under_way = self.under_way.saturating_sub(1);
        let settled = settled.min(batch.count);
        if settled < batch.count {
            self.give_back(batch.first + settled, batch.count - settled);
        }
        if let Some(took) = took.filter(|_| settled > 0) {
            self.most = self.most.max(settled);
            self.spent += took.all;
            if settled < batch.count && took.last > took.all / 4 {
                self.speed = Speed::default();
                self.speed.learn(1, took.last);
            } else {
                self.speed.learn(settled, took.all);
            }
        }
    }

    /// Whether a worker has nothing to do, and nothing is left to send: then those elements of a batch
    /// that have not begun can be taken back: see [`steal`].
    #[must_use]
    pub fn are_short(&self, workers: usize) -> bool {
        !self.whole && self.unsent == 0 && self.under_way > 0 && self.under_way < workers
    }

    /// Only the first `count` elements of this batch are under way any more.
    pub fn take_back(&mut self, batch: &mut Batch, count: u64) {
        if count < batch.count {
            self.give_back(batch.first + count, batch.count - count);
            batch.count = count;
        }
    }

    /// Whether nothing is left to send, and nothing under way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.unsent == 0 && self.under_way == 0
    }

    fn give_back(&mut self, first: u64, mut count: u64) {
        self.unsent += count;
        if let Some(next) = self.left.remove(&(first + count)) {
            count += next;
        }
        self.left.insert(first, count);
    }

    /// How many elements to send, and for how long.
    fn portion(&self, workers: usize) -> (u64, Option<Duration>) {
        let Some(each) = self.speed.nanoseconds_each() else {
            return (1, Some(FIRST));
        };
        let workers = workers as f64;
        let left = self.unsent as f64 * each / workers;
        let all = left + self.spent.as_nanos() as f64 / workers;
        let shortest = (all * SHORTEST_PART).clamp(SHORTEST.0, SHORTEST.1);
        let budget = (left / PART).clamp(shortest, LONGEST.as_nanos() as f64);
        // Casting saturates.
        let expected = (budget / each * RESERVE).ceil() as u64;
        let bearable = (MOST_BYTES / self.bytes.max(1.0)) as u64;
        let count = expected
            .min(self.most.saturating_mul(GROWTH))
            .min(bearable)
            .max(1);
        (count, Some(Duration::from_nanos(budget as u64)))
    }
}

/// From which of these batches to take elements back when [they are short](Batches::are_short): from
/// the one that would take longest, if its other elements take as long as those that have begun.
pub fn steal<K: Copy + Ord>(batches: impl IntoIterator<Item = (K, BatchProgress)>) -> Steal<K> {
    let (mut from, mut later) = (None, None);
    for (key, batch) in batches {
        let rest = batch.count.saturating_sub(batch.begun);
        let young = UNDISTURBED.saturating_sub(batch.ran);
        if rest == 0 {
            continue;
        }
        if young > Duration::ZERO {
            later = Some(later.map_or(young, |before: Duration| before.min(young)));
            continue;
        }
        let time_left = batch.ran.as_nanos() * u128::from(rest) / u128::from(batch.begun.max(1));
        from = from.max(Some((time_left, Reverse(key))));
    }
    match (from, later) {
        (Some((_, Reverse(key))), _) => Steal::From(key),
        (None, Some(time)) => Steal::Later(time),
        (None, None) => Steal::Never,
    }
}

impl Speed {
    fn learn(&mut self, count: u64, took: Duration) {
        self.nanoseconds = self.nanoseconds * (1.0 - FORGETTING) + took.as_nanos() as f64;
        self.elements = self.elements * (1.0 - FORGETTING) + count as f64;
    }

    /// An element takes some time, even if the clock did not see it.
    fn nanoseconds_each(&self) -> Option<f64> {
        (self.elements > 0.0).then(|| (self.nanoseconds / self.elements).max(1.0))
    }
}
