//! The host's side of a map: its elements go out in batches, and its results come together.
//!
//! A map is an external pointer to what is kept of it here; what belongs to R hangs on it as a list: the elements, and
//! the results as far as they are there. Nothing else sees that list before the map is over, so it is filled in place.

use std::ffi::c_void;
use std::time::Duration;

use extendr_ffi::{R_ClearExternalPtr, R_ExternalPtrAddr, SEXP, SEXPTYPE};
use taskq_core::batches::Took;
use taskq_core::id::TaskId;
use taskq_engine::{Map, MapOutcome};

use super::push::{refused, sent};
use super::wait::{in_slices, relay, told_failure};
use super::{asked, handle};
use crate::elements::{pack, unpack};
use crate::entries::entries;
use crate::external::border;
use crate::functions;
use crate::r::{Answer, Argument, Constant, Jump, Object, Scope, Stop, Tree};
use crate::reply::failure;
use crate::value::Value;

static PARTS: Constant = Constant::new(&["elements", "results", "token", "keep"]);
static BATCH: Constant = Constant::new(&["batch"]);
static CALL: Constant = Constant::new(&["x", "first", "budget", "whole", "token", "keep"]);

/// A map under way, as an argument: what is kept of it, and its parts.
struct Running<'a> {
    map: &'a mut Map,
    parts: Object<'a>,
}

impl<'a> Argument<'a> for Running<'a> {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        // SAFETY: a pointer of `rs_map_begin()`, on the R thread, which uses it for one thing at a time.
        let map = unsafe { given.address().cast::<Map>().as_mut() };
        Ok(map.map(|map| Running {
            map,
            parts: given.protected(),
        }))
    }

    fn take(given: Object<'a>, _: &str) -> Answer<Self> {
        Self::read(given)?.ok_or_else(|| Stop::Fault("the map is over".to_owned()))
    }
}

impl<'a> Running<'a> {
    fn part(&self, name: &str) -> Answer<Object<'a>> {
        let part = self.parts.field(name)?;
        part.ok_or_else(|| Stop::Fault("a map lacks a part".to_owned()))
    }
}

/// A map, or a failure. `chunk`: how many elements are in each batch, or 0.
fn rs_map_begin<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    elements: Object<'s>,
    work: Object<'s>,
    token: Object<'s>,
    keep: Object<'s>,
    chunk: f64,
) -> Answer<Object<'s>> {
    asked(scope, handle)?;
    let work = functions::serialize(scope, work)?;
    let results = scope.empty_list(elements.length())?;
    let parts = [elements, results, token, keep].map(Tree::from);
    let parts = scope.record(&PARTS, &parts)?;
    let pointer = scope.pointer_with(c"taskq_map", end_map, parts)?;
    let queue = handle::hold(handle)?;
    let fixed = (chunk > 0.0).then_some(chunk as u64);
    let map = Map::new(&queue, work, elements.length() as u64, fixed).map_err(refused)?;
    pointer.set_address(Box::into_raw(Box::new(map)).cast());
    Ok(pointer)
}

/// Pushes as many batches as the workers need now. NULL, or a failure.
fn rs_map_feed(scope: &Scope, map: Running<'_>) -> Answer<()> {
    while let Some(batch) = map.map.plan() {
        let (first, count) = (batch.first as usize, batch.count as usize);
        let budget = batch
            .budget
            .map_or(f64::INFINITY, |time| time.as_secs_f64() * 1e3);
        let number = map.map.number().0 as f64;
        let payload = scope.within(|scope| {
            // What R/worker-map.R reads. Elements that are plain scalars travel as the vector that they make.
            let mut elements = scope.slice(map.part("elements")?, first, count)?;
            if elements.kind() == SEXPTYPE::VECSXP {
                elements = pack(scope, elements, count)?;
            }
            let cells = [
                elements.into(),
                (batch.first as f64).into(),
                budget.into(),
                number.into(),
                map.part("token")?.into(),
                map.part("keep")?.into(),
            ];
            let call = scope.record(&CALL, &cells)?;
            let call = scope.record(&BATCH, &[call.into()])?;
            sent(scope, scope.null(), call)
        })?;
        let Some(payload) = payload else {
            let message = "there is no memory for the elements";
            return Err(Stop::Failure(failure("system", message)));
        };
        map.map.push(payload).map_err(refused)?;
    }
    Ok(())
}

