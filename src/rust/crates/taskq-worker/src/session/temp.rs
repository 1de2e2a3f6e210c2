//! A session's directory for temporary files, which others may remove while the session waits for weeks.

use std::io;
use std::path::{Path, PathBuf};

use taskq_sys::tempdir::{make_own, TempDir};

/// See the module.
#[derive(Debug)]
pub(super) struct Temp {
    queue_dir: TempDir,
    /// The session's, where `TMPDIR` points to.
    dir: PathBuf,
    /// The one in it that the program has made for itself. Empty: it has told of none.
    used: PathBuf,
}

impl Temp {
    pub(super) fn new(queue_dir: TempDir, dir: PathBuf) -> Temp {
        Temp {
            queue_dir,
            dir,
            used: PathBuf::new(),
        }
    }

    pub(super) fn uses(&mut self, dir: PathBuf) {
        self.used = dir;
    }

    /// Whether what the program uses is there. One look, because every task begins with it.
    pub(super) fn is_there(&self) -> bool {
        self.used.as_os_str().is_empty() || self.used.is_dir()
    }

    /// Makes the session's directory, and what the program uses in it, unless they are there. Says where the session's
    /// is now: in another place if it cannot be where it was.
    pub(super) fn make(&mut self) -> io::Result<&Path> {
        let name = self.dir.file_name().map(PathBuf::from).unwrap_or_default();
        let dir = self.queue_dir.make()?.join(name);
        make_own(&dir)?;
        self.dir = dir;
        if self.used.parent() == Some(&self.dir) {
            make_own(&self.used)?;
        }
        Ok(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use taskq_sys::tempdir::Parent;

    #[test]
    fn what_a_cleaner_has_taken_is_made_again_where_it_was_or_in_the_next_place() {
        let root = std::env::temp_dir().join(format!("taskq-temp-{}", std::process::id()));
        let parents = ["first", "second"].map(|name| {
            fs::create_dir_all(root.join(name)).expect("a directory");
            Parent::look(root.join(name)).expect("it is there")
        });
        let queue_dir = TempDir::within(&parents, "taskq-queue");
        let dir = root.join("first/taskq-queue/3");
        let used = dir.join("Rtmp");
        let mut temp = Temp::new(queue_dir.clone(), dir.clone());
        assert!(temp.is_there());
        temp.uses(used.clone());
        for taken in [&root.join("first/taskq-queue"), &dir, &used] {
            assert!(taken.starts_with(&root) && taken != &root);
            let _ = fs::remove_dir_all(taken);
            assert!(!temp.is_there());
            assert_eq!(temp.make().expect("made again"), dir);
            assert!(temp.is_there() && used.is_dir());
        }
        fs::remove_dir_all(root.join("first")).expect("a cleaner");
        assert_eq!(
            temp.make().expect("elsewhere"),
            root.join("second/taskq-queue/3")
        );
        // It is for the program to make another one there.
        assert!(!temp.is_there());
        fs::remove_dir_all(&root).expect("a cleaner");
        assert!(temp.make().is_err());
    }
}
