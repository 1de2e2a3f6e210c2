//! Changing the course of tasks and workers.

use taskq_core::id::TaskId;
use taskq_core::{QueueState, SubmitError};
use taskq_engine::Queue;

use super::grace;
use super::watch::task_ids;
use crate::entries::entries;
use crate::reply::{self, start_failure};
use crate::value::Value;

/// Ends tasks. A logical vector named by their ids: whether each was not done before.
fn rs_queue_cancel(queue: &Queue, tasks: &[f64], grace_ms: f64) -> Value {
    let tasks: Vec<TaskId> = task_ids(tasks).collect();
    let (names, ended): (Vec<String>, Vec<bool>) =
        queue.cancel(&tasks, grace(grace_ms)).into_iter().unzip();
    Value::logicals(ended).with_names(names)
}

/// Changes the number of workers. A failure when there will be none any more; so do the next two.
fn rs_queue_resize(queue: &Queue, workers: i32, max_workers: i32) -> Value {
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    with_live(queue, || queue.resize(count(workers), count(max_workers)))
}

/// Stops handing out tasks.
fn rs_queue_pause(queue: &Queue) -> Value {
    with_live(queue, || queue.pause())
}

/// Hands out tasks again.
fn rs_queue_resume(queue: &Queue) -> Value {
    with_live(queue, || queue.resume())
}

/// For what is of no use to a queue that is closed or has failed: that is refused as a push is.
fn with_live(queue: &Queue, body: impl FnOnce()) -> Value {
    match queue.state() {
        QueueState::Open => {
            body();
            Value::null()
        }
        QueueState::Failed => queue.failure().as_ref().map(start_failure).into(),
        QueueState::Closing | QueueState::Closed => {
            reply::push_failure(&SubmitError::Closed.into())
        }
    }
}

entries! {
    rs_queue_cancel(queue, tasks, grace_ms),
    rs_queue_resize(queue, workers, max_workers),
    rs_queue_pause(queue),
    rs_queue_resume(queue),
}
