//! `share()`: an object's vectors are copied into a segment, and a copy of the object is made that has shared vectors
//! in their places. What these are to R is in `src/shared.c`.
//!
//! All that depends on the object is decided here: what can be shared at all, what is worth it, and which attributes
//! are. What cannot be shared for want of memory stays as it is.

use std::mem::size_of;
use std::sync::Arc;

use extendr_ffi::SEXPTYPE;
use taskq_payload::sealed::Growing;
use taskq_payload::segment::Segment;

use crate::entries::entries;
use crate::r::{Answer, Object, Scope, Tree};
use crate::vectors::with_vectors;

/// A smaller vector stays as it is: it costs less than a handle does.
const WORTH: usize = 1024;
/// A vector begins at a multiple of this.
const ALIGN: u64 = 64;
/// How many elements are read at once of a vector that R has not written out.
const PIECE: usize = 4096;

/// Two walks over the object: the first writes what is worth it into a segment and notes where, the second makes the
/// copy, reading these notes in the same order.
#[derive(Default)]
struct Sharing {
    /// None before the first vector, and once there is no memory: the rest goes nowhere then.
    writer: Option<Growing>,
    /// Where each vector begins, and its size. One that has no memory is nowhere.
    places: Vec<(usize, usize)>,
}

fn is_worth(object: Object<'_>) -> bool {
    let size = object.element_size().unwrap_or(0) * object.length();
    size >= WORTH && !(object.is_shared() && object.is_intact())
}

/// What keeps an object from being shared: an index for each level, and what is there.
fn obstacle<'a>(
    scope: &Scope,
    object: Object<'a>,
    way: &mut Vec<f64>,
) -> Answer<Option<Object<'a>>> {
    if object.is_null() {
        return Ok(None);
    }
    if object.is_s4() || !(object.is_list() || object.is_atomic()) {
        return Ok(Some(object));
    }
    if !object.is_list() {
        return Ok(None);
    }
    scope.check_stack()?;
    for (place, element) in object.elements_of_list().enumerate() {
        way.push((place + 1) as f64);
        if let Some(found) = obstacle(scope, element, way)? {
            return Ok(Some(found));
        }
        way.pop();
    }
    Ok(None)
}

impl Sharing {
    /// Writes bytes at a multiple of `align`, and says where; `None` when there is no memory.
    fn put(&mut self, bytes: &[u8], align: u64) -> Option<u64> {
        let written = self.writer.as_mut().and_then(|writer| {
            let place = writer.align(align).ok()?;
            writer.write(bytes).ok().map(|()| place)
        });
        if written.is_none() {
            self.writer = None;
        }
        written
    }

    fn write_object(&mut self, scope: &Scope, object: Object<'_>) -> Answer<()> {
        if object.is_list() {
            // This needs more of it than the look for obstacles.
            scope.check_stack()?;
            for element in object.elements_of_list() {
                self.write_object(scope, element)?;
            }
        } else if object.is_atomic() && is_worth(object) {
            if self.places.is_empty() {
                self.writer = Growing::create("taskq-share");
            }
            let place = if object.kind() == SEXPTYPE::STRSXP {
                self.put_strings(object)?
            } else {
                self.put_numbers(scope, object)?
            };
            self.places.push(place);
        } else {
            return Ok(());
        }
        scope.within(|scope| {
            for (_, attribute) in scope.large_attributes(object)? {
                self.write_object(scope, attribute)?;
            }
            Ok(())
        })
    }

    /// For each string, and for the end, where its text begins behind these numbers, and what it is; then the texts.
    fn put_strings(&mut self, strings: Object<'_>) -> Answer<(usize, usize)> {
        strings.make_elements()?;
        let mut at = 0;
        let mut table = Vec::new();
        let size = (strings.length() + 1) * size_of::<u64>();
        if table.try_reserve_exact(size).is_err() {
            self.writer = None;
            return Ok((0, 0));
        }
        for place in 0..strings.length() {
            let (text, flags) = strings.shared_string(place);
            table.extend_from_slice(&(at | flags << 60).to_ne_bytes());
            at += text.len() as u64;
        }
        table.extend_from_slice(&at.to_ne_bytes());
        let place = self.put(&table, ALIGN);
        for text in (0..strings.length()).map(|place| strings.shared_string(place).0) {
            if self.writer.is_some() {
                self.put(text, 1);
            }
        }
        Ok((place.unwrap_or(0) as usize, table.len() + at as usize))
    }

    /// One that R has not written out stays so: it is read in pieces.
    fn put_numbers(&mut self, scope: &Scope, numbers: Object<'_>) -> Answer<(usize, usize)> {
        let element = numbers.element_size().unwrap_or(1);
        let size = numbers.length() * element;
        if !numbers.is_compact() {
            numbers.make_elements()?;
            let place = self.put(numbers.raw_bytes(), ALIGN);
            return Ok((place.unwrap_or(0) as usize, size));
        }
        let mut begin = None;
        let mut piece = [0_f64; PIECE];
        for from in (0..numbers.length()).step_by(PIECE) {
            if from > 0 && self.writer.is_none() {
                break;
            }
            let bytes = scope.region(numbers, from, &mut piece)?;
            let place = self.put(bytes, if from == 0 { ALIGN } else { 1 });
            begin = begin.or(place);
        }
        Ok((begin.unwrap_or(0) as usize, size))
    }

    fn end(&mut self) -> Option<Arc<Segment>> {
        let sealed = self.writer.take()?.seal().ok()?;
        Segment::new(sealed).ok()
    }
}

/// A list of the same object with its large vectors shared; or of where it cannot be shared, an index for each level,
/// and what is there.
fn rs_share<'s>(scope: &'s Scope, object: Object<'s>) -> Answer<Object<'s>> {
    let mut way = Vec::new();
    if let Some(found) = obstacle(scope, object, &mut way)? {
        return Ok(scope.make(&Tree::list(&[Tree::reals(&way), found.into()]))?);
    }
    let mut sharing = Sharing::default();
    sharing.write_object(scope, object)?;
    let Some(segment) = sharing.end() else {
        // Without one, the object is as good as it is.
        return Ok(scope.make(&Tree::list(&[object.into()]))?);
    };
    let holder = scope.segment_pointer(&segment)?;
    let mut places = sharing.places.iter();
    let shared = with_vectors(scope, object, usize::MAX, &mut |scope, vector| {
        if !is_worth(vector) {
            return Ok(vector);
        }
        let &(offset, size) = places.next().unwrap_or(&(0, 0));
        Ok(scope.shared_vector(vector, holder, offset, size)?)
    })?;
    Ok(scope.make(&Tree::list(&[shared.into()]))?)
}

/// Whether it is a shared vector that is what its segment holds.
fn rs_is_shared(object: Object<'_>) -> bool {
    object.is_shared() && object.is_intact()
}

/// How many segments this process has.
fn rs_num_segments() -> f64 {
    taskq_payload::segment::count() as f64
}

entries! {
    rs_share[scope](object),
    rs_is_shared(object),
    rs_num_segments(),
}
