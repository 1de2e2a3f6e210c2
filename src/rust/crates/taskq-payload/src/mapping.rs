//! What is in a [sealed file](crate::sealed), in the memory of this process.
//!
//! | type | what |
//! | --- | --- |
//! | [`Content`] | a sealed file of whatever origin: mapped, or a copy where it cannot be |
//! | [`Mapping`] | the pages of a sealed file, to be read; whoever owns it alone may write them for himself |
//! | [`PrivateMapping`] | a part of them to be written, unseen by all others |
//!
//! Who maps has looked for the seals and at the size before: what is mapped can neither shrink nor change. All
//! mappings are private: before Linux 6.7 nothing else could be mapped of a file that is sealed against writing, not
//! even to be read.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};

use memmap2::{Advice, Mmap, MmapMut, MmapOptions};
use rustix::io::{pread, retry_on_intr};
use rustix::mm::{mprotect, MprotectFlags};

use crate::sealed::{read_all, written_size};

/// Above this size a mapping is filled by one call instead of by one fault for each few pages.
const POPULATE_FROM: usize = 1 << 20;
/// How many states of pages are read at once.
const STATES: usize = 64 * 1024;

/// What is in a file: mapped, or a copy of it.
#[derive(Debug)]
pub enum Content {
    /// The pages of the file themselves.
    Mapped(Mapping),
    /// A copy.
    Read(Vec<u8>),
}

impl Content {
    /// The first `len` bytes of a file of whatever origin.
    ///
    /// # Errors
    /// `InvalidData` when the file is shorter, or is not one that was written, and sealed; or there is no memory for a
    /// copy of what cannot be mapped.
    pub fn of(file: BorrowedFd<'_>, len: u64) -> io::Result<Content> {
        if written_size(file)? < len {
            let message = "a memory file is shorter than it was said to be";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        match Mapping::new(file, len) {
            Ok(mapping) => Ok(Content::Mapped(mapping)),
            Err(_) => Ok(Content::Read(read_all(file, len)?)),
        }
    }

    /// The same to be written, which changes neither the file nor what others have of it; the address stays as it is.
    ///
    /// # Errors
    /// There is no memory for a copy of all of it.
    pub fn writable(&mut self) -> io::Result<&mut [u8]> {
        match self {
            Content::Mapped(mapping) => mapping.writable(),
            Content::Read(bytes) => Ok(bytes),
        }
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::Mapped(mapping) => mapping,
            Content::Read(bytes) => bytes,
        }
    }
}

/// The start of a sealed file in the memory of this process.
#[derive(Debug)]
pub struct Mapping(Mmap);

impl Mapping {
    /// The pages of the file themselves. The caller has looked for the seals and at the size.
    pub(crate) fn new(file: BorrowedFd<'_>, len: u64) -> io::Result<Mapping> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the file can neither shrink nor change.
        let mapped = unsafe { MmapOptions::new().len(len).map_copy_read_only(&file)? };
        Ok(Mapping(mapped))
    }

    /// The pages to be written: those that are become copies, this mapping's own. (`Mmap::make_mut` would lose the
    /// mapping where there is no memory for copies.)
    fn writable(&mut self) -> io::Result<&mut [u8]> {
        let (address, len) = (self.0.as_ptr().cast_mut(), self.0.len());
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the range was mapped by us, and is not borrowed.
        unsafe { mprotect(address.cast(), len, access)? };
        // SAFETY: `len` bytes are mapped as long as `self` lives, which is borrowed as long as the slice.
        Ok(unsafe { std::slice::from_raw_parts_mut(address, len) })
    }

    /// Has all pages of a large mapping at hand: it is about to be read from end to end.
    pub fn populate(&self) {
        if self.0.len() >= POPULATE_FROM {
            // Kernels that do not know the advice say so; the pages come one by one then.
            let _ = self.0.advise(Advice::PopulateRead);
        }
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A part of a sealed file in memory, to be written: what is written is this mapping's alone, everything else the
/// file's.
#[derive(Debug)]
pub struct PrivateMapping(MmapMut);

impl PrivateMapping {
    /// The caller has looked for the seals and at the size.
    pub(crate) fn new(
        file: BorrowedFd<'_>,
        offset: usize,
        size: usize,
    ) -> io::Result<PrivateMapping> {
        let mut options = MmapOptions::new();
        // Memory is only needed for what is written, and mostly nothing is.
        options.offset(offset as u64).len(size).no_reserve_swap();
        // SAFETY: the file can neither shrink nor change.
        Ok(PrivateMapping(unsafe { options.map_copy(&file)? }))
    }

    /// Where the part begins.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.0.as_ptr().cast_mut()
    }

    /// The pages that it is in: where they begin, and how many bytes they are.
    fn pages(&self) -> (usize, usize) {
        let (page, start) = (rustix::param::page_size(), self.0.as_ptr() as usize);
        let first = start / page * page;
        (first, (start + self.0.len() - first).next_multiple_of(page))
    }

    /// Whether any of its pages was written: then it is no page of the file any more.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn is_written(&self) -> io::Result<bool> {
        let pagemap = std::fs::File::open("/proc/self/pagemap")?;
        let answer = self.scan(&pagemap);
        answer.map_or_else(|| self.look(&pagemap), Ok)
    }

