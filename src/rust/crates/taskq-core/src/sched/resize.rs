//! How many seats the user wants.
//!
//! Between the two numbers that the user gives, seats come and go with the load: see `elastic`. When
//! there are fewer or more than that, they come or go at once.
//!
//! A busy worker keeps its seat until its task has ended, and the seat counts until then. Those that
//! would be missed least go first: vacant seats, starting ones, idle ones, busy ones; among these
//! the highest number. Seats that come take the lowest free numbers.

use std::cmp::Reverse;

use crate::worker::Stage;

use super::machine::{Mode, Scheduler};

impl Scheduler {
    /// The user wants other numbers of workers, at least and at most.
    pub(super) fn resize(&mut self, workers: u32, max_workers: u32) {
        if self.mode != Mode::Open || self.starts.given_up {
            return;
        }
        self.config.workers = workers;
        self.config.max_workers = max_workers;
        let most = max_workers.max(workers);
        let staying = u32::try_from(self.pool.staying()).unwrap_or(u32::MAX);
        if staying < workers {
            self.grow(workers - staying);
        } else if staying > most {
            self.shrink(staying - most);
        }
    }

    /// Every seat goes as soon as nothing runs on it.
    pub(super) fn remove_all_seats(&mut self) {
        self.shrink(u32::MAX);
    }

    /// Adds seats: those that are leaving stay, and others come.
    pub(super) fn grow(&mut self, count: u32) {
        let leaving: Vec<u32> = self
            .pool
            .seats()
            .filter(|(_, seat)| seat.leaving)
            .map(|(number, _)| number)
            .take(count as usize)
            .collect();
        for &number in &leaving {
            self.pool.stay(number);
        }
        let rest = count - u32::try_from(leaving.len()).unwrap_or(count);
        self.pool.add_seats(rest);
    }

    fn shrink(&mut self, count: u32) {
        let mut seats: Vec<_> = self
            .pool
            .seats()
            .filter(|(_, seat)| !seat.leaving)
            .map(|(number, seat)| {
                let stage = seat
                    .worker
                    .and_then(|id| self.pool.worker(id))
                    .map(|w| &w.stage);
                let missed = match stage {
                    None | Some(Stage::Gone) => 0,
                    Some(Stage::Starting { .. }) => 1,
                    Some(Stage::Idle { .. }) => 2,
                    Some(Stage::Busy { .. }) => 3,
                };
                (missed, Reverse(number))
            })
            .collect();
        seats.sort_unstable();
        for (_, Reverse(number)) in seats.into_iter().take(count as usize) {
            self.remove_seat(number);
        }
    }

    /// A seat goes as soon as nothing runs on it.
    pub(super) fn remove_seat(&mut self, number: u32) {
        let Some(worker) = self.pool.worker_on(number) else {
            self.pool.drop_seat(number);
            return;
        };
        match self.pool.worker(worker).map(|worker| &worker.stage) {
            Some(Stage::Starting { .. }) => {
                self.pool.drop_seat(number);
                self.kill_worker(worker);
            }
            Some(Stage::Idle { .. }) => {
                self.pool.drop_seat(number);
                self.retire(worker);
            }
            Some(Stage::Busy { .. }) => {
                self.pool.leave(number);
                self.recall(worker);
            }
            Some(Stage::Gone) | None => self.pool.drop_seat(number),
        }
    }
}
