//! The functions that are pushed, each once, whichever object of R it came from: by its content it is known again.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use taskq_engine::Function;
use taskq_payload::payload::Payload;

use crate::buffer::Buffer;
use crate::r::{Answer, Object, Scope};
use crate::serialize::serialize_sent;

/// The functions that somebody holds, by a hash of their bytes.
#[derive(Default)]
struct Known {
    by_hash: HashMap<u64, Weak<Function>>,
    /// When there are this many, those that have no holder any more are left out.
    look_at: usize,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

impl Known {
    fn find_or_add(&mut self, payload: Payload, is_pure: bool) -> Arc<Function> {
        // What is in a file is large: looking at all of it again costs more than sending it.
        let Some(bytes) = payload.in_memory().filter(|_| !payload.refers()) else {
            return Arc::new(Function::new(payload, is_pure));
        };
        let mut hasher = DefaultHasher::new();
        (bytes, is_pure).hash(&mut hasher);
        let hash = hasher.finish();
        let known = self.by_hash.get(&hash).and_then(Weak::upgrade);
        let is_same = |known: &Arc<Function>| {
            known.payload().in_memory() == Some(bytes) && known.is_pure() == is_pure
        };
        if let Some(known) = known.filter(is_same) {
            return known;
        }
        if self.by_hash.len() >= self.look_at {
            self.by_hash.retain(|_, known| known.strong_count() > 0);
            self.look_at = 2 * self.by_hash.len().max(64);
        }
        let function = Arc::new(Function::new(payload, is_pure));
        self.by_hash.insert(hash, Arc::downgrade(&function));
        function
    }
}

/// What a function is serialized to; the one that is known already, where its bytes are the same.
pub(crate) fn serialize(scope: &Scope, fun: Object<'_>) -> Answer<Arc<Function>> {
    let mut buffer = Buffer::of_function();
    let before = scope.references_written();
    serialize_sent(scope, &mut buffer, fun, scope.null())?;
    let is_pure = scope.references_written() == before;
    match buffer.finish() {
        Some(payload) => Ok(KNOWN.with_borrow_mut(|known| known.find_or_add(payload, is_pure))),
        None => Err(scope.no_memory()),
    }
}
