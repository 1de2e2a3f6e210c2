//! What Rust answers to R: plain data, of which an object of R's is made when all of it is there.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::CStr;
use std::os::raw::{c_int, c_void};

use crate::r::{self, na_int, na_real, Constant, Finalizer, Jump, Object, Parts, Scope, Tree};

/// A string as R can hold it: UTF-8 without NUL, no longer than [`Text::LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Cow<'static, str>);

impl Text {
    /// How many bytes go into one string of R's.
    pub(crate) const LIMIT: usize = 1 << 30;

    pub(crate) fn seen(&self) -> r::Text<'_> {
        (&*self.0).into()
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

/// What an object is made of. Vectors hold R's own representation of what is missing: see [`na_int`] and [`na_real`].
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
}

static FAILURE: Constant = Constant::new(&["tq_failure"]);

/// See the module.
#[derive(Debug)]
pub(crate) struct Value {
    content: Content,
    /// Of the elements, as many as there are.
    names: Option<Vec<Text>>,
    class: Option<&'static Constant>,
}

/// What an external pointer of R's is to own.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Null once R owns it.
    address: Cell<*mut c_void>,
    tag: &'static CStr,
    finalizer: Finalizer,
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
        finalizer: Finalizer,
        free: unsafe fn(*mut c_void),
    ) -> Owned {
        Owned {
            address: Cell::new(address),
            tag,
            finalizer,
            free,
        }
    }

    /// The pointer of R's, which owns it from then on.
    fn make<'s>(&self, scope: &'s Scope) -> Result<Object<'s>, Jump> {
        scope.pointer(self.tag, self.finalizer, || self.give())
    }

    fn give(&self) -> *mut c_void {
        self.address.replace(std::ptr::null_mut())
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
        list.class = Some(&FAILURE);
        list
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

impl Value {
    /// The object of R's that this tells of.
    pub(crate) fn make<'s>(&self, scope: &'s Scope) -> Result<Object<'s>, Jump> {
        let parts = Parts::default();
        let tree = self.tree(scope, &parts)?;
        scope.make(&tree)
    }

    fn tree<'a>(&'a self, scope: &'a Scope, parts: &Parts<'a>) -> Result<Tree<'a>, Jump> {
        let mut tree = match &self.content {
            Content::Null => Tree::null(),
            Content::Logicals(values) => Tree::logicals(values),
            Content::Integers(values) => Tree::integers(values),
            Content::Doubles(values) => Tree::reals(values),
            Content::Raw(values) => Tree::bytes(values),
            Content::Strings(values) => {
                let texts = values.iter().map(Option::as_ref);
                let seen = |text: Option<&'a Text>| text.map_or(r::Text::NA, |text| text.seen());
                Tree::strings(parts.texts(texts.map(seen)))
            }
            Content::List(values) => {
                let trees = values.iter().map(|value| value.tree(scope, parts));
                Tree::list(parts.trees(trees.collect::<Result<_, _>>()?))
            }
            Content::Pointer(owned) => owned.make(scope)?.into(),
        };
        if let Some(names) = &self.names {
            tree = tree.named(parts.texts(names.iter().map(Text::seen)));
        }
        if let Some(class) = self.class {
            tree = tree.with_class(class.get(scope)?);
        }
        Ok(tree)
    }
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

    unsafe extern "C" fn never(_: extendr_ffi::SEXP) {}

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
            unsafe { Owned::new(address, c"test", never, count) }
        };
        drop(Value::list([
            ("a", Value::pointer(owned())),
            ("b", true.into()),
        ]));
        assert_eq!(freed.get(), 1);
        let given = owned();
        given.give();
        drop(given);
        assert_eq!(freed.get(), 1);
    }
}
