//! Places for objects that are kept until others take their places.

use extendr_ffi::{R_NilValue, SET_VECTOR_ELT, SEXP, VECTOR_ELT};

use super::Object;

/// A list of R's that is kept for ever.
#[derive(Debug)]
pub(crate) struct Shelf {
    list: SEXP,
    length: usize,
}

impl Shelf {
    /// # Safety
    /// A list of this length that is kept for ever, and has no other holder; only used on the R thread.
    pub(super) unsafe fn new(list: SEXP, length: usize) -> Shelf {
        Shelf { list, length }
    }

    /// What stands at a place; NULL where there is none.
    pub(crate) fn get(&self, place: usize) -> Object<'_> {
        // SAFETY: the place is there; the list keeps what stands in it.
        unsafe {
            Object::new(if place < self.length {
                VECTOR_ELT(self.list, place as isize)
            } else {
                R_NilValue
            })
        }
    }

    /// Whether this very object stands there.
    pub(crate) fn holds(&self, place: usize, object: Object<'_>) -> bool {
        self.get(place) == object
    }

    pub(crate) fn put(&mut self, place: usize, object: Object<'_>) {
        if place < self.length {
            // SAFETY: the place is there.
            unsafe { SET_VECTOR_ELT(self.list, place as isize, object.get()) };
        }
    }

    pub(crate) fn clear(&mut self, place: usize) {
        // SAFETY: a constant of R's.
        self.put(place, unsafe { Object::new(R_NilValue) });
    }
}
