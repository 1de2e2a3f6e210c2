//! The receiving half of a session: frames from its R thread, packets from its control thread, bytes from its two
//! pipes.
//!
//! # Which output belongs to which task
//! A session may begin its next task before the host has read the result of the previous one, and the pipes know no
//! borders. So each [`Finished`] carries the positions at which the task's output ends, and one round of reading has
//! this order: first the pipes, then the socket; each `Finished` cuts the streams at its positions (reading on, when
//! the pipes were behind); what is left when the socket is empty was written before any `Finished` yet to come, and so
//! belongs to the current task.
//!
//! # Which tasks cannot have ended
//! A session says what it gives back before it begins anything that it was sent later. So the control socket is read
//! after the task socket, and what it brings is told first: then nothing that is told to have ended was sent behind
//! something that is unanswered.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::RecvFlags;
use taskq_core::id::{AttemptId, TaskId};
use taskq_payload::arrived::Arrived;
use taskq_payload::payload::Payload;
use taskq_record::StartCause;
use taskq_sys::{pipe, socket};
use taskq_wire::board::Positions;
use taskq_wire::frame::{Decoded, Decoder, Source};
use taskq_wire::message::{Finished, FromControl, FromSession};
use taskq_wire::packet;

use crate::config::Config;
use crate::error::StartFailure;
use crate::link::Link;
use crate::output::{Captured, SharedCapture};
use crate::state::Ending;
use crate::text::{shown, whole_start};

/// How many reads of one session happen before others get their turn.
const READS_PER_ROUND: usize = 64;
/// After this number of rounds everything has been read that a socket can hold.
const ROUNDS_OF_SOCKET: usize = 16;
/// How many answers of a control thread are read at once: many more than one has to give.
const ANSWERS_PER_ROUND: usize = 1024;
/// So much is read from a pipe at once: the capacity of a pipe.
const PIPE_CHUNK: usize = 64 * 1024;

/// So much of each output stream is shown of a session that does not come up.
const START_OUTPUT: usize = 4096;

/// The receiving half of a session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) link: Arc<Link>,
    decoder: Decoder<FromSession>,
    stdout: Stream,
    stderr: Stream,
    /// Whether it has said that it is ready.
    pub(crate) is_up: bool,
    /// Whether it has said why it cannot come up.
    pub(crate) has_refused: bool,
    /// Whether it was killed on our order.
    pub(crate) is_killed: bool,
    /// See [`Round::Broken`].
    is_broken: bool,
}

/// What a session tells.
#[derive(Debug)]
pub(crate) enum News {
    Ready {
        pid: i32,
    },
    StartFailed(StartFailure),
    /// It has run a broadcast, which has given this.
    Ran(Arc<Payload>),
    Finished(Box<FinishedTask>),
    Signalled(AttemptId, Box<Payload>),
    Returned(Vec<AttemptId>),
}

/// An attempt that has ended by itself, with what it wrote.
#[derive(Debug)]
pub(crate) struct FinishedTask {
    pub(crate) finished: Finished,
    pub(crate) ending: Ending,
    /// The resident set of the session, where somebody wants to know.
    pub(crate) memory: Option<u64>,
    /// The task that the session notes to be running.
    pub(crate) running: Option<TaskId>,
}

/// Where a session has something to read, beside its task socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) control: bool,
    pub(crate) pipes: bool,
}

impl Readiness {
    pub(crate) const ALL: Readiness = Readiness {
        control: true,
        pipes: true,
    };

    /// By which of the [descriptors](Session::descriptors) an event came.
    pub(crate) fn add(&mut self, descriptor: usize) {
        self.control |= descriptor == 1;
        self.pipes |= descriptor >= 2;
    }
}

/// How a round of reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// There is nothing more for now.
    Drained,
    /// There may be more; another event need not come.
    More,
    /// The session has closed its socket.
    Closed,
    /// What has come cannot be taken in: it was lost, or it is nonsense. Nothing more can be read.
    Broken,
}

impl Session {
    /// `pipes`: its standard output, its standard error.
    pub(crate) fn new(link: Arc<Link>, pipes: (OwnedFd, OwnedFd), config: &Config) -> Session {
        let capture = || SharedCapture::new(config.output_limit, config.charset);
        Session::of(link, pipes, capture)
    }

