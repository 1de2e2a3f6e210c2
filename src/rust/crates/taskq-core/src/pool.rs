//! The seats, the workers on them, and every change of their state.
//!
//! Owns who sits where and who was sent what. Decides nothing: when to launch, send or kill is the
//! `sched` module's. Knows nothing of what became of a task.
//!
//! A seat, as a user sees it:
//!
//! | from     | by                  | to       | when                                              |
//! |----------|---------------------|----------|---------------------------------------------------|
//! | -        | `add_seats`         | Vacant   | start, resize                                     |
//! | Vacant   | `launch`            | Starting | the supervisor is up                              |
//! | Starting | `ready`             | Idle     | its session is ready: a fresh one, as a rule      |
//! | Idle     | `set_broadcast`     | Starting | its session runs a broadcast                      |
//! | Idle     | `push`              | Busy     | its session is sent a task                        |
//! | Busy     | `pull`, `set_idle`  | Idle     | the line of its session is empty: a worn one      |
//! | Busy     | `leave`             | Leaving  | resized down: it goes when the line is empty      |
//! | Leaving  | `stay`              | Busy     | resized up                                        |
//! | any      | `detach`, `remove`  | Vacant   | its session is gone, or is not to be used again   |
//! | any      | `drop_seat`         | -        | resized down, and nothing runs on it              |
//!
//! Vacant and Starting are both *starting* to users. A worker, from launch to end: Starting, Idle or
//! Busy while it has a seat; Gone as soon as it was told to leave, or was killed without a task:
//! then nothing is expected of it but its end, and its seat has a new session or is no more. A
//! worker is *fresh* until it is sent a task, and *worn* from then on. It is *spent* when it is
//! to be sent nothing more, although it is well: it leaves when its line is empty.
//!
//! Invariants: a worker that is not Gone sits on exactly the seat that names it; only a Busy worker
//! has a line, which is not empty between two inputs; only a seat with a Busy worker is leaving; no
//! worker is sent more than `max_tasks`; `vacant`, `worn`, `fresh`, `open` and the counts say the
//! same as the table.

use std::collections::{BTreeMap, BTreeSet};

use taskq_record::{AttemptId, Time, WorkerId};

use crate::worker::{Line, Stage, Worker};

mod check;

/// A place for one worker.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) worker: Option<WorkerId>,
    /// It goes when its worker's line is empty.
    pub(crate) leaving: bool,
}

/// The seats and workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    seats: BTreeMap<u32, Seat>,
    workers: BTreeMap<WorkerId, Worker>,
    /// Seats without a worker.
    vacant: BTreeSet<u32>,
    /// Seats with an idle worker that was sent something before.
    worn: BTreeSet<u32>,
    /// Seats with an idle worker that was never sent anything.
    fresh: BTreeSet<u32>,
    /// Workers that may be sent more, those with the shortest line first.
    open: BTreeSet<(usize, WorkerId)>,
    starting: usize,
    busy: usize,
    leaving: usize,
    last_worker: u64,
    /// How many tasks a worker may run.
    max_tasks: u64,
}

impl Pool {
    /// A pool without seats, whose workers may run `max_tasks` tasks each.
    pub(crate) fn new(max_tasks: u64) -> Self {
        Pool {
            max_tasks: max_tasks.max(1),
            ..Pool::default()
        }
    }

    /// Adds vacant seats, with the lowest numbers that are free.
    pub(crate) fn add_seats(&mut self, count: u32) {
        let free: Vec<u32> = (1..=u32::MAX)
            .filter(|number| !self.seats.contains_key(number))
            .take(count as usize)
            .collect();
        for number in free {
            self.seats.insert(
                number,
                Seat {
                    worker: None,
                    leaving: false,
                },
            );
            self.vacant.insert(number);
        }
    }

    /// Removes a seat; its worker, if it has one, is Gone.
    pub(crate) fn drop_seat(&mut self, number: u32) {
        if let Some(worker) = self.seats.get(&number).and_then(|seat| seat.worker) {
            self.detach(worker);
        }
        self.vacant.remove(&number);
        self.seats.remove(&number);
    }

