//! Results, second lives, and the end of a queue.

use std::time::Duration;

use taskq_record::Outcome;

use super::super::fixture::{after, input, Fixture};
use super::Case;
use crate::call::{Call, Refusal, Reply};
use crate::store::Store;

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        ("a result is taken by one client, and forgotten once", take),
        (
            "what has not ended is neither taken nor forgotten",
            not_done,
        ),
        (
            "a task that failed has a second life under its id, once for each call",
            retry,
        ),
        (
            "a task is not tried again without the value that it needs",
            retry_without_input,
        ),
        ("a forgotten task is known for ten minutes", tombstone),
        ("the same settings are the same generation", generations),
        (
            "a destroyed queue takes no call, and all of it goes in steps",
            destroy,
        ),
    ]
}

fn take<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Success);
    assert_eq!(fixture.done(client), [task]);
    let Reply::Taken {
        end, tries, value, ..
    } = fixture.call(&Call::Take { client, task })
    else {
        panic!()
    };
    assert_eq!((end.word(), tries), ("success", 1));
    assert_eq!(value, Some(format!("{task:?}").into_bytes().into()));
    assert!(fixture.done(client).is_empty());
    fixture.call(&Call::Forget { task });
    assert_eq!(
        fixture.refused(&Call::Take { client, task }),
        Refusal::UnknownTask
    );
    assert_eq!(fixture.counts(), (0, 0, 0));
}

fn not_done<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let task = fixture.push(client, "a", |_| ());
    assert_eq!(
        fixture.refused(&Call::Take { client, task }),
        Refusal::NotDone
    );
    assert_eq!(fixture.refused(&Call::Forget { task }), Refusal::NotDone);
    let nonce = fixture.nonce();
    assert_eq!(
        fixture.refused(&Call::Retry { task, nonce }),
        Refusal::NotDone
    );
}

fn retry<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let then = fixture.push(client, "b", |push| push.after = vec![after("a")]);
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Error);
    let retry = |task, nonce| Call::Retry { task, nonce };
    let (one, two, three) = (fixture.nonce(), fixture.nonce(), fixture.nonce());
    let Reply::Pushed(next) = fixture.call(&retry(task, one)) else {
        panic!()
    };
    assert_eq!(fixture.call(&retry(task, one)), Reply::Pushed(next.clone()));
    assert_eq!(fixture.refused(&retry(task, two)), Refusal::UnknownTask);
    // What was skipped is after the new life.
    let Reply::Pushed(then) = fixture.call(&retry(then, three)) else {
        panic!()
    };
    assert_eq!(fixture.counts(), (2, 0, 0));
    let held = fixture.run(agent);
    assert_eq!(held.task, next[0]);
    fixture.complete(held, Outcome::Success);
    assert_eq!(fixture.refused(&retry(next[0], two)), Refusal::NotRetried);
    assert_eq!(fixture.run(agent).task, then[0]);
}

fn retry_without_input<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let first = fixture.push(client, "a", |_| ());
    let second = fixture.push(client, "b", |push| push.after = vec![input("x", "a")]);
    for outcome in [Outcome::Success, Outcome::Error] {
        let held = fixture.run(agent);
        fixture.complete(held, outcome);
    }
    fixture.call(&Call::Forget { task: first });
    let nonce = fixture.nonce();
    let refusal = fixture.refused(&Call::Retry {
        task: second,
        nonce,
    });
    assert_eq!(refusal, Refusal::NotRetried);
}

fn tombstone<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let task = fixture.push(client, "a", |_| ());
    fixture.call(&Call::Cancel { task });
    fixture.call(&Call::Forget { task });
    fixture.pass(Duration::from_secs(590));
    fixture.call(&Call::Forget { task });
    fixture.pass(Duration::from_secs(20));
    assert_eq!(
        fixture.refused(&Call::Forget { task }),
        Refusal::UnknownTask
    );
}

fn generations<S: Store>(fixture: &mut Fixture<S>) {
    let start = fixture.queue();
    let replace = |settings: &[u8], version| Call::Replace {
        settings: settings.into(),
        max_waiting: 5,
        version,
    };
    fixture.call(&replace(b"one", start.version));
    let one = fixture.queue();
    assert_eq!(one.generation, start.generation + 1);
    fixture.call(&replace(b"one", start.version));
    assert_eq!(
        (fixture.queue().generation, fixture.queue().version),
        (one.generation, one.version)
    );
    let version = one.version;
    assert_eq!(
        fixture.refused(&replace(b"two", start.version)),
        Refusal::Outdated { version }
    );
}

fn destroy<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    for k in 0..20 {
        fixture.push(client, &format!("{k}"), |_| ());
    }
    while fixture.call(&Call::Destroy) == Reply::More(true) {}
    let push = fixture.task("a", |_| ());
    assert_eq!(
        fixture.refused(&Call::Push { client, push }),
        Refusal::Destroyed
    );
    assert_eq!(fixture.counts(), (0, 0, 0));
}
