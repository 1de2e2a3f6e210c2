//! Random operations, compared step by step with a naive model: a plain list of tasks, a plain list
//! of seats, searched from the front.
//!
//! Messages are real, stale, duplicated or nonsense. The model knows no look-ahead and a fixed number
//! of seats; the simulator covers those. A second test throws arbitrary inputs at a scheduler with
//! everything switched on: none may break an invariant.

use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::{prop_state_machine, ReferenceStateMachine, StateMachineTest};
use taskq_core::{
    Action, AttemptId, Begun, Config, Counts, GoneCause, Input, LookAhead, Outcome, QueueState,
    Scheduler, SeatState, Submission, TaskId, TaskPhase, Time, Verdict, WorkerId,
};

const GRACE: Duration = Duration::from_millis(500);
const CAUSE: GoneCause = GoneCause::Signaled { signal: 9 };
const SEATS: usize = 3;

/// So many cases, or as many as `PROPTEST_CASES` says.
fn cases(usual: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        // 256 is proptest's own default.
        cases: if default.cases == 256 {
            usual
        } else {
            default.cases
        },
        failure_persistence: None,
        ..default
    }
}

/// One operation; what it names may exist or not.
#[derive(Clone, Debug)]
enum Op {
    Push(Option<u8>),
    Take(TaskId),
    Wait(Duration),
    Input(Input),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running {
        worker: WorkerId,
        deadline: Option<Time>,
    },
    Done(Outcome),
}

#[derive(Clone, Debug)]
struct Task {
    id: TaskId,
    label: String,
    state: State,
    sends: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    Vacant,
    Starting(WorkerId),
    Idle(WorkerId),
    Busy(WorkerId, TaskId),
}

/// The naive queue.
#[derive(Clone, Debug)]
struct Model {
    now: Time,
    tasks: Vec<Task>,
    pushed: u64,
    automatic: u64,
    seats: [Seat; SEATS],
    /// Sessions without a seat that are not gone.
    leaving: Vec<WorkerId>,
    killed: Vec<WorkerId>,
    launched: u64,
    nursery_up: bool,
    paused: bool,
    state: QueueState,
    stale: u64,
}

impl Model {
    fn new() -> Self {
        Model {
            now: Time(0),
            tasks: Vec::new(),
            pushed: 0,
            automatic: 0,
            seats: [Seat::Vacant; SEATS],
            leaving: Vec::new(),
            killed: Vec::new(),
            launched: 0,
            nursery_up: false,
            paused: false,
            state: QueueState::Open,
            stale: 0,
        }
    }

    fn push(&mut self, label: Option<u8>) -> bool {
        let taken = |tasks: &[Task], label: &str| tasks.iter().any(|task| task.label == label);
        if self.state != QueueState::Open {
            return false;
        }
        let label = match label {
            Some(number) if taken(&self.tasks, &format!(".{number}")) => return false,
            Some(number) => format!(".{number}"),
            None => loop {
                self.automatic += 1;
                let label = format!(".{}", self.automatic);
                if !taken(&self.tasks, &label) {
                    break label;
                }
            },
        };
        self.pushed += 1;
        let id = TaskId(self.pushed);
        let (state, sends) = (State::Waiting, 0);
        self.tasks.push(Task {
            id,
            label,
            state,
            sends,
        });
        true
    }

    fn take(&mut self, id: TaskId) -> bool {
        let done = |task: &Task| task.id == id && matches!(task.state, State::Done(_));
        let place = self.tasks.iter().position(done);
        place.map(|place| self.tasks.remove(place)).is_some()
    }

