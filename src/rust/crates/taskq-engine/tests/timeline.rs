//! What a queue shows of what ran, runs and waits, and the file of it.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use common::{wait_for, Fixture, Options};
use serde_json::Value;
use taskq_core::{Outcome, RetryOn, Submission, TaskOptions};
use taskq_engine::{trace, Bar, BarState, Function, LifeEnd, Map, Timeline};

fn bar<'a>(timeline: &'a Timeline, name: &str) -> &'a Bar {
    let mut bars = timeline.bars.iter().filter(|bar| &*bar.name == name);
    let bar = bars.next().expect("there is one");
    assert!(bars.next().is_none(), "{name} is there twice");
    bar
}

/// On each seat one attempt begins after the other has ended, in a session that was ready and not yet gone.
fn assert_seats_are_orderly(timeline: &Timeline) {
    let mut seats: BTreeMap<u32, Vec<&Bar>> = BTreeMap::new();
    for bar in timeline.bars.iter().filter(|bar| bar.began.is_some()) {
        seats
            .entry(bar.seat.expect("it ran"))
            .or_default()
            .push(bar);
    }
    for (seat, mut bars) in seats {
        bars.sort_by_key(|bar| (bar.began, bar.ended));
        for pair in bars.windows(2) {
            assert!(pair[0].ended <= pair[1].began, "{pair:?} overlap");
        }
        for bar in bars {
            let is_here = timeline.sessions.iter().any(|life| {
                let was_ready = life.ready <= bar.began && life.ready.is_some();
                let was_there = life.end.map_or(true, |(at, _)| bar.ended <= Some(at));
                life.seat == seat && life.pid == bar.pid && was_ready && was_there
            });
            assert!(is_here, "{bar:?} of no session: {:?}", timeline.sessions);
        }
    }
}

fn failing_at_first() -> Submission {
    Submission {
        label: Some("third time lucky".into()),
        options: TaskOptions {
            tries: 3,
            retry_on: RetryOn {
                crash: true,
                ..RetryOn::default()
            },
            ..TaskOptions::default()
        },
        tag: Some("tagged".into()),
        ..Submission::default()
    }
}

#[test]
fn what_has_ended_stays_when_it_is_popped() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.push(Some(name), "sleep 5");
    }
    fixture.push(Some("d"), "error no");
    fixture.pop_all(4);
    let timeline = fixture.queue().timeline();
    assert_eq!(timeline.bars.len(), 4);
    for name in ["a", "b", "c"] {
        let bar = bar(&timeline, name);
        assert_eq!(bar.state, BarState::Ended(Outcome::Success));
        assert!(bar.queued <= bar.began.expect("it ran") && bar.began <= bar.ended);
        assert!(bar.pid.is_some() && bar.tries == 1);
    }
    assert_eq!(bar(&timeline, "d").state, BarState::Ended(Outcome::Error));
    assert_eq!(timeline.forgotten_until, None);
    assert_seats_are_orderly(&timeline);
}

#[test]
fn every_try_is_there_and_each_session_that_died() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.submit(failing_at_first(), "crash-until 3");
    assert_eq!(fixture.pop().result.outcome, Outcome::Success);
    let timeline = fixture.queue().timeline();
    let words: Vec<_> = timeline
        .bars
        .iter()
        .map(|bar| (bar.state.word(), bar.state.outcome_word(), bar.tries))
        .collect();
    assert_eq!(
        words,
        [
            ("retried", Some("crash"), 1),
            ("retried", Some("crash"), 2),
            ("success", Some("success"), 3)
        ]
    );
    assert_eq!(
        timeline.bars[1].queued,
        timeline.bars[0].ended.expect("it has")
    );
    let ends: Vec<_> = timeline
        .sessions
        .iter()
        .map(|life| life.end.map(|(_, end)| (end.word(), end.code())))
        .collect();
    assert_eq!(
        ends,
        [Some(("exit", Some(9))), Some(("exit", Some(9))), None]
    );
    assert_seats_are_orderly(&timeline);
}

