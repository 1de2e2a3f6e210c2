//! Faults that a build can have on purpose, to see that the tests of promises notice.
//!
//! With the feature `failpoints`, `TASKQ_FAIL=a,b` makes this process (and those that inherit its environment) have the
//! faults `a` and `b`. Without it nothing is compiled in. Which faults there are, and which test each must turn red,
//! stands in `tools/test/faults.sh`; the code of each is one condition at the place where its promise is kept.

/// Whether this process has that fault. The variable is read once.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn is_on(name: &str) -> bool {
    use std::sync::OnceLock;
    static FAULTS: OnceLock<Vec<String>> = OnceLock::new();
    let faults = FAULTS.get_or_init(|| {
        let list = std::env::var("TASKQ_FAIL").unwrap_or_default();
        list.split(',').map(ToOwned::to_owned).collect()
    });
    faults.iter().any(|fault| fault == name)
}

/// Never: this build has no faults on purpose.
#[cfg(not(feature = "failpoints"))]
#[inline]
#[must_use]
pub const fn is_on(_name: &str) -> bool {
    false
}
