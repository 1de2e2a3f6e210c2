//! A seeded simulation of whole queues: sessions that crash, hang, swallow interrupts and answer
//! late, supervisors that die, users who push, cancel, take, resize and pause at any moment; tasks with
//! all options, in pools with all settings.
//!
//! Checked on the way: the invariants after every step, that every outcome is what really happened,
//! that no task that was cancelled is said to be skipped, that none is begun more often than it may
//! be, nor before what it is to run after has succeeded, that what is to be alone is alone, and that
//! nothing lies ahead while a session is idle. At the end: every task has exactly one outcome and
//! every process is gone. A failure names its seed; more seeds run with `TASKQ_SIM_SEEDS=100000`,
//! one of them with `TASKQ_SIM_SEED=17`.

mod random;
mod record;
mod session;
mod truth;
mod world;

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::time::Duration;

use random::Random;
use taskq_core::{
    Input, LookAhead, QueueState, RetryOn, SchedulerConfig, Submission, SubmitError, TaskId,
    TaskOptions,
};
use world::{Climate, World};

/// Without optimization a seed takes about 10 ms, with it half a millisecond.
const SEEDS: u64 = if cfg!(debug_assertions) { 200 } else { 5000 };

#[test]
fn every_task_has_one_true_outcome_and_every_process_ends() {
    if let Some(seed) = setting("TASKQ_SIM_SEED") {
        simulate(seed);
        return;
    }
    for seed in 0..setting("TASKQ_SIM_SEEDS").unwrap_or(SEEDS) {
        let run = catch_unwind(AssertUnwindSafe(|| simulate(seed)));
        if let Err(panic) = run {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            match message {
                Some(message) => panic!("TASKQ_SIM_SEED={seed}: {message}"),
                None => resume_unwind(panic),
            }
        }
    }
}

// The scheduler must not read the environment; how often it is tested may depend on it.
#[allow(clippy::disallowed_methods)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn simulate(seed: u64) {
    let mut random = Random::new(seed);
    let config = config(&mut random);
    let climate = climate(&mut random);
    let mut world = World::new(config, climate, random);
    let mut tasks = Vec::new();
    for _ in 0..10 + world.random.below(40) {
        user(&mut world, &mut tasks);
        let pause = match world.random.below(4) {
            0 => Duration::ZERO,
            1 => world.random.micros(1, 500),
            2 => world.random.micros(1, 5_000),
            _ => world.random.micros(1, 60_000),
        };
        world.run_for(pause);
    }
    finish(&mut world, &mut tasks);
}

fn config(random: &mut Random) -> SchedulerConfig {
    let look_ahead = LookAhead {
        max: random.pick(&[0, 1, 4, 64]).unwrap_or(0),
        ..LookAhead::default()
    };
    let config = SchedulerConfig {
        workers: random.below(5) as u32,
        max_workers: random.pick(&[0, 0, 1, 3, 6]).unwrap_or(0),
        idle_timeout: random.micros(1, 50_000),
        max_tasks: random.pick(&[u64::MAX, 0, 1, 3, 20]).unwrap_or(0),
        max_memory: random.pick(&[u64::MAX, 900]).unwrap_or(0),
        max_waiting: random.pick(&[usize::MAX, 30]).unwrap_or(0),
        jitter_seed: random.next(),
        idle_death_limit: random.pick(&[3, 10, 1000]).unwrap_or(0),
        look_ahead,
        start_limit: 1 + random.below(4) as u32,
        grace: Duration::from_millis(random.below(100)),
        ..SchedulerConfig::default()
    };
    // No draw: what is known of a seed stays as it was.
    let fair = config.jitter_seed % 2 == 1;
    SchedulerConfig { fair, ..config }
}

