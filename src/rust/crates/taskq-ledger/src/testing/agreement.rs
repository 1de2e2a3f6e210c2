//! Random calls to a store and to the model, which have to answer alike.
//!
//! Any call may be made again, at once or much later, as when its reply was lost or a copy of it was on its way for
//! long; clocks jump; agents and clients say what is not true any more.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::time::Duration;

use taskq_record::{GoneCause, Outcome, RetryOn, TaskId, TaskOptions};

use super::fixture::{after, input};
use super::invariants::Invariants;
use super::random::Random;
use crate::call::{Call, Held, Reply, Report};
use crate::config::PROTOCOL;
use crate::model::Model;
use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::MemberRole;
use crate::store::{Answer, Query, Store};
use crate::task::{Options, Push, Wanted};

/// Runs so many calls for each of these seeds on an empty store of its own, which `open` is given the incarnation of.
///
/// Panics when an answer differs from that of the model, or an invariant does not hold; the message names the seed.
pub fn run<S: Store>(
    mut open: impl FnMut(Nonce) -> S,
    seeds: impl IntoIterator<Item = u64>,
    calls: usize,
) {
    for seed in seeds {
        let store = open(Nonce(seed.into()));
        let ran = catch_unwind(AssertUnwindSafe(|| one(store, seed, calls)));
        if let Err(panic) = ran {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            match text.or_else(|| panic.downcast_ref::<&str>().copied()) {
                Some(text) => panic!("seed {seed}: {text}"),
                None => resume_unwind(panic),
            }
        }
    }
}

fn one<S: Store>(mut store: S, seed: u64, calls: usize) {
    let mut user = User::new(seed);
    let mut model = Model::new(Nonce(seed.into()), user.now);
    let mut watch = Invariants::default();
    for step in 0..calls {
        let call = user.next();
        let expected = model.call(user.now, &call);
        let found = store.call(user.now, &call);
        assert_eq!(found, expected, "the answer to call {step}, {call:?}");
        if let Ok(reply) = &found {
            user.hear(&call, reply);
        }
        watch.look(&mut store);
        for query in user.queries() {
            let (found, expected) = (store.ask(&query), model.ask(&query));
            // What the queue's counter shows is the model's own affair.
            let unequal = found != expected && !matches!(found, Ok(Answer::Queue(_)));
            assert!(
                !unequal,
                "{query:?} after call {step}, {call:?}: {found:?}, {expected:?}"
            );
        }
        user.made.push(call);
    }
}

/// Whoever calls, and what they know.
struct User {
    random: Random,
    now: Wall,
    made: Vec<Call>,
    clients: Vec<Incarnation>,
    agents: Vec<(Incarnation, u64)>,
    tasks: Vec<TaskId>,
    held: Vec<Held>,
    staged: Vec<(Nonce, u64)>,
    nonces: u128,
}

impl User {
    fn new(seed: u64) -> User {
        User {
            random: Random::new(seed),
            now: Wall(1 << 60),
            made: Vec::new(),
            clients: Vec::new(),
            agents: Vec::new(),
            tasks: Vec::new(),
            held: Vec::new(),
            staged: Vec::new(),
            nonces: 0,
        }
    }

    fn queries(&self) -> Vec<Query> {
        let mut queries = vec![Query::Counts, Query::Members, Query::Queue];
        queries.push(Query::Tasks {
            above: TaskId(0),
            limit: usize::MAX,
        });
        let done = |&client: &Incarnation| Query::Done { client, limit: 3 };
        queries.extend(self.clients.iter().map(done));
        queries.extend((0..6).map(|k| Query::Id(format!("t{k}").into())));
        queries
    }

    fn hear(&mut self, call: &Call, reply: &Reply) {
        match (call, reply) {
            (Call::Stage { stage, .. }, Reply::Pushed(serials)) => {
                self.tasks.extend(serials);
                self.staged.push((*stage, serials.len() as u64));
            }
            (_, Reply::Pushed(serials)) => self.tasks.extend(serials),
            (_, Reply::Granted(grants)) => self.held.extend(grants.iter().map(|grant| grant.held)),
            _ => {}
        }
        let keep = self.tasks.len().saturating_sub(20);
        self.tasks.drain(..keep);
        let keep = self.held.len().saturating_sub(8);
        self.held.drain(..keep);
    }

