//! The order of a fair queue: higher priority first, and within a priority the tags take turns.
//!
//! The tasks of one priority and one tag form a *lane*, the older push first; those without a tag
//! are one lane, too. A lane holds a *ticket*, and the least of them is served next. A lane draws a
//! new one, greater than all before, when its first task comes and whenever a task of it was sent:
//! so it is served once before any other is served twice. A lane that comes anew waits for each of
//! the others at most once, and gets nothing for the time when it was not there. Nothing is kept of
//! a lane without tasks.
//!
//! No debt and no credit: a ticket is used up only by a task that is sent, so what is cancelled
//! costs its lane nothing; and with a task that was not begun the lane has the ticket again that it
//! was sent with, instead of the one that it drew then. Of several tasks that are given back only
//! the least ticket counts: a lane that was alone may have used up many within a moment, and with
//! all of them would shut out who came meanwhile.
//!
//! Those of a lane that need a session of their own and those that do not have the ticket in
//! common: a lane gets no second turn by having both.
//!
//! Invariants: a lane has a task; `rings` holds a lane under its ticket exactly when it has a task
//! of that kind; `sent` names exactly the tasks that are sent.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use taskq_record::TaskId;

use super::blocks::Blocks;
use super::{Order, Rank};
use crate::task::Task;

/// More are not looked at to say how many tasks come before one: it is done under the queue's lock.
const LANES_LOOKED_AT: usize = 10_000;

/// A priority and a tag.
type Name = (i32, Option<Arc<str>>);

/// The order of the lanes.
type Ring = BTreeMap<(Reverse<i32>, u64), Name>;

/// The tasks that can be sent. Of two that belong together the second is about those that need a
/// session of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByTurns {
    lanes: HashMap<Name, Lane>,
    rings: [Ring; 2],
    lengths: [usize; 2],
    /// The tickets that were used up by the tasks which sessions have now.
    sent: HashMap<TaskId, u64>,
    last_ticket: u64,
    /// How many tasks there are, by priority.
    totals: BTreeMap<Reverse<i32>, usize>,
    /// How many lanes there are, by priority and ticket.
    tickets: Blocks<Reverse<i32>>,
    /// How many tasks a lane has, by its first ticket and their numbers.
    tasks: Blocks<u64>,
}

/// The tasks of one priority and one tag.
#[derive(Clone, Debug)]
struct Lane {
    ticket: u64,
    first_ticket: u64,
    tasks: [BTreeSet<TaskId>; 2],
}

