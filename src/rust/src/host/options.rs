//! The options of a task: the list that `R/task-options.R` makes, read by serde into what `taskq-record` says that they
//! are.
//!
//! The elements of the list are the fields, by their names and in any order. NULL and NA are "absent": then the queue's
//! default holds. What is of another type, or has a name that no option has, is a fault, because R has checked them.

use std::borrow::Cow;
use std::fmt;

use extendr_ffi::SEXPTYPE;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, IntoDeserializer, Visitor};
use serde::{Deserialize, Deserializer};
use taskq_core::{Submission, TaskOptions};
use taskq_record::TaskRequest;

use crate::r::{Answer, Argument, Jump, Object, Stop};

/// What `options`, such a list or NULL, makes of a task.
pub(super) fn read(options: Object<'_>, defaults: &TaskOptions) -> Answer<Submission> {
    let request = if options.is_null() {
        TaskRequest::default()
    } else {
        TaskRequest::deserialize(Named(options)).map_err(|unread| unread.0)?
    };
    Ok(Submission::of(request, defaults))
}

/// Why a list cannot be read.
#[derive(Debug)]
struct Unread(Stop);

impl From<Jump> for Unread {
    fn from(jump: Jump) -> Unread {
        Unread(jump.into())
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an option cannot be read")
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    fn custom<T: fmt::Display>(message: T) -> Unread {
        Unread(Stop::Fault(format!("the options of a task: {message}")))
    }
}

#[derive(Clone, Copy)]
struct Named<'a>(Object<'a>);

impl<'a> IntoDeserializer<'a, Unread> for Named<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Named<'_> {
    fn is_absent(self) -> Answer<bool> {
        let is_na = match self.0.kind() {
            SEXPTYPE::REALSXP => f64::read(self.0)?.is_some_and(f64::is_nan),
            SEXPTYPE::LGLSXP => self.0.logicals()? == Some(&[i32::MIN]),
            _ => false,
        };
        Ok(self.0.is_null() || is_na)
    }
}

impl<'de> Deserializer<'de> for Named<'de> {
    type Error = Unread;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if let Some(number) = f64::read(self.0)? {
            visitor.visit_f64(number)
        } else if let Some(flag) = bool::read(self.0)? {
            visitor.visit_bool(flag)
        } else if let Some(text) = Cow::read(self.0)? {
            visitor.visit_str(&text)
        } else {
            Err(de::Error::custom("one is of another type"))
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.is_absent().map_err(Unread)? {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        let strings = Vec::<Cow<'de, str>>::read(self.0)?;
        let strings =
            strings.ok_or_else(|| <Unread as de::Error>::custom("one is no character vector"))?;
        visitor.visit_seq(SeqDeserializer::new(strings.into_iter()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        let names = self.0.names()?.into_iter();
        let named = names.enumerate().filter_map(|(place, name)| {
            let value = self.0.element(place)?;
            Some((name.to_string_lossy(), Named(value)))
        });
        visitor.visit_map(MapDeserializer::new(named))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct tuple tuple_struct map enum identifier ignored_any
    }
}
