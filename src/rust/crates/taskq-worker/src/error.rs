//! What can go wrong, by what the caller can do about it.
//!
//! Owns the words for it: fragments that say what was tried, on what. Neither writes them anywhere nor ends the
//! process: that is for the caller, as each type says.

use std::io;
use std::os::fd::RawFd;

use taskq_wire::WireError;

/// A supervisor or session cannot begin. The process should say so on its standard error and exit.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An inherited descriptor is not there: the process was not started by a host.
    #[error("descriptor {number} was not inherited")]
    Descriptor {
        /// Its number.
        number: RawFd,
        /// The system's words.
        source: io::Error,
    },
    /// A variable of the environment is missing or makes no sense.
    #[error("the variable {name} is missing or malformed")]
    Variable {
        /// Its name.
        name: &'static str,
    },
    /// The setup file cannot be read.
    #[error("cannot read the setup file")]
    Setup(#[source] io::Error),
    /// The setup file does not hold exactly one frame of this version.
    #[error("the setup file makes no sense")]
    SetupFrame(#[source] WireError),
    /// The setup file ends too early.
    #[error("the setup file is cut off")]
    SetupCut,
    /// The host has sent a zygote something that is no request.
    #[error("the host sent a packet that makes no sense")]
    Request(#[source] WireError),
    /// A request for a supervisor did not come with its descriptors.
    #[error("a request for a supervisor came with {found} descriptors")]
    RequestDescriptors {
        /// How many came.
        found: usize,
    },
    /// The process that started this one, or that this one was forked from, is already gone.
    #[error("process {expected}, which started this one, is gone")]
    Orphan {
        /// Its process id.
        expected: i32,
    },
    /// The operating system refuses something.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
        move |source| StartError::System { what, source }
    }
}

/// A supervisor has stopped serving for another reason than its host's wish or death. Everything it had started is
/// gone.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// [`Supervisor::serve`](crate::Supervisor::serve) was called before.
    #[error("the supervisor has served already")]
    Over,
    /// The host sent something that is no message.
    #[error("the host sent a packet that makes no sense")]
    Packet(#[source] WireError),
    /// A launch did not come with its descriptors.
    #[error("a launch came with {found} descriptors")]
    Descriptors {
        /// How many came.
        found: usize,
    },
    /// The operating system refuses something that a supervisor cannot do without.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        source: io::Error,
    },
}

impl ServeError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
        move |source| ServeError::System { what, source }
    }
}

/// A session cannot go on. The process should call [`Session::die`](crate::Session::die).
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The task socket fails, or is closed in the midst of something.
    #[error("the task socket failed")]
    Socket(#[from] io::Error),
    /// What arrived is no frame.
    #[error("the host sent something that makes no sense")]
    Frame(#[from] WireError),
    /// A payload cannot be had: what arrived is not what its message says, or there is no memory.
    #[error("a payload cannot be read")]
    Payload(#[source] io::Error),
    /// A task has closed or replaced one of the session's own descriptors.
    #[error("the task closed the session's {what}")]
    Descriptors {
        /// Which one.
        what: &'static str,
    },
    /// This is a fork of the session, which must leave its channels alone.
    #[error("this process was forked from the session {session}")]
    Forked {
        /// The session's process id.
        session: i32,
    },
}
