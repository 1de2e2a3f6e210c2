//! Objects of R's to bytes and back, in R's own format: version 3, in the byte order of the machine.
//!
//! What is small and plain is written and read by [`crate::plain`], everything else by R, through
//! `src/serialize.c`.

use std::cell::{Cell, OnceCell};
use std::mem::size_of;

use taskq_payload::payload::Payload;
use taskq_wire::serialized::{look, Soundness};

use crate::buffer::Buffer;
use crate::closures::without_sources;
use crate::entries::entries;
use crate::parcels::with_parcels;
use crate::plain;
use crate::r::{Answer, Object, Parts, Scope, Stop, Tree};

thread_local! {
    /// What all bytes begin with in this R: format, versions, the encoding of this session.
    static HEADER: OnceCell<Vec<u8>> = const { OnceCell::new() };
    /// Whether R is to convert strings of another encoding as it reads.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Behind the format and three numbers of versions stands the name of the encoding.
const BEFORE_ENCODING: usize = 2 + 3 * size_of::<i32>();

fn with_header<T>(scope: &Scope, body: impl FnOnce(&[u8]) -> T) -> Answer<T> {
    if HEADER.with(|header| header.get().is_none()) {
        let mut buffer = Buffer::of_call();
        scope.write(&mut buffer, scope.null(), None)?;
        let payload = buffer.finish().ok_or_else(no_memory_to_read)?;
        let bytes = payload.in_memory().unwrap_or_default();
        // All but the NULL.
        let header = bytes[..bytes.len().saturating_sub(size_of::<i32>())].to_vec();
        HEADER.with(|known| known.set(header)).ok();
    }
    HEADER.with(|header| Ok(body(header.get().map_or(&[], |header| &header[..]))))
}

/// Appends an object to a buffer.
pub(crate) fn serialize(scope: &Scope, buffer: &mut Buffer, object: Object<'_>) -> Answer<()> {
    if write_plain(scope, buffer, object)? {
        return Ok(());
    }
    write(scope, buffer, object, None)
}

/// The same for what a task is sent beside its function `fun`, or for that, where `fun` is NULL: an object that cannot
/// work in another process is an error, or a warning.
pub(crate) fn serialize_sent(
    scope: &Scope,
    buffer: &mut Buffer,
    object: Object<'_>,
    fun: Object<'_>,
) -> Answer<()> {
    if write_plain(scope, buffer, object)? {
        return Ok(());
    }
    write(scope, buffer, object, Some(fun))
}

/// What is not plain: without source references, and with large vectors in parcels.
fn write(
    scope: &Scope,
    buffer: &mut Buffer,
    object: Object<'_>,
    sent_with: Option<Object<'_>>,
) -> Answer<()> {
    scope.within(|scope| {
        let object = without_sources(scope, object)?;
        let object = with_parcels(scope, buffer, object)?;
        Ok(scope.write(buffer, object, sent_with)?)
    })
}

/// The outcome of a task. Where its value holds what cannot work in another process, with a warning of that.
pub(crate) fn serialize_outcome(scope: &Scope, outcome: Object<'_>) -> Answer<Buffer> {
    let mut buffer = Buffer::of_call();
    let before = scope.doubts();
    serialize(scope, &mut buffer, outcome)?;
    if scope.doubts() != before {
        let warned = scope.call_own(c"tq_warn_of_references", outcome)?;
        if warned.get() != outcome.get() {
            buffer = Buffer::of_call();
            serialize(scope, &mut buffer, warned)?;
        }
    }
    Ok(buffer)
}

/// Whether it is plain, and written.
fn write_plain(scope: &Scope, buffer: &mut Buffer, object: Object<'_>) -> Answer<bool> {
    let Some(out) = with_header(scope, |header| plain::Out::of(header, object))? else {
        return Ok(false);
    };
    if buffer.write(out.bytes()) {
        return Ok(true);
    }
    Err(scope.no_memory())
}

/// The object of a payload. An empty one, or none, stands for NULL.
pub(crate) fn unserialize<'s>(scope: &'s Scope, payload: Option<&Payload>) -> Answer<Object<'s>> {
    match read_plain(scope, payload)? {
        Ok(plain) => Ok(plain),
        Err(payload) => read(scope, payload),
    }
}

/// The same of a payload that comes from a session, which is not believed: `None` when it is not sure that it can be
/// read, and nothing was tried.
pub(crate) fn unserialize_if_sound<'s>(
    scope: &'s Scope,
    payload: Option<&Payload>,
) -> Answer<Option<Object<'s>>> {
    match read_plain(scope, payload)? {
        Ok(plain) => Ok(Some(plain)),
        Err(payload) if soundness(payload) == Soundness::Sound => read(scope, payload).map(Some),
        Err(_) => Ok(None),
    }
}

