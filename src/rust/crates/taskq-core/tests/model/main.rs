//! Random operations, compared step by step with a naive model.
//!
//! Messages are real, stale, duplicated or nonsense. The model knows no look-ahead, no delays and a
//! fixed number of seats; the simulator covers those. A second test throws arbitrary inputs at a
//! scheduler with everything switched on: none may break an invariant.

mod naive;

use std::time::Duration;

use naive::{Model, Push, Seat, State, Task, GRACE, MAX_WAITING, SEATS};
use proptest::prelude::*;
use proptest_state_machine::{prop_state_machine, ReferenceStateMachine, StateMachineTest};
use taskq_core::{
    Action, AttemptId, Begun, Counts, GoneCause, Input, LookAhead, QueueState, RetryOn, Scheduler,
    SchedulerConfig, SeatState, Submission, TaskId, TaskOptions, TaskPhase, Time, Verdict,
    WorkerId,
};

const CAUSE: GoneCause = GoneCause::Signaled { signal: 9 };

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
    Push(Push),
    PushAll(Vec<Push>),
    Take(TaskId),
    Claim(TaskId),
    Tell(Option<TaskId>),
    Disown(TaskId),
    Wait(Duration),
    Input(Input),
}

fn attempt() -> impl Strategy<Value = AttemptId> {
    (1..8_u64, 1..4_u32).prop_map(|(task, number)| AttemptId {
        task: TaskId(task),
        number,
    })
}

/// A number up to this, or one of the first parts.
fn some_task(last: u64) -> impl Strategy<Value = TaskId> {
    let part = (1..9_u64).prop_map(|part| (1 << 52) + (1 << 31) + part);
    prop_oneof![3 => 1..last, 1 => part].prop_map(TaskId)
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
        4 => (verdict(), any::<bool>()).prop_map(move |(verdict, now)| {
            // It ended long ago, or just now.
            let (began, ended) = (Time(0), Time(if now { u64::MAX } else { 1 }));
            Input::Finished { worker, attempt, verdict, began, ended, memory: None, running: None }
        }),
        2 => Just(Input::Returned { worker, attempts: vec![attempt] }),
        1 => Just(Input::Returned { worker, attempts: vec![attempt, attempt] }),
        2 => begun.prop_map(move |begun| Input::WorkerGone { worker, cause: CAUSE, begun }),
        3 => Just(Input::WorkerReady { worker }),
        1 => Just(Input::Cancel { tasks: vec![attempt.task], grace: None }),
    ]
}

/// One task is cancelled, or several, in any order and also twice.
fn cancel(task: impl Strategy<Value = TaskId>) -> impl Strategy<Value = Input> {
    let grace = proptest::option::weighted(0.3, (0..700_u64).prop_map(Duration::from_millis));
    (proptest::collection::vec(task, 1..7), grace)
        .prop_map(|(tasks, grace)| Input::Cancel { tasks, grace })
}

fn options() -> impl Strategy<Value = TaskOptions> {
    let retry_on = any::<(bool, bool, bool)>();
    let timeout = proptest::option::weighted(0.3, 0..600_u64);
    let numbers = (0..4_u32, prop_oneof![3 => Just(0), 1 => -1..3]);
    let made = (numbers, retry_on, timeout, proptest::bool::weighted(0.25));
    let options = made.prop_map(
        |((tries, priority), retry_on, timeout, isolate)| TaskOptions {
            timeout: timeout.map(Duration::from_millis),
            tries,
            retry_on: RetryOn {
                crash: retry_on.0,
                timeout: retry_on.1,
                error: retry_on.2,
            },
            priority,
            isolate,
            ..TaskOptions::default()
        },
    );
    prop_oneof![1 => Just(TaskOptions::default()), 2 => options]
}

fn push() -> impl Strategy<Value = Push> {
    let label = proptest::option::of(1..6_u8);
    let after = prop_oneof![2 => Just(vec![]), 1 => proptest::collection::vec(1..9_u8, 1..3)];
    let key = proptest::option::weighted(0.2, 1..3_u8);
    let claim = proptest::option::weighted(0.25, any::<bool>());
    let tag = proptest::option::of(1..4_u8);
    let made = (label, after, key, claim, any::<bool>(), tag, options());
    made.prop_map(
        |(label, after, key, claim, may_exceed, tag, options)| Push {
            label,
            after,
            key,
            claimed: claim.is_some(),
            part: claim == Some(true),
            may_exceed: may_exceed && claim.is_some(),
            tag,
            options,
        },
    )
}

