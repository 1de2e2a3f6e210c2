//! A payload as one string of bytes, for those who cannot pass descriptors: a file, a database, another machine.
//!
//! All numbers are little endian:
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 3 | `tqp` |
//! | 3 | 1 | [`VERSION`] |
//! | 4 | 1 | 1 when its own bytes were in a memory file, and are to be in one again; otherwise 0 |
//! | 5 | 1 | how many segments it has |
//! | 6 | 1 | how many parcels; with the segments and a file of its own as many as a frame can carry |
//! | 7 | 1 | 0 |
//! | 8 | 8 each | the lengths of its own bytes, of each segment, of each parcel |
//! | ... | ... | these bytes, one after the other, and nothing behind them |
//!
//! Owns this form. The bytes of a payload are as opaque here as everywhere in this crate; whoever stores or sends them
//! has to see to it that they come back unchanged. Segments that two payloads share are written with each of them.

use std::io::{self, Write};
use std::sync::Arc;

use taskq_wire::frame::MAX_DESCRIPTORS;

use crate::parcel::Parcel;
use crate::payload::Payload;
use crate::sealed::{copy_of, sealed_of};
use crate::segment::Segment;

/// The version of the form. Bytes may be read years after they were written: a new version reads the one before, too.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 3] = *b"tqp";
/// Bytes before the lengths.
const HEADER: usize = 8;
/// Bytes of a length.
const LENGTH: usize = 8;

/// Why bytes are no payload, or a payload cannot be written as bytes.
#[derive(Debug, thiserror::Error)]
pub enum PortableError {
    /// They do not begin as a payload does, or say what cannot be.
    #[error("these bytes are no payload")]
    Malformed,
    /// They are of a version that is not known here.
    #[error("the payload is of version {found} of its form, this taskq reads version {VERSION}")]
    Version {
        /// Their version.
        found: u8,
    },
    /// There are fewer or more of them than they say.
    #[error("the payload has {found} bytes instead of {expected}")]
    Length {
        /// How many there are.
        found: u64,
        /// How many there should be.
        expected: u64,
    },
    /// It refers to more than can be sent.
    #[error("the payload has more parts than can be sent")]
    TooMany,
    /// There is no memory, or no memory file, for it.
    #[error("cannot hold the payload")]
    System(#[from] io::Error),
}

/// The payload as bytes.
///
/// # Errors
/// There is no memory for them, or what they are made of cannot be read.
pub fn encode(payload: &Payload) -> Result<Vec<u8>, PortableError> {
    let parts = parts_of(payload)?;
    let size = expected_size(parts.iter().map(|part| part.len() as u64));
    let size = size.and_then(|size| usize::try_from(size).ok());
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size.ok_or_else(no_memory)?)
        .map_err(|_| no_memory())?;
    write(payload, &mut bytes)?;
    Ok(bytes)
}

/// Writes the payload as bytes.
///
/// # Errors
/// As of [`encode`], or of the writing.
pub fn write(payload: &Payload, to: &mut impl Write) -> Result<(), PortableError> {
    let count = |count: usize| u8::try_from(count).map_err(|_| PortableError::TooMany);
    let header = Header {
        in_file: payload.is_in_file(),
        segments: count(payload.attached().len())?,
        parcels: count(payload.parcels().len())?,
    };
    to.write_all(&header.encode()?)?;
    let parts = parts_of(payload)?;
    for part in &parts {
        to.write_all(&(part.len() as u64).to_le_bytes())?;
    }
    for part in &parts {
        to.write_all(part)?;
    }
    Ok(())
}

