//! Tasks after others.

use taskq_record::{Outcome, TaskId};

use super::super::fixture::{after, input, Fixture};
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

fn finish<S: Store>(fixture: &mut Fixture<S>, outcome: Outcome) -> TaskId {
    let agent = fixture.agent();
    let held = fixture.run(agent);
    fixture.complete(held, outcome);
    held.task
}

fn waits<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    fixture.push(client, "a", |_| ());
    fixture.push(client, "b", |_| ());
    let task = fixture.push(client, "c", |push| {
        push.after = vec![after("a"), after("b"), after("a")];
        push.options.task.priority = 9;
    });
    assert_ne!(finish(fixture, Outcome::Success), task);
    assert_ne!(finish(fixture, Outcome::Success), task);
    assert_eq!(finish(fixture, Outcome::Success), task);
}

fn skipped<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let first = fixture.push(client, "a", |_| ());
    let second = fixture.push(client, "b", |push| push.after = vec![after("a")]);
    let third = fixture.push(client, "c", |push| push.after = vec![after("b")]);
    finish(fixture, Outcome::Error);
    assert_eq!(fixture.end(second), End::Skipped { after: first });
    assert_eq!(fixture.end(third), End::Skipped { after: second });
    let late = fixture.push(client, "d", |push| push.after = vec![after("a")]);
    assert_eq!(fixture.word(late), "skipped");
    assert_eq!(fixture.counts(), (0, 0, 4));
}

fn unknown<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let push = fixture.task("b", |push| push.after = vec![after("a")]);
    let refusal = fixture.refused(&Call::Push { client, push });
    assert_eq!(refusal, Refusal::UnknownAfter { after: after("a") });
    assert_eq!(fixture.counts(), (0, 0, 0));
}

fn cascade<S: Store>(fixture: &mut Fixture<S>) {
    let (client, stage) = (fixture.client(), fixture.nonce());
    let first = fixture.push(client, "0", |_| ());
    let mut tasks: Vec<Push> = Vec::new();
    for k in 1..=1100 {
        if k <= 300 {
            let before = after(&format!("{}", k - 1));
            tasks.push(fixture.task(&format!("{k}"), |push| push.after = vec![before]));
        }
        tasks.push(fixture.task(&format!("fan-{k}"), |push| push.after = vec![after("0")]));
    }
    for pushes in tasks.chunks(1000).map(<[Push]>::to_vec) {
        fixture.call(&Call::Stage {
            client,
            stage,
            pushes,
        });
    }
    let count = tasks.len() as u64;
    fixture.call(&Call::Show {
        client,
        stage,
        count,
    });
    fixture.tick();
    fixture.call(&Call::Cancel { task: first });
    let (waiting, _, done) = fixture.counts();
    assert_eq!(waiting + done, 1401);
    assert!(
        fixture.lossy || waiting > 0,
        "one call tells a step of them"
    );
    // Those that have not been told yet are told, although it is forgotten.
    fixture.call(&Call::Forget { task: first });
    fixture.tick();
    assert_eq!(fixture.counts(), (0, 0, 1400));
}

fn named<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let first = fixture.push(client, "a", |_| ());
    fixture.push(client, "b", |push| {
        push.after = vec![input("x", "a")];
        push.options.task.tries = 2;
    });
    finish(fixture, Outcome::Success);
    fixture.call(&Call::Take {
        client,
        task: first,
    });
    fixture.call(&Call::Forget { task: first });
    assert_eq!(fixture.word(first), "gone");
    assert_eq!(fixture.counts(), (1, 0, 0));
    for outcome in [super::super::fixture::CRASH, Outcome::Success] {
        let grants = fixture.claim_holding(agent, 1, &[]);
        let value = format!("{first:?}").into_bytes().into();
        assert_eq!(
            grants[0].inputs,
            [("x".into(), value)],
            "for the second try, too"
        );
        fixture.begin(grants[0].held);
        fixture.complete(grants[0].held, outcome);
    }
    assert_eq!(fixture.counts(), (0, 0, 1));
}

fn staged<S: Store>(fixture: &mut Fixture<S>) {
    let (client, stage) = (fixture.client(), fixture.nonce());
    let fails = fixture.push(client, "fails", |_| ());
    let pushes = vec![
        fixture.task("a", |_| ()),
        fixture.task("b", |push| push.after = vec![after("a")]),
        fixture.task("c", |push| push.after = vec![after("fails")]),
    ];
    fixture.call(&Call::Stage {
        client,
        stage,
        pushes,
    });
    let push = fixture.task("d", |push| push.after = vec![after("a")]);
    fixture.refused(&Call::Push { client, push });
    fixture.call(&Call::Cancel { task: fails });
    fixture.call(&Call::Show {
        client,
        stage,
        count: 3,
    });
    assert_eq!(fixture.counts(), (2, 0, 2));
    finish(fixture, Outcome::Success);
    finish(fixture, Outcome::Success);
    assert_eq!(fixture.counts(), (0, 0, 4));
}
