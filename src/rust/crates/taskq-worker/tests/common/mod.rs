//! A host for tests: starts a fake zygote, has it make supervisors, launches sessions, and talks to them by raw
//! messages.
#![allow(dead_code, unused_imports)] // Every test program uses a part of it.

mod worker;

use std::cell::RefCell;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use taskq_payload::board::MappedBoard;
use taskq_record::{ProcessEnd, WorkerId};
use taskq_sys::socket::{packet_pair, recv_packet, send_packet, stream_pair, RecvFlags};
use taskq_sys::{fds, memory, pipe, process, signals, tag, tempdir};
use taskq_wire::frame::encode_head;
use taskq_wire::message::{FromSupervisor, FromZygote, Setup, ToSupervisor, ToZygote};
use taskq_wire::packet::{self, MAX_PACKET};

pub(crate) use worker::{attempt, in_memory, run, Worker};

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A zygote, and the host's end of its control socket. Dropping it hangs up, which ends it.
pub(crate) struct ZygoteProcess {
    pub(crate) child: RefCell<Child>,
    pub(crate) name: String,
    control: RefCell<Option<OwnedFd>>,
}

/// A queue's host without a queue.
pub(crate) struct Host {
    pub(crate) zygote: Rc<ZygoteProcess>,
    pub(crate) token: String,
    pub(crate) dir: PathBuf,
    control: Option<OwnedFd>,
    report: OwnedFd,
    /// Once the zygote has told: its process id, and its descriptor if it is a fork.
    supervisor: Option<(i32, Option<OwnedFd>)>,
    launched: u32,
}

/// A number that no other zygote or queue of this test has.
fn number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(100);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

impl ZygoteProcess {
    /// Starts a zygote with more variables in its environment.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Rc<ZygoteProcess> {
        let name = format!("zygote-{}-{}", process::own_pid(), number());
        let dir = std::env::temp_dir().join(tag::dir_name(&name));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .expect("the zygote's directory");
        let (control, far) = packet_pair().expect("pair");
        let above = |fd: &OwnedFd| fds::duplicate_above(fd, 10).expect("duplicate");
        let inherited = above(&far);
        let host = process::own_pid();
        let mut command = Command::new(worker_side());
        command
            .envs(tag::zygote_variables(&name))
            .envs(variables.iter().copied())
            .env("TMPDIR", &dir)
            .stdin(Stdio::null());
        let begin = move || {
            signals::reset_all();
            process::new_session()?;
            process::set_parent_death_signal(libc::SIGKILL)?;
            assert_eq!(process::parent_pid(), host);
            // SAFETY: the child will be another program.
            unsafe { fds::place(inherited.as_fd(), 3) }
        };
        // SAFETY: the closure makes system calls only.
        unsafe { command.pre_exec(begin) };
        // The number that is replaced in the child must not be that of the pipe by which `spawn` learns of a failure.
        let occupied: Vec<OwnedFd> = (0..4).map(|_| above(&far)).collect();
        let child = command.spawn().expect("the example worker_side");
        drop(occupied);
        eventually("the zygote to remove its directory", || !dir.exists());
        Rc::new(ZygoteProcess {
            child: RefCell::new(child),
            name,
            control: RefCell::new(Some(control)),
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.borrow().id() as i32
    }

    pub(crate) fn kill(&self) {
        self.child.borrow_mut().kill().expect("kill");
        self.end();
    }

    /// Sends a packet as it is.
    pub(crate) fn send(&self, packet: &[u8], fds: &[&OwnedFd]) -> std::io::Result<()> {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        send_packet(self.control.borrow().as_ref().expect("open"), packet, &fds)
    }

    /// Closes the host's end of the control socket.
    pub(crate) fn hang_up(&self) {
        self.control.replace(None);
    }

    /// Its exit status, which this waits for.
    pub(crate) fn end(&self) -> ExitStatus {
        self.child.borrow_mut().wait().expect("the zygote's end")
    }

    /// Asks for a supervisor whose setup's payload is `text`.
    pub(crate) fn ask(self: &Rc<ZygoteProcess>, text: &str) -> Host {
        // As long as the zygote's name.
        let token = format!("queues-{}-{}", process::own_pid(), number());
        let dir = std::env::temp_dir().join(tag::dir_name(&token));
        DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .expect("the queue's directory");
        let parents: Vec<_> = tempdir::Parent::look(std::env::temp_dir())
            .into_iter()
            .collect();
        let setup = Setup {
            host_pid: process::own_pid(),
            token: token.clone(),
            places: tempdir::TempDir::within(&parents, &tag::dir_name(&token))
                .places()
                .map(Into::into)
                .collect(),
        };
        let mut frame = Vec::new();
        encode_head(&setup, text.len() as u64, 0, &mut frame).expect("small");
        frame.extend_from_slice(text.as_bytes());
        let mut setup_file = memory::file("setup").expect("memory");
        setup_file.write_all(&frame).expect("write");
        let (control, far) = packet_pair().expect("pair");
        let (report, far_report) = packet_pair().expect("pair");
        let output = std::io::stdout().as_fd().try_clone_to_owned();
        let request = ToZygote::Supervisor {
            host_pid: process::own_pid(),
        };
        let packet = packet::encode(&request).expect("small");
        let setup_fd = OwnedFd::from(setup_file);
        let output = output.expect("duplicate");
        // A zygote that is gone is found out by what does not come.
        let _ = self.send(&packet, &[&far, &setup_fd, &output, &far_report]);
        Host {
            zygote: Rc::clone(self),
            token,
            dir,
            control: Some(control),
            report,
            supervisor: None,
            launched: 0,
        }
    }
}

impl Drop for ZygoteProcess {
    fn drop(&mut self) {
        self.hang_up();
        // It may have become a supervisor, and been waited for.
        let _ = self.child.borrow_mut().wait();
    }
}

impl Host {
    /// Starts a supervisor whose setup's payload is `text`, with more variables in its environment.
    pub(crate) fn start(text: &str, variables: &[(&str, &str)]) -> Host {
        ZygoteProcess::start(variables).ask(text)
    }

