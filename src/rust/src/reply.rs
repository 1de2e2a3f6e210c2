//! The words in which the queue answers R, and how an expected failure reaches it: as a list of class `tq_failure` with
//! a code, a message and fields, from which R makes a condition of the user's call.

use taskq_core::SubmitError;
use taskq_engine::{PushError, StartFailure};
use taskq_record::{GoneCause, StartPhase};

use crate::value::{Text, Value};

/// A failure as a value for R.
pub(crate) fn failure(code: &'static str, message: &str) -> Value {
    failure_with(code, message, Vec::new())
}

/// The same with more fields.
pub(crate) fn failure_with(
    code: &'static str,
    message: &str,
    fields: Vec<(&'static str, Value)>,
) -> Value {
    let mut all = vec![
        ("code", code.into()),
        ("message", message.to_owned().into()),
    ];
    all.extend(fields);
    Value::failure(all)
}

/// Why a task was not taken.
pub(crate) fn push_failure(error: &PushError) -> Value {
    let message = error.to_string();
    match error {
        PushError::Refused(SubmitError::Duplicate { label }) => {
            failure_with("duplicate", &message, vec![("id", name(label))])
        }
        PushError::Refused(SubmitError::Reserved { label }) => {
            failure_with("input", &message, vec![("id", name(label))])
        }
        PushError::Refused(SubmitError::Unknown { label }) => unknown(std::slice::from_ref(label)),
        PushError::Refused(SubmitError::Full) => failure("full", &message),
        PushError::Refused(SubmitError::TooMany { limit }) => failure_with(
            "too-many",
            &message,
            vec![("limit", (*limit as f64).into())],
        ),
        PushError::Refused(SubmitError::Closed) => failure("closed", &message),
        PushError::Refused(SubmitError::Failed) => failure("failed", &message),
        // The scheduler's reasons may become more; each has its words.
        PushError::Refused(_) => failure("refused", &message),
    }
}

fn name<T: AsRef<str>>(label: &T) -> Value {
    label.as_ref().to_owned().into()
}

/// Names that no task in the queue has.
pub(crate) fn unknown<T: AsRef<str>>(labels: &[T]) -> Value {
    let ids: Vec<String> = labels
        .iter()
        .map(|label| label.as_ref().to_owned())
        .collect();
    let message = "tasks are not in the queue";
    failure_with("unknown", message, vec![("ids", ids.into())])
}

/// Why sessions cannot start.
pub(crate) fn start_failure(reason: &StartFailure) -> Value {
    start_failure_of("start", reason)
}

/// Why what every session was to run has failed in one, where that is known.
pub(crate) fn everywhere_failure(reason: Option<&StartFailure>) -> Value {
    match reason {
        Some(reason) => start_failure_of("everywhere", reason),
        None => failure("everywhere", "a worker ended while it ran"),
    }
}

fn start_failure_of(code: &'static str, reason: &StartFailure) -> Value {
    let end = reason.end.map(GoneCause::from);
    let phase = reason.phase.unwrap_or(StartPhase::Boot);
    let fields = vec![
        ("cause", reason.cause.word().into()),
        ("phase", phase.word().into()),
        ("stderr", reason.stderr.clone().into()),
        (
            "exit_code",
            Value::integers([end.and_then(GoneCause::exit_code)]),
        ),
        ("signal", Value::integers([end.and_then(GoneCause::signal)])),
    ];
    failure_with(code, &reason.message, fields)
}

/// Output as text that R can hold, or `None` when the bytes are such text as they are.
pub(crate) fn mended(bytes: &[u8]) -> Option<Text> {
    let is_fine =
        bytes.len() <= Text::LIMIT && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    (!is_fine).then(|| bytes.into())
}
