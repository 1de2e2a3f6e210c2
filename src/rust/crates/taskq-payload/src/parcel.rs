//! Parcels: bytes that travel in a memory file of their own.
//!
//! | held by | what it is | descriptor |
//! | --- | --- | --- |
//! | who sends it | a [sealed file](crate::sealed); its content is mapped when somebody here wants to see it | open |
//! | who got it, and who will not send it any more | the [content](crate::mapping::Content) of the file | closed |
//!
//! Bytes never change as long as two hold the parcel. Who holds it alone may write into them, and no other process
//! learns of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use crate::budget::Permit;
use crate::mapping::Content;
use crate::sealed::{copy_of, written_size, Sealed};

/// See the module.
#[derive(Debug)]
pub struct Parcel {
    body: Body,
}

#[derive(Debug)]
enum Body {
    File(Sealed, OnceLock<Content>),
    Content(Content),
}

impl From<Sealed> for Parcel {
    fn from(file: Sealed) -> Parcel {
        Parcel {
            body: Body::File(file, OnceLock::new()),
        }
    }
}

impl Parcel {
    /// What came in a file, which is closed.
    ///
    /// # Errors
    /// As of [`Content::of`].
    pub fn receive(file: &OwnedFd, len: u64) -> io::Result<Parcel> {
        let content = Content::of(file.as_fd(), len)?;
        Ok(Parcel {
            body: Body::Content(content),
        })
    }

    /// The same with all that is in the file.
    ///
    /// # Errors
    /// As of [`Content::of`].
    pub fn receive_all(file: &OwnedFd) -> io::Result<Parcel> {
        Parcel::receive(file, written_size(file.as_fd())?)
    }

    /// What came in a file, which stays open, to be sent on; unless this process holds as many as it may. `len`: how
    /// much of it, `None` for all.
    ///
    /// # Errors
    /// As of [`Content::of`].
    pub fn keep(file: OwnedFd, len: Option<u64>) -> io::Result<Parcel> {
        let len = len.map_or_else(|| written_size(file.as_fd()), Ok)?;
        let content = Content::of(file.as_fd(), len)?;
        Ok(Parcel {
            body: match Permit::take() {
                Some(permit) => Body::File(Sealed::received(file, len, permit), content.into()),
                None => Body::Content(content),
            },
        })
    }

    /// A copy of these bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn copied(bytes: &[u8]) -> io::Result<Parcel> {
        Ok(Parcel {
            body: Body::Content(Content::Read(copy_of(bytes)?)),
        })
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.body {
            Body::File(file, _) => usize::try_from(file.len()).unwrap_or(usize::MAX),
            Body::Content(content) => content.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    ///
    /// # Errors
    /// The file can neither be mapped nor be read into memory.
    pub fn content(&self) -> io::Result<&Content> {
        match &self.body {
            Body::File(file, content) => {
                if content.get().is_none() {
                    // Should another thread have been faster, its mapping is as good.
                    let _ = content.set(file.content()?);
                }
                content.get().ok_or(io::ErrorKind::OutOfMemory.into())
            }
            Body::Content(content) => Ok(content),
        }
    }

    /// A parcel of the same bytes, without a descriptor: for who wants to see what is to be sent.
    ///
    /// # Errors
    /// As of [`content`](Parcel::content), or it has no file any more.
    pub fn look(&self) -> io::Result<Parcel> {
        match &self.body {
            Body::File(file, _) => Ok(Parcel {
                body: Body::Content(file.content()?),
            }),
            Body::Content(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Its bytes, unless they are to be sent.
    #[must_use]
    pub fn received(&self) -> Option<&Content> {
        match &self.body {
            Body::File(..) => None,
            Body::Content(content) => Some(content),
        }
    }

    /// Its bytes, to be written. `None` when they are to be sent, or there is no memory for a copy of them.
    pub fn writable(&mut self) -> Option<&mut [u8]> {
        match &mut self.body {
            Body::File(..) => None,
            Body::Content(content) => content.writable().ok(),
        }
    }

    /// The file, while it may have to be sent.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.body {
            Body::File(file, _) => Some(file.as_fd()),
            Body::Content(_) => None,
        }
    }

    /// It will not be sent any more: its file is closed. Where its content cannot be had without, nothing changes.
    pub fn retire(&mut self) {
        if let Body::File(file, content) = &mut self.body {
            if let Some(content) = content.take().or_else(|| file.content().ok()) {
                self.body = Body::Content(content);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Growing;

    #[test]
    fn only_what_will_not_be_sent_is_written() {
        let mut file = Growing::create("test").expect("memory files");
        file.write(b"abc").expect("memory");
        let mut parcel = Parcel::from(file.seal().expect("sealed"));
        let copy = parcel.descriptor().expect("open").try_clone_to_owned();
        assert!(parcel.writable().is_none() && parcel.received().is_none());
        assert_eq!(&**parcel.content().expect("content"), b"abc");
        let mut look = parcel.look().expect("mapped");
        look.writable().expect("memory")[0] = b'x';
        assert_eq!(&**look.received().expect("content"), b"xbc");
        parcel.retire();
        assert!(parcel.look().is_err());
        assert!(parcel.descriptor().is_none());
        parcel.writable().expect("memory")[1] = b'x';
        assert_eq!(&**parcel.received().expect("content"), b"axc");
        let other = Parcel::receive_all(&copy.expect("a descriptor")).expect("mapped");
        assert_eq!(
            (other.len(), &**other.content().expect("content")),
            (3, &b"abc"[..])
        );
    }
}
