//! Maps: elements go out in batches, and come back as results of claimed tasks.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{wait_for, Fixture, Options, DEADLINE};
use taskq_core::batches::Took;
use taskq_core::id::TaskId;
use taskq_core::Outcome;
use taskq_engine::{Function, Map, MapOutcome};

fn map(fixture: &Fixture, length: u64, fixed: Option<u64>) -> Map {
    Map::new(fixture.queue(), Arc::<Function>::default(), length, fixed).expect("an open queue")
}

/// Pushes what is to be sent now; each batch runs what `commands` says for its number of elements.
fn feed(map: &mut Map, commands: impl Fn(u64) -> String) {
    while let Some(batch) = map.plan() {
        map.push(commands(batch.count).into_bytes().into())
            .expect("an open queue");
    }
}

fn number_of_begun(fixture: &Fixture, task: TaskId) -> u64 {
    let done = fixture.queue().done_task(task).expect("it is done");
    assert_eq!(done.result.outcome, Outcome::Success);
    let payload = done.ending.outcome.as_ref().expect("a result");
    let bytes = payload.bytes().expect("in memory");
    String::from_utf8_lossy(bytes).parse().expect("a number")
}

/// Goes on until nothing is under way. Which batches came back, and how many of their elements had begun.
fn finish(fixture: &Fixture, map: &mut Map, ms: u64) -> Vec<(u64, u64, u64)> {
    let start = Instant::now();
    let mut seen = Vec::new();
    loop {
        feed(map, |count| format!("elements {count} {ms}"));
        match map.wait(Duration::from_millis(20)) {
            MapOutcome::Done(task) => {
                let batch = map.batch(task).expect("under way");
                let begun = number_of_begun(fixture, task);
                seen.push((batch.first, batch.count, begun));
                let took = Duration::from_millis(begun * ms);
                let last = Duration::from_millis(ms);
                map.settle(task, begun, Some(Took { all: took, last }));
            }
            MapOutcome::More | MapOutcome::TimedOut => assert!(start.elapsed() < DEADLINE),
            MapOutcome::Empty => return seen,
            outcome => panic!("{outcome:?}"),
        }
    }
}

fn assert_each_once(mut seen: Vec<(u64, u64, u64)>, length: u64) {
    seen.sort_unstable();
    let mut next = 0;
    for (first, _, begun) in seen {
        assert_eq!(first, next);
        next += begun;
    }
    assert_eq!(next, length);
}

#[test]
fn every_element_comes_back_once() {
    let fixture = Fixture::new();
    for fixed in [None, Some(7)] {
        let mut map = map(&fixture, 1000, fixed);
        let seen = finish(&fixture, &mut map, 0);
        assert_each_once(seen, 1000);
    }
}

#[test]
fn what_has_not_begun_is_taken_back_for_who_has_nothing_to_do() {
    let fixture = Fixture::new();
    // One batch has all elements: only what is taken back of it can come to the other worker.
    let mut map = map(&fixture, 40, Some(40));
    let seen = finish(&fixture, &mut map, 20);
    assert!(seen.len() > 1, "{seen:?}");
    assert!(seen.iter().all(|&(_, count, begun)| begun == count));
    assert_each_once(seen, 40);
}

#[test]
fn nobody_else_sees_the_batches_and_nothing_of_a_dropped_map_stays() {
    let fixture = Fixture::new();
    let mut map = map(&fixture, 10, Some(1));
    feed(&mut map, |_| "print go;sleep 60000".into());
    wait_for("a batch to run", || {
        (fixture.queue().counts().running == 2).then_some(())
    });
    assert!(fixture.queue().oldest_done().is_none());
    drop(map);
    wait_for("the batches to be gone", || {
        let counts = fixture.queue().counts();
        (counts.waiting + counts.running + counts.done == 0).then_some(())
    });
    fixture.push(None, "ok fine");
    assert_eq!(common::text(&fixture.pop()), "fine");
}

#[test]
fn how_many_had_begun_is_known_of_a_session_that_dies() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    let mut map = map(&fixture, 5, Some(5));
    feed(&mut map, |count| format!("elements {count} 0;exit 3"));
    let MapOutcome::Done(task) = map.wait(DEADLINE) else {
        panic!("it is done")
    };
    assert_eq!(map.begun(task), 5);
    map.settle(task, 5, None);
    assert_eq!(map.wait(DEADLINE), MapOutcome::Empty);
}
