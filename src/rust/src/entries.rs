//! The functions that R calls by their names, by way of `src/border.c`: it gives what R gave, and gets a [`Value`].
//!
//! To add one: write the function beside its like, list it in the `entries!` at the end of that file, and run
//! `make document`, which writes its wrapper in R.

use std::ffi::CStr;
use std::os::raw::{c_char, c_void};

use extendr_ffi::SEXP;

use crate::external::border_with;
use crate::given::Given;
use crate::value::Value;
use crate::{far, host};

/// A function for R.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) call: for<'a> fn(&[Given<'a>]) -> Result<Value, Value>,
}

/// Lists functions: their names, and those of their arguments.
macro_rules! entries {
    ($($name:ident($($argument:ident),*)),* $(,)?) => {
        pub(crate) const ENTRIES: &[$crate::entries::Entry] = &[$(
            $crate::entries::Entry {
                name: stringify!($name),
                call: |given| {
                    let [$($argument),*] = *given else {
                        return Err($crate::entries::wrong_count(stringify!($name)));
                    };
                    $(
                        let $argument =
                            $crate::given::Argument::take($argument, stringify!($argument))?;
                    )*
                    Ok($name($($argument),*).into())
                },
            },
        )*];
    };
}
pub(crate) use entries;

pub(crate) fn wrong_count(name: &str) -> Value {
    Value::fault(format!("{name}() has another number of arguments"))
}

/// Calls the function of this name.
///
/// # Safety
/// A string, and `count` objects that R holds, whose reading allocates nothing; on the R thread.
#[no_mangle]
unsafe extern "C" fn tq_ask(name: *const c_char, given: *const SEXP, count: usize) -> *mut c_void {
    // SAFETY: see above.
    let (name, given) = unsafe {
        let given = std::slice::from_raw_parts(given, count);
        let given: Vec<Given<'_>> = given.iter().map(|&object| Given::new(object)).collect();
        (CStr::from_ptr(name).to_bytes(), given)
    };
    border_with(|| {
        let mut known = far::ENTRIES.iter().chain(host::entries());
        let entry = known.find(|entry| entry.name.as_bytes() == name);
        Some(entry.map_or_else(
            || Value::fault("there is no such function".to_owned()),
            |entry| (entry.call)(&given).unwrap_or_else(|failure| failure),
        ))
    })
}

/// What panics is caught at the border, and reported there: nothing is printed, unless somebody is looking for it.
#[no_mangle]
extern "C" fn tq_panics_begin() {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|_| ()));
    }
}
