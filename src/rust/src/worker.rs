//! What R calls in the worker processes: zygotes, supervisors and sessions. Such a process has one role at a time, so
//! its state is one value here, used on the R thread only.
//!
//! What receives, runs and replies is in [`serve`], on the same state.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{c_int, CStr, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use taskq_core::id::{AttemptId, TaskId};
use taskq_record::StartPhase;
use taskq_sys::{tempdir, threads};
use taskq_wire::message::ThreadSource;
use taskq_worker::random;
use taskq_worker::{ExecSession, Inheritance, InterruptHook, Role, Session, Supervisor, Zygote};

use crate::entries::entries;
use crate::reply::failure;
use crate::value::Value;

pub(crate) mod batch;
pub(crate) mod evaluate;
pub(crate) mod serve;

/// What this process is to its queue.
#[derive(Default)]
pub(crate) enum Worker {
    /// Nothing: an R session of a user.
    #[default]
    Stranger,
    /// A supervisor.
    Supervisor(Supervisor),
    /// A session that has not started.
    Inheritance(Inheritance),
    /// A session, for the rest of the process: it is never dropped, because its control thread uses its descriptors.
    Session(&'static mut Session),
}

thread_local! {
    static WORKER: RefCell<Worker> = const { RefCell::new(Worker::Stranger) };
}

/// Whether this process has become a session, also for those of its threads that are not R's.
static IS_SESSION: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_session() -> bool {
    IS_SESSION.load(Ordering::Relaxed)
}

/// Uses this process's role.
pub(crate) fn with_worker<T>(body: impl FnOnce(&mut Worker) -> T) -> T {
    WORKER.with_borrow_mut(body)
}

/// Forks supervisors for as long as the host wants. `list(setup)`: this process is a supervisor from now on;
/// `list(setup = NULL)`: the host wants no more; or a failure.
fn rs_zygote_serve() -> Value {
    match Zygote::open().and_then(Zygote::serve) {
        Ok(Some((supervisor, file))) => {
            with_worker(|worker| *worker = Worker::Supervisor(supervisor));
            Value::list([("setup", Value::raw(file.payload))])
        }
        Ok(None) => Value::list([("setup", Value::null())]),
        Err(error) => failure("start", &describe(&error)),
    }
}

/// Shows `title` in the list of processes, in place of the argument that the process was started with for this.
fn rs_write_title(title: Cow<'_, str>) {
    // SAFETY: R has copied the arguments when it was started, and this is the thread that would ask for them.
    unsafe { taskq_sys::title::write("taskq", &title) };
}

/// Has numerical libraries that are loaded use `count` threads, as if the variable had said so at their start.
fn rs_limit_threads(variable: Cow<'_, str>, count: i32) {
    threads::limit(&variable, count);
}

/// How many threads this process has.
fn rs_num_threads() -> i32 {
    // Where that cannot be told, nothing is forked for that reason.
    threads::left().map_or(1, |count| i32::try_from(count).unwrap_or(i32::MAX))
}

/// Notes that a step of this phase has brought threads, and which packages it has loaded.
fn rs_supervisor_note_threads(phase: Cow<'_, str>, packages: Vec<Cow<'_, str>>, brought: i32) {
    let source = ThreadSource {
        phase: phase_of(&phase),
        packages: packages.into_iter().map(Cow::into_owned).collect(),
        threads: u32::try_from(brought).unwrap_or(0),
    };
    with_worker(|worker| {
        if let Worker::Supervisor(supervisor) = worker {
            supervisor.note_threads(source);
        }
    });
}

/// Tells the host that the supervisor cannot come up.
fn rs_supervisor_failed(phase: Cow<'_, str>, message: Cow<'_, str>) {
    with_worker(|worker| {
        if let Worker::Supervisor(supervisor) = worker {
            supervisor.failed(phase_of(&phase), &message);
        }
    });
}

/// Makes the queue's directory for temporary files, unless it is there. Its path, or a failure.
fn rs_supervisor_make_temp_dir() -> Value {
    with_worker(|worker| match worker {
        Worker::Supervisor(supervisor) => temp_dir(supervisor.make_temp_dir()),
        _ => failure("start", "this process is no supervisor"),
    })
}

/// Launches sessions until the queue is over. "session": this is a new process, forked to be one; "end": the queue is
/// over.
fn rs_supervisor_serve(command: Vec<&CStr>) -> Value {
    let words = command.into_iter().map(CStr::to_bytes);
    let mut words = words.map(|word| OsStr::from_bytes(word).to_owned());
    let exec = ExecSession {
        program: PathBuf::from(words.next().unwrap_or_default()),
        args: words.collect(),
    };
    let supervisor = with_worker(std::mem::take);
    let Worker::Supervisor(mut supervisor) = supervisor else {
        return failure("start", "this process is no supervisor");
    };
    match supervisor.serve(exec) {
        Ok(Role::Session(inheritance)) => {
            with_worker(|worker| *worker = Worker::Inheritance(inheritance));
            "session".into()
        }
        Ok(Role::End) => "end".into(),
        Err(error) => failure("start", &describe(&error)),
    }
}

/// Takes over what the supervisor left for a session that is not forked: `list(setup)`, or a failure.
fn rs_session_exec_open() -> Value {
    match Inheritance::from_exec() {
        Ok((inheritance, file)) => {
            with_worker(|worker| *worker = Worker::Inheritance(inheritance));
            Value::list([("setup", Value::raw(file.payload))])
        }
        Err(error) => failure("start", &describe(&error)),
    }
}

/// Starts the control thread. TRUE, or a failure.
fn rs_session_start() -> Value {
    let Worker::Inheritance(inheritance) = with_worker(std::mem::take) else {
        return failure("start", "this process is no session");
    };
    let hook = InterruptHook {
        raise: raise_interrupt,
        clear: clear_interrupt,
    };
    match Session::start(inheritance, hook) {
        Ok(session) => {
            with_worker(|worker| *worker = Worker::Session(Box::leak(Box::new(session))));
            IS_SESSION.store(true, Ordering::Relaxed);
            true.into()
        }
        Err(error) => failure("start", &describe(&error)),
    }
}

/// Leaves so much more of the processors to others from now on.
fn rs_session_step_back(nice: i32) {
    with_worker(|worker| {
        if let Worker::Session(session) = worker {
            session.step_back(nice);
        }
    });
}

/// Removes the temporary directory that R has made for itself, in one of ours with all that is in it, elsewhere only if
/// it is empty; R makes another one when it is asked to.
fn rs_remove_r_temp_dir(dir: Vec<&CStr>) {
    for dir in dir {
        let dir = Path::new(OsStr::from_bytes(dir.to_bytes()));
        let _ = tempdir::remove_of_program(dir, "Rtmp");
    }
}

/// Where R has its temporary files from now on.
fn rs_session_uses_temp_dir(dir: Vec<&CStr>) {
    with_worker(|worker| {
        if let (Worker::Session(session), [dir]) = (worker, &dir[..]) {
            session.uses_temp_dir(OsStr::from_bytes(dir.to_bytes()).into());
        }
    });
}

/// Makes the session's directory for temporary files, and R's in it, unless they are there. The session's, or a
/// failure.
fn rs_session_make_temp_dir() -> Value {
    with_worker(|worker| match worker {
        Worker::Session(session) => temp_dir(session.make_temp_dir()),
        _ => failure("start", "this process is no session"),
    })
}

fn temp_dir(made: io::Result<impl AsRef<Path>>) -> Value {
    match made {
        Ok(dir) => dir.as_ref().to_string_lossy().into_owned().into(),
        Err(error) => failure("system", &error.to_string()),
    }
}

/// Tells the host that the session waits for tasks. TRUE, or a failure.
fn rs_session_ready() -> Value {
    with_worker(|worker| match worker {
        Worker::Session(session) => match session.ready() {
            Ok(()) => true.into(),
            Err(error) => failure("start", &describe(&error)),
        },
        _ => failure("start", "this process is no session"),
    })
}

/// Puts the standard descriptors back where they belong. TRUE, or a failure.
fn rs_session_restore_output() -> Value {
    with_worker(|worker| match worker {
        Worker::Session(session) => match session.restore_output() {
            Ok(()) => true.into(),
            Err(error) => failure("system", &describe(&error)),
        },
        _ => true.into(),
    })
}

/// Tells the host that the session cannot come up.
fn rs_session_failed(phase: Cow<'_, str>, message: Cow<'_, str>) {
    with_worker(|worker| {
        if let Worker::Session(session) = worker {
            session.failed(phase_of(&phase), &message);
        }
    });
}

/// The id of the running task, or NULL.
fn rs_task_id() -> Option<String> {
    with_worker(|worker| match worker {
        Worker::Session(session) => session.current().map(|job| job.label.clone()),
        _ => None,
    })
}

/// How often the running task has begun, or NULL.
fn rs_task_attempt() -> Option<i32> {
    with_worker(|worker| match worker {
        Worker::Session(session) => {
            let number = |number| i32::try_from(number).unwrap_or(i32::MAX);
            session.current().map(|job| number(job.tries))
        }
        _ => None,
    })
}

/// What the random numbers of the running attempt start from: `list(serial, seed)`, or NULL.
fn rs_task_random() -> Option<Value> {
    with_worker(|worker| {
        let Worker::Session(session) = worker else {
            return None;
        };
        let serial = session.current()?.attempt.task.0 as f64;
        let seed = session.random_seed()?;
        Some(Value::list([
            ("serial", serial.into()),
            ("seed", seed.into()),
        ]))
    })
}

/// The same for a try of a task of an inline queue, which `token` distinguishes from other queues: a seed.
fn rs_inline_random(token: Cow<'_, str>, serial: f64, tries: f64) -> i32 {
    let attempt = AttemptId {
        task: TaskId(serial as u64),
        number: tries as u32,
    };
    random::seed(random::salt(&token), attempt)
}

/// The state of L'Ecuyer's generator after `set.seed(seed)`, `streams` streams ahead.
fn rs_random_stream(seed: i32, streams: f64) -> Vec<i32> {
    let state = random::stream(seed, streams as u64);
    state.map(|number| number as i32).to_vec()
}

/// The state of the same generator `streams` streams and then `substreams` substreams ahead of `state`.
fn rs_random_ahead(state: &[i32], streams: f64, substreams: f64) -> Vec<i32> {
    let mut numbers = [0; 6];
    for (number, given) in numbers.iter_mut().zip(state) {
        *number = *given as u32;
    }
    let state = random::ahead(numbers, streams as u64, substreams as u64);
    state.map(|number| number as i32).to_vec()
}

/// Notes how far the running task is. Outside a task it does nothing.
fn rs_task_progress(fraction: f64, message: Cow<'_, str>) {
    with_worker(|worker| {
        if let Worker::Session(session) = worker {
            session.progress(fraction, &message);
        }
    });
}

/// Whether this process is a session of a queue.
fn rs_is_worker() -> bool {
    with_worker(|worker| matches!(worker, Worker::Session(_)))
}

extern "C" {
    static mut R_interrupts_pending: c_int;
}

fn raise_interrupt() {
    // SAFETY: sets a flag of R's; R itself does the same in a signal handler.
    unsafe { R_interrupts_pending = 1 };
}

fn clear_interrupt() {
    // SAFETY: clears the flag, on the R thread.
    unsafe { R_interrupts_pending = 0 };
}

/// What R does for a start without a phase of its own is part of the boot.
fn phase_of(name: &str) -> StartPhase {
    StartPhase::from_word(name).unwrap_or(StartPhase::Boot)
}

/// An error with its causes.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

entries! {
    rs_zygote_serve(),
    rs_limit_threads(variable, count),
    rs_num_threads(),
    rs_supervisor_note_threads(phase, packages, brought),
    rs_write_title(title),
    rs_supervisor_failed(phase, message),
    rs_supervisor_make_temp_dir(),
    rs_supervisor_serve(command),
    rs_session_exec_open(),
    rs_session_start(),
    rs_session_step_back(nice),
    rs_remove_r_temp_dir(dir),
    rs_session_uses_temp_dir(dir),
    rs_session_make_temp_dir(),
    rs_session_ready(),
    rs_session_restore_output(),
    rs_session_failed(phase, message),
    rs_task_id(),
    rs_task_attempt(),
    rs_task_progress(fraction, message),
    rs_task_random(),
    rs_inline_random(token, serial, tries),
    rs_random_stream(seed, streams),
    rs_random_ahead(state, streams, substreams),
    rs_is_worker(),
}
