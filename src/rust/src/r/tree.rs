//! Objects of R's that are to be made: whole ones, in one call under the guard.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::null;
use std::sync::atomic::{AtomicPtr, Ordering};

use extendr_ffi::{cetype_t, SEXP, SEXPTYPE};

use super::{Jump, Object, Scope};

/// Text as C sees it. It has no NUL, and is no longer than R's strings can be; it is UTF-8, or a name of R's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    bytes: *const u8,
    length: usize,
    encoding: cetype_t,
    text: PhantomData<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// R's NA.
    pub(crate) const NA: Text<'static> = Text {
        bytes: null(),
        length: 0,
        encoding: cetype_t::CE_UTF8,
        text: PhantomData,
    };
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a [u8], encoding: cetype_t) -> Text<'a> {
        Text {
            bytes: text.as_ptr(),
            length: text.len(),
            encoding,
            text: PhantomData,
        }
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(text: &'a [u8]) -> Text<'a> {
        Text::new(text, cetype_t::CE_UTF8)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Text<'a> {
        text.as_bytes().into()
    }
}

/// The only element of a vector.
#[repr(C)]
#[derive(Clone, Copy)]
union Only<'a> {
    real: f64,
    integer: c_int,
    text: Text<'a>,
}

/// See the module, and `struct tq_tree` of `src/taskq.h`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Tree<'a> {
    object: SEXP,
    kind: c_int,
    length: usize,
    elements: *const c_void,
    only: Only<'a>,
    names: *const Text<'a>,
    kept_names: SEXP,
    kept_class: SEXP,
    parts: PhantomData<&'a ()>,
}

impl<'a> Tree<'a> {
    fn new(kind: SEXPTYPE, length: usize, elements: *const c_void, only: Only<'a>) -> Tree<'a> {
        Tree {
            object: std::ptr::null_mut(),
            kind: kind as c_int,
            length,
            elements,
            only,
            names: null(),
            kept_names: std::ptr::null_mut(),
            kept_class: std::ptr::null_mut(),
            parts: PhantomData,
        }
    }

    fn many<T>(kind: SEXPTYPE, elements: &'a [T]) -> Tree<'a> {
        Tree::new(
            kind,
            elements.len(),
            elements.as_ptr().cast(),
            Only { real: 0.0 },
        )
    }

    /// NULL.
    pub(crate) fn null() -> Tree<'a> {
        Tree::many::<u8>(SEXPTYPE::NILSXP, &[])
    }

    /// `length` numbers of this kind, as bytes.
    pub(crate) fn numbers(kind: SEXPTYPE, length: usize, bytes: &'a [u8]) -> Tree<'a> {
        Tree::new(kind, length, bytes.as_ptr().cast(), Only { real: 0.0 })
    }

    /// R's logicals: 0, 1 or its NA.
    pub(crate) fn logicals(elements: &'a [c_int]) -> Tree<'a> {
        Tree::many(SEXPTYPE::LGLSXP, elements)
    }

    pub(crate) fn integers(elements: &'a [c_int]) -> Tree<'a> {
        Tree::many(SEXPTYPE::INTSXP, elements)
    }

    pub(crate) fn reals(elements: &'a [f64]) -> Tree<'a> {
        Tree::many(SEXPTYPE::REALSXP, elements)
    }

    pub(crate) fn bytes(elements: &'a [u8]) -> Tree<'a> {
        Tree::many(SEXPTYPE::RAWSXP, elements)
    }

    pub(crate) fn strings(elements: &'a [Text<'a>]) -> Tree<'a> {
        Tree::many(SEXPTYPE::STRSXP, elements)
    }

    pub(crate) fn list(elements: &'a [Tree<'a>]) -> Tree<'a> {
        Tree::many(SEXPTYPE::VECSXP, elements)
    }

    /// The same with names, as many as there are elements.
    pub(crate) fn named(self, names: &'a [Text<'a>]) -> Tree<'a> {
        debug_assert_eq!(names.len(), self.length);
        Tree {
            names: names.as_ptr(),
            ..self
        }
    }