    /// Names a new worker, for a vacant seat.
    pub(crate) fn launch(&mut self, number: u32, now: Time) -> WorkerId {
        self.last_worker += 1;
        let id = WorkerId(self.last_worker);
        self.vacant.remove(&number);
        self.seats.insert(
            number,
            Seat {
                worker: Some(id),
                leaving: false,
            },
        );
        let stage = Stage::Starting { seat: number };
        let worker = Worker {
            stage,
            killed: false,
            unheard: false,
            hung_up: false,
            spent: false,
            launched: now,
            ready: None,
            tasks_done: 0,
            worn: false,
            broadcast: 0,
            open: None,
        };
        self.starting += 1;
        self.workers.insert(id, worker);
        id
    }

    /// A starting worker is idle; false when it was not starting.
    pub(crate) fn ready(&mut self, id: WorkerId, now: Time) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else {
            return false;
        };
        let Stage::Starting { seat } = worker.stage else {
            return false;
        };
        worker.stage = Stage::Idle { seat, since: now };
        worker.ready.get_or_insert(now);
        self.starting -= 1;
        match worker.worn {
            true => self.worn.insert(seat),
            false => self.fresh.insert(seat),
        };
        true
    }

    /// A starting worker.
    pub(crate) fn starting(&self, id: WorkerId) -> Option<&Worker> {
        let is_starting = |worker: &&Worker| matches!(worker.stage, Stage::Starting { .. });
        self.workers.get(&id).filter(is_starting)
    }

    /// An idle or starting worker runs this broadcast.
    pub(crate) fn set_broadcast(&mut self, id: WorkerId, broadcast: u64) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        worker.broadcast = broadcast;
        if let Stage::Idle { seat, .. } = worker.stage {
            self.worn.remove(&seat);
            self.fresh.remove(&seat);
            self.starting += 1;
            worker.stage = Stage::Starting { seat };
        }
    }

    /// Puts an attempt at the end of the line of an idle or busy worker.
    pub(crate) fn push(&mut self, id: WorkerId, attempt: AttemptId, now: Time) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if let Stage::Idle { seat, .. } = worker.stage {
            self.worn.remove(&seat);
            self.fresh.remove(&seat);
            self.busy += 1;
            worker.stage = Stage::Busy {
                seat,
                line: Line::default(),
            };
        }
        worker.worn = true;
        if let Stage::Busy { line, .. } = &mut worker.stage {
            line.push(attempt, now);
        }
        self.index(id);
    }

    /// Takes an attempt out of a line; false when it is not there. The caller sees to it that no
    /// busy worker is left with an empty line.
    pub(crate) fn pull(&mut self, id: WorkerId, attempt: AttemptId) -> bool {
        let pulled = self.line_mut(id).is_some_and(|line| line.pull(attempt));
        if pulled {
            self.index(id);
        }
        pulled
    }

    /// A busy worker with an empty line is idle.
    pub(crate) fn set_idle(&mut self, id: WorkerId, now: Time) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if let Stage::Busy { seat, .. } = worker.stage {
            worker.stage = Stage::Idle { seat, since: now };
            self.busy -= 1;
            self.worn.insert(seat);
        }
        self.index(id);
    }

    /// A worker is Gone; its seat is vacant. Returns the line that it had.
    pub(crate) fn detach(&mut self, id: WorkerId) -> Option<Line> {
        let worker = self.workers.get_mut(&id)?;
        let stage = std::mem::replace(&mut worker.stage, Stage::Gone);
        let (number, line) = match stage {
            Stage::Gone => return None,
            Stage::Starting { seat } => {
                self.starting -= 1;
                (seat, None)
            }
            Stage::Idle { seat, .. } => {
                self.worn.remove(&seat);
                self.fresh.remove(&seat);
                (seat, None)
            }
            Stage::Busy { seat, line } => {
                self.busy -= 1;
                (seat, Some(line))
            }
        };
        self.set_leaving(number, false);
        self.seats.insert(
            number,
            Seat {
                worker: None,
                leaving: false,
            },
        );
        self.vacant.insert(number);
        self.index(id);
        line
    }

    /// Forgets a worker that is Gone.
    pub(crate) fn forget(&mut self, id: WorkerId) {
        debug_assert!(matches!(
            self.workers.get(&id),
            None | Some(Worker {
                stage: Stage::Gone,
                ..
            })
        ));
        self.workers.remove(&id);
    }

    /// The seat of a busy worker goes when its line is empty.
    pub(crate) fn leave(&mut self, number: u32) {
        self.set_leaving(number, true);
    }

    /// The seat stays after all.
    pub(crate) fn stay(&mut self, number: u32) {
        self.set_leaving(number, false);
    }

    /// Notes that a worker was killed: it is sent nothing more.
    pub(crate) fn set_killed(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.killed = true;
            self.index(id);
        }
    }

    /// Notes that what a worker has told is lost; false when there is none.
    pub(crate) fn set_unheard(&mut self, id: WorkerId) -> bool {
        let worker = self.workers.get_mut(&id);
        worker.map(|worker| worker.unheard = true).is_some()
    }

    /// Notes that a worker, without having been told to, has closed its socket.
    pub(crate) fn set_hung_up(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.hung_up |= worker.ends_unasked();
        }
    }

    /// Notes that a worker is spent.
    pub(crate) fn set_spent(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.spent = true;
            self.index(id);
        }
    }

    /// Whether a worker is spent, or has run as many tasks as it may.
    pub(crate) fn is_spent(&self, id: WorkerId) -> bool {
        let spent = |worker: &Worker| worker.spent || worker.tasks_done >= self.max_tasks;
        self.workers.get(&id).is_some_and(spent)
    }

    /// Lets nothing more be sent behind the present head of this worker's line.
    pub(crate) fn bar(&mut self, id: WorkerId) {
        self.set_barred(id, true);
    }

    /// Lets more be sent: the line has a new head.
    pub(crate) fn unbar(&mut self, id: WorkerId) {
        self.set_barred(id, false);
    }

    /// Marks all behind the head as asked back; returns those that were not yet.
    pub(crate) fn ask_back(&mut self, id: WorkerId) -> Vec<AttemptId> {
        let asked = self.line_mut(id).map_or_else(Vec::new, Line::ask_back);
        self.index(id);
        asked
    }

    /// Marks one attempt as asked back.
    pub(crate) fn ask_one_back(&mut self, id: WorkerId, attempt: AttemptId) {
        if let Some(line) = self.line_mut(id) {
            line.ask_one_back(attempt);
        }
        self.index(id);
    }

    /// When the oldest of those behind the head that were not asked back was sent.
    pub(crate) fn ahead_since(&self, id: WorkerId) -> Option<Time> {
        self.line(id)?.ahead_since()
    }

    /// Counts a finished task.
    pub(crate) fn count_task(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.tasks_done += 1;
            self.index(id);
        }
    }

    /// The head of a worker's line.
    pub(crate) fn head(&self, id: WorkerId) -> Option<AttemptId> {
        self.line(id)?.head()
    }

    /// The idle worker that gets the next task: a worn one, so that the fresh ones are kept for those
    /// that need them, and the one on the lowest seat, which keeps work on few warm sessions.
    pub(crate) fn next_idle(&self) -> Option<WorkerId> {
        self.worker_on(*self.worn.first().or_else(|| self.fresh.first())?)
    }

    /// The idle worker that gets the next task which needs a session of its own.
    pub(crate) fn next_fresh(&self) -> Option<WorkerId> {
        self.worker_on(*self.fresh.first()?)
    }

    /// The idle worn worker that would be missed least.
    pub(crate) fn last_worn(&self) -> Option<WorkerId> {
        self.worker_on(*self.worn.last()?)
    }

    /// How many seats will have a fresh worker as soon as it is ready.
    pub(crate) fn coming(&self) -> usize {
        self.vacant.len() + self.starting
    }

    /// How many seats there are that are not leaving.
    pub(crate) fn staying(&self) -> usize {
        self.seats.len() - self.leaving
    }

    /// The idle workers, and since when they are.
    pub(crate) fn idle(&self) -> impl Iterator<Item = (Time, WorkerId)> + '_ {
        let seats = self.worn.iter().chain(&self.fresh);
        seats.filter_map(|&seat| {
            let id = self.worker_on(seat)?;
            match self.workers.get(&id)?.stage {
                Stage::Idle { since, .. } => Some((since, id)),
                Stage::Starting { .. } | Stage::Busy { .. } | Stage::Gone => None,
            }
        })
    }

    /// The worker with the shortest line that may be sent more, and the length of that line.
    pub(crate) fn shortest_open(&self) -> Option<(usize, WorkerId)> {
        self.open.first().copied()
    }

    /// The vacant seat that gets the next session.
    pub(crate) fn next_vacant(&self) -> Option<u32> {
        self.vacant.first().copied()
    }

    /// How many workers are busy.
    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    /// The name last given to a worker.
    pub(crate) fn last_worker(&self) -> WorkerId {
        WorkerId(self.last_worker)
    }

    /// Whether a worker was killed, and its end is not known yet.
    pub(crate) fn is_killed(&self, id: WorkerId) -> bool {
        self.workers.get(&id).is_some_and(|worker| worker.killed)
    }

    /// One worker.
    pub(crate) fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// All workers that are not forgotten.
    pub(crate) fn workers(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.workers.iter().map(|(&id, worker)| (id, worker))
    }

    /// The seat of a worker, unless the worker is Gone.
    pub(crate) fn seat_of(&self, id: WorkerId) -> Option<(u32, &Seat)> {
        let (Stage::Starting { seat } | Stage::Idle { seat, .. } | Stage::Busy { seat, .. }) =
            self.workers.get(&id)?.stage
        else {
            return None;
        };
        Some((seat, self.seats.get(&seat)?))
    }

    /// Who sits on a seat.
    pub(crate) fn worker_on(&self, number: u32) -> Option<WorkerId> {
        self.seats.get(&number)?.worker
    }

    /// All seats in the order of their numbers.
    pub(crate) fn seats(&self) -> impl Iterator<Item = (u32, &Seat)> {
        self.seats.iter().map(|(&number, seat)| (number, seat))
    }

    /// What a busy worker was sent and has not answered.
    pub(crate) fn line(&self, id: WorkerId) -> Option<&Line> {
        match &self.workers.get(&id)?.stage {
            Stage::Busy { line, .. } => Some(line),
            Stage::Starting { .. } | Stage::Idle { .. } | Stage::Gone => None,
        }
    }

    fn line_mut(&mut self, id: WorkerId) -> Option<&mut Line> {
        match &mut self.workers.get_mut(&id)?.stage {
            Stage::Busy { line, .. } => Some(line),
            Stage::Starting { .. } | Stage::Idle { .. } | Stage::Gone => None,
        }
    }

    fn set_leaving(&mut self, number: u32, leaving: bool) {
        let Some(seat) = self.seats.get_mut(&number) else {
            return;
        };
        match (seat.leaving, leaving) {
            (false, true) => self.leaving += 1,
            (true, false) => self.leaving -= 1,
            _ => {}
        }
        seat.leaving = leaving;
        if let Some(worker) = seat.worker {
            self.index(worker);
        }
    }

    fn set_barred(&mut self, id: WorkerId, barred: bool) {
        if let Some(line) = self.line_mut(id) {
            line.barred = barred;
            self.index(id);
        }
    }

    /// Under which length a worker belongs in `open`, if at all.
    fn wanted_index(&self, worker: &Worker) -> Option<usize> {
        let Stage::Busy { seat, line } = &worker.stage else {
            return None;
        };
        let leaving = self.seats.get(seat).is_some_and(|seat| seat.leaving);
        let rest = self.max_tasks.saturating_sub(worker.tasks_done);
        let may_run_more = !worker.spent && (line.len() as u64) < rest;
        let open = line.is_open() && !worker.killed && !leaving && may_run_more;
        open.then_some(line.len())
    }

    fn index(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let (before, after) = (worker.open, self.wanted_index(worker));
        if before == after {
            return;
        }
        if let Some(length) = before {
            self.open.remove(&(length, id));
        }
        if let Some(length) = after {
            self.open.insert((length, id));
        }
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.open = after;
        }
    }
}