    /// Starts a supervisor that forks, and waits until it is up.
    pub(crate) fn up(text: &str) -> Host {
        Host::start(text, &[]).comes_up()
    }

    /// Waits until the supervisor is up and forks.
    pub(crate) fn comes_up(mut self) -> Host {
        match self.next() {
            FromSupervisor::Up { refusal: None } => {
                self.supervisor_pid();
                self
            }
            other => panic!("{other:?} instead of a supervisor that forks"),
        }
    }

    /// What the zygote says of the supervisor next.
    pub(crate) fn hear_zygote(&mut self) -> Option<FromZygote> {
        assert!(readable(&self.report, DEADLINE), "the zygote says nothing");
        let mut buffer = vec![0; MAX_PACKET];
        let packet = recv_packet(&self.report, &mut buffer, RecvFlags::DONTWAIT).expect("receive");
        if packet.len == 0 {
            return None;
        }
        let message = packet::decode(&buffer[..packet.len]).expect("a message");
        match message {
            FromZygote::Forked { pid } => {
                let pidfd = packet.fds.into_iter().next().expect("a descriptor");
                self.supervisor = Some((pid, Some(pidfd)));
            }
            FromZygote::Became => self.supervisor = Some((self.zygote.pid(), None)),
            _ => {}
        }
        Some(message)
    }

    /// Waits until the supervisor is a process, forked or not, and says which.
    pub(crate) fn supervisor_pid(&mut self) -> i32 {
        if self.supervisor.is_none() {
            let told = self.hear_zygote();
            assert!(
                self.supervisor.is_some(),
                "{told:?} instead of a supervisor"
            );
        }
        self.supervisor.as_ref().map_or(0, |(pid, _)| *pid)
    }

    /// How the supervisor has ended, which this waits for.
    pub(crate) fn supervisor_end(&mut self) -> ProcessEnd {
        let pid = self.supervisor_pid();
        if pid == self.zygote.pid() {
            let reaped = taskq_sys::wait::reap(pid, true).expect("a child");
            return reaped.expect("waited for").end.into();
        }
        match self.hear_zygote() {
            Some(FromZygote::Ended { end }) => end,
            other => panic!("{other:?} instead of the supervisor's end"),
        }
    }

    /// Kills the supervisor and waits for its end.
    pub(crate) fn kill_supervisor(&mut self) {
        process::kill(self.supervisor_pid(), libc::SIGKILL).expect("kill");
        let end = self.supervisor_end();
        assert!(matches!(end, ProcessEnd::Signaled { signal: 9 }));
    }

    /// The supervisor's next message.
    pub(crate) fn next(&mut self) -> FromSupervisor {
        self.next_within(DEADLINE)
            .expect("a message before the deadline")
    }

    pub(crate) fn next_within(&mut self, patience: Duration) -> Option<FromSupervisor> {
        let control = self.control.as_ref().expect("open");
        if !readable(control, patience) {
            return None;
        }
        let mut buffer = vec![0; MAX_PACKET];
        let packet = recv_packet(control, &mut buffer, RecvFlags::DONTWAIT).expect("receive");
        assert_ne!(packet.len, 0, "the supervisor has closed its end");
        Some(packet::decode(&buffer[..packet.len]).expect("a message"))
    }