fn climate(random: &mut Random) -> Climate {
    let mut chance = |bound: u64| {
        if random.permille(500) {
            0
        } else {
            random.below(bound)
        }
    };
    Climate {
        crash: chance(100),
        hang: chance(40),
        deaf: chance(300),
        bad_start: chance(400),
        bad_boot: chance(400),
        obstinate: chance(150),
        echo: chance(200),
        long_us: 10 + chance(3000),
    }
}

fn user(world: &mut World, tasks: &mut Vec<TaskId>) {
    match world.random.below(100) {
        0..=44 => {
            for _ in 0..1 + world.random.below(8) {
                push(world, tasks);
            }
        }
        45..=47 => {
            if let Some(task) = world.random.pick(tasks) {
                disown(world, tasks, task);
            }
        }
        48..=59 => {
            let some = 1 + world.random.below(4) * world.random.below(2);
            let some: Vec<TaskId> = (0..some).filter_map(|_| world.random.pick(tasks)).collect();
            cancel(world, some);
        }
        60..=74 => {
            let done = done(world);
            if world.random.permille(700) {
                done.into_iter().for_each(|task| take(world, tasks, task));
            } else if let Some(task) = world.random.pick(&done) {
                take(world, tasks, task);
            }
        }
        75..=84 => {
            let workers = world.random.below(7) as u32;
            let max_workers = world.random.below(7) as u32;
            world.input(Input::Resize {
                workers,
                max_workers,
            });
        }
        85..=88 => world.input(Input::Pause),
        89..=93 => {
            world.input(Input::Resume);
            // No draw, either.
            if tasks.len() % 2 == 0 {
                world.run_everywhere();
            }
        }
        94..=97 => world.strike_session(),
        98 => world.strike_supervisor(),
        _ => world.input(Input::Tick),
    }
}

fn push(world: &mut World, tasks: &mut Vec<TaskId>) {
    let state = world.scheduler.state();
    let has_room = world.scheduler.has_room(1);
    let key = world.random.permille(100).then(|| world.random.below(3));
    let after = after(world, tasks);
    let after: Vec<TaskId> = after.into_iter().filter(|task| task.0 < 1 << 52).collect();
    let label = |&task: &TaskId| Some(world.scheduler.task(task)?.label.into());
    let claimed = world.random.permille(300);
    let part = claimed && world.random.permille(500);
    // No draw, either.
    let tag = tasks.len() * 7 % 5;
    let may_exceed = claimed && tasks.len() % 3 == 0;
    let submission = Submission {
        tag: (tag > 0).then(|| tag.to_string().into()),
        claimed,
        part,
        may_exceed,
        after: after.iter().filter_map(label).collect(),
        key: key.map(|key| key.to_string().into()),
        options: options(world),
        ..Submission::default()
    };
    let options = submission.options.clone();
    match world.scheduler.submit(world.now, submission) {
        Ok(task) => {
            world.truth.pushed(task, options, after, key, claimed);
            tasks.push(task);
            world.input(Input::Tick);
        }
        Err(SubmitError::Full) => {
            assert!(
                !has_room && !part && !may_exceed,
                "a queue with room is full"
            );
        }
        Err(_) => assert_ne!(state, QueueState::Open, "an open queue refused a task"),
    }
}

/// Some of the tasks that are in the queue.
fn after(world: &mut World, tasks: &[TaskId]) -> Vec<TaskId> {
    if !world.random.permille(250) {
        return Vec::new();
    }
    let count = 1 + world.random.below(3);
    // Mostly the last ones, so that there are chains.
    let last = &tasks[tasks.len().saturating_sub(4)..];
    (0..count)
        .filter_map(|_| match world.random.permille(700) {
            true => world.random.pick(last),
            false => world.random.pick(tasks),
        })
        .collect()
}

