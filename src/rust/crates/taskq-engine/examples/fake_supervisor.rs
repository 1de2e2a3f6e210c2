//! A zygote and its supervisors without R, for tests: they fork sessions whose tasks are a few words of text.
//!
//! The setup's payload is text, several commands being joined by `;`:
//!
//! | command | what happens |
//! | --- | --- |
//! | `fail <phase> <message>` | the supervisor reports that it cannot come up |
//! | `die` | the supervisor exits with status 7 before it serves |
//! | `thread` | the supervisor gets a second thread, so that it cannot fork |
//! | `boot-slow <ms>` | the supervisor takes its time |
//! | `boot-print <text>` | it prints by the C library, which keeps it until it is flushed |
//! | `init-fail <message>`, `init-die`, `slow <ms>` | the same for each session, with exit status 8 |
//!
//! With `ZYGOTE_FAILS=<errno>` in its environment, the zygote can make no supervisor, for that reason.
//!
//! A task's function is ignored; the rest of its payload is text, too, and so is a broadcast. The
//! result's payload is what its commands have
//! said:
//!
//! | command | what happens |
//! | --- | --- |
//! | `ok <text>` | says the text |
//! | `error <text>` | says the text and ends as an error |
//! | `sleep <ms>`, `spin <us>` | can be interrupted |
//! | `stubborn <ms>` | cannot |
//! | `deaf` | from here on nothing of the task can be interrupted |
//! | `exit <code>`, `signal <n>`, `stop` | ends, kills or stops the session |
//! | `print <text>`, `print-err <text>`, `flood <bytes>` | writes to descriptor 1 (2) |
//! | `spawn-sleep <s>` | leaves a process that has a session of its own and no parent |
//! | `close-fds`, `close-std` | closes all descriptors from 3 on; 0 to 2 |
//! | `pid`, `env <name>`, `fds` | says the process id, a variable, the open descriptors |
//! | `misfired` | says how many interrupts came while none should |
//! | `tries` | says how often the task has begun |
//! | `large <bytes>` | says so many letters; what is large goes in a memory file |
//! | `in-frame` | what is large goes in the frame |
//! | `mark <file>` | appends a letter to the file |
//! | `elements <n> <ms>` | a batch of so many elements, each of which takes so long; says how many began |
//! | `crash-until <n>` | exits with status 9 before the n-th try |
//! | `condition <text>` | signals a condition, which is the text |
//! | `progress <percent>` | tells how far it is |
//! | `forge <first> <last>` | says that the tasks with these numbers have ended, their first attempts saying `forged` |
#![allow(clippy::print_stderr)] // It is a program, and this is how its failures get to whoever runs a test.

use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use taskq_payload::payload::Payload;
use taskq_payload::sealed::Growing;
use taskq_record::{AttemptId, Measured, StartPhase, TaskId, Time, Verdict};
use taskq_sys::process;
use taskq_sys::socket::{recv_packet, send_packet, RecvFlags};
use taskq_wire::frame::encode_head;
use taskq_wire::message::{Finished, FromSession, FromZygote, Part, ThreadSource};
use taskq_wire::packet;
use taskq_worker::{
    ExecSession, Inheritance, InterruptHook, Received, Role, Session, SetupFile, Zygote,
};

/// What is larger goes in a memory file.
const LARGE: usize = 64 * 1024;

/// Set by the hook, as R's own flag is by the real one.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether an interrupt may come.
static ARMED: AtomicBool = AtomicBool::new(false);
/// How many came while none should.
static MISFIRED: AtomicU32 = AtomicU32::new(0);
/// Results are not put into files.
static IN_FRAME: AtomicBool = AtomicBool::new(false);

