//! The words in which the queue answers R, and how an expected failure reaches it: as a list of class `tq_failure` with a
//! code, a message and fields, from which R makes a condition of the user's call.

use extendr_api::prelude::*;
use taskq_core::SubmitError;
use taskq_engine::{PushError, StartFailure};
use taskq_wire::message::{ProcessEnd, StartPhase};

/// So many bytes of output go into one string of R's.
const TEXT_LIMIT: usize = 1 << 30;

/// A failure as a value for R.
pub(crate) fn failure(code: &str, message: &str, fields: &[(&str, Robj)]) -> Robj {
    let mut names = vec!["code", "message"];
    let mut values = vec![Robj::from(code), Robj::from(clean(message))];
    for (name, value) in fields {
        names.push(name);
        values.push(value.clone());
    }
    let mut list = List::from_names_and_values(names, values).unwrap_or_default();
    // Setting a class on a fresh list cannot fail.
    let _ = list.set_class(["tq_failure"]);
    list.into()
}

/// Why a task was not taken.
pub(crate) fn push_failure(error: &PushError) -> Robj {
    let message = error.to_string();
    match error {
        PushError::Refused(SubmitError::Duplicate { label }) => {
            failure("duplicate", &message, &[("id", clean(label).into())])
        }
        PushError::Refused(SubmitError::Reserved { label }) => {
            failure("input", &message, &[("id", clean(label).into())])
        }
        PushError::Refused(SubmitError::Unknown { label }) => unknown(std::slice::from_ref(label)),
        PushError::Refused(SubmitError::Full) => failure("full", &message, &[]),
        PushError::Refused(SubmitError::TooMany { limit }) => {
            failure("too-many", &message, &[("limit", (*limit as f64).into())])
        }
        PushError::Refused(SubmitError::Closed) => failure("closed", &message, &[]),
        PushError::Refused(SubmitError::Failed) => failure("failed", &message, &[]),
        // The scheduler's reasons may become more; each has its words.
        PushError::Refused(_) => failure("refused", &message, &[]),
    }
}

/// Names that no task in the queue has.
pub(crate) fn unknown<T: AsRef<str>>(labels: &[T]) -> Robj {
    let ids: Vec<String> = labels.iter().map(|label| clean(label.as_ref())).collect();
    failure(
        "unknown",
        "tasks are not in the queue",
        &[("ids", ids.into())],
    )
}

/// Why sessions cannot start.
pub(crate) fn start_failure(reason: &StartFailure) -> Robj {
    let (exit_code, signal) = match reason.end {
        Some(ProcessEnd::Exited { code }) => (Some(code), None),
        Some(ProcessEnd::Signaled { signal, .. }) => (None, Some(signal)),
        _ => (None, None),
    };
    let phase = reason.phase.unwrap_or(StartPhase::Boot);
    let fields = [
        ("phase", phase.name().into()),
        ("stderr", clean(&reason.stderr).into()),
        ("exit_code", Robj::from(Rint::from(exit_code))),
        ("signal", Robj::from(Rint::from(signal))),
    ];
    failure("start", &reason.message, &fields)
}

/// R's strings hold no NUL.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Output as R can hold it: UTF-8 without NUL, in no more bytes than one string of R may have.
pub(crate) fn text(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(
        &bytes[..bytes.len().min(TEXT_LIMIT)],
    ))
}

/// The same, or `None` when the bytes are such text as they are.
pub(crate) fn mended(bytes: &[u8]) -> Option<String> {
    let is_fine =
        bytes.len() <= TEXT_LIMIT && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    (!is_fine).then(|| text(bytes))
}
