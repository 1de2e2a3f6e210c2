//! Memory files that are written once, sealed, and handed to another process, which maps them.
//!
//! They are written by `pwrite` alone: a page that was written is there, so that no later access can be a `SIGBUS`, and
//! want of memory is an error of the call and not a signal. The seals say that neither content nor size will change.
//! Who receives a file does not believe that: it looks ([`Content::of`]).
//!
//! Descriptors are scarce, so files that wait in this process are counted: beyond a [share of what the process may have
//! open](crate::budget) there is none, and the caller keeps its bytes in memory.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{fcntl_add_seals, fcntl_get_seals, fstat, memfd_create, MemfdFlags, SealFlags};
use rustix::io::{pread, pwrite, retry_on_intr, Errno};
use rustix::process::{getrlimit, Resource};

use taskq_sys::feature::{available, Feature};

use crate::budget::Permit;
use crate::mapping::Content;

/// Writes are put together up to this size. Larger ones go to the file as they are.
const STAGE: usize = 64 * 1024;

/// What makes a file safe to map and constant to read.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// A memory file that is being written. Only its owner sees it.
#[derive(Debug)]
pub struct Growing {
    file: OwnedFd,
    permit: Permit,
    /// What is written, but not to the file yet.
    staged: Vec<u8>,
    /// What is in the file.
    written: u64,
    /// The file may not be larger: beyond it the kernel would send a signal.
    limit: u64,
}

impl Growing {
    /// A new file; `name` is only for whoever looks into `/proc`. `None` when the kernel has or gives none, or when
    /// this process holds as many as it may.
    #[must_use]
    pub fn create(name: &str) -> Option<Growing> {
        if !available(Feature::Memfd) {
            return None;
        }
        let permit = Permit::take()?;
        let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?;
        Some(Growing {
            file,
            permit,
            staged: Vec::new(),
            written: 0,
            limit: getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX),
        })
    }

    /// How many bytes were written.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + self.staged.len() as u64
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// There is no memory for them. Nothing of them was appended then, and what was before is whole.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.staged.len() + bytes.len() > STAGE {
            self.write_staged()?;
        }
        if bytes.len() < STAGE {
            self.staged
                .try_reserve(bytes.len())
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            self.staged.extend_from_slice(bytes);
            return Ok(());
        }
        self.put(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Fills up with zeros to a multiple of `align`, which is 64 at most, and says where that is.
    ///
    /// # Errors
    /// As of [`write`](Growing::write).
    pub fn align(&mut self, align: u64) -> io::Result<u64> {
        const PADDING: [u8; 64] = [0; 64];
        let beyond = self.len() % align.max(1);
        let padding = if beyond == 0 { 0 } else { align - beyond };
        let padding = PADDING.get(..padding as usize);
        self.write(padding.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(self.len())
    }

    /// Has everything in the file.
    ///
    /// # Errors
    /// There is no memory for it. What was in the file before is whole.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_staged()
    }

    /// The file, which cannot be changed from now on.
    ///
    /// # Errors
    /// There is no memory for the last bytes; the file is given back as it was.
    pub fn seal(mut self) -> Result<Sealed, Growing> {
        if self.write_staged().is_err() || fcntl_add_seals(&self.file, SEALS).is_err() {
            return Err(self);
        }
        // What the receiver will look at. A kernel that says something else of a file that was written has none for us.
        if written_size(self.file.as_fd()).ok() != Some(self.written) {
            return Err(self);
        }
        Ok(Sealed {
            file: self.file,
            len: self.written,
            permit: self.permit,
        })
    }

    /// What was written, in memory. `None` when there is none.
    #[must_use]
    pub fn into_memory(self) -> Option<Vec<u8>> {
        let mut bytes = read_all(self.file.as_fd(), self.written).ok()?;
        bytes.try_reserve(self.staged.len()).ok()?;
        bytes.extend_from_slice(&self.staged);
        Some(bytes)
    }

    fn write_staged(&mut self) -> io::Result<()> {
        self.put(&self.staged)?;
        self.written += self.staged.len() as u64;
        self.staged.clear();
        Ok(())
    }

    /// Writes behind what is in the file.
    fn put(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut at = self.written;
        if at.saturating_add(bytes.len() as u64) > self.limit {
            return Err(Errno::FBIG.into());
        }
        while !bytes.is_empty() {
            match retry_on_intr(|| pwrite(&self.file, bytes, at))? {
                0 => return Err(Errno::NOSPC.into()),
                count => {
                    at += count as u64;
                    bytes = &bytes[count..];
                }
            }
        }
        Ok(())
    }
}