impl ByTurns {
    fn draw(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// A task comes into its lane, which has this ticket if it is new, or had none as small.
    fn add(&mut self, id: TaskId, task: &Task, ticket: u64, drawn: u64) {
        let (name, kind) = (name(task), usize::from(task.isolate()));
        let priority = Reverse(name.0);
        self.lengths[kind] += 1;
        *self.totals.entry(priority).or_default() += 1;
        let first_ticket = self.change(name, (ticket, drawn), |lane| {
            lane.tasks[kind].insert(id);
            lane.ticket = lane.ticket.min(ticket);
        });
        self.tasks.add(first_ticket, id.0);
    }

    /// A task leaves its lane, which goes on with the ticket that it has or with this one; returns
    /// what it had.
    fn drop(&mut self, id: TaskId, task: &Task, next: Option<u64>) -> u64 {
        let (name, kind) = (name(task), usize::from(task.isolate()));
        let priority = Reverse(name.0);
        self.lengths[kind] -= 1;
        if let Some(total) = self.totals.get_mut(&priority) {
            *total -= 1;
            if *total == 0 {
                self.totals.remove(&priority);
            }
        }
        let mut had = 0;
        let first_ticket = self.change(name, (0, 0), |lane| {
            lane.tasks[kind].remove(&id);
            had = lane.ticket;
            lane.ticket = next.unwrap_or(had);
        });
        self.tasks.remove(first_ticket, id.0);
        had
    }

    /// Changes a lane, which is made with this ticket, and this one drawn for it, if it is not
    /// there, and keeps the rings up to date. Returns its first ticket.
    fn change(
        &mut self,
        name: Name,
        (ticket, drawn): (u64, u64),
        change: impl FnOnce(&mut Lane),
    ) -> u64 {
        let lane = self.lanes.entry(name.clone()).or_insert_with(|| Lane {
            ticket,
            first_ticket: drawn,
            tasks: Default::default(),
        });
        let (before, old) = (lane.has(), lane.ticket);
        change(lane);
        let (after, new, first_ticket) = (lane.has(), lane.ticket, lane.first_ticket);
        let priority = Reverse(name.0);
        let (was, is) = (before != [false, false], after != [false, false]);
        if was && !(is && old == new) {
            self.tickets.remove(priority, old);
        }
        if is && !(was && old == new) {
            self.tickets.add(priority, new);
        }
        if !is {
            self.lanes.remove(&name);
        }
        for (kind, ring) in self.rings.iter_mut().enumerate() {
            let same = old == new && before[kind] == after[kind];
            if before[kind] && !same {
                ring.remove(&(priority, old));
            }
            if after[kind] && !same {
                ring.insert((priority, new), name.clone());
            }
        }
        first_ticket
    }

    /// The lanes of this priority with tickets from this one to below that one: each once.
    fn lanes_in(&self, priority: i32, tickets: Range<u64>) -> impl Iterator<Item = &Lane> {
        let range = (Reverse(priority), tickets.start)..(Reverse(priority), tickets.end);
        let [plain, isolated] = &self.rings;
        let plain = plain.range(range.clone());
        let plain = plain.filter_map(|(_, name)| self.lanes.get(name));
        let isolated = isolated.range(range);
        let isolated = isolated.filter_map(|(_, name)| self.lanes.get(name));
        plain.chain(isolated.filter(|lane| lane.tasks[0].is_empty()))
    }

    /// How many of a lane are older than this.
    fn older_than(&self, id: TaskId, lane: &Lane) -> usize {
        let (first, below) = self.tasks.below(lane.first_ticket, id.0);
        let near = |tasks: &BTreeSet<TaskId>| tasks.range(TaskId(first)..id).count();
        below + lane.tasks.iter().map(near).sum::<usize>()
    }
}

impl Lane {
    fn has(&self) -> [bool; 2] {
        [!self.tasks[0].is_empty(), !self.tasks[1].is_empty()]
    }

    fn len(&self) -> usize {
        self.tasks[0].len() + self.tasks[1].len()
    }
}

impl Order for ByTurns {
    fn insert(&mut self, id: TaskId, task: &Task) {
        let drawn = self.draw();
        self.add(id, task, drawn, drawn);
    }

    fn remove(&mut self, id: TaskId, task: &Task) {
        self.drop(id, task, None);
    }

    fn send(&mut self, id: TaskId, task: &Task) {
        let drawn = self.draw();
        let used = self.drop(id, task, Some(drawn));
        self.sent.insert(id, used);
    }

    fn give_back(&mut self, id: TaskId, task: &Task) {
        let drawn = self.draw();
        let ticket = self.sent.remove(&id).unwrap_or(drawn);
        self.add(id, task, ticket, drawn);
    }

    fn settle(&mut self, id: TaskId) {
        self.sent.remove(&id);
    }

    fn first(&self, isolated: bool) -> Option<Rank> {
        let kind = usize::from(isolated);
        let (&(priority, ticket), name) = self.rings[kind].first_key_value()?;
        let first = self.lanes.get(name)?.tasks[kind].first()?;
        Some((priority, ticket, *first))
    }

