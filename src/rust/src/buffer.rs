//! A growing buffer that R serializes into. Running out of memory is told, so that R can report it; it does not abort.
//!
//! It begins in memory. What becomes large goes on in a memory file, which another process can map; and comes back to memory when
//! the file cannot grow.

use std::os::raw::{c_int, c_void};
use std::slice;
use std::sync::Arc;

use taskq_sys::payload::Payload;
use taskq_sys::sealed::Growing;

/// What is larger goes through a memory file: about here mapping one is cheaper than two copies through a socket.
const LARGE: usize = 256 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) enum Buffer {
    /// All of it. `true`: there is no file for it, or none any more.
    Memory(Vec<u8>, bool),
    /// All of it.
    File(Growing),
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::Memory(Vec::new(), false)
    }
}

impl Buffer {
    /// Appends bytes; false when there is no memory for them.
    fn write(&mut self, bytes: &[u8]) -> bool {
        match self {
            Buffer::Memory(held, stays) => {
                if !*stays && held.len() + bytes.len() > LARGE {
                    match move_to_file(held) {
                        Some(file) => {
                            *self = Buffer::File(file);
                            return self.write(bytes);
                        }
                        None => *stays = true,
                    }
                }
                append(held, bytes)
            }
            Buffer::File(file) => {
                file.write(bytes).is_ok() || (self.return_to_memory() && self.write(bytes))
            }
        }
    }

    fn return_to_memory(&mut self) -> bool {
        match std::mem::take(self) {
            Buffer::File(file) => {
                let held = file.into_memory();
                let is_whole = held.is_some();
                *self = Buffer::Memory(held.unwrap_or_default(), true);
                is_whole
            }
            memory @ Buffer::Memory(..) => {
                *self = memory;
                true
            }
        }
    }

    /// What was written; `None` when there is no memory for it after all.
    pub(crate) fn finish(self) -> Option<Payload> {
        match self {
            Buffer::Memory(held, _) => Some(held.into()),
            Buffer::File(file) => match file.seal() {
                Ok(sealed) => Some(sealed.into()),
                Err(file) => file.into_memory().map(Payload::from),
            },
        }
    }
}

fn move_to_file(held: &[u8]) -> Option<Growing> {
    let mut file = Growing::create("taskq-payload")?;
    file.write(held).ok()?;
    Some(file)
}

fn append(held: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if held.try_reserve(bytes.len()).is_err() {
        return false;
    }
    held.extend_from_slice(bytes);
    true
}

/// A new buffer. It belongs to the caller until [`take`] or [`tq_buffer_free`].
#[no_mangle]
pub(crate) extern "C" fn tq_buffer_new() -> *mut c_void {
    Box::into_raw(Box::<Buffer>::default()).cast()
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
            &mut *buffer.cast::<Buffer>(),
            slice::from_raw_parts(bytes.cast::<u8>(), length),
        )
    };
    c_int::from(buffer.write(bytes))
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

/// The content of a buffer, which is gone then.
///
/// # Safety
/// `buffer` is one of [`tq_buffer_new`]'s, and not used again.
pub(crate) unsafe fn take(buffer: *mut c_void) -> Buffer {
    // SAFETY: see above.
    *unsafe { Box::from_raw(buffer.cast::<Buffer>()) }
}

/// A payload that can be shared, made of a buffer, which is gone then; null when there is no memory for it.
///
/// # Safety
/// `buffer` is one of [`tq_buffer_new`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_share(buffer: *mut c_void) -> *mut c_void {
    // SAFETY: see above.
    let mut buffer = unsafe { take(buffer) };
    if let Buffer::Memory(held, _) = &mut buffer {
        held.shrink_to_fit();
    }
    match buffer.finish() {
        Some(payload) => Box::into_raw(Box::new(Arc::new(payload))).cast(),
        None => std::ptr::null_mut(),
    }
}

/// Another hold on a shared payload, for C.
///
/// # Safety
/// `shared` is one of [`tq_share`]'s and not freed.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_shared_hold(shared: *const c_void) -> *mut c_void {
    // SAFETY: see above.
    Box::into_raw(Box::new(unsafe { hold(shared) })).cast()
}

/// Lets go of a shared payload.
///
/// # Safety
/// `shared` is null or one of [`tq_share`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_shared_free(shared: *mut c_void) {
    if !shared.is_null() {
        // SAFETY: see above.
        drop(unsafe { Box::from_raw(shared.cast::<Arc<Payload>>()) });
    }
}

/// Another hold on a shared payload.
///
/// # Safety
/// `shared` is one of [`tq_share`]'s and not freed.
pub(crate) unsafe fn hold(shared: *const c_void) -> Arc<Payload> {
    // SAFETY: see above.
    Arc::clone(unsafe { &*shared.cast::<Arc<Payload>>() })
}
