//! The functions that are pushed, each once, whichever object of R it came from: by its content it is known again.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::os::raw::{c_int, c_void};
use std::sync::{Arc, Weak};

use taskq_engine::Function;
use taskq_payload::payload::Payload;

use crate::buffer;

/// The functions that somebody holds, by a hash of their bytes.
#[derive(Default)]
struct Known {
    by_hash: HashMap<u64, Weak<Function>>,
    /// When there are so many, those that nobody holds any more are left out.
    look_at: usize,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

impl Known {
    fn find_or_add(&mut self, payload: Payload, is_pure: bool) -> Arc<Function> {
        // What is in a file is large: looking at all of it again costs more than sending it.
        let Some(bytes) = payload.in_memory().filter(|_| !payload.refers()) else {
            return Arc::new(Function::new(payload, is_pure));
        };
        let mut hasher = DefaultHasher::new();
        (bytes, is_pure).hash(&mut hasher);
        let hash = hasher.finish();
        let known = self.by_hash.get(&hash).and_then(Weak::upgrade);
        let is_same = |known: &Arc<Function>| {
            known.payload().in_memory() == Some(bytes) && known.is_pure() == is_pure
        };
        if let Some(known) = known.filter(is_same) {
            return known;
        }
        if self.by_hash.len() >= self.look_at {
            self.by_hash.retain(|_, known| known.strong_count() > 0);
            self.look_at = 2 * self.by_hash.len().max(64);
        }
        let function = Arc::new(Function::new(payload, is_pure));
        self.by_hash.insert(hash, Arc::downgrade(&function));
        function
    }
}

/// A function, made of a buffer, which is gone then; null when there is no memory for it. `is_pure`: see [`Function::new`].
///
/// # Safety
/// `buffer` is one of [`buffer::tq_buffer_new`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_function(buffer: *mut c_void, is_pure: c_int) -> *mut c_void {
    // SAFETY: see above.
    let Some(payload) = unsafe { buffer::take(buffer) }.finish() else {
        return std::ptr::null_mut();
    };
    let known = KNOWN.try_with(|known| known.borrow_mut().find_or_add(payload, is_pure == 1));
    known.map_or(std::ptr::null_mut(), |function| {
        Box::into_raw(Box::new(function)).cast()
    })
}

/// Another hold on a function, for C.
///
/// # Safety
/// `function` is one of [`tq_function`]'s and not freed.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_function_hold(function: *const c_void) -> *mut c_void {
    // SAFETY: see above.
    Box::into_raw(Box::new(unsafe { hold(function) })).cast()
}

/// Lets go of a function.
///
/// # Safety
/// `function` is null or one of [`tq_function`]'s, and not used again.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_function_free(function: *mut c_void) {
    if !function.is_null() {
        // SAFETY: see above.
        drop(unsafe { Box::from_raw(function.cast::<Arc<Function>>()) });
    }
}

/// Another hold on a function.
///
/// # Safety
/// `function` is one of [`tq_function`]'s and not freed.
pub(crate) unsafe fn hold(function: *const c_void) -> Arc<Function> {
    // SAFETY: see above.
    Arc::clone(unsafe { &*function.cast::<Arc<Function>>() })
}

/// Whether a function holds files, its own or those that it refers to.
///
/// # Safety
/// `function` is one of [`tq_function`]'s and not freed.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_function_has_files(function: *const c_void) -> c_int {
    // SAFETY: see above.
    let function = unsafe { hold(function) };
    let has_files = function.payload().descriptors().next().is_some();
    c_int::from(has_files)
}
