//! The model passes what every store has to pass.

use taskq_ledger::model::Model;
use taskq_ledger::names::{Nonce, Wall};
use taskq_ledger::testing::{agreement, conformance};

/// Each is 300 calls.
const SEEDS: u64 = 200;

// The ledger must not read the environment; how it is tested may depend on it.
#[allow(clippy::disallowed_methods)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn open() -> Model {
    Model::new(Nonce(0x5EED), Wall(0))
}

#[test]
fn every_sentence_of_the_protocol_holds_also_when_replies_are_lost() {
    assert!(conformance::run(open).len() > 40);
}

#[test]
fn any_order_of_calls_late_and_repeated_ones_too_keeps_the_invariants() {
    let seeds = setting("TASKQ_LEDGER_SEED").map_or(0..SEEDS, |seed| seed..seed + 1);
    agreement::run(
        |incarnation| Model::new(incarnation, Wall(1 << 60)),
        seeds,
        300,
    );
}
