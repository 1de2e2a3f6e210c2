//! Tasks after others.

use taskq_record::{Outcome, TaskId};

use super::super::bench::{after, input, Bench};
use super::Case;
use crate::call::{Call, Refusal};
use crate::store::Store;
use crate::task::{End, Push};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        ("a task waits until all before it have succeeded", waits),
        (
            "a task after one that has not succeeded is skipped, and so are those after it",
            skipped,
        ),
        ("a task after one that is not there is refused", unknown),
        (
            "a chain, and a fan, of more tasks than a step are skipped in steps",
            cascade,
        ),
        (
            "a value that is an argument comes with the grant, and stays though it is forgotten",
            named,
        ),
        (
            "tasks of one stage may be after each other, and after what fails meanwhile",
            staged,
        ),
    ]
}

fn finish<S: Store>(bench: &mut Bench<S>, outcome: Outcome) -> TaskId {
    let agent = bench.agent();
    let held = bench.run(agent);
    bench.complete(held, outcome);
    held.task
}

fn waits<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    bench.push(client, "a", |_| ());
    bench.push(client, "b", |_| ());
    let task = bench.push(client, "c", |push| {
        push.after = vec![after("a"), after("b"), after("a")];
        push.options.task.priority = 9;
    });
    assert_ne!(finish(bench, Outcome::Success), task);
    assert_ne!(finish(bench, Outcome::Success), task);
    assert_eq!(finish(bench, Outcome::Success), task);
}

fn skipped<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let first = bench.push(client, "a", |_| ());
    let second = bench.push(client, "b", |push| push.after = vec![after("a")]);
    let third = bench.push(client, "c", |push| push.after = vec![after("b")]);
    finish(bench, Outcome::Error);
    assert_eq!(bench.end(second), End::Skipped { after: first });
    assert_eq!(bench.end(third), End::Skipped { after: second });
    let late = bench.push(client, "d", |push| push.after = vec![after("a")]);
    assert_eq!(bench.word(late), "skipped");
    assert_eq!(bench.counts(), (0, 0, 4));
}

fn unknown<S: Store>(bench: &mut Bench<S>) {
    let client = bench.client();
    let push = bench.task("b", |push| push.after = vec![after("a")]);
    let refusal = bench.refused(&Call::Push { client, push });
    assert_eq!(refusal, Refusal::UnknownAfter { after: after("a") });
    assert_eq!(bench.counts(), (0, 0, 0));
}

fn cascade<S: Store>(bench: &mut Bench<S>) {
    let (client, stage) = (bench.client(), bench.nonce());
    let first = bench.push(client, "0", |_| ());
    let mut tasks: Vec<Push> = Vec::new();
    for k in 1..=1100 {
        if k <= 300 {
            let before = after(&format!("{}", k - 1));
            tasks.push(bench.task(&format!("{k}"), |push| push.after = vec![before]));
        }
        tasks.push(bench.task(&format!("fan-{k}"), |push| push.after = vec![after("0")]));
    }
    for pushes in tasks.chunks(1000).map(<[Push]>::to_vec) {
        bench.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    let count = tasks.len() as u64;
    bench.call(&Call::Show {
        client,
        stage,
        count,
    });
    bench.tick();
    bench.call(&Call::Cancel { task: first });
    let (waiting, _, done) = bench.counts();
    assert_eq!(waiting + done, 1401);
    assert!(bench.lossy || waiting > 0, "one call tells a step of them");
    // Those that have not been told yet are told, although it is forgotten.
    bench.call(&Call::Forget { task: first });
    bench.tick();
    assert_eq!(bench.counts(), (0, 0, 1400));
}

fn named<S: Store>(bench: &mut Bench<S>) {
    let (client, agent) = (bench.client(), bench.agent());
    let first = bench.push(client, "a", |_| ());
    bench.push(client, "b", |push| {
        push.after = vec![input("x", "a")];
        push.options.task.tries = 2;
    });
    finish(bench, Outcome::Success);
    bench.call(&Call::Take {
        client,
        task: first,
    });
    bench.call(&Call::Forget { task: first });
    assert_eq!(bench.word(first), "gone");
    assert_eq!(bench.counts(), (1, 0, 0));
    for outcome in [super::super::bench::CRASH, Outcome::Success] {
        let grants = bench.claim_holding(agent, 1, &[]);
        let value = format!("{first:?}").into_bytes().into();
        assert_eq!(
            grants[0].inputs,
            [("x".into(), value)],
            "for the second try, too"
        );
        bench.begin(grants[0].held);
        bench.complete(grants[0].held, outcome);
    }
    assert_eq!(bench.counts(), (0, 0, 1));
}

fn staged<S: Store>(bench: &mut Bench<S>) {
    let (client, stage) = (bench.client(), bench.nonce());
    let fails = bench.push(client, "fails", |_| ());
    let pushes = vec![
        bench.task("a", |_| ()),
        bench.task("b", |push| push.after = vec![after("a")]),
        bench.task("c", |push| push.after = vec![after("fails")]),
    ];
    bench.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    let push = bench.task("d", |push| push.after = vec![after("a")]);
    bench.refused(&Call::Push { client, push });
    bench.call(&Call::Cancel { task: fails });
    bench.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    assert_eq!(bench.counts(), (2, 0, 2));
    finish(bench, Outcome::Success);
    finish(bench, Outcome::Success);
    assert_eq!(bench.counts(), (0, 0, 4));
}
