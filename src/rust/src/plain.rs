//! Small plain values to bytes and back, without R's serializer.
//!
//! The bytes are the very ones that `R_Serialize()` writes in this R, and every R reads them; but R makes a table of a
//! thousand entries for every object that it writes, which takes longer than most tasks. Plain are NULL and short
//! logical, integer, double and character vectors and lists of such, to a small depth, without attributes but names.
//! Whatever else comes is left to R.
//!
//! The format is that of "R Internals", 1.8: each item begins with a word of its type and flags.

use std::mem::size_of;

use extendr_ffi::SEXPTYPE;

use crate::r::{Encoding, Object, Parts, Text, Tree};

const MOST_BYTES: usize = 1024;
const MOST_DEPTH: usize = 4;
const HAS_ATTRIBUTES: i32 = 1 << 9;
const HAS_TAG: i32 = 1 << 10;
const NIL: i32 = 254;
const REFERENCE: i32 = 255;
const FIRST_REFERENCE: i32 = 1 << 8 | REFERENCE;
const UTF8: i32 = 1 << 15;
const ASCII: i32 = 1 << 18;
const SYMBOL: i32 = SEXPTYPE::SYMSXP as i32;
const PAIRLIST: i32 = SEXPTYPE::LISTSXP as i32;
const STRING: i32 = SEXPTYPE::CHARSXP as i32;
const LOGICALS: i32 = SEXPTYPE::LGLSXP as i32;
const INTEGERS: i32 = SEXPTYPE::INTSXP as i32;
const REALS: i32 = SEXPTYPE::REALSXP as i32;
const STRINGS: i32 = SEXPTYPE::STRSXP as i32;
const LIST: i32 = SEXPTYPE::VECSXP as i32;

/// What is written so far; it stays on the stack.
pub(crate) struct Out {
    bytes: [u8; MOST_BYTES],
    length: usize,
    has_names: bool,
}

impl Out {
    /// The bytes of an object, behind `header`, what all bytes begin with in this R; `None` when it is not plain.
    pub(crate) fn of(header: &[u8], object: Object<'_>) -> Option<Out> {
        let mut out = Out {
            bytes: [0; MOST_BYTES],
            length: 0,
            has_names: false,
        };
        out.put(header)?;
        out.put_item(object, 0)?;
        Some(out)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let target = self.bytes.get_mut(self.length..)?.get_mut(..bytes.len())?;
        target.copy_from_slice(bytes);
        self.length += bytes.len();
        Some(())
    }

    fn put_int(&mut self, number: i32) -> Option<()> {
        self.put(&number.to_ne_bytes())
    }

    fn put_length(&mut self, length: usize) -> Option<()> {
        self.put_int(i32::try_from(length).ok()?)
    }

    fn put_item(&mut self, object: Object<'_>, depth: usize) -> Option<()> {
        if object.is_null() {
            return self.put_int(NIL);
        }
        let kind = object.kind() as i32;
        let is_known = matches!(kind, LOGICALS | INTEGERS | REALS | STRINGS | LIST);
        if !is_known || object.is_lazy() || object.has_class() || object.length() > MOST_BYTES {
            return None;
        }
        let names = match object.has_attributes() {
            true => Some(object.only_names().filter(|_| kind == LIST)?),
            false => None,
        };
        let flags = if names.is_some() { HAS_ATTRIBUTES } else { 0 };
        self.put_int(kind | flags)?;
        self.put_length(object.length())?;
        match kind {
            STRINGS => self.put_strings(object),
            LIST if depth == MOST_DEPTH => None,
            LIST => {
                for element in object.elements_of_list() {
                    self.put_item(element, depth + 1)?;
                }
                names.map_or(Some(()), |names| self.put_names(names))
            }
            _ => self.put(object.number_bytes()?),
        }
    }

    fn put_strings(&mut self, strings: Object<'_>) -> Option<()> {
        (0..strings.length()).try_for_each(|place| match strings.string(place)? {
            None => {
                self.put_int(STRING)?;
                self.put_int(-1)
            }
            Some((text, encoding)) => self.put_string(text, encoding),
        })
    }

    fn put_string(&mut self, text: &[u8], encoding: Encoding) -> Option<()> {
        let flag = match encoding {
            _ if text.is_ascii() => ASCII,
            Encoding::Utf8 => UTF8,
            Encoding::Other => return None,
        };
        self.put_int(STRING | flag)?;
        self.put_length(text.len())?;
        self.put(text)
    }