fn main() {
    let outcome = if std::env::args().nth(1).as_deref() == Some("session") {
        Inheritance::from_exec()
            .map_err(Box::from)
            .and_then(|(inheritance, file)| session(inheritance, &file))
    } else {
        supervisor()
    };
    if let Err(error) = outcome {
        eprintln!("fake supervisor: {error}");
        std::process::exit(1);
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A zygote that cannot make a supervisor, for this reason.
fn refuse(errno: i32) -> Outcome {
    // SAFETY: a zygote finds its socket there, and nobody else has taken it.
    let control = unsafe { OwnedFd::from_raw_fd(3) };
    let request = recv_packet(&control, &mut [0; 256], RecvFlags::empty())?;
    let report = request.fds.last().ok_or("no request")?;
    send_packet(report, &packet::encode(&FromZygote::Failed { errno })?, &[])?;
    loop {
        std::thread::park();
    }
}

fn supervisor() -> Outcome {
    if let Ok(errno) = std::env::var("ZYGOTE_FAILS") {
        return refuse(errno.parse()?);
    }
    let Some((mut supervisor, file)) = Zygote::open()?.serve()? else {
        return Ok(());
    };
    for (command, rest) in commands(&file.payload) {
        match command.as_str() {
            "fail" => {
                let (phase, message) = split(&rest);
                let phase = StartPhase::from_word(&phase).ok_or("no such phase")?;
                supervisor.failed(phase, &message);
                return Ok(());
            }
            "die" => std::process::exit(7),
            "thread" => {
                drop(std::thread::spawn(|| loop {
                    std::thread::park();
                }));
                supervisor.note_threads(ThreadSource {
                    phase: StartPhase::Preload,
                    packages: vec!["spinner".into()],
                    threads: 1,
                });
            }
            "boot-slow" => std::thread::sleep(Duration::from_millis(rest.parse()?)),
            "boot-print" => {
                let text = CString::new(rest)?;
                // SAFETY: the string ends with NUL.
                unsafe { libc::puts(text.as_ptr()) };
            }
            _ => {}
        }
    }
    let program = std::env::current_exe()?;
    match supervisor.serve(ExecSession {
        program,
        args: vec!["session".into()],
    })? {
        Role::Session(inheritance) => session(inheritance, &file),
        Role::End => Ok(()),
    }
}

fn session(inheritance: Inheritance, file: &SetupFile) -> Outcome {
    extern "C" fn on_interrupt(_signal: i32) {
        if !ARMED.load(Ordering::SeqCst) {
            MISFIRED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let handler = on_interrupt as extern "C" fn(i32);
    // SAFETY: all zero is a valid `sigaction` and means that calls are not restarted; the handler only touches atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
    }
    let hook = InterruptHook {
        raise: || INTERRUPTED.store(true, Ordering::SeqCst),
        clear,
    };
    let mut session = Session::start(inheritance, hook)?;
    for (command, rest) in commands(&file.payload) {
        match command.as_str() {
            "init-fail" => {
                session.failed(StartPhase::Init, &rest);
                return Ok(());
            }
            "init-die" => std::process::exit(8),
            "slow" => std::thread::sleep(Duration::from_millis(rest.parse()?)),
            _ => {}
        }
    }
    session.ready()?;
    loop {
        match session.receive()? {
            Received::Task => {}
            Received::Broadcast => {
                let call = session.take_broadcast().unwrap_or_default();
                run_broadcast(&mut session, call.bytes()?)?;
                continue;
            }
            Received::Nothing => break,
        }
        let (call, tries) = match session.current() {
            Some(job) => (job.call.bytes()?.to_vec(), job.tries),
            None => (Vec::new(), 0),
        };
        let mut answer = String::new();
        ARMED.store(true, Ordering::SeqCst);
        session.arm();
        let verdict = run(&mut session, &call, tries, &mut answer);
        session.disarm();
        ARMED.store(false, Ordering::SeqCst);
        session.finish(verdict, &payload(answer))?;
    }
    Ok(())
}

/// A broadcast. Where it ends as an error, the session cannot come up.
fn run_broadcast(session: &mut Session, call: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut answer = String::new();
    if run(session, call, 1, &mut answer) != Verdict::Success {
        session.failed(StartPhase::Everywhere, &answer);
        std::process::exit(1);
    }
    Ok(session.ran(&payload(answer))?)
}

fn payload(answer: String) -> Payload {
    let is_large = answer.len() > LARGE && !IN_FRAME.load(Ordering::SeqCst);
    let large = Some(answer.as_bytes()).filter(|_| is_large);
    let file = large.zip(Growing::create("fake-result"));
    match file.and_then(|(bytes, mut file)| file.write(bytes).is_ok().then(|| file.seal().ok())?) {
        Some(sealed) => sealed.into(),
        None => answer.into_bytes().into(),
    }
}

fn clear() {
    INTERRUPTED.store(false, Ordering::SeqCst);
}

fn run(session: &mut Session, call: &[u8], tries: u32, answer: &mut String) -> Verdict {
    let mut deaf = false;
    for (command, rest) in commands(call) {
        let number = rest.parse::<u64>().unwrap_or(0);
        match command.as_str() {
            "deaf" => deaf = true,
            "ok" => answer.push_str(&rest),
            "error" => {
                answer.push_str(&rest);
                return Verdict::Error;
            }
            "sleep" => pass(Duration::from_millis(number), true),
            "stubborn" => pass(Duration::from_millis(number), false),
            "spin" => {
                let end = Instant::now() + Duration::from_micros(number);
                while Instant::now() < end && !INTERRUPTED.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
            }
            "exit" => std::process::exit(number as i32),
            // A default handler and no mask stand in its way.
            "signal" => kill_self(number as i32),
            "stop" => kill_self(libc::SIGSTOP),
            "print" => write(1, rest.as_bytes()),
            "print-err" => write(2, rest.as_bytes()),
            "flood" => write(1, &vec![b'x'; number as usize]),
            "spawn-sleep" => spawn_sleep(&rest),
            "close-fds" => close(3..1024),
            "close-std" => close(0..3),
            "pid" => answer.push_str(&process::own_pid().to_string()),
            "env" => answer.push_str(&std::env::var(&rest).unwrap_or_default()),
            "fds" => answer.push_str(&open_fds()),
            "tries" => answer.push_str(&tries.to_string()),
            "crash-until" if u64::from(tries) < number => std::process::exit(9),
            "crash-until" => {}
            "large" => answer.push_str(&"x".repeat(number as usize)),
            "in-frame" => IN_FRAME.store(true, Ordering::SeqCst),
            "mark" => {
                let mut options = std::fs::OpenOptions::new();
                let mut file = options
                    .create(true)
                    .append(true)
                    .open(&rest)
                    .expect("a file");
                std::io::Write::write_all(&mut file, b"x").expect("room for a letter");
            }
            "elements" => {
                let (count, ms) = rest.split_once(' ').unwrap_or((&rest, "0"));
                assert!(session.open_elements(count.parse().unwrap_or(0)));
                let each = Duration::from_millis(ms.parse().unwrap_or(0));
                let begun =
                    std::iter::from_fn(|| session.begin_element().then(|| pass(each, true)));
                answer.push_str(&begun.count().to_string());
            }
            "forge" => {
                let (first, last) = rest.split_once(' ').unwrap_or((&rest, &rest));
                let numbers = first.parse().unwrap_or(0)..=last.parse().unwrap_or(0);
                numbers.for_each(forge);
            }
            "condition" => session
                .signalled(&payload(rest.clone()))
                .expect("it is sent"),
            "progress" => session.progress(number as f64 / 100.0, &rest),
            "misfired" => answer.push_str(&MISFIRED.load(Ordering::SeqCst).to_string()),
            _ => {
                answer.push_str("unknown command");
                return Verdict::Error;
            }
        }
        if INTERRUPTED.load(Ordering::SeqCst) && command != "stubborn" && !deaf {
            return Verdict::Interrupted;
        }
    }
    Verdict::Success
}

/// Says on the session's task socket that a task has ended.
fn forge(task: u64) {
    const SAID: &[u8] = b"forged";
    let attempt = AttemptId {
        task: TaskId(task),
        number: 1,
    };
    let finished = FromSession::Finished(Finished {
        attempt,
        verdict: Verdict::Success,
        began: Time::default(),
        ended: Time::default(),
        measured: Measured::default(),
        stdout_end: 0,
        stderr_end: 0,
        outcome: Part {
            len: SAID.len() as u64,
            ..Part::default()
        },
    });
    let mut frame = Vec::new();
    encode_head(&finished, SAID.len() as u64, 0, &mut frame).expect("small");
    frame.extend_from_slice(SAID);
    let socket = (0..1024).find(|fd| is_stream(*fd)).expect("a socket");
    write(socket, &frame);
}

/// Whether a descriptor is a socket for a stream, as only the task socket is.
fn is_stream(fd: i32) -> bool {
    let mut kind: libc::c_int = 0;
    let mut size = std::mem::size_of_val(&kind) as libc::socklen_t;
    let place = std::ptr::addr_of_mut!(kind).cast();
    // SAFETY: place and size are those of an int.
    let answer = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, place, &mut size) };
    answer == 0 && kind == libc::SOCK_STREAM
}

/// Lets time pass. A signal wakes it, and the flag ends it if it can be interrupted.
fn pass(duration: Duration, interruptible: bool) {
    let end = Instant::now() + duration;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || (interruptible && INTERRUPTED.load(Ordering::SeqCst)) {
            return;
        }
        let time = libc::timespec {
            tv_sec: left.as_secs() as _,
            tv_nsec: left.subsec_nanos() as _,
        };
        // SAFETY: the time is a place of the right type; what is left of it is of no interest.
        unsafe { libc::nanosleep(&time, std::ptr::null_mut()) };
    }
}

