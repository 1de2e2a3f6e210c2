//! Files without a name, in memory where the kernel can.
//!
//! Only makes them, empty. Sealing and mapping are their users'.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{memfd_create, MemfdFlags};

use crate::feature::{available, Feature};

/// An empty file without a name in any directory, closed by `exec`. `name` is only for whoever looks into `/proc`.
///
/// Where the kernel has no memory files it is an unlinked file under `TMPDIR` (`/tmp` when unset).
///
/// # Errors
/// No descriptor, no memory, or no place for a temporary file is left.
pub fn file(name: &str) -> io::Result<File> {
    if available(Feature::Memfd) {
        match memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) {
            Ok(fd) => return Ok(File::from(fd)),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let directory = std::env::var_os("TMPDIR").unwrap_or_else(|| "/tmp".into());
    unlinked(&directory)
}

fn unlinked(directory: &OsStr) -> io::Result<File> {
    let mut template = directory.as_bytes().to_vec();
    template.extend_from_slice(b"/taskq-XXXXXX");
    let template = CString::new(template)?.into_raw();
    // SAFETY: `template` is a writable string that ends with NUL and six X; `into_raw` gave it to us, and mkostemp
    // keeps its length.
    let (fd, name) = unsafe {
        let fd = libc::mkostemp(template, libc::O_CLOEXEC);
        (fd, CString::from_raw(template))
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: mkostemp has just opened this descriptor for us.
    let file = unsafe { File::from_raw_fd(fd) };
    std::fs::remove_file(OsStr::from_bytes(name.to_bytes()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn both_kinds_of_file_hold_bytes_and_have_no_name() {
        let directory = std::env::temp_dir();
        for mut file in [
            file("test").expect("memory file"),
            unlinked(directory.as_os_str()).expect("temporary file"),
        ] {
            file.write_all(b"abc").expect("write");
            file.rewind().expect("rewind");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("read");
            assert_eq!(text, "abc");
            assert_eq!(file.metadata().expect("stat").nlink(), 0);
        }
    }
}
