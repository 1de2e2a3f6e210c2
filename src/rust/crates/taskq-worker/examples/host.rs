//! A host that a test can kill: launches sessions that leave processes behind, says so, and waits.
#![allow(clippy::print_stdout)] // What it says is read by the test.

#[path = "../tests/common/mod.rs"]
mod common;

use taskq_sys::feature;

fn main() {
    let mut host = common::Host::up("");
    let mut workers = vec![host.launch(), host.launch(), host.launch()];
    for (task, worker) in (1..).zip(&mut workers) {
        worker.run(task, "spawn-sleep 1000");
    }
    workers[1].send(11, "stubborn 1000000");
    let mut unready = Vec::new();
    // Nothing wakes a stopped session where there is no signal at its parent's death, and nothing ends a supervisor
    // that cannot look after itself yet.
    if feature::available(feature::Feature::ParentDeathSignal) {
        workers[0].send(10, "stop");
        common::eventually("the session to stop", || common::is_stopped(workers[0].pid));
        unready.push(host.zygote.ask("boot-slow 1000000"));
        unready[0].supervisor_pid();
    }
    print!("{} {} {}", host.dir.display(), host.zygote.name, host.token);
    unready.iter().for_each(|other| print!(" {}", other.token));
    println!();
    loop {
        std::thread::park();
    }
}
