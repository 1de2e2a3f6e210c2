//! How a map shares its elements out, in virtual time: every element once, and no worker waits.

use std::collections::BinaryHeap;
use std::time::Duration;
use std::{cmp::Reverse, collections::VecDeque};

use proptest::prelude::*;
use taskq_core::batches::{steal, Batch, BatchProgress, Batches, Steal, Took};

/// What it costs a worker to get its next batch.
const OVERHEAD_NS: u64 = 60_000;

struct Run {
    /// When the last worker was ready.
    makespan: u64,
    batches: usize,
    evaluated: Vec<u32>,
}

/// Workers that take the oldest batch that waits; each element takes its time.
fn run(times: &[u64], workers: usize, fixed: Option<u64>) -> Run {
    let mut batches = Batches::new(times.len() as u64, fixed);
    let mut waiting: VecDeque<Batch> = VecDeque::new();
    let mut free: Vec<u64> = vec![0; workers];
    let mut busy = BinaryHeap::new();
    let mut result = Run {
        makespan: 0,
        batches: 0,
        evaluated: vec![0; times.len()],
    };
    let mut now = 0;
    loop {
        while let Some(batch) = batches.send(workers) {
            assert!(batch.count > 0);
            batches.weigh(batch.count, batch.count * 8);
            waiting.push_back(batch);
            result.batches += 1;
        }
        while !free.is_empty() && !waiting.is_empty() {
            let since = free.pop().unwrap().max(now) + OVERHEAD_NS;
            let batch = waiting.pop_front().unwrap();
            let budget = batch
                .budget
                .map_or(u64::MAX, |budget| budget.as_nanos() as u64);
            let (mut took, mut count) = (0, 0);
            while count < batch.count && took < budget {
                let element = (batch.first + count) as usize;
                took += times[element];
                result.evaluated[element] += 1;
                count += 1;
            }
            let last = times[(batch.first + count - 1) as usize];
            busy.push(Reverse((
                since + took,
                batch.first,
                batch.count,
                count,
                took,
                last,
            )));
        }
        let Some(Reverse((at, first, count, settled, took, last))) = busy.pop() else {
            break;
        };
        now = at;
        free.push(now);
        result.makespan = now;
        let batch = Batch {
            first,
            count,
            budget: None,
        };
        let took = Took {
            all: Duration::from_nanos(took),
            last: Duration::from_nanos(last),
        };
        batches.settle(batch, settled, Some(took));
    }
    assert!(batches.is_over());
    result
}

/// What single elements, handed out in their order at no cost, would need: without knowing beforehand
/// how long each takes, nobody can do better.
fn ideal(times: &[u64], workers: usize) -> u64 {
    let mut free: BinaryHeap<Reverse<u64>> = (0..workers).map(|_| Reverse(0)).collect();
    for time in times {
        let Reverse(at) = free.pop().unwrap();
        free.push(Reverse(at + time));
    }
    free.into_iter().map(|Reverse(at)| at).max().unwrap()
}

/// Within five percent of ideal, and each element once.
fn check(name: &str, times: &[u64], workers: usize) {
    let run = run(times, workers, None);
    assert!(run.evaluated.iter().all(|&count| count == 1));
    let slower = run.makespan as f64 / ideal(times, workers) as f64;
    let batches = run.batches;
    assert!(
        slower < 1.05,
        "{name}, {workers} workers: {slower} in {batches} batches"
    );
}

/// A batch that a worker evaluates.
#[derive(Clone, Copy)]
struct Running {
    batch: Batch,
    since: u64,
    begun: u64,
    /// When the present element ends.
    at: u64,
}

