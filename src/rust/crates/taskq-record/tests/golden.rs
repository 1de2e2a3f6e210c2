//! What records are when they are kept, so that nothing of it changes by accident; and the words.

use std::fmt::Debug;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::Serialize;
use taskq_record::words::{Asked, AttemptState, RetryReason};
use taskq_record::{
    AttemptId, Cause, Field, GoneCause, Kept, Measured, Outcome, ProcessEnd, QueueState, RetryOn,
    StartCause, StartPhase, Status, TaskId, TaskOptions, TaskRequest, TaskResult, TaskState,
    Verdict, WorkerState, SCHEMA,
};

#[track_caller]
fn json_is<R: Serialize + DeserializeOwned + PartialEq + Debug>(record: &R, golden: &str) {
    assert_eq!(serde_json::to_string(record).expect("plain data"), golden);
    assert_eq!(&serde_json::from_str::<R>(golden).expect("ours"), record);
}

fn result() -> TaskResult {
    TaskResult {
        task: TaskId(7),
        label: "a".to_owned(),
        outcome: Outcome::Crash {
            cause: GoneCause::Signaled { signal: 9 },
        },
        oom: false,
        skipped_after: None,
        tries: 2,
        pid: Some(4711),
        queued: 1.5,
        started: Some(2.5),
        finished: 4.0,
        waited: Some(0.75),
        measured: Measured {
            cpu_us: Some(250_000),
            max_rss: None,
        },
    }
}

