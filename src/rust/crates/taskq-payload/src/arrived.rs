//! What came with a frame, of which its payloads are made.

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use taskq_wire::message::{GivenPart, Part};

use crate::parcel::Parcel;
use crate::payload::Payload;
use crate::sealed::sealed_of;
use crate::segment::Segment;

/// The bytes and descriptors of a frame that came, from which its payloads are taken in the order of its message.
#[derive(Debug)]
pub struct Arrived {
    bytes: Arc<Vec<u8>>,
    taken: usize,
    descriptors: std::vec::IntoIter<OwnedFd>,
    keeps: bool,
}

impl Arrived {
    /// What came.
    #[must_use]
    pub fn new(bytes: Vec<u8>, descriptors: Vec<OwnedFd>) -> Arrived {
        Arrived {
            bytes: Arc::new(bytes),
            taken: 0,
            descriptors: descriptors.into_iter(),
            keeps: false,
        }
    }

    /// The same, of which what is taken can be sent on in the files that it came in, until it is
    /// [retired](Payload::retire).
    #[must_use]
    pub fn keeping(self) -> Arrived {
        Arrived {
            keeps: true,
            ..self
        }
    }

    fn parcel(&self, file: OwnedFd, len: Option<u64>) -> io::Result<Parcel> {
        match len {
            len if self.keeps => Parcel::keep(file, len),
            Some(len) => Parcel::receive(&file, len),
            None => Parcel::receive_all(&file),
        }
    }

    /// The next payload, of which the message says this.
    ///
    /// # Errors
    /// `InvalidData` when there is less than was said; or there is no memory for it.
    pub fn take(&mut self, part: &Part) -> io::Result<Payload> {
        let payload: Payload = if part.in_file {
            let file = self
                .descriptors
                .next()
                .ok_or_else(|| invalid("a payload came without its file"))?;
            self.parcel(file, Some(part.len))?.into()
        } else {
            let range = self.take_bytes(part.len)?;
            Payload::slice(&self.bytes, range)
        };
        let files = self.descriptors.by_ref().take(usize::from(part.attached));
        let attached = files
            .map(Segment::receive)
            .collect::<io::Result<Vec<_>>>()?;
        let files = self.descriptors.by_ref().take(usize::from(part.parcels));
        let files: Vec<OwnedFd> = files.collect();
        let parcels = files.into_iter();
        let parcels = parcels.map(|file| self.parcel(file, None).map(Arc::new));
        let parcels = parcels.collect::<io::Result<Vec<_>>>()?;
        let wanted = [part.attached, part.parcels].map(usize::from);
        if [attached.len(), parcels.len()] != wanted {
            return Err(invalid("a payload came without what it refers to"));
        }
        Ok(payload.with_attached(attached).with_parcels(parcels))
    }

    /// The next payload, which was [given](Payload::given).
    ///
    /// # Errors
    /// As of [`take`](Arrived::take).
    pub fn take_given(&mut self, given: &GivenPart) -> io::Result<Payload> {
        let payload = self.take(&Part {
            len: given.len,
            in_file: given.in_file,
            ..Part::default()
        })?;
        // Descriptors come in the same order, and so do bytes.
        let (mut segments, mut parcels) = (Vec::new(), Vec::new());
        for len in &given.segments {
            segments.push(match len {
                None => Segment::receive(self.take_file()?)?,
                Some(len) => {
                    let range = self.take_bytes(*len)?;
                    Segment::new(sealed_of(&self.bytes[range])?)?
                }
            });
        }
        for len in &given.parcels {
            let parcel = match len {
                None => Parcel::receive_all(&self.take_file()?)?,
                Some(len) => {
                    let range = self.take_bytes(*len)?;
                    Parcel::copied(&self.bytes[range])?
                }
            };
            parcels.push(Arc::new(parcel));
        }
        Ok(payload.with_attached(segments).with_parcels(parcels))
    }

    fn take_file(&mut self) -> io::Result<OwnedFd> {
        let file = self.descriptors.next();
        file.ok_or_else(|| invalid("a payload came without what it refers to"))
    }

    /// Where the next so many bytes are.
    fn take_bytes(&mut self, len: u64) -> io::Result<Range<usize>> {
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| self.taken.checked_add(len))
            .filter(|end| *end <= self.bytes.len())
            .ok_or_else(|| invalid("a payload is longer than what came"))?;
        let range = self.taken..end;
        self.taken = end;
        Ok(range)
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
    use std::os::fd::BorrowedFd;

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
    fn what_came_goes_on_with_or_without_files() {
        let sealed = |bytes: &[u8]| sealed_of(bytes).expect("memory files");
        let segment = Segment::new(sealed(b"xyz")).expect("mapped");
        let parcel = Arc::new(sealed(&[9; 5000]).into());
        let whole = file(&[7; 300_000])
            .with_attached(vec![segment])
            .with_parcels(vec![parcel]);
        // As it is in a session that made it, and as it came from there.
        let came = sent(&[&whole]).expect("arrives").remove(0);
        let copies = whole.descriptors().map(|fd| fd.try_clone_to_owned());
        let copies = copies.collect::<io::Result<_>>().expect("descriptors");
        let mut arrived = Arrived::new(vec![], copies).keeping();
        let mut kept = arrived.take(&whole.part()).expect("arrives");
        for (payload, in_files, files) in [
            (&whole, true, 3),
            (&whole, false, 0),
            (&kept, true, 3),
            (&kept, false, 0),
            (&came, true, 1),
            (&came, false, 0),
        ] {
            let given = payload.given("x", in_files);
            let bytes: Vec<u8> = payload.streams(in_files).flatten().copied().collect();
            let copy = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().expect("a descriptor");
            let descriptors = payload.descriptors().filter(|_| in_files).map(copy);
            let mut arrived = Arrived::new(bytes, descriptors.collect());
            assert_eq!(arrived.descriptors.len(), files);
            let got = arrived.take_given(&given).expect("arrives");
            arrived.finish().expect("all");
            assert_eq!(given.argument, "x");
            assert!(got.bytes().expect("bytes") == [7; 300_000]);
            assert_eq!(got.attached()[0].bytes(), b"xyz");
            assert!(got.parcels()[0].content().expect("content")[..] == [9; 5000]);
        }
        kept.retire();
        assert_eq!(kept.descriptors().count(), 1);
        let given = GivenPart {
            parcels: vec![None],
            ..Payload::default().given("x", true)
        };
        assert!(Arrived::new(vec![], vec![]).take_given(&given).is_err());
        let given = GivenPart {
            segments: vec![Some(4)],
            ..given
        };
        assert!(Arrived::new(vec![0; 3], vec![]).take_given(&given).is_err());
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
