//! The host's part of `taskq.h`: push, wait, look, take.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use extendr_ffi::SEXP;
use taskq_core::id::TaskId;
use taskq_core::GoneCause;
use taskq_core::Outcome;
use taskq_engine::{Awaited, DoneTask, TaskPayload, WaitOutcome};
use taskq_sys::fault;
use taskq_sys::payload::Payload;
use taskq_wire::serialized::{self, Soundness};

use super::options;
use super::{border, border_with, Bytes, BROKEN, DONE, EMPTY, FAILED, SOUND, TIMED_OUT, UNSURE};
use crate::value::Text;
use crate::{buffer, functions, handle, reply};

/// See `taskq.h`.
#[repr(C)]
struct Done {
    serial: f64,
    id: Bytes,
    status: *const c_char,
    succeeded: c_int,
    outcome: *const Payload,
    out: Bytes,
    err: Bytes,
    tail: Bytes,
    dropped: f64,
    signal: c_int,
    exit_code: c_int,
    cause: *const c_char,
    after: Bytes,
    tries: c_int,
    pid: c_int,
    queued: f64,
    started: f64,
    finished: f64,
    cpu: f64,
    max_rss: f64,
}

thread_local! {
    /// The id that was reserved last.
    static RESERVED: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// A done task with its output as text, where that is not just its bytes.
struct Held {
    task: DoneTask,
    out: Option<Text>,
    err: Option<Text>,
    tail: Option<Text>,
}

#[no_mangle]
unsafe extern "C" fn tq_payload_bytes(payload: *const Payload, bytes: *mut Bytes) -> c_int {
    // SAFETY: a payload that the C side holds, or has from what it holds; the other is on its stack.
    let (payload, bytes) = unsafe { (&*payload, &mut *bytes) };
    border(0, || match payload.bytes_at_hand() {
        Ok(found) => {
            *bytes = found.into();
            1
        }
        Err(_) => 0,
    })
}

#[no_mangle]
unsafe extern "C" fn tq_payload_look(payload: *const Payload) -> c_int {
    // SAFETY: a payload that the C side holds, or has from what it holds.
    let payload = unsafe { &*payload };
    border(BROKEN, || match payload.bytes().map(serialized::look) {
        Ok(Soundness::Sound) => SOUND,
        Ok(Soundness::Unsure) | Err(_) => UNSURE,
        Ok(Soundness::Broken) => BROKEN,
    })
}

#[no_mangle]
extern "C" fn tq_now_ms() -> f64 {
    taskq_sys::clock::now_ns() as f64 / 1e6
}

#[no_mangle]
extern "C" fn tq_refuse_handle(queue: *mut c_void) -> *mut c_void {
    border_with(|| handle::refuse(queue))
}

#[no_mangle]
unsafe extern "C" fn tq_take_notice(queue: *mut c_void) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(0, || c_int::from(queue.take_notice()))
}

#[no_mangle]
unsafe extern "C" fn tq_is_inline(queue: *mut c_void) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(1, || c_int::from(queue.is_inline()))
}

#[no_mangle]
unsafe extern "C" fn tq_reserve_id(queue: *mut c_void) -> Bytes {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    let reserve = || {
        RESERVED.with_borrow_mut(|kept| {
            queue.reserve_names(std::iter::once(&mut *kept));
            kept.as_deref().into()
        })
    };
    border(None.into(), reserve)
}

#[no_mangle]
unsafe extern "C" fn tq_push(
    queue: *mut c_void,
    id: *const c_char,
    is_reserved: c_int,
    fun: *mut c_void,
    call: *mut c_void,
    options: SEXP,
) -> *mut c_void {
    // SAFETY: the C side gives the buffer away, and holds the others: shared bytes, a live queue, a string of R's, the list that
    // R/task-options.R has made.
    let (queue, fun, call, id, mut task) = unsafe {
        let queue = handle::at(queue);
        let task = options::read(options, queue.default_options());
        let (fun, call) = (functions::hold(fun), buffer::take(call));
        (queue, fun, call, CStr::from_ptr(id).to_string_lossy(), task)
    };
    task.label = Some(id.into());
    border_with(|| {
        let failure = match call.finish().map(Arc::new) {
            Some(call) => {
                let error = queue.push(task, TaskPayload { fun, call }).err()?;
                reply::push_failure(&error)
            }
            None => reply::failure("system", "there is no memory for the arguments"),
        };
        queue.release_names(usize::from(is_reserved != 0));
        Some(failure)
    })
}

