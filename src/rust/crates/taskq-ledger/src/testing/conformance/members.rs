//! Agents and clients that come and go.

use std::time::Duration;

use taskq_record::Outcome;

use super::super::fixture::Fixture;
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

fn protocol<S: Store>(fixture: &mut Fixture<S>) {
    let attach = |protocol| Call::Attach {
        member: Incarnation(Nonce(17)),
        role: MemberRole::Client,
        leased: true,
        protocol,
        about: "".into(),
    };
    let (theirs, ours) = (PROTOCOL + 1, PROTOCOL);
    assert_eq!(
        fixture.refused(&attach(theirs)),
        Refusal::Protocol { theirs, ours }
    );
    assert_eq!(fixture.call(&attach(ours)), Reply::Fine);
}

fn lost<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let begun = fixture.push(client, "a", |_| ());
    let claimed = fixture.push(client, "b", |_| ());
    let held = fixture.claim(agent, 2);
    fixture.begin(held[0]);
    fixture.pass(Duration::from_secs(31));
    assert_eq!(fixture.end(begun), End::Lost(LostReason::AgentLost));
    assert_eq!(
        (fixture.word(begun), fixture.word(claimed)),
        ("crash", "waiting")
    );
    assert_eq!(fixture.complete(held[0], Outcome::Success), Reply::Fenced);
    let agent = fixture.agent();
    let again = fixture.run(agent);
    assert_eq!(again.task, claimed);
    assert_eq!(fixture.look(claimed).map(|task| task.tries), Some(1));
}

fn lost_retry<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    for on_crash in [false, true] {
        let agent = fixture.agent();
        let task = fixture.push(client, "a", |push| {
            push.options.task.tries = 2;
            push.options.task.retry_on.crash = on_crash;
            push.options.retry_on_lost = !on_crash;
        });
        fixture.run(agent);
        fixture.call(&Call::Leave { member: agent });
        assert_eq!(fixture.word(task), "waiting");
        let agent = fixture.agent();
        fixture.run(agent);
        fixture.call(&Call::Leave { member: agent });
        assert_eq!(fixture.end(task), End::Lost(LostReason::Closed));
        fixture.call(&Call::Forget { task });
    }
}

fn renewal<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let held = fixture.run(agent);
    let renew = Call::Renew {
        member: agent,
        request: 1,
        held: vec![held],
    };
    for _ in 0..5 {
        fixture.pass(Duration::from_secs(20));
        fixture.call(&renew);
    }
    assert_eq!(fixture.word(task), "running");
    fixture.pass(Duration::from_secs(31));
    assert_eq!(fixture.refused(&renew), Refusal::UnknownMember);
}

fn jumps<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    fixture.run(agent);
    let hour = Duration::from_secs(3600);
    fixture.now = fixture.now.after(hour);
    fixture.tick();
    assert_eq!(fixture.word(task), "running", "forward");
    fixture.now = Wall(1);
    fixture.tick();
    assert_eq!(fixture.word(task), "running", "backward");
    fixture.pass(Duration::from_secs(31));
    assert_eq!(fixture.word(task), "crash", "but it ends");
}

fn locked<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let agent = Incarnation(fixture.nonce());
    fixture.call(&Call::Attach {
        member: agent,
        role: MemberRole::Agent { pool: "".into() },
        leased: false,
        protocol: PROTOCOL,
        about: "".into(),
    });
    let task = fixture.push(client, "a", |_| ());
    fixture.run(agent);
    fixture.pass(Duration::from_secs(300));
    assert_eq!(fixture.word(task), "running");
    fixture.call(&Call::Tick { dead: vec![agent] });
    assert_eq!(fixture.end(task), End::Lost(LostReason::AgentLost));
}

fn drain<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    fixture.push(client, "a", |_| ());
    fixture.call(&Call::Drain { agent });
    assert!(fixture.claim(agent, 1).is_empty());
    let renew = Call::Renew {
        member: agent,
        request: 0,
        held: vec![],
    };
    assert!(matches!(
        fixture.call(&renew),
        Reply::Renewed { drain: true, .. }
    ));
}

fn client_took<S: Store>(fixture: &mut Fixture<S>) {
    let (first, second, agent) = (fixture.client(), fixture.client(), fixture.agent());
    let task = fixture.push(first, "a", |_| ());
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Success);
    fixture.call(&Call::Take {
        client: first,
        task,
    });
    assert!(fixture.done(second).is_empty());
    assert_eq!(
        fixture.refused(&Call::Take {
            client: second,
            task
        }),
        Refusal::NotYours
    );
    fixture.call(&Call::Leave { member: first });
    assert_eq!(fixture.done(second), [task]);
    fixture.call(&Call::Take {
        client: second,
        task,
    });
    assert_eq!(
        fixture.refused(&Call::Take {
            client: first,
            task
        }),
        Refusal::UnknownMember
    );
}

fn promise<S: Store>(fixture: &mut Fixture<S>) {
    let (first, second, agent) = (fixture.client(), fixture.client(), fixture.agent());
    let task = fixture.push(first, "a", |push| push.whose = Wanted::ByClient);
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Success);
    assert_eq!(
        fixture.refused(&Call::Take {
            client: second,
            task
        }),
        Refusal::NotYours
    );
    assert_eq!(
        (fixture.done(first), fixture.done(second)),
        (vec![task], vec![])
    );
    fixture.call(&Call::Leave { member: first });
    assert_eq!(fixture.done(second), [task]);
}

fn many_of_a_client<S: Store>(fixture: &mut Fixture<S>) {
    let (client, stage, count) = (fixture.client(), fixture.nonce(), 1400);
    for step in 0..2 {
        let mine = |push: &mut Push| push.whose = Wanted::OnlyByClient;
        let pushes = (0..count / 2).map(|k| fixture.task(&format!("{step}-{k}"), mine));
        let pushes = pushes.collect();
        fixture.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    fixture.call(&Call::Show {
        client,
        stage,
        count,
    });
    fixture.tick();
    fixture.call(&Call::Leave { member: client });
    assert!(
        fixture.lossy || fixture.counts().0 > 0,
        "one call ends a step"
    );
    fixture.tick();
    assert_eq!(fixture.counts(), (0, 0, 0));
}

fn only<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    for id in ["done", "runs", "waits"] {
        fixture.push(client, id, |push| push.whose = Wanted::OnlyByClient);
    }
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Success);
    let held = fixture.run(agent);
    fixture.call(&Call::Leave { member: client });
    assert_eq!(fixture.counts(), (0, 0, 0));
    let renew = Call::Renew {
        member: agent,
        request: 2,
        held: vec![held],
    };
    let Reply::Renewed { cancel, .. } = fixture.call(&renew) else {
        panic!()
    };
    assert_eq!(cancel, [held]);
    fixture.complete(held, Outcome::Cancelled);
    assert!(fixture.claim(agent, 9).is_empty());
    assert_eq!(fixture.counts(), (0, 0, 0));
}
