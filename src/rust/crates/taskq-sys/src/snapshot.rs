//! What a task can change of its process, as it was before: to see what is different, and to put it back.
//!
//! | part | compared by | put back by |
//! | --- | --- | --- |
//! | working directory | its path | [`Snapshot::restore`] |
//! | environment variables | their bytes, in their order; if that differs, in any order | [`Snapshot::restore`] |
//! | file mode creation mask, the thread's signal mask | nothing | [`Snapshot::changes`]: setting costs no more than looking |
//! | disposition of `SIGINT` | handler and flags | [`Snapshot::restore`] |
//! | soft resource limits | the limits in `LIMITS`, unless none can have been set | [`Snapshot::restore`] |
//! | locale | the name of all categories | the caller, who may keep a state of its own that goes with it |
//!
//! Cheap: `changes` makes four short system calls, with limits twelve, and allocates nothing when there is nothing to
//! do. Both run on the thread whose signal mask is meant, while no other thread changes the environment.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::raw::{c_char, c_void};
use std::ptr;

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

extern "C" {
    static environ: *const *const c_char;
    fn tzset();
}

/// The resource limits that matter to what runs next in the same process.
const LIMITS: [Resource; 8] = [
    Resource::As,
    Resource::Core,
    Resource::Cpu,
    Resource::Data,
    Resource::Fsize,
    Resource::Nofile,
    Resource::Nproc,
    Resource::Stack,
];

/// The C library has flags of its own, too.
const FLAGS: i32 =
    libc::SA_NODEFER | libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_RESTART | libc::SA_SIGINFO;

/// A set of parts that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes(u32);

impl Changes {
    /// The working directory.
    pub const DIRECTORY: Changes = Changes(1);
    /// An environment variable.
    pub const ENVIRONMENT: Changes = Changes(2);
    /// What `SIGINT` does.
    pub const INTERRUPT: Changes = Changes(4);
    /// A soft resource limit.
    pub const LIMIT: Changes = Changes(8);
    /// The locale.
    pub const LOCALE: Changes = Changes(16);

    /// The set as a number, in which each part has a bit.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The inverse of [`bits`](Changes::bits).
    #[must_use]
    pub fn from_bits(bits: u32) -> Changes {
        Changes(bits)
    }

    /// Whether `part` is in the set.
    #[must_use]
    pub fn contains(self, part: Changes) -> bool {
        self.0 & part.0 != 0
    }

    fn add(&mut self, part: Changes, differs: bool) {
        if differs {
            self.0 |= part.0;
        }
    }
}

/// The state to go back to.
pub struct Snapshot {
    /// `None` when the process stands in a directory that has no path any more.
    directory: Option<CString>,
    environment: Vec<CString>,
    umask: libc::mode_t,
    signals: libc::sigset_t,
    interrupt: libc::sigaction,
    limits: [Option<u64>; LIMITS.len()],
    /// How many objects had ever been loaded, if none of these sets limits.
    bare: Option<u64>,
    locale: CString,
}

impl Snapshot {
    /// The state as it is now. For a moment files are made with mode 0600.
    ///
    /// `bare` says that no shared object is loaded whose code sets resource limits: until the next is loaded they need
    /// not be looked at.
    #[must_use]
    pub fn take(bare: bool) -> Snapshot {
        // SAFETY: only the mask is exchanged.
        let umask = unsafe { libc::umask(0o077) };
        // SAFETY: as above.
        unsafe { libc::umask(umask) };
        let mut buffer = [0; PATH];
        Snapshot {
            directory: directory(&mut buffer).map(CStr::to_owned),
            environment: entries().map(CStr::to_owned).collect(),
            umask,
            signals: signal_mask(None),
            interrupt: interrupt(),
            limits: LIMITS.map(|limit| getrlimit(limit).current),
            bare: bare.then(loaded).flatten(),
            locale: locale().to_owned(),
        }
    }

    /// What is different now, and not put back yet.
    pub fn changes(&mut self) -> Changes {
        // SAFETY: only the mask is exchanged.
        unsafe { libc::umask(self.umask) };
        signal_mask(Some(&self.signals));
        let mut changes = Changes::default();
        let mut buffer = [0; PATH];
        changes.add(
            Changes::DIRECTORY,
            directory(&mut buffer) != self.directory.as_deref(),
        );
        changes.add(Changes::ENVIRONMENT, !self.environment_is_same());
        let now = interrupt();
        changes.add(
            Changes::INTERRUPT,
            now.sa_sigaction != self.interrupt.sa_sigaction
                || (now.sa_flags ^ self.interrupt.sa_flags) & FLAGS != 0,
        );
        if self.bare.is_none() || self.bare != loaded() {
            self.bare = None;
            let mut limits = LIMITS.iter().zip(self.limits);
            changes.add(
                Changes::LIMIT,
                limits.any(|(limit, before)| getrlimit(*limit).current != before),
            );
        }
        changes.add(Changes::LOCALE, locale() != self.locale.as_c_str());
        changes
    }