    fn next(&mut self) -> Call {
        self.pass();
        if self.random.permille(150) {
            if let Some(call) = self.random.pick(&self.made) {
                return call;
            }
        }
        if self.clients.is_empty() || self.random.permille(20) {
            return self.attach();
        }
        let client = self.random.pick(&self.clients).unwrap_or_default();
        let task = self.random.pick(&self.tasks).unwrap_or_default();
        match self.random.below(36) {
            0..=8 => Call::Push {
                client,
                push: self.push(),
            },
            9 => {
                let stage = self.nonce();
                let pushes = (0..3).map(|_| self.push()).collect();
                Call::Stage {
                    client,
                    stage,
                    pushes,
                }
            }
            10 => {
                let (stage, count) = self.random.pick(&self.staged).unwrap_or_default();
                Call::Show {
                    client,
                    stage,
                    count,
                }
            }
            11 => Call::Cancel { task },
            12 => Call::CancelTagged {
                tag: "tag".into(),
                after: TaskId(0),
            },
            13..=15 => Call::Take { client, task },
            16 | 17 => Call::Forget { task },
            18 => Call::Retry {
                task,
                nonce: self.nonce(),
            },
            19 => Call::Pause {
                paused: self.random.permille(300),
                version: 1 + self.random.below(4),
            },
            20 => Call::Tick { dead: vec![] },
            21 => Call::Renew {
                member: client,
                request: 0,
                held: vec![],
            },
            _ => self.agent(),
        }
    }

    fn attach(&mut self) -> Call {
        let member = Incarnation(self.nonce());
        let is_client = self.clients.is_empty() || self.random.permille(300);
        let role = if is_client {
            self.clients.push(member);
            MemberRole::Client
        } else {
            self.agents.push((member, 0));
            MemberRole::Agent { pool: "".into() }
        };
        Call::Attach {
            member,
            role,
            leased: self.random.permille(800),
            protocol: PROTOCOL,
            about: "".into(),
        }
    }

    fn agent(&mut self) -> Call {
        if self.agents.is_empty() {
            return self.attach();
        }
        let which = self.random.below(self.agents.len() as u64) as usize;
        let (agent, request) = self.agents[which];
        let one = self.random.pick(&self.held);
        let (random, all) = (&mut self.random, &self.held);
        let forgets = random.below(400);
        let held: Vec<Held> = all
            .iter()
            .copied()
            .filter(|_| !random.permille(forgets))
            .collect();
        let Some(one) = one.filter(|_| self.random.permille(700)) else {
            self.agents[which].1 += 1;
            return Call::Claim {
                agent,
                request: request + 1,
                held,
                count: self.random.below(4) as u32,
                fresh: self.nonce(),
            };
        };
        match self.random.below(20) {
            0..=6 => Call::Begin { held: vec![one] },
            7..=12 => Call::Complete {
                held: one,
                report: self.report(),
            },
            13 => Call::GiveBack { held: one },
            14 => Call::Progress {
                held: one,
                report: [1].into(),
            },
            15 => Call::Leave { member: agent },
            16 => Call::Tick { dead: vec![agent] },
            17 if self.random.permille(200) => Call::Drain { agent },
            _ => Call::Renew {
                member: agent,
                request: self.random.below(request + 1),
                held,
            },
        }
    }

    fn report(&mut self) -> Report {
        let cause = GoneCause::Unknown;
        let outcomes = [
            Outcome::Success,
            Outcome::Success,
            Outcome::Error,
            Outcome::Crash { cause },
            Outcome::Timeout,
            Outcome::Cancelled,
        ];
        Report {
            outcome: self.random.pick(&outcomes).unwrap_or_default(),
            value: [self.random.below(9) as u8].into(),
            ..Report::default()
        }
    }

    fn push(&mut self) -> Push {
        let id = format!("t{}", self.random.below(12)).into();
        let seconds = [0, 0, 0, 2, 30].map(Duration::from_secs);
        let random = &mut self.random;
        let task = TaskOptions {
            tries: 1 + random.below(3) as u32,
            retry_on: RetryOn {
                crash: random.permille(500),
                timeout: random.permille(500),
                error: random.permille(500),
            },
            backoff: random.pick(&seconds).unwrap_or_default(),
            priority: random.below(3) as i32 - 1,
            ..TaskOptions::default()
        };
        let options = Options {
            task,
            retry_on_lost: random.permille(300),
            at: random
                .permille(50)
                .then(|| self.now.after(Duration::from_secs(9))),
            delay: random.pick(&seconds).unwrap_or_default(),
            expires: random.permille(100).then(|| Duration::from_secs(20)),
            may_exceed: true,
        };
        let before = format!("t{}", random.below(12));
        let after = match random.below(6) {
            0 => vec![after(&before)],
            1 => vec![input("x", &before)],
            _ => vec![],
        };
        let whose = [Wanted::ByAnyone, Wanted::ByClient, Wanted::OnlyByClient];
        let whose = random.pick(&whose).unwrap_or_default();
        let key = random.permille(100).then(|| "key".into());
        let tag = random.permille(100).then(|| "tag".into());
        Push {
            id,
            nonce: self.nonce(),
            options,
            after,
            tag,
            key,
            whose,
            envelope: [7].into(),
            ..Push::default()
        }
    }

    fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce(self.nonces << 32)
    }

    fn pass(&mut self) {
        let time = match self.random.below(20) {
            0..=9 => Duration::from_millis(self.random.below(100)),
            10..=17 => Duration::from_millis(self.random.below(3_000)),
            18 => Duration::from_secs(self.random.below(100)),
            _ => {
                self.now = Wall(self.now.0 - self.random.below(20_000_000_000));
                return;
            }
        };
        self.now = self.now.after(time);
    }
}
