//! What R calls on the host's side, beside what waits or serializes (`src/*.c`). Each function returns its value or a
//! [`failure`]; none of them waits.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use extendr_api::prelude::*;
use taskq_core::id::TaskId;
use taskq_core::{
    Config as SchedulerConfig, Outcome, QueueState, SeatState, SubmitError, TaskOptions, TaskPhase,
};
use taskq_engine::{Captured, Config, Queue, SeatRow, TaskRow};

use crate::external::options::{duration, whole};
use crate::handle;
use crate::reply::{self, failure, start_failure};

/// Opens a queue. `config` is the list that `tq_open()` in R/queue-control.R makes. Without any workers, ever, it runs inline.
#[extendr]
fn rs_queue_open(config: List) -> Robj {
    let config = match read_config(&config) {
        Ok(config) => config,
        Err(problem) => return failure("input", &problem, &[]),
    };
    let Config { scheduler, .. } = &config;
    let started = if scheduler.workers.max(scheduler.max_workers) == 0 {
        Queue::start_inline(config)
    } else {
        Queue::start(config)
    };
    match started {
        Ok(queue) => handle::make(queue),
        Err(error) => failure("system", &format!("cannot make a queue: {error}"), &[]),
    }
}

/// The ids of the done tasks, oldest push first.
#[extendr]
fn rs_queue_done(handle: Robj) -> Robj {
    with(&handle, |queue| queue.done().into())
}

/// How many tasks wait, run, and are done.
#[extendr]
fn rs_queue_counts(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let counts = queue.counts();
        let whole = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        [
            whole(counts.waiting),
            whole(counts.running),
            whole(counts.done),
        ]
        .into()
    })
}

/// "open", "paused", "failed", "closing" or "closed".
#[extendr]
fn rs_queue_state(handle: Robj) -> Robj {
    with(&handle, |queue| {
        match queue.state() {
            QueueState::Open if queue.is_paused() => "paused",
            QueueState::Open => "open",
            QueueState::Failed => "failed",
            QueueState::Closing => "closing",
            QueueState::Closed => "closed",
        }
        .into()
    })
}

/// Why the pool has failed: a failure with `phase`, `stderr`, `exit_code`, `signal`; NULL when it has not.
#[extendr]
fn rs_queue_failure(handle: Robj) -> Robj {
    with(&handle, |queue| {
        queue
            .failure()
            .map_or_else(|| ().into(), |failure| start_failure(&failure))
    })
}

/// The columns of the table of tasks, oldest push first.
#[extendr]
fn rs_queue_tasks(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let rows = queue.tasks();
        let column = |cell: fn(&TaskRow) -> Rfloat| rows.iter().map(cell).collect::<Doubles>();
        list!(
            serial = column(|row| Rfloat::from(row.id.0 as f64)),
            id = rows
                .iter()
                .map(|row| row.label.as_str())
                .collect::<Strings>(),
            state = rows
                .iter()
                .map(|row| phase_word(row.phase))
                .collect::<Strings>(),
            worker = rows
                .iter()
                .map(|row| Rint::from(row.pid))
                .collect::<Integers>(),
            tag = rows
                .iter()
                .map(|row| row.tag.as_deref().map_or_else(Rstr::na, Rstr::from))
                .collect::<Strings>(),
            priority = rows
                .iter()
                .map(|row| Rint::from(row.priority))
                .collect::<Integers>(),
            progress = column(|row| row
                .progress
                .as_ref()
                .map_or_else(Rfloat::na, |told| fraction(told.fraction))),
            message = rows
                .iter()
                .map(|row| row
                    .progress
                    .as_ref()
                    .map_or_else(Rstr::na, |told| words(&told.message)))
                .collect::<Strings>(),
            status = rows
                .iter()
                .map(|row| row.outcome.as_ref().map_or_else(Rstr::na, status_word))
                .collect::<Strings>(),
            tries = rows
                .iter()
                .map(|row| Rint::from(i32::try_from(row.tries).unwrap_or(i32::MAX)))
                .collect::<Integers>(),
            queued = column(|row| Rfloat::from(row.queued)),
            started = column(|row| Rfloat::from(row.started)),
            finished = column(|row| Rfloat::from(row.finished))
        )
        .into()
    })
}