/// A memory file that cannot change any more.
#[derive(Debug)]
pub struct Sealed {
    file: OwnedFd,
    len: u64,
    permit: Permit,
}

impl Sealed {
    /// Its size.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is of size 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its content, to be read; the file may go then.
    ///
    /// # Errors
    /// It can neither be mapped nor be read into memory.
    pub fn content(&self) -> io::Result<Content> {
        Content::of(self.file.as_fd(), self.len)
    }

    /// One that came from another process, which the caller has looked at.
    pub(crate) fn received(file: OwnedFd, len: u64, permit: Permit) -> Sealed {
        Sealed { file, len, permit }
    }

    pub(crate) fn into_parts(self) -> (OwnedFd, Permit) {
        (self.file, self.permit)
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whether the file can be neither changed nor shortened.
#[must_use]
pub fn is_sealed(file: BorrowedFd<'_>) -> bool {
    fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
}

/// The size of a file that may come from any process: it can no longer be changed, and was written from end to end.
/// Reading a file with holes would take memory that its sender never had.
///
/// # Errors
/// `InvalidData` when it is not so.
pub(crate) fn written_size(file: BorrowedFd<'_>) -> io::Result<u64> {
    /// What `st_blocks` counts.
    const BLOCK: u64 = 512;
    let refuse = |message| Err(io::Error::new(io::ErrorKind::InvalidData, message));
    if !is_sealed(file) {
        return refuse("a file that came is no sealed memory file");
    }
    let stat = fstat(file)?;
    let [size, blocks] = [stat.st_size, stat.st_blocks].map(|n| u64::try_from(n).unwrap_or(0));
    if blocks.saturating_mul(BLOCK) < size {
        return refuse("a memory file that came was not written from end to end");
    }
    Ok(size)
}

/// The first `len` bytes of a file, in memory.
pub(crate) fn read_all(file: BorrowedFd<'_>, len: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(len, 0);
    let mut filled = 0;
    while filled < len {
        match retry_on_intr(|| pread(file, &mut bytes[filled..], filled as u64))? {
            0 => {
                let message = "a memory file was cut off";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            count => filled += count,
        }
    }
    Ok(bytes)
}

/// These bytes in memory of their own.
pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| no_memory())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// These bytes in a file of their own.
pub(crate) fn sealed_of(bytes: &[u8]) -> io::Result<Sealed> {
    let mut file = Growing::create("taskq-payload").ok_or_else(no_memory)?;
    file.write(bytes)?;
    file.seal().map_err(|_| no_memory())
}

fn no_memory() -> io::Error {
    io::ErrorKind::OutOfMemory.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn what_is_written_in_any_pieces_is_what_is_mapped() {
        let bytes = pattern(1_000_000);
        let mut file = Growing::create("test").expect("memory files");
        let mut at = 0;
        for size in [1, 0, 8, 70_000, 3, STAGE, STAGE - 1, 2, 200_000]
            .into_iter()
            .cycle()
        {
            let end = bytes.len().min(at + size);
            file.write(&bytes[at..end]).expect("memory");
            at = end;
            if at == bytes.len() {
                break;
            }
        }
        assert_eq!(file.len(), bytes.len() as u64);
        let sealed = file.seal().expect("sealed");
        let content = sealed.content().expect("content");
        assert!(matches!(content, Content::Mapped(_)));
        drop(sealed);
        assert!(*content == *bytes, "bytes differ");
    }

    #[test]
    fn a_file_that_cannot_grow_gives_back_what_it_has() {
        let mut file = Growing::create("test").expect("memory files");
        let first = pattern(200_003);
        file.write(&first[..200_000]).expect("memory");
        file.write(&first[200_000..]).expect("memory");
        fcntl_add_seals(&file.file, SealFlags::GROW).expect("a seal");
        let refused = file.write(&pattern(100_000)).expect_err("sealed");
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
        assert!(file.into_memory().expect("memory") == first);

        let mut file = Growing::create("test").expect("memory files");
        file.limit = 100_000;
        file.write(&first[..90_000]).expect("memory");
        let refused = file.write(&first[..90_000]).expect_err("a limit");
        assert_eq!(refused.raw_os_error(), Some(libc::EFBIG));
        file.write(&first[..20_000]).expect("staged");
        let file = file.seal().expect_err("a limit");
        assert_eq!(file.into_memory().expect("memory").len(), 110_000);
    }

    #[test]
    fn a_sealed_file_cannot_change_and_a_file_without_seals_is_refused() {
        let mut file = Growing::create("test").expect("memory files");
        file.write(&pattern(10_000)).expect("memory");
        let sealed = file.seal().expect("sealed");
        assert!(pwrite(&sealed, b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(&sealed, 1).is_err());

        for seals in [SealFlags::empty(), SealFlags::GROW | SealFlags::WRITE] {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let loose = memfd_create("test", flags).expect("memory files");
            pwrite(&loose, &pattern(5000), 0).expect("memory");
            fcntl_add_seals(&loose, seals).expect("seals");
            let refused = Content::of(loose.as_fd(), 5000).expect_err("not sealed");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        let longer = Content::of(sealed.as_fd(), 10_001).expect_err("shorter");
        assert_eq!(longer.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_file_that_was_not_written_from_end_to_end_is_refused() {
        for (size, written) in [(6 << 30, 0), (1 << 20, 100_000), (8192, 4096), (8192, 4097)] {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let sparse = memfd_create("test", flags).expect("memory files");
            rustix::fs::ftruncate(&sparse, size).expect("a size");
            pwrite(&sparse, &pattern(written), 0).expect("memory");
            fcntl_add_seals(&sparse, SEALS).expect("seals");
            let is_whole = size as usize <= written.div_ceil(4096) * 4096;
            assert_eq!(
                written_size(sparse.as_fd()).is_ok(),
                is_whole,
                "{written} of {size}"
            );
            assert_eq!(Content::of(sparse.as_fd(), 10).is_ok(), is_whole);
            let parcel = crate::parcel::Parcel::receive_all(&sparse);
            assert_eq!(parcel.is_ok(), is_whole);
            assert_eq!(crate::segment::Segment::receive(sparse).is_ok(), is_whole);
        }
    }

    #[test]
    fn what_is_no_memory_file_is_refused() {
        let (read, write) = taskq_sys::pipe::pair().expect("a pipe");
        let (near, far) = taskq_sys::socket::stream_pair().expect("sockets");
        let directory = std::fs::File::open("/").expect("a directory");
        let file = std::fs::File::open("/proc/self/exe").expect("a file");
        let device = std::fs::File::open("/dev/zero").expect("a device");
        let all = [
            read,
            write,
            near,
            far,
            directory.into(),
            file.into(),
            device.into(),
        ];
        for fd in all {
            assert!(Content::of(fd.as_fd(), 1).is_err());
            assert!(crate::parcel::Parcel::receive_all(&fd).is_err());
            assert!(crate::segment::Segment::receive(fd).is_err());
        }
    }
}