    /// Puts back those of `changes` that are not the caller's.
    ///
    /// # Errors
    /// The directory is gone, or a hard limit is below what the soft limit was.
    pub fn restore(&self, changes: Changes) -> io::Result<()> {
        if changes.contains(Changes::ENVIRONMENT) {
            self.restore_environment()?;
        }
        if changes.contains(Changes::INTERRUPT) {
            // SAFETY: this disposition was in force before.
            check(unsafe { libc::sigaction(libc::SIGINT, &self.interrupt, ptr::null_mut()) })?;
        }
        if changes.contains(Changes::LIMIT) {
            for (limit, current) in LIMITS.into_iter().zip(self.limits) {
                let now = getrlimit(limit);
                if now.current != current {
                    let maximum = now.maximum;
                    setrlimit(limit, Rlimit { current, maximum })?;
                }
            }
        }
        if changes.contains(Changes::DIRECTORY) {
            let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
            // SAFETY: a string that ends with NUL.
            check(unsafe { libc::chdir(directory.as_ptr()) })?;
        }
        Ok(())
    }

    /// A mere change of the order is taken over, so that the next comparison is fast again.
    fn environment_is_same(&mut self) -> bool {
        if entries().eq(self.environment.iter().map(CString::as_c_str)) {
            return true;
        }
        let now: Vec<CString> = entries().map(CStr::to_owned).collect();
        let sorted = |entries: &[CString]| {
            let mut entries = entries.to_vec();
            entries.sort();
            entries
        };
        let same = sorted(&now) == sorted(&self.environment);
        if same {
            self.environment = now;
        }
        same
    }

    fn restore_environment(&self) -> io::Result<()> {
        let now: Vec<CString> = entries().map(CStr::to_owned).collect();
        for entry in now.iter().filter(|entry| !self.environment.contains(entry)) {
            if let Some((name, _)) = variable(entry) {
                // SAFETY: a string that ends with NUL; no other thread uses the environment.
                check(unsafe { libc::unsetenv(name.as_ptr()) })?;
            }
        }
        for entry in &self.environment {
            if let Some((name, value)) = variable(entry).filter(|_| !now.contains(entry)) {
                // SAFETY: as above; the value is what follows the equals sign, with its NUL.
                check(unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) })?;
            }
        }
        // SAFETY: reads the variable TZ.
        unsafe { tzset() };
        Ok(())
    }
}

const PATH: usize = libc::PATH_MAX as usize;

fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn directory(buffer: &mut [u8; PATH]) -> Option<&CStr> {
    // SAFETY: the buffer is as long as is said.
    let path = unsafe { libc::getcwd(buffer.as_mut_ptr().cast(), PATH) };
    if path.is_null() {
        return None;
    }
    CStr::from_bytes_until_nul(buffer).ok()
}

/// The environment as it stands, without a copy.
fn entries() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: the C library's array, which ends with NULL; no other thread changes it, and the caller keeps no entry
    // beyond its next change.
    let mut next = unsafe { environ };
    std::iter::from_fn(move || {
        // SAFETY: as above; `next` points into the array or is its end.
        unsafe {
            if next.is_null() || (*next).is_null() {
                return None;
            }
            let entry = CStr::from_ptr(*next);
            next = next.add(1);
            Some(entry)
        }
    })
}

/// Name and value; what has no equals sign, or no name, is no variable.
fn variable(entry: &CStr) -> Option<(CString, &CStr)> {
    let bytes = entry.to_bytes_with_nul();
    let at = bytes.iter().position(|&byte| byte == b'=')?;
    let name = CString::new(&bytes[..at]).ok().filter(|_| at > 0)?;
    let value = CStr::from_bytes_with_nul(&bytes[at + 1..]).ok()?;
    Some((name, value))
}

/// The calling thread's mask, which is `new` afterwards.
fn signal_mask(new: Option<&libc::sigset_t>) -> libc::sigset_t {
    let mut old = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointers are NULL or to places of the right type.
    unsafe {
        let new = new.map_or(ptr::null(), ptr::from_ref);
        libc::pthread_sigmask(libc::SIG_SETMASK, new, old.as_mut_ptr());
        old.assume_init()
    }
}

fn interrupt() -> libc::sigaction {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: only reads, into a place of the right type.
    unsafe {
        libc::sigaction(libc::SIGINT, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    }
}

/// How many shared objects were ever loaded.
fn loaded() -> Option<u64> {
    unsafe extern "C" fn look(
        info: *mut libc::dl_phdr_info,
        size: usize,
        into: *mut c_void,
    ) -> i32 {
        if size >= std::mem::offset_of!(libc::dl_phdr_info, dlpi_subs) {
            // SAFETY: the loader's structure is long enough to have this field, and `into` is the caller's place.
            unsafe { *into.cast::<Option<u64>>() = Some((*info).dlpi_adds) };
        }
        // The first object tells; the others say the same.
        1
    }
    let mut adds: Option<u64> = None;
    // SAFETY: `look` has the type that is asked for, and `adds` outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(look), ptr::from_mut(&mut adds).cast()) };
    adds
}

fn locale() -> &'static CStr {
    // SAFETY: only asks; the C library's string lives until the locale is set, which the caller does not do meanwhile.
    unsafe {
        let name = libc::setlocale(libc::LC_ALL, ptr::null());
        if name.is_null() {
            c""
        } else {
            CStr::from_ptr(name)
        }
    }
}
