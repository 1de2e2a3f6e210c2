//! What `list_tasks()` shows of tasks: their functions, arguments and results, as they were when the table was made.

use std::ffi::c_void;
use std::sync::Arc;

use extendr_ffi::{R_ClearExternalPtr, R_ExternalPtrAddr, SEXP};
use taskq_engine::{Function, TaskObjects};

use super::result;
use crate::entries::entries;
use crate::external::border;
use crate::r::{Answer, Kept, Object, Scope, Stop};
use crate::serialize::unserialize;
use crate::value::{Owned, Value};

/// A pointer that owns them.
pub(super) fn hold_all(objects: Vec<TaskObjects>) -> Value {
    let address = Box::into_raw(Box::new(objects)).cast();
    // SAFETY: both take such an address, and are its end.
    let owned = unsafe { Owned::new(address, c"taskq_snapshot", finalize, free) };
    Value::pointer(owned)
}

/// Fills `lists`, `list(fun, args, done, at)`, from the place in `at` on. Where something cannot be read it jumps, and
/// `at` is behind that: calling it again goes on there. What was freed stays NULL.
fn rs_objects(scope: &Scope, snapshot: Object<'_>, lists: Object<'_>) -> Answer<()> {
    let address = snapshot.address().cast::<Vec<TaskObjects>>();
    // SAFETY: a pointer of `hold_all`'s, which R keeps during the call.
    let Some(objects) = (unsafe { address.as_ref() }) else {
        return Err(Stop::Fault("the snapshot is gone".to_owned()));
    };
    let part = |place| lists.element(place).unwrap_or(scope.null());
    let [funs, args, done, at] = [0, 1, 2, 3].map(part);
    let mut known: Option<(Arc<Function>, Kept)> = None;
    loop {
        let place = at
            .doubles()?
            .and_then(|at| at.first().copied())
            .unwrap_or(f64::INFINITY);
        let place = place as usize;
        let Some(task) = objects.get(place) else {
            return Ok(());
        };
        at.set_number(0, (place + 1) as f64)?;
        scope.within(|scope| {
            if let Some(sent) = &task.sent {
                // The functions of many tasks are one.
                let is_known = known
                    .as_ref()
                    .is_some_and(|(fun, _)| Arc::ptr_eq(fun, &sent.fun));
                if !is_known {
                    let fun = unserialize(scope, Some(sent.fun.payload()))?;
                    known = Some((Arc::clone(&sent.fun), scope.hold(fun)?));
                }
                if let Some((_, fun)) = &known {
                    funs.set(place, fun.object())?;
                }
                let call = unserialize(scope, Some(&sent.call))?;
                let given = call.field("args")?.filter(|given| !given.is_null());
                let given = given.map_or_else(|| scope.empty_list(0), Ok)?;
                args.set(place, given)?;
            }
            if task.done.is_some() {
                done.set(place, result::describe(scope, task.done.as_ref())?)?;
            }
            Ok(())
        })?;
        if place % 1000 == 999 {
            scope.check_interrupt()?;
        }
    }
}

/// Lets go of a snapshot, which would else wait for R to collect garbage.
fn rs_objects_free(snapshot: Object<'_>) {
    // SAFETY: a pointer of `hold_all`'s.
    unsafe { finalize(snapshot.get()) };
}

/// A finalizer, too.
unsafe extern "C" fn finalize(pointer: SEXP) {
    // SAFETY: a pointer of `hold_all`'s; when it is empty, it was emptied here.
    unsafe {
        let address = R_ExternalPtrAddr(pointer);
        if !address.is_null() {
            R_ClearExternalPtr(pointer);
            border((), || free(address));
        }
    }
}

/// # Safety
/// An address of [`hold_all`]'s, not used again.
unsafe fn free(address: *mut c_void) {
    // SAFETY: see above.
    drop(unsafe { Box::from_raw(address.cast::<Vec<TaskObjects>>()) });
}

entries! {
    rs_objects[scope](snapshot, lists),
    rs_objects_free(snapshot),
}