/// The columns of the table of workers, by number.
#[extendr]
fn rs_queue_seats(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let rows = queue.seats();
        let usage: Vec<_> = rows
            .iter()
            .map(|row| row.pid.and_then(taskq_sys::process::usage))
            .collect();
        let seat = |row: &SeatRow| Rint::from(i32::try_from(row.seat).unwrap_or(i32::MAX));
        list!(
            seat = rows.iter().map(seat).collect::<Integers>(),
            state = rows
                .iter()
                .map(|row| idle_row_word(row.state))
                .collect::<Strings>(),
            worker = rows
                .iter()
                .map(|row| Rint::from(row.pid))
                .collect::<Integers>(),
            task = rows
                .iter()
                .map(|row| row.task.as_deref().map_or_else(Rstr::na, Rstr::from))
                .collect::<Strings>(),
            tasks_done = rows
                .iter()
                .map(|row| Rfloat::from(row.tasks_done as f64))
                .collect::<Doubles>(),
            started = rows
                .iter()
                .map(|row| Rfloat::from(row.started))
                .collect::<Doubles>(),
            rss = usage
                .iter()
                .map(|usage| Rfloat::from(usage.map(|usage| usage.rss as f64)))
                .collect::<Doubles>(),
            cpu = usage
                .iter()
                .map(|usage| Rfloat::from(usage.map(|usage| usage.cpu_us as f64 / 1e6)))
                .collect::<Doubles>(),
            activity = rows
                .iter()
                .map(|row| activity_word(row.state))
                .collect::<Strings>()
        )
        .into()
    })
}

/// The serial numbers of the tasks with these ids, or a failure with those that are not there.
#[extendr]
fn rs_queue_find(handle: Robj, ids: Strings) -> Robj {
    with(&handle, |queue| {
        match queue.find(ids.iter().map(|id| id.as_ref())) {
            Ok(tasks) => serials(tasks),
            Err(unknown) => reply::unknown(&unknown),
        }
    })
}

/// The serial numbers of the tasks with this tag that are not done.
#[extendr]
fn rs_queue_tagged(handle: Robj, tag: &str) -> Robj {
    with(&handle, |queue| serials(queue.tagged(tag)))
}

/// The serial numbers of the done tasks, oldest push first.
#[extendr]
fn rs_queue_done_serials(handle: Robj) -> Robj {
    with(&handle, |queue| serials(queue.done_tasks()))
}

/// How many of these tasks are done or gone.
#[extendr]
fn rs_queue_num_done(handle: Robj, tasks: Doubles) -> Robj {
    with(&handle, |queue| {
        (queue.count_done(task_ids(&tasks)) as f64).into()
    })
}

/// Ends tasks. A logical vector named by their ids: whether each was not done before.
#[extendr]
fn rs_queue_cancel(handle: Robj, tasks: Doubles, grace_ms: f64) -> Robj {
    with(&handle, |queue| {
        let tasks: Vec<TaskId> = task_ids(&tasks).collect();
        let (names, ended): (Vec<String>, Vec<bool>) =
            queue.cancel(&tasks, grace(grace_ms)).into_iter().unzip();
        let mut answer: Robj = ended.iter().copied().collect::<Logicals>().into();
        // A name for each element: this cannot fail.
        let _ = answer.set_names(names);
        answer
    })
}

/// Changes the number of workers. A failure when there will be none any more; so do the next two.
#[extendr]
fn rs_queue_resize(handle: Robj, workers: i32, max_workers: i32) -> Robj {
    with_live(&handle, |queue| {
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        queue.resize(count(workers), count(max_workers));
        ().into()
    })
}

/// Stops handing out tasks.
#[extendr]
fn rs_queue_pause(handle: Robj) -> Robj {
    with_live(&handle, |queue| {
        queue.pause();
        ().into()
    })
}

/// Hands out tasks again.
#[extendr]
fn rs_queue_resume(handle: Robj) -> Robj {
    with_live(&handle, |queue| {
        queue.resume();
        ().into()
    })
}

