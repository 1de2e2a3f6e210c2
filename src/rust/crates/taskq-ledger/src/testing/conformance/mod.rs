//! Named cases, each a sentence of the protocol. Each runs twice: undisturbed, and with every reply lost once.

mod attempts;
mod dependencies;
mod members;
mod pushes;
mod results;

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use super::fixture::Fixture;
use crate::store::Store;

/// A case: its sentence, and what it does.
type Case<S> = (&'static str, fn(&mut Fixture<S>));

/// Runs all cases, each on a store of its own; panics at the first that does not hold, and names it.
///
/// Returns their sentences.
pub fn run<S: Store>(mut open: impl FnMut() -> S) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, case) in cases::<S>() {
        for lossy in [false, true] {
            let mut fixture = Fixture::new(open(), lossy);
            let ran = catch_unwind(AssertUnwindSafe(|| case(&mut fixture)));
            if let Err(panic) = ran {
                let how = if lossy { ", replies lost" } else { "" };
                let text = panic.downcast_ref::<String>().map(String::as_str);
                match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
                    Some(text) => panic!("{name}{how}: {text}"),
                    None => resume_unwind(panic),
                }
            }
        }
        names.push(name);
    }
    names
}

fn cases<S: Store>() -> Vec<Case<S>> {
    let mut cases = pushes::cases();
    cases.extend(attempts::cases());
    cases.extend(dependencies::cases());
    cases.extend(members::cases());
    cases.extend(results::cases());
    cases
}
