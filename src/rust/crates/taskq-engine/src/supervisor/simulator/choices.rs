//! The choices of one turn of the driver: what happens before each of its calls. A turn is run again and again from the
//! same state, until all sequences of choices were made. One that comes to a point where another has been is cut off:
//! what the driver does there depends on what it knows and on the world alone.

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

/// Hashes what it is told to write.
struct Printed(DefaultHasher);

impl Write for Printed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// A number for a value, by how it prints.
pub(super) fn fingerprint(value: &impl fmt::Debug) -> u64 {
    let mut printed = Printed(DefaultHasher::new());
    write!(printed, "{value:?}").expect("hashing does not fail");
    printed.0.finish()
}

#[derive(Debug, Default)]
pub(super) struct Choices {
    /// The choices to be made: which one, and of how many.
    path: Vec<(usize, usize)>,
    /// How many were made in this run.
    made: usize,
    /// What the driver knows at this point: what it knew before, and what it has learnt in this turn.
    known: u64,
    /// The points at which some run was.
    seen: HashSet<u64>,
    /// This run goes on where one before has gone on.
    pub(super) is_over: bool,
    /// What has happened in it.
    pub(super) told: Vec<String>,
}

impl Choices {
    /// Begins a run.
    pub(super) fn begin(&mut self, known: u64) {
        self.made = 0;
        self.known = known;
        self.is_over = false;
        self.told.clear();
    }

    /// Whether there is another run.
    pub(super) fn go_on(&mut self) -> bool {
        while let Some((choice, count)) = self.path.pop() {
            if choice + 1 < count {
                self.path.push((choice + 1, count));
                return true;
            }
        }
        false
    }

    /// One of `count` ways to go on, at this point; the first one is that nothing more happens.
    pub(super) fn choose(&mut self, count: usize, world: &impl fmt::Debug) -> usize {
        if self.is_over {
            return 0;
        }
        if self.made == self.path.len() {
            if !self.seen.insert(fingerprint(&(self.known, world))) {
                self.is_over = true;
                return 0;
            }
            self.path.push((0, count));
        }
        self.made += 1;
        self.path[self.made - 1].0
    }

    /// The driver has learnt this.
    pub(super) fn note(&mut self, answer: &str) {
        self.known = fingerprint(&(self.known, answer));
        self.tell(|| format!("  {answer}"));
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if !self.is_over {
            self.told.push(what());
        }
    }
}