/// When the last of so many workers is ready, if elements are taken back from batches.
fn makespan_that_steal(times: &[u64], workers: usize) -> u64 {
    let mut batches = Batches::new(times.len() as u64, None);
    let mut waiting: VecDeque<Batch> = VecDeque::new();
    let mut running: Vec<Option<Running>> = vec![None; workers];
    let mut evaluated = vec![0; times.len()];
    let mut now = 0;
    loop {
        let mut look_again = None;
        loop {
            waiting.extend(std::iter::from_fn(|| batches.send(workers)));
            for place in &mut running {
                if place.is_none() {
                    *place = waiting.pop_front().map(|batch| Running {
                        batch,
                        since: now,
                        begun: 0,
                        at: now + OVERHEAD_NS,
                    });
                }
            }
            if !batches.are_short(workers) {
                break;
            }
            let progress = running.iter().enumerate().filter_map(|(worker, place)| {
                let running = (*place)?;
                let progress = BatchProgress {
                    ran: Duration::from_nanos(now - running.since),
                    begun: running.begun,
                    count: running.batch.count,
                };
                Some((worker, progress))
            });
            match steal(progress) {
                Steal::From(worker) => {
                    let victim = running[worker].as_mut().unwrap();
                    let rest = victim.batch.count - victim.begun;
                    batches.take_back(&mut victim.batch, victim.begun + rest / 2);
                }
                Steal::Later(time) => {
                    look_again = Some(now + time.as_nanos() as u64);
                    break;
                }
                Steal::Never => break,
            }
        }
        let ends = running.iter().flatten().map(|running| running.at);
        let Some(next) = ends.chain(look_again).min() else {
            break;
        };
        now = next;
        for place in &mut running {
            let Some(one) = place.as_mut().filter(|one| one.at <= now) else {
                continue;
            };
            let (batch, ran) = (one.batch, now - one.since);
            let in_time = batch
                .budget
                .map_or(true, |budget| u128::from(ran) < budget.as_nanos());
            if one.begun < batch.count && in_time {
                let element = (batch.first + one.begun) as usize;
                evaluated[element] += 1;
                one.begun += 1;
                one.at = now + times[element];
                continue;
            }
            let last = one.begun.checked_sub(1);
            let last = last.map_or(0, |last| times[(batch.first + last) as usize]);
            let took = Took {
                all: Duration::from_nanos(ran),
                last: Duration::from_nanos(last),
            };
            batches.settle(batch, one.begun, Some(took));
            *place = None;
        }
    }
    assert!(batches.is_over());
    assert!(evaluated.iter().all(|&count| count == 1));
    now
}

const MS: u64 = 1_000_000;

/// Numbers that look random, log-normal with this spread.
fn lognormal(count: u64, median: f64, sigma: f64) -> Vec<u64> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let normal = |uniform: &mut dyn FnMut() -> f64| (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    (0..count)
        .map(|_| (median * (sigma * normal(&mut uniform)).exp()) as u64)
        .collect()
}

#[test]
fn even_elements_keep_all_workers_busy() {
    for workers in [2, 4, 16] {
        let count = 500 * workers;
        check("1 ms", &vec![MS; count], workers);
        check("10 ms", &vec![10 * MS; count / 5], workers);
        check("1 us", &vec![1000; 100_000 * workers], workers);
    }
}

#[test]
fn uneven_elements_do_too_wherever_the_long_ones_are() {
    for workers in [2, 4] {
        let short = vec![MS / 10; 4000];
        let long = vec![100 * MS; 10 * workers];
        check("long first", &[&long[..], &short].concat(), workers);
        check("long last", &[&short[..], &long].concat(), workers);
        let middle = [&short[..2000], &long, &short[2000..]].concat();
        check("long in the middle", &middle, workers);
        check("lognormal", &lognormal(4000, 5e5, 1.7), workers);
        let mut sorted = lognormal(4000, 5e5, 1.7);
        sorted.sort_unstable();
        check("ascending", &sorted, workers);
        sorted.reverse();
        check("descending", &sorted, workers);
    }
}

#[test]
fn trivial_elements_travel_in_few_batches() {
    let run = run(&[300; 100_000], 2, None);
    assert!(run.batches < 60, "{} batches", run.batches);
}

