//! Tags that take turns.

mod common;

use std::collections::{HashMap, HashSet};

use common::{ms, plain, us, Driver};
use proptest::prelude::*;
use taskq_core::{
    Action, GoneCause, Input, LookAhead, Outcome, SchedulerConfig, Submission, TaskId, TaskOptions,
    TaskPhase, Verdict, WorkerId,
};

fn fair() -> SchedulerConfig {
    SchedulerConfig {
        fair: true,
        idle_death_limit: u32::MAX,
        ..plain(1)
    }
}

fn tagged(tag: &str) -> Submission {
    Submission {
        tag: (!tag.is_empty()).then(|| tag.into()),
        ..Submission::default()
    }
}

fn with(tag: &str, options: TaskOptions) -> Submission {
    Submission {
        options,
        ..tagged(tag)
    }
}

fn push(driver: &mut Driver, count: usize, tag: &str) -> Vec<TaskId> {
    (0..count).map(|_| driver.submit(tagged(tag))).collect()
}

/// The only worker becomes ready.
fn start(driver: &mut Driver) -> WorkerId {
    driver.input(Input::SupervisorUp);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    worker
}

fn tag_of(driver: &Driver, task: TaskId) -> String {
    let view = driver.scheduler.task(task).unwrap();
    view.tag.unwrap_or_default().to_owned()
}

/// Runs the task that was sent to the only worker; whose it was.
fn run_one(driver: &mut Driver) -> Option<TaskId> {
    let Some(Action::Send { worker, attempt }) = driver.next_action() else {
        return None;
    };
    driver.finish(worker, attempt);
    driver.done(attempt.task, Outcome::Success);
    Some(attempt.task)
}

/// Runs so many on the only worker; the tags in the order of the begins.
fn run(driver: &mut Driver, count: usize) -> String {
    let tasks: Vec<TaskId> = (0..count).map_while(|_| run_one(driver)).collect();
    tasks.iter().map(|&task| tag_of(driver, task)).collect()
}

/// Takes the task that was sent last out of the account, so that the driver may be dropped.
fn leave_one(driver: &mut Driver) {
    driver.sent();
}

#[test]
fn one_who_pushes_many_does_not_starve_one_who_pushes_few() {
    let mut driver = Driver::new(fair());
    push(&mut driver, 1000, "a");
    start(&mut driver);
    assert_eq!(run(&mut driver, 100), "a".repeat(100));
    push(&mut driver, 10, "b");
    // One of `a` has been sent, and has drawn the ticket of the next one before `b` came.
    assert_eq!(run(&mut driver, 21), "a".to_owned() + &"ab".repeat(10));
    assert_eq!(run(&mut driver, 889), "a".repeat(889));
}

#[test]
fn three_tags_share_equally() {
    let mut driver = Driver::new(fair());
    for (tag, count) in [("a", 300), ("b", 30), ("c", 30)] {
        push(&mut driver, count, tag);
    }
    start(&mut driver);
    assert_eq!(run(&mut driver, 90), "abc".repeat(30));
    assert_eq!(run(&mut driver, 270), "a".repeat(270));
}

#[test]
fn within_a_tag_the_older_push_comes_first() {
    let mut driver = Driver::new(fair());
    let (a, b) = (push(&mut driver, 3, "a"), push(&mut driver, 3, "b"));
    start(&mut driver);
    let begun: Vec<TaskId> = (0..6).map_while(|_| run_one(&mut driver)).collect();
    assert_eq!(begun, [a[0], b[0], a[1], b[1], a[2], b[2]]);
}

#[test]
fn tasks_without_a_tag_are_together_one_tag() {
    let mut driver = Driver::new(fair());
    push(&mut driver, 4, "");
    push(&mut driver, 2, "b");
    start(&mut driver);
    assert_eq!(run(&mut driver, 6), "bb");
    let mut driver = Driver::new(fair());
    let plain = push(&mut driver, 2, "");
    let b = push(&mut driver, 1, "b");
    start(&mut driver);
    let begun: Vec<TaskId> = (0..3).map_while(|_| run_one(&mut driver)).collect();
    assert_eq!(begun, [plain[0], b[0], plain[1]]);
}