/// What a task has written so far: `list(stdout, stderr)`.
#[extendr]
fn rs_queue_output(handle: Robj, task: f64) -> Robj {
    with(&handle, |queue| {
        let (stdout, stderr) = queue.output(TaskId(task as u64)).unwrap_or_default();
        let text = |captured: &Captured| reply::text(&captured.bytes);
        list!(stdout = text(&stdout), stderr = text(&stderr)).into()
    })
}

/// What a task has last told of its progress: `list(fraction, message, at)`, or NULL.
#[extendr]
fn rs_queue_progress(handle: Robj, task: f64) -> Robj {
    with(&handle, |queue| match queue.progress(TaskId(task as u64)) {
        None => ().into(),
        Some((progress, at)) => list!(
            fraction = fraction(progress.fraction),
            message = words(&progress.message),
            at = at
        )
        .into(),
    })
}

/// What the queue has done in all its life.
#[extendr]
fn rs_queue_totals(handle: Robj) -> Robj {
    with(&handle, |queue| {
        let totals = queue.totals();
        list!(
            submitted = totals.submitted as f64,
            taken = totals.taken as f64,
            success = totals.success as f64,
            error = (totals.error + totals.no_worker) as f64,
            crash = totals.crash as f64,
            timeout = totals.timeout as f64,
            cancelled = totals.cancelled as f64,
            skipped = totals.skipped as f64,
            retries = totals.retries as f64,
            sessions_ready = totals.sessions_ready as f64,
            sessions_died = totals.sessions_died as f64,
            sessions_recycled = totals.sessions_recycled as f64,
            attempts = totals.attempts as f64,
            begun = totals.begun as f64,
            run_time = totals.run_time.as_secs_f64(),
            wait_time = totals.wait_time.as_secs_f64()
        )
        .into()
    })
}

/// How many processors this process may use.
#[extendr]
fn rs_num_cores() -> i32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| i32::try_from(cores.get()).unwrap_or(i32::MAX))
}

/// Refuses new tasks, lets the others finish for `grace_ms`, then ends what is left. Does not wait.
#[extendr]
fn rs_queue_close(handle: Robj, grace_ms: f64) -> Robj {
    with(&handle, |queue| {
        queue.close(grace(grace_ms));
        ().into()
    })
}

/// Ends everything now. Does not wait.
#[extendr]
fn rs_queue_kill(handle: Robj) -> Robj {
    with(&handle, |queue| {
        queue.kill();
        ().into()
    })
}

/// Ends all queues of this process: the R session ends, or the package is unloaded. Waits for a second at most.
#[extendr]
fn rs_exit() {
    handle::end_all(Duration::from_secs(1));
}

fn grace(ms: f64) -> Duration {
    duration(ms).unwrap_or(Duration::MAX)
}

fn serials(tasks: Vec<TaskId>) -> Robj {
    tasks
        .into_iter()
        .map(|task| Rfloat::from(task.0 as f64))
        .collect::<Doubles>()
        .into()
}

fn task_ids(serials: &Doubles) -> impl Iterator<Item = TaskId> + '_ {
    serials.iter().map(|serial| TaskId(serial.0 as u64))
}

/// A message that is empty is none.
fn words(message: &str) -> Rstr {
    if message.is_empty() {
        Rstr::na()
    } else {
        reply::clean(message).into()
    }
}

/// What R knows as NA is not a number here.
fn fraction(fraction: f64) -> Rfloat {
    if fraction.is_nan() {
        Rfloat::na()
    } else {
        fraction.into()
    }
}

/// For what is of no use to a queue that is closed or has failed: that is refused as a push is.
fn with_live(handle: &Robj, body: impl FnOnce(&Queue) -> Robj) -> Robj {
    with(handle, |queue| match queue.state() {
        QueueState::Open => body(queue),
        QueueState::Failed => queue
            .failure()
            .map_or_else(|| ().into(), |failure| start_failure(&failure)),
        QueueState::Closing | QueueState::Closed => {
            reply::push_failure(&SubmitError::Closed.into())
        }
    })
}

fn with(handle: &Robj, body: impl FnOnce(&Queue) -> Robj) -> Robj {
    match handle::queue(handle) {
        Ok(queue) => body(queue),
        Err(refusal) => refusal,
    }
}

