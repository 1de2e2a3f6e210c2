//! Small control messages on a socket that keeps packet borders: one version byte, then the message in postcard's
//! format.
//!
//! Owns these bytes and their limit. Does not see the descriptors that may come along: who sends and who receives
//! counts them.

use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::error::WireError;
use crate::VERSION;

/// No packet is longer than this: both ends receive into a buffer of this size.
pub const MAX_PACKET: usize = 64 * 1024;

/// Encodes one message.
///
/// # Errors
/// [`WireError::TooLong`] when the packet would not fit into [`MAX_PACKET`] bytes.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, WireError> {
    let bytes = postcard::to_extend(message, vec![VERSION]).map_err(WireError::Encode)?;
    if bytes.len() > MAX_PACKET {
        return Err(WireError::TooLong {
            length: bytes.len() as u64,
            limit: MAX_PACKET as u64,
        });
    }
    Ok(bytes)
}

/// Decodes one packet.
///
/// # Errors
/// [`WireError`] when the version differs or the bytes are no message of this type.
pub fn decode<M: DeserializeOwned>(packet: &[u8]) -> Result<M, WireError> {
    match packet.split_first() {
        None => Err(WireError::Empty),
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(WireError::Decode),
        Some((&found, _)) => Err(WireError::Version { found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::FromSupervisor;
    use taskq_record::id::WorkerId;
    use taskq_record::ProcessEnd;

    #[test]
    fn a_packet_survives_the_round_trip() {
        let message = FromSupervisor::Exited {
            worker: WorkerId(7),
            end: ProcessEnd::Signaled { signal: 11 },
            max_rss: 1 << 33,
        };
        let packet = encode(&message).expect("small");
        assert_eq!(decode::<FromSupervisor>(&packet).expect("ours"), message);
    }

    #[test]
    fn another_version_is_named_not_guessed() {
        assert!(matches!(
            decode::<FromSupervisor>(&[VERSION + 1, 0]),
            Err(WireError::Version { .. })
        ));
        assert!(matches!(
            decode::<FromSupervisor>(&[]),
            Err(WireError::Empty)
        ));
    }
}