#[test]
fn parts_of_something_count_as_what_their_tag_says() {
    let mut driver = Driver::new(fair());
    for _ in 0..3 {
        driver.submit(Submission {
            part: true,
            ..tagged("m")
        });
    }
    push(&mut driver, 3, "a");
    start(&mut driver);
    assert_eq!(run(&mut driver, 6), "mamama");
}

#[test]
fn a_higher_priority_wins_and_has_turns_of_its_own() {
    let urgent = |tag| {
        with(
            tag,
            TaskOptions {
                priority: 1,
                ..TaskOptions::default()
            },
        )
    };
    let mut driver = Driver::new(fair());
    push(&mut driver, 2, "a");
    push(&mut driver, 2, "b");
    for tag in ["A", "A", "B", "B"] {
        driver.submit(urgent(tag));
    }
    start(&mut driver);
    assert_eq!(run(&mut driver, 8), "ABABabab");
}

#[test]
fn what_was_cancelled_leaves_no_debt() {
    let mut driver = Driver::new(fair());
    let a = push(&mut driver, 100, "a");
    push(&mut driver, 5, "b");
    driver.cancel_all(&a[..95]);
    for &task in a[..95].iter().rev() {
        driver.done(task, Outcome::Cancelled);
    }
    start(&mut driver);
    assert_eq!(run(&mut driver, 10), "ab".repeat(5));
}

#[test]
fn a_tag_that_was_away_has_no_credit() {
    let mut driver = Driver::new(fair());
    push(&mut driver, 1, "b");
    push(&mut driver, 60, "a");
    start(&mut driver);
    assert_eq!(run(&mut driver, 50), "b".to_owned() + &"a".repeat(49));
    push(&mut driver, 5, "b");
    assert_eq!(
        run(&mut driver, 16),
        "a".to_owned() + &"ab".repeat(5) + "aaaaa"
    );
}

/// Whose every task is gone before the next comes is new each time: that must not make him first.
#[test]
fn one_who_pushes_one_by_one_gets_no_more_than_the_others() {
    let mut driver = Driver::new(fair());
    push(&mut driver, 10, "a");
    push(&mut driver, 10, "c");
    push(&mut driver, 1, "b");
    start(&mut driver);
    let mut begun = String::new();
    while let Some(task) = run_one(&mut driver) {
        let tag = tag_of(&driver, task);
        if tag == "b" {
            push(&mut driver, 1, "b");
        }
        begun += &tag;
        let count = |tag| begun.matches(tag).count();
        assert!(
            count("b") <= count("a") && count("b") <= count("c"),
            "{begun}"
        );
        if begun.len() == 18 {
            break;
        }
    }
    assert!(begun.matches('b').count() >= 4, "{begun}");
    leave_one(&mut driver);
}

#[test]
fn without_fair_the_older_push_comes_first_whatever_its_tag() {
    let mut driver = Driver::new(plain(1));
    push(&mut driver, 20, "a");
    push(&mut driver, 2, "b");
    start(&mut driver);
    assert_eq!(run(&mut driver, 22), "a".repeat(20) + "bb");
}

#[test]
fn what_a_dead_session_had_not_begun_has_its_turn_again_and_only_once() {
    let mut driver = Driver::new(fair());
    let a = push(&mut driver, 3, "a");
    push(&mut driver, 3, "b");
    push(&mut driver, 3, "c");
    let worker = start(&mut driver);
    let (_, attempt) = driver.sent();
    assert_eq!(attempt.task, a[0]);
    // `d` comes while the first of `a` is away, which is as if it had never been.
    push(&mut driver, 2, "d");
    driver.dies(worker);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    assert_eq!(run(&mut driver, 11), "abcdabcdabc");
}

