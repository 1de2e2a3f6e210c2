//! What Rust answers to R: plain data, of which C makes an object of R's (`src/border.c`).
//!
//! R may jump whenever it allocates, and no Rust frame may be jumped over. So Rust makes nothing of R's at all: it returns
//! a [`Value`], C reads it with the functions below, and frees it when the object is made or R has jumped.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::null;
use std::sync::atomic::{AtomicUsize, Ordering};

use extendr_ffi::SEXP;

use crate::external::Bytes;

/// A string as R can hold it: UTF-8 without NUL, no longer than [`Text::LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Cow<'static, str>);

impl Text {
    /// So many bytes go into one string of R's.
    pub(crate) const LIMIT: usize = 1 << 30;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Text {
        let mut text = text;
        if text.contains('\0') {
            text = text.replace('\0', "\u{fffd}").into();
        }
        if text.len() > Text::LIMIT {
            let end = (0..=Text::LIMIT)
                .rev()
                .find(|&at| text.is_char_boundary(at));
            text.to_mut().truncate(end.unwrap_or(0));
        }
        Text(text)
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Text {
        Cow::Borrowed(text).into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Cow::<'static, str>::Owned(text).into()
    }
}

/// Bytes of output.
impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        taskq_engine::shown(&bytes[..bytes.len().min(Text::LIMIT)]).into()
    }
}

/// What C makes an object of. Vectors hold R's own representation of what is missing: see [`na_int`] and [`na_real`].
#[derive(Debug)]
enum Content {
    Null,
    Logicals(Vec<c_int>),
    Integers(Vec<c_int>),
    Doubles(Vec<f64>),
    Strings(Vec<Option<Text>>),
    Raw(Vec<u8>),
    List(Vec<Value>),
    Pointer(Owned),
    /// An error of ours that R code did not ask for: a fault of this package.
    Fault(Text),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Value {
    content: Content,
    /// Of the elements, as many as there are.
    names: Option<Vec<Text>>,
    class: Option<&'static CStr>,
}

/// What an external pointer of R's is to own.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Null once R owns it.
    address: Cell<*mut c_void>,
    tag: &'static CStr,
    finalizer: unsafe extern "C" fn(SEXP),
    free: unsafe fn(*mut c_void),
}

impl Owned {
    /// `finalizer` frees what a pointer has at its address; `free` is called if R never gets it.
    ///
    /// # Safety
    /// `address` is not null, and both may be called with it, once, on the R thread.
    pub(crate) unsafe fn new(
        address: *mut c_void,
        tag: &'static CStr,
        finalizer: unsafe extern "C" fn(SEXP),
        free: unsafe fn(*mut c_void),
    ) -> Owned {
        Owned {
            address: Cell::new(address),
            tag,
            finalizer,
            free,
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let address = self.address.get();
        if !address.is_null() {
            // SAFETY: see `new`; R has not got it.
            unsafe { (self.free)(address) };
        }
    }
}

/// R's NA, for logicals too.
fn na_int() -> c_int {
    c_int::MIN
}

/// R's NA: a NaN by its last bits.
pub(crate) fn na_real() -> f64 {
    f64::from_bits(0x7ff0_0000_0000_07a2)
}

impl From<Content> for Value {
    fn from(content: Content) -> Value {
        Value {
            content,
            names: None,
            class: None,
        }
    }
}

impl Value {
    /// NULL.
    pub(crate) fn null() -> Value {
        Content::Null.into()
    }

