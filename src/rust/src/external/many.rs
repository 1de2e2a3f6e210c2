//! The part of `taskq.h` for many tasks at once.

use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::sync::Arc;

use extendr_ffi::SEXP;
use taskq_core::Submission;
use taskq_engine::{Function, TaskPayload};

use super::{border, border_with, options, Bytes};
use crate::{buffer, functions, handle, reply};

/// Tasks on their way into a queue: what they have in common, and what each has of its own.
struct Many {
    common: Submission,
    fun: Arc<Function>,
    tasks: Vec<(Submission, TaskPayload)>,
    /// How many of their names are reserved.
    reserved: usize,
}

#[no_mangle]
unsafe extern "C" fn tq_many_new(
    queue: *mut c_void,
    fun: *mut c_void,
    options: SEXP,
    count: usize,
) -> *mut c_void {
    // SAFETY: the C side has checked the handle, and holds the others: shared bytes, the list that R/task-options.R has made.
    let (common, fun) = unsafe {
        let defaults = handle::at(queue).default_options();
        (options::read(options, defaults), functions::hold(fun))
    };
    let many = Many {
        common,
        fun,
        tasks: Vec::with_capacity(count),
        reserved: 0,
    };
    Box::into_raw(Box::new(many)).cast()
}

#[no_mangle]
unsafe extern "C" fn tq_many_add(
    many: *mut c_void,
    id: *const c_char,
    key: *const c_char,
    call: *mut c_void,
) -> c_int {
    // SAFETY: one of `tq_many_new`'s; the C side gives the buffer away; null or a string of R's.
    let (many, call, label, key) = unsafe {
        let text = |text: *const c_char| {
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into())
        };
        let many = &mut *many.cast::<Many>();
        (many, buffer::take(call), text(id), text(key))
    };
    border(0, || {
        let Some(call) = call.finish() else { return 0 };
        let task = Submission {
            label,
            key,
            ..many.common.clone()
        };
        let (fun, call) = (Arc::clone(&many.fun), Arc::new(call));
        many.tasks.push((task, TaskPayload { fun, call }));
        1
    })
}

/// From now on each task has an id.
#[no_mangle]
unsafe extern "C" fn tq_many_name(queue: *mut c_void, many: *mut c_void) {
    // SAFETY: the C side has checked the handle; the other is one of `tq_many_new`'s.
    let (queue, many) = unsafe { (handle::at(queue), &mut *many.cast::<Many>()) };
    border((), || {
        let labels = many.tasks.iter_mut().map(|(task, _)| &mut task.label);
        let missing = labels.filter(|label| label.is_none());
        queue.reserve_names(missing.inspect(|_| many.reserved += 1));
    });
}

/// Takes what was added.
#[no_mangle]
unsafe extern "C" fn tq_many_push(queue: *mut c_void, many: *mut c_void) -> *mut c_void {
    // SAFETY: the C side has checked the handle; the other is one of `tq_many_new`'s.
    let (queue, many) = unsafe { (handle::at(queue), &mut *many.cast::<Many>()) };
    border_with(|| {
        let tasks = std::mem::take(&mut many.tasks);
        let error = queue.push_many(tasks).err()?;
        queue.release_names(std::mem::take(&mut many.reserved));
        Some(reply::push_failure(&error))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_many_id(many: *const c_void, i: usize) -> Bytes {
    // SAFETY: one of `tq_many_new`'s.
    let many = unsafe { &*many.cast::<Many>() };
    many.tasks
        .get(i)
        .and_then(|(task, _)| task.label.as_deref())
        .into()
}

#[no_mangle]
unsafe extern "C" fn tq_many_free(many: *mut c_void) {
    if !many.is_null() {
        // SAFETY: one of `tq_many_new`'s, freed once.
        drop(unsafe { Box::from_raw(many.cast::<Many>()) });
    }
}
