//! Values of other tasks that are arguments of a task: taken out of the outcomes of these where the task is to run.

use taskq_payload::payload::Payload;

use crate::host::is_outcome;
use crate::r::{Answer, Object, Scope, Tree};
use crate::serialize::unserialize_with_care;

/// What a task has beside its function, with the values in these outcomes among its arguments. An R error where one
/// cannot be read: it comes from another session, and is not believed.
pub(crate) fn with_given<'s, 'p>(
    scope: &'s Scope,
    call: Object<'s>,
    given: impl Iterator<Item = (&'p str, &'p Payload)>,
) -> Answer<Object<'s>> {
    let (mut names, mut outcomes) = (Vec::new(), Vec::new());
    for (name, outcome) in given {
        let outcome = match unserialize_with_care(scope, Some(outcome))? {
            Ok(outcome) if is_outcome(outcome, true)? => outcome,
            _ => scope.null(),
        };
        names.push(name.into());
        outcomes.push(Tree::from(outcome));
    }
    if names.is_empty() {
        return Ok(call);
    }
    let given = scope.make(&Tree::list(&outcomes).named(&names))?;
    let both = scope.make(&Tree::list(&[call.into(), given.into()]))?;
    Ok(scope.call_own(c"tq_with_given", both)?)
}
