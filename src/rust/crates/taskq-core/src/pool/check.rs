//! What always holds about seats and workers. Only reads, and panics.

use std::collections::BTreeSet;

use super::Pool;
use crate::worker::Stage;

impl Pool {
    /// Panics unless seats, workers and indexes agree.
    pub(crate) fn check(&self) {
        let (mut busy, mut starting, mut leaving) = (0, 0, 0);
        let mut open = BTreeSet::new();
        for (&id, worker) in &self.workers {
            assert!(id.0 <= self.last_worker, "{id:?} was never given out");
            let seat = match &worker.stage {
                Stage::Gone => None,
                Stage::Starting { seat } => {
                    starting += 1;
                    Some(seat)
                }
                Stage::Idle { seat, .. } => {
                    assert!(!self.is_spent(id), "{id:?} is idle and spent");
                    Some(seat)
                }
                Stage::Busy { seat, line } => {
                    busy += 1;
                    assert!(line.len() > 0, "{id:?} is busy with nothing");
                    let sent = worker.tasks_done + line.len() as u64;
                    assert!(sent <= self.max_tasks, "{id:?} was sent too much");
                    Some(seat)
                }
            };
            if let Some(seat) = seat {
                let sits = self.seats.get(seat).and_then(|seat| seat.worker);
                assert_eq!(sits, Some(id), "who sits on seat {seat}");
            }
            let wanted = self.wanted_index(worker);
            assert_eq!(worker.open, wanted, "index of {id:?}");
            open.extend(wanted.map(|length| (length, id)));
        }
        assert_eq!(self.busy, busy, "count of busy workers");
        assert_eq!(self.starting, starting, "count of starting workers");
        assert_eq!(self.open, open, "open workers");
        for (number, seat) in &self.seats {
            let stage = seat
                .worker
                .and_then(|id| self.workers.get(&id))
                .map(|w| &w.stage);
            assert_eq!(
                stage.is_some(),
                seat.worker.is_some(),
                "seat {number} names a stranger"
            );
            assert!(
                !matches!(stage, Some(Stage::Gone)),
                "seat {number} has a worker that is gone"
            );
            leaving += usize::from(seat.leaving);
            let idle = matches!(stage, Some(Stage::Idle { .. }));
            let is_busy = matches!(stage, Some(Stage::Busy { .. }));
            assert_eq!(
                self.vacant.contains(number),
                stage.is_none(),
                "vacant seat {number}"
            );
            let known = (self.worn.contains(number), self.fresh.contains(number));
            assert_eq!(known.0 != known.1, idle, "idle seat {number}");
            assert!(known != (true, true), "seat {number} is worn and fresh");
            assert!(
                !seat.leaving || is_busy,
                "seat {number} is leaving without a task"
            );
        }
        assert_eq!(self.leaving, leaving, "count of leaving seats");
        let mut indexed = self.vacant.iter().chain(&self.worn).chain(&self.fresh);
        assert!(
            indexed.all(|number| self.seats.contains_key(number)),
            "a vacant or idle seat that is none"
        );
    }
}
