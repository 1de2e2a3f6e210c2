//! How many threads numerical libraries use that are loaded by now.
//!
//! They read their variable when they are loaded, which may have been before it was known what it should be: R itself
//! brings OpenMP along, and its BLAS. One that is loaded later reads the variable, so there is nothing to be done
//! about it here.

use std::ffi::{c_char, c_int, CStr};

/// The variables, and what else does what they do.
const SETTERS: [(&str, &CStr); 4] = [
    ("OMP_NUM_THREADS", c"omp_set_num_threads"),
    ("OPENBLAS_NUM_THREADS", c"openblas_set_num_threads"),
    ("MKL_NUM_THREADS", c"MKL_Set_Num_Threads"),
    ("BLIS_NUM_THREADS", c"bli_thread_set_num_threads"),
];

/// Has a library that is loaded use so many threads as if `variable` had told it at its start. Others are left alone.
pub fn limit(variable: &str, count: i32) {
    let Some((_, setter)) = SETTERS.iter().find(|(name, _)| *name == variable) else {
        return;
    };
    let symbol: *const c_char = setter.as_ptr();
    // SAFETY: looks a name up, which ends with NUL, in what is loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol) };
    if found.is_null() {
        return;
    }
    if *setter == c"bli_thread_set_num_threads" {
        // SAFETY: the library's documented function, which takes its `dim_t`, 64 bits wide by default.
        let set = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(i64)>(found) };
        set(i64::from(count));
    } else {
        // SAFETY: the libraries' documented functions, which take an `int` and return nothing.
        let set = unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(c_int)>(found) };
        set(count);
    }
}
