//! The part of `taskq.h` for queues without sessions.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Verdict;
use taskq_engine::{Captured, Ending, InlineStep};

use super::{border, Bytes, SUCCESS};
use crate::buffer::Buffer;
use crate::handle;

/// See `taskq.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Inline {
    serial: f64,
    ms: f64,
    tries: c_int,
    id: Bytes,
}

impl Default for Inline {
    fn default() -> Inline {
        Inline {
            serial: 0.0,
            ms: -1.0,
            tries: 0,
            id: [].as_slice().into(),
        }
    }
}

#[no_mangle]
unsafe extern "C" fn tq_inline_next(queue: *mut c_void, about: *mut Inline) -> *mut c_void {
    // SAFETY: the C side has checked the handle; the other is on its stack.
    let queue = unsafe { handle::at(queue) };
    let (held, value) = border((std::ptr::null_mut(), Inline::default()), || {
        match queue.next_inline() {
            InlineStep::Rest => (std::ptr::null_mut(), Inline::default()),
            InlineStep::Wait(time) => {
                // Not a moment too early, or the caller would come in vain.
                let ms = (time.as_secs_f64() * 1e3).ceil();
                (
                    std::ptr::null_mut(),
                    Inline {
                        ms,
                        ..Inline::default()
                    },
                )
            }
            InlineStep::Run(task) => {
                let held = Box::new(task.label);
                let value = Inline {
                    serial: task.id.0 as f64,
                    ms: task.timeout.map_or(-1.0, |limit| limit.as_secs_f64() * 1e3),
                    tries: c_int::try_from(task.tries).unwrap_or(c_int::MAX),
                    id: held.as_bytes().into(),
                };
                (Box::into_raw(held).cast(), value)
            }
        }
    });
    // SAFETY: see above. The name lives as long as what is returned.
    unsafe { about.write(value) };
    held
}

#[no_mangle]
unsafe extern "C" fn tq_inline_free(held: *mut c_void) {
    // SAFETY: one of `tq_inline_next`'s, freed once.
    drop(unsafe { Box::from_raw(held.cast::<String>()) });
}

#[no_mangle]
unsafe extern "C" fn tq_inline_done(
    queue: *mut c_void,
    serial: f64,
    verdict: c_int,
    outcome: *mut c_void,
    out: *const c_char,
    err: *const c_char,
    cpu: f64,
    seconds: f64,
) {
    // SAFETY: the C side has checked the handle and keeps the buffer and the strings.
    let (queue, outcome, out, err) = unsafe {
        let outcome = std::mem::take(&mut *outcome.cast::<Buffer>());
        (
            handle::at(queue),
            outcome,
            CStr::from_ptr(out),
            CStr::from_ptr(err),
        )
    };
    border((), || {
        let captured = |text: &CStr| {
            Arc::new(Captured {
                bytes: text.to_bytes().to_vec(),
                dropped: 0,
            })
        };
        let mut outcome = outcome.finish();
        if let Some(outcome) = &mut outcome {
            // It is where it is read: no descriptor is needed for it.
            outcome.retire();
        }
        let ending = Ending {
            outcome: outcome.map(Arc::new),
            stdout: captured(out),
            stderr: captured(err),
            stderr_tail: Vec::new(),
            pid: i32::try_from(std::process::id()).ok(),
            cpu_us: Some((cpu.max(0.0) * 1e6) as u64),
            max_rss: Some(taskq_sys::process::own_usage().max_rss),
            progress: None,
            elements: 0,
            oom: false,
        };
        let verdict = if verdict == SUCCESS && ending.outcome.is_some() {
            Verdict::Success
        } else {
            Verdict::Error
        };
        let took = Duration::from_secs_f64(seconds.max(0.0));
        queue.finish_inline(TaskId(serial as u64), verdict, ending, took);
    });
}
