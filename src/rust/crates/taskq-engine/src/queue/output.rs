//! The output of tasks: all that there is, or only what has come since the last look.
//!
//! A task may have written megabytes, and who follows it looks twice a second: what was seen before is not copied
//! again. The bytes of a try are counted from its start, with those that were dropped, so that a look tells how far it
//! came by a number. A new try begins anew.

use taskq_core::id::TaskId;
use taskq_core::TaskPhase;

use super::Queue;
use crate::output::{Captured, SharedCapture};

/// What one stream has got since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// The bytes. While the task runs they do not end within a character of UTF-8.
    pub bytes: Vec<u8>,
    /// How far this look came: the number of the byte behind the last one.
    pub to: u64,
    /// How many bytes before these were not seen and are not here.
    pub skipped: u64,
}

/// What a task has written since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputNews {
    /// The number of the try that wrote it; 0 before the first one.
    pub tries: u32,
    /// Whether no more can come.
    pub is_done: bool,
    /// Standard output and standard error.
    pub streams: [Stretch; 2],
}

/// One stream of a task.
enum Stream<'a> {
    Live(&'a SharedCapture),
    Ended(&'a Captured),
}

impl Queue {
    /// What a task has written to standard output and standard error so far; nothing when it has not begun.
    #[must_use]
    pub fn output(&self, task: TaskId) -> Option<(Captured, Captured)> {
        let (_, _, [stdout, stderr]) = self.read_output(task, |_, _, stream| match stream {
            Stream::Live(capture) => capture.so_far(),
            Stream::Ended(captured) => captured.clone(),
        })?;
        Some((stdout, stderr))
    }

    /// What a task has written since it was looked at in the try `tries`, and its streams were `seen` up to there; of
    /// each the last `limit` bytes at most.
    #[must_use]
    pub fn output_since(
        &self,
        task: TaskId,
        tries: u32,
        seen: [u64; 2],
        limit: usize,
    ) -> Option<OutputNews> {
        let (tries, is_done, streams) = self.read_output(task, |now, index, stream| {
            let seen = if now == tries { seen[index] } else { 0 };
            match stream {
                Stream::Live(capture) => {
                    let capture = capture.lock();
                    let mut stretch =
                        stretch(seen, capture.written(), limit, |count| capture.last(count));
                    hold_back(&mut stretch);
                    stretch
                }
                Stream::Ended(captured) => stretch(seen, captured.written(), limit, |count| {
                    captured.last(count)
                }),
            }
        })?;
        Some(OutputNews {
            tries,
            is_done,
            streams,
        })
    }

    /// Reads both streams of a task, with the number of its tries and whether it is done. `read` gets that number and
    /// which stream it is.
    fn read_output<T: Default>(
        &self,
        task: TaskId,
        read: impl Fn(u32, usize, Stream<'_>) -> T,
    ) -> Option<(u32, bool, [T; 2])> {
        loop {
            let (tries, attempt, captures) = {
                let look = self.door.look();
                let view = look.sched().task(task)?;
                let nothing = <[T; 2]>::default();
                let captures = match view.phase {
                    TaskPhase::Waiting => return Some((0, false, nothing)),
                    TaskPhase::Done => {
                        let ending = look.record(task)?.ending.as_ref();
                        let streams = ending.map_or(nothing, |ending| {
                            [
                                read(view.tries, 0, Stream::Ended(&ending.stdout)),
                                read(view.tries, 1, Stream::Ended(&ending.stderr)),
                            ]
                        });
                        return Some((view.tries, true, streams));
                    }
                    TaskPhase::Running { worker, .. } => look
                        .sessions()
                        .get(worker)
                        .map(|outgoing| outgoing.captures.clone()),
                };
                (view.tries, view.attempt, captures)
            };
            // An inline task is captured in R.
            let Some([stdout, stderr]) = captures else {
                return Some((tries, false, Default::default()));
            };
            // Read without the lock of the queue; it is this attempt's if that still runs afterwards.
            let streams = [
                read(tries, 0, Stream::Live(&stdout)),
                read(tries, 1, Stream::Live(&stderr)),
            ];
            let look = self.door.look();
            if look
                .sched()
                .task(task)
                .is_some_and(|view| view.attempt == attempt)
            {
                return Some((tries, false, streams));
            }
        }
    }
}

/// The bytes from `seen` to `written`, the last `limit` of them at most. One who has seen more than there is saw
/// something else.
fn stretch(seen: u64, written: u64, limit: usize, last: impl Fn(usize) -> Vec<u8>) -> Stretch {
    let seen = if seen > written { 0 } else { seen };
    let news = written - seen;
    let bytes = last(usize::try_from(news).map_or(limit, |news| news.min(limit)));
    Stretch {
        skipped: news - bytes.len() as u64,
        bytes,
        to: written,
    }
}

/// Leaves the beginning of a character whose end is still to come for the next look.
fn hold_back(stretch: &mut Stretch) {
    const LONGEST: usize = 4;
    let from = stretch.bytes.len().saturating_sub(LONGEST - 1);
    let is_first = |byte: &u8| *byte >= 0b1100_0000;
    let Some(first) = stretch.bytes[from..].iter().rposition(is_first) else {
        return;
    };
    let begun = &stretch.bytes[from + first..];
    if std::str::from_utf8(begun).is_err_and(|error| error.error_len().is_none()) {
        stretch.to -= begun.len() as u64;
        stretch.bytes.truncate(from + first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `text`, byte by byte as it grows, and puts together what was told.
    fn followed(text: &[u8], limit: usize) -> (Vec<u8>, u64) {
        let (mut told, mut seen, mut skipped) = (Vec::new(), 0, 0);
        for end in 0..=text.len() {
            let written = &text[..end];
            let mut news = stretch(seen, end as u64, limit, |count| {
                written[end - count..].to_vec()
            });
            hold_back(&mut news);
            assert!(std::str::from_utf8(&news.bytes).is_ok());
            told.extend_from_slice(&news.bytes);
            skipped += news.skipped;
            seen = news.to;
        }
        (told, skipped)
    }

    #[test]
    fn many_looks_tell_what_one_would_and_no_character_is_cut() {
        let text = "plain, \u{e9}\u{20ac}\u{1f600} and more".as_bytes();
        assert_eq!(followed(text, 100), (text.to_vec(), 0));
    }

    #[test]
    fn of_much_news_the_last_is_told_and_the_rest_counted() {
        let news = stretch(10, 100, 30, |count| vec![b'x'; count]);
        assert_eq!((news.bytes.len(), news.skipped, news.to), (30, 60, 100));
    }

    #[test]
    fn bytes_that_are_no_text_are_not_waited_for_for_ever() {
        let mut news = stretch(0, 3, 10, |_| vec![b'a', 0x80, 0x80]);
        hold_back(&mut news);
        assert_eq!(news.to, 3);
        let mut news = stretch(0, 2, 10, |_| vec![0xe2, b'a']);
        hold_back(&mut news);
        assert_eq!(news.to, 2);
    }

    #[test]
    fn one_who_saw_more_than_there_is_starts_again() {
        assert_eq!(stretch(7, 3, 10, |count| vec![b'x'; count]).bytes.len(), 3);
    }
}
