//! Frames out of a byte stream, in whatever pieces that comes.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;

use super::{Frame, HEADER, MAX_DESCRIPTORS, MAX_MESSAGE, MAX_PAYLOAD};
use crate::error::WireError;
use crate::VERSION;

/// How much is read at once where the payload's place is not known yet.
const CHUNK: usize = 64 * 1024;
/// And so much as long as this suffices: a session that waits has memory for no more.
const FIRST_CHUNK: usize = 4 * 1024;
/// Memory for a payload is asked for in steps of this size, so that a false length costs nothing.
const PAYLOAD_STEP: usize = 64 << 20;

/// Where a stream comes from. What can only be read has no descriptors.
pub trait Source {
    /// Reads as [`Read::read`] does, and appends to `descriptors` what came with these bytes.
    ///
    /// # Errors
    /// As there.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        descriptors: &mut VecDeque<OwnedFd>,
    ) -> io::Result<usize>;
}

impl<R: Read> Source for R {
    fn receive(&mut self, buffer: &mut [u8], _: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
        self.read(buffer)
    }
}

/// What one call of [`Decoder::read_from`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// This number of bytes came; the source may have more.
    Read(usize),
    /// The source has nothing for now (it is not blocking).
    WouldBlock,
    /// The source has ended.
    Eof,
}

/// Turns a byte stream into frames.
#[derive(Debug)]
pub struct Decoder<M> {
    /// Bytes that came and are not decoded: `staged[start..end]`. What lies behind `end` is room for more, kept as it
    /// is so that a read does not begin with clearing memory.
    staged: Vec<u8>,
    start: usize,
    end: usize,
    /// A frame whose payload is not complete, and the payload's full length.
    open: Option<(Frame<M>, usize)>,
    /// What came with frames that are not decoded.
    descriptors: VecDeque<OwnedFd>,
    /// How much is read at once.
    room: usize,
    message: PhantomData<M>,
}

impl<M: DeserializeOwned> Default for Decoder<M> {
    fn default() -> Self {
        Decoder {
            staged: Vec::new(),
            room: FIRST_CHUNK,
            start: 0,
            end: 0,
            open: None,
            descriptors: VecDeque::new(),
            message: PhantomData,
        }
    }
}

