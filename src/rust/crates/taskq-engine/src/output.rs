//! What a task wrote to one of its output descriptors, within a limit.
//!
//! A task may write without end. Its first and its last bytes say most, so half of the limit is given to each, and what
//! was between them is only counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::text::{whole_end, whole_start, Charset};

/// A bounded record of a byte stream, being written.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
    half: usize,
    charset: Charset,
}

/// A record that the driver writes and others may look at.
#[derive(Clone, Debug)]
pub(crate) struct SharedCapture(Arc<Mutex<Capture>>);

impl SharedCapture {
    /// An empty record of what is written in `charset`, that keeps at most `limit` bytes of UTF-8.
    pub(crate) fn new(limit: usize, charset: Charset) -> SharedCapture {
        SharedCapture(Arc::new(Mutex::new(Capture::new(limit, charset))))
    }

    /// The record; it is not held for longer than a copy takes.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Capture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record as it is now.
    pub(crate) fn so_far(&self) -> Captured {
        self.lock().so_far()
    }
}

/// A finished record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The bytes; when some were dropped, a line that says so stands where they were.
    pub bytes: Vec<u8>,
    /// How many bytes were dropped.
    pub dropped: u64,
}

impl Capture {
    /// An empty record of what is written in `charset`, that keeps at most `limit` bytes of UTF-8.
    pub(crate) fn new(limit: usize, charset: Charset) -> Capture {
        Capture {
            head: Vec::new(),
            tail: VecDeque::new(),
            dropped: 0,
            half: (limit / 2).max(1),
            charset,
        }
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let bytes = &*self.charset.decode(bytes);
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        let kept = &rest[rest.len().saturating_sub(self.half)..];
        let room = self.half - kept.len();
        let pushed_out = self.tail.len().saturating_sub(room);
        self.tail.drain(..pushed_out);
        self.tail.extend(kept);
        self.dropped += (rest.len() - kept.len() + pushed_out) as u64;
    }

    /// Ends the record and begins a new one.
    pub(crate) fn take(&mut self) -> Captured {
        let mut bytes = std::mem::take(&mut self.head);
        let mut dropped = std::mem::take(&mut self.dropped);
        let mut tail = Vec::from(std::mem::take(&mut self.tail));
        if dropped > 0 {
            // Nor is half of a character kept.
            let (end, start) = (whole_end(&bytes), whole_start(&tail));
            dropped += (bytes.len() - end + start) as u64;
            bytes.truncate(end);
            tail.drain(..start);
            bytes.extend_from_slice(note_of(dropped).as_bytes());
        }
        bytes.extend(tail);
        Captured { bytes, dropped }
    }

    /// The record as it is now.
    pub(crate) fn so_far(&self) -> Captured {
        self.clone().take()
    }

    /// How many bytes were written, with those that were dropped.
    pub(crate) fn written(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.dropped
    }

    /// The last bytes, at most `count`.
    pub(crate) fn last(&self, count: usize) -> Vec<u8> {
        let length = self.head.len() + self.tail.len();
        let skipped = length.saturating_sub(count);
        self.head
            .iter()
            .chain(self.tail.iter())
            .skip(skipped)
            .copied()
            .collect()
    }
}

impl Captured {
    /// How many bytes were written, with those that were dropped.
    pub(crate) fn written(&self) -> u64 {
        let note = match self.dropped {
            0 => 0,
            dropped => note_of(dropped).len() as u64,
        };
        (self.bytes.len() as u64 + self.dropped).saturating_sub(note)
    }

    /// The last bytes, at most `count`.
    pub(crate) fn last(&self, count: usize) -> Vec<u8> {
        self.bytes[self.bytes.len().saturating_sub(count)..].to_vec()
    }
}

fn note_of(dropped: u64) -> String {
    format!("\n[taskq: {dropped} bytes of output dropped here]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_output_is_kept_as_it_is() {
        let mut capture = Capture::new(10, Charset::Utf8);
        capture.write(b"abc");
        capture.write(b"defghij");
        assert_eq!(capture.last(4), b"ghij");
        assert_eq!(
            capture.take(),
            Captured {
                bytes: b"abcdefghij".to_vec(),
                dropped: 0
            }
        );
        assert_eq!(capture.take(), Captured::default());
    }

    #[test]
    fn of_much_output_the_middle_is_dropped_and_counted() {
        for chunk in [1, 2, 3, 7, 1000] {
            let mut capture = Capture::new(8, Charset::Utf8);
            let all: Vec<u8> = (0..100).collect();
            all.chunks(chunk).for_each(|part| capture.write(part));
            assert_eq!(capture.written(), 100);
            let captured = capture.take();
            assert_eq!(captured.written(), 100);
            assert_eq!(captured.dropped, 92);
            assert_eq!(captured.bytes[..4], all[..4]);
            assert_eq!(captured.bytes[captured.bytes.len() - 4..], all[96..]);
        }
    }

    #[test]
    fn no_character_is_cut_in_two_where_bytes_are_dropped() {
        let mut capture = Capture::new(8, Charset::Utf8);
        capture.write("abcéééééééé".as_bytes());
        let captured = capture.take();
        let text = String::from_utf8(captured.bytes.clone()).expect("text");
        assert!(
            text.starts_with("abc\n") && text.ends_with("\néé"),
            "{text}"
        );
        assert_eq!((captured.written(), captured.dropped), (19, 12));
    }
}
