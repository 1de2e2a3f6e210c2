//! How tasks come in.

use std::time::Duration;

use taskq_record::{TaskId, TaskState};

use super::super::fixture::{after, Fixture, CRASH};
use super::Case;
use crate::call::{Call, Refusal, Reply};
use crate::names::{Incarnation, Nonce};
use crate::queue::MemberRole;
use crate::store::Store;
use crate::task::Push;

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        (
            "a repeated push adds nothing, another of its id is refused",
            repeated_push,
        ),
        (
            "a push that was forgotten is still the same push",
            push_after_forget,
        ),
        ("the id of a forgotten task is free", id_is_free),
        (
            "a push by a client that the store does not know is refused",
            unknown_client,
        ),
        ("of many tasks all are pushed at once, or none", stage),
        ("more tasks than a step are pushed in steps", many),
        ("a stage that its client has left is swept", abandoned_stage),
        (
            "a stage that is not finished is swept, though its client lives",
            slow_stage,
        ),
        (
            "a full queue takes no task, but those that may exceed",
            full,
        ),
        (
            "tasks are granted by priority, then in the order of their pushes",
            priority,
        ),
        ("an agent is granted tasks of its pool", pools),
        (
            "a task with a delay, or a time, is not granted before",
            delay,
        ),
        (
            "a task that waits for too long expires, one that has begun does not",
            expiry,
        ),
        (
            "a task that waits for its second try does not expire",
            retried_does_not_expire,
        ),
        (
            "a task takes the place of the one before with the same key",
            key,
        ),
    ]
}

fn repeated_push<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let push = fixture.task("a", |_| ());
    let call = Call::Push { client, push };
    let first = fixture.call(&call);
    assert_eq!(fixture.call(&call), first);
    let push = fixture.task("a", |_| ());
    let refusal = fixture.refused(&Call::Push { client, push });
    let (id, state) = ("a".into(), TaskState::Waiting);
    assert_eq!(refusal, Refusal::Duplicate { id, state });
    assert_eq!(fixture.counts(), (1, 0, 0));
}

fn push_after_forget<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let push = fixture.task("a", |_| ());
    let call = Call::Push { client, push };
    let first = fixture.call(&call);
    let held = fixture.run(agent);
    fixture.complete(held, Default::default());
    fixture.call(&Call::Forget { task: held.task });
    assert_eq!(fixture.call(&call), first);
    assert_eq!(fixture.counts(), (0, 0, 0));
}

fn id_is_free<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let first = fixture.push(client, "a", |_| ());
    let held = fixture.run(agent);
    fixture.complete(held, Default::default());
    fixture.call(&Call::Forget { task: first });
    let second = fixture.push(client, "a", |_| ());
    assert!(second > first, "another life has another serial");
    // What was said to the first life does not touch the second.
    fixture.call(&Call::Forget { task: first });
    fixture.refused(&Call::Cancel { task: first });
    assert_eq!(fixture.word(second), "waiting");
}

fn unknown_client<S: Store>(fixture: &mut Fixture<S>) {
    let push = fixture.task("a", |_| ());
    let client = Incarnation(Nonce(17));
    let refusal = fixture.refused(&Call::Push { client, push });
    assert_eq!(refusal, Refusal::UnknownMember);
}

fn stage<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent, stage) = (fixture.client(), fixture.agent(), fixture.nonce());
    let pushes = ["a", "b", "c"].map(|id| fixture.task(id, |_| ()));
    for push in pushes {
        let pushes = vec![push];
        fixture.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
        assert!(fixture.claim(agent, 5).is_empty(), "nothing is shown yet");
    }
    let refusal = fixture.refused(&Call::Show {
        client,
        stage,
        count: 4,
    });
    assert_eq!(refusal, Refusal::Incomplete { staged: 3 });
    fixture.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    fixture.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    assert_eq!(fixture.claim(agent, 5).len(), 3);
}

fn many<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent, stage) = (fixture.client(), fixture.agent(), fixture.nonce());
    let tasks: Vec<Push> = (0..1700)
        .map(|k| fixture.task(&format!(".{k}"), |_| ()))
        .collect();
    let pushes = tasks.clone();
    let refusal = fixture.refused(&Call::Stage {
        client,
        stage,
        pushes,
    });
    assert_eq!(refusal, Refusal::TooMany);
    for pushes in tasks.chunks(1000).map(<[Push]>::to_vec) {
        fixture.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    fixture.call(&Call::Show {
        client,
        stage,
        count: 1700,
    });
    assert_eq!(
        fixture.counts().0,
        1700,
        "all are pushed, although one step does not move them"
    );
    fixture.tick();
    assert_eq!(
        fixture.claim(agent, 2000).len(),
        1000,
        "a call grants a step"
    );
}

