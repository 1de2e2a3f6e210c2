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

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{Order, Rank};
use crate::id::TaskId;
use crate::task::Task;

/// A priority and a tag.
type Name = (i32, Option<Arc<str>>);

/// The order of the lanes.
type Ring = BTreeMap<(Reverse<i32>, u64), Name>;

/// The tasks that can be sent. Of two that belong together the second is about those that need a
/// session of their own.
#[derive(Debug, Default)]
pub(crate) struct ByTurns {
    lanes: HashMap<Name, Lane>,
    rings: [Ring; 2],
    lengths: [usize; 2],
    /// The tickets that were used up by the tasks which sessions have now.
    sent: HashMap<TaskId, u64>,
    last_ticket: u64,
}

/// The tasks of one priority and one tag.
#[derive(Debug)]
struct Lane {
    ticket: u64,
    tasks: [BTreeSet<TaskId>; 2],
}

impl ByTurns {
    fn draw(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Changes a lane, which is made with this ticket if it is not there, and keeps the rings up to
    /// date.
    fn change(&mut self, name: Name, ticket: u64, change: impl FnOnce(&mut Lane)) {
        let lane = self.lanes.entry(name.clone()).or_insert_with(|| Lane {
            ticket,
            tasks: Default::default(),
        });
        let (before, old) = (lane.has(), lane.ticket);
        change(lane);
        let (after, new) = (lane.has(), lane.ticket);
        let priority = Reverse(name.0);
        if after == [false, false] {
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
    }

    /// The lanes from the first of them to those of this priority with a ticket less than this one:
    /// each once.
    fn lanes_before(&self, priority: i32, ticket: u64) -> impl Iterator<Item = (i32, &Lane)> {
        let range = ..(Reverse(priority), ticket);
        let [plain, isolated] = &self.rings;
        let lane = |name: &Name| Some((name.0, self.lanes.get(name)?));
        let plain = plain.range(range).filter_map(move |(_, name)| lane(name));
        let isolated = isolated
            .range(range)
            .filter_map(move |(_, name)| lane(name));
        plain.chain(isolated.filter(|(_, lane)| lane.tasks[0].is_empty()))
    }
}

impl Lane {
    fn has(&self) -> [bool; 2] {
        [!self.tasks[0].is_empty(), !self.tasks[1].is_empty()]
    }

    fn len(&self) -> usize {
        self.tasks[0].len() + self.tasks[1].len()
    }

    fn older_than(&self, id: TaskId) -> usize {
        let older = self.tasks.iter().map(|tasks| tasks.range(..id).count());
        older.sum()
    }
}

impl Order for ByTurns {
    fn insert(&mut self, id: TaskId, task: &Task) {
        let kind = usize::from(task.isolate());
        let ticket = self.draw();
        self.lengths[kind] += 1;
        self.change(name(task), ticket, |lane| {
            lane.tasks[kind].insert(id);
        });
    }

    fn remove(&mut self, id: TaskId, task: &Task) {
        let kind = usize::from(task.isolate());
        self.lengths[kind] -= 1;
        self.change(name(task), 0, |lane| {
            lane.tasks[kind].remove(&id);
        });
    }

    fn send(&mut self, id: TaskId, task: &Task) {
        let kind = usize::from(task.isolate());
        let drawn = self.draw();
        let mut used = 0;
        self.lengths[kind] -= 1;
        self.change(name(task), 0, |lane| {
            lane.tasks[kind].remove(&id);
            used = lane.ticket;
            lane.ticket = drawn;
        });
        self.sent.insert(id, used);
    }

    fn give_back(&mut self, id: TaskId, task: &Task) {
        let kind = usize::from(task.isolate());
        let drawn = self.draw();
        let ticket = self.sent.remove(&id).unwrap_or(drawn);
        self.lengths[kind] += 1;
        self.change(name(task), ticket, |lane| {
            lane.tasks[kind].insert(id);
            lane.ticket = lane.ticket.min(ticket);
        });
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
    /// its own, with one more when the other has its turn before.
    fn ahead_of(&self, id: TaskId, task: &Task) -> usize {
        let name = name(task);
        let lane = self.lanes.get(&name);
        let ticket = lane.map_or(u64::MAX, |lane| lane.ticket);
        let older = lane.map_or(0, |lane| lane.older_than(id));
        let mut ahead = older;
        // When none of its own is older, those with a later turn do not come before it, and are not
        // looked at.
        let last = if older == 0 { ticket } else { u64::MAX };
        for (priority, other) in self.lanes_before(name.0, last) {
            ahead += match (priority == name.0, other.ticket.cmp(&ticket)) {
                (false, _) => other.len(),
                (true, std::cmp::Ordering::Less) => other.len().min(older + 1),
                (true, std::cmp::Ordering::Equal) => 0,
                (true, std::cmp::Ordering::Greater) => other.len().min(older),
            };
        }
        ahead
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
        let rings = [self.rings[0].len(), self.rings[1].len()];
        assert_eq!(lanes, rings, "turns without a lane");
        assert_eq!(self.sent.len(), sent, "tickets of tasks that are sent");
    }
}

fn name(task: &Task) -> Name {
    (task.priority(), task.tag().cloned())
}