fn read_config(config: &List) -> std::result::Result<Config, String> {
    let item = |name: &str| {
        config
            .dollar(name)
            .map_err(|_| format!("the configuration lacks `{name}`"))
    };
    let text = |name: &str| {
        item(name)?
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("`{name}` is no string"))
    };
    let strings = |name: &str| -> std::result::Result<Vec<OsString>, String> {
        let values = item(name)?;
        Ok(values
            .as_str_vector()
            .unwrap_or_default()
            .into_iter()
            .map(OsString::from)
            .collect())
    };
    let env = item("env")?;
    let names = env.names().into_iter().flatten().map(OsString::from);
    let added: Vec<_> = names.zip(strings("env")?).collect();
    let mut environment: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| !is_left_out(name))
        .collect();
    environment.retain(|(name, _)| !added.iter().any(|(other, _)| other == name));
    environment.extend(added);
    let number = |name: &str| {
        item(name)?
            .as_real()
            .ok_or_else(|| format!("`{name}` is no number"))
    };
    Ok(Config {
        command: strings("command")?,
        env: environment,
        working_dir: PathBuf::from(text("wd")?),
        parent_dir: PathBuf::from(text("tempdir")?),
        setup: item("setup")?.as_raw_slice().unwrap_or_default().to_vec(),
        output_limit: Config::OUTPUT_LIMIT,
        stderr_tail: Config::STDERR_TAIL,
        task_defaults: TaskOptions {
            timeout: duration(number("timeout")?),
            tries: whole(number("tries")?),
            isolate: number("isolate")? != 0.0,
            ..TaskOptions::default()
        },
        scheduler: SchedulerConfig {
            workers: whole(number("min_workers")?),
            max_workers: whole(number("max_workers")?),
            idle_timeout: duration(number("idle_timeout")?).unwrap_or(Duration::MAX),
            // Casting saturates: infinity is the largest number.
            max_tasks: number("max_tasks")? as u64,
            max_memory: number("max_memory")? as u64,
            max_waiting: number("max_waiting")? as usize,
            jitter_seed: u64::from(std::process::id()),
            ..SchedulerConfig::default()
        },
    })
}

/// Variables of the host that would confuse another R: those of a running `R CMD check`, and which packages the host itself
/// was told to attach.
fn is_left_out(name: &std::ffi::OsStr) -> bool {
    [
        "R_TESTS",
        "R_DEFAULT_PACKAGES",
        "R_SESSION_TMPDIR",
        "TASKQ_SESSION",
    ]
    .iter()
    .any(|&left_out| name == left_out)
}

fn phase_word(phase: TaskPhase) -> &'static str {
    match phase {
        TaskPhase::Waiting => "waiting",
        TaskPhase::Running { .. } => "running",
        TaskPhase::Done => "done",
    }
}

fn status_word(outcome: &Outcome) -> Rstr {
    reply::status(outcome).to_str().unwrap_or_default().into()
}

/// What the idle row of a worker shows, in the article's words.
fn idle_row_word(state: SeatState) -> &'static str {
    match state {
        SeatState::Starting => "running",
        SeatState::Idle => "ready",
        _ => "waiting",
    }
}

fn activity_word(state: SeatState) -> &'static str {
    match state {
        SeatState::Starting => "starting",
        SeatState::Idle => "idle",
        SeatState::Leaving { .. } => "leaving",
        _ => "busy",
    }
}

extendr_module! {
    mod host;
    fn rs_queue_open;
    fn rs_queue_done;
    fn rs_queue_counts;
    fn rs_queue_state;
    fn rs_queue_failure;
    fn rs_queue_tasks;
    fn rs_queue_seats;
    fn rs_queue_find;
    fn rs_queue_tagged;
    fn rs_queue_done_serials;
    fn rs_queue_num_done;
    fn rs_queue_cancel;
    fn rs_queue_resize;
    fn rs_queue_pause;
    fn rs_queue_resume;
    fn rs_queue_output;
    fn rs_queue_progress;
    fn rs_queue_totals;
    fn rs_num_cores;
    fn rs_queue_close;
    fn rs_queue_kill;
    fn rs_exit;
}
