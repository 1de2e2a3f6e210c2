//! The model: tables in memory, in which everything is found by looking at all there is.
//!
//! What other stores are compared with, so it is written to be seen through, not to be fast.

use std::collections::BTreeMap;
use std::time::Duration;

use taskq_record::TaskId;

use crate::call::{Call, Refusal, Reply};
use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::{Member, QueueRecord, Stage, Tombstone};
use crate::store::{answer, Answer, Query, Store};
use crate::tables::{Index, Tables, TaskBytes};
use crate::task::Task;

/// A store in memory.
#[derive(Clone, Debug)]
pub struct Model {
    queue: QueueRecord,
    tasks: BTreeMap<TaskId, Task>,
    bytes: BTreeMap<(TaskId, TaskBytes), Box<[u8]>>,
    members: BTreeMap<Incarnation, Member>,
    stages: BTreeMap<Nonce, Stage>,
    tombstones: BTreeMap<TaskId, Tombstone>,
}

impl Model {
    /// An empty queue.
    #[must_use]
    pub fn new(incarnation: Nonce, now: Wall) -> Model {
        Model {
            queue: QueueRecord::new(incarnation, now),
            tasks: BTreeMap::new(),
            bytes: BTreeMap::new(),
            members: BTreeMap::new(),
            stages: BTreeMap::new(),
            tombstones: BTreeMap::new(),
        }
    }
}

impl Store for Model {
    fn call(&mut self, now: Wall, call: &Call) -> Result<Reply, Refusal> {
        let mut next = self.clone();
        let reply = crate::apply(&mut next, now, call)?;
        *self = next;
        Ok(reply)
    }

    fn ask(&mut self, query: &Query) -> Result<Answer, Refusal> {
        answer(self, query)
    }
}

impl Tables for Model {
    fn queue(&mut self) -> Result<QueueRecord, Refusal> {
        Ok(self.queue.clone())
    }

    fn set_queue(&mut self, queue: &QueueRecord) -> Result<(), Refusal> {
        self.queue = queue.clone();
        Ok(())
    }

    fn task(&mut self, serial: TaskId) -> Result<Option<Task>, Refusal> {
        Ok(self.tasks.get(&serial).cloned())
    }

    fn task_of(&mut self, id: &str) -> Result<Option<Task>, Refusal> {
        let mut tasks = self.tasks.values();
        Ok(tasks.find(|task| &*task.id == id && !task.gone).cloned())
    }

    fn set_task(&mut self, task: &Task) -> Result<(), Refusal> {
        self.tasks.insert(task.serial, task.clone());
        Ok(())
    }

    fn remove_task(&mut self, serial: TaskId) -> Result<(), Refusal> {
        self.tasks.remove(&serial);
        self.bytes.retain(|&(of, _), _| of != serial);
        Ok(())
    }

    fn find(&mut self, index: &Index, above: TaskId, limit: usize) -> Result<Vec<TaskId>, Refusal> {
        let tasks = self.tasks.values();
        let mut found: Vec<&Task> = tasks
            .filter(|task| task.serial > above && index.holds(task))
            .collect();
        found.sort_by_key(|task| index.rank(task));
        Ok(found.iter().take(limit).map(|task| task.serial).collect())
    }

    fn count(&mut self, index: &Index) -> Result<u64, Refusal> {
        Ok(self.tasks.values().filter(|task| index.holds(task)).count() as u64)
    }

    fn bytes(&mut self, serial: TaskId, part: TaskBytes) -> Result<Option<Box<[u8]>>, Refusal> {
        Ok(self.bytes.get(&(serial, part)).cloned())
    }

    fn set_bytes(
        &mut self,
        serial: TaskId,
        part: TaskBytes,
        bytes: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        match bytes {
            Some(bytes) => self.bytes.insert((serial, part), bytes.into()),
            None => self.bytes.remove(&(serial, part)),
        };
        Ok(())
    }

    fn member(&mut self, incarnation: Incarnation) -> Result<Option<Member>, Refusal> {
        Ok(self.members.get(&incarnation).cloned())
    }

    fn members(&mut self) -> Result<Vec<Member>, Refusal> {
        Ok(self.members.values().cloned().collect())
    }

    fn set_member(&mut self, member: &Member) -> Result<(), Refusal> {
        self.members.insert(member.incarnation, member.clone());
        Ok(())
    }

    fn remove_member(&mut self, incarnation: Incarnation) -> Result<(), Refusal> {
        self.members.remove(&incarnation);
        Ok(())
    }

    fn stage(&mut self, nonce: Nonce) -> Result<Option<Stage>, Refusal> {
        Ok(self.stages.get(&nonce).copied())
    }

    fn stages(&mut self) -> Result<Vec<Stage>, Refusal> {
        Ok(self.stages.values().copied().collect())
    }

    fn set_stage(&mut self, stage: &Stage) -> Result<(), Refusal> {
        self.stages.insert(stage.nonce, *stage);
        Ok(())
    }

    fn remove_stage(&mut self, nonce: Nonce) -> Result<(), Refusal> {
        self.stages.remove(&nonce);
        Ok(())
    }

    fn tombstone_of(&mut self, id: &str, nonce: Nonce) -> Result<Option<Tombstone>, Refusal> {
        let mut tombstones = self.tombstones.values();
        let found = tombstones.find(|tombstone| &*tombstone.id == id && tombstone.nonce == nonce);
        Ok(found.cloned())
    }

    fn tombstone(&mut self, serial: TaskId) -> Result<Option<Tombstone>, Refusal> {
        Ok(self.tombstones.get(&serial).cloned())
    }

    fn tombstones(&mut self, until: Duration, limit: usize) -> Result<Vec<TaskId>, Refusal> {
        let tombstones = self.tombstones.values();
        let over = tombstones.filter(|tombstone| tombstone.until < until);
        Ok(over.take(limit).map(|tombstone| tombstone.serial).collect())
    }

    fn set_tombstone(&mut self, tombstone: &Tombstone) -> Result<(), Refusal> {
        self.tombstones.insert(tombstone.serial, tombstone.clone());
        Ok(())
    }

    fn remove_tombstone(&mut self, serial: TaskId) -> Result<(), Refusal> {
        self.tombstones.remove(&serial);
        Ok(())
    }
}
