//! What must hold for any bytes: an error or a message, no panic, and no more memory than bytes came. Shared with the
//! fuzz target in `src/rust/fuzz`.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;
use serde::Serialize;
use taskq_wire::board::Board;
use taskq_wire::frame::{encode_head, Decoded, Decoder, Source, MAX_DESCRIPTORS};
use taskq_wire::message::{
    FromControl, FromSession, FromSupervisor, FromZygote, Setup, ToControl, ToSession,
    ToSupervisor, ToZygote,
};
use taskq_wire::packet;
use taskq_wire::serialized::{look, Soundness};

/// All that reads bytes of the other side reads these.
pub(crate) fn everything(bytes: &[u8]) {
    frames::<ToSession>(bytes);
    frames::<FromSession>(bytes);
    frames::<Setup>(bytes);
    with_descriptors(bytes);
    a_packet::<ToZygote>(bytes);
    a_packet::<FromZygote>(bytes);
    a_packet::<ToSupervisor>(bytes);
    a_packet::<FromSupervisor>(bytes);
    a_packet::<ToControl>(bytes);
    a_packet::<FromControl>(bytes);
    a_board(bytes);
    an_object(bytes);
}

/// Comes in portions whose sizes the bytes themselves determine.
struct InPortions<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Read for InPortions<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let portion = rest.first().map_or(0, |byte| 1 + usize::from(*byte) * 7);
        let size = portion.min(rest.len()).min(buffer.len());
        buffer[..size].copy_from_slice(&rest[..size]);
        self.at += size;
        Ok(size)
    }
}

fn frames<M: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let whole = decoded::<M>(&mut &*bytes, bytes.len());
    let portions = decoded::<M>(&mut InPortions { bytes, at: 0 }, bytes.len());
    assert_eq!(
        whole, portions,
        "how the bytes were cut made a difference to {bytes:02x?}"
    );
    for (message, payload) in &whole {
        let mut again = Vec::new();
        if encode_head(message, payload.len() as u64, 0, &mut again).is_ok() {
            again.extend_from_slice(payload);
            let once_more = decoded::<M>(&mut &again[..], again.len());
            assert_eq!(once_more.len(), 1);
            assert_eq!((&once_more[0].0, &once_more[0].1), (message, payload));
        }
    }
}

/// The frames up to the end or the first error.
fn decoded<M: DeserializeOwned>(source: &mut impl Read, length: usize) -> Vec<(M, Vec<u8>)> {
    let mut decoder = Decoder::<M>::default();
    let mut found = Vec::new();
    let mut held = 0;
    loop {
        match decoder.next_frame() {
            Err(_) => return found,
            Ok(Some(frame)) => {
                held += frame.payload.len();
                assert!(held <= length, "more payload than bytes");
                found.push((frame.message, frame.payload));
                continue;
            }
            Ok(None) => {}
        }
        match decoder.read_from(source) {
            Ok(Decoded::Read(_)) => {}
            _ => return found,
        }
    }
}

/// Comes with descriptors as the bytes themselves determine: none, some, or more than anybody may send.
struct Handing<'a> {
    bytes: InPortions<'a>,
    given: &'a UnixStream,
}

impl Source for Handing<'_> {
    fn receive(
        &mut self,
        buffer: &mut [u8],
        descriptors: &mut VecDeque<OwnedFd>,
    ) -> io::Result<usize> {
        let before = self.bytes.at;
        let size = self.bytes.read(buffer)?;
        let sum = self.bytes.bytes[before..before + size]
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        for _ in 0..sum % 8 {
            descriptors.push_back(self.given.try_clone()?.into());
        }
        Ok(size)
    }
}

/// However many descriptors come, and whatever the frames say of them: each frame has as many as it says, and none
/// stays open.
fn with_descriptors(bytes: &[u8]) {
    let (given, witness) = UnixStream::pair().expect("a pair");
    let mut source = Handing {
        bytes: InPortions { bytes, at: 0 },
        given: &given,
    };
    let mut decoder = Decoder::<FromSession>::default();
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.descriptors.len() <= MAX_DESCRIPTORS);
                continue;
            }
            Ok(None) => {}
            Err(_) => break,
        }
        if !matches!(decoder.read_from(&mut source), Ok(Decoded::Read(_))) {
            break;
        }
    }
    drop(decoder);
    drop(given);
    witness.set_nonblocking(true).expect("a flag");
    let end = (&witness).read(&mut [0]);
    assert_eq!(end.ok(), Some(0), "a descriptor is still open");
}

fn a_packet<M: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(message) = packet::decode::<M>(bytes) {
        if let Ok(again) = packet::encode(&message) {
            assert_eq!(packet::decode::<M>(&again).ok(), Some(message));
        }
    }
}

/// A board with any content. What the host reads there was written by a session, or by whatever has run in it.
fn a_board(bytes: &[u8]) {
    const SIZE: usize = std::mem::size_of::<Board>();
    let mut content = [0; SIZE];
    for (to, from) in content.iter_mut().zip(bytes) {
        *to = *from;
    }
    let mut board = MaybeUninit::<Board>::uninit();
    // SAFETY: a board consists of integers, so any bytes are one; the sizes are the same.
    let board = unsafe {
        std::ptr::copy_nonoverlapping(content.as_ptr(), board.as_mut_ptr().cast(), SIZE);
        board.assume_init()
    };
    let _ = board.begun();
    if let Some((attempt, _)) = board.begun() {
        let _ = board.elements().take_back(attempt);
    }
    if let Some(progress) = board.progress() {
        // Each invalid byte becomes a character of three.
        assert!(progress.message.len() <= 3 * taskq_wire::board::progress::MESSAGE_BYTES);
    }
}

/// An outcome. Its end is known from its bytes, so nothing that is cut off is an object, nor is anything behind one.
fn an_object(bytes: &[u8]) {
    const HEADER: &[u8] = b"B\n\x02\0\0\0\x02\x02\x04\0\0\0\x02\0";
    for bytes in [bytes, &[HEADER, bytes].concat()] {
        if look(bytes) != Soundness::Broken {
            assert_eq!(look(&bytes[..bytes.len() - 1]), Soundness::Broken);
            assert_eq!(look(&[bytes, &[0]].concat()), Soundness::Broken);
        }
    }
}