    fn input(&mut self, input: &Input) {
        match input {
            Input::NurseryUp => {
                if self.nursery_up || self.state != QueueState::Open {
                    self.stale += 1;
                } else {
                    self.nursery_up = true;
                }
            }
            Input::NurseryGone { .. } => self.nursery_gone(),
            Input::WorkerReady { worker } => {
                match self
                    .seats
                    .iter_mut()
                    .find(|seat| **seat == Seat::Starting(*worker))
                {
                    Some(seat) => *seat = Seat::Idle(*worker),
                    None => self.stale += 1,
                }
            }
            Input::WorkerGone {
                worker,
                cause,
                begun,
            } => {
                self.worker_gone(*worker, *cause, begun.map(|begun| begun.attempt));
            }
            Input::Finished {
                worker,
                attempt,
                verdict,
                ..
            } => match self.current(*worker, *attempt) {
                Some(task) => {
                    let asked = matches!(
                        self.tasks[task].state,
                        State::Running {
                            deadline: Some(_),
                            ..
                        }
                    );
                    let outcome = match verdict {
                        Verdict::Success => Outcome::Success,
                        Verdict::Interrupted if asked => Outcome::Cancelled,
                        Verdict::Error | Verdict::Interrupted => Outcome::Error,
                    };
                    self.tasks[task].state = State::Done(outcome);
                    self.free(*worker);
                }
                None => self.stale += 1,
            },
            Input::Returned { worker, attempts } => {
                for attempt in attempts {
                    match self.current(*worker, *attempt) {
                        Some(task) => {
                            self.not_begun(task);
                            self.free(*worker);
                        }
                        None => self.stale += 1,
                    }
                }
            }
            Input::Cancel { task, .. } => {
                let deadline = Some(self.now.after(GRACE));
                let found = self.tasks.iter_mut().find(|other| other.id == *task);
                match found.map(|task| &mut task.state) {
                    Some(state @ State::Waiting) => *state = State::Done(Outcome::Cancelled),
                    Some(State::Running {
                        deadline: none @ None,
                        ..
                    }) => *none = deadline,
                    _ => {}
                }
            }
            Input::Pause => self.paused |= self.state == QueueState::Open,
            Input::Resume => self.paused = false,
            Input::Kill => {
                if self.state == QueueState::Open {
                    self.state = QueueState::Closing;
                    self.paused = false;
                    self.nursery_up = false;
                    self.leaving
                        .extend(self.seats.iter().filter_map(Seat::worker));
                    self.seats = [Seat::Vacant; SEATS];
                    for task in &mut self.tasks {
                        if !matches!(task.state, State::Done(_)) {
                            task.state = State::Done(Outcome::Cancelled);
                        }
                    }
                }
            }
            Input::Tick => {
                for task in &self.tasks {
                    if let State::Running {
                        worker,
                        deadline: Some(deadline),
                    } = task.state
                    {
                        if deadline <= self.now && !self.killed.contains(&worker) {
                            self.killed.push(worker);
                        }
                    }
                }
            }
            Input::StartFailed { .. } | Input::Resize { .. } | Input::Close { .. } => {}
        }
    }

    /// What follows from every step: sessions for vacant seats, tasks for idle sessions.
    fn go_on(&mut self) {
        if self.state != QueueState::Open || !self.nursery_up {
            return;
        }
        for seat in &mut self.seats {
            if *seat == Seat::Vacant {
                self.launched += 1;
                *seat = Seat::Starting(WorkerId(self.launched));
            }
        }
        if self.paused {
            return;
        }
        for seat in &mut self.seats {
            let Seat::Idle(worker) = *seat else { continue };
            let mut tasks = self.tasks.iter_mut();
            let Some(task) = tasks.find(|task| task.state == State::Waiting) else {
                return;
            };
            task.sends += 1;
            task.state = State::Running {
                worker,
                deadline: None,
            };
            *seat = Seat::Busy(worker, task.id);
        }
    }

    fn nursery_gone(&mut self) {
        if self.state == QueueState::Closed {
            self.stale += 1;
            return;
        }
        for seat in self.seats {
            if let Some(worker) = seat.worker() {
                let number = |id| {
                    self.tasks
                        .iter()
                        .find(|task| task.id == id)
                        .map(|t| t.sends)
                };
                let begun = match seat {
                    Seat::Busy(_, task) => number(task).map(|number| AttemptId { task, number }),
                    _ => None,
                };
                self.worker_gone(worker, GoneCause::NurseryLost, begun);
            }
        }
        self.leaving.clear();
        self.killed.clear();
        self.nursery_up = false;
        if self.state == QueueState::Closing {
            self.state = QueueState::Closed;
        }
    }

