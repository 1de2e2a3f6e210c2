//! The temporary directory of a queue, at its end.
//!
//! Whoever ends a queue may be killed while doing so, and those it kills would have seen to the files. So what is to
//! be removed is removed first ([`clear`]), and once more when nobody is left who could have written meanwhile
//! ([`remove`]): at every moment there is either a process that removes the files, or no file.

use std::fs;
use std::io;
use std::path::Path;

/// Removes what is in `dir`, as far as that goes while others may write to it. The directory itself stays: nobody can
/// make a file in what was in it, and those who have to agree by means of it still can.
pub fn clear(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
            _ => fs::remove_file(path),
        };
    }
}

/// Removes `dir` with all that is in it; nothing is done where there is none.
///
/// # Errors
/// What the operating system says; a part may be removed by then.
pub fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn all_that_is_in_a_directory_goes_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("taskq-tempdir-{}", std::process::id()));
        let (own, other) = (dir.join("own"), dir.join("other"));
        fs::create_dir_all(own.join("a/b")).expect("directories");
        fs::create_dir_all(&other).expect("a directory");
        for file in [own.join("a/b/c"), own.join("d"), other.join("e")] {
            fs::write(file, "text").expect("a file");
        }
        symlink(&other, own.join("link")).expect("a link");
        clear(&own);
        assert_eq!(fs::read_dir(&own).expect("it stays").count(), 0);
        assert!(other.join("e").exists());
        clear(&own.join("not there"));
        for _ in 0..2 {
            remove(&own).expect("it is empty, or gone");
        }
        remove(&dir).expect("it is ours");
    }
}