    /// The same by the state of each page.
    pub(crate) fn look(&self, pagemap: &std::fs::File) -> io::Result<bool> {
        /// In an entry of `/proc/self/pagemap`: the page is in memory; it is in the swap space, where no page of a
        /// memory file's private mapping goes unless it was written; it is the file's.
        const PRESENT: u64 = 1 << 63;
        const SWAPPED: u64 = 1 << 62;
        const OF_FILE: u64 = 1 << 61;
        const ENTRY: usize = std::mem::size_of::<u64>();
        let page = rustix::param::page_size();
        let (start, len) = self.pages();
        let mut at = (start / page * ENTRY) as u64;
        let mut left = len / page * ENTRY;
        let mut buffer = vec![0; left.min(STATES)];
        while left > 0 {
            let wanted = left.min(buffer.len());
            let count = retry_on_intr(|| pread(pagemap, &mut buffer[..wanted], at))?;
            if count == 0 || count % ENTRY != 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_own = |entry: &[u8]| {
                let mut bytes = [0; ENTRY];
                bytes.copy_from_slice(entry);
                let entry = u64::from_ne_bytes(bytes);
                entry & OF_FILE == 0 && entry & (PRESENT | SWAPPED) != 0
            };
            if buffer[..count].chunks_exact(ENTRY).any(is_own) {
                return Ok(true);
            }
            at += count as u64;
            left -= count;
        }
        Ok(false)
    }

    /// The same by one call, which Linux has since 6.7.
    pub(crate) fn scan(&self, pagemap: &std::fs::File) -> Option<bool> {
        /// `PAGEMAP_SCAN`, and its categories of pages.
        const SCAN: u64 = 0xC060_6610;
        const FILE: u64 = 1 << 2;
        const PRESENT: u64 = 1 << 3;
        const SWAPPED: u64 = 1 << 4;
        /// `struct pm_scan_arg`.
        #[repr(C)]
        #[derive(Default)]
        struct Scan {
            size: u64,
            flags: u64,
            start: u64,
            end: u64,
            walk_end: u64,
            found: u64,
            found_len: u64,
            max_pages: u64,
            inverted: u64,
            mask: u64,
            any_of: u64,
            wanted: u64,
        }
        let mut found = [0u64; 3];
        let (start, len) = self.pages();
        let mut scan = Scan {
            size: std::mem::size_of::<Scan>() as u64,
            start: start as u64,
            end: (start + len) as u64,
            found: found.as_mut_ptr() as u64,
            found_len: 1,
            max_pages: 1,
            // Not the file's, but somewhere.
            inverted: FILE,
            mask: FILE,
            any_of: PRESENT | SWAPPED,
            wanted: FILE,
            ..Scan::default()
        };
        // SAFETY: the argument is the structure of this call, which names room for one range.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), SCAN as _, &mut scan) };
        (count >= 0).then_some(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealed::Growing;

    #[test]
    fn what_is_written_is_written_for_oneself() {
        let bytes: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
        let mut file = Growing::create("test").expect("memory files");
        file.write(&bytes).expect("memory");
        let sealed = file.seal().expect("sealed");
        let mut mapped = sealed.content().expect("content");
        let mut read = Content::Read(bytes.clone());
        let other = sealed.content().expect("content");
        assert!(matches!(mapped, Content::Mapped(_)));
        for content in [&mut mapped, &mut read] {
            let address = content.as_ptr();
            let written = content.writable().expect("memory");
            assert_eq!(written.as_ptr(), address);
            written[70_000] = 255;
            assert_eq!((content[70_000], content[69_999]), (255, bytes[69_999]));
        }
        assert!(*other == *bytes && *sealed.content().expect("content") == *bytes);
    }
}
