//! What a waiting task costs. Alone in its file: it counts the allocations of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use taskq_core::{Scheduler, SchedulerConfig, Submission, TaskOptions, Time};

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is done by the system's allocator, with what it is given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: it came from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TASKS: usize = 100_000;

/// How many bytes one of many such tasks takes.
fn cost(submission: impl Fn(usize) -> Submission) -> usize {
    cost_in(SchedulerConfig::default(), submission)
}

fn cost_in(config: SchedulerConfig, submission: impl Fn(usize) -> Submission) -> usize {
    let mut scheduler = Scheduler::new(config);
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..TASKS {
        scheduler.submit(Time(1), submission(number)).unwrap();
    }
    let held = HELD.load(Ordering::Relaxed) - before;
    assert_eq!(scheduler.counts().waiting, TASKS);
    held / TASKS
}

#[test]
fn a_waiting_task_is_small() {
    let plain = cost(|_| Submission::default());
    assert!(plain <= 400, "{plain} bytes for a plain task");
    let options = TaskOptions {
        timeout: Some(Duration::from_secs(1)),
        priority: 1,
        ..TaskOptions::default()
    };
    let tag: std::sync::Arc<str> = "tag".into();
    let with_options = cost(|_| Submission {
        options: options.clone(),
        tag: Some(tag.clone()),
        ..Submission::default()
    });
    assert!(with_options <= 600, "{with_options} bytes with options");
    let chained = cost(|number| Submission {
        after: match number {
            0 => vec![],
            _ => vec![format!(".{number}").into()],
        },
        ..Submission::default()
    });
    assert!(chained <= 600, "{chained} bytes for a link of a chain");
    let fair = SchedulerConfig {
        fair: true,
        ..SchedulerConfig::default()
    };
    let with_tag = cost_in(fair, |_| Submission {
        tag: Some(tag.clone()),
        ..Submission::default()
    });
    assert!(with_tag <= 600, "{with_tag} bytes among those of its tag");
    let alone = cost_in(fair, |number| Submission {
        tag: Some(number.to_string().into()),
        ..Submission::default()
    });
    assert!(alone <= 1000, "{alone} bytes with a tag of its own");
}
