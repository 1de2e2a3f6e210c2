//! Where a vector lies that has come from another process, which may have said anything: what R's serializer has read
//! of it, four numbers, is looked at here before it is used. None of it calls R.

use std::ffi::{c_char, c_int, CStr};
use std::ptr::null;

use extendr_ffi::{cetype_t, SEXPTYPE};
use taskq_payload::payload::Payload;

use super::border;
use crate::r::Text;

/// A vector begins at a multiple of this.
const ALIGN: usize = 64;
/// Places of segments and parcels are below this.
const MOST_PLACES: f64 = 1e6;
/// The longest vector of R's.
const MOST_LENGTH: f64 = 4_503_599_627_370_496.0;
const STRING: c_int = SEXPTYPE::STRSXP as c_int;

/// See the module, and `struct tq_place` of `taskq.h`.
#[repr(C)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    kind: c_int,
    /// Of the segment or parcel.
    number: usize,
    offset: usize,
    length: usize,
    size: usize,
}

/// How many bytes an element has; of strings, those that a number has which stands for one.
fn size_of_element(kind: c_int) -> Option<usize> {
    const LOGICAL: c_int = SEXPTYPE::LGLSXP as c_int;
    const INTEGER: c_int = SEXPTYPE::INTSXP as c_int;
    const REAL: c_int = SEXPTYPE::REALSXP as c_int;
    const COMPLEX: c_int = SEXPTYPE::CPLXSXP as c_int;
    const RAW: c_int = SEXPTYPE::RAWSXP as c_int;
    match kind {
        LOGICAL | INTEGER => Some(4),
        REAL | STRING => Some(8),
        COMPLEX => Some(16),
        RAW => Some(1),
        _ => None,
    }
}

/// A whole number up to this: they come as doubles.
fn whole(number: f64, limit: f64) -> Option<usize> {
    let is_whole = (0.0..=limit).contains(&number) && number.fract() == 0.0;
    is_whole.then_some(number as usize)
}

impl Place {
    /// Of a shared vector: the place of its segment, where it begins there, its length, its size.
    fn shared(kind: c_int, state: [f64; 4]) -> Option<Place> {
        let [number, offset, length, size] = state;
        let place = Place {
            kind,
            number: whole(number, MOST_PLACES)?,
            offset: whole(offset, MOST_LENGTH)?,
            length: whole(length, MOST_LENGTH)?,
            size: whole(size, MOST_LENGTH)?,
        };
        let element = size_of_element(kind)?;
        let is_sound = match kind {
            STRING => place.size >= (place.length + 1) * element,
            _ => place.size == place.length * element,
        };
        is_sound.then_some(place)
    }

    /// Of one in a parcel: its type, the place of the parcel, where it begins there, its length.
    fn arrived(state: [f64; 4]) -> Option<Place> {
        let [kind, number, offset, length] = state;
        let kind = c_int::try_from(whole(kind, 100.0)?).ok()?;
        let length = whole(length, MOST_LENGTH)?;
        let element = size_of_element(kind).filter(|_| kind != STRING)?;
        Some(Place {
            kind,
            number: whole(number, MOST_PLACES)?,
            offset: whole(offset, MOST_LENGTH)?,
            length,
            size: length * element,
        })
    }

    /// Whether it lies in memory of this length.
    fn is_in(&self, length: usize) -> bool {
        let is_there = self.offset <= length && self.size <= length - self.offset;
        is_there && self.offset % ALIGN == 0
    }
}

/// A sound place, or why there is none.
///
/// # Safety
/// `state` are four numbers, and `place` is on the caller's stack.
unsafe fn tell(
    place: *mut Place,
    state: *const f64,
    find: impl FnOnce([f64; 4]) -> Result<Place, &'static CStr>,
) -> *const c_char {
    // SAFETY: see above.
    let state = unsafe { *state.cast::<[f64; 4]>() };
    let found = border(Err(c"a fault within taskq; please report it"), || {
        find(state)
    });
    match found {
        Ok(found) => {
            // SAFETY: see above.
            unsafe { place.write(found) };
            null()
        }
        Err(message) => message.as_ptr(),
    }
}

/// Finds a shared vector in a segment that came with a payload. Null, or why it is not there.
#[no_mangle]
unsafe extern "C" fn tq_find_shared(
    payload: *const Payload,
    kind: c_int,
    state: *const f64,
    place: *mut Place,
) -> *const c_char {
    let find = |state: [f64; 4]| {
        // SAFETY: a payload that the C side holds, or has from what it holds.
        let attached = unsafe { &*payload }.attached();
        let segment = whole(state[0], MOST_PLACES).and_then(|number| attached.get(number));
        let segment = segment.ok_or(c"a shared vector came without its segment")?;
        let place = Place::shared(kind, state);
        let place = place.filter(|place| place.is_in(segment.bytes().len()));
        place.ok_or(c"a shared vector is not where it was said to be")
    };
    // SAFETY: as it says.
    unsafe { tell(place, state, find) }
}

