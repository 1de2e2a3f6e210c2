//! How tasks are claimed, begin and end.

use std::time::Duration;

use taskq_record::{Outcome, RetryOn};

use super::super::fixture::{Fixture, CRASH};
use super::Case;
use crate::call::{Call, Held, Reply};
use crate::store::Store;
use crate::task::{End, LostReason, Push};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        (
            "a repeated request is granted the same tasks, an older one none",
            repeated_claim,
        ),
        (
            "what an agent does not name goes back, what is on its way to it does not",
            unnamed,
        ),
        (
            "a task that was begun and is not named is lost",
            unnamed_begun,
        ),
        (
            "a begin counts once, and a completion is kept once",
            one_outcome,
        ),
        (
            "what is said by an old claim is fenced, and counted",
            fenced,
        ),
        (
            "a task that has not begun is given back uncounted",
            give_back,
        ),
        (
            "a task is tried again after the failures it names, as often as it may begin",
            retries,
        ),
        ("tries are held back by a delay that doubles", backoff),
        (
            "a waiting task is cancelled at once, a claimed one when its agent says so",
            cancel,
        ),
        (
            "an outcome that comes before the cancel stands, a wanted cancel forbids a retry",
            cancel_late,
        ),
        (
            "a task whose cancel is wanted does not begin",
            cancel_claimed,
        ),
        ("all tasks of a tag are cancelled in steps", cancel_tagged),
        (
            "a paused queue grants nothing, and a late copy of the call undoes nothing",
            pause,
        ),
        ("progress is kept for the present claim alone", progress),
    ]
}

fn repeated_claim<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    for id in ["a", "b", "c"] {
        fixture.push(client, id, |_| ());
    }
    let request = |request, held: Vec<Held>, fresh| Call::Claim {
        agent,
        request,
        held,
        count: 1,
        fresh,
    };
    let (one, two) = (fixture.nonce(), fixture.nonce());
    let first = fixture.call(&request(1, vec![], one));
    assert_eq!(fixture.call(&request(1, vec![], one)), first);
    let Reply::Granted(grants) = &first else {
        panic!()
    };
    let second = fixture.call(&request(2, vec![grants[0].held], two));
    assert_eq!(fixture.call(&request(2, vec![grants[0].held], two)), second);
    assert_ne!(first, second);
    // A copy of the first that has been on its way for long.
    assert_eq!(
        fixture.call(&request(1, vec![], one)),
        Reply::Granted(vec![])
    );
    assert_eq!(fixture.counts(), (3, 0, 0));
    let other = fixture.agent();
    assert_eq!(fixture.claim(other, 9).len(), 1);
}

fn unnamed<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    fixture.push(client, "a", |_| ());
    fixture.push(client, "b", |_| ());
    let first = fixture.claim(agent, 1);
    // This renewal was sent before the answer to the claim came.
    let renew = |request| Call::Renew {
        member: agent,
        request,
        held: vec![],
    };
    fixture.call(&renew(0));
    let other = fixture.agent();
    assert_eq!(
        fixture.claim(other, 9).len(),
        1,
        "the first is still that agent's"
    );
    fixture.call(&renew(1));
    assert!(!fixture.begin(first[0]), "it went back");
    let third = fixture.agent();
    assert_eq!(fixture.claim(third, 9)[0].task, first[0].task);
}

fn unnamed_begun<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |push| push.options.task.retry_on.crash = false);
    fixture.run(agent);
    assert!(fixture.claim(agent, 1).is_empty());
    assert_eq!(fixture.end(task), End::Lost(LostReason::AgentLost));
    assert_eq!(fixture.word(task), "crash");
}

fn one_outcome<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let held = fixture.run(agent);
    assert!(fixture.begin(held));
    assert_eq!(fixture.look(task).map(|task| task.tries), Some(1));
    assert_eq!(fixture.counts(), (0, 1, 0));
    assert_eq!(fixture.complete(held, Outcome::Success), Reply::Fine);
    // The same claim cannot change its mind.
    assert_eq!(fixture.complete(held, Outcome::Error), Reply::Fine);
    assert_eq!(
        (fixture.word(task), fixture.counts()),
        ("success", (0, 0, 1))
    );
}

fn fenced<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |push| push.options.task.tries = 2);
    let held = fixture.run(agent);
    fixture.call(&Call::Leave { member: agent });
    let agent = fixture.agent();
    let second = fixture.run(agent);
    assert_eq!(second.task, task);
    assert_eq!(fixture.complete(held, Outcome::Error), Reply::Fenced);
    assert!(!fixture.begin(held));
    assert!(fixture.queue().fenced > 0);
    fixture.complete(second, Outcome::Success);
    assert_eq!(fixture.complete(held, Outcome::Error), Reply::Fenced);
    assert_eq!(fixture.word(task), "success");
}

fn give_back<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let held = fixture.claim(agent, 1)[0];
    fixture.call(&Call::GiveBack { held });
    assert!(!fixture.begin(held));
    let held = fixture.run(agent);
    fixture.call(&Call::GiveBack { held });
    let look = fixture
        .look(task)
        .map(|task| (task.tries, task.state_word().word()));
    assert_eq!(
        look,
        Some((1, "running")),
        "what has begun is not given back"
    );
}