#[test]
fn these_records_belong_to_schema_1() {
    assert_eq!(SCHEMA, 1);
    json_is(
        &Kept::from(result()),
        concat!(
            r#"{"schema":1,"record":{"task":7,"label":"a","#,
            r#""outcome":{"Crash":{"cause":{"Signaled":{"signal":9}}}},"oom":false,"#,
            r#""skipped_after":null,"tries":2,"pid":4711,"queued":1.5,"started":2.5,"#,
            r#""finished":4.0,"waited":0.75,"measured":{"cpu_us":250000,"max_rss":null}}}"#
        ),
    );
    json_is(
        &Kept::from(TaskOptions::default()),
        concat!(
            r#"{"schema":1,"record":{"timeout":null,"tries":1,"#,
            r#""retry_on":{"crash":true,"timeout":false,"error":false},"#,
            r#""backoff":{"secs":0,"nanos":0},"priority":0,"isolate":false}}"#
        ),
    );
    json_is(
        &Kept::from(TaskRequest {
            timeout: Some(1500.0),
            retry_on: Some(vec![RetryReason::Crash, RetryReason::Error]),
            after: vec!["b".into()],
            ..TaskRequest::default()
        }),
        concat!(
            r#"{"schema":1,"record":{"timeout":1500.0,"tries":null,"retry_on":["crash","error"],"#,
            r#""backoff":null,"priority":null,"isolate":null,"after":["b"],"given":[],"tag":null,"#,
            r#""replace":null,"may_exceed":false}}"#
        ),
    );
    json_is(&ProcessEnd::Exited { code: 3 }, r#"{"Exited":{"code":3}}"#);
    let attempt = AttemptId {
        task: TaskId(7),
        number: 2,
    };
    json_is(&attempt, r#"{"task":7,"number":2}"#);
}

#[test]
fn another_schema_is_named_and_not_guessed() {
    let other = r#"{"schema":2,"record":{"anything":1}}"#;
    let error = serde_json::from_str::<Kept<TaskResult>>(other).expect_err("of another schema");
    let message = error.to_string();
    assert!(
        message.contains("schema 2") && message.contains("schema 1"),
        "{message}"
    );
}

/// A field that is added has a default, so that records without it are read.
#[test]
fn what_is_absent_is_not_known_or_the_default() {
    let measured: Measured = serde_json::from_str("{}").expect("all absent");
    assert_eq!(measured, Measured::default());
    let options: TaskOptions = serde_json::from_str(r#"{"tries":3}"#).expect("most absent");
    assert_eq!((options.tries, options.retry_on.crash), (3, true));
    let unknown = serde_json::from_str::<TaskRequest>(r#"{"prority":3}"#).expect_err("a typo");
    assert!(unknown.to_string().contains("prority"));
}

#[test]
fn a_request_comes_to_the_options_of_its_queue_where_it_says_nothing() {
    let defaults = TaskOptions {
        timeout: Some(Duration::from_secs(9)),
        tries: 4,
        isolate: true,
        ..TaskOptions::default()
    };
    assert_eq!(TaskRequest::default().options(&defaults), defaults);
    let request = TaskRequest {
        timeout: Some(f64::INFINITY),
        tries: Some(f64::INFINITY),
        retry_on: Some(vec![RetryReason::Timeout]),
        backoff: Some(0.5),
        priority: Some(-3.0),
        isolate: Some(false),
        ..TaskRequest::default()
    };
    let expected = TaskOptions {
        timeout: None,
        tries: u32::MAX,
        retry_on: RetryOn {
            crash: false,
            timeout: true,
            error: false,
        },
        backoff: Duration::from_micros(500),
        priority: -3,
        isolate: false,
    };
    assert_eq!(request.options(&defaults), expected);
}

#[test]
fn the_words_that_users_read() {
    macro_rules! words_are {
        ($($name:ident: $($word:literal)*;)*) => {$(
            let words: Vec<&str> = $name::ALL.iter().map(|one| one.word()).collect();
            assert_eq!(words, [$($word),*], stringify!($name));
            for (one, word) in $name::ALL.iter().zip(words) {
                json_is(one, &format!("{word:?}"));
                assert_eq!($name::from_word(word), Some(*one));
            }
            assert_eq!($name::from_word("no such word"), None);
        )*};
    }
    words_are! {
        TaskState: "waiting" "running" "done";
        Verdict: "success" "error" "interrupted";
        Status: "success" "error" "crash" "timeout" "cancelled" "skipped";
        Cause: "exit" "signal" "launch" "supervisor" "unknown" "oom" "no-worker";
        RetryReason: "crash" "timeout" "error";
        QueueState: "open" "failed" "closing" "closed";
        WorkerState: "starting" "idle" "busy" "leaving";
        AttemptState: "waiting" "running" "retried";
        Asked: "retired" "killed" "closed";
        StartPhase: "boot" "packages" "globals" "preload" "init" "everywhere";
        StartCause: "startup" "no-process" "fault";
    }
    assert_eq!(QueueState::Open.word_when(true), "paused");
    assert_eq!(QueueState::Closing.word_when(true), "closing");
}

#[test]
fn a_result_has_these_fields_in_this_order() {
    let shown = result();
    let fields = shown.fields();
    assert_eq!(
        fields.map(|(name, _)| name),
        [
            "result",
            "stdout",
            "stderr",
            "error",
            "task_id",
            "status",
            "warnings",
            "messages",
            "conditions",
            "tries",
            "worker",
            "times",
            "queued",
            "seconds",
            "cpu",
            "max_rss"
        ]
    );
    let field = |name| {
        fields
            .iter()
            .find(|(other, _)| *other == name)
            .map(|found| found.1)
    };
    assert_eq!(field("status"), Some(Field::Text("crash")));
    assert_eq!(field("worker"), Some(Field::Whole(Some(4711))));
    assert_eq!(field("queued"), Some(Field::Number(Some(0.75))));
    assert_eq!(field("seconds"), Some(Field::Number(Some(1.5))));
    assert_eq!(field("cpu"), Some(Field::Number(Some(0.25))));
    assert_eq!(field("max_rss"), Some(Field::Number(None)));
    let times = [Some(1.5), Some(2.5), Some(4.0)];
    assert_eq!(field("times"), Some(Field::Times(times)));
}

#[test]
fn why_a_task_has_not_ended_by_itself() {
    let result = result();
    let of = |result: &TaskResult| (result.cause(), result.signal(), result.exit_code());
    assert_eq!(of(&result), (Some(Cause::Signal), Some(9), None));
    let oom = TaskResult {
        oom: true,
        ..result.clone()
    };
    assert_eq!(of(&oom), (Some(Cause::Oom), Some(9), None));
    let with = |outcome| TaskResult {
        outcome,
        ..result.clone()
    };
    let exit = with(Outcome::Crash {
        cause: GoneCause::Exited { code: 0 },
    });
    assert_eq!(of(&exit), (Some(Cause::Exit), None, Some(0)));
    let none = with(Outcome::NoWorker);
    assert_eq!(of(&none), (Some(Cause::NoWorker), None, None));
    assert_eq!(none.status(), Status::Error);
    assert_eq!(of(&with(Outcome::Cancelled)), (None, None, None));
}

#[test]
fn how_a_process_ended_is_read_from_its_status() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    let end = |raw| ProcessEnd::from(Some(ExitStatus::from_raw(raw)));
    assert_eq!(end(3 << 8), ProcessEnd::Exited { code: 3 });
    // The signal, and that it left a core file.
    assert_eq!(end(11 | 0x80), ProcessEnd::Signaled { signal: 11 });
    assert_eq!(ProcessEnd::from(None), ProcessEnd::Unknown);
    assert_eq!(GoneCause::from(end(11)).number(), Some(11));
}
