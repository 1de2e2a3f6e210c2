//! Socket pairs: a byte stream, and packets that can carry descriptors.
//!
//! Nothing here has a name in any file system or namespace, so no other process can connect to it. No call raises
//! `SIGPIPE`. Calls block unless the socket is set not to ([`set_nonblocking`]) or the flags say so; then they report
//! [`io::ErrorKind::WouldBlock`].

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{retry_on_intr, Errno};
use rustix::net::{
    recvmsg, sendmsg, socketpair, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage,
    ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

pub use rustix::net::RecvFlags;

/// No packet carries more descriptors.
pub const MAX_FDS: usize = 8;
/// No part of a stream carries more descriptors: the kernel's limit.
pub const MAX_STREAM_FDS: usize = 253;

/// What [`recv_packet`] has received.
#[derive(Debug)]
pub struct Packet {
    /// How many bytes of the buffer are the packet; 0 means that the other end is closed.
    pub len: usize,
    /// The descriptors that came along, closed by `exec`.
    pub fds: Vec<OwnedFd>,
}

/// Two connected ends of a byte stream, closed by `exec`.
///
/// # Errors
/// No descriptors are left.
pub fn stream_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SocketType::STREAM)
}

/// Two connected ends of a channel for packets, closed by `exec`.
///
/// # Errors
/// No descriptors are left.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    pair(SocketType::SEQPACKET)
}

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        kind,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Whether calls on this end return at once instead of waiting. It concerns every duplicate of this end, also those in
/// other processes, but not the other end.
///
/// # Errors
/// `fd` is not open.
pub fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, nonblocking)?)
}

/// Sends one packet, whole or not at all, with at most [`MAX_FDS`] descriptors.
///
/// # Errors
/// `InvalidInput` for an empty packet (it would look like the end) or too many descriptors, `WouldBlock`, `BrokenPipe`
/// when the other end is closed, and what else `sendmsg` reports.
pub fn send_packet(fd: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if bytes.is_empty() || fds.len() > MAX_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parts = [IoSlice::new(bytes)];
    retry_on_intr(|| sendmsg(&fd, &parts, &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one packet into `buffer`.
///
/// # Errors
/// `WouldBlock`; `InvalidData` when packet or descriptors did not fit (those that came are closed); and what else
/// `recvmsg` reports.
pub fn recv_packet(fd: impl AsFd, buffer: &mut [u8], flags: RecvFlags) -> io::Result<Packet> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(buffer)];
        recvmsg(
            &fd,
            &mut parts,
            &mut control,
            flags | RecvFlags::CMSG_CLOEXEC,
        )
    });
    let received = match received {
        // A stream's way to say that the other end was closed with bytes unread; for us it is the end like any other.
        Err(Errno::CONNRESET) => {
            return Ok(Packet {
                len: 0,
                fds: Vec::new(),
            })
        }
        other => other?,
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        let message = "a packet or its descriptors did not fit";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Packet {
        len: received.bytes,
        fds,
    })
}

/// Sends a part of a stream, and says how many bytes were taken.
///
/// # Errors
/// `WouldBlock`, `BrokenPipe` when the other end is closed, and what else `sendmsg` reports.
pub fn send_stream(fd: impl AsFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    Ok(retry_on_intr(|| {
        sendmsg(&fd, parts, &mut control, SendFlags::NOSIGNAL)
    })?)
}

/// The same with at most [`MAX_STREAM_FDS`] descriptors, which come with the first of the bytes. Either some bytes and
/// all descriptors are taken, or nothing.
///
/// # Errors
/// As [`send_stream`]; `InvalidInput` for too many descriptors; [`is_too_many_under_way`].
pub fn send_stream_with(
    fd: impl AsFd,
    parts: &[IoSlice<'_>],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    if fds.is_empty() {
        return send_stream(fd, parts);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_STREAM_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if fds.len() > MAX_STREAM_FDS || !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(retry_on_intr(|| {
        sendmsg(&fd, parts, &mut control, SendFlags::NOSIGNAL)
    })?)
}

/// Whether the kernel refuses to have more descriptors of this user in sockets, unread. It does not tell when there is
/// room.
#[must_use]
pub fn is_too_many_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error())
}

