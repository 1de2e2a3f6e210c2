//! The records as they are kept: a change of their bytes is one that stores of the version before must survive.

use std::time::Duration;

use taskq_ledger::names::{Incarnation, Nonce, Wall};
use taskq_ledger::queue::QueueRecord;
use taskq_ledger::task::{Before, Claim, Done, End, LostReason, Options, State, Task, Whose};
use taskq_record::{Kept, Measured, Outcome, TaskId};

fn task() -> Task {
    Task {
        serial: TaskId(7),
        id: "fit".into(),
        nonce: Nonce(5),
        options: Options {
            delay: Duration::from_millis(1500),
            ..Options::default()
        },
        after: vec![Before {
            task: TaskId(3),
            argument: Some("x".into()),
        }],
        held_by: vec![],
        tag: None,
        key: None,
        pool: "default".into(),
        generation: 1,
        whose: Whose::Client(Incarnation(Nonce(9))),
        pushed: Wall(1),
        due: Wall(2),
        expires: None,
        tries: 1,
        completed: None,
        state: State::Claimed(Claim {
            nonce: Nonce(u128::MAX),
            agent: Incarnation(Nonce(8)),
            request: 4,
            begun: Some(Wall(3)),
            cancel: false,
        }),
        taken: None,
        settling: false,
        gone: false,
    }
}

const TASK: &str = concat!(
    r#"{"schema":1,"record":{"serial":7,"id":"fit","nonce":5,"options":{"task":{"timeout":null,"#,
    r#""tries":1,"retry_on":{"crash":true,"timeout":false,"error":false},"#,
    r#""backoff":{"secs":0,"nanos":0},"priority":0,"isolate":false},"retry_on_lost":false,"#,
    r#""at":null,"delay":{"secs":1,"nanos":500000000},"expires":null,"may_exceed":false},"#,
    r#""after":[{"task":3,"argument":"x"}],"held_by":[],"tag":null,"key":null,"#,
    r#""pool":"default","generation":1,"whose":{"Client":9},"pushed":1,"due":2,"#,
    r#""expires":null,"tries":1,"completed":null,"state":{"Claimed":{"#,
    r#""nonce":340282366920938463463374607431768211455,"agent":8,"request":4,"begun":3,"#,
    r#""cancel":false}},"taken":null,"settling":false,"gone":false}}"#,
);

#[test]
fn a_task_is_kept_as_it_was() {
    let written = serde_json::to_string(&Kept::from(task())).unwrap();
    assert_eq!(written, TASK);
    let read: Kept<Task> = serde_json::from_str(TASK).unwrap();
    assert_eq!(read.record, task());
}

#[test]
fn a_record_of_a_later_schema_is_refused() {
    let later = TASK.replace(r#""schema":1"#, r#""schema":2"#);
    let error = serde_json::from_str::<Kept<Task>>(&later)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("schema 2") && error.contains("schema 1"),
        "{error}"
    );
}

#[test]
fn a_queue_is_kept_as_it_was() {
    let queue = QueueRecord::new(Nonce(1), Wall(2));
    let kept = serde_json::to_string(&Kept::from(queue.clone())).unwrap();
    let read: Kept<QueueRecord> = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.record, queue);
    assert!(
        kept.contains(r#""ttl":{"secs":30,"nanos":0},"elapsed":{"secs":0,"nanos":0}"#),
        "{kept}"
    );
}

#[test]
fn an_end_has_the_words_that_results_have() {
    let done = |end| Done {
        end,
        at: Wall(0),
        ran: None,
        measured: Measured::default(),
    };
    let word = |end| done(end).end.word();
    assert_eq!(word(End::Ran(Outcome::Success)), "success");
    assert_eq!(word(End::Ran(Outcome::NoWorker)), "error");
    assert_eq!(word(End::Lost(LostReason::Closed)), "crash");
    assert_eq!(word(End::Cancelled), "cancelled");
    assert_eq!(word(End::Skipped { after: TaskId(1) }), "skipped");
    assert_eq!(word(End::Expired), "expired");
    assert_eq!(
        End::Lost(LostReason::AgentLost).reason(),
        Some("agent lost")
    );
}