    fn of(
        link: Arc<Link>,
        pipes: (OwnedFd, OwnedFd),
        capture: impl Fn() -> SharedCapture,
    ) -> Session {
        Session {
            link,
            decoder: Decoder::default(),
            stdout: Stream::new(pipes.0, capture()),
            stderr: Stream::new(pipes.1, capture()),
            is_up: false,
            has_refused: false,
            is_killed: false,
            is_broken: false,
        }
    }

    /// What the current task writes: standard output, standard error.
    pub(crate) fn captures(&self) -> [SharedCapture; 2] {
        [self.stdout.capture.clone(), self.stderr.capture.clone()]
    }

    /// The descriptors to watch: task socket, control socket, stdout, stderr.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 4] {
        [
            self.link.task.as_fd(),
            self.link.control.as_fd(),
            self.stdout.fd(),
            self.stderr.fd(),
        ]
    }

    /// Reads what there is where something is `ready`, and appends what it means to `news`. The task socket is always
    /// looked at: only it tells whose output was read. When a task has ended, so is the control socket, if the session
    /// `owes_answer`.
    pub(crate) fn pump(
        &mut self,
        ready: Readiness,
        owes_answer: impl FnOnce() -> bool,
        news: &mut Vec<News>,
    ) -> Round {
        let pipes = if ready.pipes {
            self.read_pipes()
        } else {
            Round::Drained
        };
        let mut socket = Round::Broken;
        if !self.is_broken {
            let round = self.pump_socket(news);
            self.is_broken = round.is_err();
            socket = round.unwrap_or(Round::Broken);
        }
        if socket != Round::More {
            // However much is left in the pipes: what was read was written before the socket was empty.
            self.stdout.absorb();
            self.stderr.absorb();
        }
        let has_ended = news.iter().any(|item| matches!(item, News::Finished(_)));
        let control = if ready.control || (has_ended && owes_answer()) {
            self.pump_control(news)
        } else {
            Round::Drained
        };
        if socket == Round::Drained && control == Round::More {
            control
        } else if socket == Round::Drained {
            pipes
        } else {
            socket
        }
    }

    /// Reads until nothing is left of what a dead session wrote, except what a surviving child of it goes on writing.
    pub(crate) fn pump_to_the_end(&mut self, news: &mut Vec<News>) {
        let unread = |stream: &Stream| pipe::unread(stream.fd()).unwrap_or(0);
        let mut bound = (unread(&self.stdout) + unread(&self.stderr)) as usize / PIPE_CHUNK + 2;
        // The socket is finite, unless a child that was given it goes on, too.
        let mut most = bound + ROUNDS_OF_SOCKET;
        while (self.pump(Readiness::ALL, || true, news) == Round::More && most > 0) || bound > 0 {
            bound = bound.saturating_sub(1);
            most = most.saturating_sub(1);
        }
    }

    /// What was written since the last task ended, and the last of standard error.
    pub(crate) fn last_output(&mut self, tail: usize) -> (Captured, Captured, Vec<u8>) {
        let mut stderr_tail = self.stderr.capture.lock().last(tail);
        if stderr_tail.len() == tail {
            stderr_tail.drain(..whole_start(&stderr_tail));
        }
        (
            self.stdout.capture.lock().take(),
            self.stderr.capture.lock().take(),
            stderr_tail,
        )
    }

    /// What it wrote while it came up.
    pub(crate) fn all_words(&mut self) -> String {
        self.stdout.absorb();
        self.stderr.absorb();
        let mut words = self.stdout.capture.lock().last(START_OUTPUT);
        words.extend(self.stderr.capture.lock().last(START_OUTPUT));
        shown(&words)
    }

    fn pump_socket(&mut self, news: &mut Vec<News>) -> io::Result<Round> {
        for _ in 0..READS_PER_ROUND {
            let progress = self
                .decoder
                .read_from(&mut TaskSocket(self.link.task.as_fd()))?;
            while let Some(frame) = self.decoder.next_frame()? {
                match frame.message {
                    FromSession::Ready { pid } => {
                        self.is_up = true;
                        self.link.learn_pid(pid);
                        self.begin_first_task();
                        let pid = self.link.pid().unwrap_or(pid);
                        news.push(News::Ready { pid });
                    }
                    FromSession::Failed { phase, message } => {
                        self.has_refused = true;
                        news.push(News::StartFailed(StartFailure {
                            cause: StartCause::Startup,
                            phase: Some(phase),
                            message,
                            stderr: self.all_words(),
                            end: None,
                        }));
                    }
                    FromSession::Signalled { attempt, condition } => {
                        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
                        let condition = arrived.take(&condition)?;
                        arrived.finish()?;
                        news.push(News::Signalled(attempt, Box::new(condition)));
                    }
                    FromSession::Ran { value } => {
                        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
                        let value = arrived.take(&value)?;
                        arrived.finish()?;
                        self.begin_first_task();
                        news.push(News::Ran(Arc::new(value)));
                    }
                    FromSession::Finished(finished) => {
                        let (stdout, stderr) = self.cut(&finished);
                        // Another task may be given it.
                        let arrived = Arrived::new(frame.payload, frame.descriptors);
                        let mut arrived = arrived.keeping();
                        let outcome = arrived.take(&finished.outcome)?;
                        arrived.finish()?;
                        let progress = self.link.board.progress();
                        let ending = Ending {
                            outcome: Some(Arc::new(outcome)),
                            stdout: Arc::new(stdout),
                            stderr: Arc::new(stderr),
                            pid: self.link.pid(),
                            measured: finished.measured,
                            progress: progress.filter(|told| told.attempt == finished.attempt),
                            ..Ending::default()
                        };
                        news.push(News::Finished(Box::new(FinishedTask {
                            finished,
                            ending,
                            memory: None,
                            running: self.link.board.begun().map(|(begun, _)| begun.task),
                        })));
                    }
                }
            }
            match progress {
                Decoded::Read(_) => {}
                Decoded::WouldBlock => return Ok(Round::Drained),
                Decoded::Eof => return Ok(Round::Closed),
            }
        }
        Ok(Round::More)
    }

    fn pump_control(&mut self, news: &mut Vec<News>) -> Round {
        let mut buffer = [0u8; packet::MAX_PACKET];
        for _ in 0..ANSWERS_PER_ROUND {
            // The end of this socket, or nonsense on it, is no news: the death of the session is.
            let control = self.link.control.as_fd();
            match socket::recv_packet(control, &mut buffer, RecvFlags::DONTWAIT) {
                Ok(received) if received.len > 0 => {
                    let message = packet::decode(&buffer[..received.len]);
                    if let Ok(FromControl::Returned { attempts }) = message {
                        news.push(News::Returned(attempts));
                    }
                }
                _ => return Round::Drained,
            }
        }
        Round::More
    }

    /// What the session wrote while it came up, or ran a broadcast, is not the next task's.
    fn begin_first_task(&mut self) {
        self.read_up_to(self.stdout.reachable(), self.stderr.reachable());
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.absorb();
            stream.capture.lock().take();
        }
    }

    fn cut(&mut self, finished: &Finished) -> (Captured, Captured) {
        // What the session had written is here or in the pipes, whatever it says.
        let stdout_end = finished.stdout_end.min(self.stdout.reachable());
        let stderr_end = finished.stderr_end.min(self.stderr.reachable());
        self.read_up_to(stdout_end, stderr_end);
        (
            self.stdout.cut(finished.stdout_end),
            self.stderr.cut(finished.stderr_end),
        )
    }

    fn read_up_to(&mut self, stdout_end: u64, stderr_end: u64) {
        while self.stdout.is_behind(stdout_end) || self.stderr.is_behind(stderr_end) {
            let before = self.stdout.read + self.stderr.read;
            self.read_pipes();
            if self.stdout.read + self.stderr.read == before {
                break;
            }
        }
    }

    /// Reads both pipes once. Each is nonblocking.
    fn read_pipes(&mut self) -> Round {
        let mut more = false;
        self.link.board.reading(|| {
            more |= self.stdout.read_once();
            more |= self.stderr.read_once();
            Positions {
                stdout: self.stdout.read,
                stderr: self.stderr.read,
            }
        });
        if more {
            Round::More
        } else {
            Round::Drained
        }
    }
}

