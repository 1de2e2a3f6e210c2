//! What every store has to pass.
//!
//! A store's own tests call [`conformance::run`] and [`agreement::run`] with a function that opens an empty one.
//! Both are deterministic: what fails names its case or its seed, and runs again by that.

pub mod agreement;
pub mod conformance;
pub mod fixture;
pub mod invariants;
pub mod random;
