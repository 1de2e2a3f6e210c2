//! How the moves of tasks are made, and what the end of one means for others.
//!
//! A task that ends while others wait for it is *settling*: those are told in steps, each leaves the index by that, and
//! when none is left the flag goes. So a cascade of any length or breadth survives a crash at any point.

use taskq_record::{Measured, TaskId};

use crate::call::Refusal;
use crate::names::Wall;
use crate::rules::{self, Move};
use crate::tables::{Index, Tables, TaskBytes};
use crate::task::{Done, End, State, Task};

use super::Turn;

const FIRST: TaskId = TaskId(0);

impl<T: Tables> Turn<'_, T> {
    /// Makes a move of a task of which its agent has nothing more to say.
    pub(super) fn make(&mut self, mut task: Task, made: Move) -> Result<(), Refusal> {
        match made {
            Move::Stays | Move::Fenced => Ok(()),
            Move::Waits(due) => {
                task.due = due;
                self.rest(task, None)
            }
            Move::Ends(end) => self.end(task, end, Measured::default()),
            Move::Begins | Move::EndWanted => {
                if let State::Claimed(claim) = &mut task.state {
                    if made == Move::Begins {
                        claim.begun = Some(self.now);
                        task.tries += 1;
                    } else {
                        claim.cancel = true;
                    }
                }
                self.tables.set_task(&task)
            }
        }
    }

    /// A task that no agent has is put where it belongs.
    pub(super) fn rest(&mut self, mut task: Task, failed: Option<TaskId>) -> Result<(), Refusal> {
        match rules::at_rest(&task, failed, self.now) {
            Ok(state) => {
                task.state = state;
                self.tables.set_task(&task)
            }
            Err(end) => self.end(task, end, Measured::default()),
        }
    }

    /// A task has its outcome.
    pub(super) fn end(
        &mut self,
        mut task: Task,
        end: End,
        measured: Measured,
    ) -> Result<(), Refusal> {
        let ran = match &task.state {
            State::Claimed(claim) => claim.begun.map(|since| (claim.agent, since)),
            _ => None,
        };
        task.state = State::Done(Done {
            end,
            at: self.now,
            ran,
            measured,
        });
        task.held_by.clear();
        let held = self.tables.find(&Index::HeldBy(task.serial), FIRST, 1)?;
        task.settling = !held.is_empty();
        self.tables.set_task(&task)?;
        self.tables
            .set_bytes(task.serial, TaskBytes::Progress, None)?;
        if end.succeeded() {
            self.tables
                .set_bytes(task.serial, TaskBytes::Envelope, None)?;
        }
        self.release_inputs(&task)?;
        self.release(task.serial)
    }

    /// Tells the tasks that wait for those which have ended, as many as this call may.
    pub(super) fn settle(&mut self) -> Result<(), Refusal> {
        while self.left > 0 {
            let settling = self.tables.find(&Index::Settling, FIRST, 1)?;
            let Some(mut ended) = self.load(&settling)?.pop() else {
                return Ok(());
            };
            let limit = self.left;
            let held = self
                .tables
                .find(&Index::HeldBy(ended.serial), FIRST, limit)?;
            let succeeded = ended.done().is_some_and(|done| done.end.succeeded());
            self.left -= held.len().max(1);
            let all = held.len() < limit;
            for task in self.load(&held)? {
                self.tell(task, ended.serial, succeeded)?;
            }
            if all {
                ended.settling = false;
                self.tables.set_task(&ended)?;
                self.release(ended.serial)?;
            }
        }
        Ok(())
    }

    /// Removes a task that users have forgotten when no other needs it.
    pub(super) fn release(&mut self, serial: TaskId) -> Result<(), Refusal> {
        let Some(task) = self.tables.task(serial)? else {
            return Ok(());
        };
        let unused = task.gone && !task.settling && task.done().is_some();
        if unused
            && self
                .tables
                .find(&Index::Needs(serial), FIRST, 1)?
                .is_empty()
        {
            self.tables.remove_task(serial)?;
        }
        Ok(())
    }

    /// A task does not need the values of others any more.
    pub(super) fn release_inputs(&mut self, task: &Task) -> Result<(), Refusal> {
        for before in &task.after {
            if before.argument.is_some() {
                self.release(before.task)?;
            }
        }
        Ok(())
    }

    /// The tasks of these serials.
    pub(super) fn load(&mut self, serials: &[TaskId]) -> Result<Vec<Task>, Refusal> {
        let mut tasks = Vec::new();
        for &serial in serials {
            tasks.extend(self.tables.task(serial)?);
        }
        Ok(tasks)
    }

    /// Those whose time has come.
    pub(super) fn wake(&mut self) -> Result<(), Refusal> {
        let now: Wall = self.now;
        for index in [Index::Expired(now), Index::Due(now)] {
            let found = self.tables.find(&index, FIRST, self.left)?;
            self.left -= found.len();
            for task in self.load(&found)? {
                self.rest(task, None)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, mut task: Task, before: TaskId, succeeded: bool) -> Result<(), Refusal> {
        let (held_by, now_failed) = rules::after_dependency(&task, before, succeeded);
        task.held_by = held_by;
        match &mut task.state {
            State::Staged { failed, .. } => {
                *failed = failed.or(now_failed);
                self.tables.set_task(&task)
            }
            _ => self.rest(task, now_failed),
        }
    }
}