#[test]
fn a_fixed_number_of_elements_has_no_budget() {
    let mut batches = Batches::new(25, Some(10));
    let sent: Vec<Batch> = std::iter::from_fn(|| batches.send(2)).collect();
    assert_eq!(
        sent.iter().map(|batch| batch.count).collect::<Vec<_>>(),
        [10, 10, 5]
    );
    assert!(sent.iter().all(|batch| batch.budget.is_none()));
}

#[test]
fn no_more_is_under_way_than_one_batch_for_each_worker_and_the_next() {
    let mut batches = Batches::new(1000, None);
    let sent: Vec<Batch> = std::iter::from_fn(|| batches.send(3)).collect();
    assert_eq!(sent.len(), 6);
    // Before anything is known of them, one element each.
    assert!(sent.iter().all(|batch| batch.count == 1));
    assert!(batches.send(0).is_none());
}

#[test]
fn heavy_elements_travel_in_small_batches() {
    let mut batches = Batches::new(1000, None);
    let batch = batches.send(1).unwrap();
    batches.weigh(1, 3 * 1024 * 1024);
    let all = Duration::from_nanos(100);
    batches.settle(batch, 1, Some(Took { all, last: all }));
    assert_eq!(batches.send(1).unwrap().count, 2);
}

#[test]
fn what_was_not_evaluated_is_sent_again_and_first() {
    let mut batches = Batches::new(100, Some(10));
    let first = batches.send(1).unwrap();
    batches.send(1).unwrap();
    batches.settle(first, 3, None);
    let again = batches.send(1).unwrap();
    assert_eq!((again.first, again.count), (3, 7));
}

fn progress(ran_us: u64, begun: u64, count: u64) -> BatchProgress {
    let ran = Duration::from_micros(ran_us);
    BatchProgress { ran, begun, count }
}

#[test]
fn elements_are_taken_back_from_the_batch_that_would_take_longest() {
    // Three elements of 10 ms are more than a hundred of 0.1 ms.
    let batches = [progress(5000, 50, 150), progress(10_000, 1, 4)];
    assert_eq!(steal(batches.into_iter().enumerate()), Steal::From(1));
    let alike = [(7, progress(5000, 1, 4)), (3, progress(5000, 1, 4))];
    assert_eq!(steal(alike), Steal::From(3));
    // One that is still read has begun none, and may be long, too.
    let unread = [(1, progress(5000, 0, 9)), (2, progress(5000, 1, 2))];
    assert_eq!(steal(unread), Steal::From(1));
}

#[test]
fn a_young_batch_is_left_alone_until_it_is_older() {
    let young = [(1, progress(500, 1, 9)), (2, progress(1900, 1, 9))];
    assert_eq!(steal(young), Steal::Later(Duration::from_micros(100)));
    let another = (3, progress(2000, 1, 2));
    assert_eq!(steal(young.into_iter().chain([another])), Steal::From(3));
}

#[test]
fn where_all_elements_have_begun_there_is_nothing_to_wait_for() {
    let last = [(1, progress(100, 1, 1)), (2, progress(9000, 4, 4))];
    assert_eq!(steal(last), Steal::Never);
    assert_eq!(steal::<u32>([]), Steal::Never);
}

#[test]
fn long_elements_that_have_come_together_are_shared_out_anew() {
    for workers in [2, 4, 16] {
        // So short that the last of them travel with all of the long ones.
        let short = vec![1000; 200_000];
        let long = vec![50 * MS; 4 * workers];
        let times = [&short[..], &long].concat();
        let slower = makespan_that_steal(&times, workers) as f64 / ideal(&times, workers) as f64;
        assert!(slower < 1.1, "{workers} workers: {slower}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_element_is_evaluated_once(
        times in proptest::collection::vec(prop_oneof![0..2000_u64, 0..30 * MS], 0..400),
        workers in 1..5_usize,
        fixed in proptest::option::of(0..9_u64),
    ) {
        let run = run(&times, workers, fixed);
        prop_assert!(run.evaluated.iter().all(|&count| count == 1));
        makespan_that_steal(&times, workers);
    }
}
