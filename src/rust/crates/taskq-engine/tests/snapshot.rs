//! A snapshot shows one moment, whatever goes on meanwhile.

mod common;

use std::collections::BTreeSet;

use common::{Fixture, Options};
use taskq_core::{SeatState, TaskPhase};
use taskq_engine::{Detail, QueueSnapshot};

const WORKERS: u32 = 2;

/// What holds at every moment at which all sessions are up.
fn check(now: &QueueSnapshot) {
    let running: Vec<_> = now
        .tasks
        .iter()
        .filter(|row| matches!(row.phase, TaskPhase::Running { .. }))
        .collect();
    let idle = now.seats.iter().filter(|row| row.state == SeatState::Idle);
    let mut pids: Vec<i32> = running.iter().filter_map(|row| row.pid).collect();
    pids.extend(idle.filter_map(|row| row.pid));
    let different: BTreeSet<i32> = pids.iter().copied().collect();
    assert_eq!(pids.len(), WORKERS as usize, "{now:?}");
    assert_eq!(
        different.len(),
        pids.len(),
        "a session is there twice: {now:?}"
    );
    for seat in &now.seats {
        if let SeatState::Busy(attempt) = seat.state {
            let task = running.iter().find(|row| row.id == attempt.task);
            let task = task.expect("the task of a busy worker runs");
            assert_eq!(
                (task.pid, Some(&task.label)),
                (seat.pid, seat.task.as_ref())
            );
        }
    }
    let (counts, totals) = (now.counts, &now.totals);
    assert_eq!(running.len(), counts.running);
    assert_eq!(
        now.tasks.len(),
        counts.waiting + counts.running + counts.done
    );
    assert_eq!(totals.submitted, now.tasks.len() as u64 + totals.taken);
    for (row, objects) in now.tasks.iter().zip(&now.objects) {
        assert_eq!(objects.done.is_some(), row.phase == TaskPhase::Done);
    }
    assert_eq!(now.objects.len(), now.tasks.len());
}

#[test]
fn tables_counts_and_objects_are_of_the_same_moment() {
    let fixture = Fixture::with(Options {
        workers: WORKERS,
        ..Options::default()
    });
    let is_up = |now: &QueueSnapshot| now.seats.iter().all(|row| row.state == SeatState::Idle);
    common::wait_for("all sessions", || {
        is_up(&fixture.queue().snapshot(Detail::Seats)).then_some(())
    });
    for _ in 0..100 {
        for _ in 0..20 {
            fixture.push(None, "ok");
        }
        // The driver works while this thread looks.
        while fixture.queue().counts().done < 20 {
            check(&fixture.queue().snapshot(Detail::Objects));
        }
        fixture.pop_all(20);
    }
}

#[test]
fn only_what_is_asked_for_is_in_a_snapshot() {
    let fixture = Fixture::new();
    fixture.push(None, "ok");
    let lengths = |detail| {
        let now = fixture.queue().snapshot(detail);
        assert_eq!(now.totals.submitted, 1);
        [now.seats.len(), now.tasks.len(), now.objects.len()]
    };
    assert_eq!(lengths(Detail::Sums), [0, 0, 0]);
    assert_eq!(lengths(Detail::Seats)[1..], [0, 0]);
    assert_eq!(lengths(Detail::Tasks)[1..], [1, 0]);
    assert_eq!(lengths(Detail::Objects)[1..], [1, 1]);
}
