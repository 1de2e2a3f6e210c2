//! The functions that a session has been sent, by their places in the account that the host keeps as well.

use std::sync::Arc;

use taskq_payload::arrived::Arrived;
use taskq_payload::payload::Payload;
use taskq_wire::memory::{Memory, Remembered};
use taskq_wire::message::FunctionRef;

use super::job::Fun;
use crate::error::SessionError;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Functions {
    memory: Memory,
    kept: Vec<Option<Arc<Payload>>>,
}

impl Functions {
    /// The function of a frame, out of what `arrived` with it or came before.
    pub(super) fn take(
        &mut self,
        fun: FunctionRef,
        arrived: &mut Arrived,
    ) -> Result<Fun, SessionError> {
        let kept = &mut self.kept;
        let place = self.memory.admit(fun.id, &fun.part, |place| {
            if let Some(payload) = kept.get_mut(place) {
                *payload = None;
            }
        });
        let found = |place, payload| Fun {
            id: fun.id,
            is_pure: fun.is_pure,
            place,
            payload,
        };
        if let Remembered::Known(place) = place {
            let payload = self.kept.get(place).cloned().flatten();
            return Ok(found(Some(place), payload));
        }
        let payload = arrived.take(&fun.part).map_err(SessionError::Payload)?;
        let Remembered::New(place) = place else {
            return Ok(found(None, Some(Arc::new(payload))));
        };
        let payload = Arc::new(payload.apart());
        if self.kept.len() <= place {
            self.kept.resize(place + 1, None);
        }
        self.kept[place] = Some(Arc::clone(&payload));
        Ok(found(Some(place), Some(payload)))
    }
}

#[cfg(test)]
mod tests {
    use taskq_wire::memory::PLACES;
    use taskq_wire::message::Part;

    use super::*;

    /// Takes function `id` out of a frame with these bytes.
    fn take(functions: &mut Functions, id: u64, len: usize, bytes: &[u8]) -> Fun {
        let part = Part {
            len: len as u64,
            ..Part::default()
        };
        let fun = FunctionRef {
            id,
            is_pure: true,
            part,
        };
        let mut arrived = Arrived::new(bytes.to_vec(), Vec::new());
        let fun = functions.take(fun, &mut arrived).expect("whole");
        arrived.finish().expect("nothing is left over");
        fun
    }

    fn bytes(fun: &Fun) -> Vec<u8> {
        let payload = fun.payload.as_ref().expect("not spent");
        payload.bytes().expect("memory").to_vec()
    }

    #[test]
    fn a_function_that_came_before_need_not_come_again() {
        let mut functions = Functions::default();
        let first = take(&mut functions, 5, 3, b"abc");
        assert_eq!(bytes(&first), b"abc");
        let again = take(&mut functions, 5, 3, b"");
        assert_eq!((bytes(&again), again.place), (b"abc".to_vec(), first.place));
        assert_eq!(bytes(&take(&mut functions, 6, 2, b"xy")), b"xy");
    }

    #[test]
    fn what_is_forgotten_comes_again() {
        let mut functions = Functions::default();
        for id in 1..=PLACES as u64 + 1 {
            take(&mut functions, id, 1, &[id as u8]);
        }
        assert_eq!(bytes(&take(&mut functions, 1, 1, b"n")), b"n");
        let last = PLACES as u64 + 1;
        assert_eq!(bytes(&take(&mut functions, last, 1, b"")), [last as u8]);
    }
}
