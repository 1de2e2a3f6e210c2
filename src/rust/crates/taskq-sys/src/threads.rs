//! The threads of this process that are not its own doing: how many numerical libraries use, and how many there are.
//!
//! These libraries read their variable when they are loaded, which may have been before it was known what it should be:
//! R itself brings OpenMP along, and its BLAS. One that is loaded later reads the variable, so there is nothing to be
//! done about it here.

use std::ffi::{c_int, c_void, CStr};
use std::fs;
use std::io;

use crate::process::stat::Stat;

/// The variables, and what else does what they do.
const SETTERS: [(&str, &CStr); 4] = [
    ("OMP_NUM_THREADS", c"omp_set_num_threads"),
    ("OPENBLAS_NUM_THREADS", c"openblas_set_num_threads"),
    ("MKL_NUM_THREADS", c"MKL_Set_Num_Threads"),
    ("BLIS_NUM_THREADS", c"bli_thread_set_num_threads"),
];

/// Has a library that is loaded use `count` threads as if `variable` had told it at its start. Others are left alone.
pub fn limit(variable: &str, count: i32) {
    let Some((_, setter)) = SETTERS.iter().find(|(name, _)| *name == variable) else {
        return;
    };
    let Some(found) = find(setter) else { return };
    if *setter == c"bli_thread_set_num_threads" {
        // SAFETY: the library's documented function, which takes its `dim_t`, 64 bits wide by default.
        let set = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(i64)>(found) };
        set(i64::from(count));
    } else {
        // SAFETY: the libraries' documented functions, which take an `int` and return nothing.
        let set = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(c_int)>(found) };
        set(count);
    }
}

/// How many threads this process has, its own included, once the libraries that keep a pool of them have ended it.
/// Their next piece of work makes a new one. To be called by the thread that calls these libraries, while none of
/// them works.
///
/// A thread that is leaving does not count: it runs nothing of the program any more, and the kernel may keep it in the
/// list for a moment after it was joined.
///
/// # Errors
/// `/proc` cannot be read.
pub fn left() -> io::Result<usize> {
    if running()? > 1 {
        end_pools();
    }
    running()
}

fn running() -> io::Result<usize> {
    let mut count = 0;
    let mut entries = fs::read_dir("/proc/self/task")?;
    // The usual process has one, and there is nothing to read of that.
    let first = entries.next().transpose()?;
    let Some(second) = entries.next().transpose()? else {
        return Ok(usize::from(first.is_some()));
    };
    for entry in first.into_iter().chain([second]).map(Ok).chain(entries) {
        // One whose file is gone is gone as well.
        let stat = Stat::read(entry?.path().join("stat"));
        count += usize::from(stat.is_ok_and(|stat| !is_leaving(&stat)));
    }
    Ok(count)
}

/// By the kernel's flags of a task, field 9 of proc(5).
fn is_leaving(stat: &Stat) -> bool {
    const PF_EXITING: u32 = 0x4;
    let flags = stat.number::<u32>(9);
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// OpenMP's standard function is in the runtimes of GCC, of LLVM, and of Intel; OpenBLAS does the same by itself at
/// each `fork()`, in a handler that it has registered.
fn end_pools() {
    const RUNTIMES: [&CStr; 3] = [c"libgomp.so.1", c"libomp.so.5", c"libiomp5.so"];
    const OMP_PAUSE_HARD: c_int = 2;
    for runtime in RUNTIMES {
        if let Some(pause) = find_in(runtime, c"omp_pause_resource_all") {
            // SAFETY: the standard's function, whose argument is an enumeration.
            let pause =
                unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(c_int) -> c_int>(pause) };
            pause(OMP_PAUSE_HARD);
        }
    }
    if let Some(shutdown) = find(c"blas_thread_shutdown_") {
        // SAFETY: the function that OpenBLAS itself calls before a fork.
        let shutdown =
            unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(shutdown) };
        shutdown();
    }
}

/// A symbol of what the program was linked with, or has made visible since.
fn find(symbol: &CStr) -> Option<*mut c_void> {
    // SAFETY: looks a name up, which ends with NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, symbol.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// A symbol of a library that is loaded, perhaps by a package that shows it to nothing else.
fn find_in(library: &CStr, symbol: &CStr) -> Option<*mut c_void> {
    // SAFETY: loads nothing, so that no code runs. The handle is kept, and the library with it.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: as in `find`, in a library that is loaded.
    let found = unsafe { libc::dlsym(handle, symbol.as_ptr()) };
    (!found.is_null()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_leaving_is_told_by_its_flags() {
        let is_leaving = |flags: u32| {
            let line = format!("7 (a) S 1 7 7 0 -1 {flags} 0 0");
            is_leaving(&Stat::parse(line.as_bytes()).expect("a line"))
        };
        assert!(is_leaving(0x0040_0044));
        assert!(!is_leaving(0x0040_0040));
    }
}
