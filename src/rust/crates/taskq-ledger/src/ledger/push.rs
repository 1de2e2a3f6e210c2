//! How tasks come in, one by one or in stages.

use std::collections::BTreeSet;

use taskq_record::TaskId;

use crate::call::{Refusal, Reply};
use crate::config::{STEP, TOMBSTONE};
use crate::names::{Incarnation, Nonce};
use crate::queue::Stage;
use crate::rules;
use crate::tables::{Index, Tables, TaskBytes};
use crate::task::{After, Before, Push, State, Task, Wanted, Whose};

use super::Turn;

const FIRST: TaskId = TaskId(0);

impl<T: Tables> Turn<'_, T> {
    pub(super) fn push(&mut self, client: Incarnation, push: &Push) -> Result<Reply, Refusal> {
        self.member(client)?;
        let serial = match self.pushed_before(push)? {
            Some(serial) => serial,
            None => {
                self.see_room(std::slice::from_ref(push))?;
                let (task, failed) = self.add(client, push, None)?;
                let serial = task.serial;
                self.enter(task, failed)?;
                serial
            }
        };
        Ok(Reply::Pushed(vec![serial]))
    }

    pub(super) fn stage(
        &mut self,
        client: Incarnation,
        nonce: Nonce,
        pushes: &[Push],
    ) -> Result<Reply, Refusal> {
        self.member(client)?;
        if pushes.len() > STEP {
            return Err(Refusal::TooMany);
        }
        let mut stage = self.tables.stage(nonce)?.unwrap_or(Stage {
            nonce,
            client,
            shown: false,
            count: 0,
            until: self.queue.elapsed,
        });
        let mut serials = Vec::new();
        let mut seen_room = false;
        for push in pushes {
            if let Some(serial) = self.pushed_before(push)? {
                serials.push(serial);
                continue;
            }
            if stage.shown {
                return Err(Refusal::Incomplete {
                    staged: stage.count,
                });
            }
            if !seen_room {
                self.see_room(pushes)?;
                seen_room = true;
            }
            let (mut task, failed) = self.add(client, push, Some(nonce))?;
            task.state = State::Staged {
                stage: nonce,
                failed,
            };
            self.tables.set_task(&task)?;
            stage.count += 1;
            serials.push(task.serial);
        }
        stage.until = self.queue.elapsed + TOMBSTONE;
        self.tables.set_stage(&stage)?;
        Ok(Reply::Pushed(serials))
    }

    pub(super) fn show(
        &mut self,
        client: Incarnation,
        nonce: Nonce,
        count: u64,
    ) -> Result<Reply, Refusal> {
        self.member(client)?;
        let stage = self.tables.stage(nonce)?;
        let mut stage = match stage {
            Some(stage) if stage.count == count => stage,
            other => {
                let staged = other.map_or(0, |stage| stage.count);
                return Err(Refusal::Incomplete { staged });
            }
        };
        if !stage.shown {
            stage.shown = true;
            stage.until = self.queue.elapsed + TOMBSTONE;
            self.tables.set_stage(&stage)?;
            self.move_on(stage)?;
        }
        Ok(Reply::Fine)
    }

    /// Moves tasks of stages on: into the queue, or out of it when their client has left them. Forgets stages.
    pub(super) fn move_stages_on(&mut self) -> Result<(), Refusal> {
        for stage in self.tables.stages()? {
            let over = stage.until < self.queue.elapsed;
            if stage.shown {
                self.move_on(stage)?;
                if over && !self.has_staged(stage.nonce)? {
                    self.tables.remove_stage(stage.nonce)?;
                }
            } else if over || self.member(stage.client).is_err() {
                self.sweep(stage)?;
            }
        }
        Ok(())
    }

    /// A task that was pushed takes the place of another of its key, and its own place.
    pub(super) fn enter(&mut self, task: Task, failed: Option<TaskId>) -> Result<(), Refusal> {
        if let Some(key) = &task.key {
            let keyed = Index::Keyed(key.clone());
            let before = self.tables.find(&keyed, FIRST, STEP)?;
            for other in self.load(&before)? {
                if other.serial < task.serial {
                    let made = rules::at_cancel(&other);
                    self.make(other, made)?;
                }
            }
        }
        self.rest(task, failed)
    }

    /// What must have ended before a task: what holds it, and what has failed already.
    pub(super) fn hold(&mut self, task: &mut Task) -> Result<Option<TaskId>, Refusal> {
        let mut held_by = BTreeSet::new();
        let mut failed = None;
        for before in &task.after {
            // What is gone had succeeded, or this task would have been told.
            let Some(before) = self.tables.task(before.task)? else {
                continue;
            };
            match before.done().map(|done| done.end.succeeded()) {
                None => _ = held_by.insert(before.serial),
                Some(false) => failed = failed.or(Some(before.serial)),
                Some(true) => {}
            }
        }
        task.held_by = if failed.is_some() {
            Vec::new()
        } else {
            held_by.into_iter().collect()
        };
        Ok(failed)
    }

    /// The serial of a task that this very push has added.
    fn pushed_before(&mut self, push: &Push) -> Result<Option<TaskId>, Refusal> {
        if let Some(tombstone) = self.tables.tombstone_of(&push.id, push.nonce)? {
            return Ok(Some(tombstone.serial));
        }
        match self.tables.task_of(&push.id)? {
            None => Ok(None),
            Some(task) if task.nonce == push.nonce => Ok(Some(task.serial)),
            Some(task) => Err(Refusal::Duplicate {
                id: push.id.clone(),
                state: task.state_word(),
            }),
        }
    }

    fn see_room(&mut self, pushes: &[Push]) -> Result<(), Refusal> {
        let all_may = pushes.iter().all(|push| push.options.may_exceed);
        if all_may || self.queue.max_waiting == u64::MAX {
            return Ok(());
        }
        let waiting = self.tables.count(&Index::Waiting)? + pushes.len() as u64;
        if waiting > self.queue.max_waiting {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Makes the record of a task, and keeps what runs. The state is to be set.
    fn add(
        &mut self,
        client: Incarnation,
        push: &Push,
        stage: Option<Nonce>,
    ) -> Result<(Task, Option<TaskId>), Refusal> {
        let mut after = Vec::new();
        for before in &push.after {
            after.push(Before {
                task: self.before(before, stage)?,
                argument: before.argument.clone(),
            });
        }
        let options = &push.options;
        let not_before = self.now.after(options.delay);
        let mut task = Task {
            serial: self.next_serial(),
            id: push.id.clone(),
            nonce: push.nonce,
            options: options.clone(),
            after,
            held_by: Vec::new(),
            tag: push.tag.clone(),
            key: push.key.clone(),
            pool: push.pool.clone(),
            generation: push.generation,
            whose: match push.whose {
                Wanted::ByAnyone => Whose::Anyone,
                Wanted::ByClient => Whose::Client(client),
                Wanted::OnlyByClient => Whose::Only(client),
            },
            pushed: self.now,
            due: options.at.map_or(not_before, |at| at.max(not_before)),
            expires: options.expires.map(|after| self.now.after(after)),
            tries: 0,
            completed: None,
            state: State::Held,
            taken: None,
            settling: false,
            gone: false,
        };
        let failed = self.hold(&mut task)?;
        let envelope = Some(&*push.envelope);
        self.tables
            .set_bytes(task.serial, TaskBytes::Envelope, envelope)?;
        Ok((task, failed))
    }

    /// The task that one names. Those of a stage are seen only by others of it.
    fn before(&mut self, after: &After, of: Option<Nonce>) -> Result<TaskId, Refusal> {
        let unknown = || Refusal::UnknownAfter {
            after: after.clone(),
        };
        let task = self.tables.task_of(&after.id)?.ok_or_else(unknown)?;
        if let State::Staged { stage, .. } = task.state {
            let shown = self.tables.stage(stage)?.is_some_and(|stage| stage.shown);
            if !shown && of != Some(stage) {
                return Err(unknown());
            }
        }
        Ok(task.serial)
    }

    fn move_on(&mut self, stage: Stage) -> Result<(), Refusal> {
        let staged = Index::Staged(stage.nonce);
        let staged = self.tables.find(&staged, FIRST, self.left)?;
        self.left -= staged.len();
        for serial in staged {
            // Loaded one by one: one may take the place of another of the same stage.
            if let Some(task) = self.tables.task(serial)? {
                if let State::Staged { failed, .. } = task.state {
                    self.enter(task, failed)?;
                }
            }
        }
        Ok(())
    }

    fn sweep(&mut self, stage: Stage) -> Result<(), Refusal> {
        let staged = Index::Staged(stage.nonce);
        let staged = self.tables.find(&staged, FIRST, self.left)?;
        self.left -= staged.len();
        for task in self.load(&staged)? {
            self.tables.remove_task(task.serial)?;
            self.release_inputs(&task)?;
        }
        if !self.has_staged(stage.nonce)? {
            self.tables.remove_stage(stage.nonce)?;
        }
        Ok(())
    }

    fn has_staged(&mut self, stage: Nonce) -> Result<bool, Refusal> {
        let staged = self.tables.find(&Index::Staged(stage), FIRST, 1)?;
        Ok(!staged.is_empty())
    }
}
