//! What a call does to the tables.
//!
//! Each call is one [`Turn`]: it reads the queue's record, moves the counter of leases on, does what is asked, and
//! writes the record back. Which state follows for a task is asked of [`rules`](crate::rules).

mod claims;
mod ends;
mod members;
mod push;
mod results;
mod tick;

use taskq_record::TaskId;

use crate::call::{Call, Refusal, Reply};
use crate::config::STEP;
use crate::names::{Incarnation, Wall};
use crate::queue::{Member, QueueRecord};
use crate::tables::Tables;
use crate::task::Task;

/// Does what a call asks for.
///
/// # Errors
///
/// Why it is refused. Some of it may then have been written: the store has to roll its transaction back.
pub fn apply<T: Tables>(tables: &mut T, now: Wall, call: &Call) -> Result<Reply, Refusal> {
    let mut queue = tables.queue()?;
    if queue.destroyed && *call != Call::Destroy {
        return Err(Refusal::Destroyed);
    }
    queue.pass(now);
    let mut turn = Turn {
        tables,
        queue,
        now,
        left: STEP,
    };
    let reply = turn.answer(call)?;
    turn.settle()?;
    turn.tables.set_queue(&turn.queue)?;
    Ok(reply)
}

/// One call, on its way.
struct Turn<'a, T> {
    tables: &'a mut T,
    queue: QueueRecord,
    now: Wall,
    /// How many more tasks it may touch beside those that it names.
    left: usize,
}

impl<T: Tables> Turn<'_, T> {
    fn answer(&mut self, call: &Call) -> Result<Reply, Refusal> {
        match call {
            Call::Attach {
                member,
                role,
                leased,
                protocol,
                about,
            } => self.attach(*member, role, *leased, *protocol, about),
            Call::Leave { member } => self.leave(*member),
            Call::Push { client, push } => self.push(*client, push),
            Call::Stage {
                client,
                stage,
                pushes,
            } => self.stage(*client, *stage, pushes),
            Call::Show {
                client,
                stage,
                count,
            } => self.show(*client, *stage, *count),
            Call::Claim {
                agent,
                request,
                held,
                count,
                fresh,
            } => self.claim(*agent, *request, held, *count, *fresh),
            Call::Begin { held } => self.begin(held),
            Call::Renew {
                member,
                request,
                held,
            } => self.renew(*member, *request, held),
            Call::Progress { held, report } => self.progress(*held, report),
            Call::Complete { held, report } => self.complete(*held, report),
            Call::GiveBack { held } => self.give_back(*held),
            Call::Cancel { task } => self.cancel(*task),
            Call::CancelTagged { tag, after } => self.cancel_tagged(tag, *after),
            Call::Pause { paused, version } => self.pause(*paused, *version),
            Call::Replace {
                settings,
                max_waiting,
                version,
            } => self.replace(settings, *max_waiting, *version),
            Call::Drain { agent } => self.drain(*agent),
            Call::Tick { dead } => self.tick(dead),
            Call::Take { client, task } => self.take(*client, *task),
            Call::Forget { task } => self.forget(*task),
            Call::Retry { task, nonce } => self.retry(*task, *nonce),
            Call::Destroy => self.destroy(),
        }
    }

    /// The agent or client, as long as it is one.
    fn member(&mut self, incarnation: Incarnation) -> Result<Member, Refusal> {
        let member = self.tables.member(incarnation)?;
        let member = member.filter(|member| member.ended.is_none());
        member.ok_or(Refusal::UnknownMember)
    }

    /// The task, as long as users know it.
    fn known(&mut self, serial: TaskId) -> Result<Task, Refusal> {
        let task = self.tables.task(serial)?;
        let task = task.filter(|task| !task.gone);
        task.ok_or(Refusal::UnknownTask)
    }

    /// By which the delays of this queue differ from those of others.
    fn seed(&self) -> u64 {
        // The lower half is as random as the whole.
        self.queue.incarnation.0 as u64
    }

    fn next_serial(&mut self) -> TaskId {
        self.queue.serial += 1;
        TaskId(self.queue.serial)
    }
}