/// Receives a part of a stream; 0 means that the other end is closed. Descriptors are closed.
///
/// # Errors
/// `WouldBlock`, and what else `recv` reports.
pub fn recv_stream(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    match retry_on_intr(|| rustix::net::recv(&fd, &mut *buffer, RecvFlags::empty())) {
        Ok((_, len)) => Ok(len),
        Err(Errno::CONNRESET) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Receives a part of a stream and appends the descriptors that came with it to `fds`; they are closed by `exec`. The
/// part ends no later than the piece that was sent with descriptors, so these are of the last piece that begins in it.
///
/// # Errors
/// `WouldBlock`; `InvalidData` when this process cannot take the descriptors (those that came are closed); and what
/// else `recvmsg` reports.
pub fn recv_stream_with(
    fd: impl AsFd,
    buffer: &mut [u8],
    fds: &mut VecDeque<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_STREAM_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(buffer)];
        recvmsg(&fd, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    });
    let received = match received {
        Err(Errno::CONNRESET) => return Ok(0),
        other => other?,
    };
    let before = fds.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        fds.truncate(before);
        let message = "this process cannot take the descriptors that came";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe;

    #[test]
    fn a_packet_carries_descriptors_that_work() {
        let (near, far) = packet_pair().expect("pair");
        let (read, write) = pipe::pair().expect("pipe");
        send_packet(&near, b"hello", &[write.as_fd(), read.as_fd()]).expect("send");
        let mut buffer = [0; 64];
        let packet = recv_packet(&far, &mut buffer, RecvFlags::empty()).expect("receive");
        assert_eq!(&buffer[..packet.len], b"hello");
        let [write_there, read_there] = &packet.fds[..] else {
            panic!("two descriptors")
        };
        drop((read, write));
        rustix::io::write(write_there, b"x").expect("write");
        assert_eq!(pipe::unread(read_there).expect("unread"), 1);
        for fd in &packet.fds {
            let flags = rustix::io::fcntl_getfd(fd).expect("flags");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn packets_keep_their_borders_and_the_end_is_told() {
        let (near, far) = packet_pair().expect("pair");
        let mut buffer = [0; 8];
        let waits = recv_packet(&far, &mut buffer, RecvFlags::DONTWAIT);
        assert_eq!(waits.expect_err("empty").kind(), io::ErrorKind::WouldBlock);
        send_packet(&near, b"a", &[]).expect("send");
        send_packet(&near, b"bc", &[]).expect("send");
        for len in [1, 2] {
            let packet = recv_packet(&far, &mut buffer, RecvFlags::empty()).expect("receive");
            assert_eq!(packet.len, len);
        }
        send_packet(&near, b"123456789", &[]).expect("send");
        let cut = recv_packet(&far, &mut buffer, RecvFlags::empty());
        assert_eq!(
            cut.expect_err("too long").kind(),
            io::ErrorKind::InvalidData
        );
        drop(near);
        let end = recv_packet(&far, &mut buffer, RecvFlags::empty()).expect("end");
        assert_eq!(end.len, 0);
        let broken = send_packet(&far, b"a", &[]).expect_err("closed");
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_stream_takes_pieces_and_does_not_wait_when_told_so() {
        let (near, far) = stream_pair().expect("pair");
        set_nonblocking(&far, true).expect("set");
        let mut buffer = [0; 8];
        let waits = recv_stream(&far, &mut buffer).expect_err("empty");
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
        let sent = send_stream(&near, &[IoSlice::new(b"ab"), IoSlice::new(b"cd")]);
        assert_eq!(sent.expect("send"), 4);
        assert_eq!(recv_stream(&far, &mut buffer).expect("receive"), 4);
        assert_eq!(&buffer[..4], b"abcd");
        drop(near);
        assert_eq!(recv_stream(&far, &mut buffer).expect("end"), 0);
    }
    #[test]
    fn descriptors_come_with_the_first_byte_of_their_piece_in_order() {
        let (near, far) = stream_pair().expect("pair");
        let (read, write) = pipe::pair().expect("pipe");
        let pieces: [(&[u8], &[BorrowedFd<'_>]); 4] = [
            (b"ab", &[]),
            (b"cdef", &[read.as_fd(), write.as_fd()]),
            (b"gh", &[]),
            (b"ij", &[write.as_fd()]),
        ];
        for (bytes, fds) in pieces {
            let sent = send_stream_with(&near, &[IoSlice::new(bytes)], fds).expect("send");
            assert_eq!(sent, bytes.len());
        }
        let mut fds = VecDeque::new();
        let mut buffer = [0; 4];
        let mut expect = |text: &[u8], count: usize| {
            let len = recv_stream_with(&far, &mut buffer, &mut fds).expect("receive");
            assert_eq!((&buffer[..len], fds.len()), (text, count));
        };
        // Never more than up to the end of a piece that has descriptors.
        expect(b"abcd", 2);
        expect(b"efgh", 2);
        expect(b"ij", 3);
        for fd in &fds {
            let flags = rustix::io::fcntl_getfd(fd).expect("flags");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        let too_many = vec![write.as_fd(); MAX_STREAM_FDS + 1];
        assert!(send_stream_with(&near, &[IoSlice::new(b"x")], &too_many).is_err());
        let most = &too_many[..MAX_STREAM_FDS];
        send_stream_with(&near, &[IoSlice::new(b"x")], most).expect("send");
        recv_stream_with(&far, &mut [0; 8], &mut fds).expect("receive");
        assert_eq!(fds.len(), 3 + MAX_STREAM_FDS);
    }
}