    /// A list with names.
    pub(crate) fn list<const N: usize>(elements: [(&'static str, Value); N]) -> Value {
        let (names, values): (Vec<&str>, Vec<Value>) = elements.into_iter().unzip();
        let list = Value::from(Content::List(values));
        list.with_names(names)
    }

    /// An expected failure: a list of class `tq_failure`, see [`crate::reply`].
    pub(crate) fn failure(fields: Vec<(&'static str, Value)>) -> Value {
        let (names, values): (Vec<&str>, Vec<Value>) = fields.into_iter().unzip();
        let mut list = Value::from(Content::List(values)).with_names(names);
        list.class = Some(c"tq_failure");
        list
    }

    /// A fault of this package, of which R makes an error.
    pub(crate) fn fault(message: String) -> Value {
        Content::Fault(message.into()).into()
    }

    /// An external pointer.
    pub(crate) fn pointer(owned: Owned) -> Value {
        Content::Pointer(owned).into()
    }

    /// A raw vector.
    pub(crate) fn raw(bytes: Vec<u8>) -> Value {
        Content::Raw(bytes).into()
    }

    /// A logical vector.
    pub(crate) fn logicals(values: impl IntoIterator<Item = bool>) -> Value {
        Content::Logicals(values.into_iter().map(c_int::from).collect()).into()
    }

    /// An integer vector; what R's integers cannot hold is NA.
    pub(crate) fn integers<T: TryInto<c_int>>(
        values: impl IntoIterator<Item = Option<T>>,
    ) -> Value {
        let whole = |value: Option<T>| {
            let value = value.and_then(|value| value.try_into().ok());
            value.unwrap_or(na_int())
        };
        Content::Integers(values.into_iter().map(whole).collect()).into()
    }

    /// A double vector; `None` is NA.
    pub(crate) fn doubles(values: impl IntoIterator<Item = Option<f64>>) -> Value {
        let real = |value: Option<f64>| value.unwrap_or(na_real());
        Content::Doubles(values.into_iter().map(real).collect()).into()
    }

    /// A character vector; `None` is NA.
    pub(crate) fn strings<T: Into<Text>>(values: impl IntoIterator<Item = Option<T>>) -> Value {
        let text = |value: Option<T>| value.map(Into::into);
        Content::Strings(values.into_iter().map(text).collect()).into()
    }

    /// The same with a name for each element.
    pub(crate) fn with_names<T: Into<Text>>(mut self, names: Vec<T>) -> Value {
        self.names = Some(names.into_iter().map(Into::into).collect());
        self
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::null()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::logicals([value])
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::integers([Some(value)])
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::doubles([Some(value)])
    }
}

impl From<Text> for Value {
    fn from(value: Text) -> Value {
        Value::strings([Some(value)])
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Value {
        Text::from(value).into()
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Text::from(value).into()
    }
}

impl From<Vec<String>> for Value {
    fn from(values: Vec<String>) -> Value {
        Value::strings(values.into_iter().map(Some))
    }
}

impl From<Vec<i32>> for Value {
    fn from(values: Vec<i32>) -> Value {
        Content::Integers(values).into()
    }
}

impl From<Vec<f64>> for Value {
    fn from(values: Vec<f64>) -> Value {
        Content::Doubles(values).into()
    }
}

/// `None` is NULL.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or_else(Value::null, Into::into)
    }
}

/// Either is an answer.
impl<T: Into<Value>> From<Result<T, Value>> for Value {
    fn from(value: Result<T, Value>) -> Value {
        value.map_or_else(|failure| failure, Into::into)
    }
}

// What C sees of it.

/// See `taskq.h`.
#[repr(C)]
struct Seen {
    kind: c_int,
    length: usize,
    data: *const c_void,
    class: *const c_char,
    has_names: c_int,
}

/// How many values C holds.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// How many values C holds: none but the one that a call is answered with.
pub(crate) fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// A value for C, which frees it by [`tq_value_free`].
pub(crate) fn to_c(value: Value) -> *mut c_void {
    HELD.fetch_add(1, Ordering::Relaxed);
    Box::into_raw(Box::new(value)).cast()
}

/// # Safety
/// One of [`to_c`]'s, or an element of one, not freed.
unsafe fn at<'a>(value: *const c_void) -> &'a Value {
    // SAFETY: see above.
    unsafe { &*value.cast::<Value>() }
}

#[no_mangle]
unsafe extern "C" fn tq_value_see(value: *const c_void, seen: *mut Seen) {
    // SAFETY: C holds the value.
    let value = unsafe { at(value) };
    let (kind, length, data): (c_int, usize, *const c_void) = match &value.content {
        Content::Null => (0, 0, null()),
        Content::Logicals(values) => (1, values.len(), values.as_ptr().cast()),
        Content::Integers(values) => (2, values.len(), values.as_ptr().cast()),
        Content::Doubles(values) => (3, values.len(), values.as_ptr().cast()),
        Content::Strings(values) => (4, values.len(), null()),
        Content::Raw(values) => (5, values.len(), values.as_ptr().cast()),
        Content::List(values) => (6, values.len(), null()),
        Content::Pointer(owned) => (7, 0, owned.tag.as_ptr().cast()),
        Content::Fault(_) => (8, 0, null()),
    };
    let seen_now = Seen {
        kind,
        length,
        data,
        class: value.class.map_or(null(), CStr::as_ptr),
        has_names: c_int::from(value.names.is_some()),
    };
    // SAFETY: on the caller's stack.
    unsafe { seen.write(seen_now) };
}

/// The i-th string, or the message of a fault. 0: it is NA.
#[no_mangle]
unsafe extern "C" fn tq_value_text(value: *const c_void, i: usize, text: *mut Bytes) -> c_int {
    // SAFETY: C holds the value.
    let found = match unsafe { &at(value).content } {
        Content::Strings(values) => values.get(i).and_then(Option::as_ref),
        Content::Fault(message) => Some(message),
        _ => None,
    };
    let Some(found) = found else { return 0 };
    // SAFETY: on the caller's stack.
    unsafe { text.write(found.as_bytes().into()) };
    1
}

/// The name of the i-th element.
#[no_mangle]
unsafe extern "C" fn tq_value_name(value: *const c_void, i: usize) -> Bytes {
    // SAFETY: C holds the value.
    let name = unsafe { at(value).names.as_ref() }.and_then(|names| names.get(i));
    name.map_or(&[][..], Text::as_bytes).into()
}

/// The i-th element of a list; null when there is none.
#[no_mangle]
unsafe extern "C" fn tq_value_element(value: *const c_void, i: usize) -> *const c_void {
    // SAFETY: C holds the value.
    match unsafe { &at(value).content } {
        Content::List(values) => values
            .get(i)
            .map_or(null(), |value| std::ptr::from_ref(value).cast::<c_void>()),
        _ => null(),
    }
}

/// The finalizer of a pointer; `None` when it is none.
#[no_mangle]
unsafe extern "C" fn tq_value_finalizer(
    value: *const c_void,
) -> Option<unsafe extern "C" fn(SEXP)> {
    // SAFETY: C holds the value.
    match unsafe { &at(value).content } {
        Content::Pointer(owned) => Some(owned.finalizer),
        _ => None,
    }
}

/// What a pointer is to own, which is R's from now on; null when it is no pointer.
#[no_mangle]
unsafe extern "C" fn tq_value_give(value: *const c_void) -> *mut c_void {
    // SAFETY: C holds the value.
    match unsafe { &at(value).content } {
        Content::Pointer(owned) => owned.address.replace(std::ptr::null_mut()),
        _ => std::ptr::null_mut(),
    }
}

#[no_mangle]
unsafe extern "C" fn tq_value_free(value: *mut c_void) {
    HELD.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: one of `to_c`'s, freed once.
    let value = unsafe { Box::from_raw(value.cast::<Value>()) };
    crate::external::border((), || drop(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_one_that_r_can_hold() {
        assert_eq!(Text::from("a\0b".to_owned()).0, "a\u{fffd}b");
        assert_eq!(Text::from(&b"a\xffb"[..]).0, "a<ff>b");
        assert_eq!(Text::from("plain").0, "plain");
    }

    #[test]
    fn what_is_missing_has_the_bits_that_r_knows() {
        let Content::Doubles(values) = Value::doubles([Some(1.0), None]).content else {
            panic!("no doubles");
        };
        assert_eq!(values[1].to_bits() & 0xffff_ffff, 1954);
        let Content::Integers(values) = Value::integers([Some(7_u64), Some(1 << 40), None]).content
        else {
            panic!("no integers");
        };
        assert_eq!(values, [7, i32::MIN, i32::MIN]);
    }

    unsafe extern "C" fn never(_: SEXP) {}

    unsafe fn count(address: *mut c_void) {
        // SAFETY: a cell on the stack of the test below.
        let freed = unsafe { &*address.cast::<Cell<u32>>() };
        freed.set(freed.get() + 1);
    }

    #[test]
    fn what_r_does_not_get_is_freed_once() {
        let freed = Cell::new(0);
        let owned = || {
            let address = std::ptr::from_ref(&freed).cast_mut().cast();
            // SAFETY: `count` may be called with it as often as one likes.
            Value::pointer(unsafe { Owned::new(address, c"test", never, count) })
        };
        drop(Value::list([("a", owned()), ("b", true.into())]));
        assert_eq!(freed.get(), 1);
        let given = owned();
        // SAFETY: a value that is not freed.
        unsafe { tq_value_give(std::ptr::from_ref(&given).cast()) };
        drop(given);
        assert_eq!(freed.get(), 1);
    }
}
