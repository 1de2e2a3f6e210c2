//! What a session receives: attempts and broadcasts, and the end of them.

use std::io;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_payload::arrived::Arrived;
use taskq_payload::payload::Payload;
use taskq_record::AttemptId;
use taskq_sys::process::own_usage;
use taskq_sys::socket::set_nonblocking;
use taskq_sys::{clock, fault};
use taskq_wire::frame::Decoded;
use taskq_wire::message::{GivenPart, ToSession};

use super::job::{Job, Stream};
use super::{Current, Session};
use crate::error::SessionError;

/// The part that lines of the log are of: a session is one part for who reads them.
const LOG: &str = "taskq_worker::session";

/// What a session has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// An attempt, which is the [`current`](Session::current) one.
    Task,
    /// A broadcast, which is to be [taken](Session::take_broadcast).
    Broadcast,
    /// No more will come.
    Nothing,
}

impl Session {
    /// Waits until something comes, but no longer than `patience`; whether something has, or nothing can.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        if !self.decoder.is_between_frames() {
            return true;
        }
        let Ok(patience) = Timespec::try_from(patience) else {
            return true;
        };
        let mut fds = [PollFd::new(&self.task, PollFlags::IN)];
        poll(&mut fds, Some(&patience)) != Ok(0)
    }

    /// Waits for the next attempt that was not recalled, and makes it the [`current`](Session::current) one. It has
    /// begun when this returns, even if its payload makes no sense.
    ///
    /// [`Received::Nothing`] means that no more will come: the host has said so or has closed its end. In the latter
    /// case the host is probably gone, so this waits up to a second for being killed. Signals do not end the wait.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn receive(&mut self) -> Result<Received, SessionError> {
        self.own()?;
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                match frame.message {
                    ToSession::Retire => return Ok(Received::Nothing),
                    ToSession::RunBroadcast { call } => {
                        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
                        let call = arrived.take(&call).map_err(SessionError::Payload)?;
                        arrived.finish().map_err(SessionError::Payload)?;
                        tracing::debug!(target: LOG, "runs a broadcast");
                        self.broadcast = Some(call);
                        return Ok(Received::Broadcast);
                    }
                    ToSession::Run {
                        attempt,
                        label,
                        tries,
                        fun,
                        call,
                        given,
                    } => {
                        // Noted before anything is taken: what a payload does to this process is its task's doing.
                        let begun = self.begin(attempt);
                        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
                        // The host counts on it, also where the attempt was recalled.
                        let fun = self.functions.take(fun, &mut arrived)?;
                        if let Some(began_ns) = begun {
                            let call = arrived.take(&call).map_err(SessionError::Payload)?;
                            let take = |one: GivenPart| {
                                let payload = arrived.take_given(&one)?;
                                Ok((one.argument, payload))
                            };
                            let given = given.into_iter().map(take).collect::<io::Result<_>>();
                            let given = given.map_err(SessionError::Payload)?;
                            arrived.finish().map_err(SessionError::Payload)?;
                            tracing::debug!(target: LOG, ?attempt, "begins");
                            let job = Job {
                                attempt,
                                label,
                                tries,
                                fun,
                                call,
                                given,
                            };
                            self.current = Some(Current {
                                job,
                                usage: own_usage(),
                                began_ns,
                                ended_ns: None,
                            });
                            return Ok(Received::Task);
                        }
                    }
                }
                continue;
            }
            if !self.task_identity.is_of(&self.task) {
                return Err(SessionError::Descriptors {
                    what: "task socket",
                });
            }
            match self.decoder.read_from(&mut Stream(&self.task))? {
                Decoded::Read(_) => {}
                Decoded::Eof if self.decoder.is_between_frames() => {
                    self.shared.ancestry.outlive_the_supervisor();
                    return Ok(Received::Nothing);
                }
                // The socket waits, unless somebody has set it not to.
                Decoded::WouldBlock => set_nonblocking(&self.task, false)?,
                Decoded::Eof => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }

    /// The broadcast that was received. It is handed out once.
    pub fn take_broadcast(&mut self) -> Option<Payload> {
        self.broadcast.take()
    }

    /// Notes that an attempt begins, and gives back when; `None` when it was recalled.
    fn begin(&mut self, attempt: AttemptId) -> Option<u64> {
        let mut ledger = self.shared.ledger();
        if !ledger.begin(attempt) {
            return None;
        }
        let began_ns = clock::now_ns();
        // Under the same lock: what was not given back stands on the board.
        if !fault::is_on("begin-not-noted") {
            self.board.begin(attempt, began_ns);
        }
        Some(began_ns)
    }
}
