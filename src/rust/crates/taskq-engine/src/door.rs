//! The door to a queue's state: the only way in for either thread, under the one lock.
//!
//! | way in | for | what follows |
//! | --- | --- | --- |
//! | [`input`](Door::input) | the driver: something has happened | is settled; what only the driver can do waits for it |
//! | [`ask`](Door::ask) | the R thread: something is wanted | is settled; the driver is woken if it is needed |
//! | [`look`](Door::look) | reading | nothing |
//! | [`seek`](Door::seek), [`sleep`](Door::sleep) | waiting | nothing |
//!
//! Only the door settles: before the lock is given back, all that the scheduler wants was told to the [`Effects`]
//! (`sessions`, or `inline` in a queue without them), which write what cannot block. What needs no lock is done when it
//! is free: memory is freed, and who waits is woken. Nothing here blocks, but for [`sleep`](Door::sleep).

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use taskq_core::id::{AttemptId, TaskId, Time};
use taskq_core::{Action, Scheduler};
use taskq_wire::message::NoFork;

use crate::clock::{now, Epoch};
use crate::config::Config;
use crate::effects::{Effects, Wakes};
use crate::inline::Inline;
use crate::sessions::Sessions;
use crate::state::{Gone, State, Wanted};

/// What the threads of a queue share.
#[derive(Debug)]
pub(crate) struct Door {
    inside: Mutex<Inside>,
    /// The R thread may look again.
    changed: Condvar,
    /// Ties the monotonic clock to the calendar.
    pub(crate) epoch: Epoch,
    /// Why sessions are not forked, which the user should know of, once in the life of the queue.
    pub(crate) notice: OnceLock<NoFork>,
    /// Whether the R thread has told it.
    notice_is_told: AtomicBool,
    /// What the queue was made from.
    pub(crate) config: Config,
}

/// What the lock guards.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) state: State,
    pub(crate) sessions: Sessions,
    /// Instead of sessions, in a queue without them.
    inline: Option<Inline>,
    /// A wake-up for the R thread: many become one.
    is_woken: bool,
    /// Wakes the driver; `None` when there is none (any more).
    driver: Option<Arc<mio::Waker>>,
}

/// The state as it is while the lock is held, to be read.
pub(crate) struct Look<'a>(MutexGuard<'a, Inside>);

impl Door {
    pub(crate) fn new(sched: Scheduler, is_inline: bool, config: Config) -> Door {
        let mut inside = Inside {
            state: State::new(sched, is_inline),
            sessions: Sessions::default(),
            inline: is_inline.then(Inline::default),
            is_woken: false,
            driver: None,
        };
        inside.settle(now());
        Door {
            inside: Mutex::new(inside),
            changed: Condvar::new(),
            epoch: Epoch::now(),
            notice: OnceLock::new(),
            notice_is_told: AtomicBool::new(false),
            config,
        }
    }

    /// Takes in what has happened. For the driver, which has to look for [`actions`](Door::actions) afterwards.
    pub(crate) fn input(&self, hear: impl FnOnce(&mut Inside, Time)) {
        let mut inside = self.lock();
        let now = now();
        hear(&mut inside, now);
        inside.settle(now);
        self.release(inside, false);
    }

    /// Changes the state as the R thread wants it.
    pub(crate) fn ask<T>(&self, change: impl FnOnce(&mut State, Time) -> T) -> T {
        let mut inside = self.lock();
        let now = now();
        let answer = change(&mut inside.state, now);
        inside.settle(now);
        self.release(inside, true);
        answer
    }

