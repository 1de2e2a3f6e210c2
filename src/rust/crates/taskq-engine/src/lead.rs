//! The lead: which thread listens to the sessions. Usually the driver's own. But while the R thread waits it has
//! nothing to do, and an answer that the driver's thread hears costs a second wake-up to tell the R thread of it. So
//! the R thread takes the lead itself while it waits, when its last wait was a short one.
//!
//! The R thread only hears sessions and steps the machine. Processes, deadlines and the supervisor stay the business of
//! the driver's thread: it is called back as soon as there is something of that.
//!
//! # Who has it
//! | from | to | when |
//! | --- | --- | --- |
//! | `Driver` | `Free` | the R thread has [asked](Lead::wants_it) for it, between two turns of the driver |
//! | `Free` | `RThread` | the R thread waits |
//! | `RThread` | `Free` | what it waited for came soon: it will wait again soon |
//! | `RThread` | `Driver` | that took longer than [`LEASE`], or there is work for the driver's thread |
//! | `Free` | `Driver` | it was not taken for a [`LEASE`] |
//!
//! So events are left alone for a `LEASE` at most, and only just after a wait; an idle queue still wakes no thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use taskq_sys::signals;

use crate::door::Door;
use crate::driver::Driver;

/// A wait that is shorter is expected to be followed by another one.
pub(crate) const LEASE: Duration = Duration::from_millis(1);

/// In the handlers of these R ends.
const ENDING: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// Whose turn it is to listen.
#[derive(Debug)]
pub(crate) struct Lead {
    /// Held by the thread that listens; gone at the end of the queue.
    driver: Mutex<Option<Driver>>,
    watch: Mutex<Watch>,
    changed: Condvar,
    /// The R thread would like to have it.
    is_asked: AtomicBool,
    /// Whether its last wait was shorter than a [`LEASE`].
    waits_briefly: AtomicBool,
}

/// Who has the lead, and since when.
#[derive(Clone, Copy, Debug)]
struct Watch {
    holder: Holder,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Driver,
    Free,
    RThread,
}

/// The R thread has the lead, until this is dropped.
pub(crate) struct Leading<'a> {
    lead: &'a Lead,
    driver: Option<MutexGuard<'a, Option<Driver>>>,
    /// Whether the driver's thread is to go on at once.
    calls_driver: bool,
    /// Before [`ENDING`] was blocked.
    signals: signals::Mask,
}

impl Lead {
    pub(crate) fn new(driver: Driver) -> Lead {
        Lead {
            driver: Mutex::new(Some(driver)),
            watch: Mutex::new(Watch {
                holder: Holder::Driver,
                since: Instant::now(),
            }),
            changed: Condvar::new(),
            is_asked: AtomicBool::new(false),
            waits_briefly: AtomicBool::new(false),
        }
    }

    /// The life of the driver's thread: listens until the queue is over, but for the times when the R thread does.
    pub(crate) fn run(&self, door: &Door) -> io::Result<()> {
        self.with_driver(|driver| {
            driver.begin();
            Ok(())
        })?;
        loop {
            let is_over = self.with_driver(|driver| {
                while !driver.is_over() && !self.is_asked.load(Ordering::Relaxed) {
                    driver.turn()?;
                }
                Ok(driver.is_over())
            })?;
            if is_over {
                return Ok(());
            }
            self.lend(door);
        }
    }

    /// The driver at the end: no thread listens any more.
    pub(crate) fn end(&self) -> Option<Driver> {
        self.driver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The R thread has waited for so long.
    pub(crate) fn note_wait(&self, time: Duration) {
        self.waits_briefly.store(time < LEASE, Ordering::Relaxed);
    }

    /// Asks for the lead, if the R thread is about to wait for a short time only, to judge by the last one. Then the
    /// driver's thread is to be woken.
    pub(crate) fn wants_it(&self) -> bool {
        let asks = self.waits_briefly.load(Ordering::Relaxed);
        self.is_asked.store(asks, Ordering::Relaxed);
        asks
    }

    /// The lead for the R thread, if it is free.
    pub(crate) fn take(&self) -> Option<Leading<'_>> {
        let mut watch = self.watch();
        if watch.holder != Holder::Free {
            return None;
        }
        *watch = Watch {
            holder: Holder::RThread,
            since: Instant::now(),
        };
        drop(watch);
        Some(Leading {
            lead: self,
            driver: self.driver.lock().ok(),
            calls_driver: false,
            signals: signals::block(&ENDING),
        })
    }

    /// Lets the R thread have the lead, and returns when it is the driver's thread's again.
    fn lend(&self, door: &Door) {
        let mut watch = self.watch();
        self.is_asked.store(false, Ordering::Relaxed);
        *watch = Watch {
            holder: Holder::Free,
            since: Instant::now(),
        };
        door.tell();
        loop {
            let left = LEASE.checked_sub(watch.since.elapsed());
            watch = match (watch.holder, left) {
                (Holder::Driver, _) => return,
                (Holder::Free, None) => {
                    watch.holder = Holder::Driver;
                    return;
                }
                // So long a turn in the lead ends with a call.
                (Holder::RThread, None) => self
                    .changed
                    .wait(watch)
                    .unwrap_or_else(PoisonError::into_inner),
                (_, Some(left)) => {
                    let woken = self.changed.wait_timeout(watch, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn with_driver<T>(&self, work: impl FnOnce(&mut Driver) -> io::Result<T>) -> io::Result<T> {
        let fault = || io::Error::other("the thread in the lead had a fault");
        let mut driver = self.driver.lock().map_err(|_| fault())?;
        work(driver.as_mut().ok_or_else(fault)?)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leading<'_> {
    /// Listens until something has come, no longer than `limit`; false when it is the driver's thread that has to go
    /// on.
    pub(crate) fn turn(&mut self, limit: Option<Duration>) -> bool {
        let driver = self.driver.as_mut().and_then(|driver| driver.as_mut());
        let is_needed = driver.map_or(Ok(true), |driver| driver.turn_of_guest(limit));
        // Of an error the driver's thread will hear, too.
        self.calls_driver = is_needed.unwrap_or(true);
        !self.calls_driver
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        // After a panic this poisons the driver, as it should: it is in doubt.
        self.driver = None;
        let mut watch = self.lead.watch();
        let calls = self.calls_driver || std::thread::panicking() || watch.since.elapsed() >= LEASE;
        *watch = Watch {
            holder: if calls { Holder::Driver } else { Holder::Free },
            since: Instant::now(),
        };
        drop(watch);
        if calls {
            self.lead.changed.notify_one();
        }
        self.signals.restore();
    }
}