    pub(crate) fn send(&self, message: &ToSupervisor, fds: &[&OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        let packet = packet::encode(message).expect("small");
        send_packet(self.control.as_ref().expect("open"), &packet, &fds).expect("send");
    }

    /// Asks for a session, without waiting for it.
    pub(crate) fn ask(&mut self) -> Worker {
        self.launched += 1;
        let worker = WorkerId(u64::from(self.launched));
        let (board, far_board) = MappedBoard::create().expect("board");
        let (task, far_task) = stream_pair().expect("pair");
        let (control, far_control) = packet_pair().expect("pair");
        let (stdout, far_stdout) = pipe::pair().expect("pipe");
        let (stderr, far_stderr) = pipe::pair().expect("pipe");
        let launch = ToSupervisor::Launch { worker };
        self.send(
            &launch,
            &[
                &far_task,
                &far_control,
                &far_stdout,
                &far_stderr,
                &far_board,
            ],
        );
        Worker::new(worker, board, task, control, [stdout, stderr])
    }

    /// Launches a session and waits until it is ready.
    pub(crate) fn launch(&mut self) -> Worker {
        let mut worker = self.ask();
        match self.next() {
            FromSupervisor::Launched {
                worker: launched,
                pid,
            } if launched == worker.id => {
                worker.pid = pid;
            }
            other => panic!("{other:?} instead of a launch"),
        }
        worker.expect_ready();
        worker
    }

    /// Waits for the end of this session, before that of any other.
    pub(crate) fn expect_exit(&mut self, worker: &Worker) -> ProcessEnd {
        match self.next() {
            FromSupervisor::Exited {
                worker: exited,
                end,
                max_rss,
            } if exited == worker.id => {
                assert!(max_rss > 0);
                assert!(!self.dir.join(worker.id.0.to_string()).exists());
                end
            }
            other => panic!("{other:?} instead of the exit of {:?}", worker.id),
        }
    }

    /// Ends the supervisor and asserts that nothing of it is left.
    pub(crate) fn finish(mut self) {
        self.send(&ToSupervisor::Shutdown, &[]);
        assert_eq!(self.supervisor_end(), ProcessEnd::Exited { code: 0 });
        self.assert_nothing_is_left();
    }

    /// Removes the queue's directory, and nothing that is not one.
    pub(crate) fn remove_dir(&self) {
        assert!(self.dir.exists());
        tempdir::remove(&self.dir).expect("the queue's directory");
        assert!(!self.dir.exists());
    }

    /// Does what a host does when its supervisor is dead, and asserts that nothing of it is left.
    pub(crate) fn reap_supervisor(&mut self) {
        self.remove_dir();
        self.assert_nothing_is_left();
    }

    /// Closes the host's end of the control socket.
    pub(crate) fn hang_up(&mut self) {
        self.control = None;
    }

    pub(crate) fn assert_nothing_is_left(&mut self) {
        nothing_is_left(&self.token);
        eventually("the directory to be removed", || !self.dir.exists());
    }
}

/// Waits until no process of this queue is left, not longer than promised.
pub(crate) fn nothing_is_left(token: &str) {
    eventually("all processes to be gone", || {
        process::tagged(token).expect("a look").is_empty()
    });
}

/// Nobody is there who could remove the directory of a queue whose supervisor has died, with its host, before it could
/// serve.
pub(crate) fn remove_dir_of_unready(tokens: &[&str]) {
    for token in tokens {
        std::fs::remove_dir(std::env::temp_dir().join(tag::dir_name(token)))
            .expect("an empty directory");
    }
}

/// Waits for a condition.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process is stopped.
pub(crate) fn is_stopped(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
}

/// Whether there is something to be read in time.
pub(crate) fn readable(fd: &OwnedFd, patience: Duration) -> bool {
    happens(fd, PollFlags::IN, patience)
}

/// Whether there is room to write in time.
pub(crate) fn writable(fd: &OwnedFd, patience: Duration) -> bool {
    happens(fd, PollFlags::OUT, patience)
}

fn happens(fd: &OwnedFd, what: PollFlags, patience: Duration) -> bool {
    let patience = Timespec::try_from(patience).expect("short");
    let mut fds = [PollFd::new(fd, what)];
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&patience))).expect("poll") > 0
}

/// How many descriptors a process has open.
pub(crate) fn open_fds(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The program built from an example of this package.
pub(crate) fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let profile = own.ancestors().find(|dir| dir.join("examples").is_dir());
    profile
        .expect("the examples' directory")
        .join("examples")
        .join(name)
}

fn worker_side() -> PathBuf {
    example("worker_side")
}