#[test]
fn what_runs_and_waits_is_there_and_what_never_began() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    fixture.push(Some("runs"), "sleep 60000");
    fixture.pid_of_running("runs");
    fixture.push(Some("waits"), "ok");
    fixture.push(Some("goes"), "ok");
    let goes = fixture.queue().find(["goes"]).expect("there");
    fixture.queue().cancel(&goes, std::time::Duration::ZERO);
    let timeline = fixture.queue().timeline();
    let names: Vec<_> = timeline
        .bars
        .iter()
        .map(|bar| (&*bar.name, bar.state.word(), bar.seat, bar.ended.is_some()))
        .collect();
    assert_eq!(
        names,
        [
            ("goes", "cancelled", None, true),
            ("runs", "running", Some(1), false),
            ("waits", "waiting", None, false)
        ]
    );
    let runs = bar(&timeline, "runs");
    assert!(runs.began.is_some_and(|began| began <= timeline.now));
    assert_eq!(timeline.bars[0].tries, 0);
    assert_seats_are_orderly(&timeline);
}

#[test]
fn sessions_that_are_retired_or_killed_say_so() {
    let fixture = Fixture::with(Options {
        workers: 2,
        ..Options::default()
    });
    fixture.push(Some("deaf"), "print go;stubborn 60000");
    let deaf = fixture.queue().find(["deaf"]).expect("there");
    // Before it has begun it would be given back.
    wait_for("the task to begin", || {
        let (stdout, _) = fixture.queue().output(deaf[0])?;
        (stdout.bytes == b"go").then_some(())
    });
    fixture.queue().cancel(&deaf, std::time::Duration::ZERO);
    fixture.pop();
    fixture.queue().resize(1, 1);
    let word = |end: &LifeEnd| end.word();
    wait_for("both to be gone", || {
        let timeline = fixture.queue().timeline();
        let ends: BTreeSet<_> = timeline
            .sessions
            .iter()
            .filter_map(|life| life.end.as_ref().map(|(_, end)| word(end)))
            .collect();
        // The seat that goes may have a session that starts: that one is killed.
        let is_one_left = timeline.sessions.iter().filter(|life| life.end.is_none());
        (ends.contains("killed") && is_one_left.count() == 1).then_some(())
    });
    let queue = Arc::clone(fixture.queue());
    drop(fixture);
    let timeline = queue.timeline();
    assert!(timeline.sessions.iter().all(|life| life.end.is_some()));
    let closed = timeline
        .sessions
        .iter()
        .filter_map(|life| life.end)
        .filter(|(_, end)| end.word() == "closed");
    assert_eq!(closed.count(), 1);
}

#[test]
fn parts_of_a_map_are_called_by_their_elements() {
    let fixture = Fixture::with(Options {
        workers: 1,
        ..Options::default()
    });
    for serial in 1..=2 {
        let work = Arc::<Function>::default();
        let mut map = Map::new(fixture.queue(), work, 3, Some(2)).expect("an open queue");
        while map.plan().is_some() {
            map.push(b"sleep 60000".to_vec().into()).expect("open");
        }
        let title = format!("map {serial}: 1-2");
        wait_for("the first part to run", || {
            let timeline = fixture.queue().timeline();
            let bars = timeline.bars.iter();
            let mut titles = bars.filter(|bar| bar.state == BarState::Running);
            titles.find(|bar| *bar.name == *title).map(|_| ())
        });
        // Nobody wants it any more.
        drop(map);
        wait_for("it to be over", || {
            let bars = fixture.queue().timeline().bars;
            bars.iter().all(|bar| bar.ended.is_some()).then_some(())
        });
    }
    let timeline = fixture.queue().timeline();
    let names: BTreeSet<_> = timeline.bars.iter().map(|bar| &*bar.name).collect();
    let expected = ["map 1: 1-2", "map 1: 3", "map 2: 1-2", "map 2: 3"];
    assert_eq!(names, BTreeSet::from(expected));
    assert!(timeline
        .bars
        .iter()
        .all(|bar| bar.state == BarState::Ended(Outcome::Cancelled)));
}

