//! Which functions a session has. The host and the session keep the same account, of the same frames in the same order,
//! so nothing is said about it: a function that the account has does not travel.
//!
//! It has a bounded number of places and of bytes; what was used least recently makes room.

use crate::message::Part;

/// How many functions a session keeps.
pub const PLACES: usize = 64;
/// How many bytes they have together.
pub const MOST_BYTES: u64 = 64 << 20;

/// Where a function is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Here, since it came before.
    Known(usize),
    /// Here from now on: it has to travel.
    New(usize),
    /// Nowhere: it has to travel each time.
    None,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    /// By place.
    entries: Vec<Entry>,
    bytes: u64,
    /// Counts the uses.
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    /// 0 when the place is free.
    id: u64,
    len: u64,
    used: u64,
}

impl Memory {
    /// A function is used. `id` is never 0, and always the same for the same bytes; `forget` is told each place that
    /// becomes free.
    ///
    /// What is in a file, or refers to one, is not kept: that would keep the file.
    pub fn admit(&mut self, id: u64, part: &Part, mut forget: impl FnMut(usize)) -> Remembered {
        let len = part.len;
        self.clock += 1;
        if let Some(place) = self.entries.iter().position(|entry| entry.id == id) {
            self.entries[place].used = self.clock;
            return Remembered::Known(place);
        }
        if len > MOST_BYTES || part.in_file || part.attached > 0 || part.parcels > 0 {
            return Remembered::None;
        }
        while self.bytes + len > MOST_BYTES {
            let Some(oldest) = self.oldest() else { break };
            self.clear(oldest);
            forget(oldest);
        }
        let place = self.place(&mut forget);
        self.bytes += len;
        self.entries[place] = Entry {
            id,
            len,
            used: self.clock,
        };
        Remembered::New(place)
    }

    /// A free place, made if need be.
    fn place(&mut self, forget: &mut impl FnMut(usize)) -> usize {
        if let Some(free) = self.entries.iter().position(|entry| entry.id == 0) {
            return free;
        }
        if self.entries.len() < PLACES {
            self.entries.push(Entry {
                id: 0,
                len: 0,
                used: 0,
            });
            return self.entries.len() - 1;
        }
        let oldest = self.oldest().unwrap_or(0);
        self.clear(oldest);
        forget(oldest);
        oldest
    }

    fn oldest(&self) -> Option<usize> {
        let taken = self.entries.iter().enumerate().filter(|(_, e)| e.id != 0);
        taken.min_by_key(|(_, e)| e.used).map(|(place, _)| place)
    }

    fn clear(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        self.bytes -= entry.len;
        (entry.id, entry.len) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Memory {
        fn uses(&mut self, id: u64, len: u64, forget: impl FnMut(usize)) -> Remembered {
            let part = Part {
                len,
                ..Part::default()
            };
            self.admit(id, &part, forget)
        }
    }

    #[test]
    fn a_function_travels_once() {
        let mut memory = Memory::default();
        assert_eq!(memory.uses(7, 10, |_| {}), Remembered::New(0));
        assert_eq!(memory.uses(8, 10, |_| {}), Remembered::New(1));
        assert_eq!(memory.uses(7, 10, |_| {}), Remembered::Known(0));
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut memory = Memory::default();
        for id in 1..=PLACES as u64 {
            memory.uses(id, 1, |_| panic!("there is room"));
        }
        memory.uses(1, 1, |_| {});
        let mut forgotten = Vec::new();
        assert_eq!(
            memory.uses(1000, 1, |p| forgotten.push(p)),
            Remembered::New(1)
        );
        assert_eq!(forgotten, [1]);
        assert_eq!(memory.uses(1, 1, |_| {}), Remembered::Known(0));
        assert!(matches!(memory.uses(2, 1, |_| {}), Remembered::New(_)));
    }

    #[test]
    fn few_large_ones_make_room_for_another() {
        let mut memory = Memory::default();
        let third = MOST_BYTES / 3;
        for id in 1..=3 {
            assert!(matches!(memory.uses(id, third, |_| {}), Remembered::New(_)));
        }
        let mut forgotten = Vec::new();
        memory.uses(4, 2 * third, |place| forgotten.push(place));
        assert_eq!(forgotten, [0, 1]);
        assert_eq!(memory.uses(5, MOST_BYTES + 1, |_| {}), Remembered::None);
        assert_eq!(memory.uses(3, third, |_| {}), Remembered::Known(2));
    }

    #[test]
    fn both_ends_keep_the_same_account() {
        // What one of them says of a sequence of uses depends on nothing else.
        let (mut near, mut far) = (Memory::default(), Memory::default());
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let id = 1 + (seed >> 33) % 100;
            let len = id * (MOST_BYTES / 900);
            assert_eq!(near.uses(id, len, |_| {}), far.uses(id, len, |_| {}));
            assert!(near.bytes <= MOST_BYTES);
            let sum: u64 = near.entries.iter().map(|entry| entry.len).sum();
            assert_eq!(near.bytes, sum);
        }
    }

    #[test]
    fn what_is_in_a_file_travels_each_time() {
        let mut memory = Memory::default();
        for (in_file, attached, parcels) in [(true, 0, 0), (false, 1, 0), (false, 0, 1)] {
            let part = Part {
                len: 5,
                in_file,
                attached,
                parcels,
            };
            for _ in 0..2 {
                assert_eq!(memory.admit(1, &part, |_| {}), Remembered::None);
            }
        }
    }
}
