//! A growing buffer that R serializes into. Running out of memory is told, so that R can report it; it does not abort.
//!
//! It begins in memory. What becomes large goes on in a memory file, which another process can map; and comes back to
//! memory when the file cannot grow. Shared vectors are not written into it: their segments are attached. Neither are
//! other vectors that are large: they go along in [parcels](crate::parcels).

use std::os::raw::{c_int, c_void};
use std::slice;
use std::sync::Arc;

use taskq_payload::payload::Payload;
use taskq_payload::sealed::Growing;
use taskq_payload::segment::Segment;
use taskq_sys::feature::{available, Feature};

use crate::external::border;
use crate::parcels::Parcels;

/// What is larger goes through a memory file: about here mapping one is cheaper than two copies through a socket.
const LARGE: usize = 256 * 1024;
/// A function is sent many times and kept for that; its file would be open all the while.
const LARGE_FUNCTION: usize = 8 << 20;
/// From this number of bytes on a vector goes in a parcel. From half of that on, making and mapping a file costs less
/// than to copy it once more; but it is a descriptor more.
const LARGE_VECTOR: usize = 512 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    body: Body,
    attached: Vec<Arc<Segment>>,
    parcels: Parcels,
    /// How many segments and parcels may go along.
    limit: usize,
    /// What is larger becomes a file.
    large: usize,
}

#[derive(Debug)]
enum Body {
    /// All of it. `true`: there is no file for it, or none any more.
    Memory(Vec<u8>, bool),
    /// All of it.
    File(Growing),
}

impl Default for Body {
    fn default() -> Body {
        Body::Memory(Vec::new(), false)
    }
}

/// How many files of vectors may go with what is serialized: those of a task's function and of its call share a frame.
const MOST_FILES: usize = 200;
const MOST_FILES_OF_FUNCTION: usize = 50;

impl Buffer {
    /// For anything but a function.
    pub(crate) fn of_call() -> Buffer {
        Buffer {
            limit: MOST_FILES,
            large: LARGE,
            ..Buffer::default()
        }
    }

    pub(crate) fn of_function() -> Buffer {
        Buffer {
            limit: MOST_FILES_OF_FUNCTION,
            large: LARGE_FUNCTION,
            ..Buffer::default()
        }
    }

    /// The place of a segment among those that are attached; `None` when it cannot be sent along.
    pub(crate) fn attach(&mut self, segment: &Arc<Segment>) -> Option<usize> {
        let same = |known: &Arc<Segment>| Arc::ptr_eq(known, segment);
        if let Some(place) = self.attached.iter().position(same) {
            return Some(place);
        }
        if !self.has_room() || segment.descriptor().is_none() {
            return None;
        }
        self.attached.push(Arc::clone(segment));
        Some(self.attached.len() - 1)
    }

    /// What was written; `None` when there is no memory for it after all.
    pub(crate) fn finish(self) -> Option<Payload> {
        let payload = self.body.finish()?.with_attached(self.attached);
        Some(payload.with_parcels(self.parcels.finish()?))
    }

    /// Appends bytes; false when there is no memory for them.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.body.write(bytes, self.large)
    }

    /// Whether one more segment or parcel may go along.
    fn has_room(&self) -> bool {
        self.attached.len() + self.parcels.count() < self.limit
    }

    /// Its parcels, and whether one more may go along.
    pub(crate) fn parcels(&mut self) -> (&mut Parcels, bool) {
        let may_add = self.has_room();
        (&mut self.parcels, may_add)
    }

    /// From how many bytes on vectors are to go in parcels; none when there is no room for more.
    pub(crate) fn parcels_from(&self) -> usize {
        if self.parcels.is_full() || !available(Feature::Memfd) {
            return usize::MAX;
        }
        self.large.max(LARGE_VECTOR)
    }
}

impl Body {
    /// Appends bytes; false when there is no memory for them.
    fn write(&mut self, bytes: &[u8], large: usize) -> bool {
        match self {
            Body::Memory(held, stays) => {
                if !*stays && held.len() + bytes.len() > large {
                    match move_to_file(held) {
                        Some(file) => {
                            *self = Body::File(file);
                            return self.write(bytes, large);
                        }
                        None => *stays = true,
                    }
                }
                append(held, bytes)
            }
            Body::File(file) => {
                file.write(bytes).is_ok() || (self.return_to_memory() && self.write(bytes, large))
            }
        }
    }

    fn return_to_memory(&mut self) -> bool {
        match std::mem::take(self) {
            Body::File(file) => {
                let held = file.into_memory();
                let is_whole = held.is_some();
                *self = Body::Memory(held.unwrap_or_default(), true);
                is_whole
            }
            memory @ Body::Memory(..) => {
                *self = memory;
                true
            }
        }
    }

    fn finish(self) -> Option<Payload> {
        match self {
            Body::Memory(held, _) => Some(held.into()),
            Body::File(file) => match file.seal() {
                Ok(sealed) => Some(sealed.into()),
                Err(file) => file.into_memory().map(Payload::from),
            },
        }
    }
}

fn move_to_file(held: &[u8]) -> Option<Growing> {
    let mut file = Growing::create("taskq-payload")?;
    file.write(held).ok()?;
    Some(file)
}

fn append(held: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if held.try_reserve(bytes.len()).is_err() {
        return false;
    }
    held.extend_from_slice(bytes);
    true
}

/// Appends bytes; 0 when there is no memory for them.
///
/// # Safety
/// `buffer` is a [`Buffer`] that is written; `bytes` points to `length` readable bytes.
#[no_mangle]
pub(crate) unsafe extern "C" fn tq_buffer_write(
    buffer: *mut c_void,
    bytes: *const c_void,
    length: usize,
) -> c_int {
    // SAFETY: see above; R serializes on one thread, so the buffer has no other holder.
    let (buffer, bytes) = unsafe { (at(buffer), slice::from_raw_parts(bytes.cast(), length)) };
    border(0, || c_int::from(buffer.write(bytes)))
}

/// # Safety
/// A buffer that is written, and not used otherwise meanwhile: R serializes on one thread.
unsafe fn at<'a>(buffer: *mut c_void) -> &'a mut Buffer {
    // SAFETY: see above.
    unsafe { &mut *buffer.cast::<Buffer>() }
}
