//! The part of `taskq.h` for maps.

use std::os::raw::{c_int, c_void};
use std::time::Duration;

use taskq_core::batches::{Batch, Took};
use taskq_core::id::TaskId;
use taskq_engine::{Map, MapOutcome};

use super::host::milliseconds;
use super::{border, border_with, AGAIN, DONE, EMPTY, FAILED, TIMED_OUT};
use crate::{buffer, functions, handle, reply};

/// See `taskq.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct BatchInfo {
    first: f64,
    count: f64,
    budget_ms: f64,
}

impl From<Batch> for BatchInfo {
    fn from(batch: Batch) -> BatchInfo {
        let ms = |budget: Duration| budget.as_secs_f64() * 1e3;
        BatchInfo {
            first: batch.first as f64,
            count: batch.count as f64,
            budget_ms: batch.budget.map_or(f64::INFINITY, ms),
        }
    }
}

/// `into` is the new map, which belongs to the caller, when there is no failure.
#[no_mangle]
unsafe extern "C" fn tq_map_new(
    queue: *mut c_void,
    work: *mut c_void,
    length: f64,
    fixed: f64,
    into: *mut *mut c_void,
) -> *mut c_void {
    // SAFETY: the C side has checked the handle, and holds the shared bytes.
    let (queue, work) = unsafe { (handle::hold(queue), functions::hold(work)) };
    border_with(|| {
        let fixed = (fixed > 0.0).then_some(fixed as u64);
        let map = match Map::new(&queue, work, length as u64, fixed) {
            Ok(map) => map,
            Err(error) => return Some(reply::push_failure(&error)),
        };
        // SAFETY: on the caller's stack.
        unsafe { into.write(Box::into_raw(Box::new(map)).cast()) };
        None
    })
}

#[no_mangle]
unsafe extern "C" fn tq_map_number(map: *const c_void) -> f64 {
    // SAFETY: one of `tq_map_new`'s.
    unsafe { &*map.cast::<Map>() }.number().0 as f64
}

/// Plans the next batch. 0: there is none, for now or ever.
#[no_mangle]
unsafe extern "C" fn tq_map_next(map: *mut c_void, into: *mut BatchInfo) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(0, || {
        let Some(batch) = map.plan() else { return 0 };
        // SAFETY: see above.
        unsafe { into.write(batch.into()) };
        1
    })
}

/// Pushes the planned batch.
#[no_mangle]
unsafe extern "C" fn tq_map_push(map: *mut c_void, call: *mut c_void) -> *mut c_void {
    // SAFETY: one of `tq_map_new`'s; the C side gives the buffer away.
    let (map, call) = unsafe { (map_at(map), buffer::take(call)) };
    border_with(|| {
        let Some(call) = call.finish() else {
            let message = "there is no memory for the elements";
            return Some(reply::failure("system", message));
        };
        map.push(call).err().as_ref().map(reply::push_failure)
    })
}

/// Waits until a batch is done, whose number is then in `serial`. AGAIN: there are elements to send.
#[no_mangle]
unsafe extern "C" fn tq_map_wait(map: *mut c_void, serial: *mut f64, ms: f64) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(FAILED, || match map.wait(milliseconds(ms)) {
        MapOutcome::Done(task) => {
            // SAFETY: see above.
            unsafe { serial.write(task.0 as f64) };
            DONE
        }
        MapOutcome::More => AGAIN,
        MapOutcome::Empty => EMPTY,
        MapOutcome::Failed => FAILED,
        MapOutcome::TimedOut => TIMED_OUT,
    })
}

/// The batch that this task is. 0: none.
#[no_mangle]
unsafe extern "C" fn tq_map_batch(map: *mut c_void, serial: f64, into: *mut BatchInfo) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(0, || {
        let Some(batch) = map.batch(TaskId(serial as u64)) else {
            return 0;
        };
        // SAFETY: see above.
        unsafe { into.write(batch.into()) };
        1
    })
}

/// How many elements had begun of a batch whose session died.
#[no_mangle]
unsafe extern "C" fn tq_map_begun(map: *mut c_void, serial: f64) -> f64 {
    // SAFETY: one of `tq_map_new`'s.
    let map = unsafe { map_at(map) };
    border(0.0, || map.begun(TaskId(serial as u64)) as f64)
}

/// Takes a batch that is done, of which so many elements are settled. Times below zero are not known.
#[no_mangle]
unsafe extern "C" fn tq_map_settle(
    map: *mut c_void,
    serial: f64,
    settled: f64,
    all_ms: f64,
    last_ms: f64,
) {
    // SAFETY: one of `tq_map_new`'s.
    let map = unsafe { map_at(map) };
    border((), || {
        let took = (all_ms >= 0.0).then(|| Took {
            all: milliseconds(all_ms),
            last: milliseconds(last_ms.max(0.0)),
        });
        map.settle(TaskId(serial as u64), settled as u64, took);
    });
}

#[no_mangle]
unsafe extern "C" fn tq_map_free(map: *mut c_void) {
    if !map.is_null() {
        // SAFETY: one of `tq_map_new`'s, freed once.
        let map = unsafe { Box::from_raw(map.cast::<Map>()) };
        border((), || {
            if map.queue().is_ours() {
                drop(map);
            } else {
                // In a fork the locks inside may be held for ever.
                std::mem::forget(map);
            }
        });
    }
}

/// # Safety
/// One of `tq_map_new`'s, not freed; on the R thread, which uses it for one thing at a time.
unsafe fn map_at<'a>(map: *mut c_void) -> &'a mut Map {
    // SAFETY: see above.
    unsafe { &mut *map.cast::<Map>() }
}
