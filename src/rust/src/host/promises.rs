//! Promises: whose results an event loop takes. When it is to look for them is told by the [bell](crate::external::bell).

use extendr_api::prelude::*;
use taskq_core::id::TaskId;

use super::watch::task_ids;
use super::with;
use crate::external::bell;
use crate::handle;

/// A handle of the same queue that does not end it.
#[extendr]
fn rs_queue_holder(handle: Robj) -> Robj {
    handle::holder(&handle).unwrap_or_else(|refusal| refusal)
}

/// The result of a task is for this event loop from now on. FALSE when it is somebody's already, or the task is gone.
#[extendr]
fn rs_queue_promise(handle: Robj, task: f64, event_loop: i32) -> Robj {
    with(&handle, |queue| {
        queue.promise(TaskId(task as u64), event_loop).into()
    })
}

/// Which of these tasks have a promise.
#[extendr]
fn rs_queue_promised(handle: Robj, tasks: Doubles) -> Robj {
    with(&handle, |queue| {
        let is_promised = |task| queue.is_promised(task);
        let promised: Vec<bool> = task_ids(&tasks).map(is_promised).collect();
        promised.into()
    })
}

/// The oldest done task that was promised to this event loop, or NULL. It stays in the queue.
#[extendr]
fn rs_queue_kept(handle: Robj, event_loop: i32) -> Robj {
    with(&handle, |queue| {
        let kept = queue.oldest_kept(event_loop);
        kept.map_or_else(|| ().into(), |task| (task.0 as f64).into())
    })
}

/// Has an event loop look again, when it comes to it.
#[extendr]
fn rs_ring(event_loop: i32) {
    bell::ring(event_loop);
}

/// Whether an event loop may be about to call into this library.
#[extendr]
fn rs_was_rung() -> bool {
    bell::was_hung()
}

extendr_module! {
    mod promises;
    fn rs_queue_holder;
    fn rs_queue_promise;
    fn rs_queue_promised;
    fn rs_queue_kept;
    fn rs_ring;
    fn rs_was_rung;
}
