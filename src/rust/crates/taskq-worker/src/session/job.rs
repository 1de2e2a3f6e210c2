//! An attempt as it travels: taken out of a frame, and its result put on the socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use taskq_payload::payload::Payload;
use taskq_record::AttemptId;
use taskq_sys::socket::{recv_stream_with, send_stream_with, set_nonblocking};
use taskq_wire::frame::Source;

/// An attempt that has begun.
#[derive(Debug)]
pub struct Job {
    /// Which attempt it is.
    pub attempt: AttemptId,
    /// The user's name of the task.
    pub label: String,
    /// How often the task has begun, this time included.
    pub tries: u32,
    /// The function.
    pub fun: Fun,
    /// The serialized rest of the call.
    pub call: Payload,
    /// Outcomes of other tasks, whose values are arguments besides, by the names of these.
    pub given: Vec<(String, Payload)>,
}

/// A function as a session has it.
#[derive(Clone, Debug)]
pub struct Fun {
    /// Its number.
    pub id: u64,
    /// Nothing in it can be changed by running it.
    pub is_pure: bool,
    /// Where the session keeps it, if it does: a number below [`PLACES`](taskq_wire::memory::PLACES).
    pub place: Option<usize>,
    /// The serialized function; `None` when it was spent.
    pub payload: Option<Arc<Payload>>,
}

/// Sends both, one after the other, and the descriptors with the first byte.
pub(super) fn write_all(
    socket: &OwnedFd,
    mut head: &[u8],
    mut payload: &[u8],
    mut descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    while !head.is_empty() || !payload.is_empty() {
        let parts = [IoSlice::new(head), IoSlice::new(payload)];
        match send_stream_with(socket, &parts, descriptors) {
            // The socket waits, unless somebody has set it not to.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                set_nonblocking(socket, false)?;
            }
            sent => {
                let sent = sent?;
                descriptors = &[];
                let of_head = sent.min(head.len());
                head = &head[of_head..];
                payload = &payload[sent - of_head..];
            }
        }
    }
    Ok(())
}

/// The task socket as a source of frames.
pub(super) struct Stream<'a>(pub(super) &'a OwnedFd);

impl Source for Stream<'_> {
    fn receive(
        &mut self,
        buffer: &mut [u8],
        descriptors: &mut VecDeque<OwnedFd>,
    ) -> io::Result<usize> {
        recv_stream_with(self.0, buffer, descriptors)
    }
}
