//! How tasks come in.

use std::time::Duration;

use taskq_record::{TaskId, TaskState};

use super::super::bench::{after, Bench, CRASH};
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

fn repeated_push<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let push = bench.task("a", |_| ());
    let call = Call::Push { client, push };
    let first = bench.call(&call);
    assert_eq!(bench.call(&call), first);
    let push = bench.task("a", |_| ());
    let refusal = bench.refused(&Call::Push { client, push });
    let (id, state) = ("a".into(), TaskState::Waiting);
    assert_eq!(refusal, Refusal::Duplicate { id, state });
    assert_eq!(bench.counts(), (1, 0, 0));
}

fn push_after_forget<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let push = bench.task("a", |_| ());
    let call = Call::Push { client, push };
    let first = bench.call(&call);
    let held = bench.run(agent);
    bench.complete(held, Default::default());
    bench.call(&Call::Forget { task: held.task });
    assert_eq!(bench.call(&call), first);
    assert_eq!(bench.counts(), (0, 0, 0));
}

fn id_is_free<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let first = bench.push(client, "a", |_| ());
    let held = bench.run(agent);
    bench.complete(held, Default::default());
    bench.call(&Call::Forget { task: first });
    let second = bench.push(client, "a", |_| ());
    assert!(second > first, "another life has another serial");
    // What was said to the first life does not touch the second.
    bench.call(&Call::Forget { task: first });
    bench.refused(&Call::Cancel { task: first });
    assert_eq!(bench.word(second), "waiting");
}

fn unknown_client<S: Store>(bench: &mut Bench<S>) {
    let push = bench.task("a", |_| ());
    let client = Incarnation(Nonce(17));
    let refusal = bench.refused(&Call::Push { client, push });
    assert_eq!(refusal, Refusal::UnknownMember);
}

fn stage<S: Store>(bench: &mut Bench<S>) {
    let (client, agent, stage) = (bench.client(), bench.agent(), bench.nonce());
    let pushes = ["a", "b", "c"].map(|id| bench.task(id, |_| ()));
    for push in pushes {
        let pushes = vec![push];
        bench.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
        assert!(bench.claim(agent, 5).is_empty(), "nothing is shown yet");
    }
    let refusal = bench.refused(&Call::Show {
        client,
        stage,
        count: 4,
    });
    assert_eq!(refusal, Refusal::Incomplete { staged: 3 });
    bench.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    bench.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    assert_eq!(bench.claim(agent, 5).len(), 3);
}

fn many<S: Store>(bench: &mut Bench<S>) {
    let (client, agent, stage) = (bench.client(), bench.agent(), bench.nonce());
    let tasks: Vec<Push> = (0..1700)
        .map(|k| bench.task(&format!(".{k}"), |_| ()))
        .collect();
    let pushes = tasks.clone();
    let refusal = bench.refused(&Call::Stage {
        client,
        stage,
        pushes,
    });
    assert_eq!(refusal, Refusal::TooMany);
    for pushes in tasks.chunks(1000).map(<[Push]>::to_vec) {
        bench.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    bench.call(&Call::Show {
        client,
        stage,
        count: 1700,
    });
    assert_eq!(
        bench.counts().0,
        1700,
        "all are pushed, although one step does not move them"
    );
    bench.tick();
    assert_eq!(bench.claim(agent, 2000).len(), 1000, "a call grants a step");
}

fn abandoned_stage<S: Store>(bench: &mut Bench<S>) {
    let (client, stage) = (bench.client(), bench.nonce());
    let pushes = vec![bench.task("a", |_| ())];
    bench.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    bench.call(&Call::Leave { member: client });
    bench.tick();
    let client = bench.client();
    bench.push(client, "a", |_| ());
    assert_eq!(bench.counts(), (1, 0, 0));
}

fn slow_stage<S: Store>(bench: &mut Bench<S>) {
    let (client, stage) = (bench.client(), bench.nonce());
    let pushes = vec![bench.task("a", |_| ())];
    bench.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    for _ in 0..31 {
        bench.pass(Duration::from_secs(20));
        bench.call(&Call::Renew {
            member: client,
            request: 0,
            held: vec![],
        });
    }
    let refusal = bench.refused(&Call::Show {
        client,
        stage,
        count: 1,
    });
    assert_eq!(refusal, Refusal::Incomplete { staged: 0 });
    bench.push(client, "a", |_| ());
}

fn full<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let version = bench.queue().version;
    bench.call(&Call::Replace {
        settings: [].into(),
        max_waiting: 1,
        version,
    });
    bench.push(client, "a", |_| ());
    let push = bench.task("b", |_| ());
    assert_eq!(bench.refused(&Call::Push { client, push }), Refusal::Full);
    bench.push(client, "b", |push| push.options.may_exceed = true);
}

