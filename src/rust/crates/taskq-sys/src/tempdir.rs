//! The directory of a queue for temporary files: where it is made, made again, and removed.
//!
//! A queue may live for weeks, and others remove what is old: `systemd-tmpfiles` does, a user who empties the temporary
//! directory, or a fork of the host that ends as R does. So nothing in here relies on a directory that was there
//! before: who needs it [makes](TempDir::make) it, which is a system call or two where it is there. There is more than
//! one place for it, because the directory in which it was made first may be gone, too.
//!
//! A directory is used only if this user owns it, and is made only in a directory of the same owner as at the
//! beginning: a name that was seen before may have been taken by another user. Links are not followed. What is removed
//! with all that is in it has one of our names besides, and nothing mounted in it: a path from elsewhere, from a
//! variable of the environment or from a program, may be any.
//!
//! Whoever ends a queue may be killed while doing so, and those it kills would have seen to the files. So what is to
//! be removed is removed first ([`TempDir::clear`]), and once more when no process is left that could have written
//! meanwhile ([`TempDir::remove`]): at every moment there is either a process that removes the files, or no file.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::tag;

/// A directory in which that of a queue can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    path: PathBuf,
    owner: u32,
}

impl Parent {
    /// This directory, with the owner that it has now. `None` where there is none.
    #[must_use]
    pub fn look(path: PathBuf) -> Option<Parent> {
        let about = fs::metadata(&path).ok().filter(Metadata::is_dir)?;
        let owner = about.uid();
        Some(Parent { path, owner })
    }

    /// The same, if it belongs to this user.
    #[must_use]
    pub fn look_own(path: PathBuf) -> Option<Parent> {
        Parent::look(path).filter(|parent| parent.owner == own_user())
    }
}

/// The directory of a queue or a zygote, with all places where it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempDir {
    candidates: Vec<Candidate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    dir: PathBuf,
    parent_owner: u32,
}

impl TempDir {
    /// A directory of this name in the first of the `parents` where it can be. Makes nothing yet.
    #[must_use]
    pub fn within(parents: &[Parent], name: &str) -> TempDir {
        let candidate = |parent: &Parent| Candidate {
            dir: parent.path.join(name),
            parent_owner: parent.owner,
        };
        TempDir {
            candidates: parents.iter().map(candidate).collect(),
        }
    }

    /// One that another process has told of.
    #[must_use]
    pub fn at(places: impl IntoIterator<Item = (PathBuf, u32)>) -> TempDir {
        let candidate = |(dir, parent_owner)| Candidate { dir, parent_owner };
        TempDir {
            candidates: places.into_iter().map(candidate).collect(),
        }
    }

    /// What another process is told of it: where it can be, and who must own the directory that it is in.
    pub fn places(&self) -> impl Iterator<Item = (&Path, u32)> {
        let candidates = self.candidates.iter();
        candidates.map(|candidate| (candidate.dir.as_path(), candidate.parent_owner))
    }

    /// Makes the directory, mode 0700, unless it is there, and says where it is.
    ///
    /// # Errors
    /// What the operating system says of the first place, if it can be in none.
    pub fn make(&self) -> io::Result<PathBuf> {
        let mut first = None;
        for candidate in &self.candidates {
            match candidate.make() {
                Ok(()) => return Ok(candidate.dir.clone()),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// Where it is now.
    #[must_use]
    pub fn find(&self) -> Option<&Path> {
        self.dirs().find(|dir| is_own_dir(dir))
    }

    /// Removes what is in it, as far as that goes while others may write to it. The directory itself stays: no one else
    /// can make a file in what was in it, and those who have to agree by means of it still can.
    pub fn clear(&self) {
        self.dirs().for_each(clear);
    }

    /// Removes it with all that is in it; nothing is done where there is none.
    ///
    /// # Errors
    /// What the operating system says; a part may be removed by then.
    pub fn remove(&self) -> io::Result<()> {
        self.dirs().map(remove).fold(Ok(()), io::Result::and)
    }

    /// Removes a directory in it, in every place where it may have been made.
    pub fn remove_below(&self, name: impl AsRef<Path>) {
        for dir in self.dirs() {
            let _ = remove(&dir.join(name.as_ref()));
        }
    }

    /// The directories in which it can be.
    pub fn parents(&self) -> impl Iterator<Item = &Path> {
        self.dirs().filter_map(Path::parent)
    }

    fn dirs(&self) -> impl Iterator<Item = &Path> {
        self.candidates
            .iter()
            .map(|candidate| candidate.dir.as_path())
    }
}

impl Candidate {
    fn make(&self) -> io::Result<()> {
        let parent = self.dir.parent().unwrap_or(Path::new("/"));
        if fs::metadata(parent)?.uid() != self.parent_owner {
            return Err(rustix::io::Errno::PERM.into());
        }
        make_own(&self.dir)
    }
}

/// Makes a directory with mode 0700, unless it is there and belongs to this user.
///
/// # Errors
/// What the operating system says; `AlreadyExists` where something else has the name.
pub fn make_own(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_own_dir(dir) => Ok(()),
        other => other,
    }
}

/// Removes the directory that a program has made for its own temporary files, whose name begins with `prefix`. In one
/// of ours it goes with all that is in it, elsewhere only if it is empty.
///
/// # Errors
/// What the operating system says; `PermissionDenied` where it is not such a directory.
pub fn remove_of_program(dir: &Path, prefix: &str) -> io::Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("/"));
    if !name_of(dir).starts_with(prefix) || !is_own_dir(dir) || !is_below_root(dir) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    if is_ours(parent) {
        remove_all(dir)
    } else {
        fs::remove_dir(dir)
    }
}

