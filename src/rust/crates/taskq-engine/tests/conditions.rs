//! Conditions that tasks signal while they run: told to who waits, in their order and before the result.

mod common;

use common::{text, Fixture, Options, DEADLINE};
use taskq_engine::queue::WaitOutcome;
use taskq_engine::{Queue, Relayed};

/// Takes all that there are: what they say, and how many were lost.
fn take(queue: &Queue) -> (Vec<String>, u64) {
    let (mut said, mut lost) = (Vec::new(), 0);
    while let Some(relayed) = queue.next_condition() {
        match relayed {
            Relayed::Condition(condition) => {
                let bytes = condition.bytes().expect("bytes").to_vec();
                said.push(String::from_utf8(bytes).expect("text"));
            }
            Relayed::Lost(count) => lost += count,
        }
    }
    (said, lost)
}

#[test]
fn who_waits_gets_the_conditions_of_a_task_while_it_runs_and_before_its_result() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    let queue = fixture.queue();
    let large = "x".repeat(100_000);
    fixture.push(
        Some("a"),
        &format!("condition 1;condition {large};sleep 100000"),
    );
    let mut said = Vec::new();
    while said.len() < 2 {
        assert_eq!(queue.wait_for_done(DEADLINE), WaitOutcome::Signalled);
        let (more, lost) = take(queue);
        assert_eq!((more.is_empty(), lost), (false, 0));
        said.extend(more);
    }
    assert_eq!(said, ["1", large.as_str()]);
    let task = queue.find(["a"]).expect("it is there");
    queue.cancel(&task, DEADLINE);
    assert_eq!(queue.wait_for_done(DEADLINE), WaitOutcome::Done);
    fixture.pop();

    fixture.push(None, "condition 2;condition 3;ok done");
    // What is there is answered first: who takes it looks for conditions before.
    while queue.counts().done == 0 {
        assert_ne!(queue.wait_for_done(DEADLINE), WaitOutcome::TimedOut);
    }
    assert_eq!(queue.wait_for_done(DEADLINE), WaitOutcome::Done);
    assert_eq!(take(queue), (vec!["2".to_owned(), "3".to_owned()], 0));
    assert_eq!(text(&fixture.pop()), "done");
    assert_eq!(queue.wait_for_done(DEADLINE), WaitOutcome::Empty);
}

#[test]
fn a_session_that_dies_has_been_heard() {
    let fixture = Fixture::new();
    fixture.push(None, "condition last words;signal 9");
    fixture.push(None, "condition last words;exit 3");
    let mut said = Vec::new();
    for _ in 0..2 {
        while fixture.queue().wait_for_done(DEADLINE) == WaitOutcome::Signalled {
            said.extend(take(fixture.queue()).0);
        }
        fixture.pop();
    }
    said.extend(take(fixture.queue()).0);
    assert_eq!(said, ["last words", "last words"]);
}
