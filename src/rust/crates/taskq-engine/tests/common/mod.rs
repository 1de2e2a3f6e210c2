//! A queue of fake workers (`examples/fake_supervisor.rs`), and the checks that every test ends with.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a program and uses its own part"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use taskq_core::{LookAhead, SchedulerConfig, Submission, TaskOptions};
use taskq_engine::{Config, Detail, DoneTask, EventLoop, Queue, TaskPayload, WaitOutcome};
use taskq_sys::process;
use taskq_sys::tempdir::Parent;

/// Nothing here takes nearly as long; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A queue under test. Dropping it ends the queue and checks that nothing of it is left.
pub struct Fixture {
    queue: Option<Arc<Queue>>,
    dir: PathBuf,
    /// Whether another one, which lives longer, has the same directory.
    is_guest: bool,
}

/// How the queue of a test differs from the usual one.
pub struct Options<'a> {
    pub workers: u32,
    pub max_waiting: usize,
    /// What the fake supervisor is told, see there.
    pub setup: &'a str,
    pub look_ahead: LookAhead,
    pub output_limit: usize,
    /// Facilities to do without.
    pub without: &'a str,
    /// A variable of the environment that others do not have, `name=value`.
    pub variable: &'a str,
    /// A file that the program of the workers is said to read at its start.
    pub startup_file: Option<PathBuf>,
    /// Rung for what was promised.
    pub waker: fn(EventLoop),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            workers: 2,
            max_waiting: usize::MAX,
            setup: "",
            look_ahead: LookAhead::default(),
            output_limit: Config::OUTPUT_LIMIT,
            without: "",
            variable: "",
            startup_file: None,
            waker: |_| (),
        }
    }
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(Options::default())
    }

    pub fn with(options: Options<'_>) -> Fixture {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "taskq-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).expect("a directory");
        Fixture::within(dir, options)
    }

    /// Another queue of the same kind, which is to be dropped before this one.
    pub fn beside(&self, options: Options<'_>) -> Fixture {
        let mut other = Fixture::within(self.dir.clone(), options);
        other.is_guest = true;
        other
    }

    fn within(dir: PathBuf, options: Options<'_>) -> Fixture {
        let mut env: Vec<_> = std::env::vars_os().collect();
        if !options.without.is_empty() {
            env.push(("TASKQ_WITHOUT".into(), options.without.into()));
        }
        if let Some((name, value)) = options.variable.split_once('=') {
            env.push((name.into(), value.into()));
        }
        let config = Config {
            command: vec![fake_supervisor().into()],
            env,
            working_dir: dir.clone(),
            late_variables: vec!["LATE".into()],
            startup_files: options.startup_file.into_iter().collect(),
            temp_dirs: Parent::look(dir.clone()).into_iter().collect(),
            setup: options.setup.as_bytes().to_vec(),
            output_limit: options.output_limit,
            stderr_tail: Config::STDERR_TAIL,
            charset: taskq_engine::Charset::default(),
            task_defaults: TaskOptions::default(),
            waker: options.waker,
            scheduler: SchedulerConfig {
                workers: options.workers,
                max_waiting: options.max_waiting,
                look_ahead: options.look_ahead,
                ..SchedulerConfig::default()
            },
        };
        Fixture {
            queue: Some(Arc::new(Queue::start(config).expect("a queue"))),
            dir,
            is_guest: false,
        }
    }

    pub fn queue(&self) -> &Arc<Queue> {
        self.queue.as_ref().expect("there until the end")
    }

    /// Pushes commands of the fake worker.
    pub fn push(&self, label: Option<&str>, commands: &str) -> String {
        let task = Submission {
            label: label.map(Into::into),
            ..Submission::default()
        };
        self.submit(task, commands)
    }

    /// Pushes commands of the fake worker, with options.
    pub fn submit(&self, task: Submission, commands: &str) -> String {
        let payload = TaskPayload {
            fun: Arc::default(),
            call: Arc::new(commands.as_bytes().to_vec().into()),
        };
        self.queue()
            .push(task, payload)
            .expect("an open queue and a new name")
    }

    /// Takes the oldest done task, waiting for it.
    pub fn pop(&self) -> DoneTask {
        let mut outcome = self.queue().wait_for_done(DEADLINE);
        if outcome == WaitOutcome::Failed {
            self.queue().tell_failure();
            outcome = self.queue().wait_for_done(DEADLINE);
        }
        assert_eq!(outcome, WaitOutcome::Done, "no task became done");
        let task = self.queue().oldest_done().expect("one is done");
        assert!(self.queue().take(task.result.task), "nobody else takes");
        task
    }

    /// Takes so many tasks, in the order of their pushes.
    pub fn pop_all(&self, count: usize) -> Vec<DoneTask> {
        let mut tasks: Vec<DoneTask> = (0..count).map(|_| self.pop()).collect();
        tasks.sort_by_key(|task| task.result.task);
        assert!(
            tasks
                .windows(2)
                .all(|pair| pair[0].result.task < pair[1].result.task),
            "a task came twice"
        );
        tasks
    }

    /// The process id of the session that runs a task.
    pub fn pid_of_running(&self, label: &str) -> i32 {
        wait_for("the task to run", || {
            let row = self
                .queue()
                .snapshot(Detail::Tasks)
                .tasks
                .into_iter()
                .find(|row| row.label == label)?;
            row.pid
                .filter(|_| matches!(row.phase, taskq_core::TaskPhase::Running { .. }))
        })
    }

    /// The directory of this test, which must be empty again at its end.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All processes that belong to queues in this test's directory.
    pub fn processes(&self) -> BTreeSet<i32> {
        processes_in(&self.dir)
    }

    /// The processes of [`processes`](Fixture::processes) that are children of this one.
    pub fn zygotes(&self) -> Vec<i32> {
        let is_ours = |pid: &i32| parent_of(*pid) == Some(process::own_pid());
        self.processes().into_iter().filter(is_ours).collect()
    }

    /// The process id of the supervisor, by way of a session.
    pub fn supervisor(&self) -> i32 {
        self.push(None, "pid");
        let task = self.pop();
        assert_eq!(
            task.result.outcome,
            taskq_core::Outcome::Success,
            "{task:?}"
        );
        let session = text(&task).parse().expect("a number");
        parent_of(session).expect("it waits for tasks")
    }

    /// Drops the handle without waiting for the end.
    pub fn abandon(&mut self) {
        self.queue = None;
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.kill();
            assert!(queue.wait_for_end(DEADLINE), "the queue does not end");
        }
        if self.is_guest || std::thread::panicking() {
            return;
        }
        let dir = self.dir.clone();
        wait_for("all processes to be gone", || {
            processes_in(&dir).is_empty().then_some(())
        });
        // A queue that was abandoned at once may be about to make its files, which it removes.
        wait_for("all files to be gone", || fs::remove_dir(&dir).ok());
    }
}

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The commands of the fake worker give text back.
pub fn text(task: &DoneTask) -> String {
    let bytes = task
        .ending
        .outcome
        .as_deref()
        .expect("the session has answered");
    String::from_utf8(bytes.bytes().expect("bytes").to_vec()).expect("text")
}

