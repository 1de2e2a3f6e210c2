//! Runs the tests of `examples/descendants.rs`, each as a program of its own.

use std::path::PathBuf;
use std::process::Command;

use taskq_sys::{process, tag};

fn run(name: &str, without: &str) {
    let own = std::env::current_exe().expect("own path");
    let profile = own.ancestors().find(|dir| dir.join("examples").is_dir());
    let program: PathBuf = profile
        .expect("the examples' directory")
        .join("examples/descendants");
    let token = format!("descendants-{}-{name}-{without}", process::own_pid());
    let output = Command::new(program)
        .arg(name)
        .envs(tag::zygote_variables(&token))
        .env("TASKQ_WITHOUT", without)
        .output()
        .expect("the example descendants");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {words}", output.status);
    assert_eq!(process::tagged(&token).expect("a look"), []);
}

#[test]
fn a_tree_is_killed_down_to_the_last_and_nobody_else() {
    run("tree", "");
    run("tree", "pidfd");
}

#[test]
fn orphans_are_found_by_the_mark_that_a_fork_wrote() {
    run("marks", "");
    run("marks", "pidfd");
}

#[test]
fn the_end_of_a_child_is_told_seen_and_reaped() {
    run("ends", "");
}

#[test]
fn all_descriptors_but_ones_own_are_closed() {
    run("descriptors", "");
}

#[test]
fn a_signal_on_its_way_is_settled() {
    run("interrupts", "");
}
