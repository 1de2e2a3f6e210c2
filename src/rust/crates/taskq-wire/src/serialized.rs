//! Whether bytes are what R's serializer writes, found out without R: for what comes from a session, before R reads it.
//!
//! R believes what it reads. A length below zero, or a thing in the place of another, can end its process, and it goes
//! down a level of the C stack for each level of the object, and for each element of a pairlist. So the host looks
//! first. This scans the bytes from the first to the last without recursion, with memory that what came bounds, and
//! skips over the contents of vectors.
//!
//! The format is that of "R Internals", 1.8, in the byte order of the machine, versions 2 and 3. That R can read what
//! is [`Sound`](Soundness::Sound) needs no more than memory. Whether byte code makes sense is not looked at.

/// What R will make of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// An object.
    Sound,
    /// An object, or an R error: it is [deep](SHALLOW), or reading it needs a package.
    Unsure,
    /// Nothing: it must not be read.
    Broken,
}

/// This number of levels needs a few hundred kilobytes of C stack, which R has wherever it can call a function.
pub const SHALLOW: u32 = 1000;
/// More levels than any R can read: it protects each of them, and has room for half a million at the very most.
const DEEPEST: u32 = 500_000;

/// See the module.
#[must_use]
pub fn look(bytes: &[u8]) -> Soundness {
    let mut scan = Scan {
        rest: bytes,
        known: Vec::new(),
        pending: Vec::new(),
        is_sure: true,
    };
    match scan.all() {
        None => Soundness::Broken,
        Some(()) if scan.is_sure => Soundness::Sound,
        Some(()) => Soundness::Unsure,
    }
}

// The types of items that are looked for; the others are R's own numbers, too.
const SYMBOL: u8 = 1;
const PAIRLIST: u8 = 2;
const CLOSURE: u8 = 3;
const ENVIRONMENT: u8 = 4;
const PROMISE: u8 = 5;
const CALL: u8 = 6;
const SPECIAL: u8 = 7;
const BUILTIN: u8 = 8;
const CHARS: u8 = 9;
const LOGICAL: u8 = 10;
const INTEGER: u8 = 13;
const REAL: u8 = 14;
const COMPLEX: u8 = 15;
const STRINGS: u8 = 16;
const DOTS: u8 = 17;
const LIST: u8 = 19;
const EXPRESSION: u8 = 20;
const BYTE_CODE: u8 = 21;
const POINTER: u8 = 22;
const WEAK: u8 = 23;
const RAW: u8 = 24;
const OBJECT: u8 = 25;
const ALTREP: u8 = 238;
const CALL_WITH_ATTRIBUTES: i32 = 240;
const PAIRLIST_WITH_ATTRIBUTES: i32 = 239;
const BASE_ENVIRONMENT: u8 = 241;
const EMPTY_ENVIRONMENT: u8 = 242;
const REPEATED: i32 = 243;
const TO_BE_REPEATED: i32 = 244;
const PACKAGE: u8 = 248;
const NAMESPACE: u8 = 249;
const BASE_NAMESPACE: u8 = 250;
const MISSING: u8 = 251;
const UNBOUND: u8 = 252;
const GLOBAL: u8 = 253;
const NIL: u8 = 254;
const REFERENCE: u8 = 255;

/// What comes next in the bytes.
#[derive(Clone, Copy)]
enum Next {
    /// An item of one of these kinds.
    Item(Kind),
    /// Items of a list, each of one of these kinds, and how many.
    Items(u64, Kind),
    /// A number of strings.
    Strings(u64),
    /// Code, how many constants it has, and these.
    Code,
    ConstantCount,
    Constants(u64),
    /// A part of a call among them, whose type comes first.
    Part,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Any,
    /// A pairlist or NULL.
    Pairlist,
    /// An environment; or NULL, which stood for one in old files.
    Environment,
    /// Where a hashed environment keeps its variables, or NULL.
    Table,
}

/// What a reference may refer to.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    /// A symbol; this one says that a class is R's own.
    Base,
    Symbol,
    Environment,
    Other,
}

struct Scan<'a> {
    rest: &'a [u8],
    known: Vec<Known>,
    /// What is to come, the last of it first, each with its level.
    pending: Vec<(Next, u32)>,
    is_sure: bool,
}

