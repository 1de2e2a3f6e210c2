//! The version that a record has when it is kept: in a file, or on another machine that runs another taskq.
//!
//! A field that is added with `#[serde(default)]` can be read by the version before, and needs no new number. A field
//! that changes its meaning, or goes, does; and the version before has to be read for as long as there are such
//! records.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the records in this crate.
pub const SCHEMA: u8 = 1;

/// A record with its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept<R> {
    schema: Schema,
    /// The record.
    pub record: R,
}

impl<R> From<R> for Kept<R> {
    fn from(record: R) -> Kept<R> {
        Kept {
            schema: Schema,
            record,
        }
    }
}

/// Written as [`SCHEMA`]; reading any other is an error that names both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Schema;

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(SCHEMA)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
        match u8::deserialize(deserializer)? {
            SCHEMA => Ok(Schema),
            found => Err(D::Error::custom(format_args!(
                "the record is of schema {found}, this taskq reads schema {SCHEMA}"
            ))),
        }
    }
}
