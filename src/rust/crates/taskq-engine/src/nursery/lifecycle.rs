//! The life of a nursery as its host knows it: which process it is, whether it is to end, and how it ended. Decides
//! what is done about that. The calls of the operating system are [`NurseryIo`]'s: in `simulator.rs` beside this
//! they are those of a simulated system, in which this code runs in every order that stem, nursery and driver can come
//! in.
//!
//! | | its process | who knows how it ended | what ends it |
//! | --- | --- | --- | --- |
//! | not born | the stem, which is being started for it, or cannot fork and has become the nursery | the host, whose child the stem is | killing the stem |
//! | born | a fork of the stem | the stem, which tells; if it is dead, too, nothing | killing the fork |
//!
//! The host learns late which of the two it is: the stem that it kills may have forked, and the fork lives on if it has
//! come far enough. So a nursery that is to end is remembered as such, and is killed again when it turns out to be
//! born.

use std::time::Duration;

use taskq_record::ProcessEnd;
use taskq_wire::message::{FromNursery, FromStem};
use taskq_wire::WireError;

/// A stem that is up forks within a millisecond. One that has not done it by then is stopped, or worse.
const BIRTH_LIMIT: Duration = Duration::from_secs(2);
/// A stem tells at once how a nursery ended, unless it is stopped.
const REPORT_LIMIT: Duration = Duration::from_millis(200);

/// What the operating system can be asked of a nursery and its stem. Only [`wait_for_stem`](NurseryIo::wait_for_stem)
/// waits.
pub(crate) trait NurseryIo {
    /// The next message of the stem; `None` when there is none (any more).
    fn next_of_stem(&mut self) -> Option<FromStem>;
    /// The next message of the nursery; `None` when there is none (any more).
    fn next_of_nursery(&mut self) -> Option<Result<FromNursery, WireError>>;
    /// How the stem ended; `None` while it lives.
    fn stem_end(&mut self) -> Option<ProcessEnd>;
    /// Whether the fork of which the stem has told is dead.
    fn fork_is_dead(&mut self) -> bool;
    /// Waits until the stem says something or closes its socket, but no longer than `limit`.
    fn wait_for_stem(&mut self, limit: Duration);
    /// Kills the stem.
    fn kill_stem(&mut self);
    /// Kills the fork of which the stem has told.
    fn kill_fork(&mut self);
}

/// What the driver has to hear, in this order.
#[derive(Debug)]
pub(crate) enum News {
    /// The stem has forked the nursery: its death is to be watched, and others may ask the stem.
    Born,
    /// The nursery says something.
    Says(FromNursery),
    /// It says something that has no meaning, and was killed for it.
    Nonsense(WireError),
    /// It is dead, and nothing more comes of it.
    Gone(ProcessEnd),
}

/// What the host knows of a nursery.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Lifecycle {
    is_born: bool,
    /// It is to end: it was ordered to, or is of no use.
    is_condemned: bool,
    /// The stem could not make it; the operating system's error number.
    failure: Option<i32>,
    /// How it ended, by the stem's word.
    end: Option<ProcessEnd>,
}

impl Lifecycle {
    /// Takes in what has come of it, and says what the driver has to hear.
    pub(crate) fn attend(&mut self, io: &mut impl NurseryIo) -> Vec<News> {
        let mut news = Vec::new();
        self.hear_stem(io, &mut news);
        self.hear_nursery(io, &mut news);
        if self.failure.is_some() {
            // The stem was started for it alone.
            self.kill(io);
        }
        if let Some(end) = self.look_for_end(io, &mut news) {
            // What it said before.
            self.hear_nursery(io, &mut news);
            news.push(News::Gone(end));
        }
        news
    }

    /// Waits until a stem that is up has forked, which others use, too.
    ///
    /// # Errors
    /// It has not: for what reason, if it has said one.
    pub(crate) fn await_birth(&mut self, io: &mut impl NurseryIo) -> Result<(), Option<i32>> {
        io.wait_for_stem(BIRTH_LIMIT);
        self.hear_stem(io, &mut Vec::new());
        match (self.is_born, self.failure) {
            (true, _) => Ok(()),
            (false, Some(errno)) => Err(Some(errno)),
            (false, None) => {
                // What was asked of it must not happen later.
                io.kill_stem();
                Err(None)
            }
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self, io: &mut impl NurseryIo) {
        self.is_condemned = true;
        if self.is_born {
            io.kill_fork();
        } else {
            io.kill_stem();
        }
    }

    /// Whether it is to end.
    pub(crate) fn is_condemned(&self) -> bool {
        self.is_condemned
    }

    /// Why the stem could not make it, if so.
    pub(crate) fn failure(&self) -> Option<i32> {
        self.failure
    }

    fn hear_stem(&mut self, io: &mut impl NurseryIo, news: &mut Vec<News>) {
        while let Some(message) = io.next_of_stem() {
            match message {
                FromStem::Forked { .. } => {
                    self.is_born = true;
                    news.push(News::Born);
                    if self.is_condemned {
                        self.kill(io);
                    }
                }
                FromStem::Became => {}
                FromStem::Failed { errno } => self.failure = Some(errno),
                FromStem::Ended { end } => self.end = Some(end),
            }
        }
    }

    fn hear_nursery(&mut self, io: &mut impl NurseryIo, news: &mut Vec<News>) {
        while let Some(message) = io.next_of_nursery() {
            // The stem has told of it by now, and may be asked for another.
            self.hear_stem(io, news);
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
        io: &mut impl NurseryIo,
        news: &mut Vec<News>,
    ) -> Option<ProcessEnd> {
        if !self.is_born {
            let end = io.stem_end()?;
            // It may have forked right before its own end.
            self.hear_stem(io, news);
            if !self.is_born {
                return Some(end);
            }
        }
        if self.end.is_none() {
            if !io.fork_is_dead() {
                // It may be the stem that has died, and should not stay a zombie.
                io.stem_end();
                return None;
            }
            io.wait_for_stem(REPORT_LIMIT);
            self.hear_stem(io, news);
        }
        Some(self.end.unwrap_or(ProcessEnd::Unknown))
    }
}
