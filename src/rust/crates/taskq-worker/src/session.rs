//! The session: runs what it [receives](receive), and sends what came of it.
//!
//! The main thread does what is here; the [control thread](control) may interrupt it between [`Session::arm`] and
//! [`Session::disarm`], and kills the process when the supervisor is gone.

mod control;
mod die;
mod functions;
mod job;
mod ledger;
mod niceness;
mod output;
mod receive;
mod temp;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use taskq_payload::board::MappedBoard;
use taskq_payload::payload::Payload;
use taskq_sys::process::{own_usage, Usage};
use taskq_sys::socket::{is_too_many_under_way, set_nonblocking};
use taskq_sys::{clock, fault, oom, pipe, process, signals};
use taskq_wire::frame::{encode_head, Decoder};
use taskq_wire::message::{Finished, FromSession, Part, ToSession};

use crate::error::SessionError;
use crate::inheritance::Inheritance;
use crate::random;
use crate::supervisor::shortened;
use control::Shared;
use functions::Functions;
use job::write_all;
use output::{Identity, Output};
use taskq_record::{Measured, StartPhase, Time, Verdict};
use temp::Temp;

pub use job::{Fun, Job};
pub use receive::Received;

/// How much more likely than the host, out of 1000.
const OOM_SCORE: i32 = 300;

/// How the binding's interrupts are raised and cleared, apart from the signal.
#[derive(Clone, Copy, Debug)]
pub struct InterruptHook {
    /// Called on the control thread, immediately before `SIGINT` is sent to the main thread. Must not block.
    pub raise: fn(),
    /// Called on the main thread by [`Session::arm`] and [`Session::disarm`]: forgets an interrupt that was raised and
    /// has not hit. Must not block.
    pub clear: fn(),
}

/// A process that runs tasks.
pub struct Session {
    pid: i32,
    task: OwnedFd,
    task_identity: Identity,
    decoder: Decoder<ToSession>,
    functions: Functions,
    head: Vec<u8>,
    output: Output,
    temp: Temp,
    board: MappedBoard,
    shared: Arc<Shared>,
    wake: OwnedFd,
    current: Option<Current>,
    /// A broadcast, received and not answered.
    broadcast: Option<Payload>,
    salt: u32,
}

/// What is known of the attempt that has begun and is not finished.
struct Current {
    job: Job,
    usage: Usage,
    /// When it was received, or armed if it was.
    began_ns: u64,
    /// When it was disarmed.
    ended_ns: Option<u64>,
}

impl Session {
    /// Begins a session. To be called on the main thread, before anything that may start processes: what the session
    /// starts is only sure to die with it once the control thread runs, which this starts.
    ///
    /// # Errors
    /// No thread or no descriptors are left.
    pub fn start(inheritance: Inheritance, hook: InterruptHook) -> io::Result<Session> {
        let task_identity = Identity::of(&inheritance.task)?;
        let output = Output::new(inheritance.outputs)?;
        let (wake_read, wake) = pipe::pair()?;
        set_nonblocking(&wake, true)?;
        set_nonblocking(&inheritance.control, true)?;
        let temp = Temp::new(inheritance.ancestry.queue_dir.clone(), inheritance.dir);
        let shared = Arc::new(Shared::new(hook, inheritance.ancestry));
        control::start(Arc::clone(&shared), inheritance.control, wake_read)?;
        // A session is killed before its host when memory is short. Without that it runs just as well.
        let _ = oom::raise_score(OOM_SCORE);
        // The control thread sees the supervisor's death; the signal is only needed to wake a session that was stopped.
        process::set_parent_death_signal(libc::SIGCONT)?;
        Ok(Session {
            pid: process::own_pid(),
            task: inheritance.task,
            task_identity,
            decoder: Decoder::default(),
            functions: Functions::default(),
            head: Vec::new(),
            output,
            temp,
            board: inheritance.board,
            shared,
            wake,
            current: None,
            broadcast: None,
            salt: inheritance.salt,
        })
    }

    /// Leaves more of the processors to others from now on, by `more` of what nice(1) counts, to 19 at most. The
    /// control thread does not: what is to be stopped is stopped in time. To be called on the main thread.
    pub fn step_back(&self, more: i32) {
        if self.pid == process::own_pid() {
            niceness::step_back(more);
        }
    }

    /// Where the program has its temporary files from now on, see [`has_temp_dir`](Session::has_temp_dir).
    pub fn uses_temp_dir(&mut self, dir: PathBuf) {
        self.temp.uses(dir);
    }

    /// Whether the directory that the program uses is there. It may be gone whenever time has passed, or a task has
    /// run.
    #[must_use]
    pub fn has_temp_dir(&self) -> bool {
        self.temp.is_there()
    }

