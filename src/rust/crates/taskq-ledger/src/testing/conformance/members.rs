//! Agents and clients that come and go.

use std::time::Duration;

use taskq_record::Outcome;

use super::super::bench::Bench;
use super::Case;
use crate::call::{Call, Refusal, Reply};
use crate::config::PROTOCOL;
use crate::names::{Incarnation, Nonce, Wall};
use crate::queue::MemberRole;
use crate::store::Store;
use crate::task::{End, LostReason, Push, Wanted};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        (
            "an agent whose protocol is not understood is refused, both are named",
            protocol,
        ),
        (
            "what a lost agent had not begun waits again, what it had is lost",
            lost,
        ),
        (
            "a lost agent's task is tried again when it asks for that",
            lost_retry,
        ),
        (
            "an agent that renews is not lost, a lost one is unknown",
            renewal,
        ),
        (
            "no jump of the clock, nor an absence of the store, ends a lease",
            jumps,
        ),
        (
            "an agent that holds a lock is lost when the store says so, and not before",
            locked,
        ),
        ("an agent that drains is granted nothing", drain),
        (
            "what a client has taken and not forgotten shows again when it ends",
            client_took,
        ),
        (
            "a promise belongs to its client while that lives, then to anyone",
            promise,
        ),
        (
            "a client of more tasks than a step ends in steps",
            many_of_a_client,
        ),
        (
            "what is of no use without its client is cancelled and removed with it",
            only,
        ),
    ]
}

fn protocol<S: Store>(bench: &mut Bench<S>) {
    let attach = |protocol| Call::Attach {
        member: Incarnation(Nonce(17)),
        role: MemberRole::Client,
        leased: true,
        protocol,
        about: "".into(),
    };
    let (theirs, ours) = (PROTOCOL + 1, PROTOCOL);
    assert_eq!(
        bench.refused(&attach(theirs)),
        Refusal::Protocol { theirs, ours }
    );
    assert_eq!(bench.call(&attach(ours)), Reply::Fine);
}

fn lost<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let begun = bench.push(client, "a", |_| ());
    let claimed = bench.push(client, "b", |_| ());
    let held = bench.claim(agent, 2);
    bench.begin(held[0]);
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.end(begun), End::Lost(LostReason::AgentLost));
    assert_eq!(
        (bench.word(begun), bench.word(claimed)),
        ("crash", "waiting")
    );
    assert_eq!(bench.complete(held[0], Outcome::Success), Reply::Fenced);
    let agent = bench.agent();
    let again = bench.run(agent);
    assert_eq!(again.task, claimed);
    assert_eq!(bench.look(claimed).map(|task| task.tries), Some(1));
}

fn lost_retry<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    for on_crash in [false, true] {
        let agent = bench.agent();
        let task = bench.push(client, "a", |push| {
            push.options.task.tries = 2;
            push.options.task.retry_on.crash = on_crash;
            push.options.retry_on_lost = !on_crash;
        });
        bench.run(agent);
        bench.call(&Call::Leave { member: agent });
        assert_eq!(bench.word(task), "waiting");
        let agent = bench.agent();
        bench.run(agent);
        bench.call(&Call::Leave { member: agent });
        assert_eq!(bench.end(task), End::Lost(LostReason::Closed));
        bench.call(&Call::Forget { task });
    }
}

fn renewal<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |_| ());
    let held = bench.run(agent);
    let renew = Call::Renew {
        member: agent,
        request: 1,
        held: vec![held],
    };
    for _ in 0..5 {
        bench.pass(Duration::from_secs(20));
        bench.call(&renew);
    }
    assert_eq!(bench.word(task), "running");
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.refused(&renew), Refusal::UnknownMember);
}

fn jumps<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |_| ());
    bench.run(agent);
    let hour = Duration::from_secs(3600);
    bench.now = bench.now.after(hour);
    bench.tick();
    assert_eq!(bench.word(task), "running", "forward");
    bench.now = Wall(1);
    bench.tick();
    assert_eq!(bench.word(task), "running", "backward");
    bench.pass(Duration::from_secs(31));
    assert_eq!(bench.word(task), "crash", "but it ends");
}

