//! What a task has said of its progress, as it stands on the board.
//!
//! The session writes it as often as it likes, without a system call and without waiting; the host may look at any
//! time, also after the session was killed in the middle of writing. So there are two copies: the number of notes says
//! which of them is the latest, and the session writes into the other one before it raises the number. A host that was
//! overtaken while it read sees another number afterwards, and looks again; not without an end, as a task could keep it
//! at that.

use std::sync::atomic::{fence, AtomicU32, AtomicU64, Ordering};

use taskq_record::{AttemptId, TaskId};

use super::LOOKS;

/// The longest message in bytes; what is longer is cut between two characters.
pub const MESSAGE_BYTES: usize = WORDS * 8;

const WORDS: usize = 27;

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The attempt that has said so.
    pub attempt: AttemptId,
    /// From 0 to 1; not a number when unknown.
    pub fraction: f64,
    /// What it is doing; empty for nothing.
    pub message: String,
    /// When it was said, on the monotonic clock.
    pub at_ns: u64,
}

/// The session's latest note and the one before it.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Told {
    copies: [Note; 2],
    /// How many notes there were; the latest one is in the copy of this number modulo 2.
    count: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(C)]
struct Note {
    task: AtomicU64,
    number: AtomicU32,
    length: AtomicU32,
    fraction_bits: AtomicU64,
    at_ns: AtomicU64,
    message: [AtomicU64; WORDS],
}

const _: () = assert!(std::mem::size_of::<Told>() == 512);

impl Told {
    /// Session only.
    pub(super) fn set(&self, attempt: AttemptId, fraction: f64, message: &str, now_ns: u64) {
        let count = self.count.load(Ordering::Relaxed).wrapping_add(1);
        // Who sees one of the following stores sees that the previous note is complete, too.
        fence(Ordering::Release);
        self.copy(count).write(attempt, fraction, message, now_ns);
        self.count.store(count, Ordering::Release);
    }

    /// Host only.
    pub(super) fn get(&self) -> Option<Progress> {
        for _ in 0..LOOKS {
            let count = self.count.load(Ordering::Acquire);
            if count == 0 {
                return None;
            }
            let progress = self.copy(count).read();
            fence(Ordering::Acquire);
            if self.count.load(Ordering::Relaxed) == count {
                return Some(progress);
            }
        }
        None
    }

    fn copy(&self, count: u64) -> &Note {
        &self.copies[usize::from(count % 2 == 1)]
    }
}

impl Note {
    fn write(&self, attempt: AttemptId, fraction: f64, message: &str, now_ns: u64) {
        let bytes = cut(message).as_bytes();
        self.task.store(attempt.task.0, Ordering::Relaxed);
        self.number.store(attempt.number, Ordering::Relaxed);
        self.fraction_bits
            .store(fraction.to_bits(), Ordering::Relaxed);
        self.at_ns.store(now_ns, Ordering::Relaxed);
        self.length.store(bytes.len() as u32, Ordering::Relaxed);
        for (word, chunk) in self.message.iter().zip(bytes.chunks(8)) {
            let mut whole = [0; 8];
            whole[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
    }

    /// May be a mixture of two notes; the caller finds that out.
    fn read(&self) -> Progress {
        let length = self.length.load(Ordering::Relaxed) as usize;
        let mut bytes = Vec::with_capacity(MESSAGE_BYTES);
        for word in &self.message[..length.div_ceil(8).min(WORDS)] {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        bytes.truncate(length);
        Progress {
            attempt: AttemptId {
                task: TaskId(self.task.load(Ordering::Relaxed)),
                number: self.number.load(Ordering::Relaxed),
            },
            fraction: f64::from_bits(self.fraction_bits.load(Ordering::Relaxed)),
            message: String::from_utf8_lossy(&bytes).into_owned(),
            at_ns: self.at_ns.load(Ordering::Relaxed),
        }
    }
}

/// As much of the message as there is room for.
fn cut(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    fn attempt(task: u64) -> AttemptId {
        AttemptId {
            task: TaskId(task),
            number: 2,
        }
    }

    #[test]
    fn the_latest_note_is_told() {
        let told = Told::default();
        assert_eq!(told.get(), None);
        for (fraction, message) in [(0.25, "first"), (0.5, ""), (1.0, "the third, longer one")] {
            told.set(attempt(9), fraction, message, 11);
            let progress = told.get().expect("told");
            assert_eq!(progress.attempt, attempt(9));
            assert_eq!((progress.fraction, progress.at_ns), (fraction, 11));
            assert_eq!(progress.message, message);
        }
        told.set(attempt(9), f64::NAN, "", 12);
        assert!(told.get().expect("told").fraction.is_nan());
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let told = Told::default();
        told.set(attempt(1), 0.0, &"a".repeat(MESSAGE_BYTES + 1), 1);
        assert_eq!(told.get().expect("told").message, "a".repeat(MESSAGE_BYTES));
        let message = format!("a{}", "\u{20ac}".repeat(100));
        told.set(attempt(1), 0.0, &message, 1);
        let kept = (MESSAGE_BYTES - 1) / 3;
        let expected = format!("a{}", "\u{20ac}".repeat(kept));
        assert_eq!(told.get().expect("told").message, expected);
    }

    /// As a session that was killed in the middle of writing leaves it.
    #[test]
    fn a_note_that_was_not_finished_is_not_told() {
        let told = Told::default();
        told.set(attempt(1), 0.5, "complete", 1);
        told.copies[0].write(attempt(2), 0.9, "torn", 2);
        assert_eq!(told.get().expect("told").message, "complete");
    }

    /// A look at a board that is written without end may find a note or none: in either case the host goes on.
    #[test]
    fn a_look_at_a_session_that_never_stops_ends() {
        let told = Told::default();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    told.count.fetch_add(1, Ordering::SeqCst);
                }
            });
            for _ in 0..10_000 {
                let _ = told.get();
            }
            done.store(true, Ordering::Release);
        });
    }

    #[test]
    fn a_note_is_never_torn() {
        const NOTES: u64 = 300_000;
        let told = Told::default();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=NOTES {
                    let message = n.to_string().repeat(20);
                    told.set(attempt(n), n as f64, &message, n);
                }
                done.store(true, Ordering::Release);
            });
            let mut last = 0;
            while !done.load(Ordering::Acquire) {
                let Some(progress) = told.get() else { continue };
                let n = progress.at_ns;
                assert!(n >= last);
                last = n;
                assert_eq!(progress.attempt, attempt(n));
                assert_eq!(progress.fraction, n as f64);
                assert_eq!(progress.message, n.to_string().repeat(20));
            }
        });
    }
}
