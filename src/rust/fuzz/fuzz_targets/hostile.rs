//! Any bytes, for all that reads the other side's: see `crates/taskq-wire/tests/hostile/harness.rs`.

#![no_main]

#[path = "../../crates/taskq-wire/tests/hostile/harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::everything(bytes));
