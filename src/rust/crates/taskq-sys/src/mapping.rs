//! What is in a [sealed file](crate::sealed), in the memory of this process.
//!
//! | type | what |
//! | --- | --- |
//! | [`Content`] | a sealed file of whatever origin: mapped, or a copy where it cannot be |
//! | [`Mapping`] | the pages of a sealed file, to be read; whoever owns it alone may write them for himself |
//! | [`PrivateMapping`] | a part of them to be written, of which nobody else learns |
//!
//! Who maps has looked for the seals and at the size before: what is mapped can neither shrink nor change. All
//! mappings are private: before Linux 6.7 nothing else could be mapped of a file that is sealed against writing, not
//! even to be read.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};

use rustix::io::{pread, retry_on_intr};
use rustix::mm::{mmap, mprotect, munmap, MapFlags, MprotectFlags, ProtFlags};

use crate::sealed::{read_all, written_size};

/// Above this size a mapping is filled by one call instead of by one fault for each few pages.
const POPULATE_FROM: usize = 1 << 20;
/// The states of so many pages are read at once.
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
pub struct Mapping {
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to no thread, and nothing of it is written through a shared reference.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// The pages of the file themselves. The caller has looked for the seals and at the size.
    pub(crate) fn new(file: BorrowedFd<'_>, len: u64) -> io::Result<Mapping> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if len == 0 {
            return Ok(Mapping {
                address: NonNull::dangling(),
                len,
            });
        }
        // SAFETY: the kernel chooses a free place, so no other memory is touched.
        let address = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::PRIVATE,
                file,
                0,
            )?
        };
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { address, len })
    }

    /// The pages to be written: those that are become copies, this mapping's own.
    fn writable(&mut self) -> io::Result<&mut [u8]> {
        if self.len > 0 {
            let access = MprotectFlags::READ | MprotectFlags::WRITE;
            // SAFETY: the range was mapped by us, and is borrowed by nobody else.
            unsafe { mprotect(self.address.as_ptr().cast(), self.len, access)? };
        }
        // SAFETY: so many bytes are mapped as long as `self` lives, which is borrowed as long as the slice.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.len) })
    }

    /// Has all pages of a large mapping at hand: it is about to be read from end to end.
    pub fn populate(&self) {
        if self.len < POPULATE_FROM {
            return;
        }
        // SAFETY: the range is mapped, and the call changes nothing in it. Kernels that do not know the advice say
        // so; the pages come one by one then.
        unsafe {
            libc::madvise(
                self.address.as_ptr().cast(),
                self.len,
                libc::MADV_POPULATE_READ,
            );
        }
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped as long as `self` lives, in a file that can neither shrink nor change.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: it was mapped by us, and what was borrowed of it is gone.
            let _ = unsafe { munmap(self.address.as_ptr().cast(), self.len) };
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.len)
    }
}

/// A part of a sealed file in memory, to be written: what is written is this mapping's alone, everything else the
/// file's.
#[derive(Debug)]
pub struct PrivateMapping {
    start: NonNull<u8>,
    len: usize,
    /// How far behind the start the part begins.
    skipped: usize,
}

// SAFETY: the mapping belongs to no thread; who uses the address has to see to the rest.
unsafe impl Send for PrivateMapping {}

impl PrivateMapping {
    /// The caller has looked for the seals and at the size.
    pub(crate) fn new(
        file: BorrowedFd<'_>,
        offset: usize,
        size: usize,
    ) -> io::Result<PrivateMapping> {
        let skipped = offset % rustix::param::page_size();
        let len = size + skipped;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // Memory is only needed for what is written, and mostly nothing is.
        let kind = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let from = (offset - skipped) as u64;
        // SAFETY: the kernel chooses a free place, so no other memory is touched.
        let start = unsafe { mmap(ptr::null_mut(), len, access, kind, file, from)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(PrivateMapping {
            start,
            len,
            skipped,
        })
    }

    /// Where the part begins.
    #[must_use]
    pub fn address(&self) -> *mut u8 {
        self.start.as_ptr().wrapping_add(self.skipped)
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
        let mut at = (self.start.as_ptr() as usize / page * ENTRY) as u64;
        let mut left = self.len.div_ceil(page) * ENTRY;
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
}

impl PrivateMapping {
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
        let page = rustix::param::page_size();
        let mut found = [0u64; 3];
        let start = self.start.as_ptr() as u64;
        let mut scan = Scan {
            size: std::mem::size_of::<Scan>() as u64,
            start,
            end: start + (self.len.div_ceil(page) * page) as u64,
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

impl Drop for PrivateMapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by us, and whoever had the address has let go of it.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
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
