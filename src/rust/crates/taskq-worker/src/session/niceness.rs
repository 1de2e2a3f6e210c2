//! A session that leaves more of the processors to others than its host does.

use std::io;
use std::thread;
use std::time::Duration;

use taskq_sys::{niceness, signals};

/// The kernel allows one change of a group in a tenth of a second, to all users together.
const AGAIN: Duration = Duration::from_millis(100);
/// Sessions that begin together get their turn one after the other, in any order.
const TRIES: u32 = 300;
const STACK: usize = 64 * 1024;

/// Raises the niceness of the calling thread, at once, and of the group of the session, as soon as the kernel allows
/// it. What is not allowed is left out: it makes nothing wrong.
pub(super) fn step_back(more: i32) {
    let _ = niceness::raise(more);
    if is_too_soon(&niceness::raise_group(more)) {
        // Nothing tells when it is allowed again, and the session is not to wait for it.
        let mask = signals::block_async();
        let helper = thread::Builder::new()
            .name("taskq-niceness".into())
            .stack_size(STACK);
        let _ = helper.spawn(move || {
            for _ in 0..TRIES {
                thread::sleep(AGAIN);
                if !is_too_soon(&niceness::raise_group(more)) {
                    break;
                }
            }
        });
        mask.restore();
    }
}

fn is_too_soon(outcome: &io::Result<()>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
