//! What becomes of a task: pure decisions over its record, which every store asks for and none makes by itself.
//!
//! Retries and their delay are those of [`taskq_core::retry_rules`], so that they do not depend on where a queue is
//! kept.
//!
//! | a task is | and then | it |
//! | --- | --- | --- |
//! | pushed, given back, or freed of what held it | | is held, delayed, ready, skipped or expired: [`at_rest`] |
//! | claimed | begins | runs, unless its end is wanted or its time is over: [`at_begin`] |
//! | claimed | ends | has its outcome, or waits for its next try: [`after_complete`] |
//! | claimed, not begun | goes back, or its agent is lost | waits again, uncounted: [`at_give_back`], [`after_loss`] |
//! | claimed, begun | its agent is lost | is lost, or waits for its next try: [`after_loss`] |
//! | anything but done | is cancelled | ends at once; when claimed, its end is wanted: [`at_cancel`] |
//! | done | a task after it waits | is let go, or skipped: [`after_dependency`] |
//! | anything | its client ends | falls to anyone, or is of no use: [`at_client_end`] |
//! | done | is taken | goes to this client, or is another's: [`may_take`] |

use taskq_core::retry_rules;
use taskq_record::{Outcome, TaskId};

use crate::call::Refusal;
use crate::names::{Incarnation, Nonce, Wall};
use crate::task::{Claim, End, LostReason, State, Task, Whose};

/// What becomes of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing: this was done before, or does not matter here.
    Stays,
    /// The claim is not the present one.
    Fenced,
    /// It has begun.
    Begins,
    /// Its end is wanted; its agent hears of it.
    EndWanted,
    /// It waits, not before this.
    Waits(Wall),
    /// It has this outcome.
    Ends(End),
}

/// What the end of a client means for what is its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not that client's.
    Stays,
    /// It falls to anyone, or shows again.
    FallsToAnyone,
    /// It is cancelled and removed.
    Removed,
}

/// Where a task rests that no agent has, when this one before it has failed, or none.
///
/// # Errors
///
/// How it ends instead.
pub fn at_rest(task: &Task, failed: Option<TaskId>, now: Wall) -> Result<State, End> {
    if let Some(after) = failed {
        return Err(End::Skipped { after });
    }
    if is_expired(task, now) {
        return Err(End::Expired);
    }
    Ok(if !task.held_by.is_empty() {
        State::Held
    } else if task.due > now {
        State::Delayed
    } else {
        State::Ready
    })
}

/// Whether a task has waited for too long. What has begun once does not expire.
#[must_use]
pub fn is_expired(task: &Task, now: Wall) -> bool {
    task.tries == 0 && task.expires.is_some_and(|expires| expires <= now)
}

/// A session is about to run it.
#[must_use]
pub fn at_begin(task: &Task, nonce: Nonce, now: Wall) -> Move {
    match task.claim(nonce) {
        None => Move::Fenced,
        Some(Claim { begun: Some(_), .. }) => Move::Stays,
        Some(Claim { cancel: true, .. }) => Move::Ends(End::Cancelled),
        Some(_) if is_expired(task, now) => Move::Ends(End::Expired),
        Some(_) => Move::Begins,
    }
}

/// Its agent says how it ended. What had ended before its end was wanted is what it says; a wanted end forbids a
/// further try.
#[must_use]
pub fn after_complete(task: &Task, nonce: Nonce, outcome: &Outcome, now: Wall, seed: u64) -> Move {
    if task.completed == Some(nonce) {
        return Move::Stays;
    }
    let Some(claim) = task.claim(nonce) else {
        return Move::Fenced;
    };
    let retried = retry_rules::is_retried_on(task.options.task.retry_on, outcome);
    if retried && may_be_tried_again(task, claim) {
        return Move::Waits(next_try(task, now, seed));
    }
    Move::Ends(match outcome {
        Outcome::Cancelled => End::Cancelled,
        outcome => End::Ran(*outcome),
    })
}

/// The agent that has it is gone, or has no knowledge of it.
#[must_use]
pub fn after_loss(task: &Task, reason: LostReason, now: Wall, seed: u64) -> Move {
    let State::Claimed(claim) = &task.state else {
        return Move::Stays;
    };
    let options = &task.options;
    let retried = options.retry_on_lost || options.task.retry_on.crash;
    if claim.cancel {
        Move::Ends(End::Cancelled)
    } else if claim.begun.is_none() {
        Move::Waits(task.due)
    } else if retried && may_be_tried_again(task, claim) {
        Move::Waits(next_try(task, now, seed))
    } else {
        Move::Ends(End::Lost(reason))
    }
}

/// Its agent gives it back. What has begun cannot be given back.
#[must_use]
pub fn at_give_back(task: &Task, nonce: Nonce) -> Move {
    match task.claim(nonce) {
        None => Move::Fenced,
        Some(Claim { begun: Some(_), .. }) => Move::Stays,
        Some(Claim { cancel: true, .. }) => Move::Ends(End::Cancelled),
        Some(_) => Move::Waits(task.due),
    }
}

/// A user wants its end.
#[must_use]
pub fn at_cancel(task: &Task) -> Move {
    match task.state {
        State::Done(_) => Move::Stays,
        State::Claimed(_) => Move::EndWanted,
        _ => Move::Ends(End::Cancelled),
    }
}

/// A task before it has ended, with success or without: the tasks that hold it now, and the one that has failed.
#[must_use]
pub fn after_dependency(
    task: &Task,
    before: TaskId,
    succeeded: bool,
) -> (Vec<TaskId>, Option<TaskId>) {
    if !succeeded {
        return (Vec::new(), Some(before));
    }
    let others = task.held_by.iter().filter(|&&held| held != before);
    (others.copied().collect(), None)
}

/// A client has ended.
#[must_use]
pub fn at_client_end(task: &Task, client: Incarnation) -> Fate {
    match task.whose {
        Whose::Only(whose) if whose == client => Fate::Removed,
        Whose::Client(whose) if whose == client => Fate::FallsToAnyone,
        _ if task.taken == Some(client) => Fate::FallsToAnyone,
        _ => Fate::Stays,
    }
}

/// Whether a client sees the result of a done task as one that it may take.
///
/// # Errors
///
/// Why it may not.
pub fn may_take(task: &Task, client: Incarnation) -> Result<(), Refusal> {
    let whose = match task.whose {
        Whose::Anyone => task.taken.unwrap_or(client),
        Whose::Client(whose) | Whose::Only(whose) => whose,
    };
    if task.gone {
        Err(Refusal::UnknownTask)
    } else if whose != client || task.taken.is_some_and(|by| by != client) {
        Err(Refusal::NotYours)
    } else if task.done().is_none() {
        Err(Refusal::NotDone)
    } else {
        Ok(())
    }
}

fn may_be_tried_again(task: &Task, claim: &Claim) -> bool {
    !claim.cancel && !task.gone && task.tries < task.options.task.tries
}

fn next_try(task: &Task, now: Wall, seed: u64) -> Wall {
    now.after(retry_rules::delay(
        &task.options.task,
        task.tries,
        task.serial,
        seed,
    ))
}
