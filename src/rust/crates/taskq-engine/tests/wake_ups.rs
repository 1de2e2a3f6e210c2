//! Who is woken, and how often. Alone in its program, and one test at a time, because they look at all threads of it.

mod common;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::{wait_for, Fixture};
use taskq_engine::Detail;

static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn an_answer_that_is_waited_for_wakes_the_r_thread_alone() {
    /// With the driver's thread between them, each task wakes it at least once. A row of so few is done without a long
    /// wait now and then, however busy the machine is.
    const TASKS: u64 = 10;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fixture = Fixture::new();
    // Where the machine is busy waits are long, and the driver's thread listens.
    wait_for("a row of short waits", || {
        let before = driver_switches();
        for _ in 0..TASKS {
            fixture.push(None, "ok");
            fixture.pop();
        }
        (driver_switches() - before < TASKS / 2).then_some(())
    });
}

#[test]
fn an_idle_queue_wakes_nobody() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let fixture = Fixture::new();
    fixture.push(None, "ok");
    fixture.pop();
    let seats = || fixture.queue().snapshot(Detail::Seats).seats;
    wait_for("both sessions", || {
        seats()
            .iter()
            .all(|seat| seat.state == taskq_core::SeatState::Idle)
            .then_some(())
    });
    let switches = || {
        let pids = fixture.processes();
        pids.into_iter()
            .map(context_switches)
            .chain([driver_switches()])
            .sum::<u64>()
    };
    // What the last task has set in motion may still be coming to rest.
    let rested = wait_for("rest", || {
        let before = switches();
        std::thread::sleep(Duration::from_millis(50));
        (switches() == before).then_some(before)
    });
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(switches(), rested);
}

/// Voluntary and involuntary context switches of all threads of a process.
fn context_switches(pid: i32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    threads
        .map(|thread| switches_in(&thread.path().join("status")))
        .sum()
}

/// Those of the driver threads of this process.
fn driver_switches() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task")
        .expect("proc")
        .flatten();
    threads
        .filter(|thread| {
            std::fs::read_to_string(thread.path().join("comm"))
                .is_ok_and(|name| name.trim() == "taskq-driver")
        })
        .map(|thread| switches_in(&thread.path().join("status")))
        .sum()
}

fn switches_in(status: &std::path::Path) -> u64 {
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
    lines
        .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
        .sum()
}
