//! Bytes on their way into a stream socket that may not take them at once.
//!
//! Small parts are copied together, so that a frame leaves with one system call; large parts stay where they are and are
//! shared with their owner.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use taskq_sys::socket;

/// A part up to this size is copied.
const SMALL: usize = 16 * 1024;
/// Copied parts are put together up to this size.
const BATCH: usize = 64 * 1024;
/// So many parts go into one system call.
const SLICES: usize = 16;

/// The bytes that are still to be sent on one socket.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is sent.
    sent: usize,
}

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Arc<Vec<u8>>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// Adds bytes by letting `write` append them to a buffer.
    pub(crate) fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if !matches!(self.pieces.back(), Some(Piece::Own(bytes)) if bytes.len() < BATCH) {
            self.pieces.push_back(Piece::Own(Vec::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(bytes)) => write(bytes),
            // An own piece was put there just above.
            _ => write(&mut Vec::new()),
        }
    }

    /// Adds the bytes of `part`, copied or shared as its size says.
    pub(crate) fn push(&mut self, part: &Arc<Vec<u8>>) {
        if part.len() <= SMALL {
            self.append(|buffer| buffer.extend_from_slice(part));
        } else {
            self.pieces.push_back(Piece::Shared(Arc::clone(part)));
        }
    }

    /// Sends as much as the socket takes now. `Ok` also when it takes no more.
    ///
    /// # Errors
    /// What the socket says, when the other end is gone for instance.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> = self
                .pieces
                .iter()
                .take(SLICES)
                .enumerate()
                .map(|(i, piece)| {
                    IoSlice::new(&piece.bytes()[if i == 0 { self.sent } else { 0 }..])
                })
                .collect();
            match socket::send_stream(socket, &slices) {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(first) = self.pieces.front() {
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
    use std::os::fd::AsFd;

    #[test]
    fn everything_arrives_in_order_through_a_socket_that_fills_up() {
        let (near, far) = socket::stream_pair().expect("a pair");
        socket::set_nonblocking(near.as_fd(), true).expect("a flag");
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for i in 0..40usize {
            let part = Arc::new(vec![i as u8; if i % 3 == 0 { 300_000 } else { i * 100 }]);
            outbox.push(&part);
            expected.extend_from_slice(&part);
        }
        let mut received = Vec::new();
        while received.len() < expected.len() {
            outbox.flush(near.as_fd()).expect("the other end is there");
            let mut buffer = vec![0; 100_000];
            let count = socket::recv_stream(far.as_fd(), &mut buffer).expect("bytes");
            received.extend_from_slice(&buffer[..count]);
        }
        assert!(received == expected, "bytes differ");
        assert!(outbox.pieces.is_empty());
    }
}
