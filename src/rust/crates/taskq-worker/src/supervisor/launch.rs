//! Making a session: by a fork of the supervisor, or by a program.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use taskq_payload::board::MappedBoard;
use taskq_record::WorkerId;
use taskq_sys::{fds, process, signals, tag};
use taskq_wire::message::FromSupervisor;

use super::serve::Serving;
use crate::error::StartError;
use crate::inheritance::{self, dir_name, Ancestry, Inheritance};
use crate::random;
use crate::setup::queue_dir;
use crate::watch::Watch;

/// The exit status of a session that could not even begin.
const CANNOT_BEGIN: i32 = 70;

impl Serving {
    /// Makes a session and tells the host. Returns in the session, too, with its inheritance.
    ///
    /// `ends` are its task socket, control socket, stdout and stderr, and its status board.
    pub(super) fn launch(&mut self, worker: WorkerId, ends: [OwnedFd; 5]) -> Option<Inheritance> {
        self.check_forks();
        if let Some(dir) = &self.working_dir {
            // Where it is gone, a session still has the one that was.
            let _ = std::env::set_current_dir(dir);
        }
        let launched = match self.make_dir(worker) {
            Err(error) => Err(error),
            Ok(dir) if self.forks => match self.fork(worker, &dir, ends) {
                Ok(Forked::Child(inheritance)) => return Some(*inheritance),
                Ok(Forked::Parent(pid)) => Ok(pid),
                Err(error) => Err(error),
            },
            Ok(dir) => self.execute(worker, &dir, &ends),
        };
        match launched {
            Ok(pid) => {
                self.children.add(pid, worker);
                tracing::debug!(?worker, pid, "launched");
                self.tell(&FromSupervisor::Launched { worker, pid });
            }
            Err(error) => {
                self.children.forget_dir(worker);
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                tracing::warn!(?worker, errno, "not launched");
                self.tell(&FromSupervisor::LaunchFailed { worker, errno });
            }
        }
        None
    }

    /// Makes the session's directory for temporary files, and that of the queue where it is gone.
    fn make_dir(&self, worker: WorkerId) -> io::Result<PathBuf> {
        let dir = self.children.make_queue_dir()?.join(dir_name(worker));
        DirBuilder::new().mode(0o700).create(&dir)?;
        Ok(dir)
    }

    fn fork(&mut self, worker: WorkerId, dir: &Path, ends: [OwnedFd; 5]) -> io::Result<Forked> {
        let supervisor = process::own_pid();
        // What `preload` has printed and not written yet is not to be written by each session again.
        // SAFETY: flushes what C's streams hold.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        // No signal may find the child while it still looks like the supervisor.
        let mask = signals::block_async();
        // SAFETY: the process has a single thread, so the child is a whole process: no lock is held by a thread it
        // lacks.
        let pid = unsafe { libc::fork() };
        if pid != 0 {
            let error = io::Error::last_os_error();
            mask.restore();
            return if pid > 0 {
                Ok(Forked::Parent(pid))
            } else {
                Err(error)
            };
        }
        match self.become_session(supervisor, worker, dir, ends) {
            Ok(inheritance) => {
                mask.restore();
                Ok(Forked::Child(Box::new(inheritance)))
            }
            Err(error) => give_up(&error),
        }
    }

    /// In the child: lets go of everything that is the supervisor's.
    fn become_session(
        &mut self,
        supervisor: i32,
        worker: WorkerId,
        dir: &Path,
        ends: [OwnedFd; 5],
    ) -> Result<Inheritance, StartError> {
        self.ends.restore();
        process::new_session().map_err(StartError::system("begin a session"))?;
        // Until the session watches the supervisor itself it dies with it at once.
        process::set_parent_death_signal(libc::SIGKILL)
            .map_err(StartError::system("die with the supervisor"))?;
        let supervisor = Watch::parent(supervisor)?;
        let [task, control, stdout, stderr, board_file] = ends;
        let board =
            MappedBoard::open(&board_file).map_err(StartError::system("map the status board"))?;
        drop(board_file);
        let (task, control, outputs) = standard([task, control, stdout, stderr])
            .map_err(StartError::system("set up the standard descriptors"))?;
        let ancestry = Ancestry {
            supervisor,
            host: self.inherited.host_process,
            siblings: self.children.mark_of_all(),
            queue_dir: queue_dir(&self.inherited.setup),
        };
        let dir = dir.to_owned();
        let inheritance = Inheritance {
            task,
            control,
            outputs,
            board,
            ancestry,
            dir,
            salt: random::salt(&self.inherited.setup.token),
        };
        // SAFETY: what is closed here is owned by the supervisor's values, which `serve` forgets in the child, or by
        // whatever ran before the supervisor served: that is the documented price of being forked.
        unsafe { fds::close_all_except(&inheritance.own_fds()) }
            .map_err(StartError::system("close the supervisor's descriptors"))?;
        // SAFETY: the child has a single thread.
        unsafe { tag::write_session(&self.children.tag(worker)) }
            .map_err(StartError::system("tag the session"))?;
        std::env::set_var("TMPDIR", &inheritance.dir);
        Ok(inheritance)
    }

