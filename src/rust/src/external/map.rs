//! The part of `taskq.h` for maps: batches of elements as claimed tasks.

use std::collections::HashMap;
use std::os::raw::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use extendr_ffi::{R_NilValue, SEXP};
use taskq_core::batches::{Batch, Batches, Took};
use taskq_core::id::TaskId;
use taskq_core::Submission;
use taskq_engine::{ClaimOutcome, Claims, Function, TakeBack, TaskPayload};

use super::host::{into_sexp, milliseconds};
use super::{border, AGAIN, DONE, EMPTY, FAILED, TIMED_OUT};
use crate::{buffer, functions, handle, reply};

/// A map on its way.
struct Map {
    claims: Claims,
    /// The number of the task that it counts as.
    number: TaskId,
    batches: Batches,
    /// Function and constant arguments, serialized.
    work: Arc<Function>,
    under_way: HashMap<TaskId, Batch>,
    /// What was handed out to be serialized, and is not pushed.
    planned: Option<Batch>,
}

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
) -> SEXP {
    // SAFETY: the C side has checked the handle, and holds the shared bytes; R's constant.
    let (queue, work, fine) = unsafe { (handle::hold(queue), functions::hold(work), R_NilValue) };
    border(fine, || {
        let (claims, number) = match Claims::new(&queue) {
            Ok(made) => made,
            Err(error) => return into_sexp(reply::push_failure(&error)),
        };
        let fixed = (fixed > 0.0).then_some(fixed as u64);
        let map = Map {
            claims,
            number,
            batches: Batches::new(length as u64, fixed),
            work,
            under_way: HashMap::new(),
            planned: None,
        };
        // SAFETY: on the caller's stack.
        unsafe { into.write(Box::into_raw(Box::new(map)).cast()) };
        fine
    })
}

#[no_mangle]
unsafe extern "C" fn tq_map_number(map: *const c_void) -> f64 {
    // SAFETY: one of `tq_map_new`'s.
    unsafe { &*map.cast::<Map>() }.number.0 as f64
}

/// Plans the next batch. 0: there is none, for now or ever.
#[no_mangle]
unsafe extern "C" fn tq_map_next(map: *mut c_void, into: *mut BatchInfo) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(0, || {
        let workers = map.claims.queue().capacity();
        map.planned = map.batches.send(workers);
        let Some(batch) = map.planned else {
            return 0;
        };
        // SAFETY: see above.
        unsafe { into.write(batch.into()) };
        1
    })
}

/// Pushes the planned batch. An element never begins after the budget, so that with as much more time the last one has its own.
#[no_mangle]
unsafe extern "C" fn tq_map_push(map: *mut c_void, call: *mut c_void) -> SEXP {
    // SAFETY: one of `tq_map_new`'s; the C side gives the buffer away; R's constant.
    let (map, call, fine) = unsafe { (map_at(map), buffer::take(call), R_NilValue) };
    border(fine, || {
        let Some(batch) = map.planned.take() else {
            return fine;
        };
        let Some(call) = call.finish().map(Arc::new) else {
            let message = "there is no memory for the elements";
            return into_sexp(reply::failure("system", message, &[]));
        };
        map.batches.weigh(batch.count, call.size() as u64);
        let mut options = map.claims.queue().default_options().clone();
        options.timeout = options.timeout.map(|timeout| match batch.budget {
            Some(budget) => timeout.saturating_add(budget),
            None => timeout.saturating_mul(u32::try_from(batch.count).unwrap_or(u32::MAX)),
        });
        let task = Submission {
            options,
            ..Submission::default()
        };
        let fun = Arc::clone(&map.work);
        match map.claims.push(task, TaskPayload { fun, call }) {
            Ok(task) => {
                map.under_way.insert(task, batch);
                fine
            }
            Err(error) => into_sexp(reply::push_failure(&error)),
        }
    })
}

/// A batch is left alone for so long: most are over sooner.
const UNDISTURBED: Duration = Duration::from_millis(2);

impl Map {
    /// When a worker has nothing to do, takes elements back from another one. Whether there are some; when to look again.
    fn balance(&mut self) -> (bool, Option<Duration>) {
        let queue = self.claims.queue();
        // A batch that is tried again begins with all its elements.
        let is_tried_again = queue.default_options().tries > 1;
        if is_tried_again || !self.batches.are_short(queue.capacity()) {
            return (false, None);
        }
        let mut look_again: Option<Duration> = None;
        for (&task, batch) in &mut self.under_way {
            match self.claims.take_back(task, UNDISTURBED) {
                TakeBack::Left(count) => {
                    self.batches.take_back(batch, count);
                    return (true, None);
                }
                TakeBack::Later(time) => {
                    look_again = Some(look_again.map_or(time, |before| before.min(time)));
                }
                TakeBack::Nothing => {}
            }
        }
        (false, look_again)
    }
}

/// Waits until a batch is done, whose number is then in `serial`. AGAIN: there are elements to send.
#[no_mangle]
unsafe extern "C" fn tq_map_wait(map: *mut c_void, serial: *mut f64, ms: f64) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(FAILED, || {
        let (has_more, look_again) = map.balance();
        if has_more {
            return AGAIN;
        }
        let time = milliseconds(ms);
        match map
            .claims
            .wait(look_again.map_or(time, |again| again.min(time)))
        {
            ClaimOutcome::Done(task) => {
                // SAFETY: see above.
                unsafe { serial.write(task.0 as f64) };
                DONE
            }
            ClaimOutcome::Empty => EMPTY,
            ClaimOutcome::Failed => FAILED,
            ClaimOutcome::TimedOut => TIMED_OUT,
        }
    })
}

/// The batch that this task is. 0: none.
#[no_mangle]
unsafe extern "C" fn tq_map_batch(map: *mut c_void, serial: f64, into: *mut BatchInfo) -> c_int {
    // SAFETY: one of `tq_map_new`'s; the other is on the caller's stack.
    let map = unsafe { map_at(map) };
    border(0, || {
        let Some(&batch) = map.under_way.get(&TaskId(serial as u64)) else {
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
    border(0.0, || map.claims.begun(TaskId(serial as u64)) as f64)
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
        let task = TaskId(serial as u64);
        let Some(batch) = map.under_way.remove(&task) else {
            return;
        };
        let took = (all_ms >= 0.0).then(|| Took {
            all: milliseconds(all_ms),
            last: milliseconds(last_ms.max(0.0)),
        });
        map.batches.settle(batch, settled as u64, took);
        map.claims.take(task);
    });
}

#[no_mangle]
unsafe extern "C" fn tq_map_free(map: *mut c_void) {
    if !map.is_null() {
        // SAFETY: one of `tq_map_new`'s, freed once.
        let map = unsafe { Box::from_raw(map.cast::<Map>()) };
        border((), || {
            if map.claims.queue().is_ours() {
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
