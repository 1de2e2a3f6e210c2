//! Large vectors that leave what R serializes: each goes into a memory file of its own, so that whoever gets one and
//! lets go of it frees its memory, and need not unserialize it.
//!
//! Descriptors are scarce: where there are many vectors, or few descriptors left, the vectors of one buffer share a
//! file. Where there is no memory for a file the vector is serialized as any other.

use std::sync::Arc;

use extendr_ffi::SEXPTYPE;
use taskq_payload::budget::are_scarce;
use taskq_payload::parcel::Parcel;
use taskq_payload::sealed::Growing;

use crate::buffer::Buffer;
use crate::r::{Answer, Object, Scope};
use crate::vectors::with_vectors;

/// How many vectors of a buffer have files of their own.
const ALONE: usize = 16;
/// A vector begins at a multiple of this.
const ALIGN: u64 = 64;

/// How many levels deep lists are looked into. The first two are ours: what a task has, and its arguments.
const DEPTH: usize = 8;
/// How many bytes are written between two looks for an interrupt.
const PIECE: usize = 16 << 20;

/// The object to serialize into a buffer instead of `object`: the same, with its large vectors in parcels that go
/// along, and markers instead (`src/parcels.c`); or the object itself.
///
/// Only vectors that R would write out in any case go in parcels: not what R or a package has its own short form of.
pub(crate) fn with_parcels<'s>(
    scope: &'s Scope,
    buffer: &mut Buffer,
    object: Object<'s>,
) -> Answer<Object<'s>> {
    let from = buffer.parcels_from();
    if from == usize::MAX || !has_large(object, DEPTH, from) {
        return Ok(object);
    }
    with_vectors(scope, object, DEPTH, &mut |scope, vector| {
        marker_for(scope, buffer, vector)
    })
}

fn is_large(object: Object<'_>, from: usize) -> bool {
    let size = object.element_size().unwrap_or(0) * object.length();
    object.kind() != SEXPTYPE::STRSXP && size >= from && object.elements_at_hand().is_some()
}

fn has_large(object: Object<'_>, depth: usize, from: usize) -> bool {
    if !object.is_list() {
        return object.is_atomic() && is_large(object, from);
    }
    let mut elements = object.elements_of_list();
    let may_look = depth > 0 && object.is_ordinary_list();
    may_look && elements.any(|element| has_large(element, depth - 1, from))
}

/// When there is no room for it, it stays.
fn marker_for<'s>(scope: &'s Scope, buffer: &mut Buffer, vector: Object<'s>) -> Answer<Object<'s>> {
    let from = buffer.parcels_from();
    if from == usize::MAX || !is_large(vector, from) {
        return Ok(vector);
    }
    let Some(elements) = vector.elements_at_hand() else {
        return Ok(vector);
    };
    let (parcels, may_add) = buffer.parcels();
    if !parcels.begin(may_add) {
        return Ok(vector);
    }
    for (number, piece) in elements.chunks(PIECE).enumerate() {
        if number > 0 {
            scope.check_interrupt()?;
        }
        if !parcels.write(piece) {
            return Ok(vector);
        }
    }
    let Some((place, offset)) = parcels.end() else {
        return Ok(vector);
    };
    let kind = f64::from(vector.kind() as u32);
    let state = [kind, place as f64, offset as f64, vector.length() as f64];
    Ok(scope.marker(&state)?)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Parcels {
    files: Vec<Growing>,
    /// The file for those that have none of their own.
    common: Option<usize>,
    open: Option<Open>,
    /// There was no room for one.
    is_full: bool,
}

/// A vector that is being written.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: usize,
    /// Where in the file it begins.
    offset: u64,
}

impl Parcels {
    /// How many files there are.
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }

    /// Whether no more vectors can go this way.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Begins a vector. `may_add`: a file more may go along. False when there is no room for it.
    pub(crate) fn begin(&mut self, may_add: bool) -> bool {
        self.open = self.make_room(may_add);
        self.is_full = self.open.is_none();
        !self.is_full
    }

    fn make_room(&mut self, may_add: bool) -> Option<Open> {
        let is_alone = may_add && self.files.len() < ALONE && !are_scarce();
        if let Some(place) = self.common.filter(|_| !is_alone) {
            let offset = self.files[place].align(ALIGN).ok()?;
            return Some(Open { place, offset });
        }
        if !may_add {
            return None;
        }
        self.files.push(Growing::create("taskq-payload")?);
        let place = self.files.len() - 1;
        if !is_alone {
            self.common = Some(place);
        }
        Some(Open { place, offset: 0 })
    }

    /// Appends to the vector. False when there is no memory: it is gone then, and no other goes this way.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.with_open(|file| file.write(bytes).is_ok())
    }

    /// The vector is complete: in which of the files, and where. `None` when there is no memory for the last of it;
    /// as above.
    pub(crate) fn end(&mut self) -> Option<(usize, u64)> {
        let is_whole = self.with_open(|file| file.flush().is_ok());
        let open = self.open.take().filter(|_| is_whole)?;
        Some((open.place, open.offset))
    }

    fn with_open(&mut self, write: impl FnOnce(&mut Growing) -> bool) -> bool {
        let Some(open) = self.open else {
            return false;
        };
        if write(&mut self.files[open.place]) {
            return true;
        }
        // What others have in a file before this one is whole.
        if open.offset == 0 {
            self.files.truncate(open.place);
            self.common = self.common.filter(|&place| place < open.place);
        }
        self.open = None;
        self.is_full = true;
        false
    }

    /// All of them, to be sent. `None` when there is no memory after all.
    pub(crate) fn finish(self) -> Option<Vec<Arc<Parcel>>> {
        let seal = |file: Growing| file.seal().ok().map(|sealed| Arc::new(sealed.into()));
        self.files.into_iter().map(seal).collect()
    }
}