#[test]
fn what_lies_ahead_is_sent_in_turns_and_keeps_them_when_it_is_recalled() {
    let config = SchedulerConfig {
        fair: true,
        workers: 1,
        recall_after: ms(2),
        look_ahead: LookAhead {
            max: 5,
            ..LookAhead::default()
        },
        ..SchedulerConfig::default()
    };
    let (mut driver, worker) = Driver::with_run_time(config, us(100));
    driver.input(Input::Pause);
    push(&mut driver, 10, "a");
    push(&mut driver, 10, "b");
    driver.input(Input::Resume);
    let sent: Vec<_> = (0..6).map(|_| driver.sent().1).collect();
    let tags: String = sent
        .iter()
        .map(|attempt| tag_of(&driver, attempt.task))
        .collect();
    assert_eq!(tags, "ababab");
    push(&mut driver, 2, "c");
    driver.wait(ms(2));
    let attempts = sent[1..].to_vec();
    driver.expect(Action::Recall { worker, attempts });
    driver.returned(worker, &sent[1..]);
    driver.finish(worker, sent[0]);
    driver.done(sent[0].task, Outcome::Success);
    // `b` had the turn after the first, then `a`; `c` came after both. The mean run time is longer
    // now, so that fewer are sent ahead.
    let mut begun = String::new();
    while let Some(action) = driver.next_action() {
        match action {
            Action::Send { worker, attempt } => {
                begun += &tag_of(&driver, attempt.task);
                driver.finish(worker, attempt);
            }
            Action::Done { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(begun, "bac".repeat(2) + &"ba".repeat(7) + "b");
}

#[test]
fn a_try_is_a_turn() {
    let options = TaskOptions {
        tries: 2,
        ..TaskOptions::default()
    };
    let mut driver = Driver::new(fair());
    driver.submit(with("a", options));
    push(&mut driver, 1, "a");
    push(&mut driver, 2, "b");
    let worker = start(&mut driver);
    let (_, attempt) = driver.sent();
    driver.dies_in(worker, attempt);
    let worker = driver.launched();
    driver.input(Input::WorkerReady { worker });
    // Within its tag it has its place again.
    let begun: Vec<TaskId> = (0..4).map_while(|_| run_one(&mut driver)).collect();
    let tags: String = begun.iter().map(|&task| tag_of(&driver, task)).collect();
    assert_eq!(tags, "baba");
    assert_eq!(begun[1], attempt.task);
}

#[test]
fn what_was_held_has_its_place_in_its_tag_and_no_turn_of_its_own() {
    let mut driver = Driver::new(fair());
    driver.push_labelled("first");
    for _ in 0..2 {
        driver.submit(Submission {
            after: vec!["first".into()],
            ..tagged("a")
        });
    }
    let b = push(&mut driver, 3, "b");
    let a = push(&mut driver, 2, "a");
    start(&mut driver);
    let begun: Vec<TaskId> = (0..8).map_while(|_| run_one(&mut driver)).collect();
    let tags: String = begun.iter().map(|&task| tag_of(&driver, task)).collect();
    assert_eq!(tags, "bababaa");
    let held = [TaskId(2), TaskId(3)];
    let of_a: Vec<TaskId> = begun
        .iter()
        .copied()
        .filter(|task| !b.contains(task))
        .collect();
    assert_eq!(of_a[1..], [held[0], held[1], a[0], a[1]]);
}

#[test]
fn those_that_need_a_session_of_their_own_have_no_turns_of_their_own() {
    let isolate = TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    };
    let mut driver = Driver::new(SchedulerConfig {
        workers: 4,
        ..fair()
    });
    let first = driver.submit(with("a", isolate));
    let second = push(&mut driver, 1, "a")[0];
    let b = push(&mut driver, 1, "b")[0];
    driver.input(Input::SupervisorUp);
    let workers: Vec<WorkerId> = (0..4).map(|_| driver.launched()).collect();
    let mut sent = Vec::new();
    for worker in workers {
        driver.input(Input::WorkerReady { worker });
        if let Some(Action::Send { attempt, .. }) = driver.next_action() {
            sent.push(attempt.task);
        }
    }
    assert_eq!(sent, [first, b, second]);
}

/// The turn of the lane is used up by the first task, also when sessions are free for both at once.
#[test]
fn one_kind_is_not_sent_in_the_turn_of_the_other() {
    let isolate = TaskOptions {
        isolate: true,
        ..TaskOptions::default()
    };
    let (mut driver, _) = Driver::ready(SchedulerConfig {
        workers: 2,
        ..fair()
    });
    driver.input(Input::Pause);
    let first = driver.submit(with("a", isolate));
    push(&mut driver, 1, "a");
    let b = push(&mut driver, 1, "b")[0];
    driver.input(Input::Resume);
    assert_eq!([driver.sent().1.task, driver.sent().1.task], [first, b]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is pushed, cancelled and given back; and the positions say in which order.
    #[test]
    fn nobody_waits_for_more_than_a_turn_of_each_other(
        pushes in proptest::collection::vec((0..5_usize, 0..3_i32), 1..80),
        cancelled in proptest::collection::vec(0..80_usize, 0..20),
        late in proptest::collection::vec(0..5_usize, 0..20),
        unlucky in proptest::collection::vec(any::<bool>(), 200),
    ) {
        let tags = ["", "a", "b", "c", "d"];
        let mut driver = Driver::new(fair());
        let mut tasks = Vec::new();
        for &(tag, priority) in &pushes {
            let options = TaskOptions { priority, ..TaskOptions::default() };
            tasks.push(driver.submit(with(tags[tag], options)));
        }
        let cancelled: Vec<TaskId> = cancelled.iter().filter_map(|&at| tasks.get(at).copied()).collect();
        driver.cancel_all(&cancelled);
        while driver.next_action().is_some() {}
        tasks.retain(|task| !cancelled.contains(task));
        let place = |driver: &Driver, task| driver.scheduler.outlook(driver.now, task).unwrap().position;
        tasks.sort_by_key(|&task| place(&driver, task));
        let places: Vec<usize> = tasks.iter().map(|&task| place(&driver, task)).collect();
        prop_assert_eq!(places, (1..=tasks.len()).collect::<Vec<_>>());

        // Without late pushes the positions are the order of the begins.
        let mut worker = start(&mut driver);
        let mut begun = Vec::new();
        let mut late = late.into_iter();
        let mut lucky = unlucky.into_iter().map(|unlucky| !unlucky);
        let mut passed: HashMap<(i32, String), Vec<(i32, String)>> = HashMap::new();
        let foreseen = late.len() == 0;
        while let Some(Action::Send { attempt, .. }) = driver.next_action() {
            if !lucky.next().unwrap_or(true) {
                driver.gone(worker, GoneCause::Unknown, None);
                worker = driver.launched();
                driver.input(Input::WorkerReady { worker });
                continue;
            }
            let view = driver.scheduler.task(attempt.task).unwrap();
            let name = (view.priority, view.tag.unwrap_or_default().to_owned());
            // Each who waits for a turn is passed over by each other once, or not at all.
            let waiting: HashSet<(i32, String)> = driver
                .scheduler
                .tasks()
                .filter(|task| task.phase == TaskPhase::Waiting)
                .map(|task| (task.priority, task.tag.unwrap_or_default().to_owned()))
                .filter(|other| *other != name)
                .collect();
            passed.retain(|other, _| waiting.contains(other));
            for other in waiting {
                if other.0 == name.0 {
                    let by = passed.entry(other).or_default();
                    prop_assert!(!by.contains(&name), "{:?} twice before another", name);
                    by.push(name.clone());
                } else {
                    prop_assert!(other.0 < name.0, "{:?} before {:?}", name, other);
                }
            }
            begun.push(attempt.task);
            if let Some(tag) = late.next() {
                driver.submit(tagged(tags[tag]));
            }
            driver.finish_with(worker, attempt, Verdict::Success);
            driver.done(attempt.task, Outcome::Success);
        }
        if foreseen {
            prop_assert_eq!(begun, tasks);
        }
    }
}
