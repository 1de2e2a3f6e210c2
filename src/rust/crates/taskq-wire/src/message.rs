//! Every message there is, one enum per channel and direction.
//!
//! The messages are types of their own, not the scheduler's; what they tell of tasks and attempts is `taskq-record`'s.
//! What is sent changes only on purpose: `tests/golden.rs` fails when bytes change without a new
//! [`VERSION`](crate::VERSION).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use taskq_record::{AttemptId, Measured, ProcessEnd, StartPhase, Time, Verdict, WorkerId};

/// Host to zygote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToZygote {
    /// Make a supervisor. Four descriptors come with this packet, in this order: the supervisor's end of its control
    /// socket, the setup file, the supervisor's end of its output pipe, and the zygote's end of a socket for what it
    /// has to say about this supervisor, which is [`FromZygote`].
    Supervisor {
        /// The process id of the host, which is the zygote's parent.
        host_pid: i32,
    },
}

/// Zygote to host, about one supervisor, on a socket of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromZygote {
    /// The supervisor is a fork of the zygote. One descriptor comes with this packet: of that process.
    Forked {
        /// Its process id, which is also its session and group id.
        pid: i32,
    },
    /// The zygote cannot fork, and is this supervisor itself from now on.
    Became,
    /// No process could be made.
    Failed {
        /// The operating system's error number.
        errno: i32,
    },
    /// The supervisor is gone and has been reaped.
    Ended {
        /// How it ended.
        end: ProcessEnd,
    },
}

/// What a supervisor is told at its start: the message of the one frame in the setup file, whose descriptor it gets.
/// The payload is R's: `preload`, `packages`, `globals`, `init`. A session that is not forked reads the same file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The process id of the host.
    pub host_pid: i32,
    /// A random name of the queue. It stands in the environment (`TASKQ_QUEUE`) of all its processes, which is how
    /// orphans are found.
    pub token: String,
    /// Where the queue's own directory (mode 0700) can be, under which every session gets a temporary directory: the
    /// first of these places that can be used.
    pub places: Vec<Place>,
}

/// A place where a directory can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The directory itself: bytes of a path.
    pub dir: Vec<u8>,
    /// The user who must own the directory that it is in.
    pub parent_owner: u32,
}

impl From<(&Path, u32)> for Place {
    fn from((dir, parent_owner): (&Path, u32)) -> Place {
        Place {
            dir: dir.as_os_str().as_bytes().to_vec(),
            parent_owner,
        }
    }
}

impl From<Place> for (PathBuf, u32) {
    fn from(place: Place) -> (PathBuf, u32) {
        (OsStr::from_bytes(&place.dir).into(), place.parent_owner)
    }
}

/// Host to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSupervisor {
    /// Start a session. Five descriptors come with this packet, in this order: the session's ends of its task socket,
    /// its control socket, its stdout pipe and its stderr pipe, and its status board.
    Launch {
        /// The name of the new session.
        worker: WorkerId,
    },
    /// Kill a session with everything it started. Answered by [`FromSupervisor::Exited`].
    Kill {
        /// The session.
        worker: WorkerId,
    },
    /// Kill all sessions and whatever they started, remove their files, and exit.
    Shutdown,
}

/// Supervisor to host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSupervisor {
    /// The supervisor has run `preload` and can launch sessions.
    Up {
        /// Why sessions are not forked, each being an R process of its own; `None` when they are.
        refusal: Option<NoFork>,
    },
    /// The supervisor cannot come up, and says why; it exits after this.
    Failed {
        /// What it was doing.
        phase: StartPhase,
        /// The error, in words.
        message: String,
    },
    /// The session's process exists.
    Launched {
        /// The session.
        worker: WorkerId,
        /// Its process id, which is also its session and group id.
        pid: i32,
    },
    /// No process could be made for this session.
    LaunchFailed {
        /// The session.
        worker: WorkerId,
        /// The operating system's error number.
        errno: i32,
    },
    /// The session's process is gone and has been reaped; so has everything it had started.
    Exited {
        /// The session.
        worker: WorkerId,
        /// How it ended.
        end: ProcessEnd,
        /// The largest resident set the process ever had, in bytes.
        max_rss: u64,
    },
}

/// Why a supervisor does not fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoFork {
    /// `TASKQ_WITHOUT` says so.
    SwitchedOff,
    /// How many threads the process has cannot be read.
    Uncounted,
    /// The process has more than one thread.
    Threads {
        /// This number of threads.
        count: u32,
        /// By which steps of the start the number rose, as far as it was seen.
        sources: Vec<ThreadSource>,
    },
}

