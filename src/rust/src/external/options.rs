//! The options of a task, as `R/task-options.R` hands them over: a list of numbers, ids, tag and key, all checked there. What is
//! absent or NA is the queue's default.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use extendr_ffi::{R_NilValue, Rf_xlength, REAL, R_CHAR, SEXP, STRING_ELT, VECTOR_ELT};
use taskq_core::{RetryOn, Submission, TaskOptions};

/// # Safety
/// `options` is such a list, its strings are UTF-8, or R's NULL; on the R thread.
pub(super) unsafe fn read(options: SEXP, defaults: &TaskOptions) -> Submission {
    let mut task = Submission {
        options: defaults.clone(),
        ..Submission::default()
    };
    // SAFETY: see above. None of these calls allocates or jumps.
    unsafe {
        if options == R_NilValue {
            return task;
        }
        let numbers = std::slice::from_raw_parts(REAL(VECTOR_ELT(options, 0)), 7);
        read_numbers(&numbers[..6], &mut task.options);
        task.may_exceed = numbers[6] != 0.0;
        task.after = strings(VECTOR_ELT(options, 1));
        task.tag = strings(VECTOR_ELT(options, 2)).pop().map(Arc::from);
        task.key = strings(VECTOR_ELT(options, 3)).pop();
    }
    task
}

fn read_numbers(numbers: &[f64], options: &mut TaskOptions) {
    let &[timeout, tries, retry_on, backoff, priority, isolate] = numbers else {
        return;
    };
    if !timeout.is_nan() {
        options.timeout = duration(timeout);
    }
    if !tries.is_nan() {
        options.tries = whole(tries);
    }
    let reasons = retry_on as u32;
    options.retry_on = RetryOn {
        crash: reasons & 1 != 0,
        timeout: reasons & 2 != 0,
        error: reasons & 4 != 0,
    };
    options.backoff = duration(backoff).unwrap_or(Duration::MAX);
    options.priority = priority as i32;
    if !isolate.is_nan() {
        options.isolate = isolate != 0.0;
    }
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

/// # Safety
/// A character vector of UTF-8 strings, or R's NULL; on the R thread.
unsafe fn strings(vector: SEXP) -> Vec<Box<str>> {
    // SAFETY: see above.
    unsafe {
        let length = if vector == R_NilValue {
            0
        } else {
            Rf_xlength(vector)
        };
        (0..length)
            .map(|i| {
                CStr::from_ptr(R_CHAR(STRING_ELT(vector, i)))
                    .to_string_lossy()
                    .into()
            })
            .collect()
    }
}
