//! The bytes of the portable form, so that they do not change by accident; and what comes of bytes that are damaged.

use std::sync::Arc;

use proptest::prelude::*;
use taskq_payload::parcel::Parcel;
use taskq_payload::payload::Payload;
use taskq_payload::portable::{decode, encode, PortableError, VERSION};
use taskq_payload::sealed::{Growing, Sealed};
use taskq_payload::segment::Segment;

fn sealed(bytes: &[u8]) -> Sealed {
    let mut file = Growing::create("test").expect("memory files");
    file.write(bytes).expect("memory");
    file.seal().expect("sealed")
}

fn payload(own: &[u8], in_file: bool, segments: &[Vec<u8>], parcels: &[Vec<u8>]) -> Payload {
    let payload = if in_file {
        Payload::from(sealed(own))
    } else {
        Payload::from(own.to_vec())
    };
    let segments = segments.iter().map(|bytes| Segment::new(sealed(bytes)));
    let segments = segments.collect::<Result<_, _>>().expect("mapped");
    let parcels = parcels.iter().map(|bytes| Arc::new(sealed(bytes).into()));
    payload
        .with_attached(segments)
        .with_parcels(parcels.collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// That two payloads are the same to whoever gets them, and as ready to be sent.
#[track_caller]
fn assert_same(one: &Payload, other: &Payload) {
    assert_eq!(one.part(), other.part());
    assert_eq!(one.descriptors().count(), other.descriptors().count());
    assert_eq!(one.bytes().expect("bytes"), other.bytes().expect("bytes"));
    let segments = |payload: &Payload| -> Vec<Vec<u8>> {
        let segments = payload.attached().iter();
        segments.map(|segment| segment.bytes().to_vec()).collect()
    };
    assert_eq!(segments(one), segments(other));
    let content = |parcel: &Arc<Parcel>| parcel.content().expect("content").to_vec();
    let parcels =
        |payload: &Payload| -> Vec<Vec<u8>> { payload.parcels().iter().map(content).collect() };
    assert_eq!(parcels(one), parcels(other));
}

#[track_caller]
fn portable_is(payload: &Payload, golden: &str) {
    let bytes = encode(payload).expect("encoded");
    assert_eq!(hex(&bytes), golden);
    assert_same(&decode(&bytes).expect("ours"), payload);
}

#[test]
fn these_bytes_belong_to_version_1() {
    assert_eq!(VERSION, 1);
    portable_is(&Payload::default(), "74717001000000000000000000000000");
    portable_is(
        &Payload::from(b"abc".to_vec()),
        "74717001000000000300000000000000616263",
    );
    let all = payload(
        b"abc",
        true,
        &[b"segment".to_vec()],
        &[b"one".to_vec(), Vec::new()],
    );
    let golden = [
        "7471700101010200",
        "0300000000000000",
        "0700000000000000",
        "0300000000000000",
        "0000000000000000",
        "616263",
        "7365676d656e74",
        "6f6e65",
    ];
    portable_is(&all, &golden.concat());
}

#[test]
fn what_came_and_cannot_be_sent_again_can_be_kept() {
    let mut all = payload(b"abc", true, &[], &[b"one".to_vec()]);
    all.retire();
    assert_eq!(all.descriptors().count(), 0);
    let again = decode(&encode(&all).expect("encoded")).expect("ours");
    assert_eq!(again.bytes().expect("bytes"), b"abc");
    assert_eq!(again.descriptors().count(), 2);
}

#[test]
fn bytes_that_are_no_payload_are_named_errors() {
    let good = encode(&payload(b"abc", false, &[], &[b"one".to_vec()])).expect("encoded");
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        decode(&bytes).expect_err("damaged")
    };
    for at in [0, 4, 7] {
        assert!(matches!(with(at, 9), PortableError::Malformed), "{at}");
    }
    assert!(matches!(with(3, 2), PortableError::Version { found: 2 }));
    assert!(matches!(with(6, 254), PortableError::TooMany));
    assert!(matches!(with(6, 253), PortableError::Malformed));
    assert!(matches!(with(8, 4), PortableError::Length { .. }));
    assert!(matches!(with(15, 1), PortableError::Length { .. }));
    let mut beyond = good.clone();
    beyond[8..24].fill(0xff);
    assert!(matches!(
        decode(&beyond).expect_err("beyond all numbers"),
        PortableError::Malformed
    ));
    for len in 0..good.len() {
        assert!(decode(&good[..len]).is_err(), "{len}");
    }
}

fn vectors() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..4)
}

/// One change of some bytes: others in their place, a part less, or some more.
fn damaged(bytes: &[u8], at: prop::sample::Index, kind: u8, byte: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at.index(bytes.len());
    match kind {
        0 => bytes[at] = byte,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, byte),
        _ => drop(bytes.remove(at)),
    }
    bytes
}

proptest! {
    #[test]
    fn a_payload_survives_the_round_trip(
        own in prop::collection::vec(any::<u8>(), 0..200),
        in_file in any::<bool>(),
        segments in vectors(),
        parcels in vectors(),
    ) {
        let payload = payload(&own, in_file, &segments, &parcels);
        assert_same(&decode(&encode(&payload).expect("encoded")).expect("ours"), &payload);
    }

    /// Damaged bytes are an error, or exactly the bytes of what they are read as: nothing is made up, or left over.
    #[test]
    fn damaged_bytes_are_an_error_or_another_payload(
        segments in vectors(),
        parcels in vectors(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&payload(b"own", true, &segments, &parcels)).expect("encoded");
        for (at, kind, byte) in changes {
            if !bytes.is_empty() {
                bytes = damaged(&bytes, at, kind, byte);
            }
        }
        if let Ok(other) = decode(&bytes) {
            prop_assert_eq!(encode(&other).expect("encoded"), bytes);
        }
    }

    #[test]
    fn noise_is_an_error(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Some(start) = bytes.first_chunk_mut::<4>() {
            *start = [b't', b'q', b'p', VERSION];
        }
        if let Ok(payload) = decode(&bytes) {
            prop_assert_eq!(encode(&payload).expect("encoded"), bytes);
        }
    }
}
