//! A growing buffer that R serializes into. Running out of memory is told, so that R can report it; it does not abort.

use std::os::raw::{c_int, c_void};
use std::slice;
use std::sync::Arc;

/// A new buffer. It belongs to the caller until [`take`] or [`tq_buffer_free`].
#[no_mangle]
pub(crate) extern "C" fn tq_buffer_new() -> *mut c_void {
    Box::into_raw(Box::<Vec<u8>>::default()).cast()
}

/// Appends bytes; 0 when there is no memory for them.
///
/// # Safety
/// `buffer` is one of [`tq_buffer_new`]'s; `bytes` points to `length` readable bytes.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_buffer_write(
    buffer: *mut c_void,
    bytes: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: see above; R serializes on one thread, so nobody else holds the buffer.
    let (buffer, bytes) = unsafe {
        (
            &mut *buffer.cast::<Vec<u8>>(),
            slice::from_raw_parts(bytes.cast::<u8>(), length),
        )
    };
    if buffer.try_reserve(length).is_err() {
        return 0;
    }
    buffer.extend_from_slice(bytes);
    1
}

/// Frees a buffer that nobody took.
///
/// # Safety
/// `buffer` is null or one of [`tq_buffer_new`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_buffer_free(buffer: *mut c_void) {
    if !buffer.is_null() {
        // SAFETY: see above.
        drop(unsafe { take(buffer) });
    }
}

/// The bytes of a buffer, which is gone then.
///
/// # Safety
/// `buffer` is one of [`tq_buffer_new`]'s, and not used again.
pub(crate) unsafe fn take(buffer: *mut c_void) -> Vec<u8> {
    // SAFETY: see above.
    *unsafe { Box::from_raw(buffer.cast::<Vec<u8>>()) }
}

/// Bytes that can be shared, made of a buffer, which is gone then.
///
/// # Safety
/// `buffer` is one of [`tq_buffer_new`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_share(buffer: *mut c_void) -> *mut c_void {
    // SAFETY: see above.
    let mut bytes = unsafe { take(buffer) };
    bytes.shrink_to_fit();
    Box::into_raw(Box::new(Arc::new(bytes))).cast()
}

/// Another hold on shared bytes, for C.
///
/// # Safety
/// `shared` is one of [`tq_share`]'s and not freed.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_shared_hold(shared: *const c_void) -> *mut c_void {
    // SAFETY: see above.
    Box::into_raw(Box::new(unsafe { hold(shared) })).cast()
}

/// Lets go of shared bytes.
///
/// # Safety
/// `shared` is null or one of [`tq_share`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_shared_free(shared: *mut c_void) {
    if !shared.is_null() {
        // SAFETY: see above.
        drop(unsafe { Box::from_raw(shared.cast::<Arc<Vec<u8>>>()) });
    }
}

/// Another hold on shared bytes.
///
/// # Safety
/// `shared` is one of [`tq_share`]'s and not freed.
pub(crate) unsafe fn hold(shared: *const c_void) -> Arc<Vec<u8>> {
    // SAFETY: see above.
    Arc::clone(unsafe { &*shared.cast::<Arc<Vec<u8>>>() })
}
