//! When a waiting task will be begun.

mod common;

use common::{ms, plain, us, Driver};
use taskq_core::{
    Action, Input, LookAhead, Outcome, Scheduler, SchedulerConfig, Submission, TaskId, TaskOptions,
    Time, Wait,
};

fn outlook(driver: &Driver, task: TaskId) -> (usize, Wait) {
    let outlook = driver.scheduler.outlook(driver.now, task).unwrap();
    (outlook.position, outlook.wait)
}

fn about(milliseconds: u64) -> Wait {
    Wait::About(ms(milliseconds))
}

#[test]
fn it_counts_those_that_come_before_and_reckons_with_the_mean_run_time() {
    let (mut driver, worker) = Driver::with_run_time(plain(1), ms(80));
    let tasks: Vec<TaskId> = (0..4).map(|_| driver.push()).collect();
    let (_, attempt) = driver.sent();
    let expected = [
        (0, about(0)),
        (1, about(80)),
        (2, about(160)),
        (3, about(240)),
    ];
    assert_eq!(
        tasks
            .iter()
            .map(|&task| outlook(&driver, task))
            .collect::<Vec<_>>(),
        expected
    );
    let urgent = driver.push_with(TaskOptions {
        priority: 1,
        ..TaskOptions::default()
    });
    assert_eq!(outlook(&driver, urgent), (1, about(80)));
    assert_eq!(outlook(&driver, tasks[1]), (2, about(160)));
    driver.wait(ms(80));
    driver.finish(worker, attempt);
    driver.done(tasks[0], Outcome::Success);
    assert_eq!(driver.sent().1.task, urgent);
    assert_eq!(driver.scheduler.outlook(driver.now, tasks[0]), None);
    assert_eq!(driver.scheduler.outlook(driver.now, TaskId(99)), None);
    assert_eq!(outlook(&driver, tasks[3]), (3, about(240)));
}

#[test]
fn more_workers_make_it_shorter_and_a_free_one_makes_it_nothing() {
    let (mut driver, _) = Driver::with_run_time(plain(4), ms(80));
    driver.input(Input::Pause);
    let tasks: Vec<TaskId> = (0..12).map(|_| driver.push()).collect();
    assert_eq!(outlook(&driver, tasks[3]), (4, Wait::Forever));
    driver.input(Input::Resume);
    for _ in 0..4 {
        driver.sent();
    }
    assert_eq!(outlook(&driver, tasks[4]), (1, about(20)));
    assert_eq!(outlook(&driver, tasks[11]), (8, about(160)));

    let mut driver = Driver::new(plain(2));
    let task = driver.push();
    assert_eq!(outlook(&driver, task), (1, Wait::Unknown));
}

/// The sessions of one queue boot anew, as after the death of its supervisor.
#[test]
fn a_worker_that_starts_counts_as_free() {
    let (mut driver, workers) = (Driver::with_run_time(plain(2), ms(80)).0, [1, 2]);
    for worker in workers {
        driver.dies(taskq_core::WorkerId(worker));
        driver.launched();
    }
    let tasks: Vec<TaskId> = (0..3).map(|_| driver.push()).collect();
    let seen: Vec<_> = tasks.iter().map(|&task| outlook(&driver, task)).collect();
    assert_eq!(seen, [(1, about(0)), (2, about(0)), (3, about(40))]);
}

#[test]
fn nothing_is_begun_without_workers_or_in_a_paused_queue() {
    let (mut driver, worker) = Driver::with_run_time(plain(1), ms(80));
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 0,
    });
    driver.expect(Action::Retire { worker });
    let task = driver.push();
    assert_eq!(outlook(&driver, task), (1, Wait::Forever));
    driver.input(Input::Resize {
        workers: 0,
        max_workers: 3,
    });
    driver.launched();
    assert_eq!(outlook(&driver, task), (1, about(0)));
    driver.input(Input::Pause);
    assert_eq!(outlook(&driver, task), (1, Wait::Forever));
}

#[test]
fn what_is_held_counts_as_if_it_waited_from_now_on() {
    let (mut driver, worker) = Driver::with_run_time(plain(1), ms(80));
    let first = driver.push_labelled("first");
    let held = driver.push_after("held", &["first"]);
    let last = driver.push();
    assert_eq!(outlook(&driver, held), (1, about(80)));
    // It is not begun before the other, but nobody can say that of all that are held.
    assert_eq!(outlook(&driver, last), (1, about(80)));
    let (_, attempt) = driver.sent();
    driver.finish(worker, attempt);
    driver.done(first, Outcome::Success);
    driver.sent();
    assert_eq!(outlook(&driver, last).0, 1);
}

#[test]
fn a_delay_before_a_try_is_part_of_the_wait() {
    let (mut driver, worker) = Driver::with_run_time(plain(1), ms(1));
    let task = driver.push_with(TaskOptions {
        tries: 2,
        backoff: ms(1000),
        ..TaskOptions::default()
    });
    let (_, attempt) = driver.sent();
    driver.dies_in(worker, attempt);
    driver.launched();
    let (position, Wait::About(wait)) = outlook(&driver, task) else {
        panic!("it will be tried")
    };
    assert_eq!(position, 1);
    assert!(ms(500) <= wait && wait <= ms(1000), "{wait:?}");
}

