//! Replaces a file of the user's: all of the new one or nothing, with the mode and the owner of the old one.
//!
//! Links are followed as the kernel does with `protected_symlinks`, also where that is switched off: in a directory
//! where everybody may make files, such as /tmp, only those of the user or of the directory's owner. Anybody could else
//! choose which of the user's files is replaced.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{fchown, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use taskq_sys::process;

/// This number of links on one way is a circle, as for the kernel.
const LINKS: usize = 40;
/// Everybody may make files there, and only owners may take them away.
const SHARED: u32 = 0o1002;

/// Writes a file by `write`, and puts it in the place of `path` when it is whole.
///
/// # Errors
/// When it cannot be made, when `path` is something else than a file, belongs to another user, or when a link on the
/// way must not be followed.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // What a link leads to is replaced, not the link.
    let target = resolve(path)?;
    let old = match fs::symlink_metadata(&target) {
        Ok(old) if !old.is_file() => {
            let message = "it is not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Others may read it when that one could be read by them, and not before.
    let (file, beside) = create_beside(&target, if old.is_some() { 0o600 } else { 0o666 })?;
    let written = fill(file, old.as_ref(), write).and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(
    file: File,
    old: Option<&Metadata>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    file.flush()?;
    match old {
        Some(old) => keep(file.get_ref(), old),
        None => Ok(()),
    }
}

/// Gives a new file the owner, the group and the mode of the old one.
fn keep(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid())).map_err(|error| {
            let message = format!("its owner or group cannot be kept: {error}");
            io::Error::new(error.kind(), message)
        })?;
    }
    // After that, because a new owner takes bits away.
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))
}

/// A new file in the directory of `target`.
fn create_beside(target: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".taskq-trace-{}-{serial}", process::own_pid());
        let beside = target.with_file_name(name);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)
        {
            // Left by a process of the same number that died in here.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|file| (file, beside)),
        }
    }
}

/// Where a path leads to, without links. Its last part need not be there.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut found = std::env::current_dir()?;
    let mut rest: VecDeque<OsString> = VecDeque::new();
    prepend(&mut rest, path);
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        let next = match Path::new(&part).components().next() {
            Some(Component::RootDir | Component::Prefix(_)) => PathBuf::from("/"),
            Some(Component::ParentDir) => {
                found.pop();
                continue;
            }
            _ => found.join(&part),
        };
        match fs::symlink_metadata(&next) {
            Ok(there) if there.is_symlink() => {
                links += 1;
                if links > LINKS {
                    return Err(io::Error::from_raw_os_error(libc::ELOOP));
                }
                check_link(&fs::symlink_metadata(&found)?, &there)?;
                prepend(&mut rest, &fs::read_link(&next)?);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound || !rest.is_empty() => {
                return Err(error);
            }
            _ => found = next,
        }
    }
    Ok(found)
}

fn prepend(rest: &mut VecDeque<OsString>, path: &Path) {
    for part in path.components().rev() {
        if part != Component::CurDir {
            rest.push_front(part.as_os_str().to_owned());
        }
    }
}