impl<M: DeserializeOwned> Decoder<M> {
    /// Reads once from `source`, as much as is useful now.
    ///
    /// # Errors
    /// What `source` reports, except interruption (repeated) and would-block (told as [`Decoded::WouldBlock`]).
    pub fn read_from(&mut self, source: &mut impl Source) -> io::Result<Decoded> {
        // One frame may be incomplete with all of its own, and the start of the next may have come.
        let descriptors = &mut self.descriptors;
        if descriptors.len() > 2 * MAX_DESCRIPTORS {
            let (came, wanted) = (descriptors.len(), MAX_DESCRIPTORS);
            return Err(WireError::Descriptors { came, wanted }.into());
        }
        if let Some((frame, length)) = &mut self.open {
            let missing = *length - frame.payload.len();
            if missing >= CHUNK {
                let mut source = Reading(source, descriptors);
                return read_payload(&mut source, &mut frame.payload, missing.min(PAYLOAD_STEP));
            }
        }
        self.compact();
        if self.staged.len() < self.end + self.room {
            self.staged.resize(self.end + self.room, 0);
        }
        let outcome = loop {
            match source.receive(&mut self.staged[self.end..], &mut self.descriptors) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match outcome {
            Ok(0) => Ok(Decoded::Eof),
            Ok(came) => {
                self.end += came;
                if self.end == self.staged.len() {
                    self.room = CHUNK;
                }
                Ok(Decoded::Read(came))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Decoded::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// The next whole frame, or `None` when more bytes are needed for it.
    ///
    /// # Errors
    /// [`WireError`] when the bytes are no frame. The stream is of no use after that.
    pub fn next_frame(&mut self) -> Result<Option<Frame<M>>, WireError> {
        if self.open.is_none() {
            self.open = self.open_frame()?;
        }
        let Some((frame, length)) = &mut self.open else {
            // They come with the first byte of their frame.
            if self.start == self.end && !self.descriptors.is_empty() {
                let came = self.descriptors.len();
                return Err(WireError::Descriptors { came, wanted: 0 });
            }
            return Ok(None);
        };
        let missing = *length - frame.payload.len();
        let come = &self.staged[self.start..self.end];
        let part = &come[..come.len().min(missing)];
        if !part.is_empty() {
            frame
                .payload
                .try_reserve(part.len())
                .map_err(|_| WireError::Memory {
                    length: *length as u64,
                })?;
            frame.payload.extend_from_slice(part);
            self.start += part.len();
        }
        if frame.payload.len() == *length {
            return Ok(self.open.take().map(|(frame, _)| frame));
        }
        Ok(None)
    }

    /// Whether no byte of an unfinished frame is held. If one is, an end of the stream here is a torn frame.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.open.is_none() && self.start == self.end
    }

    /// Decodes header and message, once both are there.
    fn open_frame(&mut self) -> Result<Option<(Frame<M>, usize)>, WireError> {
        let come = &self.staged[self.start..self.end];
        let Some(header) = come.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [m0, m1, version, count, l0, l1, l2, l3, payload @ ..] = *header;
        if [m0, m1] != *b"tq" {
            return Err(WireError::Magic { found: [m0, m1] });
        }
        if version != VERSION {
            return Err(WireError::Version { found: version });
        }
        let message_len = u32::from_le_bytes([l0, l1, l2, l3]);
        if message_len > MAX_MESSAGE {
            let (length, limit) = (u64::from(message_len), u64::from(MAX_MESSAGE));
            return Err(WireError::TooLong { length, limit });
        }
        let payload_len = u64::from_le_bytes(payload);
        if payload_len > MAX_PAYLOAD {
            return Err(WireError::TooLong {
                length: payload_len,
                limit: MAX_PAYLOAD,
            });
        }
        let Ok(length) = usize::try_from(payload_len) else {
            return Err(WireError::Memory {
                length: payload_len,
            });
        };
        let count = usize::from(count);
        if count > self.descriptors.len() {
            return Err(WireError::Descriptors {
                came: self.descriptors.len(),
                wanted: count,
            });
        }
        let end = HEADER + message_len as usize;
        let Some(bytes) = come.get(HEADER..end) else {
            return Ok(None);
        };
        let message = postcard::from_bytes(bytes).map_err(WireError::Decode)?;
        self.start += end;
        let mut payload = Vec::new();
        payload
            .try_reserve_exact(length.min(PAYLOAD_STEP))
            .map_err(|_| WireError::Memory {
                length: payload_len,
            })?;
        let frame = Frame {
            message,
            payload,
            descriptors: self.descriptors.drain(..count).collect(),
        };
        Ok(Some((frame, length)))
    }

    /// Moves what is held to the front, when that is nothing or much room lies before it.
    fn compact(&mut self) {
        if self.start == self.end || self.start >= CHUNK {
            self.staged.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

/// A source as a reader.
struct Reading<'a, S>(&'a mut S, &'a mut VecDeque<OwnedFd>);

impl<S: Source> Read for Reading<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.receive(buffer, self.1)
    }
}

/// Reads up to `limit` bytes to the end of `payload`, stopping where the source would block.
fn read_payload(
    source: &mut impl Read,
    payload: &mut Vec<u8>,
    limit: usize,
) -> io::Result<Decoded> {
    let before = payload.len();
    payload.try_reserve(limit).map_err(|_| WireError::Memory {
        length: limit as u64,
    })?;
    // On an error `read_to_end` leaves what it had read in the vector (documented).
    let outcome = source.take(limit as u64).read_to_end(payload);
    let came = payload.len() - before;
    match outcome {
        _ if came > 0 => Ok(Decoded::Read(came)),
        Ok(_) => Ok(Decoded::Eof),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Decoded::WouldBlock),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode_head;

    /// Gives its bytes in the given portions, then would block.
    struct Dripping {
        bytes: Vec<u8>,
        at: usize,
        portions: Vec<usize>,
    }

    impl Read for Dripping {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.at == self.bytes.len() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let portion = self.portions.pop().unwrap_or(usize::MAX).max(1);
            let n = portion.min(buf.len()).min(self.bytes.len() - self.at);
            buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
            self.at += n;
            Ok(n)
        }
    }

    fn encode_all(frames: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (message, payload) in frames {
            encode_head(message, payload.len() as u64, 0, &mut bytes).expect("in limits");
            bytes.extend_from_slice(payload);
        }
        bytes
    }

    fn decode_all(mut source: Dripping) -> Vec<(String, Vec<u8>)> {
        let mut decoder = Decoder::<String>::default();
        let mut frames = Vec::new();
        loop {
            let progress = decoder.read_from(&mut source).expect("no broken source");
            while let Some(frame) = decoder.next_frame().expect("no broken frame") {
                frames.push((frame.message, frame.payload));
            }
            if progress == Decoded::WouldBlock {
                assert!(decoder.is_between_frames(), "nothing may be left over");
                return frames;
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            sizes in proptest::collection::vec(0usize..200_000, 0..6),
            portions in proptest::collection::vec(1usize..70_000, 0..40),
        ) {
            let frames: Vec<_> = sizes
                .iter()
                .map(|&n| (format!("m{n}"), (0..n).map(|i| (i % 251) as u8).collect()))
                .collect();
            let source = Dripping { bytes: encode_all(&frames), at: 0, portions };
            assert_eq!(decode_all(source), frames);
        }

        #[test]
        fn arbitrary_bytes_are_an_error_or_wait_for_more(bytes in proptest::collection::vec(0u8.., 0..400)) {
            let mut decoder = Decoder::<String>::default();
            let mut source = Dripping { bytes, at: 0, portions: vec![] };
            while decoder.read_from(&mut source).expect("no broken source") != Decoded::WouldBlock {
                while let Ok(Some(_)) = decoder.next_frame() {}
            }
        }
    }

    /// A frame's first bytes bring its descriptors, and what is received ends with the piece that had some.
    struct Pieces(VecDeque<(Vec<u8>, usize)>);

    impl Source for Pieces {
        fn receive(
            &mut self,
            buffer: &mut [u8],
            descriptors: &mut VecDeque<OwnedFd>,
        ) -> io::Result<usize> {
            let Some((bytes, count)) = self.0.front_mut() else {
                return Err(io::ErrorKind::WouldBlock.into());
            };
            for _ in 0..std::mem::take(count) {
                descriptors.push_back(std::fs::File::open("/dev/null")?.into());
            }
            let size = buffer.len().min(bytes.len());
            buffer[..size].copy_from_slice(&bytes[..size]);
            bytes.drain(..size);
            if bytes.is_empty() {
                self.0.pop_front();
            }
            Ok(size)
        }
    }

    /// The descriptors of each frame up to the end or an error.
    fn counts(pieces: impl IntoIterator<Item = (Vec<u8>, usize)>) -> (Vec<usize>, bool) {
        let mut source = Pieces(pieces.into_iter().collect());
        let mut decoder = Decoder::<String>::default();
        let mut found = Vec::new();
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    found.push(frame.descriptors.len());
                    continue;
                }
                Ok(None) => {}
                Err(_) => return (found, false),
            }
            match decoder.read_from(&mut source) {
                Ok(Decoded::Read(_)) => {}
                Ok(_) => return (found, true),
                Err(_) => return (found, false),
            }
        }
    }

    fn piece(payload: usize, said: usize, sent: usize) -> (Vec<u8>, usize) {
        let mut bytes = Vec::new();
        encode_head(&"m", payload as u64, said, &mut bytes).expect("in limits");
        bytes.resize(bytes.len() + payload, 0);
        (bytes, sent)
    }

    #[test]
    fn each_frame_has_its_own_descriptors() {
        let pieces = [(10, 2), (0, 0), (300_000, 3), (5, MAX_DESCRIPTORS), (0, 1)];
        let whole = pieces.map(|(payload, count)| piece(payload, count, count));
        let (found, fine) = counts(whole.clone());
        assert_eq!(
            (found, fine),
            (pieces.map(|(_, count)| count).to_vec(), true)
        );
        let halves = whole.into_iter().flat_map(|(mut bytes, count)| {
            let second = bytes.split_off(bytes.len() / 2);
            [(bytes, count), (second, 0)]
        });
        let (found, fine) = counts(halves);
        assert_eq!(
            (found, fine),
            (pieces.map(|(_, count)| count).to_vec(), true)
        );
    }

    #[test]
    fn another_number_of_descriptors_is_an_error() {
        assert_eq!(counts([piece(3, 2, 1)]), (vec![], false));
        assert_eq!(counts([piece(3, 1, 2)]), (vec![1], false));
        assert_eq!(counts([piece(3, 0, 1)]), (vec![0], false));
        // What is too much for one frame is not there for the next.
        let (found, fine) = counts([piece(3, 1, 2), piece(3, 2, 1)]);
        assert_eq!((found, fine), (vec![1], false));
        // Bytes that come one by one, each with many.
        let (bytes, _) = piece(3, 0, 0);
        let drops = bytes.iter().map(|&byte| (vec![byte], 200));
        assert_eq!(counts(drops), (vec![], false));
    }

    #[test]
    fn a_false_length_costs_no_memory() {
        let mut bytes = Vec::new();
        encode_head(&"m", MAX_PAYLOAD, 0, &mut bytes).expect("at the limit");
        let mut decoder = Decoder::<String>::default();
        decoder
            .read_from(&mut Dripping {
                bytes,
                at: 0,
                portions: vec![],
            })
            .expect("read");
        assert!(matches!(decoder.next_frame(), Ok(None)));
        let held = decoder
            .open
            .as_ref()
            .map_or(0, |(frame, _)| frame.payload.capacity());
        assert!(held <= PAYLOAD_STEP);
    }
}
