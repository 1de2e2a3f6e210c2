//! A fork has the board that its parent has. A program of its own, without a harness, because it forks.

use std::process::Command;

use taskq_payload::board::MappedBoard;
use taskq_record::{AttemptId, TaskId};
use taskq_sys::wait;

fn main() {
    const WITHOUT: &str = "TASKQ_WITHOUT";
    if std::env::var_os(WITHOUT).is_none() {
        let again = Command::new(std::env::current_exe().expect("this program"))
            .env(WITHOUT, "memfd")
            .status();
        assert!(again.expect("started").success(), "without memory files");
    }
    a_fork_shares_the_board();
}

fn a_fork_shares_the_board() {
    let (board, _file) = MappedBoard::create().expect("board");
    let attempt = AttemptId {
        task: TaskId(7),
        number: 3,
    };
    // SAFETY: this program has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        board.begin(attempt, 11);
        std::process::exit(0);
    }
    let reaped = wait::reap(pid, true).expect("reap").expect("an end");
    assert!(reaped.end.is_some_and(|end| end.success()));
    assert_eq!(board.begun(), Some((attempt, 11)));
}
