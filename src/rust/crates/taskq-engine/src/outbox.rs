//! Frames on their way into a stream socket that may not take them at once.
//!
//! Small parts are copied together, so that a frame leaves with one system call; large parts stay where they are and
//! are shared with their owner, and those in a memory file go as its descriptor.
//!
//! Descriptors come with the first byte of their frame and with nothing before it, so such a frame begins a piece of
//! its own, and no system call sends bytes beyond the start of the next.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use serde::Serialize;
use taskq_payload::payload::Payload;
use taskq_sys::socket;
use taskq_wire::frame::encode_head;
use taskq_wire::WireError;

/// A part up to this size is copied.
const SMALL: usize = 16 * 1024;
/// Copied parts are put together up to this size.
const BATCH: usize = 64 * 1024;
/// How many parts go into one system call.
const SLICES: usize = 16;

/// The bytes that are still to be sent on one socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is sent.
    sent: usize,
    /// Whether the kernel would take no more descriptors at the last try.
    is_stalled: bool,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<Payload>),
    /// What follows of one that came and goes on, the number of this, and whether some of it is in files.
    Stream(Arc<Payload>, usize, bool),
    /// The start of a frame whose payloads have descriptors.
    Head(Vec<u8>, Vec<Arc<Payload>>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) | Piece::Head(bytes, _) => bytes,
            Piece::Shared(payload) => payload.stream(),
            Piece::Stream(payload, number, in_files) => {
                payload.streams(*in_files).nth(*number).unwrap_or_default()
            }
        }
    }
}

impl Outbox {
    /// Adds a frame.
    ///
    /// # Errors
    /// [`encode_head`]'s; nothing was added then.
    pub(crate) fn push<M: Serialize>(
        &mut self,
        message: &M,
        payloads: &[&Arc<Payload>],
    ) -> Result<(), WireError> {
        self.push_given(message, payloads, &[])
    }

    /// The same with payloads that came and go on, see [`Payload::given`], and whether in files.
    pub(crate) fn push_given<M: Serialize>(
        &mut self,
        message: &M,
        payloads: &[&Arc<Payload>],
        given: &[(&Arc<Payload>, bool)],
    ) -> Result<(), WireError> {
        let streams = |&(payload, in_files): &(&Arc<Payload>, bool)| {
            let lengths = payload.streams(in_files).map(|bytes| bytes.len() as u64);
            lengths.sum::<u64>()
        };
        let length = payloads
            .iter()
            .map(|p| p.stream().len() as u64)
            .sum::<u64>();
        let length = length + given.iter().map(streams).sum::<u64>();
        let in_files = given.iter().filter(|(_, in_files)| *in_files);
        let in_files = payloads.iter().chain(in_files.map(|(payload, _)| payload));
        let descriptors = in_files.clone().map(|p| p.descriptors().count()).sum();
        if descriptors == 0 {
            encode_head(message, length, 0, self.buffer())?;
        } else {
            let mut head = Vec::new();
            encode_head(message, length, descriptors, &mut head)?;
            let with = in_files.map(|&p| Arc::clone(p)).collect();
            self.pieces.push_back(Piece::Head(head, with));
        }
        for &payload in payloads {
            match payload.stream() {
                [] => {}
                bytes if bytes.len() <= SMALL => self.buffer().extend_from_slice(bytes),
                _ => self.pieces.push_back(Piece::Shared(Arc::clone(payload))),
            }
        }
        for &(payload, in_files) in given {
            for (number, bytes) in payload.streams(in_files).enumerate() {
                if bytes.len() <= SMALL {
                    self.buffer().extend_from_slice(bytes);
                } else {
                    let piece = Piece::Stream(Arc::clone(payload), number, in_files);
                    self.pieces.push_back(piece);
                }
            }
        }
        Ok(())
    }

