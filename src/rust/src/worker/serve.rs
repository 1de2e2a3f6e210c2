//! What a session does: receive a task, have R run it, reply.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use taskq_payload::payload::Payload;
use taskq_payload::segment;
use taskq_record::Verdict;
use taskq_worker::{Received, Session};

use super::evaluate::{evaluate, set_phase, Task, IDLE, RECEIVE};
use super::{describe, is_session, with_worker, Worker};
use crate::buffer::Buffer;
use crate::entries::entries;
use crate::given::with_given;
use crate::r::{Answer, Kept, Object, Scope, Stop};
use crate::serialize::{serialize, serialize_outcome, unserialize};
use crate::state;

/// What the last task has used of vectors over mapped memory is kept by garbage. When nothing comes for so long, R
/// collects it.
const SLACK: Duration = Duration::from_millis(300);

/// Runs one task after another until the session is to leave. What a task has changed of the session is handed to
/// `go_home()`; `make_tempdir()` is called before a task where R's temporary directory is gone. A task that fails jumps
/// out of this; interrupts must be suspended, and are on only while a task runs. NULL when it is to leave; TRUE when it
/// has received a broadcast.
fn rs_serve(
    scope: &Scope,
    evaluator: Object<'_>,
    go_home: Object<'_>,
    make_tempdir: Object<'_>,
) -> Answer<Option<bool>> {
    loop {
        let received = scope.within(|scope| {
            let received = receive(scope)?;
            if received != Received::Task {
                return Ok(received);
            }
            if !with_session(|session| session.has_temp_dir())? {
                scope.call(make_tempdir, None)?;
            }
            // Nothing of the task is held when the session is looked at.
            scope.within(|scope| run(scope, evaluator))?;
            if let Some(changed) = state::changed(scope)? {
                let changed = scope.make(&Some(changed).into())?;
                scope.call(go_home, Some(changed))?;
            }
            Ok(received)
        })?;
        match received {
            Received::Task => {}
            Received::Broadcast => return Ok(Some(true)),
            Received::Nothing => return Ok(None),
        }
    }
}

/// Waits for a task, or a broadcast.
fn receive(scope: &Scope) -> Answer<Received> {
    let holds_memory = segment::count() > 0 || scope.parcels_held() > 0.0;
    if holds_memory && !with_session(|session| session.wait(SLACK))? {
        scope.collect_garbage()?;
    }
    with_session(Session::receive)?.map_err(|error| Stop::Fault(describe(&error)))
}

/// Runs the current task and tells the host. Nothing holds its result then.
fn run(scope: &Scope, evaluator: Object<'_>) -> Answer<()> {
    set_phase(scope, evaluator, &RECEIVE)?;
    let job = with_session(|session| {
        let job = session.current()?;
        let place = job.fun.place.filter(|_| job.fun.is_pure);
        let fun = job.fun.payload.as_deref().map(std::ptr::from_ref);
        let (call, given) = (
            std::ptr::from_ref(&job.call),
            std::ptr::from_ref(&job.given),
        );
        Some((job.fun.id, place, fun, call, given))
    })?;
    let none = || Stop::Fault("no task is running".to_owned());
    let (id, place, fun, call, given) = job.ok_or_else(none)?;
    // SAFETY: they live until they are spent, below, or the task ends.
    let (fun, call, given) = unsafe { (fun.map(|fun| &*fun), &*call, &*given) };
    let call = unserialize(scope, Some(call))?;
    let given = given.iter().map(|(name, outcome)| (&**name, outcome));
    let call = with_given(scope, call, given)?;
    let task = Task::new(call)?;
    let fun = match task.batch {
        Some(batch) => work_of(scope, batch, fun)?,
        None => {
            drop(WORK.take());
            function_of(scope, id, place, fun)?
        }
    };
    with_session(Session::spent)?;
    let outcome = evaluate(scope, evaluator, fun, task, true)?;
    reply(scope, Verdict::Success, outcome)?;
    set_phase(scope, evaluator, &IDLE)
}

thread_local! {
    /// Functions that were read, by their places, for the next tasks that have them. R compiles a function that is
    /// called again.
    static FUNCTIONS: RefCell<Vec<Option<(u64, Kept)>>> = const { RefCell::new(Vec::new()) };
}

/// The function of a task, whose number no other has, and which may be kept at this place.
fn function_of<'s>(
    scope: &'s Scope,
    id: u64,
    place: Option<usize>,
    payload: Option<&Payload>,
) -> Answer<Object<'s>> {
    let Some(place) = place else {
        return unserialize(scope, payload);
    };
    let known = FUNCTIONS.with_borrow(|functions| {
        let (known, fun) = functions.get(place)?.as_ref()?;
        (*known == id).then(|| scope.adopt(fun.object()))
    });
    if let Some(fun) = known {
        return Ok(fun?);
    }
    let fun = unserialize(scope, payload)?;
    let kept = scope.hold(fun)?;
    let before = FUNCTIONS.with_borrow_mut(|functions| {
        if functions.len() <= place {
            functions.resize_with(place + 1, || None);
        }
        functions[place].replace((id, kept))
    });
    drop(before);
    Ok(fun)
}