/// One of the two output streams.
#[derive(Debug)]
struct Stream {
    pipe: OwnedFd,
    /// Bytes read since the session's start.
    read: u64,
    /// Bytes that were read and may belong to the current task or the next: the last of `read`.
    fresh: Vec<u8>,
    /// What the current task wrote.
    capture: SharedCapture,
    chunk: Box<[u8]>,
}

impl Stream {
    fn new(pipe: OwnedFd, capture: SharedCapture) -> Stream {
        Stream {
            pipe,
            read: 0,
            fresh: Vec::new(),
            capture,
            chunk: Box::default(),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Reads once; returns whether there may be more.
    fn read_once(&mut self) -> bool {
        if self.chunk.is_empty() {
            if !matches!(pipe::unread(self.pipe.as_fd()), Ok(1..)) {
                return false;
            }
            self.chunk = vec![0; PIPE_CHUNK].into_boxed_slice();
        }
        match rustix::io::read(&self.pipe, &mut self.chunk[..]) {
            Ok(count) => {
                self.read += count as u64;
                self.fresh.extend_from_slice(&self.chunk[..count]);
                count == self.chunk.len()
            }
            Err(error) => error == rustix::io::Errno::INTR,
        }
    }

    /// Where what was written by now ends.
    fn reachable(&self) -> u64 {
        self.read + pipe::unread(self.fd()).unwrap_or(0)
    }

    fn is_behind(&self, position: u64) -> bool {
        self.read < position
    }

    /// All that is fresh belongs to the current task.
    fn absorb(&mut self) {
        self.capture.lock().write(&self.fresh);
        self.fresh.clear();
    }

    /// The current task's output ends at `position`.
    fn cut(&mut self, position: u64) -> Captured {
        let beyond = usize::try_from(self.read.saturating_sub(position)).unwrap_or(usize::MAX);
        let own = self.fresh.len().saturating_sub(beyond);
        self.capture.lock().write(&self.fresh[..own]);
        self.fresh.drain(..own);
        self.capture.lock().take()
    }
}

/// A nonblocking socket as a byte source.
struct TaskSocket<'a>(BorrowedFd<'a>);

impl Source for TaskSocket<'_> {
    fn receive(&mut self, buffer: &mut [u8], fds: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
        socket::recv_stream_with(self.0, buffer, fds)
    }
}