fn abandoned_stage<S: Store>(fixture: &mut Fixture<S>) {
    let (client, stage) = (fixture.client(), fixture.nonce());
    let pushes = vec![fixture.task("a", |_| ())];
    fixture.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    fixture.call(&Call::Leave { member: client });
    fixture.tick();
    let client = fixture.client();
    fixture.push(client, "a", |_| ());
    assert_eq!(fixture.counts(), (1, 0, 0));
}

fn slow_stage<S: Store>(fixture: &mut Fixture<S>) {
    let (client, stage) = (fixture.client(), fixture.nonce());
    let pushes = vec![fixture.task("a", |_| ())];
    fixture.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    for _ in 0..31 {
        fixture.pass(Duration::from_secs(20));
        fixture.call(&Call::Renew {
            member: client,
            request: 0,
            held: vec![],
        });
    }
    let refusal = fixture.refused(&Call::Show {
        client,
        stage,
        count: 1,
    });
    assert_eq!(refusal, Refusal::Incomplete { staged: 0 });
    fixture.push(client, "a", |_| ());
}

fn full<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let version = fixture.queue().version;
    fixture.call(&Call::Replace {
        settings: [].into(),
        max_waiting: 1,
        version,
    });
    fixture.push(client, "a", |_| ());
    let push = fixture.task("b", |_| ());
    assert_eq!(fixture.refused(&Call::Push { client, push }), Refusal::Full);
    fixture.push(client, "b", |push| push.options.may_exceed = true);
}

fn priority<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let mut serials = Vec::new();
    for (id, priority) in [("a", 0), ("b", 5), ("c", -5), ("d", 5), ("e", 0)] {
        serials.push(fixture.push(client, id, |push| push.options.task.priority = priority));
    }
    let order: Vec<TaskId> = fixture
        .claim(agent, 9)
        .iter()
        .map(|held| held.task)
        .collect();
    assert_eq!(order, [1, 3, 0, 4, 2].map(|k: usize| serials[k]));
}

fn pools<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |push| push.pool = "gpu".into());
    assert!(fixture.claim(agent, 1).is_empty());
    let other = fixture.attach(MemberRole::Agent { pool: "gpu".into() });
    assert_eq!(fixture.claim(other, 1)[0].task, task);
}

fn delay<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let at = fixture.now.after(Duration::from_secs(20));
    fixture.push(client, "delay", |push| {
        push.options.delay = Duration::from_secs(10)
    });
    fixture.push(client, "at", |push| push.options.at = Some(at));
    assert!(fixture.claim(agent, 9).is_empty());
    fixture.pass(Duration::from_secs(9));
    assert!(fixture.claim(agent, 9).is_empty());
    fixture.pass(Duration::from_secs(1));
    let first = fixture.claim_holding(agent, 9, &[]);
    assert_eq!(&*first[0].id, "delay");
    fixture.pass(Duration::from_secs(10));
    let second = fixture.claim_holding(agent, 9, &[first[0].held]);
    assert_eq!((second.len(), &*second[0].id), (1, "at"));
}

fn expiry<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let soon = |push: &mut Push| push.options.expires = Some(Duration::from_secs(10));
    let runs = fixture.push(client, "runs", soon);
    fixture.run(agent);
    let claimed = fixture.push(client, "claimed", soon);
    let other = fixture.agent();
    let held = fixture.claim(other, 1)[0];
    let waits = fixture.push(client, "waits", soon);
    let held_up = fixture.push(client, "held", |push| {
        soon(push);
        push.after = vec![after("runs")];
    });
    fixture.pass(Duration::from_secs(11));
    assert_eq!(fixture.word(runs), "running");
    assert_eq!(fixture.word(waits), "expired");
    assert_eq!(fixture.word(held_up), "expired");
    assert!(!fixture.begin(held), "it has expired on its way");
    assert_eq!(fixture.word(claimed), "expired");
}

fn retried_does_not_expire<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |push| {
        push.options.expires = Some(Duration::from_secs(10));
        push.options.task.tries = 2;
    });
    let held = fixture.run(agent);
    fixture.complete(held, CRASH);
    fixture.pass(Duration::from_secs(11));
    assert_eq!(fixture.word(task), "waiting");
    fixture.run(agent);
}

fn key<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let keyed = |push: &mut Push| push.key = Some("k".into());
    let first = fixture.push(client, "a", keyed);
    let held = fixture.run(agent);
    let second = fixture.push(client, "b", keyed);
    assert_eq!(fixture.word(first), "running", "its agent is told");
    let renew = Call::Renew {
        member: agent,
        request: 1,
        held: vec![held],
    };
    let Reply::Renewed { cancel, .. } = fixture.call(&renew) else {
        panic!()
    };
    assert_eq!(cancel, [held]);
    let third = fixture.push(client, "c", keyed);
    assert_eq!(
        (fixture.word(second), fixture.word(third)),
        ("cancelled", "waiting")
    );
}
