//! The bell by which an event loop of the R thread hears that tasks are done which were promised to it.
//!
//! It is a function of the package later that may be called on any thread, `execLaterNative2`: it has its loop call
//! `answer` in `promise.c`. One ring is under way at a time for each loop, however many tasks are done meanwhile.
//!
//! The function must not be called once the R process exits, when what it needs is torn down; so it is called under a
//! lock, and [`silence`] takes it away. It does not call R.

use std::collections::BTreeSet;
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskq_engine::EventLoop;
use taskq_sys::process;

use super::border;

type Answer = unsafe extern "C" fn(*mut c_void);
type ExecLater = unsafe extern "C" fn(Answer, *mut c_void, f64, c_int);

struct Bell {
    exec_later: ExecLater,
    answer: Answer,
    /// The loops that were rung for and have not answered yet.
    rung: BTreeSet<EventLoop>,
}

static BELL: Mutex<Option<Bell>> = Mutex::new(None);
/// The process in which it hangs.
static OWNER: AtomicI32 = AtomicI32::new(0);

fn bell() -> MutexGuard<'static, Option<Bell>> {
    BELL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the loop answer soon. For any thread; does nothing while no bell hangs.
pub(crate) fn ring(event_loop: EventLoop) {
    let mut bell = bell();
    let Some(bell) = bell.as_mut() else { return };
    if bell.rung.insert(event_loop) {
        // SAFETY: later's own function, which it offers for this; the loop's number is all that the callback gets.
        unsafe {
            (bell.exec_later)(
                bell.answer,
                event_loop as usize as *mut c_void,
                0.0,
                event_loop,
            );
        }
    }
}

/// Takes the bell down: nothing is rung for from now on.
pub(crate) fn silence() {
    // In a fork no thread rings, and the lock may be held for ever.
    if process::own_pid() == OWNER.load(Ordering::Relaxed) {
        *bell() = None;
    }
}

/// Whether it ever hung in this process, or in one of which this is a fork.
pub(crate) fn was_hung() -> bool {
    OWNER.load(Ordering::Relaxed) != 0
}

/// Hangs the bell, if it does not hang: with the function of later, and what the loop is to call then, with its number.
#[no_mangle]
extern "C" fn tq_bell_hang(exec_later: ExecLater, answer: Answer) {
    border((), || {
        OWNER.store(process::own_pid(), Ordering::Relaxed);
        bell().get_or_insert(Bell {
            exec_later,
            answer,
            rung: BTreeSet::new(),
        });
    });
}

/// Has the loop answer soon.
#[no_mangle]
extern "C" fn tq_bell_ring(event_loop: c_int) {
    border((), || ring(event_loop));
}

/// The loop answers: it can be rung for again.
#[no_mangle]
extern "C" fn tq_bell_answer(event_loop: c_int) {
    border((), || {
        if let Some(bell) = bell().as_mut() {
            bell.rung.remove(&event_loop);
        }
    });
}