thread_local! {
    /// What all batches of a map have in common, the function among it, and the map's token. It may be large, and R
    /// compiles a function when it has been called twice.
    static WORK: RefCell<Option<(String, Kept)>> = const { RefCell::new(None) };
}

/// What a batch has in common with the others of its map, read once.
fn work_of<'s>(
    scope: &'s Scope,
    batch: Object<'s>,
    payload: Option<&Payload>,
) -> Answer<Object<'s>> {
    let token = batch
        .field("token")?
        .map(|token| token.text(0))
        .transpose()?
        .flatten();
    let token = token.unwrap_or_default();
    let known = WORK.with_borrow(|work| {
        let (known, work) = work.as_ref()?;
        (*known == token).then(|| scope.adopt(work.object()))
    });
    if let Some(work) = known {
        return Ok(work?);
    }
    drop(WORK.take());
    let work = unserialize(scope, payload)?;
    WORK.set(Some((token, scope.hold(work)?)));
    Ok(work)
}

/// Ends the current task. Nothing is sent when the outcome cannot be serialized.
fn reply(scope: &Scope, verdict: Verdict, outcome: Object<'_>) -> Answer<()> {
    let outcome = serialize_outcome(scope, outcome)?.finish();
    let no_memory = || Stop::Fault("there is no memory for the result".to_owned());
    let outcome = outcome.ok_or_else(no_memory)?;
    let sent = with_session(|session| session.finish(verdict, &outcome))?;
    sent.map_err(|error| Stop::Fault(describe(&error)))
}

/// Ends the current task with this verdict: "success", "error" or "interrupted".
fn rs_reply(scope: &Scope, verdict: Cow<'_, str>, outcome: Object<'_>) -> Answer<()> {
    let verdict = Verdict::from_word(&verdict);
    reply(scope, verdict.unwrap_or(Verdict::Interrupted), outcome)
}

/// Sends a condition of the current task, for the host to signal it now; whether it was sent.
fn rs_send_condition(scope: &Scope, condition: Object<'_>) -> Answer<bool> {
    let mut buffer = Buffer::of_call();
    serialize(scope, &mut buffer, condition)?;
    let Some(condition) = buffer.finish() else {
        return Ok(false);
    };
    with_session(|session| session.signalled(&condition).is_ok())
}

/// The broadcast that was received, as `tq_everywhere()` has made it.
fn rs_broadcast(scope: &Scope) -> Answer<Object<'_>> {
    let call = with_session(Session::take_broadcast)?;
    unserialize(scope, call.as_ref())
}

/// Tells the host what it gave, `list(value)`, and that the session waits for tasks.
fn rs_ran(scope: &Scope, outcome: Object<'_>) -> Answer<()> {
    let outcome = serialize_outcome(scope, outcome)?.finish();
    let outcome = outcome.ok_or_else(|| scope.no_memory())?;
    with_session(|session| session.ran(&outcome))?.map_err(|error| Stop::Fault(describe(&error)))
}

/// Interrupts may not hit any more; one that is pending is forgotten.
fn rs_disarm() -> Answer<()> {
    with_session(Session::disarm)
}

/// Uses the session that this process is.
pub(crate) fn with_session<T>(body: impl FnOnce(&mut Session) -> T) -> Answer<T> {
    with_worker(|worker| match worker {
        Worker::Session(session) => Ok(body(session)),
        _ => Err(Stop::Fault(no_session().to_owned())),
    })
}

/// Libraries that call R from threads of their own, as Java's does in `System.exit()`, have it jump there.
fn no_session() -> &'static str {
    if is_session() {
        "R runs on a thread that is not its own; a library has called it there"
    } else {
        "this process is no session of a queue"
    }
}

// The evaluation of a task, which is C, calls these.

/// For `src/batch.c`: whether an element of the current task may begin; 0 when the host has taken back what is left.
#[no_mangle]
extern "C" fn tq_session_begin_element() -> i32 {
    i32::from(with_session(|session| session.begin_element()).unwrap_or(false))
}

entries! {
    rs_serve[scope](evaluator, go_home, make_tempdir),
    rs_reply[scope](verdict, outcome),
    rs_send_condition[scope](condition),
    rs_disarm(),
    rs_broadcast[scope](),
    rs_ran[scope](outcome),
}