#[cfg(test)]
mod tests {
    use taskq_payload::board::MappedBoard;
    use taskq_wire::frame::encode_head;

    use super::*;

    #[test]
    fn a_session_is_a_known_process_before_its_first_result_whoever_is_heard_first() {
        for supervisor_is_first in [false, true] {
            let (task, far_task) = socket::stream_pair().expect("sockets");
            let (control, _far_control) = socket::packet_pair().expect("sockets");
            let (stdout, _far_stdout) = pipe::pair().expect("a pipe");
            let (stderr, _far_stderr) = pipe::pair().expect("a pipe");
            socket::set_nonblocking(task.as_fd(), true).expect("a flag");
            let (board, _far_board) = MappedBoard::create().expect("a board");
            let link = Arc::new(Link::new(board, task, control));
            let capture = || SharedCapture::new(100, crate::Charset::default());
            let mut session = Session::of(Arc::clone(&link), (stdout, stderr), capture);
            let mut frame = Vec::new();
            encode_head(&FromSession::Ready { pid: 7 }, 0, 0, &mut frame).expect("small");
            rustix::io::write(&far_task, &frame).expect("written");
            if supervisor_is_first {
                link.set_pid(8);
            }
            let mut news = Vec::new();
            let round = session.pump(Readiness::default(), || false, &mut news);
            assert_eq!(round, Round::Drained);
            let known = if supervisor_is_first { 8 } else { 7 };
            assert!(matches!(news[..], [News::Ready { pid }] if pid == known));
            assert_eq!(link.pid(), Some(known));
            link.set_pid(8);
            assert_eq!(link.pid(), Some(8));
        }
    }
}
