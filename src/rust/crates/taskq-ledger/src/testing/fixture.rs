//! A store with a clock, and short words for the calls that cases make.

use std::time::Duration;

use taskq_record::{GoneCause, Outcome, TaskId, TaskState};

use crate::call::{Call, Grant, Held, Refusal, Reply, Report};
use crate::config::PROTOCOL;
use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::{MemberRole, QueueRecord};
use crate::store::{Answer, Query, Store, TaskCounts};
use crate::task::{After, End, Push, Task};

/// A crash of a session.
pub const CRASH: Outcome = Outcome::Crash {
    cause: GoneCause::Signaled { signal: 9 },
};

/// A store with a clock.
pub struct Fixture<S> {
    /// The store.
    pub store: S,
    /// What its clock shows.
    pub now: Wall,
    /// Every reply is lost once: each call is made twice, and must be answered alike.
    pub lossy: bool,
    nonces: u128,
    request: u64,
}

impl<S: Store> Fixture<S> {
    /// A store that was just opened, and is empty.
    pub fn new(store: S, lossy: bool) -> Self {
        Fixture {
            store,
            now: Wall(1_000_000_000),
            lossy,
            nonces: 0,
            request: 0,
        }
    }

    /// One that was not there before.
    pub fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce(self.nonces << 32)
    }

    /// Time passes, in steps that an undisturbed store sees.
    pub fn pass(&mut self, time: Duration) {
        let step = Duration::from_secs(5);
        let mut left = time;
        while !left.is_zero() {
            let part = left.min(step);
            self.now = self.now.after(part);
            left -= part;
            self.tick();
        }
    }

    /// Makes a call, twice when replies are lost.
    pub fn try_call(&mut self, call: &Call) -> Result<Reply, Refusal> {
        self.now = self.now.after(Duration::from_micros(1));
        let first = self.store.call(self.now, call);
        if !self.lossy {
            return first;
        }
        let second = self.store.call(self.now, call);
        let same = match call {
            // These go on where they were.
            Call::Tick { .. } | Call::Destroy | Call::CancelTagged { .. } => true,
            // An agent does the same after both answers, and the record may have gone with the first.
            Call::Complete { held, .. } if self.look(held.task).is_none() => true,
            _ => first == second,
        };
        assert!(
            same,
            "{call:?} was answered by {first:?}, and repeated by {second:?}"
        );
        second
    }

    /// A call that is not refused.
    pub fn call(&mut self, call: &Call) -> Reply {
        self.try_call(call)
            .unwrap_or_else(|refusal| panic!("{call:?} was refused: {refusal}"))
    }

    /// A call that is refused.
    pub fn refused(&mut self, call: &Call) -> Refusal {
        match self.try_call(call) {
            Ok(reply) => panic!("{call:?} was answered by {reply:?}"),
            Err(refusal) => refusal,
        }
    }

    /// A new client.
    pub fn client(&mut self) -> Incarnation {
        self.attach(MemberRole::Client)
    }

    /// A new agent of the usual pool.
    pub fn agent(&mut self) -> Incarnation {
        self.attach(MemberRole::Agent { pool: "".into() })
    }

    /// A new agent or client.
    pub fn attach(&mut self, role: MemberRole) -> Incarnation {
        let member = Incarnation(self.nonce());
        self.call(&Call::Attach {
            member,
            role,
            leased: true,
            protocol: PROTOCOL,
            about: "".into(),
        });
        member
    }

    /// A task of this id, changed as wanted.
    pub fn task(&mut self, id: &str, change: impl FnOnce(&mut Push)) -> Push {
        let mut push = Push {
            id: id.into(),
            nonce: self.nonce(),
            envelope: id.as_bytes().into(),
            ..Push::default()
        };
        change(&mut push);
        push
    }

    /// Pushes it.
    pub fn push(
        &mut self,
        client: Incarnation,
        id: &str,
        change: impl FnOnce(&mut Push),
    ) -> TaskId {
        let push = self.task(id, change);
        match self.call(&Call::Push { client, push }) {
            Reply::Pushed(serials) => serials[0],
            other => panic!("{other:?}"),
        }
    }

    /// Claims, naming what is held.
    pub fn claim_holding(&mut self, agent: Incarnation, count: u32, held: &[Held]) -> Vec<Grant> {
        self.request += 1;
        let claim = Call::Claim {
            agent,
            request: self.request,
            held: held.to_vec(),
            count,
            fresh: self.nonce(),
        };
        match self.call(&claim) {
            Reply::Granted(grants) => grants,
            other => panic!("{other:?}"),
        }
    }

    /// Claims, when nothing is held.
    pub fn claim(&mut self, agent: Incarnation, count: u32) -> Vec<Held> {
        let grants = self.claim_holding(agent, count, &[]);
        grants.iter().map(|grant| grant.held).collect()
    }

    /// Begins, and says whether it may run.
    pub fn begin(&mut self, held: Held) -> bool {
        self.call(&Call::Begin { held: vec![held] }) == Reply::Begun(vec![held])
    }

    /// Claims the next task alone, and begins it.
    pub fn run(&mut self, agent: Incarnation) -> Held {
        let held = self.claim(agent, 1);
        assert_eq!(held.len(), 1, "a task is due");
        assert!(self.begin(held[0]));
        held[0]
    }

    /// Completes.
    pub fn complete(&mut self, held: Held, outcome: Outcome) -> Reply {
        let report = Report {
            outcome,
            value: format!("{:?}", held.task).into_bytes().into(),
            ..Report::default()
        };
        self.call(&Call::Complete { held, report })
    }

    /// Time is looked at, until nothing is left to do.
    pub fn tick(&mut self) {
        while self.call(&Call::Tick { dead: vec![] }) == Reply::More(true) {}
    }

    /// The record of a task, unless users have forgotten it.
    pub fn look(&mut self, task: TaskId) -> Option<Task> {
        match self.store.ask(&Query::Task(task)) {
            Ok(Answer::Tasks(mut tasks)) => tasks.pop(),
            other => panic!("{other:?}"),
        }
    }

    /// Where a task is, in the user's words: its state, or its status when it is done.
    pub fn word(&mut self, task: TaskId) -> &'static str {
        let Some(task) = self.look(task) else {
            return "gone";
        };
        match task.done() {
            Some(done) => done.end.word(),
            None if task.state_word() == TaskState::Done => panic!("done without an outcome"),
            None => task.state_word().word(),
        }
    }

    /// How a done task ended.
    pub fn end(&mut self, task: TaskId) -> End {
        let task = self.look(task).unwrap_or_else(|| panic!("no such task"));
        task.done()
            .unwrap_or_else(|| panic!("it has not ended"))
            .end
    }

    /// How many wait, run and are done.
    pub fn counts(&mut self) -> (u64, u64, u64) {
        match self.store.ask(&Query::Counts) {
            Ok(Answer::Counts(TaskCounts {
                waiting,
                running,
                done,
            })) => (waiting, running, done),
            other => panic!("{other:?}"),
        }
    }

    /// What a client may take.
    pub fn done(&mut self, client: Incarnation) -> Vec<TaskId> {
        match self.store.ask(&Query::Done {
            client,
            limit: 1000,
        }) {
            Ok(Answer::Tasks(tasks)) => tasks.iter().map(|task| task.serial).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// The queue's record.
    pub fn queue(&mut self) -> QueueRecord {
        match self.store.ask(&Query::Queue) {
            Ok(Answer::Queue(queue)) => *queue,
            other => panic!("{other:?}"),
        }
    }
}

/// A task before another, whose value is no argument.
#[must_use]
pub fn after(id: &str) -> After {
    After {
        id: id.into(),
        argument: None,
    }
}

/// A task before another, whose value is an argument.
#[must_use]
pub fn input(argument: &str, id: &str) -> After {
    After {
        id: id.into(),
        argument: Some(argument.into()),
    }
}
