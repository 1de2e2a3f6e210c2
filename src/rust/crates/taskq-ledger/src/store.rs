//! What a store is to its callers.

use taskq_record::TaskId;

use crate::call::{Call, Refusal, Reply};
use crate::names::{Incarnation, Wall};
use crate::queue::{Member, QueueRecord};
use crate::tables::{Index, Tables};
use crate::task::Task;

/// A store of one queue.
pub trait Store {
    /// Does what a call of the protocol asks for, in one transaction: all of it, or, when it is refused, nothing.
    ///
    /// `now` is what the wall clock of the store shows.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    fn call(&mut self, now: Wall, call: &Call) -> Result<Reply, Refusal>;

    /// Looks, at one moment.
    ///
    /// # Errors
    ///
    /// [`Refusal::Store`].
    fn ask(&mut self, query: &Query) -> Result<Answer, Refusal>;
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// How many tasks wait, run and are done.
    Counts,
    /// The task of this id.
    Id(Box<str>),
    /// The task of this serial.
    Task(TaskId),
    /// Tasks, oldest push first.
    Tasks {
        /// Of a higher serial than this.
        above: TaskId,
        /// At most so many.
        limit: usize,
    },
    /// What this client may take, oldest push first.
    Done {
        /// Who asks.
        client: Incarnation,
        /// At most so many.
        limit: usize,
    },
    /// The agents and clients.
    Members,
    /// The queue's record.
    Queue,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// How many tasks.
    Counts(TaskCounts),
    /// Records of tasks.
    Tasks(Vec<Task>),
    /// Records of members.
    Members(Vec<Member>),
    /// The queue's record.
    Queue(Box<QueueRecord>),
}

/// How many tasks there are, those that users have not forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// They wait.
    pub waiting: u64,
    /// They run.
    pub running: u64,
    /// They are done.
    pub done: u64,
}

/// Answers a query from tables.
///
/// # Errors
///
/// Those of the tables.
pub fn answer<T: Tables>(tables: &mut T, query: &Query) -> Result<Answer, Refusal> {
    let list = match query {
        Query::Counts => {
            return Ok(Answer::Counts(TaskCounts {
                waiting: tables.count(&Index::Waiting)?,
                running: tables.count(&Index::Running)?,
                done: tables.count(&Index::Done)?,
            }))
        }
        Query::Members => return Ok(Answer::Members(tables.members()?)),
        Query::Queue => return Ok(Answer::Queue(Box::new(tables.queue()?))),
        Query::Id(id) => return Ok(Answer::Tasks(tables.task_of(id)?.into_iter().collect())),
        Query::Task(serial) => vec![*serial],
        Query::Tasks { above, limit } => tables.find(&Index::All, *above, *limit)?,
        Query::Done { client, limit } => {
            tables.find(&Index::DoneFor(*client), TaskId(0), *limit)?
        }
    };
    let mut tasks = Vec::new();
    for serial in list {
        tasks.extend(tables.task(serial)?.filter(|task| !task.gone));
    }
    Ok(Answer::Tasks(tasks))
}