    /// Makes the session's directory for temporary files, and in it that of the program, unless they are there. Returns
    /// the session's, which is another one than before if it cannot be where it was.
    ///
    /// # Errors
    /// What the operating system says: there is no place for it.
    pub fn make_temp_dir(&mut self) -> io::Result<&Path> {
        self.temp.make()
    }

    /// Tells the host that the session waits for tasks.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn ready(&mut self) -> Result<(), SessionError> {
        tracing::debug!("ready");
        self.send(&FromSession::Ready { pid: self.pid }, &[], &[])
    }

    /// Tells the host that the session cannot come up; the process should exit after this. A failure that cannot be
    /// told is seen as that exit.
    pub fn failed(&mut self, phase: StartPhase, message: &str) {
        let message = shortened(message).to_owned();
        let _ = self.send(&FromSession::Failed { phase, message }, &[], &[]);
    }

    /// From now on the current attempt can be interrupted; one that was asked for before comes at once.
    pub fn arm(&mut self) {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|_| self.pid == process::own_pid())
        else {
            return;
        };
        current.began_ns = clock::now_ns();
        let mut ledger = self.shared.ledger();
        if !fault::is_on("late-interrupt") {
            (self.shared.hook.clear)();
        }
        let waiting = ledger.arm();
        drop(ledger);
        if waiting {
            // A full pipe wakes the thread, too.
            let _ = rustix::io::write(&self.wake, b"i");
        }
    }

    /// From now on nothing is interrupted: when this returns, no interrupt is on its way any more.
    pub fn disarm(&mut self) {
        let Some(current) = self
            .current
            .as_mut()
            .filter(|_| self.pid == process::own_pid())
        else {
            return;
        };
        current.ended_ns.get_or_insert_with(clock::now_ns);
        if fault::is_on("late-interrupt") {
            return;
        }
        let mut ledger = self.shared.ledger();
        if ledger.disarm() {
            // The signal was sent, but the kernel may not have delivered it yet.
            signals::settle(libc::SIGINT);
        }
        (self.shared.hook.clear)();
    }

    /// Sends what came of the current attempt, which is over by that. Without one it does nothing.
    ///
    /// The binding has flushed its own buffers; this flushes the C library's, and puts the standard descriptors back.
    ///
    /// # Errors
    /// [`SessionError`]. The result must then be taken as not sent.
    pub fn finish(&mut self, verdict: Verdict, outcome: &Payload) -> Result<(), SessionError> {
        self.own()?;
        self.disarm();
        let Some(current) = self.current.take() else {
            return Ok(());
        };
        if !self.output.is_whole() {
            return Err(SessionError::Descriptors {
                what: "output pipes",
            });
        }
        self.output.flush();
        self.output.restore()?;
        let written = self.output.positions(&self.board)?;
        let usage = own_usage();
        let finished = Finished {
            attempt: current.job.attempt,
            verdict,
            began: Time(current.began_ns),
            ended: Time(current.ended_ns.unwrap_or_else(clock::now_ns)),
            measured: Measured {
                cpu_us: Some(usage.cpu_us.saturating_sub(current.usage.cpu_us)),
                max_rss: Some(usage.max_rss),
            },
            stdout_end: written.stdout,
            stderr_end: written.stderr,
            outcome: outcome.part(),
        };
        if fault::is_on("die-before-result") {
            self.send_all_but_the_last_byte(finished, outcome)?;
            self.die();
        }
        tracing::debug!(attempt = ?finished.attempt, ?verdict, "ended");
        self.send_with(outcome, |outcome| {
            FromSession::Finished(Finished {
                outcome,
                ..finished.clone()
            })
        })?;
        if fault::is_on("die-after-result") {
            self.die();
        }
        self.board.end();
        self.shared.ledger().end();
        Ok(())
    }

    /// Sends a condition that the current attempt has signalled, for the host to signal it while the attempt runs.
    /// Without one it does nothing. Waits while the host does not read; it always does.
    ///
    /// # Errors
    /// [`SessionError`]. The condition must then be taken as not sent.
    pub fn signalled(&mut self, condition: &Payload) -> Result<(), SessionError> {
        self.own()?;
        let Some(current) = &self.current else {
            return Ok(());
        };
        let attempt = current.job.attempt;
        self.send_with(condition, |condition| FromSession::Signalled {
            attempt,
            condition,
        })
    }

    /// Puts the standard descriptors back where they belong. [`Session::finish`] does so; to be called again after
    /// something was closed that the task had left open, because it may have had one of their numbers.
    ///
    /// # Errors
    /// [`SessionError`]. In a fork of the session, nothing is done.
    pub fn restore_output(&self) -> Result<(), SessionError> {
        self.own()?;
        self.output.restore()?;
        Ok(())
    }

    /// The attempt that has begun and is not finished.
    #[must_use]
    pub fn current(&self) -> Option<&Job> {
        self.current.as_ref().map(|current| &current.job)
    }

    /// A broadcast was run: this is its value, and the session waits for tasks.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn ran(&mut self, value: &Payload) -> Result<(), SessionError> {
        self.own()?;
        if !self.output.is_whole() {
            return Err(SessionError::Descriptors {
                what: "output pipes",
            });
        }
        self.output.flush();
        self.output.restore()?;
        self.send_with(value, |value| FromSession::Ran { value })
    }

    /// The payloads of the current attempt were read: what they hold of memory and files is given back.
    pub fn spent(&mut self) {
        if let Some(current) = &mut self.current {
            current.job.fun.payload = None;
            current.job.call = Payload::default();
            current.job.given = Vec::new();
        }
    }

    /// A seed for the random numbers of the current attempt, which no other attempt of the queue has.
    #[must_use]
    pub fn random_seed(&self) -> Option<i32> {
        let attempt = self.current()?.attempt;
        Some(random::seed(self.salt, attempt))
    }

    /// Notes on the board how far the current attempt is, for the host to look at. Without one it does nothing, nor
    /// does it in a fork of the session. No system call but for the clock.
    pub fn progress(&self, fraction: f64, message: &str) {
        if let Some(current) = &self.current {
            if self.pid == process::own_pid() {
                self.board
                    .set_progress(current.job.attempt, fraction, message, clock::now_ns());
            }
        }
    }

    /// The current attempt is a batch of `count` elements, each of which has to [begin](Session::begin_element). False
    /// when there is no attempt, or it has elements already, or this is a fork of the session: nothing is counted then.
    #[must_use]
    pub fn open_elements(&self, count: u64) -> bool {
        let current = self.current.as_ref().filter(|_| self.own().is_ok());
        current.is_some_and(|current| self.board.elements().open(current.job.attempt, count))
    }

    /// One more element begins; false when the host has taken back what is left. See [`taskq_wire::board::elements`].
    #[must_use]
    pub fn begin_element(&self) -> bool {
        self.board.elements().begin_one()
    }

    /// Ends this process at once, by `SIGKILL`: for a session that cannot tell its host what happened. The supervisor
    /// kills what it had started. In a fork of the session it ends only the fork.
    pub fn die(&self) -> ! {
        die::die(&self.shared.ancestry)
    }

    /// Sends a message with a payload. The kernel bounds how many descriptors of a user are unread in sockets. One in a
    /// file that comes too late for that goes through the socket; one that refers to other files has to wait, and
    /// nothing tells when there is room.
    fn send_with(
        &mut self,
        payload: &Payload,
        message: impl Fn(Part) -> FromSession,
    ) -> Result<(), SessionError> {
        const ASK_AGAIN: Duration = Duration::from_millis(10);
        loop {
            let descriptors: Vec<_> = payload.descriptors().collect();
            match self.send(&message(payload.part()), payload.stream(), &descriptors) {
                Err(SessionError::Socket(error)) if is_too_many_under_way(&error) => {}
                other => return other,
            }
            if !payload.refers() {
                let part = Part {
                    in_file: false,
                    ..payload.part()
                };
                let bytes = payload.bytes().map_err(SessionError::Payload)?;
                return self.send(&message(part), bytes, &[]);
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    /// Writes a whole frame, however long it takes.
    fn send(
        &mut self,
        message: &FromSession,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), SessionError> {
        self.encode(message, payload, descriptors)?;
        write_all(&self.task, &self.head, payload, descriptors)?;
        Ok(())
    }

    /// For a fault on purpose.
    fn send_all_but_the_last_byte(
        &mut self,
        finished: Finished,
        outcome: &Payload,
    ) -> Result<(), SessionError> {
        let (payload, descriptors) = (outcome.stream(), outcome.descriptors().collect::<Vec<_>>());
        self.encode(&FromSession::Finished(finished), payload, &descriptors)?;
        let (head, payload) = match payload.split_last() {
            Some((_, rest)) => (&self.head[..], rest),
            None => (&self.head[..self.head.len() - 1], payload),
        };
        write_all(&self.task, head, payload, &descriptors)?;
        Ok(())
    }

    /// The head of a frame, when there is somebody to send it to.
    fn encode(
        &mut self,
        message: &FromSession,
        payload: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), SessionError> {
        self.own()?;
        if !self.task_identity.is_of(&self.task) {
            return Err(SessionError::Descriptors {
                what: "task socket",
            });
        }
        self.head.clear();
        encode_head(
            message,
            payload.len() as u64,
            descriptors.len(),
            &mut self.head,
        )?;
        Ok(())
    }

    /// In a fork of the session nothing may be read or written: it is the session's.
    fn own(&self) -> Result<(), SessionError> {
        if process::own_pid() == self.pid {
            return Ok(());
        }
        Err(SessionError::Forked { session: self.pid })
    }
}
