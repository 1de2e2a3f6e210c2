//! The line in which the kernel tells what it knows of a process or a thread: `/proc/<pid>/stat` and its like.
//!
//! Owns how the line is cut. Its fields have the numbers of proc(5); the name, the second, may hold anything, so what
//! is asked for are those behind it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

/// Longer than any line: some fifty numbers, and a name of 64 bytes at most.
const LONGEST: usize = 2048;
/// The number of the first field behind the name.
const FIRST: usize = 3;

/// See the module.
pub(crate) struct Stat {
    /// What stands behind the name.
    fields: String,
}

impl Stat {
    /// The line in this file.
    ///
    /// # Errors
    /// There is no such file, or what is in it is no such line.
    pub(crate) fn read(path: impl AsRef<Path>) -> io::Result<Stat> {
        let mut line = [0; LONGEST];
        let len = File::open(path)?.read(&mut line)?;
        Stat::parse(&line[..len]).ok_or(io::ErrorKind::InvalidData.into())
    }

    /// Of a process.
    pub(crate) fn of(pid: i32) -> io::Result<Stat> {
        Stat::read(format!("/proc/{pid}/stat"))
    }

    pub(crate) fn parse(line: &[u8]) -> Option<Stat> {
        let name_end = line.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(&line[name_end + 1..]).ok()?.to_owned();
        Some(Stat { fields })
    }

    /// The field with this number.
    pub(crate) fn field(&self, number: usize) -> Option<&str> {
        let mut fields = self.fields.split_ascii_whitespace();
        fields.nth(number.checked_sub(FIRST)?)
    }

    /// The same as a number.
    pub(crate) fn number<N: FromStr>(&self, number: usize) -> Option<N> {
        self.field(number)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_confuse() {
        let stat = Stat::parse(b"12 (a) R (x 1) Z 7 12 -9\n").expect("a line");
        assert_eq!((stat.field(3), stat.number(4)), (Some("Z"), Some(7)));
        assert_eq!((stat.number(6), stat.number::<i32>(7)), (Some(-9), None));
        assert_eq!((stat.field(2), stat.number::<u32>(6)), (None, None));
        assert!(Stat::parse(b"12 a R 1 2").is_none());
    }
}
