//! The bytes of every message, so that none of them changes by accident. A change on purpose raises `VERSION` and
//! these.

use serde::de::DeserializeOwned;
use serde::Serialize;
use std::fmt::Debug;
use taskq_record::{AttemptId, Measured, ProcessEnd, StartPhase, TaskId, Time, Verdict, WorkerId};
use taskq_wire::frame::{encode_head, Decoder};
use taskq_wire::message::*;
use taskq_wire::{packet, VERSION};

const WORKER: WorkerId = WorkerId(300);
const ATTEMPT: AttemptId = AttemptId {
    task: TaskId(70_000),
    number: 2,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn packet_is<M: Serialize + DeserializeOwned + PartialEq + Debug>(message: &M, golden: &str) {
    let bytes = packet::encode(message).expect("short");
    assert_eq!(hex(&bytes), golden, "the bytes of {message:?}");
    assert_eq!(&packet::decode::<M>(&bytes).expect("ours"), message);
}

#[track_caller]
fn frame_is<M: Serialize + DeserializeOwned + PartialEq + Debug>(message: &M, golden: &str) {
    let mut bytes = Vec::new();
    encode_head(message, 3, 0, &mut bytes).expect("short");
    assert_eq!(hex(&bytes), golden, "the bytes of {message:?}");
    bytes.extend_from_slice(b"abc");
    let mut decoder = Decoder::<M>::default();
    decoder.read_from(&mut bytes.as_slice()).expect("bytes");
    let frame = decoder.next_frame().expect("ours").expect("whole");
    assert_eq!((&frame.message, &frame.payload[..]), (message, &b"abc"[..]));
}

#[test]
fn these_bytes_belong_to_version_6() {
    assert_eq!(VERSION, 6);
}

#[test]
fn every_phase_of_a_start_has_a_number_and_a_name() {
    for (number, phase) in StartPhase::ALL.iter().enumerate() {
        packet_is(phase, &format!("06{number:02x}"));
        assert_eq!(StartPhase::from_word(phase.word()), Some(*phase));
    }
    let one_more = [VERSION, StartPhase::ALL.len() as u8];
    assert!(packet::decode::<StartPhase>(&one_more).is_err());
    assert_eq!(StartPhase::from_word("Boot"), None);
}

#[test]
fn packets_to_and_from_the_zygote() {
    packet_is(&ToZygote::Supervisor { host_pid: 1000 }, "0600d00f");
    packet_is(&FromZygote::Forked { pid: 1000 }, "0600d00f");
    packet_is(&FromZygote::Became, "0601");
    packet_is(&FromZygote::Failed { errno: 11 }, "060216");
    let end = ProcessEnd::Exited { code: 3 };
    packet_is(&FromZygote::Ended { end }, "06030006");
}

#[test]
fn packets_to_and_from_the_supervisor() {
    packet_is(&ToSupervisor::Launch { worker: WORKER }, "0600ac02");
    packet_is(&ToSupervisor::Kill { worker: WORKER }, "0601ac02");
    packet_is(&ToSupervisor::Shutdown, "0602");
    packet_is(
        &FromSupervisor::Up {
            refusal: Some(NoFork::SwitchedOff),
        },
        "06000100",
    );
    let source = ThreadSource {
        phase: StartPhase::Packages,
        packages: vec!["x".to_owned()],
        threads: 1,
    };
    let threads = NoFork::Threads {
        count: 2,
        sources: vec![source],
    };
    packet_is(&FromSupervisor::Up { refusal: None }, "060000");
    packet_is(
        &FromSupervisor::Up {
            refusal: Some(NoFork::Uncounted),
        },
        "06000101",
    );
    packet_is(
        &FromSupervisor::Up {
            refusal: Some(threads),
        },
        "0600010202010101017801",
    );
    let failed = FromSupervisor::Failed {
        phase: StartPhase::Preload,
        message: "no".to_owned(),
    };
    packet_is(&failed, "060103026e6f");
    packet_is(
        &FromSupervisor::Launched {
            worker: WORKER,
            pid: 1000,
        },
        "0602ac02d00f",
    );
    packet_is(
        &FromSupervisor::LaunchFailed {
            worker: WORKER,
            errno: 11,
        },
        "0603ac0216",
    );
    let end = ProcessEnd::Signaled { signal: 9 };
    packet_is(
        &FromSupervisor::Exited {
            worker: WORKER,
            end,
            max_rss: 4096,
        },
        "0604ac0201128020",
    );
    let end = ProcessEnd::Exited { code: 3 };
    packet_is(
        &FromSupervisor::Exited {
            worker: WORKER,
            end,
            max_rss: 1,
        },
        "0604ac02000601",
    );
    let end = ProcessEnd::Unknown;
    packet_is(
        &FromSupervisor::Exited {
            worker: WORKER,
            end,
            max_rss: 1,
        },
        "0604ac020201",
    );
}

#[test]
fn packets_to_and_from_a_control_thread() {
    packet_is(
        &ToControl::Recall {
            attempts: vec![ATTEMPT],
        },
        "060001f0a20402",
    );
    packet_is(&ToControl::Interrupt { attempt: ATTEMPT }, "0601f0a20402");
    packet_is(
        &FromControl::Returned {
            attempts: vec![ATTEMPT],
        },
        "060001f0a20402",
    );
}

#[test]
fn the_header_counts_the_descriptors() {
    let mut bytes = Vec::new();
    encode_head(&ToSession::Retire, 0, 253, &mut bytes).expect("as many as there may be");
    assert_eq!(hex(&bytes), "747106fd01000000000000000000000001");
}

#[test]
fn frames_to_and_from_a_session() {
    let run = ToSession::Run {
        attempt: ATTEMPT,
        label: ".1".to_owned(),
        tries: 1,
        fun: FunctionRef {
            id: 300,
            is_pure: true,
            part: Part {
                len: 2,
                in_file: false,
                attached: 0,
                parcels: 0,
            },
        },
        call: Part {
            len: 300,
            in_file: true,
            attached: 200,
            parcels: 20,
        },
        given: vec![GivenPart {
            argument: "x".to_owned(),
            len: 7,
            in_file: false,
            segments: vec![None],
            parcels: vec![Some(5)],
        }],
    };
    frame_is(
        &run,
        concat!(
            "747106001f000000030000000000000000f0a20402022e3101ac020102000000ac0201c814",
            "01017807000100010105"
        ),
    );
    frame_is(&ToSession::Retire, "7471060001000000030000000000000001");
    let call = Part {
        len: 3,
        ..Part::default()
    };
    let asked = "747106000500000003000000000000000203000000";
    frame_is(&ToSession::RunBroadcast { call }, asked);
    let answered = "747106000500000003000000000000000403000000";
    frame_is(&FromSession::Ran { value: call }, answered);
    let ready = FromSession::Ready { pid: 1000 };
    frame_is(&ready, "7471060003000000030000000000000000d00f");
    let failed = FromSession::Failed {
        phase: StartPhase::Init,
        message: "no".to_owned(),
    };
    frame_is(&failed, "747106000500000003000000000000000104026e6f");
    let finished = Finished {
        attempt: ATTEMPT,
        verdict: Verdict::Interrupted,
        began: Time(1),
        ended: Time(2),
        measured: Measured {
            cpu_us: Some(3),
            max_rss: None,
        },
        stdout_end: 5,
        stderr_end: 6,
        outcome: Part {
            len: 7,
            in_file: true,
            attached: 1,
            parcels: 2,
        },
    };
    frame_is(
        &FromSession::Finished(finished),
        "7471060011000000030000000000000002f0a20402020102010300050607010102",
    );
    let signalled = FromSession::Signalled {
        attempt: ATTEMPT,
        condition: Part {
            len: 7,
            in_file: false,
            attached: 0,
            parcels: 1,
        },
    };
    frame_is(
        &signalled,
        "7471060009000000030000000000000003f0a2040207000001",
    );
}
