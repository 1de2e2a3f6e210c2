//! How a queue is to be: reads the list that `tq_open()` in R/queue-control.R makes.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use taskq_core::{SchedulerConfig, TaskOptions};
use taskq_engine::{Charset, Config};
use taskq_record::options::{duration, whole};
use taskq_sys::tempdir::Parent;

use crate::external::waker;
use crate::r::{Answer, Argument, Object, Stop};
use crate::reply::failure;

/// The configuration of a queue, or what is wrong with the list.
pub(super) fn read(config: Object<'_>) -> Answer<Config> {
    let names = config.names()?;
    let item = |name: &str| {
        let place = names
            .iter()
            .position(|other| other.to_bytes() == name.as_bytes());
        let item = place.and_then(|place| config.element(place));
        item.ok_or_else(|| wrong(format!("the configuration lacks `{name}`")))
    };
    let strings = |name: &str| -> Answer<Vec<OsString>> {
        let values = item(name)?.strings()?.unwrap_or_default();
        let bytes = values.into_iter().map(CStr::to_bytes);
        Ok(bytes
            .map(|bytes| OsStr::from_bytes(bytes).to_owned())
            .collect())
    };
    let text = |name: &str| {
        let text = strings(name)?.pop();
        text.ok_or_else(|| wrong(format!("`{name}` is no string")))
    };
    let number = |name: &str| f64::take(item(name)?, name);
    let env = item("env")?;
    let names = env.names()?.into_iter();
    let names = names.map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
    let added: Vec<_> = names.zip(strings("env")?).collect();
    let mut environment: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| !is_left_out(name))
        .collect();
    environment.retain(|(name, _)| !added.iter().any(|(other, _)| other == name));
    environment.extend(added);
    Ok(Config {
        command: strings("command")?,
        env: environment,
        working_dir: PathBuf::from(text("wd")?),
        late_variables: strings("late_variables")?,
        startup_files: strings("startup_files")?
            .into_iter()
            .map(PathBuf::from)
            .collect(),
        temp_dirs: temp_dirs(text("tmpdir")?.into(), text("tempdir")?.into()),
        setup: setup(item("setup")?.bytes()?.unwrap_or_default())?,
        output_limit: Config::OUTPUT_LIMIT,
        stderr_tail: Config::STDERR_TAIL,
        charset: if number("is_latin1")? == 0.0 {
            Charset::Utf8
        } else {
            Charset::Latin1
        },
        task_defaults: TaskOptions {
            timeout: duration(number("timeout")?),
            tries: whole(number("tries")?),
            isolate: number("isolate")? != 0.0,
            ..TaskOptions::default()
        },
        waker: waker::wake,
        scheduler: SchedulerConfig {
            workers: whole(number("min_workers")?),
            max_workers: whole(number("max_workers")?),
            idle_timeout: duration(number("idle_timeout")?).unwrap_or(Duration::MAX),
            // Casting saturates: infinity is the largest number.
            max_tasks: number("max_tasks")? as u64,
            max_memory: number("max_memory")? as u64,
            max_waiting: number("max_waiting")? as usize,
            fair: number("fair")? != 0.0,
            jitter_seed: u64::from(std::process::id()),
            ..SchedulerConfig::default()
        },
    })
}

fn wrong(problem: String) -> Stop {
    Stop::Failure(failure("input", &problem))
}

/// `preload`, `init` and `globals`, which may be as large as anything: without memory for them it is an error.
fn setup(bytes: &[u8]) -> Answer<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| wrong(format!("no memory for `globals`, {} bytes", bytes.len())))?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Where a queue can have its directory: where its user says, or in R's temporary directory. R's may be gone one day,
/// and what it was made in is there for longer.
fn temp_dirs(users: PathBuf, of_r: PathBuf) -> Vec<Parent> {
    let users = Parent::look(users);
    let outer = of_r.parent().map(PathBuf::from);
    users
        .into_iter()
        .chain(Parent::look_own(of_r))
        .chain(outer.and_then(Parent::look))
        .collect()
}

/// Variables of the host that would confuse another R: those of a running `R CMD check`, and which packages the host
/// itself was told to attach.
fn is_left_out(name: &OsStr) -> bool {
    [
        "R_TESTS",
        "R_DEFAULT_PACKAGES",
        "R_SESSION_TMPDIR",
        "TASKQ_SESSION",
    ]
    .iter()
    .any(|&left_out| name == left_out)
}