/// A step of a start after which there were more threads than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadSource {
    /// Part of which it was.
    pub phase: StartPhase,
    /// The packages that were loaded in that step, of which one has started them; none when it loaded no package.
    pub packages: Vec<String>,
    /// How many more there were.
    pub threads: u32,
}

/// What a message says of one of the payloads that come with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// How many bytes it has.
    pub len: u64,
    /// Whether they are in a memory file, whose descriptor comes with the frame. Otherwise they follow the message.
    pub in_file: bool,
    /// How many memory files of shared vectors that they refer to come with the frame, too, behind that one.
    pub attached: u8,
    /// How many memory files of other vectors that they refer to come behind these.
    pub parcels: u8,
}

/// What a message says of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRef {
    /// Its number, by which both ends know it; see [`memory`](crate::memory).
    pub id: u64,
    /// Nothing in it can be changed by running it.
    pub is_pure: bool,
    /// The serialized function; nothing of it comes with the frame when the session has it.
    pub part: Part,
}

/// What a message says of a value that is an argument: the outcome of another task, as it came from that. What its
/// bytes refer to goes in a file, whose descriptor comes with the frame, or follows them on the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenPart {
    /// The name of the argument.
    pub argument: String,
    /// How many bytes the outcome has.
    pub len: u64,
    /// Whether they are in a memory file.
    pub in_file: bool,
    /// Of each segment of shared vectors, how many bytes of it follow; `None` for one in a file.
    pub segments: Vec<Option<u64>>,
    /// The same of each file of other vectors.
    pub parcels: Vec<Option<u64>>,
}

/// Host to the R thread of a session, each in a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSession {
    /// Run this attempt. The payload of its function, unless the session has that, that of the call, and those of the
    /// values that it is given come with it.
    Run {
        /// The attempt.
        attempt: AttemptId,
        /// The user's name of the task.
        label: String,
        /// How often the task has begun, this time included.
        tries: u32,
        /// The function.
        fun: FunctionRef,
        /// The serialized rest of the call.
        call: Part,
        /// Values of other tasks, which are arguments besides.
        given: Vec<GivenPart>,
    },
    /// No more tasks will come: leave.
    Retire,
    /// Run this, which is no task, and keep what it leaves. The payload of the call comes with it. Answered by
    /// [`FromSession::Ran`], or [`FromSession::Failed`].
    RunBroadcast {
        /// The serialized call.
        call: Part,
    },
}

/// The R thread of a session to the host, each in a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSession {
    /// The session has run `init` and waits for tasks.
    Ready {
        /// Its process id. The supervisor tells it, too, but on another socket, which may be read after the first
        /// result.
        pid: i32,
    },
    /// The session cannot come up, and says why; it exits after this.
    Failed {
        /// What it was doing.
        phase: StartPhase,
        /// The error, in words.
        message: String,
    },
    /// An attempt has ended by itself. One payload comes with it.
    Finished(Finished),
    /// An attempt that runs has signalled a condition that the host shall see at once.
    Signalled {
        /// The attempt.
        attempt: AttemptId,
        /// The serialized condition.
        condition: Part,
    },
    /// The session has run a broadcast, and waits for tasks. One payload comes with it.
    Ran {
        /// The serialized value.
        value: Part,
    },
}

/// The end of an attempt as its session tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The attempt.
    pub attempt: AttemptId,
    /// What came of it.
    pub verdict: Verdict,
    /// When the function was called, on the monotonic clock, which all processes of a machine share.
    pub began: Time,
    /// When it was left.
    pub ended: Time,
    /// What the session has measured.
    pub measured: Measured,
    /// How many bytes the session had ever written to its standard output when the attempt ended.
    pub stdout_end: u64,
    /// The same for standard error.
    pub stderr_end: u64,
    /// The serialized outcome.
    pub outcome: Part,
}

/// Host to the control thread of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToControl {
    /// Give these back if they have not begun. Answered by [`FromControl::Returned`] with those that had not.
    Recall {
        /// The attempts.
        attempts: Vec<AttemptId>,
    },
    /// End this attempt: give it back if it has not begun, interrupt it if it runs, do nothing if it is over.
    Interrupt {
        /// The attempt.
        attempt: AttemptId,
    },
}

/// The control thread of a session to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromControl {
    /// These had not begun, and never will on this session.
    Returned {
        /// The attempts.
        attempts: Vec<AttemptId>,
    },
}