fn priority<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let mut serials = Vec::new();
    for (id, priority) in [("a", 0), ("b", 5), ("c", -5), ("d", 5), ("e", 0)] {
        serials.push(bench.push(client, id, |push| push.options.task.priority = priority));
    }
    let order: Vec<TaskId> = bench.claim(agent, 9).iter().map(|held| held.task).collect();
    assert_eq!(order, [1, 3, 0, 4, 2].map(|k: usize| serials[k]));
}

fn pools<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |push| push.pool = "gpu".into());
    assert!(bench.claim(agent, 1).is_empty());
    let other = bench.attach(MemberRole::Agent { pool: "gpu".into() });
    assert_eq!(bench.claim(other, 1)[0].task, task);
}

fn delay<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let at = bench.now.after(Duration::from_secs(20));
    bench.push(client, "delay", |push| {
        push.options.delay = Duration::from_secs(10)
    });
    bench.push(client, "at", |push| push.options.at = Some(at));
    assert!(bench.claim(agent, 9).is_empty());
    bench.pass(Duration::from_secs(9));
    assert!(bench.claim(agent, 9).is_empty());
    bench.pass(Duration::from_secs(1));
    let first = bench.claim_holding(agent, 9, &[]);
    assert_eq!(&*first[0].id, "delay");
    bench.pass(Duration::from_secs(10));
    let second = bench.claim_holding(agent, 9, &[first[0].held]);
    assert_eq!((second.len(), &*second[0].id), (1, "at"));
}

fn expiry<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let soon = |push: &mut Push| push.options.expires = Some(Duration::from_secs(10));
    let runs = bench.push(client, "runs", soon);
    bench.run(agent);
    let claimed = bench.push(client, "claimed", soon);
    let other = bench.agent();
    let held = bench.claim(other, 1)[0];
    let waits = bench.push(client, "waits", soon);
    let held_up = bench.push(client, "held", |push| {
        soon(push);
        push.after = vec![after("runs")];
    });
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.word(runs), "running");
    assert_eq!(bench.word(waits), "expired");
    assert_eq!(bench.word(held_up), "expired");
    assert!(!bench.begin(held), "it has expired on its way");
    assert_eq!(bench.word(claimed), "expired");
}

fn retried_does_not_expire<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |push| {
        push.options.expires = Some(Duration::from_secs(10));
        push.options.task.tries = 2;
    });
    let held = bench.run(agent);
    bench.complete(held, CRASH);
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.word(task), "waiting");
    bench.run(agent);
}

fn key<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let keyed = |push: &mut Push| push.key = Some("k".into());
    let first = bench.push(client, "a", keyed);
    let held = bench.run(agent);
    let second = bench.push(client, "b", keyed);
    assert_eq!(bench.word(first), "running", "its agent is told");
    let renew = Call::Renew {
        member: agent,
        request: 1,
        held: vec![held],
    };
    let Reply::Renewed { cancel, .. } = bench.call(&renew) else {
        panic!()
    };
    assert_eq!(cancel, [held]);
    let third = bench.push(client, "c", keyed);
    assert_eq!(
        (bench.word(second), bench.word(third)),
        ("cancelled", "waiting")
    );
}