pub fn stdout(task: &DoneTask) -> String {
    String::from_utf8_lossy(&task.ending.stdout.bytes).into_owned()
}

pub fn stderr(task: &DoneTask) -> String {
    String::from_utf8_lossy(&task.ending.stderr.bytes).into_owned()
}

/// Every process whose environment names a temporary directory under `dir`: zygotes, supervisors, sessions, and what
/// they started.
fn processes_in(dir: &Path) -> BTreeSet<i32> {
    let mark = format!("TMPDIR={}/", dir.display());
    let entries = fs::read_dir("/proc").expect("proc").flatten();
    entries
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let environ = fs::read(entry.path().join("environ")).ok()?;
            let is_ours = environ
                .split(|&byte| byte == 0)
                .any(|item| item.starts_with(mark.as_bytes()));
            is_ours.then_some(pid)
        })
        .collect()
}

/// Cargo builds the examples of a package before its tests run.
fn fake_supervisor() -> PathBuf {
    let test = std::env::current_exe().expect("a program");
    let built = test
        .parent()
        .and_then(Path::parent)
        .expect("target directory");
    built.join("examples").join("fake_supervisor")
}

/// The parent of a process; `None` when there is no such process.
pub fn parent_of(pid: i32) -> Option<i32> {
    process::Process::look(pid).map(|process| process.parent)
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("proc").count()
}
