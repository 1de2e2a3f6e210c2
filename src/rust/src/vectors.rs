//! A copy of an object in which other vectors stand for some of its vectors. Who walks decides which; here is only how
//! the lists and attributes around them stay what they are.

use crate::r::{Answer, Object, Scope};

/// What is to stand for an object: itself, where that is to stay; else another one, of a vector one without attributes.
pub(crate) type Replace<'f> =
    &'f mut dyn for<'r> FnMut(&'r Scope, Object<'r>) -> Answer<Object<'r>>;

/// `object` with other vectors for its atomic vectors: the object itself, what is in it if it is a list, `depth` levels
/// deep, and in the large attributes of these. Lists in which nothing is replaced are those of `object`, and everything
/// else is.
pub(crate) fn with_vectors<'s>(
    scope: &'s Scope,
    object: Object<'s>,
    depth: usize,
    replace: Replace<'_>,
) -> Answer<Object<'s>> {
    let mut copy = match object {
        list if list.is_list() && depth == 0 => return Ok(object),
        list if list.is_list() => {
            scope.check_stack()?;
            list_with(scope, list, |_| true, &mut |scope, element| {
                with_vectors(scope, element, depth - 1, replace)
            })?
        }
        vector if vector.is_atomic() => replace(scope, vector)?,
        _ => return Ok(object),
    };
    if copy == object && !object.is_list() {
        return Ok(object);
    }
    let mut attributes = Vec::new();
    if depth > 0 {
        for (name, value) in scope.large_attributes(object)? {
            let other = with_vectors(scope, value, depth - 1, replace)?;
            if other != value {
                attributes.push((name, other));
            }
        }
    }
    if copy == object && attributes.is_empty() {
        return Ok(object);
    }
    if copy == object {
        copy = scope.shallow_copy(object)?;
    }
    scope.copy_attributes(copy, object)?;
    for (name, value) in attributes {
        scope.set_attribute(copy, name, value)?;
    }
    Ok(copy)
}

/// `list`; or a copy without attributes, where other objects stand for some of the elements that are concerned. However
/// many these are, few are protected at a time.
pub(crate) fn list_with<'s>(
    scope: &'s Scope,
    list: Object<'s>,
    is_concerned: fn(Object<'_>) -> bool,
    replace: Replace<'_>,
) -> Answer<Object<'s>> {
    let copy_of = |list: Object<'_>| scope.slice(list, 0, list.length());
    // Another package's may make its elements when it is asked for them.
    let is_ordinary = list.is_ordinary_list();
    let before = if is_ordinary { list } else { copy_of(list)? };
    let mut copy = before;
    for (place, element) in before.elements_of_list().enumerate() {
        if !is_concerned(element) {
            continue;
        }
        if copy != before {
            scope.within_on(element, |scope, element| {
                copy.set(place, replace(scope, element)?)
            })?;
            continue;
        }
        let other = scope.inner(element, &mut *replace)?;
        if other != element {
            copy = copy_of(before)?;
            copy.set(place, other)?;
        }
    }
    Ok(if copy == before { list } else { copy })
}