/// The same with care: when it cannot be read, why, a condition; or NULL when it was not even tried. Want of memory
/// jumps, and so does want of stack where R was deep in calls before: the next time may be better.
pub(crate) fn unserialize_with_care<'s>(
    scope: &'s Scope,
    payload: Option<&Payload>,
) -> Answer<Result<Object<'s>, Object<'s>>> {
    let payload = match read_plain(scope, payload)? {
        Ok(plain) => return Ok(Ok(plain)),
        Err(payload) => payload,
    };
    match soundness(payload) {
        Soundness::Sound => Ok(Ok(read(scope, payload)?)),
        Soundness::Broken => Ok(Err(scope.null())),
        Soundness::Unsure => {
            let read = through_r(scope, c"tq_read_with_care", payload)?;
            Ok(read.element(0).filter(|_| read.is_plain_list()).ok_or(read))
        }
    }
}

fn soundness(payload: &Payload) -> Soundness {
    payload.bytes().map_or(Soundness::Unsure, look)
}

fn no_memory_to_read() -> Stop {
    Stop::Fault("out of memory while reading a serialized object".to_owned())
}

/// The object, if it is plain; or the payload, for R to read.
fn read_plain<'s, 'p>(
    scope: &'s Scope,
    payload: Option<&'p Payload>,
) -> Answer<Result<Object<'s>, &'p Payload>> {
    let Some(payload) = payload else {
        return Ok(Ok(scope.null()));
    };
    let bytes = payload.bytes_at_hand().map_err(|_| no_memory_to_read())?;
    if bytes.is_empty() {
        return Ok(Ok(scope.null()));
    }
    let parts = Parts::default();
    let tree = with_header(scope, |header| plain::read(header, bytes, &parts))?;
    Ok(match tree {
        Some(tree) => Ok(scope.make(&tree)?),
        None => Err(payload),
    })
}

/// R warns of strings from a session in another locale, although it has converted them as far as they are valid. These
/// warnings do not help the user who reads a result, or the task that runs.
fn read<'s>(scope: &'s Scope, payload: &Payload) -> Answer<Object<'s>> {
    if !IS_QUIET.get() && !is_of_this_encoding(scope, payload)? {
        return through_r(scope, c"tq_read_quietly", payload);
    }
    Ok(scope.read(payload)?)
}

fn is_of_this_encoding(scope: &Scope, payload: &Payload) -> Answer<bool> {
    let bytes = payload.bytes_at_hand().map_err(|_| no_memory_to_read())?;
    with_header(scope, |header| {
        let here = header.get(BEFORE_ENCODING..).unwrap_or_default();
        let there = bytes.get(BEFORE_ENCODING..header.len());
        here.is_empty() || there.map_or(true, |there| there == here)
    })
}

/// What a function of this package makes of a payload, which it has [`rs_read`] read.
fn through_r<'s>(
    scope: &'s Scope,
    function: &std::ffi::CStr,
    payload: &Payload,
) -> Answer<Object<'s>> {
    let pointer = scope.pointer_to(payload)?;
    let read = scope.call_own(function, pointer.object());
    Ok(read?)
}

/// The object of a payload. For `tq_read_quietly()` and `tq_read_with_care()` only.
fn rs_read<'s>(scope: &'s Scope, payload: Object<'s>) -> Answer<Object<'s>> {
    // SAFETY: a pointer of `through_r`, which empties it when the payload may go.
    let payload = unsafe { payload.address().cast::<Payload>().as_ref() };
    let payload = payload.ok_or_else(|| Stop::Fault("there is nothing to read".to_owned()))?;
    Ok(scope.read(payload)?)
}

/// For tests: the bytes of an object, or the object of bytes in a list; NULL when it is not plain.
fn rs_plain<'s>(scope: &'s Scope, object: Object<'s>) -> Answer<Object<'s>> {
    let parts = Parts::default();
    match object.bytes()? {
        Some(bytes) => match with_header(scope, |header| plain::read(header, bytes, &parts))? {
            Some(tree) => Ok(scope.make(&Tree::list(&[tree]))?),
            None => Ok(scope.null()),
        },
        None => match with_header(scope, |header| plain::Out::of(header, object))? {
            Some(out) => Ok(scope.make(&Tree::bytes(out.bytes()))?),
            None => Ok(scope.null()),
        },
    }
}

entries! {
    rs_read[scope](payload),
    rs_plain[scope](object),
}