/// The number of a batch that is done; FALSE when the time is over, or there is something to push; NULL when nothing is
/// under way; a failure when the pool has failed and this was not told yet.
fn rs_map_wait(scope: &Scope, handle: Object<'_>, map: Running<'_>, ms: f64) -> Answer<Value> {
    let queue = asked(scope, handle)?;
    let answer = in_slices(scope, ms, |time| {
        let outcome = Some(map.map.wait(time));
        let outcome = outcome
            .filter(|outcome| !matches!(outcome, MapOutcome::TimedOut | MapOutcome::Signalled));
        relay(scope, queue, outcome.is_some())?;
        Ok(outcome)
    });
    Ok(match answer? {
        Some(MapOutcome::Done(task)) => (task.0 as f64).into(),
        Some(MapOutcome::Empty) => Value::null(),
        Some(MapOutcome::Failed) => told_failure(scope, queue)?.into(),
        Some(MapOutcome::More | MapOutcome::Signalled | MapOutcome::TimedOut) | None => {
            false.into()
        }
    })
}

/// First and number of the elements of a batch, counted from 0, and how many had begun if its session died.
fn rs_map_batch(map: Running<'_>, task: f64) -> Answer<Vec<f64>> {
    let task = TaskId(task as u64);
    let Some(batch) = map.map.batch(task) else {
        return Err(Stop::Fault("there is no such batch".to_owned()));
    };
    let begun = map.map.begun(task);
    Ok(vec![batch.first as f64, batch.count as f64, begun as f64])
}

/// Puts results of elements, packed or not, in their places, from this one on, counted from 0.
fn rs_map_put(scope: &Scope, map: Running<'_>, first: f64, values: Object<'_>) -> Answer<()> {
    let results = map.part("results")?;
    if !(first >= 0.0 && first + values.length() as f64 <= results.length() as f64) {
        return Err(Stop::Fault("there are no such elements".to_owned()));
    }
    unpack(scope, values, results, first as usize)
}

/// Takes a batch that is done, the first `settled` of whose elements have their results. The others are sent again.
/// Times, in milliseconds, of all of them and of the last one, are below zero where they are not known.
fn rs_map_settle(map: Running<'_>, task: f64, settled: f64, all_ms: f64, last_ms: f64) {
    let time = |ms: f64| Duration::from_secs_f64(ms.max(0.0) / 1e3);
    let took = (all_ms >= 0.0).then(|| Took {
        all: time(all_ms),
        last: time(last_ms),
    });
    map.map.settle(TaskId(task as u64), settled as u64, took);
}

/// The results of a map.
fn rs_map_results<'s>(_scope: &'s Scope, map: Running<'s>) -> Answer<Object<'s>> {
    map.part("results")
}

/// Ends a map; what is under way is cancelled.
fn rs_map_end(map: Object<'_>) {
    // SAFETY: a pointer of `rs_map_begin()`.
    unsafe { end_map(map.get()) };
}

/// A finalizer, too.
unsafe extern "C" fn end_map(pointer: SEXP) {
    // SAFETY: a pointer of `rs_map_begin()`, which owns what it points to until here.
    unsafe {
        let address: *mut c_void = R_ExternalPtrAddr(pointer);
        R_ClearExternalPtr(pointer);
        if address.is_null() {
            return;
        }
        let map = Box::from_raw(address.cast::<Map>());
        // In a fork the locks inside may be held for ever.
        if map.queue().is_ours() {
            border((), || drop(map));
        } else {
            std::mem::forget(map);
        }
    }
}

entries! {
    rs_map_begin[scope](handle, elements, work, token, keep, chunk),
    rs_map_feed[scope](map),
    rs_map_wait[scope](handle, map, ms),
    rs_map_batch(map, task),
    rs_map_put[scope](map, first, values),
    rs_map_settle(map, task, settled, all_ms, last_ms),
    rs_map_results[scope](map),
    rs_map_end(map),
}
