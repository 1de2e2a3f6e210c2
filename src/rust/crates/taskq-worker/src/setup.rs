//! The setup file: what a supervisor is told at its start.
//!
//! Owns how it is read, again and again by any number of processes. Never looks into the binding's part of it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use taskq_sys::tempdir::TempDir;
use taskq_wire::frame::{Decoded, Decoder};
use taskq_wire::message::Setup;

use crate::error::StartError;

/// The content of the setup file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupFile {
    /// Who the host is, and where the queue lives.
    pub setup: Setup,
    /// The binding's part; opaque here.
    pub payload: Vec<u8>,
}

impl SetupFile {
    /// Reads the file from its start. Neither uses nor moves the position that all duplicates of `fd` share.
    pub(crate) fn read(fd: impl AsFd) -> Result<SetupFile, StartError> {
        let mut source = FromStart {
            fd: fd.as_fd(),
            offset: 0,
        };
        let mut decoder = Decoder::<Setup>::default();
        loop {
            if let Some(frame) = decoder.next_frame().map_err(StartError::SetupFrame)? {
                return Ok(SetupFile {
                    setup: frame.message,
                    payload: frame.payload,
                });
            }
            match decoder.read_from(&mut source).map_err(StartError::Setup)? {
                Decoded::Read(_) => {}
                Decoded::Eof | Decoded::WouldBlock => return Err(StartError::SetupCut),
            }
        }
    }
}

/// The directory of the queue.
pub(crate) fn queue_dir(setup: &Setup) -> TempDir {
    TempDir::at(setup.places.iter().cloned().map(Into::into))
}

struct FromStart<'a> {
    fd: BorrowedFd<'a>,
    offset: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = rustix::io::pread(self.fd, buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use taskq_wire::frame::encode_head;

    fn file(bytes: &[u8]) -> std::fs::File {
        let mut file = taskq_sys::memory::file("setup").expect("memory");
        file.write_all(bytes).expect("write");
        file
    }

    #[test]
    fn the_file_can_be_read_many_times() {
        let setup = Setup {
            host_pid: 1,
            token: "t".into(),
            places: Vec::new(),
        };
        let mut bytes = Vec::new();
        encode_head(&setup, 200_000, 0, &mut bytes).expect("small");
        bytes.resize(bytes.len() + 200_000, 7);
        let whole = file(&bytes);
        for _ in 0..2 {
            let read = SetupFile::read(&whole).expect("read");
            assert_eq!(read.setup, setup);
            assert_eq!(read.payload, vec![7; 200_000]);
        }
        bytes.pop();
        assert!(matches!(
            SetupFile::read(file(&bytes)),
            Err(StartError::SetupCut)
        ));
        assert!(matches!(
            SetupFile::read(file(b"no frame at all.")),
            Err(StartError::SetupFrame(_))
        ));
    }
}
