//! Bytes that a broken or hostile worker side may send: real messages, damaged at random, and noise. The same harness
//! runs under libFuzzer, see `src/rust/fuzz`; here it runs for about a second, with a seed, so that every test run
//! includes it.

#[path = "hostile/harness.rs"]
mod harness;

use taskq_record::{AttemptId, Measured, StartPhase, TaskId, Time, Verdict, WorkerId};
use taskq_wire::frame::encode_head;
use taskq_wire::message::{
    Finished, FromControl, FromSession, FunctionRef, GivenPart, Part, Place, Setup, ToControl,
    ToSession, ToSupervisor,
};
use taskq_wire::packet;

const ROUNDS: usize = 200;

/// A small generator of numbers (xorshift64*): these tests need no good one.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }
}

fn framed(message: &impl serde::Serialize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_head(message, payload.len() as u64, 0, &mut bytes).expect("short");
    bytes.extend_from_slice(payload);
    bytes
}

/// One of each kind.
fn real_messages() -> Vec<Vec<u8>> {
    let attempt = AttemptId {
        task: TaskId(70_000),
        number: 2,
    };
    let finished = Finished {
        attempt,
        verdict: Verdict::Success,
        began: Time(1),
        ended: Time(u64::MAX),
        measured: Measured {
            cpu_us: Some(5),
            max_rss: None,
        },
        stdout_end: 7,
        stderr_end: 0,
        outcome: Part {
            len: 100,
            in_file: false,
            attached: 0,
            parcels: 0,
        },
    };
    let run = ToSession::Run {
        attempt,
        label: "a label".into(),
        fun: FunctionRef {
            id: 1,
            is_pure: false,
            part: Part {
                len: 3,
                in_file: false,
                attached: 0,
                parcels: 0,
            },
        },
        call: Part {
            len: 1 << 40,
            in_file: true,
            attached: 255,
            parcels: 255,
        },
        given: vec![GivenPart {
            argument: "x".into(),
            len: 1 << 40,
            in_file: true,
            segments: vec![None, Some(3)],
            parcels: vec![Some(1 << 40), None],
        }],
        tries: 1,
    };
    let setup = Setup {
        host_pid: 7,
        token: "token".into(),
        places: vec![Place {
            dir: b"/a/folder".to_vec(),
            parent_owner: 0,
        }],
    };
    let failed = FromSession::Failed {
        phase: StartPhase::Init,
        message: "no \u{e9}".into(),
    };
    let signalled = FromSession::Signalled {
        attempt,
        condition: Part {
            len: 20,
            in_file: false,
            attached: 0,
            parcels: 0,
        },
    };
    let launch = ToSupervisor::Launch {
        worker: WorkerId(300),
    };
    let part = Part {
        len: 3,
        ..Part::default()
    };
    let attempts = vec![attempt; 3];
    vec![
        framed(&run, b"payload of a task"),
        framed(&ToSession::Retire, b""),
        framed(&FromSession::Finished(finished), &[7; 100]),
        framed(&signalled, &[7; 20]),
        framed(&failed, b""),
        framed(&ToSession::RunBroadcast { call: part }, b"abc"),
        framed(&FromSession::Ran { value: part }, b"abc"),
        framed(&setup, &[1; 40]),
        packet::encode(&launch).expect("short"),
        packet::encode(&ToControl::Recall {
            attempts: attempts.clone(),
        })
        .expect("short"),
        packet::encode(&FromControl::Returned { attempts }).expect("short"),
    ]
}

/// Damages `bytes` in one of the ways in which bytes get damaged.
fn damage(bytes: &mut Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    match numbers.below(6) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
        1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
        2 => bytes.truncate(at),
        3 => bytes.insert(at, numbers.below(256) as u8),
        4 => bytes.extend_from_slice(&others[numbers.below(others.len())]),
        _ => {
            let other = &others[numbers.below(others.len())];
            let from = numbers.below(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
    }
}

#[test]
fn damaged_messages_are_errors_or_other_messages() {
    let real = real_messages();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for round in 0..ROUNDS {
        let mut bytes = real[round % real.len()].clone();
        for _ in 0..numbers.below(4) {
            damage(&mut bytes, &real, &mut numbers);
        }
        harness::everything(&bytes);
    }
}

#[test]
fn noise_is_an_error_or_waits_for_more() {
    let mut numbers = Numbers(7);
    for _ in 0..ROUNDS / 10 {
        let size = numbers.below(700);
        let bytes: Vec<u8> = (0..size).map(|_| numbers.below(256) as u8).collect();
        harness::everything(&bytes);
    }
}
