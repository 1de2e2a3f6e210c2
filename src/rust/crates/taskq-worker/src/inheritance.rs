//! What a session inherits, before it runs.
//!
//! Owns its descriptors and what it knows of its ancestors, however it came to be, and the numbers and variables by
//! which an executed one finds them. Starts no thread and sends nothing: that is
//! [`Session::start`](crate::Session::start)'s.

use std::env;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use taskq_payload::board::MappedBoard;
use taskq_record::WorkerId;
use taskq_sys::process::{Mark, Process};
use taskq_sys::tempdir::TempDir;
use taskq_sys::{fds, signals, tag};

use crate::error::StartError;
use crate::random;
use crate::setup::{queue_dir, SetupFile};
use crate::watch::Watch;

/// Where an executed session finds what it inherits.
pub(crate) const TASK: RawFd = 3;
pub(crate) const CONTROL: RawFd = 4;
pub(crate) const BOARD: RawFd = 5;
pub(crate) const SETUP: RawFd = 6;
/// Tells an executed session its number.
pub(crate) const WORKER_VARIABLE: &str = "TASKQ_WORKER";
/// Tells an executed session its directory: a profile may have changed `TMPDIR`.
pub(crate) const DIR_VARIABLE: &str = "TASKQ_DIR";

/// A session's channels and names, to be handed to [`Session::start`](crate::Session::start).
#[derive(Debug)]
pub struct Inheritance {
    pub(crate) task: OwnedFd,
    pub(crate) control: OwnedFd,
    /// Where descriptors 1 and 2 belong.
    pub(crate) outputs: [OwnedFd; 2],
    pub(crate) board: MappedBoard,
    pub(crate) ancestry: Ancestry,
    /// The session's temporary directory, where `TMPDIR` points to. It exists, has mode 0700, and the supervisor
    /// removes it when the session is gone.
    pub(crate) dir: PathBuf,
    /// Makes the random numbers of this queue's tasks different from another one's.
    pub(crate) salt: u32,
}

/// From whom a session descends, and what to do about it when they are gone.
#[derive(Debug)]
pub(crate) struct Ancestry {
    pub(crate) supervisor: Watch,
    /// The host, to see whether anybody is left who would remove the queue's directory.
    pub(crate) host: Option<Process>,
    /// All that descends from sessions of the same supervisor.
    pub(crate) siblings: Mark,
    pub(crate) queue_dir: TempDir,
}

impl Ancestry {
    /// Waits up to a second for the supervisor's end, and if it comes, for one's own.
    ///
    /// A host that is gone takes the supervisor along, and if that cannot clean up any more, the control threads of the
    /// sessions have to: a session must not leave by itself meanwhile.
    pub(crate) fn outlive_the_supervisor(&self) {
        const LIMIT: Duration = Duration::from_secs(1);
        /// Where there is no event.
        const PAUSE: Duration = Duration::from_millis(20);
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            while self.supervisor.is_gone().unwrap_or(true) {
                // The control thread knows as well, and kills this process.
                thread::sleep(LIMIT);
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Inheritance {
    /// Takes over what a session inherits that was executed, not forked.
    ///
    /// # Errors
    /// The process was not started by a supervisor, or the supervisor is gone.
    pub fn from_exec() -> Result<(Inheritance, SetupFile), StartError> {
        signals::save_no_workspace();
        let worker = WorkerId(number(WORKER_VARIABLE)?);
        let tags = env::var(tag::SESSION).unwrap_or_default();
        let own_tag = tags.split(' ').next_back().unwrap_or_default();
        let (supervisor, _) =
            tag::parse_session(own_tag).ok_or(StartError::Variable { name: tag::SESSION })?;
        env::remove_var(WORKER_VARIABLE);

        let (task, control) = (adopt(TASK)?, adopt(CONTROL)?);
        let (board, setup_fd) = (adopt(BOARD)?, adopt(SETUP)?);
        let outputs = [keep(1)?, keep(2)?];
        let file = SetupFile::read(&setup_fd)?;
        let supervisor = Watch::parent(supervisor)?;
        let board =
            MappedBoard::open(&board).map_err(StartError::system("map the status board"))?;
        let dir = PathBuf::from(env::var_os(DIR_VARIABLE).unwrap_or_default());
        env::remove_var(DIR_VARIABLE);
        let prefix = own_tag.len() - worker.0.to_string().len();
        let ancestry = Ancestry {
            supervisor,
            host: Process::look(file.setup.host_pid),
            siblings: Mark::SessionOf(own_tag[..prefix].to_owned()),
            queue_dir: queue_dir(&file.setup),
        };
        Ok((
            Inheritance {
                task,
                control,
                outputs,
                board,
                ancestry,
                dir,
                salt: random::salt(&file.setup.token),
            },
            file,
        ))
    }
}

/// What the directory for a session's temporary files is called, in that of the queue.
pub(crate) fn dir_name(worker: WorkerId) -> String {
    worker.0.to_string()
}

/// Takes over an inherited descriptor.
pub(crate) fn adopt(number: RawFd) -> Result<OwnedFd, StartError> {
    // SAFETY: the process was started with these numbers for us, and this runs once, before anything else uses them. In
    // a process that was not, something of the kind a host passes would have to stand there by accident to be taken
    // over.
    unsafe { fds::adopt(number) }.map_err(|source| StartError::Descriptor { number, source })
}

/// A duplicate of a standard descriptor that no task knows of.
fn keep(number: RawFd) -> Result<OwnedFd, StartError> {
    // SAFETY: borrowed for one call that fails when nothing is open at that number.
    let standard = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    fds::duplicate_above(standard, 3).map_err(|source| StartError::Descriptor { number, source })
}

fn number<T: std::str::FromStr>(name: &'static str) -> Result<T, StartError> {
    let value = env::var(name).ok().and_then(|value| value.parse().ok());
    value.ok_or(StartError::Variable { name })
}

impl Inheritance {
    /// The descriptors that a forked session keeps.
    pub(crate) fn own_fds(&self) -> Vec<RawFd> {
        let mut own: Vec<RawFd> = [
            &self.task,
            &self.control,
            &self.outputs[0],
            &self.outputs[1],
        ]
        .iter()
        .map(|fd| fd.as_raw_fd())
        .collect();
        own.extend(self.ancestry.supervisor.raw_fd());
        own
    }
}
