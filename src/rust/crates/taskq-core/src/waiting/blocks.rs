//! How many numbers there are below one of them, without counting them one by one.
//!
//! Owns counts of numbers in blocks of 1024, for each of several groups. The numbers themselves are
//! elsewhere. Task numbers and tickets are given out one after the other, so there are about as many
//! blocks as a thousandth of the numbers; never more than numbers.

use std::collections::BTreeMap;

const BITS: u32 = 10;

/// Counts of numbers, by group and block.
#[derive(Clone, Debug)]
pub(super) struct Blocks<G>(BTreeMap<(G, u64), u32>);

impl<G> Default for Blocks<G> {
    fn default() -> Self {
        Blocks(BTreeMap::new())
    }
}

impl<G: Copy + Ord> Blocks<G> {
    pub(super) fn add(&mut self, group: G, number: u64) {
        *self.0.entry((group, number >> BITS)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, group: G, number: u64) {
        let key = (group, number >> BITS);
        if let Some(count) = self.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key);
            }
        }
    }

    /// The first number of the block of this one, and how many of the group are below that.
    pub(super) fn below(&self, group: G, number: u64) -> (u64, usize) {
        let block = number >> BITS;
        let counts = self.0.range((group, 0)..(group, block));
        let sum = counts.map(|(_, &count)| count as usize).sum();
        (block << BITS, sum)
    }

    /// How many there are in the groups before this one.
    pub(super) fn before(&self, group: G) -> usize {
        let counts = self.0.range(..(group, 0));
        counts.map(|(_, &count)| count as usize).sum()
    }

    /// How many there are in all groups.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(|&count| count as usize).sum()
    }
}
