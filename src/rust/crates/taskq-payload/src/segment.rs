//! Segments: sealed memory files that hold shared vectors, mapped once in each process that has some of them.
//!
//! A segment lives as long as somebody in this process holds it: a vector of R's, or a payload that refers to it. The
//! kernel keeps its pages as long as some process does, or a socket in which its descriptor is under way; so there is
//! nothing to clean up, however a process ends.
//!
//! The file is the name: a segment that comes again is recognised by device and inode, as long as it is held.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rustix::fs::fstat;

use crate::budget::Permit;
use crate::mapping::{Mapping, PrivateMapping};
use crate::sealed::{written_size, Sealed};

/// A file in the kernel that holds memory files, and its number there.
type Name = (u64, u64);

/// Those of this process. Never waited for: in a fork, the lock may be held for ever; a segment that is not found here
/// is merely mapped twice.
static HELD: Mutex<BTreeMap<Name, Weak<Segment>>> = Mutex::new(BTreeMap::new());
/// How many there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// See the module.
#[derive(Debug)]
pub struct Segment {
    name: Name,
    mapping: Mapping,
    /// By which it can be passed on. `None` when this process holds too many others.
    file: Option<(OwnedFd, Permit)>,
}

impl Segment {
    /// A segment of this process.
    ///
    /// # Errors
    /// There is no room to map it.
    pub fn new(file: Sealed) -> io::Result<Arc<Segment>> {
        let mapping = Mapping::new(file.as_fd(), file.len())?;
        let name = name_of(file.as_fd())?;
        Ok(hold(Segment {
            name,
            mapping,
            file: Some(file.into_parts()),
        }))
    }

    /// The segment in a file that came from another process.
    ///
    /// # Errors
    /// `InvalidData` when it is not one that was written, and sealed; or there is no room to map it.
    pub fn receive(file: OwnedFd) -> io::Result<Arc<Segment>> {
        let name = name_of(file.as_fd())?;
        if let Some(known) = find(name) {
            return Ok(known);
        }
        let mapping = Mapping::new(file.as_fd(), written_size(file.as_fd())?)?;
        Ok(hold(Segment {
            name,
            mapping,
            file: Permit::take().map(|permit| (file, permit)),
        }))
    }

    /// What it holds. The address stays the same as long as it lives.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.mapping
    }

    /// Pages of it that can be written without anybody else noticing.
    ///
    /// # Errors
    /// The file is closed, there is no room, or the segment is shorter.
    pub fn private(&self, offset: usize, size: usize) -> io::Result<PrivateMapping> {
        let is_inside = offset
            .checked_add(size)
            .is_some_and(|end| end <= self.bytes().len());
        match self.descriptor() {
            Some(file) if is_inside => PrivateMapping::new(file, offset, size),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// By which it can be passed on, unless somebody in this process has closed it.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let (file, _) = self.file.as_ref()?;
        // The number of a closed one may mean any other file by now.
        let is_ours = name_of(file.as_fd()).is_ok_and(|name| name == self.name);
        is_ours.then(|| file.as_fd())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        if self.descriptor().is_none() {
            if let Some((file, _)) = self.file.take() {
                // Not ours to close.
                std::mem::forget(file);
            }
        }
        if let Ok(mut held) = HELD.try_lock() {
            // Another one may have this name already: it was mapped after the last holder let go of this.
            if held
                .get(&self.name)
                .is_some_and(|weak| weak.strong_count() == 0)
            {
                held.remove(&self.name);
            }
        }
    }
}

/// How many segments this process has mapped.
#[must_use]
pub fn count() -> usize {
    COUNT.load(Ordering::Relaxed)
}

fn find(name: Name) -> Option<Arc<Segment>> {
    HELD.try_lock().ok()?.get(&name)?.upgrade()
}

fn hold(segment: Segment) -> Arc<Segment> {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let segment = Arc::new(segment);
    if let Ok(mut held) = HELD.try_lock() {
        held.insert(segment.name, Arc::downgrade(&segment));
    }
    segment
}

fn name_of(file: BorrowedFd<'_>) -> io::Result<Name> {
    let stat = fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Growing;

    fn segment(bytes: &[u8]) -> Arc<Segment> {
        let mut file = Growing::create("test").expect("memory files");
        file.write(bytes).expect("memory");
        Segment::new(file.seal().expect("sealed")).expect("mapped")
    }

    fn copy(segment: &Segment) -> OwnedFd {
        let fd = segment.descriptor().expect("open");
        fd.try_clone_to_owned().expect("a descriptor")
    }

    #[test]
    fn a_segment_that_comes_again_is_the_same_as_long_as_it_is_held() {
        let first = segment(b"abc");
        let again = Segment::receive(copy(&first)).expect("received");
        assert!(Arc::ptr_eq(&first, &again));
        let file = copy(&first);
        drop((first, again));
        let new = Segment::receive(file).expect("received");
        assert_eq!(new.bytes(), b"abc");
        assert!(new.descriptor().is_some());
    }

    #[test]
    fn private_pages_are_written_without_anybody_noticing() {
        let bytes: Vec<u8> = (0..30_000).map(|i| (i % 251) as u8).collect();
        let segment = segment(&bytes);
        let (offset, size) = (5000, 20_000);
        let private = segment.private(offset, size).expect("room");
        let other = segment.private(offset, size).expect("room");
        // SAFETY: these bytes are mapped there, and their address is ours alone.
        let [mine, other] = [&private, &other]
            .map(|private| unsafe { std::slice::from_raw_parts_mut(private.address(), size) });
        assert!(*mine == bytes[offset..offset + size]);
        let is_written = |private: &PrivateMapping| {
            let pagemap = std::fs::File::open("/proc/self/pagemap").expect("proc");
            let answer = private.is_written().expect("the kernel tells");
            // Both ways, where the kernel has both.
            assert_eq!(private.look(&pagemap).expect("the kernel tells"), answer);
            assert_eq!(private.scan(&pagemap).unwrap_or(answer), answer);
            answer
        };
        assert!(!is_written(&private));
        mine[size - 1] = 7;
        assert!(is_written(&private));
        assert!(!is_written(&segment.private(0, 30_000).expect("room")));
        assert!(*other == bytes[offset..offset + size] && segment.bytes() == bytes);
        assert!(segment.private(offset, 25_001).is_err());
        assert!(segment.private(usize::MAX, 2).is_err());
    }

    #[test]
    fn a_file_that_may_change_is_refused() {
        let file = taskq_sys::memory::file("test").expect("memory");
        assert!(Segment::receive(file.into()).is_err());
    }

    #[test]
    fn a_descriptor_that_somebody_closed_is_not_passed_on_and_not_closed_again() {
        use std::os::fd::{AsRawFd, FromRawFd};
        let segment = segment(b"abc");
        let number = segment.descriptor().expect("open").as_raw_fd();
        let other = std::fs::File::open("/dev/null").expect("a file");
        // SAFETY: what the segment owns there is replaced on purpose.
        unsafe { libc::dup2(other.as_raw_fd(), number) };
        assert!(segment.descriptor().is_none());
        assert_eq!(segment.bytes(), b"abc");
        drop(segment);
        // SAFETY: the number has no other owner now.
        let still_open = unsafe { OwnedFd::from_raw_fd(number) };
        fstat(&still_open).expect("still open");
    }
}
