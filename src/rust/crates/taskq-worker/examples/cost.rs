//! Measures what sessions and tasks cost without R: `cargo run --release -p taskq-worker --example cost -- 1000`.
#![allow(clippy::print_stdout)] // Printing is what it is for.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use taskq_wire::message::{FromSupervisor, ToSupervisor};

fn main() {
    let sessions: u32 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(100);
    let jobs = 20_000;
    let say = |what: &str, count: u32, time: Duration| {
        println!(
            "{what:<34} {count:>6} in {time:>10.1?}  {:>9.1?} each",
            time / count
        );
    };
    let mut host = common::Host::up("");

    let start = Instant::now();
    let mut single = host.launch();
    say("launch and ready, one alone", 1, start.elapsed());
    let start = Instant::now();
    for job in 0..u64::from(jobs) {
        single.run(job + 1, "ok");
    }
    say("a task there and back", jobs, start.elapsed());

    let start = Instant::now();
    let mut workers: Vec<_> = (0..sessions).map(|_| host.ask()).collect();
    for _ in 0..sessions {
        assert!(matches!(host.next(), FromSupervisor::Launched { .. }));
    }
    workers.iter_mut().for_each(common::Worker::expect_ready);
    say("launch and ready, all at once", sessions, start.elapsed());

    let start = Instant::now();
    let half = sessions / 2;
    for worker in workers.drain(..half as usize) {
        host.send(&ToSupervisor::Kill { worker: worker.id }, &[]);
    }
    for _ in 0..half {
        assert!(matches!(host.next(), FromSupervisor::Exited { .. }));
    }
    say("kill and reap", half, start.elapsed());

    for worker in &mut workers {
        worker.run(1, "spawn-sleep 1000");
    }
    let start = Instant::now();
    let left = workers.len() as u32;
    host.finish();
    say("shut down with one orphan each", left, start.elapsed());

    let mut host = common::Host::up("");
    let mut workers: Vec<_> = (0..half).map(|_| host.launch()).collect();
    for worker in &mut workers {
        worker.run(1, "spawn-sleep 1000");
    }
    let start = Instant::now();
    host.kill_supervisor();
    common::nothing_is_left(&host.token);
    say("kill -9 of the supervisor", half, start.elapsed());
    host.remove_dir();
}