/// Finds out where a vector is that came in a parcel. Null, or why that cannot be.
#[no_mangle]
unsafe extern "C" fn tq_find_arrived(state: *const f64, place: *mut Place) -> *const c_char {
    let find = |state| Place::arrived(state).ok_or(c"a large vector is not what it was said to be");
    // SAFETY: as it says.
    unsafe { tell(place, state, find) }
}

/// Whether a place lies in memory of this length.
#[no_mangle]
unsafe extern "C" fn tq_place_is_in(place: *const Place, length: usize) -> c_int {
    // SAFETY: on the caller's stack.
    c_int::from(unsafe { &*place }.is_in(length))
}

/// How many bytes an element has; of strings, those that a number has which stands for one.
#[no_mangle]
extern "C" fn tq_element_size(kind: c_int) -> usize {
    size_of_element(kind).unwrap_or(0)
}

/// For each string, and for the end, a block has where its text begins behind these numbers, and in the four highest
/// bits what it is: its encoding, or this for NA.
const NA: u64 = 4;

/// The text at a place of such a block; `None` where it is damaged. Nothing in it is NA.
fn string_in(block: &[u8], length: usize, place: usize) -> Option<Option<(&[u8], u64)>> {
    let number = |place: usize| {
        let bytes = block.get(8 * place..)?.first_chunk::<8>()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    let (start, end) = (number(place)?, number(place + 1)?);
    let mask = u64::MAX >> 4;
    let text = block.get(8 * (length + 1)..)?;
    let text = text.get((start & mask) as usize..(end & mask) as usize)?;
    let is_sound = c_int::try_from(text.len()).is_ok() && start >> 60 <= NA;
    is_sound.then(|| (start >> 60 != NA).then_some((text, start >> 60)))
}

/// The text at a place of a block of `length` strings; 0 when it is damaged.
#[no_mangle]
unsafe extern "C" fn tq_string_in(
    block: *const u8,
    size: usize,
    length: usize,
    place: usize,
    text: *mut Text<'_>,
) -> c_int {
    // SAFETY: a block that is mapped, of this size.
    let block = unsafe { std::slice::from_raw_parts(block, size) };
    border(0, || {
        let Some(found) = string_in(block, length, place) else {
            return 0;
        };
        let encoding = |flags| match flags {
            1 => cetype_t::CE_UTF8,
            2 => cetype_t::CE_LATIN1,
            3 => cetype_t::CE_BYTES,
            _ => cetype_t::CE_NATIVE,
        };
        let found = found.map_or(Text::NA, |(bytes, flags)| Text::new(bytes, encoding(flags)));
        // SAFETY: on the caller's stack.
        unsafe { text.write(found) };
        1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: c_int = SEXPTYPE::REALSXP as c_int;

    #[test]
    fn a_place_is_one_that_can_be() {
        let place = Place::shared(REAL, [1.0, 64.0, 2.0, 16.0]).expect("a place");
        assert!(place.is_in(80) && !place.is_in(79) && !place.is_in(63));
        for state in [
            [1.0, 64.0, 2.0, 17.0],
            [-1.0, 64.0, 2.0, 16.0],
            [0.5, 64.0, 2.0, 16.0],
            [1.0, 64.0, f64::NAN, 16.0],
            [1.0, 64.0, 1e300, 16.0],
        ] {
            assert_eq!(Place::shared(REAL, state), None);
        }
        assert_eq!(Place::shared(STRING, [0.0, 0.0, 2.0, 23.0]), None);
        assert_eq!(Place::arrived([f64::from(STRING), 0.0, 0.0, 1.0]), None);
        let askew = Place::arrived([f64::from(REAL), 0.0, 8.0, 1.0]).expect("a place");
        assert!(!askew.is_in(1000));
    }

    #[test]
    fn a_string_is_where_its_block_says_or_nowhere() {
        let block = |numbers: [u64; 3]| {
            let mut block = numbers.map(u64::to_ne_bytes).concat();
            block.extend(b"abc");
            block
        };
        let sound = block([1 << 60, 2 | NA << 60, 3]);
        assert_eq!(string_in(&sound, 2, 0), Some(Some((&b"ab"[..], 1))));
        assert_eq!(string_in(&sound, 2, 1), Some(None));
        for damaged in [[2, 1, 3], [0, 4, 4], [5 << 60, 1, 1]] {
            assert_eq!(string_in(&block(damaged), 2, 0), None);
        }
    }
}
