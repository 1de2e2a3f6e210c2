//! What R gives to a function of Rust's: each argument is read as the type that the function declares.

use std::borrow::Cow;
use std::ffi::CStr;

use super::guard::Jump;
use super::{Answer, Object, Stop};

/// What an argument is read as.
pub(crate) trait Argument<'a>: Sized {
    /// The argument, or `None` when it is something else.
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump>;

    /// The argument, or why there is none.
    fn take(given: Object<'a>, name: &str) -> Answer<Self> {
        let fault = || Stop::Fault(format!("the argument `{name}` is of another type"));
        Self::read(given)?.ok_or_else(fault)
    }
}

/// The only element; `None` where there are more or none.
fn only<T: Copy>(elements: Option<&[T]>) -> Option<T> {
    match elements? {
        &[element] => Some(element),
        _ => None,
    }
}

/// As it is.
impl<'a> Argument<'a> for Object<'a> {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        Ok(Some(given))
    }
}

impl<'a> Argument<'a> for f64 {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        Ok(match only(given.doubles()?) {
            Some(number) => Some(number),
            None => only(given.integers()?).map(f64::from),
        })
    }
}

/// A number that is whole.
impl<'a> Argument<'a> for i32 {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        let is_whole = |x: &f64| x.fract() == 0.0 && x.abs() < f64::from(i32::MAX);
        Ok(match only(given.integers()?) {
            Some(number) => Some(number),
            None => only(given.doubles()?).filter(is_whole).map(|x| x as i32),
        })
    }
}

impl<'a> Argument<'a> for bool {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        Ok(only(given.logicals()?).map(|x| x == 1))
    }
}

impl<'a> Argument<'a> for &'a [f64] {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        given.doubles()
    }
}

impl<'a> Argument<'a> for &'a [i32] {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        given.integers()
    }
}

impl<'a> Argument<'a> for &'a [u8] {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        given.bytes()
    }
}

/// Strings as the bytes that they are, none of them NA.
impl<'a> Argument<'a> for Vec<&'a CStr> {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        given.strings()
    }
}

/// One string, which is not NA.
impl<'a> Argument<'a> for Cow<'a, str> {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        let strings = given.strings()?;
        Ok(only(strings.as_deref()).map(CStr::to_string_lossy))
    }
}

/// Strings in UTF-8, none of them NA.
impl<'a> Argument<'a> for Vec<Cow<'a, str>> {
    fn read(given: Object<'a>) -> Result<Option<Self>, Jump> {
        let strings = given.strings()?;
        Ok(strings.map(|strings| strings.into_iter().map(CStr::to_string_lossy).collect()))
    }
}