    /// The state, to be read, as long as this is held.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.lock())
    }

    /// Looks for something. When it is not there, the R thread is woken for what is `wanted`, until it looks again.
    pub(crate) fn seek<T>(
        &self,
        wanted: Wanted,
        look: impl FnOnce(&State) -> Option<T>,
    ) -> Option<T> {
        let mut inside = self.lock();
        let found = look(&inside.state);
        let is_here = found.is_some();
        inside
            .state
            .want(if is_here { Wanted::Nothing } else { wanted });
        found
    }

    /// Sleeps until the R thread is woken; false when the time was over before.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) -> bool {
        let mut inside = self.lock();
        while !std::mem::take(&mut inside.is_woken) {
            inside = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => {
                    let woken = self.changed.wait(inside);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let woken = self.changed.wait_timeout(inside, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// Wakes the R thread, should it sleep.
    pub(crate) fn tell(&self) {
        self.lock().is_woken = true;
        self.changed.notify_one();
    }

    /// From now on there is a driver, and this wakes it.
    pub(crate) fn set_driver(&self, waker: mio::Waker) {
        self.lock().driver = Some(Arc::new(waker));
    }

    /// Has the driver's thread look up.
    pub(crate) fn wake_driver(&self) {
        let driver = self.lock().driver.clone();
        wake(driver);
    }

    /// What is to be done by the driver, and was not fetched yet.
    pub(crate) fn actions(&self) -> Vec<Action> {
        self.lock().sessions.take_actions()
    }

    /// The driver is about to sleep, until `own` at the latest. When it has to look up; who wants it earlier, wakes it.
    pub(crate) fn plan(&self, own: Option<Time>) -> Option<Time> {
        let mut inside = self.lock();
        let next = [own, inside.state.sched().next_wakeup()];
        let next = next.into_iter().flatten().min();
        inside.sessions.plan(next)
    }

    /// The next attempt of a queue without sessions. It is handed out once.
    pub(crate) fn hand_out(&self) -> Option<AttemptId> {
        self.lock().inline.as_mut()?.hand_out()
    }

    /// The attempt of a task that was handed out is the next one again.
    pub(crate) fn put_back(&self, task: TaskId) {
        let mut inside = self.lock();
        let attempt = inside
            .state
            .sched()
            .task(task)
            .and_then(|view| view.attempt);
        if let Some((inline, attempt)) = inside.inline.as_mut().zip(attempt) {
            inline.put_back(attempt);
        }
    }

    /// Whether the lock can be had, within `limit`. It cannot if this thread holds it itself.
    pub(crate) fn is_free(&self, limit: Duration) -> bool {
        // Nothing tells when a lock is free, but for waiting for it without an end.
        const PAUSE: Duration = Duration::from_millis(1);
        let deadline = Instant::now() + limit;
        while let Err(TryLockError::WouldBlock) = self.inside.try_lock() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
        true
    }

    /// Whether there is a word for the user, who was not told.
    pub(crate) fn has_notice(&self) -> bool {
        // The usual case is one load, on the way of every push.
        self.notice.get().is_some() && !self.notice_is_told.load(Ordering::Relaxed)
    }

    /// The user is told now.
    pub(crate) fn notice_is_told(&self) {
        self.notice_is_told.store(true, Ordering::Relaxed);
    }

    /// A panic of another holder is no reason to refuse the lock: the machine is consistent between its own steps, and
    /// the fault is reported on its own way.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the lock after a change, and does what is done without it.
    fn release(&self, mut inside: MutexGuard<'_, Inside>, may_wake_driver: bool) {
        let freed = inside.state.take_freed();
        let log = inside.state.take_log();
        let wakes = inside.take_wakes();
        inside.is_woken |= wakes.r_thread;
        let is_needed = may_wake_driver && wakes.driver;
        let driver = inside.driver.as_ref().filter(|_| is_needed).cloned();
        drop(inside);
        drop(freed);
        wakes.loops.into_iter().for_each(self.config.waker);
        wake(driver);
        if wakes.r_thread {
            self.changed.notify_one();
        }
        log.write(&self.epoch);
    }
}

/// Writing to an event descriptor of ours does not fail while the driver lives, and needs not when it does not.
fn wake(driver: Option<Arc<mio::Waker>>) {
    if let Some(driver) = driver {
        let _ = driver.wake();
    }
}

impl Inside {
    /// A session is gone, and the half with it that is here.
    pub(crate) fn reap(&mut self, gone: Gone, now: Time) {
        self.sessions.remove(gone.worker);
        self.state.reap(gone, now);
    }

    /// The driver's thread has come to its end, by a fault perhaps.
    pub(crate) fn end_driver(&mut self, fault: Option<String>, now: Time) {
        self.sessions = Sessions::default();
        self.driver = None;
        self.state.end_driver(fault, now);
    }

    fn take_wakes(&mut self) -> Wakes {
        std::mem::take(match &mut self.inline {
            Some(inline) => inline.wakes(),
            None => self.sessions.wakes(),
        })
    }

    fn settle(&mut self, now: Time) {
        let Some(inline) = &mut self.inline else {
            return self.state.settle(&mut self.sessions, now);
        };
        self.state.settle(inline, now);
        while let Some(input) = inline.answer() {
            self.state.input(input, now);
            self.state.settle(inline, now);
        }
    }
}

impl Deref for Look<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.state
    }
}

impl Look<'_> {
    /// The sending halves.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// Whether there is a driver, so that something of the queue may run.
    pub(crate) fn has_driver(&self) -> bool {
        self.0.driver.is_some()
    }
}
