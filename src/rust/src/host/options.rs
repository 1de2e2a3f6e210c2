//! The options of a task, as `R/task-options.R` hands them over: a list of numbers, ids, tag and key, all checked there. What is
//! absent or NA is the queue's default.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use taskq_core::{RetryOn, Submission, TaskOptions};

use crate::r::{Answer, Object, Stop};

/// What `options`, such a list or NULL, makes of a task.
pub(super) fn read(options: Object<'_>, defaults: &TaskOptions) -> Answer<Submission> {
    let mut task = Submission {
        options: defaults.clone(),
        ..Submission::default()
    };
    let Some(numbers) = options.element(0) else {
        return Ok(task);
    };
    let Some(&[timeout, tries, retry_on, backoff, priority, isolate, may_exceed]) =
        numbers.doubles()?
    else {
        return Err(Stop::Fault("the options of a task lack numbers".to_owned()));
    };
    let given = &mut task.options;
    if !timeout.is_nan() {
        given.timeout = duration(timeout);
    }
    if !tries.is_nan() {
        given.tries = whole(tries);
    }
    let reasons = retry_on as u32;
    given.retry_on = RetryOn {
        crash: reasons & 1 != 0,
        timeout: reasons & 2 != 0,
        error: reasons & 4 != 0,
    };
    given.backoff = duration(backoff).unwrap_or(Duration::MAX);
    given.priority = priority as i32;
    if !isolate.is_nan() {
        given.isolate = isolate != 0.0;
    }
    task.may_exceed = may_exceed != 0.0;
    task.after = strings(options, 1)?;
    task.tag = strings(options, 2)?.pop().map(Arc::from);
    task.key = strings(options, 3)?.pop();
    Ok(task)
}

/// Milliseconds as R gives them; `None` is for ever.
pub(crate) fn duration(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1e3).ok()
}

/// A count as R gives it; infinity, and what is above, is the largest number.
pub(crate) fn whole(count: f64) -> u32 {
    // Casting saturates.
    count as u32
}

/// The strings, in UTF-8, at this place of the list.
fn strings(options: Object<'_>, place: usize) -> Answer<Vec<Box<str>>> {
    let strings = match options.element(place) {
        Some(strings) => strings.strings()?.unwrap_or_default(),
        None => Vec::new(),
    };
    let text = |text: &CStr| text.to_string_lossy().into();
    Ok(strings.into_iter().map(text).collect())
}