/// Removes a directory of ours with all that is in it. Nothing is done where there is none, or something else.
///
/// # Errors
/// What the operating system says; a part may be removed by then.
pub fn remove(dir: &Path) -> io::Result<()> {
    if is_ours(dir) {
        remove_all(dir)
    } else {
        Ok(())
    }
}

fn clear(dir: &Path) {
    if !is_ours(dir) || is_mounted_in(dir) {
        return;
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
            _ => fs::remove_file(path),
        };
    }
}

/// The only place in the product where a directory is removed with what is in it. What a task has mounted there, its
/// home on another machine perhaps, stays, and the directory with it.
fn remove_all(dir: &Path) -> io::Result<()> {
    if fs::remove_dir(dir).is_ok() || is_mounted_in(dir) {
        return Ok(());
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether it is the directory of a queue or a zygote, or that of a session in one: by its name, and because only this
/// user can have made it.
fn is_ours(dir: &Path) -> bool {
    let is_queues = |dir: &Path| name_of(dir).starts_with(tag::DIR_PREFIX) && is_own_dir(dir);
    let is_number = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let is_session =
        is_number(name_of(dir)) && is_own_dir(dir) && dir.parent().is_some_and(is_queues);
    is_below_root(dir) && (is_session || is_queues(dir))
}

/// Whether it is a directory, not a link to one, belongs to this user, and no other may write to it.
fn is_own_dir(dir: &Path) -> bool {
    fs::symlink_metadata(dir)
        .is_ok_and(|about| about.is_dir() && about.uid() == own_user() && about.mode() & 0o022 == 0)
}

/// An absolute path in at least one directory below the root, without a way up.
fn is_below_root(dir: &Path) -> bool {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::RootDir);
    dir.is_absolute() && dir.components().count() > 2 && dir.components().all(is_plain)
}

fn name_of(dir: &Path) -> &str {
    dir.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// Whether a file system is mounted on the directory or below it.
fn is_mounted_in(dir: &Path) -> bool {
    let Ok(dir) = fs::canonicalize(dir) else {
        return false;
    };
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut points = mounts
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    points.any(|point| Path::new(OsStr::from_bytes(&unescape(point))).starts_with(&dir))
}

/// Blanks, tabs, newlines and backslashes are octal numbers in the kernel's tables.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let code = tail
            .get(..3)
            .and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &tail[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};

    fn own(dir: &Path) {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(dir);
        made.expect("a directory");
    }

    /// A directory that goes at the end of the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let name = format!("tempdir-test-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            fs::create_dir(&dir).expect("a directory");
            Scratch(dir)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            assert!(!name.is_empty() && !name.contains(['/', '.']));
            fs::remove_dir_all(self.0.join(name))
        }

        fn parent(&self, name: &str) -> Parent {
            let path = self.0.join(name);
            fs::create_dir_all(&path).expect("a directory");
            Parent::look(path).expect("it is there")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn all_that_is_in_a_directory_goes_and_nothing_else() {
        let scratch = Scratch::new("all");
        let other = scratch.0.join("other");
        let dir = TempDir::within(
            &[scratch.parent("first"), scratch.parent("second")],
            "taskq-own",
        );
        for place in ["first/taskq-own", "second/taskq-own"].map(|place| scratch.0.join(place)) {
            own(&place.join("4/b"));
            fs::create_dir_all(&other).expect("a directory");
            for file in [place.join("4/b/c"), place.join("d"), other.join("e")] {
                fs::write(file, "text").expect("a file");
            }
            symlink(&other, place.join("link")).expect("a link");
        }
        dir.remove_below("4");
        assert!(
            !scratch.0.join("first/taskq-own/4").exists()
                && !scratch.0.join("second/taskq-own/4").exists()
        );
        dir.clear();
        for place in ["first/taskq-own", "second/taskq-own"].map(|place| scratch.0.join(place)) {
            assert_eq!(fs::read_dir(&place).expect("it stays").count(), 0);
        }
        assert!(other.join("e").exists());
        for _ in 0..2 {
            dir.remove().expect("it is empty, or gone");
            dir.clear();
            assert_eq!(dir.find(), None);
        }
    }

    #[test]
    fn a_directory_is_made_again_and_where_it_cannot_be_in_the_next_place() {
        let scratch = Scratch::new("again");
        let parents = [scratch.parent("first"), scratch.parent("second")];
        let dir = TempDir::within(&parents, "taskq-own");
        let (first, second) = (
            scratch.0.join("first/taskq-own"),
            scratch.0.join("second/taskq-own"),
        );
        let told = TempDir::at(dir.places().map(|(place, owner)| (place.to_owned(), owner)));
        for made in [&dir, &told, &dir] {
            assert_eq!(made.make().expect("made"), first);
            let mode = fs::metadata(&first).expect("there").permissions().mode();
            assert_eq!(mode & 0o7777, 0o700);
        }
        fs::remove_dir(&first).expect("a cleaner");
        assert_eq!(dir.make().expect("made again"), first);
        scratch.remove("first").expect("a cleaner");
        assert_eq!(dir.find(), None);
        assert_eq!(dir.make().expect("in the next place"), second);
        assert_eq!(told.find(), Some(second.as_path()));
        scratch.remove("second").expect("a cleaner");
        let error = dir.make().expect_err("there is no place");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(TempDir::within(&[], "taskq-own").make().is_err());
    }

    #[test]
    fn only_what_is_ours_by_name_owner_mode_and_place_is_removed() {
        let scratch = Scratch::new("guard");
        let make = |path: &str| {
            let dir = scratch.0.join(path);
            own(&dir);
            fs::write(dir.join("file"), "text").expect("a file");
            dir
        };
        let others = [
            "home",
            "7",
            "taskq",
            "home/7",
            "taskq-a/7/8",
            "taskq-a/Rtmp1",
        ]
        .map(make);
        for dir in &others {
            remove(dir).expect("nothing is done");
            assert!(dir.join("file").exists(), "{dir:?}");
        }
        let shared = make("taskq-b");
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).expect("mode");
        remove(&shared).expect("nothing is done");
        for odd in ["taskq-c", "/taskq-c"].map(Path::new) {
            assert!(!is_ours(odd) && !is_below_root(odd), "{odd:?}");
        }
        assert!(!is_below_root(&others[0].join("../taskq-a")));
        // A program's, in one of ours and elsewhere.
        let (outside, empty) = (make("home/Rtmp1"), make("home/Rtmp2"));
        fs::remove_file(empty.join("file")).expect("a file");
        for kept in [&outside, &others[0], &others[4], &shared] {
            assert!(remove_of_program(kept, "Rtmp").is_err());
            assert!(kept.join("file").exists(), "{kept:?}");
        }
        for gone in [&empty, &others[5], &make("taskq-a/7/Rtmp1")] {
            remove_of_program(gone, "Rtmp").expect("removed");
            assert!(!gone.exists(), "{gone:?}");
        }
        for gone in ["taskq-a/7", "taskq-a"].map(|path| scratch.0.join(path)) {
            remove(&gone).expect("removed");
            assert!(!gone.exists(), "{gone:?}");
        }
    }

    #[test]
    fn where_something_is_mounted_is_told_from_the_table_of_the_kernel() {
        assert_eq!(unescape(br"/a\040b\134c\04"), br"/a b\c\04");
        assert!(is_mounted_in(Path::new("/")) && is_mounted_in(Path::new("/proc")));
        assert!(!is_mounted_in(&Scratch::new("mount").0));
        assert!(!is_mounted_in(Path::new("/none")));
    }

    #[test]
    fn nothing_is_made_in_or_removed_from_what_another_has_put_there() {
        let scratch = Scratch::new("other");
        let parent = scratch.parent("parent");
        let target = scratch.0.join("target");
        fs::create_dir(&target).expect("a directory");
        fs::write(target.join("file"), "text").expect("a file");
        let dir = TempDir::within(std::slice::from_ref(&parent), "taskq-own");
        let place = scratch.0.join("parent/taskq-own");
        symlink(&target, &place).expect("a link");
        assert!(dir.make().is_err());
        dir.clear();
        dir.remove().expect("it is none of ours");
        assert!(target.join("file").exists() && place.symlink_metadata().is_ok());
        fs::remove_file(&place).expect("a link");
        fs::write(&place, "text").expect("a file");
        assert!(dir.make().is_err());
        fs::remove_file(&place).expect("a file");
        // As if the parent had been made anew by another user.
        let stranger = Parent {
            owner: parent.owner + 1,
            ..parent
        };
        assert!(TempDir::within(&[stranger], "taskq-own").make().is_err());
        assert!(!place.exists());
        assert_eq!(Parent::look(scratch.0.join("none")), None);
        assert_eq!(Parent::look_own(target.join("file")), None);
    }
}