    fn worker_gone(&mut self, worker: WorkerId, cause: GoneCause, begun: Option<AttemptId>) {
        self.killed.retain(|&other| other != worker);
        if self.leaving.contains(&worker) {
            self.leaving.retain(|&other| other != worker);
            return;
        }
        let Some(place) = self
            .seats
            .iter()
            .position(|seat| seat.worker() == Some(worker))
        else {
            self.stale += 1;
            return;
        };
        if let Seat::Busy(_, id) = self.seats[place] {
            let task = self.tasks.iter().position(|task| task.id == id).unwrap();
            let attempt = AttemptId {
                task: id,
                number: self.tasks[task].sends,
            };
            let cancelling = matches!(
                self.tasks[task].state,
                State::Running {
                    deadline: Some(_),
                    ..
                }
            );
            if begun == Some(attempt) && !cancelling {
                self.tasks[task].state = State::Done(Outcome::Crash { cause });
            } else {
                self.not_begun(task);
            }
        }
        self.seats[place] = Seat::Vacant;
    }

    fn not_begun(&mut self, task: usize) {
        let state = &mut self.tasks[task].state;
        *state = match state {
            State::Running {
                deadline: Some(_), ..
            } => State::Done(Outcome::Cancelled),
            _ => State::Waiting,
        };
    }

    /// The task that this attempt is running now on this worker.
    fn current(&self, worker: WorkerId, attempt: AttemptId) -> Option<usize> {
        self.tasks.iter().position(|task| {
            let runs = matches!(task.state, State::Running { worker: w, .. } if w == worker);
            task.id == attempt.task && task.sends == attempt.number && runs
        })
    }

    fn free(&mut self, worker: WorkerId) {
        for seat in &mut self.seats {
            if seat.worker() == Some(worker) {
                *seat = Seat::Idle(worker);
                if self.killed.contains(&worker) {
                    *seat = Seat::Vacant;
                    self.leaving.push(worker);
                }
            }
        }
    }
}

impl Seat {
    fn worker(&self) -> Option<WorkerId> {
        match *self {
            Seat::Vacant => None,
            Seat::Starting(worker) | Seat::Idle(worker) | Seat::Busy(worker, _) => Some(worker),
        }
    }
}

fn attempt() -> impl Strategy<Value = AttemptId> {
    (1..8_u64, 1..4_u32).prop_map(|(task, number)| AttemptId {
        task: TaskId(task),
        number,
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Success),
        Just(Verdict::Error),
        Just(Verdict::Interrupted)
    ]
}

