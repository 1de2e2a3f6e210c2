//! What the scheduler costs per operation with few and with very many tasks waiting.
//!
//! Run with `cargo bench -p taskq-core`. The figures at 100 and at 1,000,000 should differ by little
//! more than what the larger tables cost the caches. Allocations are shown as well: the row `fill` is
//! the memory of that many waiting tasks.

// The code that divan generates needs Rust 1.80; the crate itself does not.
#![allow(clippy::incompatible_msrv)]

use std::hint::black_box;

use divan::{AllocProfiler, Bencher};
use taskq_core::{Action, Input, Scheduler, SchedulerConfig, Submission, TaskId, Time, Verdict};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const SIZES: [u64; 2] = [100, 1_000_000];
const OPERATIONS: u64 = 100;

fn main() {
    divan::main();
}

/// A queue of one ready worker, which is busy, and so many tasks behind.
fn queue(waiting: u64) -> Scheduler {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        workers: 1,
        ..SchedulerConfig::default()
    });
    scheduler.handle(Time(0), Input::SupervisorUp);
    while let Some(action) = scheduler.next_action() {
        if let Action::Launch { worker } = action {
            scheduler.handle(Time(0), Input::WorkerReady { worker });
        }
    }
    for _ in 0..=waiting {
        push(&mut scheduler);
    }
    scheduler
}

fn push(scheduler: &mut Scheduler) -> TaskId {
    match scheduler.submit(Time(1), Submission::default()) {
        Ok(task) => task,
        Err(refused) => panic!("{refused}"),
    }
}

#[divan::bench(args = SIZES, sample_count = 3)]
fn fill(bencher: Bencher, waiting: u64) {
    bencher.bench_local(|| queue(black_box(waiting)));
}

/// 100 tasks are pushed behind so many.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn push_100(bencher: Bencher, waiting: u64) {
    bencher
        .with_inputs(|| queue(waiting))
        .bench_local_values(|mut scheduler| {
            for _ in 0..OPERATIONS {
                black_box(push(&mut scheduler));
            }
            scheduler
        });
}

/// 100 tasks are cancelled out of the middle of so many.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn cancel_100(bencher: Bencher, waiting: u64) {
    bencher
        .with_inputs(|| queue(waiting))
        .bench_local_values(|mut scheduler| {
            for k in 1..=OPERATIONS {
                let tasks = vec![TaskId(1 + k * waiting / (OPERATIONS + 1))];
                let grace = None;
                scheduler.handle(Time(2), Input::Cancel { tasks, grace });
                while let Some(action) = scheduler.next_action() {
                    black_box(action);
                }
            }
            scheduler
        });
}

/// 100 tasks are found by their labels.
#[divan::bench(args = SIZES, sample_count = 5)]
fn find_100(bencher: Bencher, waiting: u64) {
    let scheduler = queue(waiting);
    let labels: Vec<String> = (1..=OPERATIONS)
        .map(|k| format!(".{}", k * waiting / 100))
        .collect();
    bencher.bench_local(|| {
        labels
            .iter()
            .filter_map(|label| scheduler.find(label))
            .count()
    });
}

/// 100 tasks finish and are taken, the next ones are sent: without and, from the first result on,
/// with look-ahead.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn finish_and_take_100(bencher: Bencher, waiting: u64) {
    bencher
        .with_inputs(|| queue(waiting))
        .bench_local_values(|mut scheduler| {
            let mut sent = std::collections::VecDeque::new();
            let mut finished = 0;
            let mut now = 10;
            while finished < OPERATIONS {
                while let Some(action) = scheduler.next_action() {
                    if let Action::Send { worker, attempt } = action {
                        sent.push_back((worker, attempt));
                    }
                }
                while let Some(ended) = scheduler.next_ended() {
                    black_box(ended);
                }
                let Some((worker, attempt)) = sent.pop_front() else {
                    break;
                };
                now += 10_000;
                let (verdict, began, ended) = (Verdict::Success, Time(now - 10_000), Time(now));
                let input = Input::Finished {
                    worker,
                    attempt,
                    verdict,
                    began,
                    ended,
                    memory: None,
                    running: None,
                };
                scheduler.handle(Time(now), input);
                finished += u64::from(scheduler.take(attempt.task));
            }
            scheduler
        });
}
