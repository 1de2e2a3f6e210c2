//! Tasks that are promised to an event loop: rung for once they are done, taken by nobody else, kept when the queue
//! ends.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use common::{text, wait_for, Fixture, Options, DEADLINE};
use taskq_core::id::TaskId;
use taskq_core::Outcome;
use taskq_engine::queue::WaitOutcome;
use taskq_engine::EventLoop;

/// How often the waker was called for each loop. Each test has loops of its own.
static RINGS: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];

fn ring(event_loop: EventLoop) {
    RINGS[event_loop as usize].fetch_add(1, Ordering::SeqCst);
}

fn rings(event_loop: EventLoop) -> usize {
    RINGS[event_loop as usize].load(Ordering::SeqCst)
}

fn fixture(workers: u32) -> Fixture {
    Fixture::with(Options {
        workers,
        waker: ring,
        ..Options::default()
    })
}

fn push(fixture: &Fixture, commands: &str) -> TaskId {
    let label = fixture.push(None, commands);
    fixture.queue().find([label.as_str()]).expect("it is there")[0]
}

/// Takes the oldest that is kept for a loop, waiting for the waker.
fn take(fixture: &Fixture, event_loop: EventLoop) -> (TaskId, Outcome) {
    // It is rung when the lock is free again, so what is kept may be seen a moment before.
    wait_for("the waker", || (rings(event_loop) > 0).then_some(()));
    let task = wait_for("a task that is kept", || {
        fixture.queue().oldest_kept(event_loop)
    });
    let done = fixture.queue().done_task(task).expect("it is done");
    assert!(fixture.queue().take(task));
    (task, done.result.outcome)
}

#[test]
fn what_was_promised_while_somebody_else_looked_at_it_is_not_his() {
    let fixture = fixture(1);
    let queue = fixture.queue();
    let task = push(&fixture, "ok mine");
    assert_eq!(queue.wait_for_task(task, DEADLINE), WaitOutcome::Done);
    assert!(queue.done_task(task).is_some());
    assert_eq!(queue.news().0, [task]);
    assert!(queue.promise(task, 9));
    assert!(!queue.take_open(task) && !queue.take_all(&[task]) && !queue.tell(&[task]));
    assert_eq!(take(&fixture, 9), (task, Outcome::Success));
    assert!(!queue.take(task));
    assert_eq!(queue.wait_for_task(task, DEADLINE), WaitOutcome::Done);
}

#[test]
fn a_task_is_promised_once_and_nobody_else_gets_it() {
    let fixture = fixture(1);
    let promised = push(&fixture, "ok mine");
    assert!(fixture.queue().promise(promised, 1));
    assert!(!fixture.queue().promise(promised, 1), "it is promised");
    let other = push(&fixture, "ok yours");
    assert_eq!(text(&fixture.pop()), "yours");
    assert!(!fixture.queue().promise(other, 1), "it is gone");
    assert_eq!(
        fixture.queue().wait_for_done(common::DEADLINE),
        WaitOutcome::Empty
    );
    assert_eq!(fixture.queue().oldest_kept(2), None, "another loop");
    assert_eq!(take(&fixture, 1), (promised, Outcome::Success));
    assert_eq!(rings(1), 1);
    assert_eq!(fixture.queue().oldest_kept(1), None);
}

#[test]
fn one_that_is_done_is_rung_for_at_once() {
    let fixture = fixture(1);
    let task = push(&fixture, "ok");
    assert_eq!(
        fixture.queue().wait_for_done(common::DEADLINE),
        WaitOutcome::Done
    );
    assert!(fixture.queue().promise(task, 3));
    assert_eq!(rings(3), 1);
    assert!(fixture.queue().oldest_done().is_none());
    assert_eq!(take(&fixture, 3), (task, Outcome::Success));
}

#[test]
fn what_is_cancelled_crashes_or_is_closed_away_is_rung_for_too() {
    let fixture = fixture(1);
    let crash = push(&fixture, "exit 3");
    let cancelled = push(&fixture, "stubborn 60000");
    let left = push(&fixture, "ok");
    for task in [crash, cancelled, left] {
        assert!(fixture.queue().promise(task, 4));
    }
    assert!(matches!(take(&fixture, 4), (task, Outcome::Crash { .. }) if task == crash));
    fixture
        .queue()
        .cancel(&[cancelled], std::time::Duration::ZERO);
    fixture.queue().kill();
    assert_eq!(take(&fixture, 4), (cancelled, Outcome::Cancelled));
    assert_eq!(take(&fixture, 4), (left, Outcome::Cancelled));
}

#[test]
fn what_was_promised_outlives_an_abandoned_queue_and_nothing_else_does() {
    let fixture = fixture(1);
    let done = push(&fixture, "ok a value");
    let running = push(&fixture, "stubborn 60000");
    let forgotten = push(&fixture, "ok");
    wait_for("the first to be done", || fixture.queue().oldest_done());
    for task in [done, running] {
        assert!(fixture.queue().promise(task, 5));
    }
    let queue = Arc::clone(fixture.queue());
    assert!(queue.abandon_within(DEADLINE));
    let kept = queue.oldest_kept(5).expect("it was done before");
    assert_eq!(kept, done);
    assert_eq!(text(&queue.done_task(done).expect("kept")), "a value");
    assert!(queue.take(done));
    assert_eq!(take(&fixture, 5), (running, Outcome::Cancelled));
    assert!(queue.done_task(forgotten).is_none());
}

#[test]
fn thousands_are_kept_each_once_for_loops_of_their_own() {
    let fixture = fixture(2);
    let tasks: Vec<TaskId> = (0..2_000).map(|_| push(&fixture, "ok")).collect();
    for (i, &task) in tasks.iter().enumerate() {
        assert!(fixture.queue().promise(task, 6 + (i % 2) as i32));
    }
    let mut taken = [6, 7].map(|event_loop| {
        let mine = (0..1_000).map(|_| take(&fixture, event_loop).0);
        let mut mine: Vec<TaskId> = mine.collect();
        mine.sort_unstable();
        mine
    });
    for (i, task) in tasks.into_iter().enumerate().rev() {
        assert_eq!(taken[i % 2].pop(), Some(task));
    }
}
