//! Handing in tasks. What is serialized is serialized before anything is queued; and what tells R of it is made before,
//! too, as far as it can be.

use std::cell::RefCell;
use std::sync::Arc;

use taskq_core::Submission;
use taskq_engine::{Function, PushError, Queue, TaskPayload};
use taskq_payload::payload::Payload;

use super::asked;
use super::options;
use crate::buffer::Buffer;
use crate::capture::portable;
use crate::entries::entries;
use crate::functions;
use crate::r::{Answer, Constant, Kept, Object, Scope, Stop, Tree};
use crate::reply;
use crate::serialize::serialize_sent;

/// A task that needs no closer look: the id; or NULL, when anything about the call needs one, and nothing was queued.
fn rs_push_plain<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    fun: Object<'s>,
    args: Object<'s>,
) -> Answer<Object<'s>> {
    if !fun.is_plain_function() || !args.is_plain_list() {
        return Ok(scope.null());
    }
    let queue = match asked(scope, handle) {
        Err(Stop::Failure(_)) => return Ok(scope.null()),
        queue => queue?,
    };
    if queue.is_inline() {
        return Ok(scope.null());
    }
    let (fun, captured) = portable(scope, fun)?;
    let call = plain_call(scope, args, captured)?;
    let task = Submission {
        options: queue.default_options().clone(),
        ..Submission::default()
    };
    match push(scope, queue, task, fun, call) {
        Err(Stop::Failure(_)) => Ok(scope.null()),
        pushed => pushed,
    }
}

/// What a task has beside its function, of these two; or NULL.
fn plain_call<'s>(scope: &'s Scope, args: Object<'s>, captured: Object<'s>) -> Answer<Object<'s>> {
    static ARGS: Constant = Constant::new(&["args"]);
    static CAPTURED: Constant = Constant::new(&["captured"]);
    static BOTH: Constant = Constant::new(&["args", "captured"]);
    let [args_part, captured_part] = [args, captured].map(Tree::from);
    Ok(match (args.length() > 0, !captured.is_null()) {
        (false, false) => scope.null(),
        (true, false) => scope.record(&ARGS, &[args_part])?,
        (false, true) => scope.record(&CAPTURED, &[captured_part])?,
        (true, true) => scope.record(&BOTH, &[args_part, captured_part])?,
    })
}

/// A task: its id, or a failure. `id`, `call` and `options` may be NULL. Nothing is queued when an object cannot be
/// serialized.
fn rs_push<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    id: Object<'s>,
    fun: Object<'s>,
    call: Object<'s>,
    options: Object<'s>,
) -> Answer<Object<'s>> {
    let queue = asked(scope, handle)?;
    let mut task = options::read(options, queue.default_options())?;
    task.label = id.text(0)?.map(Into::into);
    push(scope, queue, task, fun, call)
}

fn push<'s>(
    scope: &'s Scope,
    queue: &Queue,
    task: Submission,
    fun: Object<'s>,
    call: Object<'s>,
) -> Answer<Object<'s>> {
    let function = function_of(scope, fun)?;
    let call = Arc::new(sent(scope, fun, call)?.ok_or_else(no_memory)?);
    let payload = TaskPayload {
        fun: function,
        call,
    };
    let mut reserved = Reserved::new(queue);
    let mut task = task;
    reserved.name(std::iter::once(&mut task));
    // Before the task is queued: there may be no memory for it.
    let id = scope.make(&task.label.as_deref().unwrap_or_default().into())?;
    queue.push(task, payload).map_err(refused)?;
    reserved.are_used();
    Ok(id)
}

/// Ids of tasks that are to be pushed. Unless they are, they are free again.
struct Reserved<'q> {
    queue: &'q Queue,
    count: usize,
}

impl<'q> Reserved<'q> {
    fn new(queue: &'q Queue) -> Reserved<'q> {
        Reserved { queue, count: 0 }
    }

    /// Gives an id to each task without one.
    fn name<'t>(&mut self, tasks: impl Iterator<Item = &'t mut Submission>) {
        let missing = tasks
            .map(|task| &mut task.label)
            .filter(|label| label.is_none());
        self.queue
            .reserve_names(missing.inspect(|_| self.count += 1));
    }

