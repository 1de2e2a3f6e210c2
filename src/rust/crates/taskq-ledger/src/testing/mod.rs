//! What every store has to pass.
//!
//! A store's own tests call [`conformance::run`] and [`agreement::run`] with a function that opens an empty one.
//! [`simulation::run`] needs no store of its own: it shows that the protocol holds when the network, clocks, agents,
//! clients and the store itself fail.
//!
//! All of it is deterministic: what fails names its seed, and runs again by that.

pub mod agreement;
pub mod bench;
pub mod conformance;
pub mod invariants;
pub mod random;
