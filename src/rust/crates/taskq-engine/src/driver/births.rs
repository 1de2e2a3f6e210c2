//! How supervisors and sessions come into being.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use mio::{Interest, Token};
use taskq_core::id::WorkerId;
use taskq_core::GoneCause;
use taskq_payload::board::MappedBoard;
use taskq_record::StartCause;
use taskq_sys::{pipe, socket};

use super::{
    Driver, SESSIONS, SUPERVISOR_CONTROL, SUPERVISOR_OUTPUT, SUPERVISOR_PIDFD, SUPERVISOR_REPORT,
};
use crate::error::StartFailure;
use crate::link::Link;
use crate::session::Session;
use crate::sessions::Outgoing;
use crate::state::Gone;
use crate::supervisor::{FarEnds, Supervisor};
use crate::zygote;

/// How many launches are under way at once: the kernel bounds the descriptors in a socket.
const UNDER_WAY: usize = 64;

/// The sessions that are to be launched.
#[derive(Debug, Default)]
pub(super) struct Births {
    waiting: VecDeque<WorkerId>,
    under_way: usize,
    /// The kernel would not pass on the descriptors of the first that waits. No event tells when it will.
    is_stalled: bool,
}

impl Births {
    pub(super) fn wait(&mut self, worker: WorkerId) {
        self.waiting.push_back(worker);
    }

    pub(super) fn arrived(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    pub(super) fn are_stalled(&self) -> bool {
        self.is_stalled
    }

    /// There may be room again.
    pub(super) fn go_on(&mut self) {
        self.is_stalled = false;
    }

    fn may_go_on(&self) -> bool {
        self.under_way < UNDER_WAY && !self.is_stalled
    }

    /// Forgets a session that was not launched yet; whether there was one.
    pub(super) fn cancel(&mut self, worker: WorkerId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|&waiting| waiting != worker);
        self.waiting.len() < before
    }

    /// The supervisor is gone: what was under way never arrives. Returns what waited.
    pub(super) fn reset(&mut self) -> VecDeque<WorkerId> {
        self.under_way = 0;
        self.is_stalled = false;
        std::mem::take(&mut self.waiting)
    }
}

impl Driver {
    /// Has a supervisor made.
    pub(super) fn boot(&mut self) {
        let started = Supervisor::start(&self.door.config);
        let error = match started {
            Ok(mut supervisor) => match self.watch_supervisor(&supervisor) {
                Ok(()) => {
                    self.supervisor = Some(supervisor);
                    self.supervisor_is_up = false;
                    return self.look_again();
                }
                Err(error) => {
                    self.unwatch_supervisor(&supervisor);
                    supervisor.end();
                    error
                }
            },
            Err(error) => error,
        };
        let failure = StartFailure {
            message: error.to_string(),
            ..StartFailure::default()
        };
        self.supervisor_is_gone(true, Some(failure));
    }

    /// Has the poller tell of all that comes of a supervisor. One that has come from a zygote at once is born already.
    fn watch_supervisor(&mut self, supervisor: &Supervisor) -> io::Result<()> {
        let [control, output, report] = supervisor.descriptors();
        let both = Interest::READABLE | Interest::WRITABLE;
        self.watch(control, SUPERVISOR_CONTROL, both)?;
        self.watch(output, SUPERVISOR_OUTPUT, Interest::READABLE)?;
        self.watch(report, SUPERVISOR_REPORT, Interest::READABLE)?;
        for pidfd in supervisor.pidfds() {
            self.watch(pidfd, SUPERVISOR_PIDFD, Interest::READABLE)?;
        }
        self.supervisor_is_watched = supervisor.pidfds().next().is_some();
        Ok(())
    }

    /// The zygote has forked the supervisor.
    pub(super) fn supervisor_is_born(&mut self) {
        let Some(supervisor) = &self.supervisor else {
            return;
        };
        zygote::offer(supervisor.zygote());
        let watched = supervisor
            .fork()
            .map(|fork| self.watch(fork, SUPERVISOR_PIDFD, Interest::READABLE));
        self.supervisor_is_watched = matches!(watched, Some(Ok(())));
    }

    /// Launches as many of the waiting sessions as there is room for.
    pub(super) fn launch_waiting(&mut self) {
        while self.births.may_go_on() && self.supervisor.is_some() {
            let Some(worker) = self.births.waiting.pop_front() else {
                return;
            };
            match self.launch(worker) {
                Ok(true) => self.births.under_way += 1,
                Ok(false) => {
                    self.births.waiting.push_front(worker);
                    return;
                }
                Err(error) => {
                    let errno = error.raw_os_error().unwrap_or(0);
                    self.refuse_birth(worker, errno);
                }
            }
        }
    }

    /// No process could be made for `worker`.
    pub(super) fn refuse_birth(&self, worker: WorkerId, errno: i32) {
        let cause = GoneCause::LaunchFailed { errno };
        let gone = Gone::unborn(worker, cause, Some(no_process(errno)));
        self.door.input(|inside, now| inside.reap(gone, now));
    }

    /// `Ok(false)`: not now. The supervisor's socket is full, or the kernel passes on no more descriptors, or it is
    /// dying, and the next one is asked.
    fn launch(&mut self, worker: WorkerId) -> io::Result<bool> {
        let Some(supervisor) = &mut self.supervisor else {
            return Ok(false);
        };
        let (task, far_task) = socket::stream_pair()?;
        let (control, far_control) = socket::packet_pair()?;
        let (stdout, far_stdout) = pipe::pair()?;
        let (stderr, far_stderr) = pipe::pair()?;
        for fd in [&task, &control, &stdout, &stderr] {
            socket::set_nonblocking(fd.as_fd(), true)?;
        }
        let (board, far_board) = MappedBoard::create()?;
        let ends = FarEnds {
            task: far_task,
            control: far_control,
            stdout: far_stdout,
            stderr: far_stderr,
            board: far_board,
        };
        let sent = supervisor.launch(worker, &ends);
        if matches!(&sent, Err(error) if is_hang_up(error)) {
            // It is dying, which is not a failure of this session: who waits goes with it. Should it have lost its
            // socket only, it is of no use any more.
            supervisor.kill();
            return Ok(false);
        }
        if matches!(&sent, Err(error) if socket::is_too_many_under_way(error)) {
            self.births.is_stalled = true;
            return Ok(false);
        }
        if !matches!(sent, Ok(true)) {
            return sent;
        }
        let link = Arc::new(Link::new(board, task, control));
        let config = &self.door.config;
        let session = Session::new(Arc::clone(&link), (stdout, stderr), config);
        let base = SESSIONS + 4 * worker.0 as usize;
        for (i, fd) in session.descriptors().into_iter().enumerate() {
            let both = Interest::READABLE | Interest::WRITABLE;
            let interest = if i == 0 { both } else { Interest::READABLE };
            // A session that cannot be watched would never be heard: it ends as not launched, and closing its
            // sockets ends the process.
            self.watch(fd, Token(base + i), interest)?;
        }
        let outgoing = Outgoing::new(link, session.captures());
        self.sessions.insert(worker, session);
        self.door
            .input(|inside, _| inside.sessions.add(worker, outgoing));
        Ok(true)
    }
}

/// The operating system makes no process: a session, or the supervisor that it would come from.
pub(super) fn no_process(errno: i32) -> StartFailure {
    let error = io::Error::from_raw_os_error(errno);
    StartFailure {
        cause: StartCause::NoProcess,
        message: format!("cannot start a session: {error}"),
        ..StartFailure::default()
    }
}

/// Whether the other end of a socket is closed; it is a reset if something was left unread there.
fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
