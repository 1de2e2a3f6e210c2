//! What a task has told of its progress, in R's values.

use extendr_api::prelude::*;

use crate::reply;

/// A message that is empty is none.
pub(super) fn message(text: &str) -> Rstr {
    if text.is_empty() {
        Rstr::na()
    } else {
        reply::clean(text).into()
    }
}

/// What R knows as NA is not a number here.
pub(super) fn fraction(fraction: f64) -> Rfloat {
    if fraction.is_nan() {
        Rfloat::na()
    } else {
        fraction.into()
    }
}
