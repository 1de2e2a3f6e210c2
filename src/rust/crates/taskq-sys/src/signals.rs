//! Signal masks and dispositions, signals to one thread, and being told that children have ended.
//!
//! Owns the only handler of ours, that of `SIGCHLD`. Signals to processes are [`process`](crate::process)'s.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::fault;
use crate::pipe;
use crate::socket::set_nonblocking;

/// The signals that a fault of the thread itself raises. Blocked, they would end the process without a word.
const FAULTS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGSYS,
];

/// A thread's signal mask, to be put back.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

impl Mask {
    /// Makes this the calling thread's mask.
    pub fn restore(&self) {
        set_mask(libc::SIG_SETMASK, &self.0);
    }
}

/// Blocks all signals in the calling thread but those that its own faults raise, and returns the mask it had. Threads
/// that it starts inherit the new one.
#[must_use]
pub fn block_async() -> Mask {
    // SAFETY: the C library's function, on a place of the right type.
    let mut set = set_of(|set| unsafe { libc::sigfillset(set) });
    for signal in FAULTS {
        // SAFETY: as above; the set is whole.
        unsafe { libc::sigdelset(&mut set, signal) };
    }
    Mask(set_mask(libc::SIG_BLOCK, &set))
}

/// Blocks these signals in the calling thread, and returns the mask it had.
#[must_use]
pub fn block(signals: &[i32]) -> Mask {
    Mask(set_mask(libc::SIG_BLOCK, &only(signals)))
}

/// The set of these signals.
fn only(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: the C library's function, on a place of the right type.
    let mut set = set_of(|set| unsafe { libc::sigemptyset(set) });
    for &signal in signals {
        // SAFETY: as above; the set is whole.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

fn set_of(fill: impl FnOnce(*mut libc::sigset_t) -> i32) -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    fill(set.as_mut_ptr());
    // SAFETY: all zero is a set of signals, should the call fail, which it cannot.
    unsafe { set.assume_init() }
}

fn set_mask(how: i32, set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both pointers are to places of the right type; the call fails only for an unknown `how`.
    unsafe {
        libc::pthread_sigmask(how, set, old.as_mut_ptr());
        old.assume_init()
    }
}

/// Gives all signals their default disposition, and the calling thread an empty mask. For a child before it runs
/// another program; async-signal-safe.
pub fn reset_all() {
    /// `SIGRTMAX` of Linux; elsewhere the last calls fail, which does no harm.
    const LAST: i32 = 64;
    for signal in 1..=LAST {
        // SAFETY: the default disposition runs no code of ours. The C library refuses the signals it needs for itself.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    set_mask(libc::SIG_SETMASK, &only(&[]));
}

/// Lets `SIGUSR1` and `SIGUSR2` end the process without a word, as they would any other. R's own handlers save the
/// workspace in the working directory first, which is the user's.
pub fn save_no_workspace() {
    if fault::is_on("save-workspace") {
        return;
    }
    for signal in [libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: the default disposition runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// A thread of this process, as an address for signals.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    process: i32,
    thread: libc::c_long,
}

impl Thread {
    /// The calling thread.
    #[must_use]
    pub fn current() -> Thread {
        // SAFETY: both calls always succeed and touch no memory.
        unsafe {
            Thread {
                process: libc::getpid(),
                thread: libc::syscall(libc::SYS_gettid),
            }
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The thread is over.
    pub fn signal(self, signal: i32) -> io::Result<()> {
        let (process, signal) = (libc::c_long::from(self.process), libc::c_long::from(signal));
        // SAFETY: the call touches no memory. Unlike pthread_kill it may name a thread that is over.
        if unsafe { libc::syscall(libc::SYS_tgkill, process, self.thread, signal) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// Sees to it that no `signal` that was already sent to the calling thread arrives later: it is delivered before this
/// returns, or taken away if it is blocked.
pub fn settle(signal: i32) {
    let set = only(&[signal]);
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointers are to places of the right types. The call takes away a pending signal, and on its return
    // the kernel delivers what is pending and not blocked.
    unsafe { while libc::sigtimedwait(&set, ptr::null_mut(), &now) > 0 {} }
}

/// Runs `body` in a thread that gets none of the `SIGXFSZ` that it causes: a file that would be larger than the limit
/// is an error of the call alone, not the end of the process. What the process does about the signal stays as it is.
pub fn without_file_size_signal<T>(body: impl FnOnce() -> T) -> T {
    let mask = block(&[libc::SIGXFSZ]);
    let value = body();
    settle(libc::SIGXFSZ);
    mask.restore();
    value
}

/// Tells of children's ends through a descriptor, until it is dropped.
///
/// There can be one at a time in a process, in the thread that waits for the children.
pub struct ChildEnds {
    read: OwnedFd,
    _write: OwnedFd,
    before: libc::sigaction,
}

/// Where the handler writes to; -1 for nowhere.
static CHILD_ENDS: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_child(_signal: i32) {
    let fd = CHILD_ENDS.load(Ordering::Relaxed);
    if fd >= 0 {
        // SAFETY: `__errno_location` gives this thread's errno, which the interrupted code must find unchanged. The
        // byte is a static one, and a full pipe is as good as a written one.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::write(fd, b"c".as_ptr().cast(), 1);
            *errno = before;
        }
    }
}

impl ChildEnds {
    /// Takes over `SIGCHLD`.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn watch() -> io::Result<ChildEnds> {
        let (read, write) = pipe::pair()?;
        set_nonblocking(&read, true)?;
        set_nonblocking(&write, true)?;
        CHILD_ENDS.store(write.as_raw_fd(), Ordering::Relaxed);
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        let mut before = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zero is a valid `sigaction`; the handler is async-signal-safe and keeps errno.
        let before = unsafe {
            (*action.as_mut_ptr()).sa_sigaction = on_child as *const () as libc::sighandler_t;
            (*action.as_mut_ptr()).sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
            if libc::sigaction(libc::SIGCHLD, action.as_ptr(), before.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            before.assume_init()
        };
        Ok(ChildEnds {
            read,
            _write: write,
            before,
        })
    }

    /// Forgets the ends that were told so far. Call it before looking for ended children.
    pub fn clear(&self) {
        let mut bytes = [0; 256];
        while rustix::io::read(&self.read, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }

    /// Gives `SIGCHLD` back to whom it belonged to. For a forked child, which then forgets this value: the descriptors
    /// are its parent's business.
    pub fn restore(&self) {
        CHILD_ENDS.store(-1, Ordering::Relaxed);
        // SAFETY: `before` is what sigaction has given us.
        unsafe { libc::sigaction(libc::SIGCHLD, &self.before, ptr::null_mut()) };
    }
}

impl AsFd for ChildEnds {
    /// Readable when children have ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

impl Drop for ChildEnds {
    fn drop(&mut self) {
        self.restore();
    }
}