fn options(world: &mut World) -> TaskOptions {
    let random = &mut world.random;
    if random.permille(400) {
        return TaskOptions::default();
    }
    TaskOptions {
        timeout: random.permille(300).then(|| random.micros(1, 20_000)),
        tries: random.below(4) as u32,
        retry_on: RetryOn {
            crash: random.permille(700),
            timeout: random.permille(500),
            error: random.permille(500),
        },
        backoff: match random.below(3) {
            0 => Duration::ZERO,
            1 => random.micros(1, 1000),
            _ => random.micros(1, 50_000),
        },
        priority: random.below(3) as i32 - 1,
        isolate: random.permille(150),
    }
}

fn cancel(world: &mut World, tasks: Vec<TaskId>) {
    tasks.iter().for_each(|&task| world.truth.cancelled(task));
    let grace = world.random.permille(200);
    let grace = grace.then(|| world.random.micros(0, 100_000));
    world.input(Input::Cancel { tasks, grace });
}

/// What can be taken, by whoever has a right to it.
fn done(world: &World) -> Vec<TaskId> {
    let listed: Vec<TaskId> = world.scheduler.done().collect();
    let all = world
        .scheduler
        .tasks()
        .filter(|task| task.outcome.is_some());
    let (claimed, open): (Vec<_>, Vec<_>) = all.partition(|task| task.claimed);
    assert!(open.iter().map(|task| task.id).eq(listed.iter().copied()));
    let claimed = claimed.into_iter().map(|task| task.id);
    listed.into_iter().chain(claimed).collect()
}

fn disown(world: &mut World, tasks: &mut Vec<TaskId>, task: TaskId) {
    let claimed = world.scheduler.task(task).is_some_and(|view| view.claimed);
    world.truth.disowned(task);
    let now = world.now;
    world.scheduler.disown(now, task);
    world.input(Input::Tick);
    if claimed {
        tasks.retain(|&other| other != task);
    }
}

fn take(world: &mut World, tasks: &mut Vec<TaskId>, task: TaskId) {
    if let Some(view) = world.scheduler.task(task) {
        world.truth.taken(&view);
    }
    assert!(world.scheduler.take(task));
    tasks.retain(|&other| other != task);
}

/// Ends the queue in one of the ways there are, and looks at what is left.
fn finish(world: &mut World, tasks: &mut Vec<TaskId>) {
    let way = world.random.below(4);
    if way == 0 {
        come_to_rest(world, tasks);
    }
    if way == 3 {
        world.input(Input::Kill);
    } else {
        let patience = world.random.micros(1, 500_000);
        let deadline = world.now.after(patience);
        world.input(Input::Close { deadline });
    }
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.scheduler.state(), QueueState::Closed);
    assert!(!world.anybody_alive(), "a process is left");
    assert_eq!(world.scheduler.next_wakeup(), None);
    for task in done(world) {
        take(world, tasks, task);
    }
    world.truth.check_end();
    assert_eq!(world.scheduler.tasks().count(), 0);
}

/// With workers, and with hanging tasks cancelled, everything ends without a close.
fn come_to_rest(world: &mut World, tasks: &[TaskId]) {
    world.input(Input::Resume);
    world.input(Input::Resize {
        workers: 2,
        max_workers: 0,
    });
    world.run_for(Duration::from_secs(5));
    let seats_hang = |world: &World| world.scheduler.counts().running == 0;
    for _ in 0..200 {
        let counts = world.scheduler.counts();
        if counts.waiting + counts.running == 0 {
            return;
        }
        let running = world.scheduler.tasks();
        let running: Vec<TaskId> = running
            .filter(|task| matches!(task.phase, taskq_core::TaskPhase::Running { .. }))
            .map(|task| task.id)
            .collect();
        cancel(world, running);
        if seats_hang(world) {
            // Sessions that hang while they start: a user would resize.
            world.input(Input::Resize {
                workers: 0,
                max_workers: 0,
            });
            world.input(Input::Resize {
                workers: 2,
                max_workers: 0,
            });
        }
        world.run_for(Duration::from_secs(5));
    }
    panic!("{} tasks never end", tasks.len());
}
