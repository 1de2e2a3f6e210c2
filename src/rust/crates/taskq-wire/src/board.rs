//! The status board: memory that the host shares with a session, with each session another.
//!
//! It answers four questions without a message, and exactly:
//!
//! 1. *Had this attempt begun when its session died?* The session notes the attempt before it calls the function and
//!    wipes the note after the last byte of the result is written. The host reads the note after the session's death,
//!    when no process writes any more. An attempt that was sent but had not begun is not to blame for a crash.
//! 2. *Which bytes of the output pipes belong to which task?* The session cannot know how much was written to
//!    descriptors 1 and 2 (child processes write there, too), but the kernel tells how much is unread, and the host
//!    notes here how much it has read. The sum is the position at which the task's output ends; the host cuts its
//!    stream there. A sequence number, odd while the host reads, tells the session to look again.
//! 3. *How far is this attempt?* The session notes what its task says of its [progress]; the host looks whenever it
//!    wants to know.
//! 4. *Which [elements] of its batch has the session begun, and which may the host take back?* Both sides change one
//!    number, so that each element is begun by one session, and the host knows what a session had begun when it died.
//!
//! Layout: [`Board`] has 640 bytes, all zero at first, of which the host writes the second part, and the session the
//! rest; both write the elements, which stand in the first part behind the attempt (offset 24).
//!
//! | offset | length | what |
//! | --- | --- | --- |
//! | 0 | 64 | the attempt that has begun |
//! | 64 | 64 | how much of the output was read |
//! | 128 | 512 | progress |
//!
//! A task can write whatever it likes there, at any time. So the host takes it as what the session says, and looks
//! again a limited number of times.

pub mod elements;
pub mod progress;

use std::hint;
use std::sync::atomic::{fence, AtomicU32, AtomicU64, Ordering};
use std::thread;

use elements::Elements;
use progress::{Progress, Told};
use taskq_record::{AttemptId, TaskId};

/// So often a look that was overtaken is made again, before nothing is known.
const LOOKS: usize = 64;
/// So often a session looks again, giving way to others each time: for seconds. The host does not take so long, unless
/// it was stopped.
const LOOKS_OF_SESSION: u32 = 1 << 20;

/// One session's board.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Board {
    begun: Begun,
    output: OutputRead,
    told: Told,
}

/// Written by the session.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Begun {
    /// The task that has begun and whose result is not yet written; 0 for none.
    task: AtomicU64,
    /// When it began, on the monotonic clock.
    at_ns: AtomicU64,
    /// Which attempt it is.
    number: AtomicU32,
    /// The elements of its batch; none while it is no batch.
    elements: Elements,
}

/// Written by the host.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct OutputRead {
    /// Bytes read from the stdout pipe since the session's start.
    stdout: AtomicU64,
    /// Bytes read from the stderr pipe since the session's start.
    stderr: AtomicU64,
    /// Odd while the host is reading.
    sequence: AtomicU32,
}

const _: () = assert!(std::mem::size_of::<Board>() == 640);

/// A pair of positions in the two output streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Bytes since the session's start on standard output.
    pub stdout: u64,
    /// Bytes since the session's start on standard error.
    pub stderr: u64,
}

impl Board {
    /// Session: `attempt` begins now.
    pub fn begin(&self, attempt: AttemptId, now_ns: u64) {
        self.begun.elements.close();
        self.begun.number.store(attempt.number, Ordering::Relaxed);
        self.begun.at_ns.store(now_ns, Ordering::Relaxed);
        self.begun.task.store(attempt.task.0, Ordering::Release);
    }

    /// Session: the result of what had begun is written.
    pub fn end(&self) {
        self.begun.task.store(0, Ordering::Release);
    }

    /// Host: the attempt that has begun, and when.
    pub fn begun(&self) -> Option<(AttemptId, u64)> {
        let task = self.begun.task.load(Ordering::Acquire);
        let number = self.begun.number.load(Ordering::Relaxed);
        let at_ns = self.begun.at_ns.load(Ordering::Relaxed);
        (task != 0).then_some((
            AttemptId {
                task: TaskId(task),
                number,
            },
            at_ns,
        ))
    }