/// Messages about this worker and attempt, which may be one of the present or not.
fn message(worker: WorkerId, attempt: AttemptId) -> impl Strategy<Value = Input> {
    let begun = proptest::option::weighted(
        0.7,
        Just(Begun {
            attempt,
            at: Time(0),
        }),
    );
    prop_oneof![
        4 => verdict().prop_map(move |verdict| {
            let (began, ended) = (Time(0), Time(1));
            Input::Finished { worker, attempt, verdict, began, ended, memory: None }
        }),
        2 => Just(Input::Returned { worker, attempts: vec![attempt] }),
        1 => Just(Input::Returned { worker, attempts: vec![attempt, attempt] }),
        2 => begun.prop_map(move |begun| Input::WorkerGone { worker, cause: CAUSE, begun }),
        3 => Just(Input::WorkerReady { worker }),
        1 => Just(Input::Cancel { task: attempt.task, grace: None }),
    ]
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::new()).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Op> {
        let anything = (1..12_u64, attempt())
            .prop_flat_map(|(worker, attempt)| message(WorkerId(worker), attempt));
        // What the present sessions could say.
        let present: Vec<(WorkerId, AttemptId)> = model
            .seats
            .iter()
            .filter_map(|seat| {
                let task = match *seat {
                    Seat::Busy(_, task) => task,
                    _ => TaskId(1),
                };
                let number = model.tasks.iter().find(|other| other.id == task);
                let number = number.map_or(1, |task| task.sends);
                Some((seat.worker()?, AttemptId { task, number }))
            })
            .collect();
        let real = if present.is_empty() {
            Just(Input::NurseryUp).boxed()
        } else {
            let one = proptest::sample::select(present);
            one.prop_flat_map(|(worker, attempt)| message(worker, attempt))
                .boxed()
        };
        let last = model.pushed + 2;
        let usual = prop_oneof![
            8 => proptest::option::of(1..6_u8).prop_map(Op::Push),
            4 => (1..last).prop_map(|task| Op::Take(TaskId(task))),
            2 => (0..400_u64).prop_map(|ms| Op::Wait(Duration::from_millis(ms))),
            16 => real.prop_map(Op::Input),
            4 => anything.prop_map(Op::Input),
            2 => (1..last).prop_map(|task| Op::Input(Input::Cancel { task: TaskId(task), grace: None })),
            1 => Just(Op::Input(Input::Pause)),
            2 => Just(Op::Input(Input::Resume)),
            2 => Just(Op::Input(Input::NurseryUp)),
            1 => Just(Op::Input(Input::NurseryGone { reported: false })),
        ];
        prop_oneof![200 => usual, 1 => Just(Op::Input(Input::Kill))].boxed()
    }

    fn apply(mut model: Model, op: &Op) -> Model {
        match op {
            Op::Push(label) => {
                model.push(*label);
            }
            Op::Take(task) => {
                model.take(*task);
            }
            Op::Wait(duration) => {
                model.now = model.now.after(*duration);
                model.input(&Input::Tick);
            }
            Op::Input(input) => model.input(input),
        }
        model.go_on();
        model
    }
}

struct Real {
    scheduler: Scheduler,
    now: Time,
}

impl StateMachineTest for Real {
    type SystemUnderTest = Real;
    type Reference = Model;

    fn init_test(_: &Model) -> Real {
        let config = Config {
            workers: SEATS as u32,
            look_ahead: LookAhead::OFF,
            start_limit: u32::MAX,
            grace: GRACE,
            kill_patience: Duration::from_secs(1_000_000),
            ..Config::default()
        };
        Real {
            scheduler: Scheduler::new(config),
            now: Time(0),
        }
    }

    fn apply(mut real: Real, model: &Model, op: Op) -> Real {
        match op {
            Op::Push(label) => {
                let label = label.map(|number| format!(".{number}").into());
                let pushed = real.scheduler.submit(
                    real.now,
                    Submission {
                        label,
                        ..Submission::default()
                    },
                );
                let newest = model.tasks.last().map(|task| task.id);
                if let Ok(task) = pushed {
                    assert_eq!(Some(task), newest);
                }
            }
            Op::Take(task) => {
                let was_done = real.scheduler.done().any(|done| done == task);
                assert_eq!(real.scheduler.take(task), was_done);
            }
            Op::Wait(duration) => {
                real.now = real.now.after(duration);
                real.scheduler.handle(real.now, Input::Tick);
            }
            Op::Input(input) => real.scheduler.handle(real.now, input),
        }
        while real.scheduler.next_action().is_some() {}
        real
    }

