//! How many memory files this process may hold for others. Descriptors are scarce, and most are R's and its packages'.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{getrlimit, Resource};

/// How many memory files this process may hold for others: a quarter of the descriptors that it may have open.
#[must_use]
pub fn budget() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 4;
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Whether half of these are taken: who has a choice does with fewer.
#[must_use]
pub fn are_scarce() -> bool {
    HELD.load(Ordering::Relaxed) >= budget() / 2
}

static HELD: AtomicUsize = AtomicUsize::new(0);

/// The right to hold one more file. Giving it back is dropping it.
#[derive(Debug)]
pub(crate) struct Permit(());

impl Permit {
    pub(crate) fn take() -> Option<Permit> {
        // Made at once, so that one too many is given back.
        let permit = (HELD.fetch_add(1, Ordering::Relaxed), Permit(()));
        (permit.0 < budget()).then_some(permit.1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
    }
}
