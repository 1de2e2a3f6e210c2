//! The part of `taskq.h` for what the tasks of a snapshot are made of, which a pointer of R's owns.

use std::os::raw::c_void;

use extendr_ffi::{R_ClearExternalPtr, R_ExternalPtrAddr, SEXP};
use taskq_engine::TaskObjects;

use super::border;
use super::host::{hold, hold_sent};
use crate::value::{Owned, Value};

/// A pointer that owns them.
pub(crate) fn hold_all(objects: Vec<TaskObjects>) -> Value {
    let address = Box::into_raw(Box::new(objects)).cast();
    // SAFETY: both take such an address, and are its end.
    let owned = unsafe { Owned::new(address, c"taskq_snapshot", tq_snapshot_finalize, free) };
    Value::pointer(owned)
}

/// # Safety
/// A pointer that [`hold_all`] has made, and that lives as long as the result is used.
unsafe fn at<'a>(objects: *const c_void) -> &'a [TaskObjects] {
    // SAFETY: see above.
    unsafe { &*objects.cast::<Vec<TaskObjects>>() }
}

#[no_mangle]
unsafe extern "C" fn tq_objects_count(objects: *const c_void) -> usize {
    // SAFETY: the C side holds the pointer.
    unsafe { at(objects) }.len()
}

#[no_mangle]
unsafe extern "C" fn tq_objects_sent(objects: *const c_void, i: usize) -> *mut c_void {
    // SAFETY: the C side holds the pointer.
    let sent = unsafe { at(objects) }.get(i);
    border(std::ptr::null_mut(), || {
        hold_sent(sent.and_then(|objects| objects.sent.clone()))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_objects_done(objects: *const c_void, i: usize) -> *mut c_void {
    // SAFETY: the C side holds the pointer.
    let done = unsafe { at(objects) }.get(i);
    border(std::ptr::null_mut(), || {
        hold(done.and_then(|objects| objects.done.clone()))
    })
}

/// See `taskq.h`. A finalizer, too.
#[no_mangle]
unsafe extern "C" fn tq_snapshot_finalize(pointer: SEXP) {
    // SAFETY: a pointer of `hold_all`'s; when it is empty, it was emptied here.
    unsafe {
        let address = R_ExternalPtrAddr(pointer);
        if !address.is_null() {
            R_ClearExternalPtr(pointer);
            free(address);
        }
    }
}

/// # Safety
/// An address of [`hold_all`]'s, not used again.
unsafe fn free(address: *mut c_void) {
    // SAFETY: see above.
    let objects = unsafe { Box::from_raw(address.cast::<Vec<TaskObjects>>()) };
    border((), || drop(objects));
}