fn submission(push: Push) -> Submission {
    let name = |number: u8| format!(".{number}").into();
    Submission {
        label: push.label.map(name),
        after: push.after.into_iter().map(name).collect(),
        given: Vec::new(),
        key: push.key.map(name),
        options: push.options,
        tag: push.tag.map(|number| number.to_string().into()),
        claimed: push.claimed,
        part: push.part,
        may_exceed: push.may_exceed,
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Model> {
        any::<bool>().prop_map(Model::new).boxed()
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
            Just(Input::SupervisorUp).boxed()
        } else {
            let one = proptest::sample::select(present);
            one.prop_flat_map(|(worker, attempt)| message(worker, attempt))
                .boxed()
        };
        let last = model.pushed + 2;
        let unfinished = |task: &&Task| !matches!(task.state, State::Done(_));
        let unfinished = model.tasks.iter().filter(unfinished).map(|task| task.id);
        let unfinished: Vec<TaskId> = unfinished.chain([TaskId(last)]).collect();
        let usual = prop_oneof![
            8 => push().prop_map(Op::Push),
            2 => proptest::collection::vec(push(), 0..5).prop_map(Op::PushAll),
            4 => some_task(last).prop_map(Op::Take),
            2 => some_task(last).prop_map(Op::Claim),
            2 => some_task(last).prop_map(Op::Disown),
            2 => proptest::option::of(some_task(last)).prop_map(Op::Tell),
            2 => (0..400_u64).prop_map(|ms| Op::Wait(Duration::from_millis(ms))),
            16 => real.prop_map(Op::Input),
            4 => anything.prop_map(Op::Input),
            3 => cancel(proptest::sample::select(unfinished)).prop_map(Op::Input),
            1 => cancel(some_task(last)).prop_map(Op::Input),
            1 => Just(Op::Input(Input::Pause)),
            2 => Just(Op::Input(Input::Resume)),
            2 => Just(Op::Input(Input::SupervisorUp)),
            1 => Just(Op::Input(Input::SupervisorGone { reported: false })),
        ];
        prop_oneof![200 => usual, 1 => Just(Op::Input(Input::Kill))].boxed()
    }

    fn apply(mut model: Model, op: &Op) -> Model {
        match op {
            Op::Push(push) => model.last_push = Some(model.push(push)),
            Op::PushAll(pushes) => model.last_batch = Some(model.push_all(pushes)),
            Op::Take(task) => {
                model.take(*task);
            }
            Op::Claim(task) => {
                model.promise(*task);
            }
            Op::Tell(task) => model.tell(*task),
            Op::Disown(task) => model.disown(*task),
            Op::Wait(duration) => {
                model.now = model.now.after(*duration);
                model.input(&Input::Tick);
            }
            Op::Input(input) => model.input(input),
        }
        model.go_on();
        model.sweep();
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

    fn init_test(model: &Model) -> Real {
        let config = SchedulerConfig {
            fair: model.fair,
            workers: SEATS as u32,
            look_ahead: LookAhead::OFF,
            start_limit: u32::MAX,
            grace: GRACE,
            max_waiting: MAX_WAITING,
            idle_death_limit: u32::MAX,
            kill_patience: Duration::from_secs(1_000_000),
            ..SchedulerConfig::default()
        };
        Real {
            scheduler: Scheduler::new(config),
            now: Time(0),
        }
    }

    fn apply(mut real: Real, model: &Model, op: Op) -> Real {
        match op {
            Op::Push(push) => {
                let pushed = real.scheduler.submit(real.now, submission(push));
                assert_eq!(Some(pushed), model.last_push);
            }
            Op::PushAll(pushes) => {
                let tasks = pushes.into_iter().map(submission).collect();
                let pushed = real.scheduler.submit_all(real.now, tasks);
                assert_eq!(Some(pushed.ok()), model.last_batch);
            }
            Op::Take(task) => {
                let view = real.scheduler.task(task);
                let was_done = view.is_some_and(|view| view.outcome.is_some());
                assert_eq!(real.scheduler.take(task), was_done);
            }
            Op::Claim(task) => {
                let view = real.scheduler.task(task);
                let was_open = view.is_some_and(|view| !view.claimed);
                assert_eq!(real.scheduler.claim(task), was_open);
            }
            Op::Tell(task) => {
                let all: Vec<TaskId> = real.scheduler.news().collect();
                let some = task.map_or_else(|| all.clone(), |task| vec![task]);
                let are_news = some.iter().all(|task| all.contains(task));
                assert_eq!(real.scheduler.tell(&some), are_news);
            }
            Op::Disown(task) => real.scheduler.disown(real.now, task),
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
        let (mut counts, mut kept) = (Counts::default(), 0);
        for (view, task) in tasks.iter().zip(&model.tasks) {
            assert_eq!((view.id, view.label), (task.id, task.label.as_str()));
            assert_eq!(view.claimed, task.claimed);
            let found = (!task.disowned).then_some(task.id);
            assert_eq!(scheduler.find(&task.label), found);
            let done = matches!(task.state, State::Done(_));
            let listed = scheduler.done().any(|done| done == task.id);
            assert_eq!(listed, done && !task.claimed, "{:?} is listed", task.id);
            let (state, count) = match task.state {
                State::Held | State::Waiting => ((TaskPhase::Waiting, None), &mut counts.waiting),
                State::Done(outcome) if task.claimed => {
                    ((TaskPhase::Done, Some(outcome)), &mut kept)
                }
                State::Done(outcome) => ((TaskPhase::Done, Some(outcome)), &mut counts.done),
                State::Running {
                    worker,
                    since,
                    stopping,
                } => {
                    assert_eq!(view.stopping, stopping.map(|stopping| stopping.why));
                    let phase = TaskPhase::Running { worker, since };
                    ((phase, None), &mut counts.running)
                }
            };
            let runs = u32::from(matches!(task.state, State::Running { .. }));
            assert_eq!(view.tries, task.tries + runs, "tries of {:?}", task.id);
            *count += 1;
            assert_eq!((view.phase, view.outcome.copied()), state);
        }
        assert_eq!(scheduler.counts(), counts);
        let news: Vec<TaskId> = scheduler.news().collect();
        assert_eq!(news, model.news());

        if model.state == QueueState::Open {
            for (view, seat) in scheduler.seats().zip(model.seats) {
                assert_eq!(view.worker, seat.worker());
                let same = match seat {
                    Seat::Vacant | Seat::Starting(_) => view.state == SeatState::Starting,
                    Seat::Idle { .. } => view.state == SeatState::Idle,
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
            1 => Just(Input::Unheard { worker }),
            1 => Just(Input::HungUp { worker }),
            1 => Just(Input::WorkerGone { worker, cause: GoneCause::SupervisorLost, begun: None }),
        ]
    });
    prop_oneof![
        30 => messages,
        2 => cancel((1..40_u64).prop_map(TaskId)),
        3 => Just(Input::SupervisorUp),
        1 => any::<bool>().prop_map(|reported| Input::SupervisorGone { reported }),
        3 => (0..6_u32, 0..6_u32).prop_map(|(workers, max_workers)| Input::Resize {
            workers,
            max_workers
        }),
        1 => Just(Input::Pause),
        2 => Just(Input::Resume),
        4 => Just(Input::Tick),
        1 => prop_oneof![
            any::<u64>().prop_map(|at| Input::Close { deadline: Time(at) }),
            Just(Input::Kill),
        ],
    ]
}

/// An input, or a task is pushed.
fn any_step() -> impl Strategy<Value = Result<Input, Box<Submission>>> {
    let delayed = (push(), 0..300_u64).prop_map(|(mut push, backoff)| {
        push.options.backoff = Duration::from_millis(backoff);
        Err(Box::new(submission(push)))
    });
    prop_oneof![4 => any_input().prop_map(Ok), 1 => delayed]
}

fn any_config() -> impl Strategy<Value = SchedulerConfig> {
    let seats = (0..5_u32, 0..5_u32);
    let limits = (0..5_u64, any::<bool>(), 1..5_u32, any::<bool>());
    (seats, limits).prop_map(|((workers, max_workers), (tasks, limited, deaths, fair))| {
        SchedulerConfig {
            fair,
            workers,
            max_workers,
            idle_timeout: Duration::from_millis(100),
            max_tasks: if limited { tasks } else { u64::MAX },
            max_memory: 0,
            max_waiting: 9,
            idle_death_limit: deaths,
            ..SchedulerConfig::default()
        }
    })
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
        config in any_config(),
        steps in proptest::collection::vec((any_now(), any_step()), 1..120),
    ) {
        let mut scheduler = Scheduler::new(config);
        let mut outcomes = std::collections::BTreeMap::new();
        for (now, input) in steps {
            match input {
                Ok(Input::Cancel { tasks, .. }) if now.0 % 2 == 0 => {
                    let disown = |task| scheduler.disown(now, task);
                    tasks.into_iter().for_each(disown);
                }
                Ok(input) => scheduler.handle(now, input),
                Err(submission) => drop(scheduler.submit(now, *submission)),
            }
            scheduler.check_invariants();
            while let Some(action) = scheduler.next_action() {
                if let Action::Forget { task } = action {
                    prop_assert!(scheduler.task(task).is_none());
                }
                if let Action::Done { task } = action {
                    let outcome = scheduler.task(task).and_then(|view| view.outcome.copied());
                    prop_assert!(outcome.is_some());
                    prop_assert!(outcomes.insert(task, outcome).is_none(), "done twice");
                }
            }
        }
        let waiting = scheduler.counts().waiting;
        for view in scheduler.tasks() {
            let position = scheduler.outlook(Time(0), view.id).map(|outlook| outlook.position);
            let plausible = match view.phase {
                TaskPhase::Waiting => position.is_some_and(|place| 0 < place && place <= waiting),
                TaskPhase::Running { .. } => position == Some(0),
                TaskPhase::Done => position.is_none(),
            };
            prop_assert!(plausible, "{:?} is at {:?} of {}", view.id, position, waiting);
            let announced = outcomes.get(&view.id).copied().flatten();
            prop_assert_eq!(view.outcome.copied(), announced);
        }
    }
}
