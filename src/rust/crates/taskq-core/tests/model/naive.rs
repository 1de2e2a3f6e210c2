//! The naive queue: a plain list of tasks and a plain list of seats, searched from the front.

use std::time::Duration;

use taskq_core::{
    Input, Outcome, QueueState, Stop, SubmitError, TaskId, TaskOptions, Time, WorkerId,
};

mod answers;
mod claims;
mod turns;

pub(crate) const GRACE: Duration = Duration::from_millis(500);
pub(crate) const SEATS: usize = 3;
pub(crate) const MAX_WAITING: usize = 6;

/// A task as the tests hand it in: labels and keys are numbers.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    pub(crate) label: Option<u8>,
    pub(crate) after: Vec<u8>,
    pub(crate) key: Option<u8>,
    pub(crate) claimed: bool,
    pub(crate) part: bool,
    pub(crate) may_exceed: bool,
    pub(crate) tag: Option<u8>,
    pub(crate) options: TaskOptions,
}

impl Push {
    fn needs_room(&self) -> bool {
        !self.part && !self.may_exceed
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Held,
    Waiting,
    Running {
        worker: WorkerId,
        since: Time,
        stopping: Option<Stopping>,
    },
    Done(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopping {
    pub(crate) why: Stop,
    asked: Time,
    killed_at: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) label: String,
    pub(crate) state: State,
    pub(crate) sends: u32,
    pub(crate) tries: u32,
    options: TaskOptions,
    queued: Time,
    /// What it is still to run after.
    after: Vec<TaskId>,
    key: Option<u8>,
    pub(crate) claimed: bool,
    pub(crate) disowned: bool,
    tag: Option<u8>,
    /// That of its lane when it was sent.
    ticket: u64,
}

impl Task {
    /// No part, and wanted.
    fn can_be_waited_for(&self) -> bool {
        !self.disowned && self.id < TaskId(1 << 52)
    }

    /// With whom it takes turns together.
    fn name(&self) -> (i32, Option<u8>) {
        (self.options.priority, self.tag)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Vacant,
    Starting(WorkerId),
    Idle { worker: WorkerId, fresh: bool },
    Busy(WorkerId, TaskId),
}

/// The naive queue. It knows no look-ahead, and a fixed number of seats.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) fair: bool,
    lanes: Vec<turns::Lane>,
    tickets: u64,
    pub(crate) now: Time,
    pub(crate) tasks: Vec<Task>,
    /// Of which somebody was told that they are done.
    told: Vec<TaskId>,
    pub(crate) pushed: u64,
    automatic: u64,
    parts: u64,
    part_labels: u64,
    pub(crate) last_push: Option<Result<TaskId, SubmitError>>,
    pub(crate) last_batch: Option<Option<Vec<TaskId>>>,
    pub(crate) seats: [Seat; SEATS],
    /// Sessions without a seat that are not gone.
    leaving: Vec<WorkerId>,
    killed: Vec<WorkerId>,
    launched: u64,
    supervisor_up: bool,
    pub(crate) paused: bool,
    pub(crate) state: QueueState,
    pub(crate) stale: u64,
}

impl Model {
    pub(crate) fn new(fair: bool) -> Self {
        Model {
            fair,
            lanes: Vec::new(),
            tickets: 0,
            now: Time(0),
            tasks: Vec::new(),
            told: Vec::new(),
            pushed: 0,
            automatic: 0,
            parts: 0,
            part_labels: 0,
            last_push: None,
            last_batch: None,
            seats: [Seat::Vacant; SEATS],
            leaving: Vec::new(),
            killed: Vec::new(),
            launched: 0,
            supervisor_up: false,
            paused: false,
            state: QueueState::Open,
            stale: 0,
        }
    }

    pub(crate) fn push(&mut self, push: &Push) -> Result<TaskId, SubmitError> {
        let waits = |task: &&Task| matches!(task.state, State::Waiting | State::Held);
        let is_full = self.tasks.iter().filter(waits).count() >= MAX_WAITING;
        if self.state == QueueState::Open && is_full && push.needs_room() {
            return Err(SubmitError::Full);
        }
        self.push_beside(push, &[])
    }

    /// There is room. Automatic labels are none of `taken`.
    fn push_beside(&mut self, push: &Push, taken: &[String]) -> Result<TaskId, SubmitError> {
        if self.state != QueueState::Open {
            return Err(SubmitError::Closed);
        }
        let find = |label: &str| self.tasks.iter().find(|task| task.label == label);
        let wanted = |label: &str| find(label).filter(|task| task.can_be_waited_for());
        let given = push.label.map(|number| format!(".{number}"));
        if let Some(label) = given.as_ref().filter(|label| find(label).is_some()) {
            let label = label.as_str().into();
            return Err(SubmitError::Duplicate { label });
        }
        let mut after = Vec::new();
        for number in &push.after {
            let label = format!(".{number}");
            match wanted(&label) {
                Some(task) => after.push(task.id),
                None => {
                    return Err(SubmitError::Unknown {
                        label: label.into(),
                    })
                }
            }
        }
        let label = given.unwrap_or_else(|| loop {
            let label = if push.part {
                self.part_labels += 1;
                format!(".part-{}", self.part_labels)
            } else {
                self.automatic += 1;
                format!(".{}", self.automatic)
            };
            if self.tasks.iter().all(|task| task.label != label) && !taken.contains(&label) {
                break label;
            }
        });
        if push.key.is_some() {
            let unfinished = |task: &&Task| !matches!(task.state, State::Done(_));
            let mut same = self.tasks.iter().filter(|task| task.key == push.key);
            let previous = same.rfind(unfinished).map(|task| task.id);
            if let Some(previous) = previous {
                self.cancel(&[previous], GRACE);
            }
        }
        let id = if push.part {
            self.parts += 1;
            TaskId((1 << 52) + (1 << 31) + self.parts)
        } else {
            self.pushed += 1;
            TaskId(self.pushed)
        };
        let ends: Vec<(TaskId, State)> = after
            .iter()
            .map(|&id| (id, self.tasks[self.place(id)].state))
            .collect();
        let success = State::Done(Outcome::Success);
        let after: Vec<TaskId> = ends
            .iter()
            .filter(|(_, state)| *state != success)
            .map(|&(id, _)| id)
            .collect();
        let failed = ends
            .iter()
            .find(|(_, state)| matches!(state, State::Done(_)) && *state != success);
        let state = match failed {
            Some(&(after, _)) => State::Done(Outcome::Skipped { after }),
            None if after.is_empty() => State::Waiting,
            None => State::Held,
        };
        self.tasks.push(Task {
            id,
            label,
            state,
            sends: 0,
            tries: 0,
            options: push.options.clone(),
            queued: self.now,
            after,
            key: push.key,
            claimed: push.claimed,
            disowned: false,
            tag: push.tag,
            ticket: 0,
        });
        // Parts come last.
        self.tasks.sort_by_key(|task| task.id);
        if state == State::Waiting {
            self.wait(self.place(id), None);
        }
        Ok(id)
    }

    /// One after the other, on a copy that counts only if all are taken.
    pub(crate) fn push_all(&mut self, pushes: &[Push]) -> Option<Vec<TaskId>> {
        if self.state != QueueState::Open {
            return None;
        }
        let labels = pushes.iter().filter_map(|push| push.label);
        let labels: Vec<String> = labels.map(|number| format!(".{number}")).collect();
        let here = |number: &u8| {
            let label = format!(".{number}");
            let same = |task: &Task| task.label == label && task.can_be_waited_for();
            self.tasks.iter().any(same)
        };
        if !pushes.iter().flat_map(|push| &push.after).all(here) {
            return None;
        }
        let waits = |task: &&Task| matches!(task.state, State::Waiting | State::Held);
        let count = pushes.iter().filter(|push| push.needs_room()).count();
        if count > 0 && self.tasks.iter().filter(waits).count() + count > MAX_WAITING {
            return None;
        }
        let mut copy = self.clone();
        let mut ids = Vec::new();
        for push in pushes {
            ids.push(copy.push_beside(push, &labels).ok()?);
        }
        *self = copy;
        Some(ids)
    }

    pub(crate) fn take(&mut self, id: TaskId) -> bool {
        let done = |task: &Task| task.id == id && matches!(task.state, State::Done(_));
        let place = self.tasks.iter().position(done);
        place.map(|place| self.tasks.remove(place)).is_some()
    }

    /// The done tasks that were not told of.
    pub(crate) fn news(&self) -> Vec<TaskId> {
        let is_news = |task: &&Task| {
            let is_listed = matches!(task.state, State::Done(_)) && !task.claimed;
            is_listed && !self.told.contains(&task.id)
        };
        self.tasks.iter().filter(is_news).map(|t| t.id).collect()
    }

    /// Tells of one of them, or of all.
    pub(crate) fn tell(&mut self, task: Option<TaskId>) {
        let news = self.news();
        let is_meant = |other: &TaskId| task.map_or(true, |task| task == *other);
        self.told.extend(news.into_iter().filter(is_meant));
    }

    pub(crate) fn input(&mut self, input: &Input) {
        match input {
            Input::SupervisorUp => {
                if self.supervisor_up || self.state != QueueState::Open {
                    self.stale += 1;
                } else {
                    self.supervisor_up = true;
                }
            }
            Input::SupervisorGone { .. } => self.supervisor_gone(),
            Input::WorkerReady { worker } => {
                let mut seats = self.seats.iter_mut();
                let (worker, fresh) = (*worker, true);
                match seats.find(|seat| **seat == Seat::Starting(worker)) {
                    Some(seat) => *seat = Seat::Idle { worker, fresh },
                    None => self.stale += 1,
                }
            }
            Input::WorkerGone {
                worker,
                cause,
                begun,
            } => self.worker_gone(*worker, *cause, begun.map(|begun| begun.attempt)),
            Input::Finished {
                worker,
                attempt,
                verdict,
                ended,
                ..
            } => match self.current(*worker, *attempt) {
                Some(task) => {
                    self.finished(task, *verdict, *ended);
                    self.free(*worker, attempt.task);
                }
                None => self.stale += 1,
            },
            Input::Returned { worker, attempts } => {
                for attempt in attempts {
                    match self.current(*worker, *attempt) {
                        Some(task) if self.stopping(task).is_some() => {
                            self.not_begun(task);
                            self.free(*worker, attempt.task);
                        }
                        _ => self.stale += 1,
                    }
                }
            }
            Input::Cancel { tasks, grace } => self.cancel(tasks, grace.unwrap_or(GRACE)),
            Input::Pause => self.paused |= self.state == QueueState::Open,
            Input::Resume => self.paused = false,
            Input::Kill => self.kill(),
            Input::Tick => self.tick(),
            Input::StartFailed { .. }
            | Input::Ran { .. }
            | Input::Withdraw { .. }
            | Input::Unheard { .. }
            | Input::HungUp { .. }
            | Input::Resize { .. }
            | Input::Close { .. } => {}
        }
    }

    /// What follows from every step: sessions for vacant seats, tasks for idle sessions.
    pub(crate) fn go_on(&mut self) {
        if self.state != QueueState::Open || !self.supervisor_up {
            return;
        }
        self.launch();
        if !self.paused && self.fair {
            self.dispatch_fairly();
        } else if !self.paused {
            self.dispatch();
        }
        self.launch();
    }

    fn launch(&mut self) {
        for seat in &mut self.seats {
            if *seat == Seat::Vacant {
                self.launched += 1;
                *seat = Seat::Starting(WorkerId(self.launched));
            }
        }
    }

    fn dispatch(&mut self) {
        let mut waiting: Vec<usize> = (0..self.tasks.len())
            .filter(|&task| self.tasks[task].state == State::Waiting)
            .collect();
        waiting.sort_by_key(|&task| -self.tasks[task].options.priority);
        let mut claims = 0;
        for task in waiting {
            let isolate = self.tasks[task].options.isolate;
            let idle = |fresh| {
                let fits =
                    move |seat: &Seat| matches!(*seat, Seat::Idle { fresh: f, .. } if f == fresh);
                self.seats.iter().position(fits)
            };
            let place = match isolate {
                true => idle(true),
                false => idle(false).or_else(|| idle(true)),
            };
            if let Some(place) = place {
                self.send(task, place);
            } else if isolate {
                claims += 1;
                let coming = |seat: &&Seat| matches!(seat, Seat::Vacant | Seat::Starting(_));
                let worn = |seat: &Seat| matches!(*seat, Seat::Idle { fresh: false, .. });
                if claims > self.seats.iter().filter(coming).count() {
                    if let Some(place) = self.seats.iter().rposition(worn) {
                        self.leaving.extend(self.seats[place].worker());
                        self.seats[place] = Seat::Vacant;
                    }
                }
            }
        }
    }

    fn send(&mut self, task: usize, place: usize) {
        let Some(worker) = self.seats[place].worker() else {
            return;
        };
        let ticket = self.take_turn(task);
        let task = &mut self.tasks[task];
        task.ticket = ticket;
        task.sends += 1;
        let (since, stopping) = (self.now, None);
        task.state = State::Running {
            worker,
            since,
            stopping,
        };
        self.seats[place] = Seat::Busy(worker, task.id);
        self.forget_lanes();
    }

    /// First all that are named are cancelled, then those that were held by one of them are skipped.
    fn cancel(&mut self, ids: &[TaskId], grace: Duration) {
        let now = self.now;
        let mut ended = Vec::new();
        for (place, task) in self.tasks.iter_mut().enumerate() {
            match &mut task.state {
                _ if !ids.contains(&task.id) => {}
                State::Held | State::Waiting => {
                    task.state = State::Done(Outcome::Cancelled);
                    ended.push(place);
                }
                State::Running { stopping, .. } => {
                    let stopping = stopping.get_or_insert(Stopping {
                        why: Stop::Cancel,
                        asked: now,
                        killed_at: now.after(grace),
                    });
                    stopping.why = Stop::Cancel;
                    stopping.killed_at = stopping.killed_at.min(now.after(grace));
                }
                State::Done(_) => {}
            }
        }
        for place in ended.into_iter().rev() {
            self.end(place, Outcome::Cancelled);
        }
        self.forget_lanes();
    }

    fn kill(&mut self) {
        if self.state != QueueState::Open {
            return;
        }
        self.state = QueueState::Closing;
        self.paused = false;
        self.supervisor_up = false;
        let workers = self.seats.iter().filter_map(Seat::worker);
        self.leaving.extend(workers);
        self.seats = [Seat::Vacant; SEATS];
        for task in &mut self.tasks {
            if !matches!(task.state, State::Done(_)) {
                task.tries += u32::from(matches!(task.state, State::Running { .. }));
                task.state = State::Done(Outcome::Cancelled);
            }
        }
        self.forget_lanes();
    }

    fn tick(&mut self) {
        for task in &mut self.tasks {
            let State::Running {
                worker,
                since,
                stopping,
            } = &mut task.state
            else {
                continue;
            };
            match (*stopping, task.options.timeout) {
                (Some(Stopping { killed_at, .. }), _) if killed_at <= self.now => {
                    self.killed.push(*worker);
                }
                (None, Some(timeout)) if since.after(timeout) <= self.now => {
                    *stopping = Some(Stopping {
                        why: Stop::Timeout,
                        asked: since.after(timeout),
                        killed_at: self.now.after(GRACE),
                    });
                }
                _ => {}
            }
        }
    }

    fn place(&self, id: TaskId) -> usize {
        self.tasks.iter().position(|task| task.id == id).unwrap()
    }
}

impl Seat {
    pub(crate) fn worker(&self) -> Option<WorkerId> {
        match *self {
            Seat::Vacant => None,
            Seat::Starting(worker) | Seat::Idle { worker, .. } | Seat::Busy(worker, _) => {
                Some(worker)
            }
        }
    }
}