    /// Before a task that is the first of its kind in its lane come all of a higher priority, but
    /// only one of each other lane.
    fn more_isolated(&self, than: usize, before: Option<Rank>) -> bool {
        let Some((priority, ticket, id)) = before else {
            return self.lengths[1] > than;
        };
        let mut left = than;
        for (&(of, its_ticket), name) in self.rings[1].range(..=(priority, ticket)) {
            let Some(tasks) = self.lanes.get(name).map(|lane| &lane.tasks[1]) else {
                continue;
            };
            let count = match (of == priority, its_ticket == ticket) {
                (false, _) => tasks.len(),
                (true, false) => 1,
                // Its own lane.
                (true, true) => usize::from(tasks.first() < Some(&id)),
            };
            if count > left {
                return true;
            }
            left -= count;
        }
        false
    }

    /// All of a higher priority; the older ones of its lane; and of each other lane as many as of
    /// its own, with one more when the other has its turn before. In an order of very many lanes the
    /// last of these numbers is extrapolated from the first `LANES_LOOKED_AT`.
    fn ahead_of(&self, id: TaskId, task: &Task) -> usize {
        let name = name(task);
        let priority = Reverse(name.0);
        let higher: usize = self.totals.range(..priority).map(|(_, total)| total).sum();
        let lane = self.lanes.get(&name);
        let ticket = lane.map_or(u64::MAX, |lane| lane.ticket);
        let older = lane.map_or(0, |lane| self.older_than(id, lane));
        if older == 0 {
            let (first, below) = self.tickets.below(priority, ticket);
            return higher + below + self.lanes_in(name.0, first..ticket).count();
        }
        let (mut looked_at, mut others) = (0, 0);
        for other in self.lanes_in(name.0, 0..u64::MAX).take(LANES_LOOKED_AT) {
            looked_at += 1;
            others += match other.ticket.cmp(&ticket) {
                Ordering::Less => other.len().min(older + 1),
                Ordering::Equal => 0,
                Ordering::Greater => other.len().min(older),
            };
        }
        if looked_at == LANES_LOOKED_AT {
            let (_, lanes) = self.tickets.below(priority, u64::MAX);
            others = (others as f64 / looked_at as f64 * lanes as f64) as usize;
        }
        let all = self.totals.get(&priority).copied().unwrap_or(0);
        let itself = usize::from(self.contains(task.isolate(), id, task));
        higher + (older + others).min(all - itself)
    }

    fn len(&self, isolated: bool) -> usize {
        self.lengths[usize::from(isolated)]
    }

    fn contains(&self, isolated: bool, id: TaskId, task: &Task) -> bool {
        let lane = self.lanes.get(&name(task));
        lane.is_some_and(|lane| lane.tasks[usize::from(isolated)].contains(&id))
    }

    fn check(&self, sent: usize) {
        let mut lengths = [0, 0];
        let mut lanes = [0, 0];
        let mut tickets = BTreeSet::new();
        for (name, lane) in &self.lanes {
            assert!(lane.len() > 0, "{name:?} is kept without a task");
            assert!(tickets.insert(lane.ticket), "{name:?} has another's ticket");
            assert!(lane.ticket <= self.last_ticket, "{name:?} has no ticket");
            for kind in 0..2 {
                lengths[kind] += lane.tasks[kind].len();
                let stands = self.rings[kind].get(&(Reverse(name.0), lane.ticket)) == Some(name);
                assert_eq!(stands, lane.has()[kind], "turn {kind} of {name:?}");
                lanes[kind] += usize::from(stands);
            }
        }
        assert_eq!(lengths, self.lengths, "tasks in lanes");
        let totals: usize = self.totals.values().sum();
        let tasks = lengths[0] + lengths[1];
        assert_eq!((totals, self.tasks.len()), (tasks, tasks), "tasks counted");
        assert_eq!(self.tickets.len(), self.lanes.len(), "tickets counted");
        let rings = [self.rings[0].len(), self.rings[1].len()];
        assert_eq!(lanes, rings, "turns without a lane");
        assert_eq!(self.sent.len(), sent, "tickets of tasks that are sent");
    }
}

fn name(task: &Task) -> Name {
    (task.priority(), task.tag().cloned())
}
