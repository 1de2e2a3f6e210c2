//! The part of `taskq.h` for queues without sessions.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use taskq_core::id::TaskId;
use taskq_core::Verdict;
use taskq_engine::{Captured, Ending};

use super::host::HeldPayload;
use super::{border, Bytes, SUCCESS};
use crate::handle;

#[no_mangle]
unsafe extern "C" fn tq_inline_next(
    queue: *mut c_void,
    serial: *mut f64,
    id: *mut Bytes,
) -> *mut c_void {
    // SAFETY: `rapi.c` has checked the handle; the others are on its stack.
    let queue = unsafe { handle::at(queue) };
    border(std::ptr::null_mut(), || {
        let Some(task) = queue.next_inline() else {
            return std::ptr::null_mut();
        };
        let held = Box::new(HeldPayload {
            payload: task.payload,
            label: task.label,
        });
        // SAFETY: see above. The name lives as long as what is returned.
        unsafe {
            serial.write(task.id.0 as f64);
            id.write(held.label.as_bytes().into());
        }
        Box::into_raw(held).cast()
    })
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
    // SAFETY: `rapi.c` has checked the handle and keeps the buffer and the strings.
    let (queue, outcome, out, err) = unsafe {
        let outcome = std::mem::take(&mut *outcome.cast::<Vec<u8>>());
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
        let ending = Ending {
            outcome: Some(Arc::new(outcome)),
            stdout: captured(out),
            stderr: captured(err),
            stderr_tail: Vec::new(),
            pid: i32::try_from(std::process::id()).ok(),
            cpu_us: Some((cpu.max(0.0) * 1e6) as u64),
            max_rss: Some(taskq_sys::wait::own_usage().max_rss),
        };
        let verdict = if verdict == SUCCESS {
            Verdict::Success
        } else {
            Verdict::Error
        };
        let took = Duration::from_secs_f64(seconds.max(0.0));
        queue.finish_inline(TaskId(serial as u64), verdict, ending, took);
    });
}