fn check_link(dir: &Metadata, link: &Metadata) -> io::Result<()> {
    let is_shared = dir.mode() & SHARED == SHARED;
    let user = rustix::process::geteuid().as_raw();
    if is_shared && link.uid() != user && link.uid() != dir.uid() {
        let message = "another user has put a link there, in a directory that all share";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Dir {
            let name = format!("taskq-replace-{name}-{}", process::own_pid());
            let dir = fs::canonicalize(std::env::temp_dir())
                .expect("there")
                .join(name);
            fs::create_dir(&dir).expect("a new one");
            Dir(dir)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("there");
            let name = |entry: io::Result<fs::DirEntry>| entry.expect("there").file_name();
            let mut names: Vec<String> = entries
                .map(|entry| name(entry).to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn put(path: &Path) -> io::Result<()> {
        write(path, |file| file.write_all(b"new"))
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        let dir = Dir::new("mode");
        let path = dir.0.join("a");
        for mode in [0o600, 0o644, 0o4711, 0o666] {
            fs::write(&path, "old").expect("written");
            set_mode(&path, mode);
            put(&path).expect("written");
            assert_eq!(fs::read(&path).expect("there"), b"new");
            assert_eq!(fs::metadata(&path).expect("there").mode() & 0o7777, mode);
            fs::remove_file(&path).expect("ours");
        }
        assert!(dir.names().is_empty());
    }

    #[test]
    fn what_a_link_leads_to_is_replaced_and_a_circle_is_told() {
        let dir = Dir::new("links");
        fs::create_dir(dir.0.join("sub")).expect("a new one");
        symlink("sub", dir.0.join("to-sub")).expect("a link");
        symlink("../sub/./file", dir.0.join("sub/link")).expect("a link");
        put(&dir.0.join("to-sub/link")).expect("written");
        assert_eq!(fs::read(dir.0.join("sub/file")).expect("there"), b"new");
        assert!(fs::symlink_metadata(dir.0.join("sub/link"))
            .expect("there")
            .is_symlink());
        symlink("circle", dir.0.join("circle")).expect("a link");
        let error = put(&dir.0.join("circle")).expect_err("a circle");
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(put(&dir.0.join("none/such")).is_err());
        assert_eq!(
            put(&dir.0).expect_err("no file").kind(),
            io::ErrorKind::InvalidInput
        );
        assert_eq!(dir.names(), ["circle", "sub", "to-sub"]);
    }

    #[test]
    fn a_failure_changes_nothing_and_leaves_no_file() {
        let dir = Dir::new("failure");
        let path = dir.0.join("a");
        fs::write(&path, "old").expect("written");
        let failed = write(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(&path).expect("there"), b"old");
        assert_eq!(dir.names(), ["a"]);
    }

    #[test]
    fn another_users_link_in_a_directory_that_all_share_is_not_followed() {
        const OTHER: u32 = 54_321;
        if !rustix::process::geteuid().is_root() {
            // Only root can make a link that belongs to somebody else.
            return;
        }
        let dir = Dir::new("shared");
        let (shared, victim) = (dir.0.join("shared"), dir.0.join("victim"));
        fs::create_dir(&shared).expect("a new one");
        fs::write(&victim, "old").expect("written");
        let link = shared.join("link");
        symlink(&victim, &link).expect("a link");
        lchown(&link, Some(OTHER), None).expect("root may");
        set_mode(&shared, 0o1777);
        let error = put(&link).expect_err("a trap");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        // Neither as a directory on the way.
        symlink(&dir.0, shared.join("way")).expect("a link");
        lchown(shared.join("way"), Some(OTHER), None).expect("root may");
        assert!(put(&shared.join("way/victim")).is_err());
        assert_eq!(fs::read(&victim).expect("there"), b"old");
        // Where only the user may make files, links are followed; so are the user's own.
        set_mode(&shared, 0o755);
        put(&link).expect("written");
        set_mode(&shared, 0o1777);
        lchown(&link, Some(0), None).expect("root may");
        put(&link).expect("written");
        assert_eq!(fs::read(&victim).expect("there"), b"new");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_owner() {
        const OTHER: u32 = 54_321;
        if !rustix::process::geteuid().is_root() {
            // As above.
            return;
        }
        let dir = Dir::new("owner");
        let path = dir.0.join("a");
        fs::write(&path, "old").expect("written");
        lchown(&path, Some(OTHER), Some(OTHER)).expect("root may");
        set_mode(&path, 0o640);
        put(&path).expect("written");
        let there = fs::metadata(&path).expect("there");
        assert_eq!(
            (there.uid(), there.gid(), there.mode() & 0o7777),
            (OTHER, OTHER, 0o640)
        );
    }
}