    fn execute(&mut self, worker: WorkerId, dir: &Path, ends: &[OwnedFd; 5]) -> io::Result<i32> {
        /// The first number that no session inherits.
        const BEYOND: RawFd = inheritance::SETUP + 1;
        let [task, control, stdout, stderr, board] = ends;
        // All numbers that are going to be replaced are occupied meanwhile, lest the pipe through which a failed `exec`
        // is reported gets one of them.
        let mut occupied = Vec::new();
        while occupied
            .last()
            .map_or(true, |fd: &OwnedFd| fd.as_raw_fd() < BEYOND)
        {
            occupied.push(fds::duplicate_above(task, 3)?);
        }
        let above = |fd: &OwnedFd| fds::duplicate_above(fd, BEYOND);
        let inherited = [
            (above(task)?, inheritance::TASK),
            (above(control)?, inheritance::CONTROL),
            (above(board)?, inheritance::BOARD),
            (above(&self.inherited.setup_file)?, inheritance::SETUP),
        ];
        let supervisor = process::own_pid();
        let mut command = Command::new(&self.exec.program);
        command
            .args(&self.exec.args)
            .env(inheritance::WORKER_VARIABLE, worker.0.to_string())
            .env(
                tag::SESSION,
                tag::session_variable(&self.children.tag(worker)),
            )
            .env("TMPDIR", dir)
            .env(inheritance::DIR_VARIABLE, dir)
            .stdin(Stdio::null())
            .stdout(Stdio::from(above(stdout)?))
            .stderr(Stdio::from(above(stderr)?));
        let begin = move || {
            signals::reset_all();
            process::new_session()?;
            process::set_parent_death_signal(libc::SIGKILL)?;
            if process::parent_pid() != supervisor {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            for (fd, at) in &inherited {
                // SAFETY: the child will be another program, and no value that owns these numbers is used before.
                unsafe { fds::place(fd.as_fd(), *at)? };
            }
            fds::close_on_exec_from(BEYOND);
            Ok(())
        };
        // SAFETY: the closure runs in a child of a process with threads. All it calls is async-signal-safe; the switch
        // that `set_parent_death_signal` looks at was read when the service began.
        unsafe { command.pre_exec(begin) };
        let child = command.spawn()?;
        // Dropping the handle neither waits nor kills: reaping is the supervisor's business.
        i32::try_from(child.id()).map_err(|_| io::ErrorKind::Other.into())
    }
}

enum Forked {
    Parent(i32),
    Child(Box<Inheritance>),
}

/// Puts the standard descriptors where they belong, and gives back the session's own: task, control, and the two
/// outputs.
fn standard(ends: [OwnedFd; 4]) -> io::Result<(OwnedFd, OwnedFd, [OwnedFd; 2])> {
    let null = lifted(fs::File::open("/dev/null")?.into())?;
    let [task, control, stdout, stderr] = ends;
    let (task, control) = (lifted(task)?, lifted(control)?);
    let (stdout, stderr) = (lifted(stdout)?, lifted(stderr)?);
    for (fd, at) in [(&null, 0), (&stdout, 1), (&stderr, 2)] {
        // SAFETY: the standard descriptors have no owner.
        unsafe { fds::place(fd.as_fd(), at)? };
    }
    Ok((task, control, [stdout, stderr]))
}

/// Not one of the standard numbers, which are free in a supervisor whose `preload` has closed them.
fn lifted(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    fds::duplicate_above(fd, 3)
}

/// Ends a child that cannot become a session. Its exit handlers are the supervisor's and must not run.
fn give_up(error: &StartError) -> ! {
    // The standard error is the session's pipe, or still the supervisor's; if it is neither, there is no way to tell.
    let _ = writeln!(io::stderr(), "taskq: a session cannot begin: {error}");
    // SAFETY: ends the process without running anything.
    unsafe { libc::_exit(CANNOT_BEGIN) }
}
