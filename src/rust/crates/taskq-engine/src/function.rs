//! A function as it is pushed: one value for all tasks that have it, by which its sessions know that they have it, too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use taskq_payload::payload::Payload;

/// A serialized function.
#[derive(Debug)]
pub struct Function {
    id: u64,
    is_pure: bool,
    payload: Arc<Payload>,
}

impl Default for Function {
    fn default() -> Function {
        Function::new(Payload::default(), true)
    }
}

impl Function {
    /// Gives a function its number. `is_pure`: nothing in it can be changed by running it, so what was read once can be
    /// run again.
    #[must_use]
    pub fn new(payload: Payload, is_pure: bool) -> Function {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Function {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            is_pure,
            payload: Arc::new(payload),
        }
    }

    /// No other function of this process has this number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// See [`Function::new`].
    #[must_use]
    pub fn is_pure(&self) -> bool {
        self.is_pure
    }

    /// It will not be sent any more, unless a session is about to get it.
    pub(crate) fn retire(&mut self) {
        if let Some(payload) = Arc::get_mut(&mut self.payload) {
            payload.retire();
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> &Arc<Payload> {
        &self.payload
    }
}