    /// Host: reads from the pipes by `read`, which returns the new positions.
    pub fn reading(&self, read: impl FnOnce() -> Positions) -> Positions {
        self.output.sequence.fetch_add(1, Ordering::AcqRel);
        let positions = read();
        self.output
            .stdout
            .store(positions.stdout, Ordering::Relaxed);
        self.output
            .stderr
            .store(positions.stderr, Ordering::Relaxed);
        self.output.sequence.fetch_add(1, Ordering::Release);
        positions
    }

    /// Session: how much was ever written, given a look at how much is unread.
    ///
    /// Looks again while the host is reading; the host holds that state for the length of two system calls. If it is in
    /// it for seconds, the answer may be wrong by what it reads just then.
    pub fn written(&self, mut unread: impl FnMut() -> Positions) -> Positions {
        let mut looks = 0u32;
        loop {
            let before = self.output.sequence.load(Ordering::Acquire);
            let read = Positions {
                stdout: self.output.stdout.load(Ordering::Relaxed),
                stderr: self.output.stderr.load(Ordering::Relaxed),
            };
            let unread = unread();
            fence(Ordering::Acquire);
            let is_still = self.output.sequence.load(Ordering::Relaxed) == before;
            if (before % 2 == 0 && is_still) || looks == LOOKS_OF_SESSION {
                return Positions {
                    stdout: read.stdout.wrapping_add(unread.stdout),
                    stderr: read.stderr.wrapping_add(unread.stderr),
                };
            }
            looks += 1;
            if looks < 64 {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }

    /// Session: the task says how far `attempt` is. A message that is too long is cut.
    pub fn set_progress(&self, attempt: AttemptId, fraction: f64, message: &str, now_ns: u64) {
        self.told.set(attempt, fraction, message, now_ns);
    }

    /// Host: what the session's tasks have said last, of whichever attempt it was. `None` also while they say more than
    /// can be read.
    pub fn progress(&self) -> Option<Progress> {
        self.told.get()
    }

    /// The elements of the batch that has begun.
    pub fn elements(&self) -> &Elements {
        &self.begun.elements
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn what_has_begun_is_told_until_it_ends() {
        let board = Board::default();
        let attempt = AttemptId {
            task: TaskId(3),
            number: 2,
        };
        assert_eq!(board.begun(), None);
        board.begin(attempt, 17);
        assert_eq!(board.begun(), Some((attempt, 17)));
        board.end();
        assert_eq!(board.begun(), None);
    }

    #[test]
    fn a_host_that_does_not_go_on_is_waited_for_no_longer_than_seconds() {
        let board = Board::default();
        board.output.sequence.store(1, Ordering::Relaxed);
        board.output.stdout.store(u64::MAX, Ordering::Relaxed);
        let unread = Positions {
            stdout: 3,
            stderr: 4,
        };
        assert_eq!(board.written(|| unread).stderr, 4);
    }

    /// A pipe is played by an atomic: the host moves bytes from "unread" to "read" in two steps, and whenever the
    /// session looks, the sum must be what was written.
    #[test]
    fn positions_are_exact_while_the_host_reads() {
        const WRITTEN: u64 = 1_000_000;
        let board = Board::default();
        let unread = AtomicU64::new(WRITTEN);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut position = 0;
                while position < WRITTEN {
                    position = board
                        .reading(|| {
                            unread.fetch_sub(10, Ordering::SeqCst);
                            hint::spin_loop();
                            Positions {
                                stdout: position + 10,
                                stderr: 0,
                            }
                        })
                        .stdout;
                }
                done.store(true, Ordering::SeqCst);
            });
            while !done.load(Ordering::SeqCst) {
                let look = || Positions {
                    stdout: unread.load(Ordering::SeqCst),
                    stderr: 0,
                };
                assert_eq!(board.written(look).stdout, WRITTEN);
            }
        });
    }
}