    fn are_used(mut self) {
        self.count = 0;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.queue.release_names(self.count);
        }
    }
}

/// Many tasks of one function: their ids, or a failure. `ids` and `keys` may be NULL, `options`, too, and each of
/// `calls`. All of them are queued, or none.
fn rs_push_many<'s>(
    scope: &'s Scope,
    handle: Object<'s>,
    ids: Object<'s>,
    fun: Object<'s>,
    calls: Object<'s>,
    options: Object<'s>,
    keys: Object<'s>,
) -> Answer<Object<'s>> {
    let queue = asked(scope, handle)?;
    let common = options::read(options, queue.default_options())?;
    let function = functions::serialize(scope, fun)?;
    let mut tasks = Vec::with_capacity(calls.length());
    // Serializing may collect garbage, and a finalizer may push, too: nothing of ours is in the queue before all are.
    for (place, call) in calls.elements_of_list().enumerate() {
        let call = sent(scope, fun, call)?;
        let call = Arc::new(call.ok_or_else(no_memory)?);
        let task = Submission {
            label: ids.text(place)?.map(Into::into),
            key: keys.text(place)?.map(Into::into),
            ..common.clone()
        };
        let fun = Arc::clone(&function);
        tasks.push((task, TaskPayload { fun, call }));
    }
    let mut reserved = Reserved::new(queue);
    reserved.name(tasks.iter_mut().map(|(task, _)| task));
    // Before anything is queued: there may be no memory for them.
    let ids = tasks
        .iter()
        .map(|(task, _)| task.label.as_deref().unwrap_or_default().into());
    let ids: Vec<_> = ids.collect();
    let ids = scope.make(&Tree::strings(&ids))?;
    queue.push_many(tasks).map_err(refused)?;
    reserved.are_used();
    Ok(ids)
}

/// What is sent beside a function: without anything, nothing. `None`: there is no memory for it.
pub(super) fn sent(scope: &Scope, fun: Object<'_>, call: Object<'_>) -> Answer<Option<Payload>> {
    let mut buffer = Buffer::of_call();
    if !call.is_null() {
        serialize_sent(scope, &mut buffer, call, fun)?;
    }
    Ok(buffer.finish())
}

fn no_memory() -> Stop {
    Stop::Failure(reply::failure(
        "system",
        "there is no memory for the arguments",
    ))
}

pub(super) fn refused(error: PushError) -> Stop {
    Stop::Failure(reply::push_failure(&error))
}

thread_local! {
    /// The function that was pushed last, and its bytes. The same object has the same bytes as long as it holds no
    /// reference, and it stays the same object as long as it is held here: pushing one function many times serializes
    /// it once, and keeps it once.
    static LAST: RefCell<Option<(Kept, Arc<Function>)>> = const { RefCell::new(None) };
}

/// Serializing may collect garbage, and a finalizer may push, too: what is used here is held here.
fn function_of(scope: &Scope, fun: Object<'_>) -> Answer<Arc<Function>> {
    let known = LAST.with_borrow(|last| {
        let (_, function) = last
            .as_ref()
            .filter(|(known, _)| fun.is_same_function(known))?;
        Some(Arc::clone(function))
    });
    if let Some(function) = known {
        return Ok(function);
    }
    let function = functions::serialize(scope, fun)?;
    // What is shared is freed when its last holder lets go of it; this must not be one.
    if function.is_pure() && function.payload().descriptors().next().is_none() {
        let kept = scope.hold(fun)?;
        let before = LAST.replace(Some((kept, Arc::clone(&function))));
        drop(before);
    }
    Ok(function)
}

entries! {
    rs_push_plain[scope](handle, fun, args),
    rs_push[scope](handle, id, fun, call, options),
    rs_push_many[scope](handle, ids, fun, calls, options, keys),
}
