//! Results, second lives, and the end of a queue.

use std::time::Duration;

use taskq_record::Outcome;

use super::super::bench::{after, input, Bench};
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

fn take<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |_| ());
    let held = bench.run(agent);
    bench.complete(held, Outcome::Success);
    assert_eq!(bench.done(client), [task]);
    let Reply::Taken {
        end, tries, value, ..
    } = bench.call(&Call::Take { client, task })
    else {
        panic!()
    };
    assert_eq!((end.word(), tries), ("success", 1));
    assert_eq!(value, Some(format!("{task:?}").into_bytes().into()));
    assert!(bench.done(client).is_empty());
    bench.call(&Call::Forget { task });
    assert_eq!(
        bench.refused(&Call::Take { client, task }),
        Refusal::UnknownTask
    );
    assert_eq!(bench.counts(), (0, 0, 0));
}

fn not_done<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let task = bench.push(client, "a", |_| ());
    assert_eq!(
        bench.refused(&Call::Take { client, task }),
        Refusal::NotDone
    );
    assert_eq!(bench.refused(&Call::Forget { task }), Refusal::NotDone);
    let nonce = bench.nonce();
    assert_eq!(
        bench.refused(&Call::Retry { task, nonce }),
        Refusal::NotDone
    );
}

fn retry<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let task = bench.push(client, "a", |_| ());
    let then = bench.push(client, "b", |push| push.after = vec![after("a")]);
    let held = bench.run(agent);
    bench.complete(held, Outcome::Error);
    let retry = |task, nonce| Call::Retry { task, nonce };
    let (one, two, three) = (bench.nonce(), bench.nonce(), bench.nonce());
    let Reply::Pushed(next) = bench.call(&retry(task, one)) else {
        panic!()
    };
    assert_eq!(bench.call(&retry(task, one)), Reply::Pushed(next.clone()));
    assert_eq!(bench.refused(&retry(task, two)), Refusal::UnknownTask);
    // What was skipped is after the new life.
    let Reply::Pushed(then) = bench.call(&retry(then, three)) else {
        panic!()
    };
    assert_eq!(bench.counts(), (2, 0, 0));
    let held = bench.run(agent);
    assert_eq!(held.task, next[0]);
    bench.complete(held, Outcome::Success);
    assert_eq!(bench.refused(&retry(next[0], two)), Refusal::NotRetried);
    assert_eq!(bench.run(agent).task, then[0]);
}

fn retry_without_input<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let first = bench.push(client, "a", |_| ());
    let second = bench.push(client, "b", |push| push.after = vec![input("x", "a")]);
    for outcome in [Outcome::Success, Outcome::Error] {
        let held = bench.run(agent);
        bench.complete(held, outcome);
    }
    bench.call(&Call::Forget { task: first });
    let nonce = bench.nonce();
    let refusal = bench.refused(&Call::Retry {
        task: second,
        nonce,
    });
    assert_eq!(refusal, Refusal::NotRetried);
}

fn tombstone<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let task = bench.push(client, "a", |_| ());
    bench.call(&Call::Cancel { task });
    bench.call(&Call::Forget { task });
    bench.pass(Duration::from_secs(590));
    bench.call(&Call::Forget { task });
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.refused(&Call::Forget { task }), Refusal::UnknownTask);
}

fn generations<S: Store>(bench: &mut Bench<S>) {
    let start = bench.queue();
    let replace = |settings: &[u8], version| Call::Replace {
        settings: settings.into(),
        max_waiting: 5,
        version,
    };
    bench.call(&replace(b"one", start.version));
    let one = bench.queue();
    assert_eq!(one.generation, start.generation + 1);
    bench.call(&replace(b"one", start.version));
    assert_eq!(
        (bench.queue().generation, bench.queue().version),
        (one.generation, one.version)
    );
    let version = one.version;
    assert_eq!(
        bench.refused(&replace(b"two", start.version)),
        Refusal::Outdated { version }
    );
}

fn destroy<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    for k in 0..20 {
        bench.push(client, &format!("{k}"), |_| ());
    }
    while bench.call(&Call::Destroy) == Reply::More(true) {}
    let push = bench.task("a", |_| ());
    assert_eq!(
        bench.refused(&Call::Push { client, push }),
        Refusal::Destroyed
    );
    assert_eq!(bench.counts(), (0, 0, 0));
}
