//! The life of a supervisor as its host knows it: which process it is, whether it is to end, and how it ended. Decides
//! what is done about that. The calls of the operating system are [`SupervisorIo`]'s: in `simulator.rs` beside this
//! they are those of a simulated system, in which this code runs in every order that zygote, supervisor and driver can
//! come in.
//!
//! | | its process | who knows how it ended | what ends it |
//! | --- | --- | --- | --- |
//! | not born | the zygote, which is being started for it, or cannot fork and has become the supervisor | the host, whose child the zygote is | killing the zygote |
//! | born | a fork of the zygote | the zygote, which tells; if it is dead, too, nothing | killing the fork |
//!
//! The host learns late which of the two it is: the zygote that it kills may have forked, and the fork lives on if it
//! has come far enough. So a supervisor that is to end is remembered as such, and is killed again when it turns out to
//! be born.

use std::time::Duration;

use taskq_record::ProcessEnd;
use taskq_wire::message::{FromSupervisor, FromZygote};
use taskq_wire::WireError;

/// A zygote that is up forks within a millisecond. One that has not done it by then is stopped, or worse.
const BIRTH_LIMIT: Duration = Duration::from_secs(2);
/// A zygote tells at once how a supervisor ended, unless it is stopped.
const REPORT_LIMIT: Duration = Duration::from_millis(200);

/// What the operating system can be asked of a supervisor and its zygote. Only
/// [`wait_for_zygote`](SupervisorIo::wait_for_zygote) waits.
pub(crate) trait SupervisorIo {
    /// The next message of the zygote; `None` when there is none (any more).
    fn next_of_zygote(&mut self) -> Option<FromZygote>;
    /// The next message of the supervisor; `None` when there is none (any more).
    fn next_of_supervisor(&mut self) -> Option<Result<FromSupervisor, WireError>>;
    /// How the zygote ended; `None` while it lives.
    fn zygote_end(&mut self) -> Option<ProcessEnd>;
    /// Whether the fork of which the zygote has told is dead.
    fn fork_is_dead(&mut self) -> bool;
    /// Waits until the zygote says something or closes its socket, but no longer than `limit`.
    fn wait_for_zygote(&mut self, limit: Duration);
    /// Kills the zygote.
    fn kill_zygote(&mut self);
    /// Kills the fork of which the zygote has told.
    fn kill_fork(&mut self);
}

/// What the driver has to hear, in this order.
#[derive(Debug)]
pub(crate) enum News {
    /// The zygote has forked the supervisor: its death is to be watched, and others may ask the zygote.
    Born,
    /// The supervisor says something.
    Says(FromSupervisor),
    /// It says something that has no meaning, and was killed for it.
    Nonsense(WireError),
    /// It is dead, and nothing more comes of it.
    Gone(ProcessEnd),
}

/// What the host knows of a supervisor.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Lifecycle {
    is_born: bool,
    /// It is to end: it was ordered to, or is of no use.
    is_condemned: bool,
    /// The zygote could not make it; the operating system's error number.
    failure: Option<i32>,
    /// How it ended, by the zygote's word.
    end: Option<ProcessEnd>,
}

impl Lifecycle {
    /// Takes in what has come of it, and says what the driver has to hear.
    pub(crate) fn attend(&mut self, io: &mut impl SupervisorIo) -> Vec<News> {
        let mut news = Vec::new();
        self.hear_zygote(io, &mut news);
        self.hear_supervisor(io, &mut news);
        if self.failure.is_some() {
            // The zygote was started for it alone.
            self.kill(io);
        }
        if let Some(end) = self.look_for_end(io, &mut news) {
            // What it said before.
            self.hear_supervisor(io, &mut news);
            news.push(News::Gone(end));
        }
        news
    }

    /// Waits until a zygote that is up has forked, which others use, too.
    ///
    /// # Errors
    /// It has not: for what reason, if it has said one.
    pub(crate) fn await_birth(&mut self, io: &mut impl SupervisorIo) -> Result<(), Option<i32>> {
        io.wait_for_zygote(BIRTH_LIMIT);
        self.hear_zygote(io, &mut Vec::new());
        match (self.is_born, self.failure) {
            (true, _) => Ok(()),
            (false, Some(errno)) => Err(Some(errno)),
            (false, None) => {
                // What was asked of it must not happen later.
                io.kill_zygote();
                Err(None)
            }
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self, io: &mut impl SupervisorIo) {
        self.is_condemned = true;
        if self.is_born {
            io.kill_fork();
        } else {
            io.kill_zygote();
        }
    }

    /// Whether it is to end.
    pub(crate) fn is_condemned(&self) -> bool {
        self.is_condemned
    }

    /// Why the zygote could not make it, if so.
    pub(crate) fn failure(&self) -> Option<i32> {
        self.failure
    }

    fn hear_zygote(&mut self, io: &mut impl SupervisorIo, news: &mut Vec<News>) {
        while let Some(message) = io.next_of_zygote() {
            match message {
                FromZygote::Forked { .. } => {
                    self.is_born = true;
                    news.push(News::Born);
                    if self.is_condemned {
                        self.kill(io);
                    }
                }
                FromZygote::Became => {}
                FromZygote::Failed { errno } => self.failure = Some(errno),
                FromZygote::Ended { end } => self.end = Some(end),
            }
        }
    }

    fn hear_supervisor(&mut self, io: &mut impl SupervisorIo, news: &mut Vec<News>) {
        while let Some(message) = io.next_of_supervisor() {
            // The zygote has told of it by now, and may be asked for another.
            self.hear_zygote(io, news);
            match message {
                Ok(message) => news.push(News::Says(message)),
                Err(error) => {
                    self.kill(io);
                    news.push(News::Nonsense(error));
                }
            }
        }
    }

    fn look_for_end(
        &mut self,
        io: &mut impl SupervisorIo,
        news: &mut Vec<News>,
    ) -> Option<ProcessEnd> {
        if !self.is_born {
            let end = io.zygote_end()?;
            // It may have forked right before its own end.
            self.hear_zygote(io, news);
            if !self.is_born {
                return Some(end);
            }
        }
        if self.end.is_none() {
            if !io.fork_is_dead() {
                // It may be the zygote that has died, and should not stay a zombie.
                io.zygote_end();
                return None;
            }
            io.wait_for_zygote(REPORT_LIMIT);
            self.hear_zygote(io, news);
        }
        Some(self.end.unwrap_or(ProcessEnd::Unknown))
    }
}
