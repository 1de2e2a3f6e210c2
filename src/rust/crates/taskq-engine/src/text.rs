//! Bytes that tasks write, as text.

use std::borrow::Cow;
use std::fmt::Write;

/// What the bytes stand for that sessions write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8, as ASCII is.
    #[default]
    Utf8,
    /// ISO-8859-1: each byte is the character of that number.
    Latin1,
}

impl Charset {
    /// The same in UTF-8; what is none already stays as it is.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        if self == Charset::Utf8 || bytes.is_ascii() {
            return Cow::Borrowed(bytes);
        }
        let text: String = bytes.iter().copied().map(char::from).collect();
        Cow::Owned(text.into_bytes())
    }
}

/// Bytes as text. A byte that is not part of UTF-8, and NUL, is shown by its number, as `<e9>`, as R does.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (valid, bad) = match std::str::from_utf8(rest) {
            Ok(_) => (rest.len(), 0),
            Err(error) => {
                let left = rest.len() - error.valid_up_to();
                (error.valid_up_to(), error.error_len().unwrap_or(left))
            }
        };
        let (now, later) = rest.split_at(valid);
        for (at, part) in String::from_utf8_lossy(now).split('\0').enumerate() {
            text.push_str(if at > 0 { "<00>" } else { "" });
            text.push_str(part);
        }
        for byte in &later[..bad] {
            // Writing to a string does not fail.
            let _ = write!(text, "<{byte:02x}>");
        }
        rest = &later[bad..];
    }
    text
}

/// How many bytes are left without a character that is cut off at the end.
pub(crate) fn whole_end(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    // A character begins with a byte that says how many belong to it.
    let begin = tail.iter().rposition(|&byte| byte >= 0xC0);
    let Some(begin) = begin.filter(|&at| tail[at + 1..].iter().all(|&byte| is_inside(byte))) else {
        return bytes.len();
    };
    let length = match tail[begin] {
        0xF0.. => 4,
        0xE0.. => 3,
        _ => 2,
    };
    let left = tail.len() - begin;
    bytes.len() - if left < length { left } else { 0 }
}

/// How many bytes at the beginning belong to a character that is cut off.
pub(crate) fn whole_start(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take(3)
        .take_while(|&&byte| is_inside(byte))
        .count()
}

fn is_inside(byte: u8) -> bool {
    (0x80..0xC0).contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_shown_by_its_numbers() {
        assert_eq!(shown("café €".as_bytes()), "café €");
        assert_eq!(shown(b"caf\xe9: no"), "caf<e9>: no");
        assert_eq!(shown(b"\xff\xfea\0b\xc3"), "<ff><fe>a<00>b<c3>");
        assert_eq!(shown(b"\xe2\x82"), "<e2><82>");
    }

    #[test]
    fn latin_1_becomes_utf_8() {
        assert_eq!(&*Charset::Latin1.decode(b"caf\xe9"), "café".as_bytes());
        assert_eq!(&*Charset::Utf8.decode(b"caf\xe9"), b"caf\xe9");
    }

    #[test]
    fn a_character_that_is_cut_off_is_found_at_both_ends() {
        let text = "aé€\u{1f600}".as_bytes();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let head = &head[..whole_end(head)];
            let tail = &tail[whole_start(tail)..];
            assert!(std::str::from_utf8(head).is_ok() && std::str::from_utf8(tail).is_ok());
            assert!(head.len() + tail.len() + 4 >= text.len());
        }
        assert_eq!(whole_end(b"caf\xe9"), 3);
        assert_eq!(whole_end(b"abc"), 3);
    }
}
