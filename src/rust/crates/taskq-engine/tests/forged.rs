//! Sessions in which a task says that others have ended.

mod common;

use common::{text, Fixture, Options, DEADLINE};
use taskq_core::Outcome;
use taskq_engine::Detail;

/// So many tasks tell how quick they are, so that more are sent ahead of time.
const BEFORE: u64 = 200;

#[test]
fn what_a_task_says_of_tasks_behind_it_is_not_believed_and_they_run_elsewhere() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    for _ in 0..BEFORE {
        fixture.push(None, "ok");
    }
    fixture.pop_all(BEFORE as usize);
    fixture.queue().pause();
    let forgers = [10, 40, 70, 100];
    for task in 1..=120 {
        let number = BEFORE + task;
        // The last one does so after what lies behind it was asked back.
        let pause = if task < 100 { "" } else { "stubborn 6;" };
        let commands = if forgers.contains(&task) {
            format!("{pause}forge {} {};ok true", number + 1, number + 25)
        } else {
            "ok true".to_owned()
        };
        fixture.push(None, &commands);
    }
    fixture.queue().resume();
    for task in fixture.pop_all(120) {
        assert_eq!(task.result.outcome, Outcome::Success, "{task:?}");
        assert_eq!(text(&task), "true", "{task:?}");
    }
    // Nobody was killed in the midst of another's task.
    let totals = fixture.queue().snapshot(Detail::Sums).totals;
    assert_eq!(totals.sessions_died, 0);
}

#[test]
fn honest_sessions_are_believed_while_tasks_are_recalled_and_cancelled_all_the_time() {
    let fixture = Fixture::with(Options {
        workers: 3,
        ..Options::default()
    });
    for round in 0..20 {
        let mut labels = Vec::new();
        for task in 0..60 {
            // Every now and then one that is long enough for what lies behind it to be asked back.
            let commands = match task % 15 {
                14 => "spin 5000;ok true",
                7 => "elements 3 0",
                _ => "spin 20;ok true",
            };
            labels.push(fixture.push(Some(&format!("{round}-{task}")), commands));
        }
        let some: Vec<&String> = labels.iter().skip(round % 7).step_by(7).collect();
        for label in &some {
            let task = fixture.queue().find([label.as_str()]).expect("not taken");
            fixture.queue().cancel(&task, DEADLINE);
        }
        for task in fixture.pop_all(60) {
            let may_be_cancelled = some.contains(&&task.result.label);
            let is_cancelled = task.result.outcome == Outcome::Cancelled && may_be_cancelled;
            assert!(
                task.result.outcome == Outcome::Success || is_cancelled,
                "{task:?}"
            );
        }
    }
    let totals = fixture.queue().snapshot(Detail::Sums).totals;
    assert_eq!(
        (totals.sessions_recycled, totals.sessions_died),
        (0, 0),
        "none was sent away"
    );
}
