//! The columns of the tables of tasks and of workers, and the sums of a queue's life.

use extendr_api::prelude::*;
use taskq_core::{Outcome, SeatState, TaskPhase};
use taskq_engine::{SeatRow, TaskRow};

use super::{progress, with};

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
                .map_or_else(Rfloat::na, |told| progress::fraction(told.fraction))),
            message = rows
                .iter()
                .map(|row| row
                    .progress
                    .as_ref()
                    .map_or_else(Rstr::na, |told| progress::message(&told.message)))
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

fn phase_word(phase: TaskPhase) -> &'static str {
    match phase {
        TaskPhase::Waiting => "waiting",
        TaskPhase::Running { .. } => "running",
        TaskPhase::Done => "done",
    }
}

fn status_word(outcome: &Outcome) -> Rstr {
    outcome.word().to_str().unwrap_or_default().into()
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
    mod tables;
    fn rs_queue_tasks;
    fn rs_queue_seats;
    fn rs_queue_totals;
}