/// The payload in these bytes, as if it had been made here: it can be looked at and sent. Nothing that they say is
/// believed, and not more memory is taken than they are long.
///
/// # Errors
/// They are no payload, or there is no room for it.
pub fn decode(bytes: &[u8]) -> Result<Payload, PortableError> {
    let (header, rest) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(PortableError::Malformed)?;
    let header = Header::decode(*header)?;
    let count = 1 + usize::from(header.segments) + usize::from(header.parcels);
    if rest.len() < count * LENGTH {
        return Err(PortableError::Malformed);
    }
    let (lengths, contents) = rest.split_at(count * LENGTH);
    let mut parts = cut(lengths, contents)?.into_iter();
    let own = parts.next().unwrap_or_default();
    let payload = match header.in_file.then(|| sealed_of(own)).transpose() {
        Ok(Some(file)) => file.into(),
        // Its own bytes can do without a file; those of the others cannot.
        Ok(None) | Err(_) => copy_of(own)?.into(),
    };
    let segments = parts.by_ref().take(usize::from(header.segments));
    let segments = segments.map(|part| Segment::new(sealed_of(part)?));
    let segments: io::Result<Vec<Arc<Segment>>> = segments.collect();
    let payload = Payload::with_attached(payload, segments?);
    let parcels = parts.map(|part| Ok(Arc::new(Parcel::from(sealed_of(part)?))));
    let parcels: io::Result<Vec<Arc<Parcel>>> = parcels.collect();
    Ok(payload.with_parcels(parcels?))
}

#[derive(Clone, Copy, Debug)]
struct Header {
    in_file: bool,
    segments: u8,
    parcels: u8,
}

impl Header {
    fn encode(self) -> Result<[u8; HEADER], PortableError> {
        self.check()?;
        let [t, q, p] = MAGIC;
        let in_file = u8::from(self.in_file);
        Ok([t, q, p, VERSION, in_file, self.segments, self.parcels, 0])
    }

    fn decode(bytes: [u8; HEADER]) -> Result<Header, PortableError> {
        let [t, q, p, found, in_file, segments, parcels, zero] = bytes;
        if [t, q, p] != MAGIC {
            return Err(PortableError::Malformed);
        }
        if found != VERSION {
            return Err(PortableError::Version { found });
        }
        if in_file > 1 || zero != 0 {
            return Err(PortableError::Malformed);
        }
        let header = Header {
            in_file: in_file == 1,
            segments,
            parcels,
        };
        header.check()?;
        Ok(header)
    }

    fn check(self) -> Result<(), PortableError> {
        let files = [u8::from(self.in_file), self.segments, self.parcels];
        if files.map(usize::from).iter().sum::<usize>() > MAX_DESCRIPTORS {
            return Err(PortableError::TooMany);
        }
        Ok(())
    }
}

/// Its own bytes, and those of its segments and parcels.
fn parts_of(payload: &Payload) -> io::Result<Vec<&[u8]>> {
    let mut parts = vec![payload.bytes()?];
    parts.extend(payload.attached().iter().map(|segment| segment.bytes()));
    for parcel in payload.parcels() {
        parts.push(parcel.content()?);
    }
    Ok(parts)
}

/// How many bytes a payload has whose parts have these lengths; none when that is beyond all numbers.
fn expected_size(lengths: impl IntoIterator<Item = u64>) -> Option<u64> {
    let mut lengths = lengths.into_iter();
    lengths.try_fold(HEADER as u64, |sum, length| {
        sum.checked_add(length)?.checked_add(LENGTH as u64)
    })
}

/// The parts of these lengths, which are all of the contents.
fn cut<'a>(lengths: &[u8], mut contents: &'a [u8]) -> Result<Vec<&'a [u8]>, PortableError> {
    let number = |bytes: &[u8]| bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
    let lengths: Vec<u64> = lengths.chunks_exact(LENGTH).map(number).collect();
    let found = (HEADER + lengths.len() * LENGTH + contents.len()) as u64;
    let expected = expected_size(lengths.iter().copied()).ok_or(PortableError::Malformed)?;
    if found != expected {
        return Err(PortableError::Length { found, expected });
    }
    let mut parts = Vec::with_capacity(lengths.len());
    for length in lengths {
        // They add up to what there is, so each of them fits.
        let (part, rest) = contents.split_at(length as usize);
        parts.push(part);
        contents = rest;
    }
    Ok(parts)
}

fn no_memory() -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}
