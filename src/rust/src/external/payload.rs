//! The part of `taskq.h` for the bytes of payloads.

use std::os::raw::c_int;

use taskq_payload::payload::Payload;

use super::{border, Bytes};

/// 0 when there is no memory for them.
#[no_mangle]
unsafe extern "C" fn tq_payload_bytes(payload: *const Payload, bytes: *mut Bytes) -> c_int {
    // SAFETY: a payload that the C side holds, or has from what it holds; the other is on its stack.
    let (payload, bytes) = unsafe { (&*payload, &mut *bytes) };
    border(0, || match payload.bytes_at_hand() {
        Ok(found) => {
            *bytes = found.into();
            1
        }
        Err(_) => 0,
    })
}
