//! The host's side of one session.

use std::io::{self, IoSlice, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use taskq_core::id::{AttemptId, TaskId, WorkerId};
use taskq_sys::socket::{recv_packet, recv_stream, send_packet, send_stream, RecvFlags};
use taskq_wire::frame::{encode_head, Decoder, Frame, Progress};
use taskq_wire::message::{
    Finished, FromControl, FromSession, SlotId, ToControl, ToSession, Verdict,
};
use taskq_wire::packet::{self, MAX_PACKET};

use super::{readable, DEADLINE};

/// A launched session.
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) slot: SlotId,
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
        slot: SlotId,
        task: OwnedFd,
        control: OwnedFd,
        outputs: [OwnedFd; 2],
    ) -> Worker {
        Worker {
            id,
            slot,
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
        let message = ToSession::Run {
            attempt: attempt(task),
            label: "a".into(),
            tries: 1,
            fun_len: 3,
        };
        self.send_frame(&message, &payload);
    }

    pub(crate) fn retire(&self) {
        self.send_frame(&ToSession::Retire, b"");
    }

    fn send_frame(&self, message: &ToSession, payload: &[u8]) {
        let mut bytes = Vec::new();
        encode_head(message, payload.len() as u64, &mut bytes).expect("small");
        bytes.extend_from_slice(payload);
        let sent = send_stream(&self.task, &[IoSlice::new(&bytes)]).expect("send");
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
            if progress == Progress::Eof {
                return None;
            }
        }
    }

    pub(crate) fn expect_ready(&mut self) {
        let frame = self.next_frame().expect("a message");
        assert_eq!(frame.message, FromSession::Ready);
    }

    /// The next result.
    pub(crate) fn result(&mut self) -> (Finished, String) {
        let frame = self.next_frame().expect("a message");
        let FromSession::Finished(finished) = frame.message else {
            panic!("{:?} instead of a result", frame.message)
        };
        (finished, String::from_utf8(frame.payload).expect("text"))
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

/// The first attempt at a task.
pub(crate) fn attempt(task: u64) -> AttemptId {
    AttemptId {
        task: TaskId(task),
        number: 1,
    }
}

struct Stream<'a>(&'a OwnedFd);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        recv_stream(self.0, buffer)
    }
}