#[test]
fn what_lies_ahead_comes_first_in_the_order_of_the_lines() {
    let config = SchedulerConfig {
        workers: 2,
        look_ahead: LookAhead {
            max: 2,
            budget: ms(1),
        },
        ..SchedulerConfig::default()
    };
    let (mut driver, _) = Driver::with_run_time(config, us(100));
    let tasks: Vec<TaskId> = (0..8).map(|_| driver.push()).collect();
    let lines: Vec<_> = (0..6).map(|_| driver.sent()).collect();
    let seen: Vec<usize> = tasks.iter().map(|&task| outlook(&driver, task).0).collect();
    assert_eq!(seen[..2], [0, 0]);
    assert_eq!(seen[6..], [5, 6]);
    // Each line has its first before any has its second.
    let mut ahead: Vec<_> = (2..6).map(|at| (seen[at], lines[at].1.task)).collect();
    ahead.sort_unstable();
    assert_eq!(
        ahead.iter().map(|&(seen, _)| seen).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    let depth = |task| match outlook(&driver, task).1 {
        Wait::About(wait) => wait.as_micros(),
        other => panic!("{other:?}"),
    };
    let depths: Vec<_> = ahead.iter().map(|&(_, task)| depth(task)).collect();
    assert_eq!(depths, [100, 100, 200, 200]);
}

#[test]
fn a_fair_queue_counts_in_turns() {
    let config = SchedulerConfig {
        fair: true,
        ..plain(1)
    };
    let mut driver = Driver::new(config);
    let mut push = |tag: &str| {
        driver.submit(Submission {
            tag: Some(tag.into()),
            ..Submission::default()
        })
    };
    let a: Vec<TaskId> = (0..100).map(|_| push("a")).collect();
    let b: Vec<TaskId> = (0..3).map(|_| push("b")).collect();
    let c = push("c");
    let held = driver.submit(Submission {
        tag: Some("d".into()),
        after: vec![".100".into()],
        ..Submission::default()
    });
    let at = |task| outlook(&driver, task).0;
    assert_eq!(
        b.iter().map(|&task| at(task)).collect::<Vec<_>>(),
        [2, 5, 7]
    );
    assert_eq!(
        [at(a[0]), at(a[1]), at(a[2]), at(a[3]), at(a[99])],
        [1, 4, 6, 8, 104]
    );
    assert_eq!((at(c), at(held)), (3, 4));
}

/// More than a block of numbers, with gaps, and with priorities.
#[test]
fn thousands_are_counted_exactly_in_both_orders() {
    for fair in [false, true] {
        let mut scheduler = Scheduler::new(SchedulerConfig { fair, ..plain(1) });
        let mut tasks: Vec<TaskId> = Vec::new();
        for number in 0..5000_u32 {
            let submission = Submission {
                options: TaskOptions {
                    priority: i32::from(number % 50 == 0),
                    isolate: number % 7 == 0,
                    ..TaskOptions::default()
                },
                tag: Some("one".into()),
                ..Submission::default()
            };
            tasks.push(scheduler.submit(Time(1), submission).unwrap());
        }
        let (cancelled, mut left): (Vec<TaskId>, Vec<TaskId>) =
            tasks.into_iter().partition(|task| task.0 % 3 == 0);
        let grace = None;
        let tasks = cancelled;
        scheduler.handle(Time(2), Input::Cancel { tasks, grace });
        scheduler.check_invariants();
        let position = |task| scheduler.outlook(Time(2), task).unwrap().position;
        left.sort_by_key(|&task| (-scheduler.task(task).unwrap().priority, task));
        for (place, &task) in left.iter().enumerate().step_by(37) {
            assert_eq!(position(task), place + 1, "{task:?}, fair: {fair}");
        }
    }
}

#[test]
fn of_very_many_tags_the_first_task_is_counted_and_the_second_estimated() {
    const TAGS: usize = 15_000;
    let mut scheduler = Scheduler::new(SchedulerConfig {
        fair: true,
        ..plain(1)
    });
    let mut tasks = Vec::new();
    for number in 0..2 * TAGS {
        let submission = Submission {
            tag: Some((number % TAGS).to_string().into()),
            ..Submission::default()
        };
        tasks.push(scheduler.submit(Time(1), submission).unwrap());
    }
    let position = |task| scheduler.outlook(Time(1), task).unwrap().position;
    for place in [0, 1, 1023, 1024, 12_345, TAGS - 1] {
        assert_eq!(position(tasks[place]), place + 1);
    }
    // With one more for those who have their turn before: extrapolated from the first 10 000.
    let estimate = position(tasks[TAGS + 7_000]);
    assert!(estimate.abs_diff(TAGS + 7_001) < TAGS / 3, "{estimate}");
    assert_eq!(position(tasks[2 * TAGS - 1]), 2 * TAGS);
}
