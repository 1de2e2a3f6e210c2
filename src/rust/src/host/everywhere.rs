//! Broadcasts: a call that every session runs, those that are there and those that come.

use std::sync::Arc;

use taskq_core::{QueueState, SubmitError};
use taskq_payload::payload::Payload;

use super::push::{refused, sent};
use super::result::is_outcome;
use super::{asked, wait};
use crate::entries::entries;
use crate::r::{Answer, Object, Scope, Stop, Tree};
use crate::reply::{everywhere_failure, failure};
use crate::serialize::unserialize_with_care;

/// Has every session run this call, and waits until those that are there have: the list of their values, or a failure.
/// However else this ends, by Ctrl-C for instance, no session will.
fn rs_everywhere<'s>(scope: &'s Scope, handle: Object<'s>, call: Object<'s>) -> Answer<Object<'s>> {
    let queue = asked(scope, handle)?;
    let Some(call) = sent(scope, scope.null(), call)? else {
        return Err(scope.no_memory());
    };
    let broadcast = queue.run_everywhere(call).map_err(refused)?;
    let waited = wait::until(scope, queue, f64::INFINITY, |time| {
        queue.wait_for_broadcast(broadcast, time)
    });
    let end = queue.end_broadcast(broadcast);
    waited?;
    match queue.state() {
        QueueState::Open => {}
        QueueState::Failed => return Err(refused(SubmitError::Failed.into())),
        // A handler of the user has closed it meanwhile.
        QueueState::Closing | QueueState::Closed => {
            return Err(refused(SubmitError::Closed.into()))
        }
    }
    let values = match &end.values {
        Ok(values) => values,
        Err(why) => return Err(Stop::Failure(everywhere_failure(why.as_ref()))),
    };
    let values: Vec<Tree<'_>> = values
        .iter()
        .map(|value| Ok(Tree::from(value_of(scope, value)?)))
        .collect::<Answer<_>>()?;
    Ok(scope.make(&Tree::list(&values))?)
}

/// The value that a session has sent, which may be anything.
fn value_of<'s>(scope: &'s Scope, outcome: &Arc<Payload>) -> Answer<Object<'s>> {
    if let Ok(outcome) = unserialize_with_care(scope, Some(outcome))? {
        if !outcome.is_null() && is_outcome(outcome, true)? {
            return Ok(outcome.field("value")?.unwrap_or(scope.null()));
        }
    }
    Err(Stop::Failure(failure(
        "system",
        "a worker has sent what cannot be read",
    )))
}

entries! {
    rs_everywhere[scope](handle, call),
}
