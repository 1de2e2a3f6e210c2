//! What agents say: they want tasks, begin, complete and give back; and what users want of what agents have.

use std::collections::BTreeSet;

use taskq_record::{Outcome, TaskId};

use crate::call::{Grant, Held, Refusal, Reply, Report};
use crate::config::STEP;
use crate::names::{Incarnation, Nonce};
use crate::queue::MemberRole;
use crate::rules::{self, Move};
use crate::tables::{Index, Tables, TaskBytes};
use crate::task::{Before, Claim, End, LostReason, State, Task};

use super::Turn;

const FIRST: TaskId = TaskId(0);

impl<T: Tables> Turn<'_, T> {
    pub(super) fn claim(
        &mut self,
        agent: Incarnation,
        request: u64,
        held: &[Held],
        count: u32,
        fresh: Nonce,
    ) -> Result<Reply, Refusal> {
        self.go_on()?;
        let mut member = self.member(agent)?;
        let MemberRole::Agent { pool } = member.role.clone() else {
            return Err(Refusal::UnknownMember);
        };
        let mut grants = Vec::new();
        if request > member.request {
            member.request = request;
            let closed = member.drain || self.queue.paused;
            self.tables.set_member(&member)?;
            self.take_back(agent, request - 1, held)?;
            let count = if closed { 0 } else { STEP.min(count as usize) };
            let ready = self.tables.find(&Index::Ready(pool), FIRST, count)?;
            for (mut task, k) in self.load(&ready)?.into_iter().zip(0..) {
                task.state = State::Claimed(Claim {
                    nonce: fresh.nth(k),
                    agent,
                    request,
                    begun: None,
                    cancel: false,
                });
                self.tables.set_task(&task)?;
                grants.extend(self.grant(task)?);
            }
        } else if request == member.request {
            // The reply was lost.
            let had = self
                .tables
                .find(&Index::ClaimedBy(agent), FIRST, usize::MAX)?;
            for task in self.load(&had)? {
                let again = matches!(&task.state, State::Claimed(claim)
                    if claim.request == request && claim.begun.is_none());
                if again {
                    grants.extend(self.grant(task)?);
                }
            }
        }
        Ok(Reply::Granted(grants))
    }

    pub(super) fn begin(&mut self, held: &[Held]) -> Result<Reply, Refusal> {
        let mut begun = Vec::new();
        for &held in held {
            let Some(task) = self.tables.task(held.task)? else {
                continue;
            };
            let made = rules::at_begin(&task, held.nonce, self.now);
            self.make(task, made)?;
            if matches!(made, Move::Begins | Move::Stays) {
                begun.push(held);
            }
        }
        Ok(Reply::Begun(begun))
    }

    pub(super) fn progress(&mut self, held: Held, report: &[u8]) -> Result<Reply, Refusal> {
        let task = self.tables.task(held.task)?;
        if task.is_some_and(|task| task.claim(held.nonce).is_some()) {
            self.tables
                .set_bytes(held.task, TaskBytes::Progress, Some(report))?;
            return Ok(Reply::Fine);
        }
        Ok(Reply::Fenced)
    }

    pub(super) fn complete(&mut self, held: Held, report: &Report) -> Result<Reply, Refusal> {
        let Some(mut task) = self.tables.task(held.task)? else {
            self.queue.fenced += 1;
            return Ok(Reply::Fenced);
        };
        let seed = self.seed();
        let made = rules::after_complete(&task, held.nonce, &report.outcome, self.now, seed);
        match made {
            Move::Fenced => {
                self.queue.fenced += 1;
                return Ok(Reply::Fenced);
            }
            Move::Ends(end) => {
                task.completed = Some(held.nonce);
                self.tables
                    .set_bytes(task.serial, TaskBytes::Value, Some(&report.value))?;
                self.end(task, end, report.measured)?;
            }
            made => {
                if made != Move::Stays {
                    task.completed = Some(held.nonce);
                }
                self.make(task, made)?;
            }
        }
        Ok(Reply::Fine)
    }

    pub(super) fn give_back(&mut self, held: Held) -> Result<Reply, Refusal> {
        if let Some(task) = self.tables.task(held.task)? {
            let made = rules::at_give_back(&task, held.nonce);
            self.make(task, made)?;
        }
        Ok(Reply::Fine)
    }

    pub(super) fn cancel(&mut self, serial: TaskId) -> Result<Reply, Refusal> {
        let task = self.known(serial)?;
        // A repeated call says what the first one said.
        let was = task.done().is_some_and(|done| done.end == End::Cancelled);
        let made = rules::at_cancel(&task);
        self.make(task, made)?;
        Ok(Reply::Cancelled(was || made != Move::Stays))
    }

    pub(super) fn cancel_tagged(&mut self, tag: &str, after: TaskId) -> Result<Reply, Refusal> {
        let tagged = self.tables.find(&Index::Tagged(tag.into()), after, STEP)?;
        for task in self.load(&tagged)? {
            let made = rules::at_cancel(&task);
            self.make(task, made)?;
        }
        // Less than a step: there is nothing behind.
        let last = tagged.last().filter(|_| tagged.len() == STEP);
        Ok(Reply::Step(last.copied()))
    }

    /// What earlier requests granted and the agent does not name has gone from it. It has seen the answers to requests
    /// up to this one, so what it does not name was not only not heard of yet.
    pub(super) fn take_back(
        &mut self,
        agent: Incarnation,
        request: u64,
        held: &[Held],
    ) -> Result<(), Refusal> {
        let named: BTreeSet<Held> = held.iter().copied().collect();
        let had = self
            .tables
            .find(&Index::ClaimedBy(agent), FIRST, usize::MAX)?;
        for task in self.load(&had)? {
            let State::Claimed(claim) = &task.state else {
                continue;
            };
            let held = Held {
                task: task.serial,
                nonce: claim.nonce,
            };
            if claim.request <= request && !named.contains(&held) {
                self.lose(task, LostReason::AgentLost)?;
            }
        }
        Ok(())
    }

    /// The agent of a claimed task does not run it.
    pub(super) fn lose(&mut self, task: Task, reason: LostReason) -> Result<(), Refusal> {
        let made = rules::after_loss(&task, reason, self.now, self.seed());
        self.make(task, made)
    }

    /// What an agent needs to run a task; the task ends when a value is gone that it needs.
    fn grant(&mut self, task: Task) -> Result<Option<Grant>, Refusal> {
        let State::Claimed(claim) = &task.state else {
            return Ok(None);
        };
        let held = Held {
            task: task.serial,
            nonce: claim.nonce,
        };
        let mut inputs = Vec::new();
        for Before {
            task: before,
            argument,
        } in &task.after
        {
            let Some(argument) = argument else {
                continue;
            };
            let Some(value) = self.tables.bytes(*before, TaskBytes::Value)? else {
                let after = *before;
                self.make(task, Move::Ends(End::Skipped { after }))?;
                return Ok(None);
            };
            inputs.push((argument.clone(), value));
        }
        let Some(envelope) = self.tables.bytes(task.serial, TaskBytes::Envelope)? else {
            self.make(task, Move::Ends(End::Ran(Outcome::Error)))?;
            return Ok(None);
        };
        Ok(Some(Grant {
            held,
            id: task.id,
            options: task.options,
            generation: task.generation,
            tries: task.tries,
            envelope,
            inputs,
        }))
    }
}
