//! What can be wrong with what comes from the other end, or goes there.

use std::io;

use crate::VERSION;

/// What can be wrong with received or to be sent bytes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A packet without a single byte.
    #[error("an empty packet arrived")]
    Empty,
    /// The first bytes are no frame's.
    #[error("the stream holds no frame: it starts with {found:02x?}")]
    Magic {
        /// What stands there.
        found: [u8; 2],
    },
    /// The other end speaks another version.
    #[error("the other end speaks version {found} of the protocol, this one version {VERSION}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// A length is beyond its limit.
    #[error("a length of {length} bytes is beyond the limit of {limit}")]
    TooLong {
        /// The length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// There are more or fewer descriptors than the frames say.
    #[error("{came} descriptors came where {wanted} belong")]
    Descriptors {
        /// How many are there.
        came: usize,
        /// How many should be.
        wanted: usize,
    },
    /// There is no memory for a payload.
    #[error("no memory for a payload of {length} bytes")]
    Memory {
        /// The payload's length.
        length: u64,
    },
    /// The message could not be encoded.
    #[error("cannot encode a message")]
    Encode(#[source] postcard::Error),
    /// The message could not be decoded.
    #[error("cannot decode a message")]
    Decode(#[source] postcard::Error),
}

impl From<WireError> for io::Error {
    fn from(error: WireError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}
