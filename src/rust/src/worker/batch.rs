//! A batch of a map, evaluated as `lapply()` does, but only until its time is over. R/worker-map.R prepares it.

use std::time::Duration;

use extendr_ffi::SEXPTYPE;
use taskq_sys::clock::now_ns;

use super::serve::with_session;
use crate::elements;
use crate::entries::entries;
use crate::r::{Answer, Elements, Object, Scope, Stop};

/// Where a batch stands, of which the R code reads the first three when an element has failed: its place in the batch,
/// when the batch began, how long the last element took, in milliseconds; and whether the host may take back what has
/// not begun.
const PLACE: usize = 0;
const STARTED: usize = 1;
const LAST: usize = 2;
const COUNTED: usize = 3;

/// How long the clock is not looked at, where elements are short, and for how many elements at most.
const UNSEEN: Duration = Duration::from_micros(5);
const MOST_UNSEEN: f64 = 16.0;
/// How many bytes of results are enough for one batch.
const ENOUGH_BYTES: usize = 16 << 20;

fn now_ms() -> f64 {
    now_ns() as f64 / 1e6
}

/// About: what is at least there, `depth` levels deep.
fn bytes_of(value: Object<'_>, depth: usize) -> usize {
    match value.element_size() {
        Some(size) => size * value.length(),
        None if value.kind() == SEXPTYPE::VECSXP => {
            let is_short = depth > 0 && value.length() <= 1000;
            let elements = value.elements_of_list().filter(|_| is_short);
            8 * value.length()
                + elements
                    .map(|element| bytes_of(element, depth - 1))
                    .sum::<usize>()
        }
        None => 0,
    }
}

/// Evaluates `FUN(X[[i]], ...)` in `frame` from the place in `state` on, puts the results into `values`, and counts the
/// place up. Ends when all are done that are not taken back, or when no element may be begun any more: `budget`
/// milliseconds are over, or there are many bytes of results. Before an element `renew()`, if it is a function, is
/// called when the one before has used random numbers.
fn rs_batch_run(
    scope: &Scope,
    frame: Object<'_>,
    values: Object<'_>,
    state: Object<'_>,
    budget: f64,
    renew: Object<'_>,
) -> Answer<()> {
    let at = |place: usize| -> Answer<f64> {
        let number = state.doubles()?.and_then(|state| state.get(place).copied());
        number.ok_or_else(|| Stop::Fault("the state of a batch is too short".to_owned()))
    };
    let length = values.length();
    let mut seen = now_ms();
    if at(STARTED)? == 0.0 {
        state.set_number(STARTED, seen)?;
        let opened = with_session(|session| session.open_elements(length as u64));
        // Outside a session, and inside an element, they are not counted.
        let counted = f64::from(u8::from(opened.unwrap_or(false)));
        state.set_number(COUNTED, counted)?;
    }
    let (mut bytes, mut most) = (0, 1);
    loop {
        let first = at(PLACE)? as usize;
        if first >= length {
            return Ok(());
        }
        let until = length.min(first + most);
        let mut elements = Elements::new(frame, values, state, renew);
        let are_taken_back = scope.call_elements(&mut elements, until, at(COUNTED)? != 0.0)?;
        let next = at(PLACE)? as usize;
        if are_taken_back {
            return Ok(());
        }
        let results = (first..next).filter_map(|place| values.element(place));
        bytes += results.map(|value| bytes_of(value, 2)).sum::<usize>();
        scope.check_interrupt()?;
        let now = now_ms();
        let took = now - seen;
        state.set_number(LAST, took)?;
        let each = (took / (next - first) as f64).max(1e-6);
        most = (UNSEEN.as_secs_f64() * 1e3 / each).clamp(1.0, MOST_UNSEEN) as usize;
        seen = now;
        let is_over = now - at(STARTED)? >= budget || bytes >= ENOUGH_BYTES;
        if budget.is_finite() && is_over {
            return Ok(());
        }
    }
}

/// The time, in milliseconds.
fn rs_batch_clock() -> f64 {
    now_ms()
}

/// The first `count` elements of a list, in the form in which they travel.
fn rs_batch_pack<'s>(scope: &'s Scope, values: Object<'s>, count: f64) -> Answer<Object<'s>> {
    elements::pack(scope, values, count as usize)
}

entries! {
    rs_batch_run[scope](frame, values, state, budget, renew),
    rs_batch_clock(),
    rs_batch_pack[scope](values, count),
}
