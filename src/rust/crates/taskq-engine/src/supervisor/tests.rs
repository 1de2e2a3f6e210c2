//! A supervisor with real processes, without a driver.

use std::path::{Path, PathBuf};

use taskq_core::TaskOptions;

use super::*;

/// Nothing here takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(20);

/// Cargo builds the examples of a package before its tests run.
fn fake_supervisor() -> PathBuf {
    let test = std::env::current_exe().expect("a program");
    let built = test.parent().and_then(Path::parent);
    built
        .expect("the target directory")
        .join("examples/fake_supervisor")
}

fn config(dir: &Path) -> Config {
    Config {
        command: vec![fake_supervisor().into()],
        env: std::env::vars_os().collect(),
        working_dir: dir.to_owned(),
        late_variables: Vec::new(),
        startup_files: Vec::new(),
        temp_dirs: taskq_sys::tempdir::Parent::look(dir.to_owned())
            .into_iter()
            .collect(),
        setup: Vec::new(),
        output_limit: Config::OUTPUT_LIMIT,
        stderr_tail: Config::STDERR_TAIL,
        charset: crate::Charset::default(),
        task_defaults: TaskOptions::default(),
        waker: |_| (),
        scheduler: taskq_core::SchedulerConfig::default(),
    }
}

#[test]
fn one_that_serves_before_its_host_knows_that_it_is_born_ends_when_it_is_killed() {
    let dir = std::env::temp_dir().join(format!("taskq-unborn-{}", process::own_pid()));
    std::fs::create_dir(&dir).expect("a directory");
    let mut supervisor = Supervisor::start(&config(&dir)).expect("a supervisor");
    // It says that it is up, which is not heard.
    wait_for(supervisor.ends.control.as_fd(), DEADLINE);
    supervisor.kill();
    let deadline = Instant::now() + DEADLINE;
    let is_gone = |news: &News| matches!(news, News::Gone(_));
    while !supervisor.attend().iter().any(is_gone) {
        assert!(Instant::now() < deadline, "it lives on");
        let last = supervisor.pidfds().last().expect("the kernel has them");
        wait_for(last, DEADLINE);
    }
    supervisor.reap();
    drop(supervisor);
    std::fs::remove_dir(&dir).expect("it is empty");
}
