//! The thread that the driver runs in, and what becomes of the queue should the driver have a fault.

use std::panic;

use taskq_sys::{clock, signals};

use crate::door::Door;
use crate::lead::Lead;

/// The driver thread.
pub(super) fn drive(lead: &Lead, door: &Door) {
    let _ = signals::block_async();
    clock::sleep_precisely();
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| lead.run(door)));
    let fault = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(payload) => Some(panic_message(payload.as_ref())),
    };
    let driver = lead.end();
    if let (Some(_), Some(mut driver)) = (&fault, driver) {
        // The state of the driver is in doubt, but not the pid and the name of what has to go.
        let _ = panic::catch_unwind(panic::AssertUnwindSafe(|| driver.abandon()));
    }
    // The state may be what has the fault.
    let end = panic::AssertUnwindSafe(|| door.input(|inside, now| inside.end_driver(fault, now)));
    let _ = panic::catch_unwind(end);
    door.tell();
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