#[derive(Clone, Copy)]
struct Flags {
    kind: u8,
    has_attributes: bool,
    has_tag: bool,
    /// The rest of the word: for a reference, its number.
    reference: i32,
}

impl Scan<'_> {
    /// `None` where R must not read this.
    fn all(&mut self) -> Option<()> {
        self.header()?;
        self.expect(Next::Item(Kind::Any), 0)?;
        while let Some((next, level)) = self.pending.pop() {
            self.is_sure &= level <= SHALLOW;
            if level > DEEPEST {
                return None;
            }
            match next {
                Next::Item(kind) => self.item(kind, level + 1)?,
                Next::Items(0, _) | Next::Strings(0) | Next::Constants(0) => {}
                Next::Items(left, kind) => {
                    self.expect(Next::Items(left - 1, kind), level)?;
                    self.item(kind, level + 1)?;
                }
                Next::Strings(left) => self.strings(left, level)?,
                Next::Code => {
                    self.expect(Next::ConstantCount, level)?;
                    self.item(Kind::Any, level + 1)?;
                }
                Next::ConstantCount => {
                    let count = u64::try_from(self.int()?).ok()?;
                    self.expect(Next::Constants(count), level)?;
                }
                Next::Constants(left) => self.constant(left, level)?,
                Next::Part => {
                    let kind = self.int()?;
                    self.part(kind, level + 1)?;
                }
            }
        }
        self.rest.is_empty().then_some(())
    }

    fn header(&mut self) -> Option<()> {
        if self.take(2)? != b"B\n" {
            return None;
        }
        let version = self.int()?;
        self.take(8)?;
        match version {
            2 => {}
            3 => {
                let length = self.int()?;
                self.take(usize::try_from(length).ok().filter(|length| *length < 64)?)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn item(&mut self, kind: Kind, level: u32) -> Option<()> {
        let flags = self.flags()?;
        let is_right = match kind {
            Kind::Any => true,
            Kind::Pairlist => matches!(flags.kind, PAIRLIST | NIL),
            Kind::Table => matches!(flags.kind, LIST | NIL),
            Kind::Environment => {
                is_environment(flags.kind) || matches!(flags.kind, NIL | REFERENCE)
            }
        };
        if !is_right {
            return None;
        }
        match flags.kind {
            NIL | GLOBAL | UNBOUND | MISSING | BASE_NAMESPACE | EMPTY_ENVIRONMENT
            | BASE_ENVIRONMENT => {}
            REFERENCE => {
                let known = self.reference(flags.reference)?;
                let is_wanted = kind != Kind::Environment || known == Known::Environment;
                is_wanted.then_some(())?;
            }
            SYMBOL => {
                self.symbol()?;
            }
            NAMESPACE | PACKAGE => {
                self.is_sure = false;
                self.known.push(Known::Environment);
                if self.int()? != 0 {
                    return None;
                }
                for _ in 0..self.int()? {
                    self.chars()?;
                }
            }
            ENVIRONMENT => {
                self.known.push(Known::Environment);
                self.int()?;
                self.expect(Next::Item(Kind::Pairlist), level)?;
                self.expect(Next::Item(Kind::Table), level)?;
                self.expect(Next::Item(Kind::Pairlist), level)?;
                self.expect(Next::Item(Kind::Environment), level)?;
            }
            LIST if kind == Kind::Table => {
                let length = self.length()?;
                if length == 0 || flags.has_attributes {
                    return None;
                }
                self.expect(Next::Items(length, Kind::Pairlist), level)?;
            }
            PAIRLIST | CALL | DOTS | CLOSURE | PROMISE => self.pair(flags, level)?,
            ALTREP => {
                self.class()?;
                self.expect(Next::Item(Kind::Pairlist), level)?;
                self.expect(Next::Item(Kind::Any), level)?;
            }
            _ => {
                if flags.has_attributes {
                    self.expect(Next::Item(Kind::Pairlist), level)?;
                }
                self.content(flags.kind, level)?;
            }
        }
        Some(())
    }

    /// A pair: its attributes, its tag, its first, the rest of it.
    fn pair(&mut self, flags: Flags, level: u32) -> Option<()> {
        let holds_code = matches!(flags.kind, CLOSURE | PROMISE);
        self.expect(Next::Item(Kind::Any), level)?;
        let first = if flags.kind == CLOSURE {
            Kind::Pairlist
        } else {
            Kind::Any
        };
        self.expect(Next::Item(first), level)?;
        if flags.has_tag {
            let tag = if holds_code {
                Kind::Environment
            } else {
                Kind::Any
            };
            self.expect(Next::Item(tag), level)?;
        }
        if flags.has_attributes {
            self.expect(Next::Item(Kind::Pairlist), level)?;
        }
        Some(())
    }

    /// What stands behind the flags of an item, but for its attributes.
    fn content(&mut self, kind: u8, level: u32) -> Option<()> {
        match kind {
            CHARS => {
                let length = self.int()?;
                if length != -1 {
                    self.take(usize::try_from(length).ok()?)?;
                }
            }
            SPECIAL | BUILTIN => {
                let length = self.int()?;
                self.take(
                    usize::try_from(length)
                        .ok()
                        .filter(|length| *length < 1000)?,
                )?;
            }
            LOGICAL | INTEGER => self.vector(4)?,
            REAL => self.vector(8)?,
            COMPLEX => self.vector(16)?,
            RAW => self.vector(1)?,
            STRINGS => {
                let length = self.length()?;
                self.expect(Next::Strings(length), level)?;
            }
            LIST | EXPRESSION => {
                let length = self.length()?;
                self.expect(Next::Items(length, Kind::Any), level)?;
            }
            BYTE_CODE => {
                // How many parts of calls are repeated.
                self.int().filter(|count| *count >= 0)?;
                self.expect(Next::Code, level)?;
            }
            POINTER => {
                self.known.push(Known::Other);
                self.expect(Next::Items(2, Kind::Any), level)?;
            }
            WEAK => self.known.push(Known::Other),
            OBJECT => {}
            _ => return None,
        }
        Some(())
    }

    fn strings(&mut self, left: u64, level: u32) -> Option<()> {
        for done in 1..=left {
            if self.chars()? {
                self.expect(Next::Strings(left - done), level)?;
                return self.expect(Next::Item(Kind::Pairlist), level);
            }
        }
        Some(())
    }

    /// A constant of code; calls are written in a form of their own there.
    fn constant(&mut self, left: u64, level: u32) -> Option<()> {
        self.expect(Next::Constants(left - 1), level)?;
        let kind = self.int()?;
        if kind == i32::from(BYTE_CODE) {
            self.expect(Next::Code, level + 1)
        } else {
            self.part(kind, level + 1)
        }
    }

    fn part(&mut self, kind: i32, level: u32) -> Option<()> {
        let mut kind = kind;
        match kind {
            REPEATED => {
                self.int().filter(|place| *place >= 0)?;
                return Some(());
            }
            TO_BE_REPEATED => {
                self.int().filter(|place| *place >= 0)?;
                kind = self.int()?;
            }
            _ => {}
        }
        let is_call = kind == i32::from(CALL) || kind == i32::from(PAIRLIST);
        let has_attributes = matches!(kind, CALL_WITH_ATTRIBUTES | PAIRLIST_WITH_ATTRIBUTES);
        if !is_call && !has_attributes {
            return self.item(Kind::Any, level);
        }
        self.expect(Next::Part, level)?;
        self.expect(Next::Part, level)?;
        self.expect(Next::Item(Kind::Any), level)?;
        if has_attributes {
            self.expect(Next::Item(Kind::Pairlist), level)?;
        }
        Some(())
    }

    /// The name of a class of vectors, and of the package that has it.
    fn class(&mut self) -> Option<()> {
        self.pair_of_class()?;
        self.name()?;
        self.pair_of_class()?;
        let package = self.name()?;
        self.pair_of_class()?;
        let (kind, length) = (self.flags()?.kind, self.int()?);
        if kind != INTEGER || length != 1 {
            return None;
        }
        self.int()?;
        self.is_sure &= package == Known::Base;
        (self.flags()?.kind == NIL).then_some(())
    }

    fn pair_of_class(&mut self) -> Option<()> {
        let flags = self.flags()?;
        (flags.kind == PAIRLIST && !flags.has_attributes && !flags.has_tag).then_some(())
    }

    fn name(&mut self) -> Option<Known> {
        let flags = self.flags()?;
        let known = match flags.kind {
            SYMBOL => self.symbol()?,
            REFERENCE => self.reference(flags.reference)?,
            _ => return None,
        };
        matches!(known, Known::Base | Known::Symbol).then_some(known)
    }

    fn symbol(&mut self) -> Option<Known> {
        if self.flags()?.kind != CHARS {
            return None;
        }
        let length = self.int()?;
        let name = match length {
            -1 => b"NA",
            _ => self.take(usize::try_from(length).ok().filter(|length| *length > 0)?)?,
        };
        let known = if name == b"base" {
            Known::Base
        } else {
            Known::Symbol
        };
        self.known.push(known);
        Some(known)
    }

    fn reference(&mut self, number: i32) -> Option<Known> {
        let number = if number == 0 { self.int()? } else { number };
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.known.get(place).copied()
    }

    /// A string; whether attributes follow.
    fn chars(&mut self) -> Option<bool> {
        let flags = self.flags()?;
        if flags.kind != CHARS {
            return None;
        }
        let length = self.int()?;
        if length != -1 {
            self.take(usize::try_from(length).ok()?)?;
        }
        Some(flags.has_attributes)
    }

    fn vector(&mut self, size: u64) -> Option<()> {
        let bytes = self.length()?.checked_mul(size)?;
        self.take(usize::try_from(bytes).ok()?)?;
        Some(())
    }

    fn length(&mut self) -> Option<u64> {
        match self.int()? {
            -1 => {
                let (upper, lower) = (self.int()?, self.int()?);
                // As far as R goes.
                let upper = u64::try_from(upper).ok().filter(|upper| *upper < 1 << 20)?;
                Some(upper << 32 | u64::from(lower as u32))
            }
            length => u64::try_from(length).ok(),
        }
    }

    fn flags(&mut self) -> Option<Flags> {
        let word = self.int()?;
        Some(Flags {
            kind: (word & 0xff) as u8,
            has_attributes: word & 1 << 9 != 0,
            has_tag: word & 1 << 10 != 0,
            reference: word >> 8,
        })
    }

    fn int(&mut self) -> Option<i32> {
        let (word, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(i32::from_ne_bytes(*word))
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        if count > self.rest.len() {
            return None;
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(taken)
    }

    /// Every list that is open has taken some of the bytes, so this is bounded by what came.
    fn expect(&mut self, next: Next, level: u32) -> Option<()> {
        self.pending.try_reserve(1).ok()?;
        self.pending.push((next, level));
        Some(())
    }
}

fn is_environment(kind: u8) -> bool {
    matches!(
        kind,
        ENVIRONMENT
            | NAMESPACE
            | PACKAGE
            | GLOBAL
            | BASE_NAMESPACE
            | EMPTY_ENVIRONMENT
            | BASE_ENVIRONMENT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as R writes them, from their words.
    fn bytes(words: &[i32]) -> Vec<u8> {
        let mut bytes = b"B\n".to_vec();
        let header: [i32; 4] = [3, 0x0004_0202, 0x0003_0500, 5];
        bytes.extend(header.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend(b"UTF-8");
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes
    }

    fn verdict(words: &[i32]) -> Soundness {
        look(&bytes(words))
    }

    const NULL: i32 = NIL as i32;
    const TEXT: i32 = i32::from_ne_bytes(*b"base");
    const OTHER: i32 = i32::from_ne_bytes(*b"task");

    #[test]
    fn what_r_writes_is_sound() {
        assert_eq!(verdict(&[NULL]), Soundness::Sound);
        assert_eq!(verdict(&[13, 2, 7, 8]), Soundness::Sound);
        assert_eq!(verdict(&[16, 2, 9, 4, TEXT, 9, -1]), Soundness::Sound);
        // list(a = 1:2): the tag of the attribute is a symbol.
        let named = [19 | 1 << 9, 1, 13, 2, 1, 2];
        let names = [2 | 1 << 10, 1, 9, 4, TEXT, 16, 1, 9, 4, TEXT, NULL];
        assert_eq!(verdict(&[&named[..], &names].concat()), Soundness::Sound);
        // A long vector, of a length that others could have, too.
        assert_eq!(verdict(&[13, -1, 0, 1, 5]), Soundness::Sound);
        // list(e, e), where e is an empty hashed environment.
        let environment = [19, 2, 4, 0, 253, NULL, 19, 1, NULL, NULL, 1 << 8 | 255];
        assert_eq!(verdict(&environment), Soundness::Sound);
    }

    #[test]
    fn no_bytes_may_be_missing_or_left() {
        let whole = bytes(&[19, 2, 13, 2, 7, 8, 16, 1, 9, 4, TEXT]);
        assert_eq!(look(&whole), Soundness::Sound);
        for length in 0..whole.len() {
            assert_eq!(look(&whole[..length]), Soundness::Broken, "{length} bytes");
        }
        assert_eq!(look(&[&whole[..], b"x"].concat()), Soundness::Broken);
        assert_eq!(look(b"garbage that is no R"), Soundness::Broken);
    }

    #[test]
    fn false_lengths_and_types_are_broken() {
        for words in [
            &[9, -2][..],                       // R moves its stack by this length
            &[8, -5],                           //
            &[13, -2],                          //
            &[13, i32::MAX],                    //
            &[14, -1, 1 << 19, -1],             // whose bytes no number counts
            &[19, 1 << 30],                     //
            &[16, 1, 13, 0],                    // no string
            &[1, 13, 0],                        // no name
            &[255 | 1 << 8],                    // nothing before
            &[255, 0],                          //
            &[12],                              // no type
            &[247, 0, 1, 9, 4, TEXT],           // what only its writer knows
            &[13 | 1 << 9, 1, 5, 13, 0],        // attributes
            &[4, 0, 13, 0, NULL, NULL, NULL],   // no environment around
            &[4, 0, 253, NULL, 13, 1, 5, NULL], // no table
            &[4, 0, 253, NULL, 19, 0, NULL],    //
            &[4, 0, 253, NULL, 19, 1, 13, 0, NULL],
            &[3 | 1 << 10, 13, 0, NULL, NULL], // a function in no environment
            &[19, 2, 1, 9, 4, TEXT, 3 | 1 << 10, 1 << 8 | 255, NULL, NULL],
            &[21, -1],
            &[21, 0, 13, 1, 8, -1],
            &[21, 0, 13, 1, 8, 1, REPEATED, -1],
        ] {
            assert_eq!(verdict(words), Soundness::Broken, "{words:?}");
        }
    }

    #[test]
    fn what_needs_a_package_is_not_sure() {
        assert_eq!(verdict(&[249, 0, 1, 9, 4, TEXT]), Soundness::Unsure);
        let class = |package| {
            [
                238, 2, 1, 9, 4, OTHER, 2, 1, 9, 4, package, 2, 13, 1, 13, NULL,
            ]
        };
        let state = [14, 0, NULL];
        let of = |package| verdict(&[&class(package)[..], &state].concat());
        assert_eq!((of(TEXT), of(OTHER)), (Soundness::Sound, Soundness::Unsure));
        // A name that came before.
        let again = [238, 2, 1 << 8 | 255, 2, 2 << 8 | 255, 2, 13, 1, 13, NULL];
        let list = |package| [&[19, 2][..], &class(package), &state, &again, &state].concat();
        assert_eq!(verdict(&list(TEXT)), Soundness::Sound);
        assert_eq!(verdict(&list(OTHER)), Soundness::Unsure);
    }

    #[test]
    fn what_is_deep_in_any_direction_is_not_sure() {
        let nested = |depth: usize| [[19, 1].repeat(depth), vec![NULL]].concat();
        let chain = |depth: usize| [[2, NULL].repeat(depth), vec![NULL]].concat();
        let attribute =
            |depth: usize| [[13 | 1 << 9, 0, 2].repeat(depth), [NULL].repeat(depth + 1)].concat();
        let environment = |depth: usize| {
            let rest = [NULL; 3].repeat(depth);
            [[4, 0].repeat(depth), vec![253], rest].concat()
        };
        let code = |depth: usize| {
            let call = [6, NULL, 13, 13, 0].repeat(depth);
            [&[21, 0, 13, 0, 1], &call[..], &[254, NULL]].concat()
        };
        for words in [nested, chain, attribute, environment, code] {
            assert_eq!(verdict(&words(400)), Soundness::Sound);
            assert_eq!(verdict(&words(1100)), Soundness::Unsure);
            assert_eq!(verdict(&words(600_000)), Soundness::Broken);
        }
    }
}