#[no_mangle]
unsafe extern "C" fn tq_wait_for_done(queue: *mut c_void, ms: f64) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(FAILED, || code(queue.wait_for_done(milliseconds(ms))))
}

#[no_mangle]
unsafe extern "C" fn tq_wait_for_room(queue: *mut c_void, count: f64, ms: f64) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(FAILED, || {
        code(queue.wait_for_room(count as usize, milliseconds(ms)))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_awaited_new(tasks: *const f64, count: usize) -> *mut c_void {
    let awaited = if tasks.is_null() {
        Awaited::All
    } else {
        // SAFETY: the numbers of a vector of R's, which the C side holds.
        let serials = unsafe { std::slice::from_raw_parts(tasks, count) };
        Awaited::These {
            tasks: serials
                .iter()
                .map(|&serial| TaskId(serial as u64))
                .collect(),
            done: 0,
        }
    };
    Box::into_raw(Box::new(awaited)).cast()
}

#[no_mangle]
unsafe extern "C" fn tq_wait_for_all(queue: *mut c_void, awaited: *mut c_void, ms: f64) -> c_int {
    // SAFETY: the C side has checked the handle; the other is one of `tq_awaited_new`'s.
    let (queue, awaited) = unsafe { (handle::at(queue), &mut *awaited.cast::<Awaited>()) };
    border(FAILED, || {
        code(queue.wait_for_all(awaited, milliseconds(ms)))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_awaited_free(awaited: *mut c_void) {
    // SAFETY: one of `tq_awaited_new`'s, freed once.
    drop(unsafe { Box::from_raw(awaited.cast::<Awaited>()) });
}

#[no_mangle]
unsafe extern "C" fn tq_tell_failure(queue: *mut c_void) -> *mut c_void {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border_with(|| queue.tell_failure().as_ref().map(reply::start_failure))
}

#[no_mangle]
unsafe extern "C" fn tq_wait_for_end(queue: *mut c_void, ms: f64) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(FAILED, || {
        if queue.wait_for_end(milliseconds(ms)) {
            DONE
        } else {
            TIMED_OUT
        }
    })
}

#[no_mangle]
unsafe extern "C" fn tq_oldest_done(queue: *mut c_void) -> *mut c_void {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(std::ptr::null_mut(), || {
        let done = queue.oldest_done();
        if let Some(done) = done.as_ref().filter(|_| fault::is_on("one-phase-pop")) {
            queue.take(done.id);
        }
        hold(done)
    })
}

#[no_mangle]
unsafe extern "C" fn tq_done_task(queue: *mut c_void, serial: f64) -> *mut c_void {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(std::ptr::null_mut(), || {
        hold(queue.done_task(TaskId(serial as u64)))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_done_read(done: *const c_void, into: *mut Done) {
    // SAFETY: `done` is one of `hold`'s, `into` is on the caller's stack.
    let (held, into) = unsafe { (&*done.cast::<Held>(), into) };
    let task = &held.task;
    let (mut cause, signal, exit_code) = describe_cause(&task.outcome);
    if task.ending.oom {
        cause = c"oom";
    }
    let value = Done {
        serial: task.id.0 as f64,
        id: task.label.as_bytes().into(),
        status: task.outcome.word().as_ptr(),
        succeeded: c_int::from(task.outcome == Outcome::Success),
        outcome: task
            .ending
            .outcome
            .as_deref()
            .map_or(std::ptr::null(), std::ptr::from_ref),
        out: text(&held.out, &task.ending.stdout.bytes),
        err: text(&held.err, &task.ending.stderr.bytes),
        tail: text(&held.tail, &task.ending.stderr_tail),
        dropped: (task.ending.stdout.dropped + task.ending.stderr.dropped) as f64,
        signal,
        exit_code,
        cause: cause.as_ptr(),
        after: task
            .skipped_after
            .as_deref()
            .unwrap_or_default()
            .as_bytes()
            .into(),
        tries: c_int::try_from(task.tries).unwrap_or(c_int::MAX),
        pid: task.ending.pid.unwrap_or(0),
        queued: task.queued,
        started: task.started.unwrap_or(-1.0),
        finished: task.finished,
        cpu: task.ending.cpu_us.map_or(-1.0, |us| us as f64 / 1e6),
        max_rss: task.ending.max_rss.map_or(-1.0, |bytes| bytes as f64),
    };
    // SAFETY: see above.
    unsafe { into.write(value) };
}

#[no_mangle]
unsafe extern "C" fn tq_done_free(done: *mut c_void) {
    if !done.is_null() {
        // SAFETY: one of `hold`'s, freed once.
        drop(unsafe { Box::from_raw(done.cast::<Held>()) });
    }
}

#[no_mangle]
unsafe extern "C" fn tq_take(queue: *mut c_void, serial: f64) -> c_int {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(0, || {
        let taken = queue.take(TaskId(serial as u64));
        c_int::from(taken || fault::is_on("one-phase-pop"))
    })
}

/// Takes all of these, or none when one of them is not done any more.
#[no_mangle]
unsafe extern "C" fn tq_take_all(queue: *mut c_void, tasks: *const f64, count: usize) -> c_int {
    // SAFETY: the C side has checked the handle, and holds a vector of so many numbers.
    let (queue, serials) = unsafe { (handle::at(queue), std::slice::from_raw_parts(tasks, count)) };
    border(0, || {
        let tasks: Vec<TaskId> = serials
            .iter()
            .map(|&serial| TaskId(serial as u64))
            .collect();
        c_int::from(queue.take_all(&tasks))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_task(queue: *mut c_void, serial: f64) -> *mut c_void {
    // SAFETY: the C side has checked the handle.
    let queue = unsafe { handle::at(queue) };
    border(std::ptr::null_mut(), || {
        hold_sent(queue.payload(TaskId(serial as u64)))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_task_read(
    task: *const c_void,
    fun: *mut *const Payload,
    call: *mut *const Payload,
) {
    // SAFETY: `task` is one of `tq_task`'s, the others are on the caller's stack.
    unsafe {
        let task = &*task.cast::<TaskPayload>();
        fun.write(&**task.fun.payload());
        call.write(&*task.call);
    }
}

#[no_mangle]
unsafe extern "C" fn tq_task_free(task: *mut c_void) {
    if !task.is_null() {
        // SAFETY: one of `tq_task`'s, freed once.
        drop(unsafe { Box::from_raw(task.cast::<TaskPayload>()) });
    }
}

fn code(outcome: WaitOutcome) -> c_int {
    match outcome {
        WaitOutcome::Done => DONE,
        WaitOutcome::Empty => EMPTY,
        WaitOutcome::Failed => FAILED,
        WaitOutcome::TimedOut => TIMED_OUT,
    }
}

/// The length of one turn of waiting, which the C side keeps short and above zero.
pub(super) fn milliseconds(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

pub(super) fn hold(task: Option<DoneTask>) -> *mut c_void {
    let Some(task) = task else {
        return std::ptr::null_mut();
    };
    let held = Held {
        out: reply::mended(&task.ending.stdout.bytes),
        err: reply::mended(&task.ending.stderr.bytes),
        tail: reply::mended(&task.ending.stderr_tail),
        task,
    };
    Box::into_raw(Box::new(held)).cast()
}

pub(super) fn hold_sent(sent: Option<TaskPayload>) -> *mut c_void {
    sent.map_or(std::ptr::null_mut(), |sent| {
        Box::into_raw(Box::new(sent)).cast()
    })
}

fn text(mended: &Option<Text>, bytes: &[u8]) -> Bytes {
    mended.as_ref().map_or(bytes, Text::as_bytes).into()
}

/// A word for why a session died, the signal (0: none) and the exit status (-1: none).
fn describe_cause(outcome: &Outcome) -> (&'static CStr, c_int, c_int) {
    match outcome {
        Outcome::Crash {
            cause: GoneCause::Exited { code },
        } => (c"exit", 0, *code),
        Outcome::Crash {
            cause: GoneCause::Signaled { signal },
        } => (c"signal", *signal, -1),
        Outcome::Crash {
            cause: GoneCause::LaunchFailed { .. },
        } => (c"launch", 0, -1),
        Outcome::Crash {
            cause: GoneCause::NurseryLost,
        } => (c"nursery", 0, -1),
        Outcome::Crash {
            cause: GoneCause::Unknown,
        } => (c"unknown", 0, -1),
        Outcome::NoWorker => (c"no-worker", 0, -1),
        _ => (c"", 0, -1),
    }
}
