//! The supervisor: makes sessions, reaps them, and leaves nothing behind.
//!
//! It comes from a [`Zygote`](crate::Zygote), as a fork or as what that process turned into. It has one thread and
//! waits for three things at once: the host's messages, the host's death, and children's ends. Without them it does not
//! wake up. Whatever ends the service, everything the supervisor has started ends with it.

mod children;
mod launch;
mod serve;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_record::StartPhase;
use taskq_sys::process::Process;
use taskq_sys::socket;
use taskq_wire::message::{FromSupervisor, Setup, ThreadSource};
use taskq_wire::packet;

use crate::error::{ServeError, StartError};
use crate::inheritance::Inheritance;
use crate::setup::SetupFile;
use crate::watch::Watch;

/// A process that is to serve one queue.
#[derive(Debug)]
pub struct Supervisor {
    inherited: Option<Inherited>,
}

/// What [`Supervisor::serve`] needs.
#[derive(Debug)]
struct Inherited {
    control: OwnedFd,
    setup_file: OwnedFd,
    setup: Setup,
    host: Watch,
    host_process: Option<Process>,
    /// Where threads have come from.
    sources: Vec<ThreadSource>,
}

/// How a session is started where it cannot be forked. It calls [`Inheritance::from_exec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSession {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// What the process is when [`Supervisor::serve`] returns.
#[derive(Debug)]
pub enum Role {
    /// A forked session, which knows nothing of the supervisor any more.
    Session(Inheritance),
    /// Still the supervisor, whose service is over. It should exit.
    End,
}

impl Supervisor {
    /// Takes over what the host has sent for a supervisor, and reads the setup file.
    pub(crate) fn new(
        host: Watch,
        control: OwnedFd,
        setup_file: OwnedFd,
    ) -> Result<(Supervisor, SetupFile), StartError> {
        let file = SetupFile::read(&setup_file)?;
        // From now on no call on it may wait: a host that does not read must not keep the supervisor from noticing its
        // death.
        socket::set_nonblocking(&control, true).map_err(StartError::system("set up the socket"))?;
        let inherited = Inherited {
            control,
            setup_file,
            host_process: Process::look(file.setup.host_pid),
            setup: file.setup.clone(),
            host,
            sources: Vec::new(),
        };
        Ok((
            Supervisor {
                inherited: Some(inherited),
            },
            file,
        ))
    }

    /// Makes the queue's directory for temporary files, unless it is there, and says where it is. While the supervisor
    /// is prepared a cleaner may take it.
    ///
    /// # Errors
    /// What the operating system says; `NotConnected` when the host has given up this supervisor, and removed what it
    /// had.
    pub fn make_temp_dir(&self) -> io::Result<PathBuf> {
        let Some(inherited) = &self.inherited else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let queue_dir = crate::setup::queue_dir(&inherited.setup);
        let dir = queue_dir.make()?;
        // The host shuts its end first: either it is seen here, or the host removes what was just made.
        if has_hung_up(&inherited.control)? {
            queue_dir.remove()?;
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(dir)
    }

    /// Tells the host that this supervisor cannot come up. The process should exit after it. Waits at most a second for
    /// room in the socket; there is room unless the host has stopped.
    pub fn failed(&self, phase: StartPhase, message: &str) {
        let Some(inherited) = &self.inherited else {
            return;
        };
        let message = shortened(message).to_owned();
        // A failure that cannot be told is seen as the exit that follows.
        if let Ok(packet) = packet::encode(&FromSupervisor::Failed { phase, message }) {
            let _ = send_soon(&inherited.control, &packet);
        }
    }

    /// Notes a step of the start after which there were more threads, to be told should they keep the supervisor from
    /// forking. What is beyond the size of a message is dropped.
    pub fn note_threads(&mut self, source: ThreadSource) {
        if let Some(inherited) = &mut self.inherited {
            let lengths = |source: &ThreadSource| {
                source.packages.iter().map(String::len).sum::<usize>() + source.packages.len()
            };
            let known: usize = inherited.sources.iter().map(lengths).sum();
            let is_room = known + lengths(&source) <= LONGEST_MESSAGE
                && inherited.sources.len() < MOST_SOURCES;
            if is_room {
                inherited.sources.push(source);
            }
        }
    }

    /// Serves the host until it is gone, says so, or closes its end; or until this process is a forked session.
    ///
    /// Becomes the adopter of orphans, takes over `SIGCHLD`, and replaces the signal for the parent's death by one that
    /// only wakes it. Sessions are forked if the process has one thread; otherwise `exec` is started for each.
    ///
    /// # Errors
    /// [`ServeError`]; like after [`Role::End`], nothing of what was started is left.
    pub fn serve(&mut self, exec: ExecSession) -> Result<Role, ServeError> {
        let inherited = self.inherited.take().ok_or(ServeError::Over)?;
        serve::serve(inherited, exec)
    }
}

/// Texts are sent up to this length, so that every packet fits.
const LONGEST_MESSAGE: usize = 32 * 1024;
/// How many steps that brought threads are told of.
const MOST_SOURCES: usize = 100;

/// The beginning of `message` that fits into a packet.
pub(crate) fn shortened(message: &str) -> &str {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

fn has_hung_up(control: impl AsFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(&control, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    Ok(poll(&mut fds, Some(&now))? > 0)
}

fn send_soon(control: &OwnedFd, packet: &[u8]) -> io::Result<()> {
    let limit = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    loop {
        match socket::send_packet(control, packet, &[]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
        if poll(&mut [PollFd::new(control, PollFlags::OUT)], Some(&limit))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use taskq_sys::process;
    use taskq_sys::tempdir::Parent;
    use taskq_wire::frame::encode_head;

    #[test]
    fn a_supervisor_that_was_given_up_leaves_no_temporary_directory() {
        let root = std::env::temp_dir().join(format!("taskq-supervisor-{}", process::own_pid()));
        std::fs::create_dir(&root).expect("a directory");
        let parent = Parent::look(root.clone()).expect("it is there");
        let setup = Setup {
            host_pid: process::own_pid(),
            token: "t".into(),
            places: taskq_sys::tempdir::TempDir::within(&[parent], "taskq-t")
                .places()
                .map(Into::into)
                .collect(),
        };
        let mut file: File = taskq_sys::memory::file("setup").expect("memory");
        let mut bytes = Vec::new();
        encode_head(&setup, 0, 0, &mut bytes).expect("small");
        file.write_all(&bytes).expect("write");
        let host = Watch::parent(process::parent_pid()).expect("there is a parent");
        let (near, far) = socket::packet_pair().expect("sockets");
        let (supervisor, _) = Supervisor::new(host, far, file.into()).expect("a supervisor");
        let dir = root.join("taskq-t");
        for _ in 0..2 {
            assert_eq!(supervisor.make_temp_dir().expect("made"), dir);
            std::fs::remove_dir(&dir).expect("a cleaner");
        }
        drop(near);
        let error = supervisor.make_temp_dir().expect_err("it was given up");
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
        std::fs::remove_dir(&root).expect("nothing is left in it");
    }
}
