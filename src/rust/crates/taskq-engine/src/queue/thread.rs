//! The thread that the driver runs in, and what becomes of the queue should the driver have a fault.

use std::panic;

use taskq_sys::{clock, signals};

use crate::clock::now;
use crate::helm::Helm;
use crate::state::Shared;

/// The driver thread.
pub(super) fn drive(helm: &Helm, shared: &Shared) {
    let _ = signals::block_async();
    clock::sleep_precisely();
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| helm.run(shared)));
    let fault = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(payload) => Some(panic_message(payload.as_ref())),
    };
    let driver = helm.end();
    if let (Some(_), Some(mut driver)) = (&fault, driver) {
        // The state of the driver is in doubt, but not the pid and the name of what has to go.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| driver.abandon()));
    }
    let mut state = shared.lock();
    state.outgoing.clear();
    state.history.all_gone(now());
    state.driver = None;
    state.fault = fault;
    if state.fault.is_some() {
        // Nothing runs any more, so nobody may wait for it.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| state.end_without_driver()));
    }
    shared.release(state);
    shared.tell();
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
