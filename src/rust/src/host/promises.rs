//! Promises: whose results an event loop takes. When it is to look for them is told by the
//! [`crate::external::waker`].

use taskq_core::id::TaskId;
use taskq_engine::Queue;

use super::watch::task_ids;
use crate::entries::entries;
use crate::external::waker;
use crate::handle;
use crate::r::{Answer, Object, Scope};
use crate::value::Value;

/// A handle of the same queue that does not end it.
fn rs_queue_holder(handle: Object<'_>) -> Answer<Value> {
    handle::holder(handle)
}

/// The result of a task is for this event loop from now on. FALSE when it is somebody's already, or the task is gone.
fn rs_queue_promise(queue: &Queue, task: f64, event_loop: i32) -> bool {
    queue.promise(TaskId(task as u64), event_loop)
}

/// Which of these tasks have a promise.
fn rs_queue_promised(queue: &Queue, tasks: &[f64]) -> Value {
    Value::logicals(task_ids(tasks).map(|task| queue.is_promised(task)))
}

/// The oldest done task that was promised to this event loop, or NULL. It stays in the queue.
fn rs_queue_kept(queue: &Queue, event_loop: i32) -> Option<f64> {
    queue.oldest_kept(event_loop).map(|task| task.0 as f64)
}

/// Has an event loop look again, when it comes to it.
fn rs_wake_loop(event_loop: i32) {
    waker::wake(event_loop);
}

/// Whether an event loop may be about to call into this library.
fn rs_was_rung() -> bool {
    waker::is_set()
}

/// Sets the waker: `settle(loop)` answers it. The package later must be loaded.
fn rs_set_waker(scope: &Scope, settle: Object<'_>) -> Answer<()> {
    Ok(scope.set_waker(settle)?)
}

entries! {
    rs_set_waker[scope](settle),
    rs_queue_holder(handle),
    rs_queue_promise(queue, task, event_loop),
    rs_queue_promised(queue, tasks),
    rs_queue_kept(queue, event_loop),
    rs_wake_loop(event_loop),
    rs_was_rung(),
}