    /// Sends as much as the socket takes now. `Ok` also when it takes no more.
    ///
    /// # Errors
    /// What the socket says, when the other end is gone for instance.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.flush_by(|slices, fds| socket::send_stream_with(socket, slices, fds))
    }

    /// Whether a frame waits until the kernel takes more descriptors, of which no event will tell.
    pub(crate) fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    fn flush_by(
        &mut self,
        mut send: impl FnMut(&[IoSlice<'_>], &[BorrowedFd<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.is_stalled = false;
        while let Some(first) = self.pieces.front() {
            let fds: Vec<BorrowedFd<'_>> = match first {
                Piece::Head(_, with) if self.sent == 0 => with
                    .iter()
                    .flat_map(|payload| payload.descriptors())
                    .collect(),
                _ => Vec::new(),
            };
            let rest = self.pieces.iter().skip(1);
            let slices: Vec<IoSlice<'_>> = std::iter::once(&first.bytes()[self.sent..])
                .chain(
                    rest.take_while(|piece| !matches!(piece, Piece::Head(..)))
                        .map(Piece::bytes),
                )
                .take(SLICES)
                .map(IoSlice::new)
                .collect();
            match send(&slices, &fds) {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if socket::is_too_many_under_way(&error) => {
                    self.is_stalled = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where small parts are put together.
    fn buffer(&mut self) -> &mut Vec<u8> {
        let has_room = matches!(self.pieces.back(), Some(Piece::Own(bytes)) if bytes.len() < BATCH);
        if !has_room {
            self.pieces.push_back(Piece::Own(Vec::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(bytes)) => bytes,
            // An own piece was put there just above.
            _ => unreachable!("the last piece is an own one"),
        }
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if let Piece::Head(_, with) = first {
                // Its descriptors went with its first byte.
                if count > 0 {
                    with.clear();
                }
            }
            let left = first.bytes().len() - self.sent;
            if count < left {
                self.sent += count;
                return;
            }
            count -= left;
            self.sent = 0;
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::os::fd::{AsFd, OwnedFd};
    use taskq_payload::arrived::Arrived;
    use taskq_payload::sealed::Growing;
    use taskq_wire::frame::{Decoded, Decoder, Source};
    use taskq_wire::message::Part;

    struct Socket(OwnedFd);

    impl Source for Socket {
        fn receive(&mut self, buffer: &mut [u8], fds: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
            socket::recv_stream_with(&self.0, buffer, fds)
        }
    }

    fn in_file(bytes: &[u8]) -> Arc<Payload> {
        let mut file = Growing::create("test").expect("memory files");
        file.write(bytes).expect("memory");
        Arc::new(file.seal().expect("sealed").into())
    }

    fn in_memory(bytes: &[u8]) -> Arc<Payload> {
        Arc::new(bytes.to_vec().into())
    }

    /// Two payloads for each number: small, large and in files, in all combinations.
    fn payloads(i: usize) -> [Arc<Payload>; 2] {
        let bytes = vec![i as u8; if i % 3 == 0 { 300_000 } else { i * 100 }];
        let other = vec![!i as u8; i * 1000];
        match i % 4 {
            0 => [in_memory(&bytes), in_memory(&other)],
            1 => [in_file(&bytes), in_memory(&other)],
            2 => [in_memory(&bytes), in_file(&other)],
            _ => [in_file(&bytes), in_file(&other)],
        }
    }

    #[test]
    fn everything_arrives_in_order_through_a_socket_that_fills_up() {
        const FRAMES: usize = 40;
        let (near, far) = socket::stream_pair().expect("a pair");
        for end in [&near, &far] {
            socket::set_nonblocking(end.as_fd(), true).expect("a flag");
        }
        let mut outbox = Outbox::default();
        for i in 0..FRAMES {
            let [first, second] = payloads(i);
            let message = (i, first.part(), second.part());
            outbox
                .push(&message, &[&first, &second])
                .expect("in limits");
        }
        let mut far = Socket(far);
        let mut decoder = Decoder::<(usize, Part, Part)>::default();
        let mut next = 0;
        while next < FRAMES {
            outbox.flush(near.as_fd()).expect("the other end is there");
            assert!(!outbox.is_stalled());
            let progress = decoder.read_from(&mut far).expect("bytes");
            assert_ne!(progress, Decoded::Eof);
            while let Some(frame) = decoder.next_frame().expect("a frame") {
                let (i, first, second) = frame.message;
                assert_eq!(i, next);
                let mut arrived = Arrived::new(frame.payload, frame.descriptors);
                for (part, sent) in [first, second].iter().zip(payloads(i)) {
                    let came = arrived.take(part).expect("a payload");
                    assert!(came.bytes().expect("bytes") == sent.bytes().expect("bytes"));
                }
                arrived.finish().expect("all");
                next += 1;
            }
        }
        assert!(outbox.pieces.is_empty() && decoder.is_between_frames());
    }

    #[test]
    fn a_kernel_that_takes_no_more_descriptors_is_asked_again() {
        let mut outbox = Outbox::default();
        let payload = in_file(b"abc");
        outbox.push(&1, &[&in_memory(b"x")]).expect("in limits");
        outbox.push(&2, &[&payload]).expect("in limits");
        let mut calls = Vec::new();
        for room in [0, 0, 1] {
            let sent = outbox.flush_by(|slices, fds| {
                if fds.len() > room {
                    return Err(io::Error::from_raw_os_error(libc::ETOOMANYREFS));
                }
                calls.push(fds.len());
                // The last byte of a piece is not taken at first.
                Ok(slices.iter().map(|s| s.len()).sum::<usize>().max(2) - 1)
            });
            sent.expect("no broken socket");
            assert_eq!(outbox.is_stalled(), room == 0);
        }
        // Descriptors go once, with the first byte of their frame.
        assert_eq!(calls, [0, 0, 1, 0]);
        assert_eq!(Arc::strong_count(&payload), 1);
    }
}
