//! The session's part of `taskq.h`: receive a task, guard it, reply.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::null;
use std::time::Duration;

use taskq_payload::payload::Payload;
use taskq_wire::message::Verdict;
use taskq_worker::Session;

use super::{border, DONE, EMPTY, ERROR, FAILED, SUCCESS};
use crate::buffer::Buffer;
use crate::far::{describe, is_session, with_far, Far};

thread_local! {
    static PROBLEM: RefCell<CString> = RefCell::default();
}

#[no_mangle]
extern "C" fn tq_session_receive() -> c_int {
    with_session(FAILED, |session| match session.receive() {
        Ok(true) => DONE,
        Ok(false) => EMPTY,
        Err(error) => {
            note_problem(&describe(&error));
            FAILED
        }
    })
}

#[no_mangle]
extern "C" fn tq_session_has_temp_dir() -> c_int {
    with_session(1, |session| c_int::from(session.has_temp_dir()))
}

#[no_mangle]
extern "C" fn tq_session_wait(ms: f64) -> c_int {
    with_session(1, |session| {
        c_int::from(session.wait(Duration::from_secs_f64(ms / 1e3)))
    })
}

/// See `taskq.h`.
#[repr(C)]
struct Fun {
    payload: *const Payload,
    id: f64,
    place: c_int,
}

/// Why the last call has failed; valid until the next.
#[no_mangle]
extern "C" fn tq_session_problem() -> *const c_char {
    problem()
}

#[no_mangle]
unsafe extern "C" fn tq_session_task(fun: *mut Fun, call: *mut *const Payload) -> c_int {
    with_session(0, |session| {
        let Some(job) = session.current() else {
            return 0;
        };
        // SAFETY: both are on the caller's stack. The payloads live until they are spent or the task ends.
        unsafe {
            fun.write(Fun {
                payload: job.fun.payload.as_deref().map_or(null(), |payload| payload),
                id: job.fun.id as f64,
                place: match job.fun.place {
                    Some(place) if job.fun.is_pure => place as c_int,
                    _ => -1,
                },
            });
            call.write(&job.call);
        }
        1
    })
}

#[no_mangle]
extern "C" fn tq_session_spent() {
    with_session((), Session::spent);
}

#[no_mangle]
unsafe extern "C" fn tq_session_reply(verdict: c_int, outcome: *mut c_void) -> c_int {
    // SAFETY: a buffer of `tq_buffer_new`, which stays the caller's.
    let outcome = unsafe { std::mem::take(&mut *outcome.cast::<Buffer>()) };
    let verdict = match verdict {
        SUCCESS => Verdict::Success,
        ERROR => Verdict::Error,
        _ => Verdict::Interrupted,
    };
    with_session(0, |session| {
        let Some(outcome) = outcome.finish() else {
            note_problem("there is no memory for the result");
            return 0;
        };
        match session.finish(verdict, &outcome) {
            Ok(()) => 1,
            Err(error) => {
                note_problem(&describe(&error));
                0
            }
        }
    })
}

#[no_mangle]
extern "C" fn tq_session_arm() {
    with_session((), Session::arm);
}

#[no_mangle]
extern "C" fn tq_session_disarm() {
    with_session((), Session::disarm);
}

#[no_mangle]
extern "C" fn tq_session_open_elements(count: f64) -> c_int {
    with_session(0, |session| {
        c_int::from(session.open_elements(count as u64))
    })
}

#[no_mangle]
extern "C" fn tq_session_begin_element() -> c_int {
    with_session(0, |session| c_int::from(session.begin_element()))
}

fn with_session<T>(fault: T, body: impl FnOnce(&mut Session) -> T) -> T
where
    T: Copy,
{
    border(fault, || {
        with_far(|far| match far {
            Far::Session(session) => body(session),
            _ => {
                note_problem(no_session());
                fault
            }
        })
    })
}

/// Libraries that call R from threads of their own, as Java's does in `System.exit()`, have it jump there.
fn no_session() -> &'static str {
    if is_session() {
        "R runs on a thread that is not its own; a library has called it there"
    } else {
        "this process is no session of a queue"
    }
}

pub(super) fn problem() -> *const c_char {
    PROBLEM.with_borrow(|problem| CStr::as_ptr(problem))
}

pub(super) fn note_problem(text: &str) {
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    PROBLEM.set(text);
}