fn write(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are a slice's, and a failing descriptor fails.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(count) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// A process that tries to get away: forked twice, a session of its own, then another program.
fn spawn_sleep(seconds: &str) {
    let seconds = CString::new(seconds).unwrap_or_default();
    let arguments = [c"sleep".as_ptr(), seconds.as_ptr(), std::ptr::null()];
    // SAFETY: between fork and exec only async-signal-safe calls are made; the arguments live until then.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::setsid();
            if libc::fork() == 0 {
                libc::setsid();
                libc::execvp(arguments[0], arguments.as_ptr());
            }
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
}

fn close(fds: std::ops::Range<i32>) {
    for fd in fds {
        // SAFETY: none; a test wants to see what happens when a task does what it must not.
        unsafe { libc::close(fd) };
    }
}

fn kill_self(signal: i32) {
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    let _ = process::kill(process::own_pid(), signal);
}

fn open_fds() -> String {
    let mut open = Vec::new();
    for fd in 0..1024 {
        if let Ok(target) = std::fs::read_link(format!("/proc/self/fd/{fd}")) {
            let kind = target.to_string_lossy();
            open.push(format!(
                "{fd}={}",
                kind.split('[').next().unwrap_or_default()
            ));
        }
    }
    open.join(" ")
}

fn commands(text: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(text);
    text.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(split)
        .collect()
}

fn split(text: &str) -> (String, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first.to_owned(), rest.to_owned())
}
