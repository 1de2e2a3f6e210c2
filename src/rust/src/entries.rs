//! The functions that R calls by their names, by way of `src/guard.c`.
//!
//! To add one: write the function beside its like, list it in the `entries!` at the end of that file, and run
//! `make document`, which writes its wrapper in R.

use std::collections::HashMap;
use std::ffi::{c_char, CStr};
use std::sync::OnceLock;

use extendr_ffi::SEXP;

use crate::r::{self, Answer, Ending, Object, Scope, Stop};
use crate::value::Value;
use crate::{capture, host, log, serialize, share, state, worker};

/// A function for R.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) call: for<'a> fn(&'a Scope, &[Object<'a>]) -> Answer<Object<'a>>,
}

/// What a function for R may give: an object, or a value of which one is made; either may be an answer.
pub(crate) trait Answered<'s> {
    fn answer(self, scope: &'s Scope) -> Answer<Object<'s>>;
}

impl<'s, T: Into<Value>> Answered<'s> for T {
    fn answer(self, scope: &'s Scope) -> Answer<Object<'s>> {
        Ok(self.into().make(scope)?)
    }
}

impl<'s, T: Into<Value>> Answered<'s> for Answer<T> {
    fn answer(self, scope: &'s Scope) -> Answer<Object<'s>> {
        self?.answer(scope)
    }
}

impl<'s> Answered<'s> for Answer<Object<'s>> {
    fn answer(self, _: &'s Scope) -> Answer<Object<'s>> {
        self
    }
}

/// Lists functions: their names, and those of their arguments. One that calls R has a scope
/// before these, in brackets.
macro_rules! entries {
    ($($name:ident $([$scope:ident])? ($($argument:ident),*)),* $(,)?) => {
        pub(crate) const ENTRIES: &[$crate::entries::Entry] = &[$(
            $crate::entries::Entry {
                name: stringify!($name),
                call: |scope, given| {
                    $(let $scope = scope;)?
                    let [$($argument),*] = *given else {
                        return Err($crate::entries::wrong_count(stringify!($name)));
                    };
                    $(
                        let $argument =
                            $crate::r::Argument::take($argument, stringify!($argument))?;
                    )*
                    $crate::entries::Answered::answer($name($($scope,)? $($argument),*), scope)
                },
            },
        )*];
    };
}
pub(crate) use entries;

pub(crate) fn wrong_count(name: &str) -> Stop {
    Stop::Fault(format!("{name}() has another number of arguments"))
}

/// All of them, by their names.
fn all() -> &'static HashMap<&'static [u8], &'static Entry> {
    static ALL: OnceLock<HashMap<&[u8], &Entry>> = OnceLock::new();
    ALL.get_or_init(|| {
        let worker = worker::ENTRIES
            .iter()
            .chain(worker::serve::ENTRIES)
            .chain(worker::batch::ENTRIES)
            .chain(worker::evaluate::ENTRIES)
            .chain(serialize::ENTRIES)
            .chain(capture::ENTRIES)
            .chain(state::ENTRIES)
            .chain(log::ENTRIES)
            .chain(share::ENTRIES);
        let named = |entry: &'static Entry| (entry.name.as_bytes(), entry);
        worker.chain(host::entries()).map(named).collect()
    })
}

/// Calls the function of this name.
///
/// # Safety
/// In a call from R: a string, and `count` objects that R holds; `value` is on the caller's stack.
#[no_mangle]
unsafe extern "C" fn tq_call(
    name: *const c_char,
    given: *const SEXP,
    count: usize,
    value: *mut SEXP,
) -> Ending {
    // SAFETY: see above.
    unsafe {
        r::answer(value, |scope| {
            let name = CStr::from_ptr(name).to_bytes();
            let given = scope.given(given, count);
            let entry = all().get(name);
            let entry = entry.ok_or_else(|| Stop::Fault("there is no such function".to_owned()))?;
            (entry.call)(scope, &given)
        })
    }
}

/// What panics is caught at the border, and reported there: nothing is printed, unless somebody is looking for it.
#[no_mangle]
extern "C" fn tq_panics_begin() {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| ()));
    }
}
