//! How results are taken and tasks forgotten, tried again by their users, or go with the queue.

use taskq_record::TaskId;

use crate::call::{Refusal, Reply};
use crate::config::{STEP, TOMBSTONE};
use crate::names::{Incarnation, Nonce};
use crate::queue::Tombstone;
use crate::rules;
use crate::tables::{Index, Tables, TaskBytes};
use crate::task::{Before, End, State, Task};

use super::Turn;

const FIRST: TaskId = TaskId(0);

impl<T: Tables> Turn<'_, T> {
    pub(super) fn take(&mut self, client: Incarnation, serial: TaskId) -> Result<Reply, Refusal> {
        self.member(client)?;
        let mut task = self.known(serial)?;
        rules::may_take(&task, client)?;
        let done = task.done().cloned().ok_or(Refusal::NotDone)?;
        let value = self.tables.bytes(serial, TaskBytes::Value)?;
        task.taken = Some(client);
        self.tables.set_task(&task)?;
        Ok(Reply::Taken {
            end: done.end,
            at: done.at,
            tries: task.tries,
            ran: done.ran,
            measured: done.measured,
            value,
        })
    }

    pub(super) fn forget(&mut self, serial: TaskId) -> Result<Reply, Refusal> {
        let mut task = match self.known(serial) {
            Ok(task) => task,
            Err(_) if self.tables.tombstone(serial)?.is_some() => return Ok(Reply::Fine),
            Err(refusal) => return Err(refusal),
        };
        if task.done().is_none() {
            return Err(Refusal::NotDone);
        }
        self.forget_task(&mut task, None)?;
        self.release(serial)?;
        Ok(Reply::Fine)
    }

    pub(super) fn retry(&mut self, serial: TaskId, nonce: Nonce) -> Result<Reply, Refusal> {
        let mut old = match (self.known(serial), self.tables.tombstone(serial)?) {
            (Ok(task), _) => task,
            (Err(_), Some(tombstone)) => {
                return match tombstone.next {
                    Some((next, by)) if by == nonce => Ok(Reply::Pushed(vec![next])),
                    _ => Err(Refusal::UnknownTask),
                }
            }
            (Err(refusal), None) => return Err(refusal),
        };
        let end = match old.done() {
            None => return Err(Refusal::NotDone),
            Some(done) if done.end.succeeded() => return Err(Refusal::NotRetried),
            Some(done) => done.end,
        };
        if old.taken.is_some() {
            return Err(Refusal::NotYours);
        }
        let mut task = Task {
            serial: self.next_serial(),
            nonce,
            after: self.after_again(&old, end)?,
            pushed: self.now,
            due: self.now,
            expires: old.options.expires.map(|after| self.now.after(after)),
            tries: 0,
            completed: None,
            settling: false,
            state: State::Held,
            ..old.clone()
        };
        let failed = self.hold(&mut task)?;
        let envelope = self.tables.bytes(serial, TaskBytes::Envelope)?;
        self.tables
            .set_bytes(task.serial, TaskBytes::Envelope, envelope.as_deref())?;
        self.forget_task(&mut old, Some((task.serial, nonce)))?;
        self.release(serial)?;
        let next = task.serial;
        self.enter(task, failed)?;
        Ok(Reply::Pushed(vec![next]))
    }

    pub(super) fn destroy(&mut self) -> Result<Reply, Refusal> {
        self.queue.destroyed = true;
        let tasks = self.tables.find(&Index::All, FIRST, STEP)?;
        for &serial in &tasks {
            self.tables.remove_task(serial)?;
        }
        let tombstones = self.tables.tombstones(std::time::Duration::MAX, STEP)?;
        for &serial in &tombstones {
            self.tables.remove_tombstone(serial)?;
        }
        for member in self.tables.members()? {
            self.tables.remove_member(member.incarnation)?;
        }
        for stage in self.tables.stages()? {
            self.tables.remove_stage(stage.nonce)?;
        }
        Ok(Reply::More(tasks.len() == STEP || tombstones.len() == STEP))
    }

    /// Users do not know a task any more; its id is free.
    pub(super) fn forget_task(
        &mut self,
        task: &mut Task,
        next: Option<(TaskId, Nonce)>,
    ) -> Result<(), Refusal> {
        task.gone = true;
        self.tables.set_task(task)?;
        self.tables.set_tombstone(&Tombstone {
            serial: task.serial,
            id: task.id.clone(),
            nonce: task.nonce,
            next,
            until: self.queue.elapsed + TOMBSTONE,
        })
    }

    /// What a new life runs after: the present lives of the tasks before.
    fn after_again(&mut self, old: &Task, end: End) -> Result<Vec<Before>, Refusal> {
        let mut after = Vec::new();
        for Before { task, argument } in &old.after {
            let mut before = *task;
            while let Some((next, _)) = self.tables.tombstone(before)?.and_then(|old| old.next) {
                before = next;
            }
            let is_there = self.tables.task(before)?.is_some();
            let was_cause = matches!(end, End::Skipped { after } if after == before);
            if !is_there && (argument.is_some() || was_cause) {
                return Err(Refusal::NotRetried);
            }
            after.push(Before {
                task: before,
                argument: argument.clone(),
            });
        }
        Ok(after)
    }
}