#[test]
fn a_trace_holds_every_attempt_without_overlap() {
    let fixture = Fixture::new();
    let strange = "q\"\\\u{1F600}\n</script>";
    fixture.push(Some(strange), "sleep 2");
    fixture.submit(failing_at_first(), "crash-until 2");
    for _ in 0..50 {
        fixture.push(None, "spin 100");
    }
    fixture.pop_all(52);
    fixture.push(Some("runs"), "sleep 60000");
    fixture.pid_of_running("runs");
    fixture.queue().pause();
    fixture.push(Some("unbegun"), "ok");
    let unbegun = fixture.queue().find(["unbegun"]).expect("there");
    fixture.queue().cancel(&unbegun, std::time::Duration::ZERO);

    let file = fixture.dir().join("trace.json");
    let timeline = fixture.queue().timeline();
    trace::write(&timeline, "mine", false, &file).expect("a file");
    let bytes = fs::read(&file).expect("there");
    fs::remove_file(&file).expect("there");
    let document: Value = serde_json::from_slice(&bytes).expect("it is JSON");
    let events = document["traceEvents"].as_array().expect("a list");

    let number = |event: &Value, key: &str| event[key].as_f64().expect("a number");
    let mut threads: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    let mut statuses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut named: BTreeSet<u64> = BTreeSet::new();
    for event in events {
        let tid = event["tid"].as_u64().expect("a thread");
        match event["ph"].as_str().expect("a kind") {
            "X" => {
                let (ts, dur) = (number(event, "ts"), number(event, "dur"));
                assert!(dur >= 0.0, "{event}");
                threads.entry(tid).or_default().push((ts, ts + dur));
            }
            "M" if event["name"] == "thread_name" => {
                named.insert(tid);
            }
            "C" => assert!(event["args"]["tasks"].as_i64() >= Some(0), "{event}"),
            _ => {}
        }
        if let (Some(id), Some(status)) = (
            event["args"]["id"].as_str(),
            event["args"]["status"].as_str(),
        ) {
            statuses
                .entry(id.to_owned())
                .or_default()
                .push(status.to_owned());
        }
    }
    assert_eq!(statuses.len(), 54);
    assert_eq!(statuses[strange], ["success"]);
    assert_eq!(statuses["third time lucky"], ["retried", "success"]);
    assert_eq!(statuses["runs"], ["running"]);
    assert_eq!(statuses["unbegun"], ["cancelled"]);
    for (tid, mut slices) in threads {
        assert!(named.contains(&tid));
        slices.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        for pair in slices.windows(2) {
            // Both are whole nanoseconds.
            assert!(pair[0].1 <= pair[1].0 + 1e-4, "{pair:?} overlap in {tid}");
        }
    }
    let last = events.iter().rfind(|event| event["ph"] == "C");
    assert_eq!(last.expect("one")["args"]["tasks"], 0);
    assert!(events.iter().any(|event| event["name"] == "session died"));
    assert_eq!(document["otherData"]["queue"], "mine");
}

#[test]
fn a_trace_that_cannot_be_written_leaves_nothing_behind() {
    let fixture = Fixture::new();
    let timeline = fixture.queue().timeline();
    let write = |name: &str| trace::write(&timeline, "mine", false, &fixture.dir().join(name));
    write("no/such/directory").expect_err("there is none");
    fs::create_dir(fixture.dir().join("directory")).expect("a directory");
    write("directory").expect_err("it is one");
    fs::remove_dir(fixture.dir().join("directory")).expect("still empty");

    fs::write(fixture.dir().join("file"), "before").expect("a file");
    std::os::unix::fs::symlink("file", fixture.dir().join("link")).expect("a link");
    write("link").expect("a file");
    let is_link = fixture.dir().join("link").symlink_metadata();
    assert!(is_link.expect("there").is_symlink());
    let text = fs::read_to_string(fixture.dir().join("file")).expect("text");
    assert!(text.starts_with('{'), "what the link leads to was replaced");
    for name in ["file", "link"] {
        fs::remove_file(fixture.dir().join(name)).expect("there");
    }
    // The fixture finds its directory empty: nothing else was left in it.
}
