//! The host's side of one session.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use taskq_payload::arrived::Arrived;
use taskq_payload::board::MappedBoard;
use taskq_record::{AttemptId, TaskId, Verdict, WorkerId};
use taskq_sys::socket::{recv_packet, recv_stream_with, send_packet, send_stream_with, RecvFlags};
use taskq_wire::frame::{encode_head, Decoded, Decoder, Frame, Source};
use taskq_wire::message::{
    Finished, FromControl, FromSession, FunctionRef, Part, ToControl, ToSession,
};
use taskq_wire::packet::{self, MAX_PACKET};

use super::{readable, DEADLINE};

/// A launched session.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) board: Rc<MappedBoard>,
    /// 0 until it is known.
    pub(crate) pid: i32,
    pub(crate) outputs: [OwnedFd; 2],
    pub(crate) task: OwnedFd,
    pub(crate) control: OwnedFd,
    decoder: Decoder<FromSession>,
}

impl Worker {
    pub(crate) fn new(
        id: WorkerId,
        board: MappedBoard,
        task: OwnedFd,
        control: OwnedFd,
        outputs: [OwnedFd; 2],
    ) -> Worker {
        Worker {
            id,
            board: Rc::new(board),
            pid: 0,
            outputs,
            task,
            control,
            decoder: Decoder::default(),
        }
    }

    /// Sends a task; its function is the word `fun`.
    pub(crate) fn send(&self, task: u64, text: &str) {
        let payload = [b"fun", text.as_bytes()].concat();
        let call = in_memory(text.len());
        self.send_frame(&run(task, in_memory(3), call), &payload, &[]);
    }

    /// Sends a task whose call is in this file.
    pub(crate) fn send_file(&self, task: u64, file: &OwnedFd, len: usize) {
        let call = Part {
            in_file: true,
            ..in_memory(len)
        };
        self.send_frame(&run(task, in_memory(0), call), b"", &[file.as_fd()]);
    }

    pub(crate) fn retire(&self) {
        self.send_frame(&ToSession::Retire, b"", &[]);
    }

    pub(crate) fn send_frame(&self, message: &ToSession, payload: &[u8], fds: &[BorrowedFd<'_>]) {
        let mut bytes = Vec::new();
        encode_head(message, payload.len() as u64, fds.len(), &mut bytes).expect("small");
        bytes.extend_from_slice(payload);
        let sent = send_stream_with(&self.task, &[IoSlice::new(&bytes)], fds).expect("send");
        assert_eq!(sent, bytes.len());
    }

    /// The session's next message, or `None` at the end of the stream.
    pub(crate) fn next_frame(&mut self) -> Option<Frame<FromSession>> {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("a frame") {
                return Some(frame);
            }
            assert!(
                readable(&self.task, DEADLINE),
                "waited in vain for the session"
            );
            let progress = self
                .decoder
                .read_from(&mut Stream(&self.task))
                .expect("read");
            if progress == Decoded::Eof {
                return None;
            }
        }
    }

    pub(crate) fn expect_ready(&mut self) {
        let frame = self.next_frame().expect("a message");
        assert!(matches!(frame.message, FromSession::Ready { pid: 1.. }));
    }

    /// The next result.
    pub(crate) fn result(&mut self) -> (Finished, String) {
        let frame = self.next_frame().expect("a message");
        let FromSession::Finished(finished) = frame.message else {
            panic!("{:?} instead of a result", frame.message)
        };
        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
        let outcome = arrived.take(&finished.outcome).expect("a payload");
        arrived.finish().expect("no more");
        let said = outcome.bytes().expect("bytes").to_vec();
        (finished, String::from_utf8(said).expect("text"))
    }

    /// The next condition, and whose it is.
    pub(crate) fn signalled(&mut self) -> (AttemptId, String) {
        let frame = self.next_frame().expect("a message");
        let FromSession::Signalled { attempt, condition } = frame.message else {
            panic!("{:?} instead of a condition", frame.message)
        };
        let mut arrived = Arrived::new(frame.payload, frame.descriptors);
        let condition = arrived.take(&condition).expect("a payload");
        arrived.finish().expect("no more");
        let said = condition.bytes().expect("bytes").to_vec();
        (attempt, String::from_utf8(said).expect("text"))
    }

    /// Runs one task that must succeed, and returns what it says.
    pub(crate) fn run(&mut self, task: u64, text: &str) -> String {
        self.send(task, text);
        let (finished, said) = self.result();
        assert_eq!(
            (finished.attempt, finished.verdict),
            (attempt(task), Verdict::Success)
        );
        said
    }

    pub(crate) fn tell(&self, message: &ToControl) {
        let packet = packet::encode(message).expect("small");
        send_packet(&self.control, &packet, &[]).expect("send");
    }

    pub(crate) fn interrupt(&self, task: u64) {
        self.tell(&ToControl::Interrupt {
            attempt: attempt(task),
        });
    }

    /// What the control thread has given back, if it says something in time.
    pub(crate) fn returned_within(&self, patience: Duration) -> Option<Vec<AttemptId>> {
        if !readable(&self.control, patience) {
            return None;
        }
        let mut buffer = vec![0; MAX_PACKET];
        let packet = recv_packet(&self.control, &mut buffer, RecvFlags::DONTWAIT).expect("packet");
        let FromControl::Returned { attempts } =
            packet::decode(&buffer[..packet.len]).expect("a message");
        Some(attempts)
    }

    pub(crate) fn returned(&self) -> Vec<AttemptId> {
        self.returned_within(DEADLINE).expect("an answer")
    }

    /// Reads so many bytes of an output.
    pub(crate) fn read_output(&self, which: usize, count: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(count).expect("small")];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::io::read(&self.outputs[which], &mut bytes[filled..]).expect("read");
        }
        bytes
    }
}

/// What is said of a payload of so many bytes that is in no file.
pub(crate) fn in_memory(len: usize) -> Part {
    Part {
        len: len as u64,
        ..Part::default()
    }
}

/// Each time with another function.
pub(crate) fn run(task: u64, fun: Part, call: Part) -> ToSession {
    static FUNCTIONS: AtomicU64 = AtomicU64::new(1);
    ToSession::Run {
        attempt: attempt(task),
        label: "a".into(),
        tries: 1,
        fun: FunctionRef {
            id: FUNCTIONS.fetch_add(1, Ordering::Relaxed),
            is_pure: false,
            part: fun,
        },
        call,
        given: Vec::new(),
    }
}

/// The first attempt at a task.
pub(crate) fn attempt(task: u64) -> AttemptId {
    AttemptId {
        task: TaskId(task),
        number: 1,
    }
}

struct Stream<'a>(&'a OwnedFd);

impl Source for Stream<'_> {
    fn receive(&mut self, buffer: &mut [u8], fds: &mut VecDeque<OwnedFd>) -> io::Result<usize> {
        recv_stream_with(self.0, buffer, fds)
    }
}
