//! Changing the course of tasks and workers.

use extendr_api::prelude::*;
use taskq_core::id::TaskId;
use taskq_core::{QueueState, SubmitError};
use taskq_engine::Queue;

use super::watch::task_ids;
use super::{grace, with};
use crate::reply::{self, start_failure};

/// Ends tasks. A logical vector named by their ids: whether each was not done before.
#[extendr]
fn rs_queue_cancel(handle: Robj, tasks: Doubles, grace_ms: f64) -> Robj {
    with(&handle, |queue| {
        let tasks: Vec<TaskId> = task_ids(&tasks).collect();
        let (names, ended): (Vec<String>, Vec<bool>) =
            queue.cancel(&tasks, grace(grace_ms)).into_iter().unzip();
        let mut answer: Robj = ended.iter().copied().collect::<Logicals>().into();
        // A name for each element: this cannot fail.
        let _ = answer.set_names(names);
        answer
    })
}

/// Changes the number of workers. A failure when there will be none any more; so do the next two.
#[extendr]
fn rs_queue_resize(handle: Robj, workers: i32, max_workers: i32) -> Robj {
    with_live(&handle, |queue| {
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        queue.resize(count(workers), count(max_workers));
        ().into()
    })
}

/// Stops handing out tasks.
#[extendr]
fn rs_queue_pause(handle: Robj) -> Robj {
    with_live(&handle, |queue| {
        queue.pause();
        ().into()
    })
}

/// Hands out tasks again.
#[extendr]
fn rs_queue_resume(handle: Robj) -> Robj {
    with_live(&handle, |queue| {
        queue.resume();
        ().into()
    })
}

/// For what is of no use to a queue that is closed or has failed: that is refused as a push is.
fn with_live(handle: &Robj, body: impl FnOnce(&Queue) -> Robj) -> Robj {
    with(handle, |queue| match queue.state() {
        QueueState::Open => body(queue),
        QueueState::Failed => queue
            .failure()
            .map_or_else(|| ().into(), |failure| start_failure(&failure)),
        QueueState::Closing | QueueState::Closed => {
            reply::push_failure(&SubmitError::Closed.into())
        }
    })
}

extendr_module! {
    mod steer;
    fn rs_queue_cancel;
    fn rs_queue_resize;
    fn rs_queue_pause;
    fn rs_queue_resume;
}