    /// The same.
    pub(crate) fn with_names(self, names: Object<'a>) -> Tree<'a> {
        Tree {
            kept_names: names.get(),
            ..self
        }
    }

    pub(crate) fn with_class(self, class: Object<'a>) -> Tree<'a> {
        Tree {
            kept_class: class.get(),
            ..self
        }
    }
}

impl From<f64> for Tree<'_> {
    fn from(real: f64) -> Self {
        Tree::new(SEXPTYPE::REALSXP, 1, null(), Only { real })
    }
}

/// `None` is NA.
impl From<Option<f64>> for Tree<'_> {
    fn from(real: Option<f64>) -> Self {
        real.unwrap_or(na_real()).into()
    }
}

/// `None` is NA.
impl From<Option<c_int>> for Tree<'_> {
    fn from(integer: Option<c_int>) -> Self {
        let integer = integer.unwrap_or(na_int());
        Tree::new(SEXPTYPE::INTSXP, 1, null(), Only { integer })
    }
}

impl<'a> From<Text<'a>> for Tree<'a> {
    fn from(text: Text<'a>) -> Tree<'a> {
        Tree::new(SEXPTYPE::STRSXP, 1, null(), Only { text })
    }
}

impl<'a> From<&'a str> for Tree<'a> {
    fn from(text: &'a str) -> Tree<'a> {
        Text::from(text).into()
    }
}

impl<'a> From<Object<'a>> for Tree<'a> {
    fn from(object: Object<'a>) -> Tree<'a> {
        Tree {
            object: object.get(),
            ..Tree::null()
        }
    }
}

/// Holds parts of trees that have no other holder.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    trees: RefCell<Vec<Box<[Tree<'a>]>>>,
    texts: RefCell<Vec<Box<[Text<'a>]>>>,
}

impl<'a> Parts<'a> {
    pub(crate) fn trees(&self, trees: Vec<Tree<'a>>) -> &'a [Tree<'a>]
    where
        Self: 'a,
    {
        let trees = trees.into_boxed_slice();
        // SAFETY: what is in the box stays where it is until this is dropped, and nothing is taken out before.
        let seen = unsafe { std::slice::from_raw_parts(trees.as_ptr(), trees.len()) };
        self.trees.borrow_mut().push(trees);
        seen
    }

    pub(crate) fn texts(&self, texts: impl Iterator<Item = Text<'a>>) -> &'a [Text<'a>]
    where
        Self: 'a,
    {
        let texts: Box<[Text<'a>]> = texts.collect();
        // SAFETY: as above.
        let seen = unsafe { std::slice::from_raw_parts(texts.as_ptr(), texts.len()) };
        self.texts.borrow_mut().push(texts);
        seen
    }
}

/// R's NA, for logicals too.
pub(crate) fn na_int() -> c_int {
    c_int::MIN
}

/// R's NA: a NaN by its last bits.
pub(crate) fn na_real() -> f64 {
    f64::from_bits(0x7ff0_0000_0000_07a2)
}

/// A character vector that is made once and kept for ever: names, or a class.
#[derive(Debug)]
pub(crate) struct Constant {
    texts: &'static [&'static str],
    /// Null before it was needed; used on the R thread only.
    made: AtomicPtr<c_void>,
}

impl Constant {
    pub(crate) const fn new(texts: &'static [&'static str]) -> Constant {
        Constant {
            texts,
            made: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The vector; nothing may change it.
    pub(crate) fn get<'s>(&self, scope: &'s Scope) -> Result<Object<'s>, Jump> {
        let made = self.made.load(Ordering::Relaxed);
        if !made.is_null() {
            // SAFETY: kept for ever.
            return Ok(unsafe { Object::new(made.cast()) });
        }
        let texts: Vec<Text<'_>> = self.texts.iter().map(|&text| text.into()).collect();
        let strings = scope.make(&Tree::strings(&texts))?;
        scope.preserve(strings)?;
        self.made.store(strings.get().cast(), Ordering::Relaxed);
        Ok(strings)
    }
}
