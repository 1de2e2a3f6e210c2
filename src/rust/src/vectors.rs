//! A copy of an object in which other vectors stand for some of its vectors. Who walks decides which; here is only how the
//! lists and attributes around them stay what they are.

use crate::r::{Answer, Object, Scope};

/// What is to stand for a vector: itself, where that is to stay, else one without attributes.
pub(crate) type Replace<'f> =
    &'f mut dyn for<'r> FnMut(&'r Scope, Object<'r>) -> Answer<Object<'r>>;

/// `object` with other vectors for its atomic vectors: the object itself, what is in it if it is a list, so many levels
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
        list if list.is_list() => list_with(scope, list, depth - 1, replace)?,
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

fn list_with<'s>(
    scope: &'s Scope,
    list: Object<'s>,
    depth: usize,
    replace: Replace<'_>,
) -> Answer<Object<'s>> {
    scope.check_stack()?;
    let mut copy = list;
    for (place, element) in list.elements_of_list().enumerate() {
        let other = scope.inner(element, |scope, element| {
            with_vectors(scope, element, depth, replace)
        })?;
        if other == element {
            continue;
        }
        if copy == list {
            copy = scope.empty_list(list.length())?;
            for (place, element) in list.elements_of_list().enumerate() {
                copy.set(place, element)?;
            }
        }
        copy.set(place, other)?;
    }
    Ok(copy)
}
