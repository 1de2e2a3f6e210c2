//! What travels with a frame: bytes in memory, or in a memory file that is passed along. The bytes are opaque here.
//!
//! | made from | as | on its way |
//! | --- | --- | --- |
//! | few bytes | memory | follows its message on the stream |
//! | many bytes | a [parcel](crate::parcel) | its descriptor comes with the frame |
//! | a frame that came | a part of what came, or a parcel | |
//!
//! A file that came is mapped at once and closed, so that results in wait hold no descriptors. Beside its bytes a
//! payload may have what these refer to, by places in lists: [segments](crate::segment) of shared vectors, and
//! parcels of large vectors that are not shared.

use std::io;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use taskq_sys::socket::MAX_STREAM_FDS;
use taskq_wire::frame::MAX_DESCRIPTORS;
use taskq_wire::message::Part;

use crate::mapping::Content;
use crate::parcel::Parcel;
use crate::sealed::Sealed;
use crate::segment::Segment;

/// What a frame may carry, a socket does.
const _: () = assert!(MAX_DESCRIPTORS <= MAX_STREAM_FDS);

/// See the module.
#[derive(Debug)]
pub struct Payload {
    body: Body,
    attached: Vec<Arc<Segment>>,
    parcels: Vec<Arc<Parcel>>,
}

#[derive(Debug)]
enum Body {
    Own(Vec<u8>),
    /// A part of the bytes that came with a frame.
    Slice(Arc<Vec<u8>>, Range<usize>),
    Parcel(Box<Parcel>),
}

impl From<Body> for Payload {
    fn from(body: Body) -> Payload {
        Payload {
            body,
            attached: Vec::new(),
            parcels: Vec::new(),
        }
    }
}

impl Default for Payload {
    fn default() -> Payload {
        Payload::from(Vec::new())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Body::Own(bytes).into()
    }
}

impl From<Sealed> for Payload {
    fn from(file: Sealed) -> Payload {
        Body::Parcel(Box::new(file.into())).into()
    }
}

impl Payload {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Own(bytes) => bytes.len(),
            Body::Slice(_, range) => range.len(),
            Body::Parcel(parcel) => parcel.len(),
        }
    }

    /// The same, holding no more of the frame that it came with than its own bytes.
    #[must_use]
    pub fn apart(mut self) -> Payload {
        if let Body::Slice(all, range) = &self.body {
            self.body = Body::Own(all[range.clone()].to_vec());
        }
        self
    }

    /// The bytes, unless they are in a file.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.body {
            Body::Own(bytes) => Some(bytes),
            Body::Slice(all, range) => Some(&all[range.clone()]),
            Body::Parcel(_) => None,
        }
    }

    /// Whether its own bytes are in a file, or came in one.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        matches!(self.body, Body::Parcel(_))
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same with what its bytes refer to, each with a descriptor. All payloads of a frame have to fit into it
    /// ([`MAX_DESCRIPTORS`]) with their own files.
    #[must_use]
    pub fn with_attached(mut self, attached: Vec<Arc<Segment>>) -> Payload {
        self.attached = attached;
        self
    }

    /// The segments among what its bytes refer to.
    #[must_use]
    pub fn attached(&self) -> &[Arc<Segment>] {
        &self.attached
    }

    /// The same with parcels that its bytes refer to. They count as those of [`with_attached`](Payload::with_attached).
    #[must_use]
    pub fn with_parcels(mut self, parcels: Vec<Arc<Parcel>>) -> Payload {
        self.parcels = parcels;
        self
    }

    /// The parcels among what its bytes refer to.
    #[must_use]
    pub fn parcels(&self) -> &[Arc<Parcel>] {
        &self.parcels
    }

    /// Whether its bytes refer to anything: then they are of no use without it.
    #[must_use]
    pub fn refers(&self) -> bool {
        !(self.attached.is_empty() && self.parcels.is_empty())
    }

    /// How many bytes were made for it: its own, and its parcels'.
    #[must_use]
    pub fn size(&self) -> usize {
        let parcels = self.parcels.iter().map(|parcel| parcel.len());
        parcels.fold(self.len(), usize::saturating_add)
    }

    /// How many bytes it keeps from being freed.
    #[must_use]
    pub fn weight(&self) -> usize {
        let segments = self.attached.iter().map(|segment| segment.bytes().len());
        segments.fold(self.size(), usize::saturating_add)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// The file can neither be mapped nor be read into memory.
    pub fn bytes(&self) -> io::Result<&[u8]> {
        match &self.body {
            Body::Parcel(parcel) => Ok(parcel.content()?),
            Body::Own(_) | Body::Slice(..) => Ok(self.stream()),
        }
    }

    /// As [`bytes`](Payload::bytes), for someone who reads all of it now.
    ///
    /// # Errors
    /// As there.
    pub fn bytes_at_hand(&self) -> io::Result<&[u8]> {
        if let Body::Parcel(parcel) = &self.body {
            if let Content::Mapped(mapping) = parcel.content()? {
                mapping.populate();
            }
        }
        self.bytes()
    }

    /// Those of its bytes that follow the message on the stream: all or none.
    #[must_use]
    pub fn stream(&self) -> &[u8] {
        match &self.body {
            Body::Own(bytes) => bytes,
            Body::Slice(whole, range) => whole.get(range.clone()).unwrap_or_default(),
            Body::Parcel(parcel) => parcel.received().map_or(&[], |content| content),
        }
    }

    /// The descriptors that go with the frame, in their order.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let own = match &self.body {
            Body::Parcel(parcel) => parcel.descriptor(),
            Body::Own(_) | Body::Slice(..) => None,
        };
        let attached = self.attached.iter();
        let parcels = self.parcels.iter();
        own.into_iter()
            .chain(attached.filter_map(|segment| segment.descriptor()))
            .chain(parcels.filter_map(|parcel| parcel.descriptor()))
    }

    /// What the message says of it.
    #[must_use]
    pub fn part(&self) -> Part {
        Part {
            len: self.len() as u64,
            in_file: matches!(&self.body, Body::Parcel(parcel) if parcel.descriptor().is_some()),
            attached: u8::try_from(self.attached.len()).unwrap_or(u8::MAX),
            parcels: u8::try_from(self.parcels.len()).unwrap_or(u8::MAX),
        }
    }

    /// It will not be sent any more: files keep their contents and give their descriptors back. What others hold,
    /// too, stays as it is.
    pub fn retire(&mut self) {
        if let Body::Parcel(parcel) = &mut self.body {
            parcel.retire();
        }
        for parcel in &mut self.parcels {
            if let Some(parcel) = Arc::get_mut(parcel) {
                parcel.retire();
            }
        }
    }
}