fn locked<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let agent = Incarnation(bench.nonce());
    bench.call(&Call::Attach {
        member: agent,
        role: MemberRole::Agent { pool: "".into() },
        leased: false,
        protocol: PROTOCOL,
        about: "".into(),
    });
    let task = bench.push(client, "a", |_| ());
    bench.run(agent);
    bench.pass(Duration::from_secs(300));
    assert_eq!(bench.word(task), "running");
    bench.call(&Call::Tick { dead: vec![agent] });
    assert_eq!(bench.end(task), End::Lost(LostReason::AgentLost));
}

fn drain<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    bench.push(client, "a", |_| ());
    bench.call(&Call::Drain { agent });
    assert!(bench.claim(agent, 1).is_empty());
    let renew = Call::Renew {
        member: agent,
        request: 0,
        held: vec![],
    };
    assert!(matches!(
        bench.call(&renew),
        Reply::Renewed { drain: true, .. }
    ));
}

fn client_took<S: Store>(bench: &mut Bench<S>) {
    let (first, second, agent) = (bench.client(), bench.client(), bench.agent());
    let task = bench.push(first, "a", |_| ());
    let held = bench.run(agent);
    bench.complete(held, Outcome::Success);
    bench.call(&Call::Take {
        client: first,
        task,
    });
    assert!(bench.done(second).is_empty());
    assert_eq!(
        bench.refused(&Call::Take {
            client: second,
            task
        }),
        Refusal::NotYours
    );
    bench.call(&Call::Leave { member: first });
    assert_eq!(bench.done(second), [task]);
    bench.call(&Call::Take {
        client: second,
        task,
    });
    assert_eq!(
        bench.refused(&Call::Take {
            client: first,
            task
        }),
        Refusal::UnknownMember
    );
}

fn promise<S: Store>(bench: &mut Bench<S>) {
    let (first, second, agent) = (bench.client(), bench.client(), bench.agent());
    let task = bench.push(first, "a", |push| push.whose = Wanted::ByClient);
    let held = bench.run(agent);
    bench.complete(held, Outcome::Success);
    assert_eq!(
        bench.refused(&Call::Take {
            client: second,
            task
        }),
        Refusal::NotYours
    );
    assert_eq!(
        (bench.done(first), bench.done(second)),
        (vec![task], vec![])
    );
    bench.call(&Call::Leave { member: first });
    assert_eq!(bench.done(second), [task]);
}

fn many_of_a_client<S: Store>(bench: &mut Bench<S>) {
    let (client, stage, count) = (bench.client(), bench.nonce(), 1400);
    for step in 0..2 {
        let mine = |push: &mut Push| push.whose = Wanted::OnlyByClient;
        let pushes = (0..count / 2).map(|k| bench.task(&format!("{step}-{k}"), mine));
        let pushes = pushes.collect();
        bench.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    bench.call(&Call::Show {
        client,
        stage,
        count,
    });
    bench.tick();
    bench.call(&Call::Leave { member: client });
    assert!(bench.lossy || bench.counts().0 > 0, "one call ends a step");
    bench.tick();
    assert_eq!(bench.counts(), (0, 0, 0));
}

fn only<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    for id in ["done", "runs", "waits"] {
        bench.push(client, id, |push| push.whose = Wanted::OnlyByClient);
    }
    let held = bench.run(agent);
    bench.complete(held, Outcome::Success);
    let held = bench.run(agent);
    bench.call(&Call::Leave { member: client });
    assert_eq!(bench.counts(), (0, 0, 0));
    let renew = Call::Renew {
        member: agent,
        request: 2,
        held: vec![held],
    };
    let Reply::Renewed { cancel, .. } = bench.call(&renew) else {
        panic!()
    };
    assert_eq!(cancel, [held]);
    bench.complete(held, Outcome::Cancelled);
    assert!(bench.claim(agent, 9).is_empty());
    assert_eq!(bench.counts(), (0, 0, 0));
}