    fn check_invariants(real: &Real, model: &Model) {
        let scheduler = &real.scheduler;
        scheduler.check_invariants();
        assert_eq!(scheduler.state(), model.state);
        assert_eq!(scheduler.is_paused(), model.paused);
        assert_eq!(scheduler.stale(), model.stale, "stale messages");

        let tasks: Vec<_> = scheduler.tasks().collect();
        assert_eq!(tasks.len(), model.tasks.len());
        let mut counts = Counts::default();
        for (view, task) in tasks.iter().zip(&model.tasks) {
            assert_eq!((view.id, view.label), (task.id, task.label.as_str()));
            assert_eq!(scheduler.find(&task.label), Some(task.id));
            let (state, count) = match task.state {
                State::Waiting => ((TaskPhase::Waiting, None), &mut counts.waiting),
                State::Done(outcome) => ((TaskPhase::Done, Some(outcome)), &mut counts.done),
                State::Running { worker, deadline } => {
                    let TaskPhase::Running { since, .. } = view.phase else {
                        panic!("{view:?} should run on {worker:?}");
                    };
                    assert_eq!(view.stopping.is_some(), deadline.is_some());
                    (
                        (TaskPhase::Running { worker, since }, None),
                        &mut counts.running,
                    )
                }
            };
            *count += 1;
            assert_eq!((view.phase, view.outcome.copied()), state);
        }
        assert_eq!(scheduler.counts(), counts);

        if model.state == QueueState::Open {
            for (view, seat) in scheduler.seats().zip(model.seats) {
                assert_eq!(view.worker, seat.worker());
                let same = match seat {
                    Seat::Vacant | Seat::Starting(_) => view.state == SeatState::Starting,
                    Seat::Idle(_) => view.state == SeatState::Idle,
                    Seat::Busy(_, id) => matches!(view.state, SeatState::Busy(a) if a.task == id),
                };
                assert!(same, "{view:?} is not {seat:?}");
            }
        }
    }
}

prop_state_machine! {
    #![proptest_config(cases(48))]

    #[test]
    fn the_scheduler_agrees_with_a_naive_list(sequential 1..120 => Real);
}

fn any_input() -> impl Strategy<Value = Input> {
    let messages = (1..20_u64, attempt()).prop_flat_map(|(worker, attempt)| {
        let worker = WorkerId(worker);
        prop_oneof![
            8 => message(worker, attempt),
            1 => Just(Input::StartFailed { worker }),
            1 => Just(Input::WorkerGone { worker, cause: GoneCause::NurseryLost, begun: None }),
        ]
    });
    prop_oneof![
        30 => messages,
        3 => Just(Input::NurseryUp),
        1 => any::<bool>().prop_map(|reported| Input::NurseryGone { reported }),
        3 => (0..6_u32).prop_map(|workers| Input::Resize { workers, max_workers: 0 }),
        1 => Just(Input::Pause),
        2 => Just(Input::Resume),
        4 => Just(Input::Tick),
        1 => prop_oneof![
            any::<u64>().prop_map(|at| Input::Close { deadline: Time(at) }),
            Just(Input::Kill),
        ],
    ]
}

/// An input, or none: a task is pushed.
fn any_step() -> impl Strategy<Value = Option<Input>> {
    proptest::option::weighted(0.8, any_input())
}

fn any_now() -> impl Strategy<Value = Time> {
    prop_oneof![
        20 => (0..3_000_000_000_u64).prop_map(Time),
        1 => any::<u64>().prop_map(Time),
        1 => Just(Time(u64::MAX)),
    ]
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn every_input_is_defined_in_every_state(
        workers in 0..5_u32,
        steps in proptest::collection::vec((any_now(), any_step()), 1..120),
    ) {
        let mut scheduler = Scheduler::new(Config { workers, ..Config::default() });
        let mut outcomes = std::collections::BTreeMap::new();
        for (now, input) in steps {
            match input {
                Some(input) => scheduler.handle(now, input),
                None => drop(scheduler.submit(now, Submission::default())),
            }
            scheduler.check_invariants();
            while let Some(action) = scheduler.next_action() {
                if let Action::Done { task } = action {
                    let outcome = scheduler.task(task).and_then(|view| view.outcome.copied());
                    prop_assert!(outcome.is_some());
                    prop_assert!(outcomes.insert(task, outcome).is_none(), "done twice");
                }
            }
        }
        for view in scheduler.tasks() {
            let announced = outcomes.get(&view.id).copied().flatten();
            prop_assert_eq!(view.outcome.copied(), announced);
        }
    }
}
