//! Frames: a message and its payload on a byte stream.
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 2 | `tq` |
//! | 2 | 1 | [`VERSION`] |
//! | 3 | 1 | how many descriptors come with the first byte of the frame; at most 253 |
//! | 4 | 4 | length of the message, little endian |
//! | 8 | 8 | length of the payload, little endian |
//! | 16 | … | the message in postcard's format, then the payload |
//!
//! [`encode_head`] writes everything but the payload, which its owner sends from where it lies. [`Decoder`] takes bytes
//! in any chunks and gives back whole frames; a large payload is read straight into its final place. Lengths are
//! checked before memory is asked for, and memory is asked for fallibly: a broken peer costs an error, never the
//! process.
//!
//! Descriptors come beside the stream, in the order of the frames. They are handed over with their frame; a frame with
//! fewer than it says, and some that no frame asks for, are errors, and dropping the decoder closes what it holds.

mod decoder;

use std::os::fd::OwnedFd;

use serde::Serialize;

use crate::error::WireError;
use crate::VERSION;

pub use decoder::{Decoded, Decoder, Source};

/// Bytes before the message.
pub const HEADER: usize = 16;
/// No message is longer: it holds ids, numbers and one user-given name.
pub const MAX_MESSAGE: u32 = 1 << 20;
/// No payload is longer: 1 TiB.
pub const MAX_PAYLOAD: u64 = 1 << 40;
/// No frame carries more descriptors: the kernel's limit for one message on a socket.
pub const MAX_DESCRIPTORS: usize = 253;

/// Appends the header and the message of a frame to `out`; `payload_len` bytes of payload must follow on the stream,
/// and this number of descriptors must come with its first byte.
///
/// # Errors
/// [`WireError::TooLong`] when message or payload are beyond their limits, [`WireError::Descriptors`] when there are
/// too many of these; `out` is then unchanged.
pub fn encode_head<M: Serialize>(
    message: &M,
    payload_len: u64,
    descriptors: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let Some(count) = u8::try_from(descriptors)
        .ok()
        .filter(|_| descriptors <= MAX_DESCRIPTORS)
    else {
        return Err(WireError::Descriptors {
            came: descriptors,
            wanted: MAX_DESCRIPTORS,
        });
    };
    if payload_len > MAX_PAYLOAD {
        return Err(WireError::TooLong {
            length: payload_len,
            limit: MAX_PAYLOAD,
        });
    }
    let start = out.len();
    out.extend_from_slice(&[b't', b'q', VERSION, count, 0, 0, 0, 0]);
    out.extend_from_slice(&payload_len.to_le_bytes());
    let mut buffer =
        postcard::to_extend(message, std::mem::take(out)).map_err(WireError::Encode)?;
    std::mem::swap(out, &mut buffer);
    let length = out.len() - start - HEADER;
    match u32::try_from(length) {
        Ok(short) if short <= MAX_MESSAGE => {
            out[start + 4..start + 8].copy_from_slice(&short.to_le_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(WireError::TooLong {
                length: length as u64,
                limit: u64::from(MAX_MESSAGE),
            })
        }
    }
}

/// A whole frame.
#[derive(Debug)]
pub struct Frame<M> {
    /// Its message.
    pub message: M,
    /// Its payload, perhaps empty.
    pub payload: Vec<u8>,
    /// The descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_beyond_the_limits_are_refused() {
        let mut bytes = vec![1];
        let refused = encode_head(&"m", MAX_PAYLOAD + 1, 0, &mut bytes);
        assert!(matches!(refused, Err(WireError::TooLong { .. })));
        let long = "x".repeat(MAX_MESSAGE as usize + 1);
        assert!(matches!(
            encode_head(&long, 0, 0, &mut bytes),
            Err(WireError::TooLong { .. })
        ));
        assert!(matches!(
            encode_head(&"m", 0, MAX_DESCRIPTORS + 1, &mut bytes),
            Err(WireError::Descriptors { .. })
        ));
        assert_eq!(bytes, [1]);
    }
}