/// The bytes and descriptors of a frame that came, from which its payloads are taken in the order of its message.
#[derive(Debug)]
pub struct Arrived {
    bytes: Arc<Vec<u8>>,
    taken: usize,
    descriptors: std::vec::IntoIter<OwnedFd>,
}

impl Arrived {
    /// What came.
    #[must_use]
    pub fn new(bytes: Vec<u8>, descriptors: Vec<OwnedFd>) -> Arrived {
        Arrived {
            bytes: Arc::new(bytes),
            taken: 0,
            descriptors: descriptors.into_iter(),
        }
    }

    /// The next payload, of which the message says this.
    ///
    /// # Errors
    /// `InvalidData` when there is less than was said; or there is no memory for it.
    pub fn take(&mut self, part: &Part) -> io::Result<Payload> {
        let body = if part.in_file {
            let file = self
                .descriptors
                .next()
                .ok_or_else(|| invalid("a payload came without its file"))?;
            Body::Parcel(Box::new(Parcel::receive(&file, part.len)?))
        } else {
            let end = usize::try_from(part.len)
                .ok()
                .and_then(|len| self.taken.checked_add(len))
                .filter(|end| *end <= self.bytes.len())
                .ok_or_else(|| invalid("a payload is longer than what came"))?;
            let range = self.taken..end;
            self.taken = end;
            Body::Slice(Arc::clone(&self.bytes), range)
        };
        let files = self.descriptors.by_ref().take(usize::from(part.attached));
        let attached = files
            .map(Segment::receive)
            .collect::<io::Result<Vec<_>>>()?;
        let files = self.descriptors.by_ref().take(usize::from(part.parcels));
        let parcels = files
            .map(|file| Parcel::receive_all(&file).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()?;
        let wanted = [part.attached, part.parcels].map(usize::from);
        if [attached.len(), parcels.len()] != wanted {
            return Err(invalid("a payload came without what it refers to"));
        }
        Ok(Payload {
            body,
            attached,
            parcels,
        })
    }

    /// Everything was taken.
    ///
    /// # Errors
    /// `InvalidData` when something is left.
    pub fn finish(mut self) -> io::Result<()> {
        if self.taken < self.bytes.len() || self.descriptors.next().is_some() {
            return Err(invalid("more came than the message says"));
        }
        Ok(())
    }
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Growing;

    fn file(bytes: &[u8]) -> Payload {
        let mut file = Growing::create("test").expect("memory files");
        file.write(bytes).expect("memory");
        file.seal().expect("sealed").into()
    }

    /// As if it had been sent and received.
    fn sent(payloads: &[&Payload]) -> io::Result<Vec<Payload>> {
        let bytes = payloads.iter().flat_map(|p| p.stream().to_vec()).collect();
        let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().expect("a descriptor");
        let descriptors = payloads.iter().flat_map(|p| p.descriptors().map(copy));
        let mut arrived = Arrived::new(bytes, descriptors.collect());
        let taken = payloads.iter().map(|p| arrived.take(&p.part())).collect();
        arrived.finish()?;
        taken
    }

    #[test]
    fn payloads_of_both_kinds_arrive_beside_each_other() {
        let (memory, large) = (Payload::from(b"abc".to_vec()), file(&[7; 300_000]));
        for order in [[&memory, &large], [&large, &memory]] {
            for (came, original) in sent(&order).expect("arrives").iter().zip(order) {
                assert_eq!(
                    came.bytes().expect("bytes"),
                    original.bytes().expect("bytes")
                );
                assert_eq!(came.descriptors().count(), 0);
            }
        }
        assert!(sent(&[&Payload::default()]).expect("arrives")[0].is_empty());
    }

    #[test]
    fn what_a_payload_refers_to_comes_with_it() {
        let mut large = Growing::create("test").expect("memory files");
        large.write(b"xyz").expect("memory");
        let segment = Segment::new(large.seal().expect("sealed")).expect("mapped");
        let memory = Payload::from(b"abc".to_vec()).with_attached(vec![Arc::clone(&segment)]);
        let large = file(&[7; 300_000]).with_attached(vec![Arc::clone(&segment), segment]);
        assert_eq!(large.descriptors().count(), 3);
        assert_eq!((memory.weight(), large.weight()), (6, 300_006));
        for (came, count) in sent(&[&large, &memory])
            .expect("arrives")
            .iter()
            .zip([2, 1])
        {
            assert_eq!(came.attached().len(), count);
            assert_eq!(came.attached()[count - 1].bytes(), b"xyz");
        }
        let part = Part {
            attached: 2,
            ..memory.part()
        };
        let fds = memory
            .descriptors()
            .map(|fd| fd.try_clone_to_owned().expect("fd"));
        let mut arrived = Arrived::new(b"abc".to_vec(), fds.collect());
        assert!(arrived.take(&part).is_err());
    }

    #[test]
    fn parcels_come_behind_segments_and_hold_no_descriptor() {
        let sealed = |bytes: &[u8]| {
            let mut file = Growing::create("test").expect("memory files");
            file.write(bytes).expect("memory");
            file.seal().expect("sealed")
        };
        let segment = Segment::new(sealed(b"xyz")).expect("mapped");
        let parcels = [&b"one"[..], b"second"].map(|bytes| Arc::new(sealed(bytes).into()));
        let mut payload = file(&[7; 300_000])
            .with_attached(vec![segment])
            .with_parcels(parcels.to_vec());
        assert_eq!(payload.descriptors().count(), 4);
        assert_eq!((payload.size(), payload.weight()), (300_009, 300_012));
        let came = &sent(&[&payload, &Payload::from(b"abc".to_vec())]).expect("arrives")[0];
        let bytes = |payload: &Payload, place: usize| {
            let content = payload.parcels()[place].content();
            content.expect("content").to_vec()
        };
        assert_eq!(
            (bytes(came, 0), bytes(came, 1)),
            (b"one".to_vec(), b"second".to_vec())
        );
        assert_eq!(
            (came.attached()[0].bytes(), came.refers()),
            (&b"xyz"[..], true)
        );
        assert!(came
            .parcels()
            .iter()
            .all(|parcel| parcel.descriptor().is_none()));

        // What somebody else holds may still be sent by him.
        let kept = Arc::clone(&parcels[1]);
        drop(parcels);
        payload.retire();
        assert_eq!(payload.descriptors().count(), 2);
        drop(kept);
        payload.retire();
        assert_eq!(payload.descriptors().count(), 1);
        assert_eq!(bytes(&payload, 1), b"second");
    }

    #[test]
    fn a_false_description_is_an_error() {
        let part = |len, in_file| Part {
            len,
            in_file,
            ..Part::default()
        };
        let fd = || OwnedFd::from(taskq_sys::memory::file("test").expect("memory"));
        let mut arrived = Arrived::new(vec![0; 3], vec![]);
        assert!(arrived.take(&part(4, false)).is_err());
        assert!(arrived.take(&part(u64::MAX, false)).is_err());
        assert!(arrived.take(&part(0, true)).is_err());
        arrived.take(&part(2, false)).expect("there");
        assert!(arrived.finish().is_err());
        assert!(Arrived::new(vec![], vec![fd()]).finish().is_err());
        assert!(Arrived::new(vec![], vec![fd()])
            .take(&part(1, true))
            .is_err());
    }

    #[test]
    fn a_payload_that_was_sent_keeps_its_bytes_without_its_descriptor() {
        let mut payload = file(b"abc");
        assert_eq!(payload.descriptors().count(), 1);
        payload.retire();
        assert_eq!(payload.descriptors().count(), 0);
        assert_eq!(payload.bytes().expect("bytes"), b"abc");
        assert!(!payload.part().in_file);
    }
}
