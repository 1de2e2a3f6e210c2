//! The part of a session's state that is the process's, for `src/state.c`.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_uint};

use taskq_sys::snapshot::{Changes, Snapshot};

use super::border;

thread_local! {
    /// Why the last state could not be put back; valid until the next.
    static PROBLEM: RefCell<CString> = RefCell::default();
    static HOME: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// From now on the present state is the one to go back to. `bare`: nothing that is loaded by now sets resource limits.
#[no_mangle]
extern "C" fn tq_process_save(bare: c_int) {
    border((), || HOME.set(Some(Snapshot::take(bare == 1))));
}

/// What differs from the saved state, as the bits of [`Changes`]; nothing when none was saved.
#[no_mangle]
extern "C" fn tq_process_changes() -> c_uint {
    border(0, || {
        HOME.with_borrow_mut(|home| home.as_mut().map_or(0, |home| home.changes().bits()))
    })
}

/// Puts these back: NULL, or why not.
#[no_mangle]
extern "C" fn tq_process_restore(changes: c_uint) -> *const c_char {
    border(std::ptr::null(), || {
        HOME.with_borrow(|home| {
            let changes = Changes::from_bits(changes);
            match home.as_ref().map(|home| home.restore(changes)) {
                Some(Err(error)) => {
                    PROBLEM.set(CString::new(error.to_string()).unwrap_or_default());
                    PROBLEM.with_borrow(|problem| problem.as_ptr())
                }
                _ => std::ptr::null(),
            }
        })
    })
}
