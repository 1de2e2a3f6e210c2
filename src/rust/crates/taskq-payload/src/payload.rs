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
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use taskq_sys::socket::MAX_STREAM_FDS;
use taskq_wire::frame::MAX_DESCRIPTORS;
use taskq_wire::message::{GivenPart, Part};

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
        Parcel::from(file).into()
    }
}

impl From<Parcel> for Payload {
    fn from(parcel: Parcel) -> Payload {
        Body::Parcel(Box::new(parcel)).into()
    }
}

impl Payload {
    /// A part of the bytes that came with a frame.
    pub(crate) fn slice(all: &Arc<Vec<u8>>, range: Range<usize>) -> Payload {
        Body::Slice(Arc::clone(all), range).into()
    }

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

    /// What follows a message of it that goes on as [`given`](Payload::given) says: its own bytes, and those of what
    /// they refer to and is not in a file.
    pub fn streams(&self, in_files: bool) -> impl Iterator<Item = &[u8]> {
        let segments = self.attached.iter();
        let segments = segments.filter(move |one| !(in_files && one.descriptor().is_some()));
        let parcels = self.parcels.iter();
        let parcels = parcels.filter(move |one| !(in_files && one.descriptor().is_some()));
        let own = if in_files {
            self.stream()
        } else {
            self.bytes().unwrap_or_default()
        };
        let segments = segments.map(|segment| segment.bytes());
        let parcels = parcels.map(|parcel| parcel.content().map_or(&[][..], |content| content));
        std::iter::once(own).chain(segments).chain(parcels)
    }

    /// What a message says of a payload that came and goes on, as an argument of this name. Files that it came in may
    /// be closed; what they held goes on the stream then, and all of it where a frame has no room for more descriptors:
    /// `in_files` is false.
    #[must_use]
    pub fn given(&self, argument: &str, in_files: bool) -> GivenPart {
        let place = |has_file: bool, len: usize| (!(in_files && has_file)).then_some(len as u64);
        let segments = self.attached.iter();
        let parcels = self.parcels.iter();
        GivenPart {
            argument: argument.to_owned(),
            len: self.len() as u64,
            in_file: in_files && self.part().in_file,
            segments: segments
                .map(|one| place(one.descriptor().is_some(), one.bytes().len()))
                .collect(),
            parcels: parcels
                .map(|one| place(one.descriptor().is_some(), one.len()))
                .collect(),
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