    /// A pairlist of one. A symbol is written once, and referred to after that.
    fn put_names(&mut self, names: Object<'_>) -> Option<()> {
        self.put_int(PAIRLIST | HAS_TAG)?;
        if self.has_names {
            self.put_int(FIRST_REFERENCE)?;
        } else {
            self.put_int(SYMBOL)?;
            self.put_string(b"names", Encoding::Utf8)?;
        }
        self.has_names = true;
        self.put_int(STRINGS)?;
        self.put_length(names.length())?;
        self.put_strings(names)?;
        self.put_int(NIL)
    }
}

/// The object that these bytes tell of; `None` when it is not plain. What they say is not believed.
pub(crate) fn read<'a>(header: &[u8], bytes: &'a [u8], parts: &Parts<'a>) -> Option<Tree<'a>> {
    if bytes.len() > MOST_BYTES {
        return None;
    }
    let mut source = In {
        left: bytes.strip_prefix(header)?,
        has_names: false,
    };
    let tree = source.item(parts, 0)?;
    source.left.is_empty().then_some(tree)
}

struct In<'a> {
    left: &'a [u8],
    has_names: bool,
}

impl<'a> In<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, left) = (self.left.get(..length)?, self.left.get(length..)?);
        self.left = left;
        Some(taken)
    }

    fn int(&mut self) -> Option<i32> {
        let bytes = self.take(size_of::<i32>())?;
        Some(i32::from_ne_bytes(bytes.try_into().ok()?))
    }

    /// A length; of nothing that has more elements of this size than there are bytes for.
    fn length(&mut self, size: usize) -> Option<usize> {
        let length = usize::try_from(self.int()?).ok()?;
        (length <= self.left.len() / size).then_some(length)
    }

    fn item(&mut self, parts: &Parts<'a>, depth: usize) -> Option<Tree<'a>> {
        let flags = self.int()?;
        if flags == NIL {
            return Some(Tree::null());
        }
        if depth > MOST_DEPTH {
            return None;
        }
        let has_names = flags == (LIST | HAS_ATTRIBUTES);
        match if has_names { LIST } else { flags } {
            LOGICALS => self.numbers(SEXPTYPE::LGLSXP, size_of::<i32>()),
            INTEGERS => self.numbers(SEXPTYPE::INTSXP, size_of::<i32>()),
            REALS => self.numbers(SEXPTYPE::REALSXP, size_of::<f64>()),
            STRINGS => Some(Tree::strings(self.strings(parts)?)),
            LIST => {
                let length = self.length(size_of::<i32>())?;
                let elements = (0..length).map(|_| self.item(parts, depth + 1));
                let elements = elements.collect::<Option<Vec<_>>>()?;
                let list = Tree::list(parts.trees(elements));
                if !has_names {
                    return Some(list);
                }
                let names = self.names(parts).filter(|names| names.len() == length)?;
                Some(list.named(names))
            }
            _ => None,
        }
    }

    fn numbers(&mut self, kind: SEXPTYPE, size: usize) -> Option<Tree<'a>> {
        let length = self.length(size)?;
        Some(Tree::numbers(kind, length, self.take(length * size)?))
    }

    fn strings(&mut self, parts: &Parts<'a>) -> Option<&'a [Text<'a>]> {
        let length = self.length(size_of::<i32>())?;
        let strings = (0..length).map(|_| self.string());
        let strings = strings.collect::<Option<Vec<_>>>()?;
        Some(parts.texts(strings.into_iter()))
    }

    fn string(&mut self) -> Option<Text<'a>> {
        let (flags, length) = (self.int()?, self.int()?);
        if flags == STRING && length == -1 {
            return Some(Text::NA);
        }
        if flags != STRING | ASCII && flags != STRING | UTF8 {
            return None;
        }
        let text = self.take(usize::try_from(length).ok()?)?;
        if flags == STRING | ASCII && !text.is_ascii() {
            return None;
        }
        // R does not have NUL in strings, and says so by a jump.
        (!text.contains(&0)).then(|| text.into())
    }

    fn names(&mut self, parts: &Parts<'a>) -> Option<&'a [Text<'a>]> {
        if self.int()? != PAIRLIST | HAS_TAG {
            return None;
        }
        match self.int()? {
            SYMBOL if !self.has_names => {
                let (flags, length) = (self.int()?, self.int()?);
                let name = self.take(usize::try_from(length).ok()?)?;
                if flags != STRING | ASCII || name != b"names" {
                    return None;
                }
            }
            FIRST_REFERENCE if self.has_names => {}
            _ => return None,
        }
        self.has_names = true;
        if self.int()? != STRINGS {
            return None;
        }
        let names = self.strings(parts)?;
        (self.int()? == NIL).then_some(names)
    }
}
