//! Symbols: the names of variables. R keeps them for ever.

use std::ffi::CStr;

use extendr_ffi::{
    R_DimNamesSymbol, R_DotsSymbol, R_LevelsSymbol, R_NamesSymbol, R_RowNamesSymbol, Rf_install,
    PRINTNAME, R_CHAR, SEXP,
};

use super::object::Rf_getCharCE;
use super::{Object, Text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(SEXP);

impl Symbol {
    /// # Safety
    /// A symbol.
    pub(crate) unsafe fn new(symbol: SEXP) -> Symbol {
        Symbol(symbol)
    }

    /// `...`
    pub(crate) fn dots() -> Symbol {
        // SAFETY: a constant of R's.
        Symbol(unsafe { R_DotsSymbol })
    }

    /// `.Random.seed`
    pub(crate) fn seed() -> Symbol {
        Symbol::named(c".Random.seed")
    }

    /// The symbol of a name that R has among its own: nothing is made.
    pub(crate) fn named(name: &'static CStr) -> Symbol {
        // SAFETY: see above; a constant name.
        Symbol(unsafe { Rf_install(name.as_ptr()) })
    }

    /// `function`
    pub(crate) fn function() -> Symbol {
        Symbol::named(c"function")
    }

    /// `srcref`, the attribute of functions and code that have one.
    pub(crate) fn source() -> Symbol {
        Symbol::named(c"srcref")
    }

    /// The names of attributes for the source of code.
    pub(crate) fn of_sources() -> [Symbol; 3] {
        [c"srcref", c"srcfile", c"wholeSrcref"].map(Symbol::named)
    }

    /// The names of attributes that may be large.
    pub(crate) fn of_large_attributes() -> [Symbol; 4] {
        // SAFETY: constants of R's.
        unsafe {
            [
                R_NamesSymbol,
                R_DimNamesSymbol,
                R_LevelsSymbol,
                R_RowNamesSymbol,
            ]
            .map(Symbol)
        }
    }

    pub(crate) fn is_dots(self) -> bool {
        self == Symbol::dots()
    }

    pub(crate) fn get(self) -> SEXP {
        self.0
    }

    pub(crate) fn object(self) -> Object<'static> {
        // SAFETY: R keeps symbols for ever.
        unsafe { Object::new(self.0) }
    }

    /// The name, as the bytes that it is.
    pub(crate) fn name(self) -> &'static [u8] {
        // SAFETY: a symbol, which is never collected; neither is its name, which ends with NUL.
        unsafe { CStr::from_ptr(R_CHAR(PRINTNAME(self.0))) }.to_bytes()
    }

    /// The name, for a string of R's.
    pub(crate) fn text(self) -> Text<'static> {
        // SAFETY: as above.
        Text::new(self.name(), unsafe { Rf_getCharCE(PRINTNAME(self.0)) })
    }
}
