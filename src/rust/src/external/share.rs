//! The part of `taskq.h` for vectors over mapped memory: segments of shared ones are written, held, attached to what
//! is serialized, and found again in what has come; so are parcels of others, which [`buffer`](crate::buffer) writes.
//!
//! C holds either by a box of a counted reference, one for each holder.

use std::os::raw::{c_int, c_void};
use std::sync::Arc;

use taskq_payload::mapping::PrivateMapping;
use taskq_payload::parcel::Parcel;
use taskq_payload::payload::Payload;
use taskq_payload::segment::{self, Segment};

use super::{border, Bytes};
use crate::buffer::Buffer;

#[no_mangle]
unsafe extern "C" fn tq_segment_hold(segment: *const c_void) -> *mut c_void {
    // SAFETY: one of ours that the C side holds, or has from what it holds.
    to_c(Arc::clone(unsafe { from_c(segment) }))
}

#[no_mangle]
unsafe extern "C" fn tq_segment_free(segment: *mut c_void) {
    if !segment.is_null() {
        // SAFETY: one of `to_c`'s, freed once.
        drop(unsafe { Box::from_raw(segment.cast::<Arc<Segment>>()) });
    }
}

#[no_mangle]
unsafe extern "C" fn tq_segment_bytes(segment: *const c_void, bytes: *mut Bytes) {
    // SAFETY: held by the C side; the other is on its stack.
    unsafe { bytes.write(from_c(segment).bytes().into()) };
}

/// Pages of a segment that can be written without anybody else noticing; null where there are none.
#[no_mangle]
unsafe extern "C" fn tq_segment_private(
    segment: *const c_void,
    offset: usize,
    size: usize,
    address: *mut *mut u8,
) -> *mut c_void {
    // SAFETY: held by the C side.
    let segment = unsafe { from_c(segment) };
    border(std::ptr::null_mut(), || {
        let Ok(private) = segment.private(offset, size) else {
            return std::ptr::null_mut();
        };
        // SAFETY: on the caller's stack.
        unsafe { address.write(private.address()) };
        Box::into_raw(Box::new(private)).cast()
    })
}

/// Whether something was written there; below zero when the kernel does not tell.
#[no_mangle]
unsafe extern "C" fn tq_private_is_written(private: *const c_void) -> c_int {
    // SAFETY: held by the C side.
    let private = unsafe { &*private.cast::<PrivateMapping>() };
    border(-1, || private.is_written().map_or(-1, c_int::from))
}

#[no_mangle]
unsafe extern "C" fn tq_private_free(private: *mut c_void) {
    if !private.is_null() {
        // SAFETY: one of `tq_segment_private`'s, freed once.
        drop(unsafe { Box::from_raw(private.cast::<PrivateMapping>()) });
    }
}

/// The place of a segment among those that go with what is being serialized; below zero when it cannot go with it.
#[no_mangle]
unsafe extern "C" fn tq_buffer_attach(buffer: *mut c_void, segment: *const c_void) -> c_int {
    // SAFETY: the buffer that R's serializer was given to write into; on this thread only.
    let (buffer, segment) = unsafe { (&mut *buffer.cast::<Buffer>(), from_c(segment)) };
    border(-1, || {
        let place = buffer.attach(segment);
        place.map_or(-1, |place| c_int::try_from(place).unwrap_or(-1))
    })
}

/// How many segments came with a payload.
#[no_mangle]
unsafe extern "C" fn tq_payload_segments(payload: *const Payload) -> usize {
    // SAFETY: a payload that the C side holds, or has from what it holds.
    unsafe { &*payload }.attached().len()
}

/// One of them, which lives as long as the payload; null when there is no such place.
#[no_mangle]
unsafe extern "C" fn tq_payload_segment(payload: *const Payload, place: usize) -> *const c_void {
    // SAFETY: as above.
    let attached = unsafe { &*payload }.attached();
    let segment = attached.get(place);
    segment.map_or(std::ptr::null(), |segment| {
        std::ptr::from_ref(segment).cast()
    })
}

/// How many parcels of large vectors came with a payload.
#[no_mangle]
unsafe extern "C" fn tq_payload_parcels(payload: *const Payload) -> usize {
    // SAFETY: a payload that the C side holds, or has from what it holds.
    unsafe { &*payload }.parcels().len()
}

/// A hold on one of them, or on its bytes where it is to be sent: its descriptor is not held by who looks. Null when
/// there is no such place, or no memory.
#[no_mangle]
unsafe extern "C" fn tq_payload_parcel(payload: *const Payload, place: usize) -> *mut c_void {
    // SAFETY: as above.
    let parcel = unsafe { &*payload }.parcels().get(place);
    border(std::ptr::null_mut(), || {
        let held = parcel.and_then(|parcel| match parcel.received() {
            Some(_) => Some(Arc::clone(parcel)),
            None => parcel.look().ok().map(Arc::new),
        });
        held.map_or(std::ptr::null_mut(), |held| {
            Box::into_raw(Box::new(held)).cast()
        })
    })
}

/// Its bytes; 0 when there is no memory for them.
#[no_mangle]
unsafe extern "C" fn tq_parcel_bytes(parcel: *const c_void, bytes: *mut Bytes) -> c_int {
    // SAFETY: held by the C side.
    let parcel = unsafe { &*parcel.cast::<Arc<Parcel>>() };
    border(0, || {
        let Ok(content) = parcel.content() else {
            return 0;
        };
        // SAFETY: on the caller's stack.
        unsafe { bytes.write((&**content).into()) };
        1
    })
}

/// Makes its bytes writable where they are; 0 when others hold it, too, or there is no memory.
#[no_mangle]
unsafe extern "C" fn tq_parcel_own(parcel: *mut c_void) -> c_int {
    // SAFETY: held by the C side, whose one thread uses it for one thing at a time.
    let parcel = unsafe { &mut *parcel.cast::<Arc<Parcel>>() };
    border(0, || {
        let alone = Arc::get_mut(parcel);
        c_int::from(alone.is_some_and(|parcel| parcel.writable().is_some()))
    })
}

#[no_mangle]
unsafe extern "C" fn tq_parcel_free(parcel: *mut c_void) {
    if !parcel.is_null() {
        // SAFETY: one of `tq_payload_parcel`'s, freed once.
        drop(unsafe { Box::from_raw(parcel.cast::<Arc<Parcel>>()) });
    }
}

/// How many segments this process has mapped.
#[no_mangle]
extern "C" fn tq_segments() -> usize {
    segment::count()
}

fn to_c(segment: Arc<Segment>) -> *mut c_void {
    Box::into_raw(Box::new(segment)).cast()
}

/// # Safety
/// One of [`to_c`]'s, or a place of [`tq_payload_segment`], that lives as long as it is used.
unsafe fn from_c<'a>(segment: *const c_void) -> &'a Arc<Segment> {
    // SAFETY: see above.
    unsafe { &*segment.cast::<Arc<Segment>>() }
}
