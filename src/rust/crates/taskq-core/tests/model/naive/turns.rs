//! Whose turn it is in a fair queue: a plain list of those who wait, each with a ticket.

use super::{Model, Seat, State};

/// The tasks of one priority and one tag, as long as one of them waits.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    name: (i32, Option<u8>),
    ticket: u64,
}

impl Model {
    /// A task comes to wait. With a ticket it was sent, and has not begun.
    pub(super) fn wait(&mut self, place: usize, ticket: Option<u64>) {
        self.tasks[place].state = State::Waiting;
        let name = self.tasks[place].name();
        self.tickets += 1;
        let drawn = self.tickets;
        if self.lanes.iter().all(|lane| lane.name != name) {
            let ticket = drawn;
            self.lanes.push(Lane { name, ticket });
        }
        let ticket = ticket.unwrap_or(drawn);
        let lane = self.lanes.iter_mut().find(|lane| lane.name == name);
        let lane = lane.unwrap();
        lane.ticket = lane.ticket.min(ticket);
    }

    /// The lane of a task that is sent has had its turn; returns the ticket.
    pub(super) fn take_turn(&mut self, place: usize) -> u64 {
        let name = self.tasks[place].name();
        self.tickets += 1;
        let drawn = self.tickets;
        let lane = self.lanes.iter_mut().find(|lane| lane.name == name);
        let lane = lane.unwrap();
        let used = lane.ticket;
        lane.ticket = drawn;
        used
    }

    /// Nothing is known of those of whom no task waits.
    pub(super) fn forget_lanes(&mut self) {
        let tasks = &self.tasks;
        let has_task = |lane: &Lane| {
            let mut waiting = tasks.iter().filter(|task| task.state == State::Waiting);
            waiting.any(|task| task.name() == lane.name)
        };
        self.lanes.retain(has_task);
    }

    pub(super) fn dispatch_fairly(&mut self) {
        loop {
            let (plain, isolated) = (self.first(false), self.first(true));
            let comes_first = |isolated: usize| match plain {
                Some(plain) => self.turn(isolated) < self.turn(plain),
                None => true,
            };
            let fresh = self.idle(true);
            if let (Some(task), Some(place)) = (isolated.filter(|&task| comes_first(task)), fresh) {
                self.send(task, place);
                continue;
            }
            self.claim(self.isolated_before(plain));
            let place = self.idle(false).or_else(|| self.idle(true));
            let (Some(task), Some(place)) = (plain, place) else {
                return;
            };
            self.send(task, place);
        }
    }

    /// So many sessions are to start for tasks that need one of their own.
    fn claim(&mut self, claims: usize) {
        let coming = |seat: &&Seat| matches!(seat, Seat::Vacant | Seat::Starting(_));
        let worn = |seat: &Seat| matches!(*seat, Seat::Idle { fresh: false, .. });
        while claims > self.seats.iter().filter(coming).count() {
            let Some(place) = self.seats.iter().rposition(worn) else {
                return;
            };
            self.leaving.extend(self.seats[place].worker());
            self.seats[place] = Seat::Vacant;
        }
    }

    fn idle(&self, fresh: bool) -> Option<usize> {
        let fits = |seat: &Seat| matches!(*seat, Seat::Idle { fresh: f, .. } if f == fresh);
        self.seats.iter().position(fits)
    }

    /// The task of this kind whose turn comes first.
    fn first(&self, isolated: bool) -> Option<usize> {
        self.waiting(isolated).min_by_key(|&task| self.turn(task))
    }

    fn waiting(&self, isolated: bool) -> impl Iterator<Item = usize> + '_ {
        (0..self.tasks.len()).filter(move |&place| {
            let task = &self.tasks[place];
            task.state == State::Waiting && task.options.isolate == isolated
        })
    }

    fn turn(&self, place: usize) -> (i32, u64, u64) {
        let name = self.tasks[place].name();
        let lane = self.lanes.iter().find(|lane| lane.name == name);
        (-name.0, lane.unwrap().ticket, self.tasks[place].id.0)
    }

    /// All of a higher priority, and one of each lane that comes before.
    fn isolated_before(&self, plain: Option<usize>) -> usize {
        let Some(plain) = plain else {
            return self.waiting(true).count();
        };
        let mut lanes = Vec::new();
        self.waiting(true)
            .filter(|&task| {
                let name = self.tasks[task].name();
                if name.0 != self.tasks[plain].name().0 {
                    return name.0 > self.tasks[plain].name().0;
                }
                let is_first = !lanes.contains(&name);
                lanes.push(name);
                is_first && self.turn(task) < self.turn(plain)
            })
            .count()
    }
}
