//! What happens because time has passed: by whatever call comes, and by no one who is in charge of it.

use taskq_record::TaskId;

use crate::call::{Refusal, Reply};
use crate::names::Incarnation;
use crate::queue::MemberRole;
use crate::rules::{self, Fate};
use crate::tables::{Index, Tables};
use crate::task::{LostReason, Task, Whose};

use super::Turn;

const FIRST: TaskId = TaskId(0);

impl<T: Tables> Turn<'_, T> {
    pub(super) fn tick(&mut self, dead: &[Incarnation]) -> Result<Reply, Refusal> {
        for &incarnation in dead {
            if let Some(mut member) = self.tables.member(incarnation)? {
                member.ended.get_or_insert(LostReason::AgentLost);
                self.tables.set_member(&member)?;
            }
        }
        self.go_on()?;
        self.settle()?;
        Ok(Reply::More(self.left == 0))
    }

    /// Does what is due, as much as this call may.
    pub(super) fn go_on(&mut self) -> Result<(), Refusal> {
        for mut member in self.tables.members()? {
            let is_over = member.lease.is_some_and(|end| end < self.queue.elapsed);
            if member.ended.is_none() && is_over {
                member.ended = Some(LostReason::AgentLost);
                self.tables.set_member(&member)?;
            }
            if let Some(reason) = member.ended {
                let left = match member.role {
                    MemberRole::Agent { .. } => self.end_agent(member.incarnation, reason)?,
                    MemberRole::Client => self.end_client(member.incarnation)?,
                };
                if !left {
                    self.tables.remove_member(member.incarnation)?;
                }
            }
        }
        self.settle()?;
        self.move_stages_on()?;
        self.wake()?;
        let over = self.tables.tombstones(self.queue.elapsed, self.left)?;
        self.left -= over.len();
        for serial in over {
            self.tables.remove_tombstone(serial)?;
        }
        Ok(())
    }

    /// Whether something is left of an agent's tasks.
    fn end_agent(&mut self, agent: Incarnation, reason: LostReason) -> Result<bool, Refusal> {
        let limit = self.left;
        let had = self.tables.find(&Index::ClaimedBy(agent), FIRST, limit)?;
        self.left -= had.len();
        for task in self.load(&had)? {
            self.lose(task, reason)?;
        }
        Ok(had.len() == limit)
    }

    /// Whether something is left of a client's tasks.
    fn end_client(&mut self, client: Incarnation) -> Result<bool, Refusal> {
        let limit = self.left;
        let had = self.tables.find(&Index::OfClient(client), FIRST, limit)?;
        self.left -= had.len();
        for serial in &had {
            // Loaded one by one: the end of one may remove another.
            if let Some(task) = self.tables.task(*serial)? {
                self.end_of_client(task, client)?;
            }
        }
        Ok(had.len() == limit)
    }

    fn end_of_client(&mut self, mut task: Task, client: Incarnation) -> Result<(), Refusal> {
        let fate = rules::at_client_end(&task, client);
        if fate == Fate::Stays {
            return Ok(());
        }
        task.whose = Whose::Anyone;
        task.taken = None;
        if fate == Fate::FallsToAnyone {
            return self.tables.set_task(&task);
        }
        self.forget_task(&mut task, None)?;
        let made = rules::at_cancel(&task);
        self.make(task.clone(), made)?;
        self.release(task.serial)
    }
}
