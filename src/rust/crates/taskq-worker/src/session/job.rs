//! An attempt as it travels: taken out of a frame, and its result put on the socket.

use std::io::{self, IoSlice, Read};
use std::os::fd::OwnedFd;

use taskq_core::id::AttemptId;
use taskq_sys::socket::{recv_stream, send_stream, set_nonblocking};

use crate::error::SessionError;

/// An attempt that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which attempt it is.
    pub attempt: AttemptId,
    /// The user's name of the task.
    pub label: String,
    /// How often the task has begun, this time included.
    pub tries: u32,
    /// The serialized function, then the serialized rest of the call.
    pub payload: Vec<u8>,
    /// How many bytes of the payload are the function.
    pub fun_len: usize,
}

/// Makes a job of what a frame holds.
pub(super) fn job(
    attempt: AttemptId,
    label: String,
    tries: u32,
    fun_len: u64,
    payload: Vec<u8>,
) -> Result<Job, SessionError> {
    match usize::try_from(fun_len) {
        Ok(len) if len <= payload.len() => Ok(Job {
            attempt,
            label,
            tries,
            payload,
            fun_len: len,
        }),
        _ => Err(SessionError::FunctionLength {
            fun_len,
            payload_len: payload.len(),
        }),
    }
}

/// Sends both, one after the other.
pub(super) fn write_all(socket: &OwnedFd, mut head: &[u8], mut payload: &[u8]) -> io::Result<()> {
    while !head.is_empty() || !payload.is_empty() {
        match send_stream(socket, &[IoSlice::new(head), IoSlice::new(payload)]) {
            // The socket waits, unless somebody has set it not to.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                set_nonblocking(socket, false)?;
            }
            sent => {
                let sent = sent?;
                let of_head = sent.min(head.len());
                head = &head[of_head..];
                payload = &payload[sent - of_head..];
            }
        }
    }
    Ok(())
}

/// The task socket as a source of bytes.
pub(super) struct Stream<'a>(pub(super) &'a OwnedFd);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        recv_stream(self.0, buffer)
    }
}