fn retries<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let none = RetryOn {
        crash: false,
        timeout: false,
        error: false,
    };
    for (outcome, on) in [
        (
            CRASH,
            RetryOn {
                crash: true,
                ..none
            },
        ),
        (
            Outcome::Timeout,
            RetryOn {
                timeout: true,
                ..none
            },
        ),
        (
            Outcome::Error,
            RetryOn {
                error: true,
                ..none
            },
        ),
    ] {
        for (retry_on, begins) in [(on, 3), (none, 1)] {
            let agent = fixture.agent();
            let task = fixture.push(client, "a", |push| {
                push.options.task.tries = 3;
                push.options.task.retry_on = retry_on;
            });
            for _ in 0..begins {
                let held = fixture.run(agent);
                fixture.complete(held, outcome);
            }
            assert!(fixture.claim(agent, 1).is_empty());
            assert_eq!(fixture.end(task), End::Ran(outcome));
            assert_eq!(fixture.look(task).map(|task| task.tries), Some(begins));
            fixture.call(&Call::Forget { task });
        }
    }
}

fn backoff<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |push| {
        push.options.task.tries = 9;
        push.options.task.backoff = Duration::from_secs(8);
    });
    for longest in [8, 16, 32].map(Duration::from_secs) {
        let held = fixture.run(agent);
        fixture.complete(held, CRASH);
        let look = fixture.look(task);
        let wait = look
            .map(|task| task.due.since(fixture.now))
            .unwrap_or_default();
        assert!(
            wait <= longest && wait >= longest / 2 - Duration::from_millis(1),
            "{wait:?}"
        );
        assert!(fixture.claim(agent, 1).is_empty());
        fixture.call(&Call::Renew {
            member: agent,
            request: 0,
            held: vec![],
        });
        for _ in 0..4 {
            fixture.pass(longest / 4);
            fixture.call(&Call::Renew {
                member: agent,
                request: 0,
                held: vec![],
            });
            fixture.call(&Call::Renew {
                member: client,
                request: 0,
                held: vec![],
            });
        }
    }
}

fn cancel<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let waits = fixture.push(client, "a", |push| {
        push.options.delay = Duration::from_secs(1)
    });
    assert_eq!(
        fixture.call(&Call::Cancel { task: waits }),
        Reply::Cancelled(true)
    );
    assert_eq!(fixture.word(waits), "cancelled");
    let runs = fixture.push(client, "b", |_| ());
    let held = fixture.run(agent);
    assert_eq!(
        fixture.call(&Call::Cancel { task: runs }),
        Reply::Cancelled(true)
    );
    assert_eq!(fixture.word(runs), "running");
    fixture.complete(held, Outcome::Cancelled);
    assert_eq!(fixture.word(runs), "cancelled");
    let done = fixture.push(client, "c", |_| ());
    let held = fixture.run(agent);
    fixture.complete(held, Outcome::Success);
    assert_eq!(
        fixture.call(&Call::Cancel { task: done }),
        Reply::Cancelled(false)
    );
}

fn cancel_late<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let many = |push: &mut Push| push.options.task.tries = 9;
    let task = fixture.push(client, "a", many);
    let held = fixture.run(agent);
    fixture.call(&Call::Cancel { task });
    fixture.complete(held, CRASH);
    assert_eq!(fixture.end(task), End::Ran(CRASH));
    let task = fixture.push(client, "b", many);
    fixture.run(agent);
    fixture.call(&Call::Cancel { task });
    fixture.call(&Call::Leave { member: agent });
    assert_eq!(fixture.word(task), "cancelled", "its agent has gone");
}

fn cancel_claimed<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    let task = fixture.push(client, "a", |_| ());
    let held = fixture.claim(agent, 1)[0];
    fixture.call(&Call::Cancel { task });
    assert_eq!(fixture.word(task), "waiting");
    assert!(!fixture.begin(held));
    assert_eq!(fixture.word(task), "cancelled");
}

fn cancel_tagged<S: Store>(fixture: &mut Fixture<S>) {
    let client = fixture.client();
    let mut tasks = Vec::new();
    for k in 0..30 {
        tasks.push(fixture.push(client, &format!("{k}"), |push| {
            push.tag = (k % 3 == 0).then(|| "t".into());
        }));
    }
    let reply = fixture.call(&Call::CancelTagged {
        tag: "t".into(),
        after: tasks[0],
    });
    assert_eq!(reply, Reply::Step(None));
    assert_eq!(fixture.counts(), (21, 0, 9), "all but the first of the tag");
}

fn pause<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    fixture.push(client, "a", |_| ());
    let version = fixture.queue().version;
    let pause = Call::Pause {
        paused: true,
        version,
    };
    fixture.call(&pause);
    assert!(fixture.claim(agent, 1).is_empty());
    let version = fixture.queue().version;
    fixture.call(&Call::Pause {
        paused: false,
        version,
    });
    fixture.refused(&pause);
    assert_eq!(fixture.claim(agent, 1).len(), 1);
}

fn progress<S: Store>(fixture: &mut Fixture<S>) {
    let (client, agent) = (fixture.client(), fixture.agent());
    fixture.push(client, "a", |push| push.options.task.tries = 2);
    let held = fixture.run(agent);
    let report = || Box::from(*b"half");
    assert_eq!(
        fixture.call(&Call::Progress {
            held,
            report: report()
        }),
        Reply::Fine
    );
    fixture.complete(held, CRASH);
    assert_eq!(
        fixture.call(&Call::Progress {
            held,
            report: report()
        }),
        Reply::Fenced
    );
}
