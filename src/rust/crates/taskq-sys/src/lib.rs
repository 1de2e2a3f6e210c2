//! The Unix calls that both ends of a queue need, behind functions that are safe to call. No policy, and no other crate
//! of ours.
//!
//! | module | what |
//! | --- | --- |
//! | [`socket`], [`pipe`] | pairs without names, descriptors sent along, how much is unread |
//! | [`memory`] | nameless files in memory |
//! | [`process`] | who descends from whom, who carries a queue's tag, killing exactly those, and what they use |
//! | [`tag`] | the environment variables by which orphans are found |
//! | [`tempdir`] | where the directory of a queue is made, made again, and removed, whoever is killed meanwhile |
//! | [`wait`], [`signals`], [`fds`], [`clock`] | children, masks and handlers, descriptor tables, time |
//! | [`fault`] | faults on purpose, in builds that are made to have them |
//! | [`snapshot`] | what a task can change of its process, to be put back |
//! | [`title`] | what the list of processes shows |
//! | [`threads`] | how many loaded libraries use, ending their pools, and how many there are |
//! | [`niceness`] | how much is left of the processors to others |
//! | [`address_space`] | threads where `ulimit -v` is set, and whether memory is left |
//! | [`oom`] | who is killed first when memory is short, and whether somebody was |
//! | [`feature`] | which Linux facilities are switched off, so that tests run their fallbacks |
//!
//! Everything blocks only where its documentation says so, and repeats a call that a signal has interrupted.

// No panic may reach R: what can fail says so by its type. (Tests may panic.)
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::exit
    )
)]

pub mod address_space;
pub mod clock;
pub mod fault;
pub mod fds;
pub mod feature;
pub mod memory;
pub mod niceness;
pub mod oom;
pub mod pipe;
pub mod process;
pub mod signals;
pub mod snapshot;
pub mod socket;
pub mod tag;
pub mod tempdir;
pub mod threads;
pub mod title;
pub mod wait;
