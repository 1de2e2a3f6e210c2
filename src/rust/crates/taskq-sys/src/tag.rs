//! The environment variables by which the processes of a queue are found, however far they strayed.
//!
//! `TASKQ_QUEUE` holds the tokens of all queues a process belongs to, outer ones first: a task may have a queue of its
//! own. `TASKQ_SESSION` holds the tags of all sessions it descends from, `<token>.<supervisor's process id>.<worker>`,
//! outer ones first.
//!
//! Others see a process's environment as it was at its `exec`, and what is forked never calls `exec`. So a zygote, from
//! which the supervisors of several queues may come, is started with a name of its own as the last token, and a
//! supervisor writes its queue's over it, in place ([`write_queue`]). There are blanks after the outer tags of
//! sessions, and a session writes its tag there ([`write_session`]). All that it forks inherits these bytes, and all
//! that it executes inherits the variable.

use std::ffi::{CStr, CString};
use std::io;

/// Names the queues a process belongs to.
pub const QUEUE: &str = "TASKQ_QUEUE";
/// Names the sessions a process descends from.
pub const SESSION: &str = "TASKQ_SESSION";
/// How many blanks there are for the tag of a session; no tag is longer.
pub const SESSION_ROOM: usize = 96;

/// The two variables with which a zygote must be started: those of this process, extended by the zygote's own name,
/// which is as long as the token of a queue.
#[must_use]
pub fn zygote_variables(token: &str) -> [(&'static str, String); 2] {
    let outer = |name| std::env::var(name).unwrap_or_default();
    let session = format!("{} {}", outer(SESSION).trim(), " ".repeat(SESSION_ROOM));
    [(QUEUE, joined(&outer(QUEUE), token)), (SESSION, session)]
}

/// The tag of one session.
#[must_use]
pub fn of_session(token: &str, supervisor: i32, worker: u64) -> String {
    format!("{token}.{supervisor}.{worker}")
}

/// What the tags of all sessions of one supervisor start with.
#[must_use]
pub fn of_supervisor(token: &str, supervisor: i32) -> String {
    format!("{token}.{supervisor}.")
}

/// The supervisor's process id and the worker's number in a session's tag.
#[must_use]
pub fn parse_session(tag: &str) -> Option<(i32, u64)> {
    let mut parts = tag.rsplitn(3, '.');
    let worker = parts.next()?.parse().ok()?;
    let supervisor = parts.next()?.parse().ok()?;
    parts.next().map(|_| (supervisor, worker))
}

/// The value of [`SESSION`] for a session that is executed, not forked.
#[must_use]
pub fn session_variable(tag: &str) -> String {
    joined(&std::env::var(SESSION).unwrap_or_default(), tag)
}

/// What the names of these directories begin with.
pub const DIR_PREFIX: &str = "taskq-";

/// The name of a zygote's directory, or of a queue's, whose token it is.
#[must_use]
pub fn dir_name(token: &str) -> String {
    format!("{DIR_PREFIX}{token}")
}

/// The last token in this process's [`QUEUE`]: the name of the zygote, or the queue that this process belongs to.
#[must_use]
pub fn own_queue() -> Option<String> {
    let tokens = std::env::var(QUEUE).ok()?;
    tokens.split(' ').next_back().map(str::to_owned)
}

/// Replaces the last token in this process's [`QUEUE`] by `token`, in place when it is as long, so that others can see
/// it.
///
/// Returns whether it was. If not, only what this process executes will carry the token.
///
/// # Safety
/// No other thread may use the environment meanwhile.
pub unsafe fn write_queue(token: &str) -> bool {
    // SAFETY: the name ends with NUL; the caller vouches that the environment does not change under us.
    let value = unsafe { libc::getenv(c"TASKQ_QUEUE".as_ptr()) };
    if !value.is_null() {
        // SAFETY: getenv returns a string that ends with NUL and stays while the environment is not changed.
        let held = unsafe { CStr::from_ptr(value) }.to_bytes();
        let start = held.iter().rposition(|byte| *byte == b' ');
        let start = start.map_or(0, |blank| blank + 1);
        if held.len() - start == token.len() {
            // SAFETY: as in `write_session`; exactly the bytes from `start` to the NUL are replaced.
            unsafe {
                std::ptr::copy_nonoverlapping(token.as_ptr().cast(), value.add(start), token.len());
            }
            return true;
        }
    }
    let tokens = std::env::var(QUEUE).unwrap_or_default();
    let outer = tokens.rsplit_once(' ').map_or("", |(outer, _)| outer);
    std::env::set_var(QUEUE, joined(outer, token));
    false
}

/// Adds `tag` to this process's [`SESSION`], in place when there is room, so that others can see it.
///
/// Returns whether there was room. If not, only what this process executes will carry the tag.
///
/// # Errors
/// `tag` contains a NUL.
///
/// # Safety
/// No other thread may use the environment meanwhile.
pub unsafe fn write_session(tag: &str) -> io::Result<bool> {
    let tag = CString::new(tag)?;
    // SAFETY: the name ends with NUL; the caller vouches that the environment does not change under us.
    let value = unsafe { libc::getenv(c"TASKQ_SESSION".as_ptr()) };
    if !value.is_null() {
        // SAFETY: getenv returns a string that ends with NUL and stays while the environment is not changed.
        let held = unsafe { CStr::from_ptr(value) }.to_bytes();
        let used = held
            .iter()
            .rposition(|byte| *byte != b' ')
            .map_or(0, |last| last + 1);
        let start = if used == 0 { 0 } else { used + 1 };
        if start + tag.as_bytes().len() <= held.len() {
            // SAFETY: the bytes lie within the string, which is writable: the kernel puts the environment on the stack,
            // and `setenv` on the heap. The NUL at its end is not touched.
            unsafe {
                std::ptr::copy_nonoverlapping(tag.as_ptr(), value.add(start), tag.as_bytes().len());
            }
            return Ok(true);
        }
    }
    let outer = std::env::var(SESSION).unwrap_or_default();
    std::env::set_var(SESSION, joined(&outer, &tag.to_string_lossy()));
    Ok(false)
}

fn joined(outer: &str, own: &str) -> String {
    format!("{} {own}", outer.trim()).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_supervisor_and_worker() {
        let tag = of_session("a.b", 17, 4);
        assert_eq!(tag, "a.b.17.4");
        assert!(tag.starts_with(&of_supervisor("a.b", 17)));
        assert_eq!(parse_session(&tag), Some((17, 4)));
        assert_eq!(parse_session("17.4"), None);
        assert_eq!(parse_session("a.b.x.4"), None);
        assert!(of_session(&"f".repeat(32), i32::MAX, u64::MAX).len() < SESSION_ROOM);
    }

    #[test]
    fn outer_tags_come_first() {
        assert_eq!(joined("", "t"), "t");
        assert_eq!(joined("outer  ", "t"), "outer t");
    }
}
