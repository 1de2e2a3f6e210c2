//! The waker by which an event loop of the R thread hears that tasks are done which were promised to it.
//!
//! It is a function of the package later that may be called on any thread, `execLaterNative2`: it has its loop call
//! `answer` in `promise.c`. One call is under way at a time for each loop, however many tasks are done meanwhile.
//!
//! The function must not be called once the R process exits, when what it needs is torn down; so it is called under a
//! lock, and [`unset`] takes it away. It does not call R.

use std::collections::BTreeSet;
use std::os::raw::{c_int, c_void};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskq_engine::EventLoop;
use taskq_sys::process;

use super::border;

type Answer = unsafe extern "C" fn(*mut c_void);
type ExecLater = unsafe extern "C" fn(Answer, *mut c_void, f64, c_int);

struct Waker {
    exec_later: ExecLater,
    answer: Answer,
    /// The loops that were woken and have not answered yet.
    woken: BTreeSet<EventLoop>,
}

static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
/// The process whose it is.
static OWNER: AtomicI32 = AtomicI32::new(0);

fn waker() -> MutexGuard<'static, Option<Waker>> {
    WAKER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the loop answer soon. For any thread; does nothing without a waker.
pub(crate) fn wake(event_loop: EventLoop) {
    let mut waker = waker();
    let Some(waker) = waker.as_mut() else { return };
    if waker.woken.insert(event_loop) {
        // SAFETY: later's own function, which it offers for this; the loop's number is all that the callback gets.
        unsafe {
            (waker.exec_later)(
                waker.answer,
                event_loop as usize as *mut c_void,
                0.0,
                event_loop,
            );
        }
    }
}

/// Takes the waker away: no loop is woken from now on.
pub(crate) fn unset() {
    // In a fork no loop is woken, and the lock may be held for ever.
    if process::own_pid() == OWNER.load(Ordering::Relaxed) {
        *waker() = None;
    }
}

/// Whether it ever hung in this process, or in one of which this is a fork.
pub(crate) fn is_set() -> bool {
    OWNER.load(Ordering::Relaxed) != 0
}

/// Sets the waker, unless there is one: with the function of later, and what the loop is to call then, with its number.
#[no_mangle]
extern "C" fn tq_waker_set(exec_later: ExecLater, answer: Answer) {
    border((), || {
        OWNER.store(process::own_pid(), Ordering::Relaxed);
        waker().get_or_insert(Waker {
            exec_later,
            answer,
            woken: BTreeSet::new(),
        });
    });
}

/// Has the loop answer soon.
#[no_mangle]
extern "C" fn tq_waker_wake(event_loop: c_int) {
    border((), || wake(event_loop));
}

/// The loop answers: it can be woken again.
#[no_mangle]
extern "C" fn tq_waker_answer(event_loop: c_int) {
    border((), || {
        if let Some(waker) = waker().as_mut() {
            waker.woken.remove(&event_loop);
        }
    });
}
