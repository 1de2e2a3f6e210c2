//! Elements of a map on their way. A list of scalars takes ten times as long to write and read as the vector of the
//! same values, and scalars are what most maps give: such a list travels as the vector. A scalar with attributes is not
//! plain: it stays as it is.

use extendr_ffi::SEXPTYPE;

use crate::r::{Answer, Object, Scope};

/// The first `count` elements of a list: as a vector, where all are plain scalars of one type, else as a list.
pub(crate) fn pack<'s>(scope: &'s Scope, list: Object<'s>, count: usize) -> Answer<Object<'s>> {
    let is_there = list.is_ordinary_list() && count == list.length();
    let list = if is_there {
        list
    } else {
        scope.slice(list, 0, count)?
    };
    let Some(first) = list.element(0) else {
        return Ok(list);
    };
    use SEXPTYPE::{INTSXP, LGLSXP, REALSXP, STRSXP};
    let kind = first.kind();
    if first.length() != 1 || !matches!(kind, LGLSXP | INTSXP | REALSXP | STRSXP) {
        return Ok(list);
    }
    let packed = scope.new_vector(kind as usize, count)?;
    Ok(if packed.set_scalars(list) {
        packed
    } else {
        list
    })
}

/// Puts what [`pack`] has made into a list, from this place on.
pub(crate) fn unpack(
    scope: &Scope,
    packed: Object<'_>,
    list: Object<'_>,
    first: usize,
) -> Answer<()> {
    let values = if packed.is_ordinary_list() {
        packed
    } else {
        scope.to_list(packed)?
    };
    list.set_all(first, values)
}
