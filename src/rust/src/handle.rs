//! The external pointer behind a `task_q` object.
//!
//! The pointer owns a [`Queue`]. It is empty after `readRDS()` or in a copied image of a session, and of no use in a fork of
//! the process; [`refuse`] says so before anything else is touched. The finalizer drops the queue, which ends it without
//! waiting; [`end_all`] waits, for the end of the R session.

use std::os::raw::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use extendr_api::prelude::*;
use extendr_ffi::{
    R_ClearExternalPtr, R_ExternalPtrAddr, R_MakeExternalPtr, R_NilValue, R_RegisterCFinalizerEx,
    Rboolean, Rf_install, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, TYPEOF,
};
use taskq_engine::Queue;

use crate::reply::failure;

/// All queues of which something may be left, for the end of the session: those with a handle, and those that are ending.
static QUEUES: Mutex<Vec<Arc<Queue>>> = Mutex::new(Vec::new());

fn queues() -> MutexGuard<'static, Vec<Arc<Queue>>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new handle that owns `queue`.
pub(crate) fn make(queue: Queue) -> Robj {
    let queue = Arc::new(queue);
    {
        let mut queues = queues();
        // Those that a fork of the host has from it stay: their locks may be held for ever.
        queues.retain(|queue| !queue.is_ours() || Arc::strong_count(queue) > 1 || !queue.is_over());
        queues.push(Arc::clone(&queue));
    }
    pointer_to(queue, finalize)
}

fn pointer_to(queue: Arc<Queue>, finalizer: unsafe extern "C" fn(SEXP)) -> Robj {
    let address = Box::into_raw(Box::new(queue)).cast::<c_void>();
    // SAFETY: on the R thread; the pointer is protected until extendr's object owns it.
    unsafe {
        let pointer = Rf_protect(R_MakeExternalPtr(
            address,
            Rf_install(c"taskq_queue".as_ptr()),
            R_NilValue,
        ));
        R_RegisterCFinalizerEx(pointer, Some(finalizer), Rboolean::TRUE);
        let handle = Robj::from_sexp(pointer);
        Rf_unprotect(1);
        handle
    }
}

/// The queue of a handle, or the failure to give back.
pub(crate) fn queue(handle: &Robj) -> std::result::Result<&Queue, Robj> {
    // SAFETY: on the R thread, on an object that R holds.
    let address = unsafe {
        let sexp = handle.get();
        if TYPEOF(sexp) == SEXPTYPE::EXTPTRSXP {
            R_ExternalPtrAddr(sexp)
        } else {
            std::ptr::null_mut()
        }
    };
    match refuse(address) {
        Some(refusal) => Err(refusal),
        // SAFETY: the address is not null, so it is one of `make`'s and not finalized.
        None => Ok(unsafe { at(address) }),
    }
}

/// The queue at the address of a live handle.
///
/// # Safety
/// The address was put into a handle by [`make`], and the handle is not finalized.
pub(crate) unsafe fn at<'a>(address: *mut c_void) -> &'a Queue {
    // SAFETY: see above.
    unsafe { &*address.cast::<Arc<Queue>>() }
}

/// Another hold on it.
///
/// # Safety
/// As [`at`].
pub(crate) unsafe fn hold(address: *mut c_void) -> Arc<Queue> {
    // SAFETY: see above.
    Arc::clone(unsafe { &*address.cast::<Arc<Queue>>() })
}

/// Why the queue at this address must not be used, if so.
pub(crate) fn refuse(address: *mut c_void) -> Option<Robj> {
    if address.is_null() {
        let message =
            "this queue belongs to another R session: it cannot be saved, restored or sent";
        return Some(failure("closed", message, &[]));
    }
    // SAFETY: not null, see `queue`.
    let queue = unsafe { at(address) };
    if queue.is_ours() {
        return None;
    }
    let owner = queue.owner();
    let message = format!("this queue belongs to process {owner}, of which this one is a fork");
    Some(failure("forked", &message, &[("owner", owner.into())]))
}

/// A handle of the same queue that does not end it: for what is still to come of it.
pub(crate) fn holder(handle: &Robj) -> std::result::Result<Robj, Robj> {
    queue(handle)?;
    // SAFETY: on the R thread; the handle is alive, see `queue`.
    let address = unsafe { hold(R_ExternalPtrAddr(handle.get())) };
    Ok(pointer_to(address, let_go))
}

/// How long the end waits for the lock of a queue. Another thread holds it for microseconds; but R ends within its handler
/// of SIGUSR1 and SIGUSR2, wherever this thread was then. A queue of which it holds the lock ends by this process's death.
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

/// Called by R when a handle is no longer reachable, within any allocation: it signals and does not wait. At the end of R
/// it is, too, before [`end_all`].
unsafe extern "C" fn finalize(pointer: SEXP) {
    // SAFETY: see `empty`.
    if let Some(queue) = unsafe { empty(pointer) } {
        if !queue.abandon_within(LOCKED) {
            std::mem::forget(queue);
        }
    }
}

/// As `finalize`, for a [`holder`].
unsafe extern "C" fn let_go(pointer: SEXP) {
    // SAFETY: see `empty`.
    drop(unsafe { empty(pointer) });
}

/// Takes the queue out of a handle; `None` in a fork, where the locks inside may be held for ever.
///
/// # Safety
/// For finalizers: on the R thread, with what [`pointer_to`] made.
unsafe fn empty(pointer: SEXP) -> Option<Arc<Queue>> {
    // SAFETY: see above; an empty pointer was emptied here.
    unsafe {
        let address = R_ExternalPtrAddr(pointer);
        if address.is_null() {
            return None;
        }
        R_ClearExternalPtr(pointer);
        let queue = *Box::from_raw(address.cast::<Arc<Queue>>());
        if queue.is_ours() {
            return Some(queue);
        }
        std::mem::forget(queue);
        None
    }
}
