//! The external pointer behind a `task_q` object.
//!
//! The pointer owns a [`Queue`]. It is empty after `readRDS()` or in a copied image of a session, and of no use in a
//! fork of the process; [`refuse`] says so before anything else is touched. The finalizer drops the queue, which ends
//! it without waiting; [`end_all`] waits, for the end of the R session.

use std::os::raw::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use extendr_ffi::{R_ClearExternalPtr, R_ExternalPtrAddr, SEXP};
use taskq_engine::Queue;

use crate::external::border;
use crate::r::{Answer, Argument, Finalizer, Jump, Object, Stop};
use crate::reply::{failure, failure_with};
use crate::value::{Owned, Value};

/// All queues of which something may be left, for the end of the session: those with a handle, and those that are
/// ending.
static QUEUES: Mutex<Vec<Arc<Queue>>> = Mutex::new(Vec::new());

fn queues() -> MutexGuard<'static, Vec<Arc<Queue>>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new handle that owns `queue`.
pub(crate) fn make(queue: Queue) -> Value {
    let queue = Arc::new(queue);
    {
        let mut queues = queues();
        // Those that a fork of the host has from it stay: their locks may be held for ever.
        queues.retain(|queue| !queue.is_ours() || Arc::strong_count(queue) > 1 || !queue.is_over());
        queues.push(Arc::clone(&queue));
    }
    pointer_to(queue, finalize, abandon)
}

fn pointer_to(queue: Arc<Queue>, finalizer: Finalizer, free: unsafe fn(*mut c_void)) -> Value {
    let address = Box::into_raw(Box::new(queue)).cast::<c_void>();
    // SAFETY: all of ours take such an address, and each of them is its end.
    Value::pointer(unsafe { Owned::new(address, c"taskq_queue", finalizer, free) })
}

/// The queue at the address of a live handle.
///
/// # Safety
/// The address was put into a handle by [`make`], and the handle is not finalized.
pub(crate) unsafe fn at<'a>(address: *mut c_void) -> &'a Queue {
    // SAFETY: see above.
    unsafe { &*address.cast::<Arc<Queue>>() }
}

/// Another hold on the queue of a handle, or why it must not be used.
pub(crate) fn hold(handle: Object<'_>) -> Answer<Arc<Queue>> {
    <&Queue>::take(handle, "handle")?;
    // SAFETY: the handle is alive.
    Ok(Arc::clone(unsafe {
        &*handle.address().cast::<Arc<Queue>>()
    }))
}

/// Why the queue at this address must not be used, if so.
pub(crate) fn refuse(address: *mut c_void) -> Option<Value> {
    if address.is_null() {
        let message =
            "this queue belongs to another R session: it cannot be saved, restored or sent";
        return Some(failure("closed", message));
    }
    // SAFETY: not null, see `queue`.
    let queue = unsafe { at(address) };
    if queue.is_ours() {
        return None;
    }
    let owner = queue.owner();
    let message = format!("this queue belongs to process {owner}, of which this one is a fork");
    Some(failure_with(
        "forked",
        &message,
        vec![("owner", owner.into())],
    ))
}

/// A handle of the same queue that does not end it, or a failure: for results that are still to come.
pub(crate) fn holder(handle: Object<'_>) -> Answer<Value> {
    let queue = hold(handle)?;
    Ok(pointer_to(queue, let_go, drop_hold))
}

/// The queue of a handle, or why it must not be used.
impl<'a> Argument<'a> for &'a Queue {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        Ok(Self::take(given, "").ok())
    }

    fn take(given: Object<'a>, _: &str) -> Answer<Self> {
        let address = given.address();
        match refuse(address) {
            Some(refusal) => Err(Stop::Failure(refusal)),
            // SAFETY: the address is not null, so it is a live handle's.
            None => Ok(unsafe { at(address) }),
        }
    }
}

/// How long the end waits for the lock of a queue. Another thread holds it for microseconds; but R ends within its
/// handler of SIGUSR1 and SIGUSR2, wherever this thread was then. A queue of which it holds the lock ends by this
/// process's death.
const LOCKED: Duration = Duration::from_millis(500);

/// Ends all queues of this process, and waits for it, but no longer than `limit`.
pub(crate) fn end_all(limit: Duration) {
    let Ok(queues) = QUEUES
        .try_lock()
        .map(|mut queues| std::mem::take(&mut *queues))
    else {
        return;
    };
    // Where a fork of the host ends, the queues of the host are not its own, and their locks may be held for ever.
    let (queues, others): (Vec<_>, Vec<_>) = queues.into_iter().partition(|queue| queue.is_ours());
    std::mem::forget(others);
    let deadline = Instant::now() + limit;
    let left = || deadline.saturating_duration_since(Instant::now());
    let (ending, held): (Vec<_>, Vec<_>) = queues
        .into_iter()
        .partition(|queue| queue.kill_within(left().min(LOCKED)));
    std::mem::forget(held);
    for queue in ending {
        let _ = queue.wait_for_end(left());
    }
}

/// Called by R when a handle is no longer reachable, within any allocation: it signals and does not wait. At the end of
/// R it is, too, before [`end_all`].
unsafe extern "C" fn finalize(pointer: SEXP) {
    // SAFETY: see `empty`.
    unsafe { empty(pointer, abandon) };
}

/// As `finalize`, for a [`holder`].
unsafe extern "C" fn let_go(pointer: SEXP) {
    // SAFETY: see `empty`.
    unsafe { empty(pointer, drop_hold) };
}

/// Takes what it owns out of a handle, and frees it.
///
/// # Safety
/// For finalizers: on the R thread, with what [`pointer_to`] described.
unsafe fn empty(pointer: SEXP, free: unsafe fn(*mut c_void)) {
    // SAFETY: see above; an empty pointer was emptied here.
    unsafe {
        let address = R_ExternalPtrAddr(pointer);
        if !address.is_null() {
            R_ClearExternalPtr(pointer);
            border((), || free(address));
        }
    }
}

/// Ends a queue that cannot be reached any more.
///
/// # Safety
/// An address of [`pointer_to`]'s, not used again.
unsafe fn abandon(address: *mut c_void) {
    // SAFETY: see above.
    let queue = unsafe { open(address) };
    if let Some(queue) = queue {
        if !queue.abandon_within(LOCKED) {
            std::mem::forget(queue);
        }
    }
}

/// # Safety
/// As `abandon`.
unsafe fn drop_hold(address: *mut c_void) {
    // SAFETY: see above.
    drop(unsafe { open(address) });
}

/// The queue at an address; `None` in a fork, where the locks inside may be held for ever.
///
/// # Safety
/// As `abandon`.
unsafe fn open(address: *mut c_void) -> Option<Arc<Queue>> {
    // SAFETY: see above.
    let queue = *unsafe { Box::from_raw(address.cast::<Arc<Queue>>()) };
    if queue.is_ours() {
        return Some(queue);
    }
    std::mem::forget(queue);
    None
}
