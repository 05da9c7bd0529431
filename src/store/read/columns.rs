//! Columns that the two databases hold in types of their own, read as one type,
//! so that one SQL text serves both.

use std::{borrow::Cow, fmt, ops::Deref};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{
    Database, Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

use crate::event::Timestamp;

/// PostgreSQL counts from 2000-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
const TIMESTAMPTZ: Oid = Oid(1184);
const JSONB: Oid = Oid(3802);

/// A time in the fixed width form: text in SQLite, `timestamptz` in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct UtcText(#[schemars(extend("format" = "date-time"))] String);

/// A time to compare such a column with.
#[derive(Clone, Copy)]
pub(super) struct At(pub Timestamp);

/// JSON as text: text in SQLite, `jsonb` in PostgreSQL.
#[derive(Debug)]
pub(super) struct JsonText(pub String);

/// JSON as it goes on to readers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Json(#[schemars(with = "serde_json::Value")] Box<RawValue>);

impl Deref for UtcText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Json {
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl fmt::Display for UtcText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for UtcText {
    fn from(text: &str) -> UtcText {
        UtcText(text.to_owned())
    }
}

impl From<UtcText> for String {
    fn from(time: UtcText) -> String {
        time.0
    }
}

impl From<JsonText> for String {
    fn from(json: JsonText) -> String {
        json.0
    }
}

/// The types' names in both databases.
macro_rules! column_type {
    ($type:ty, $oid:expr) => {
        impl Type<Sqlite> for $type {
            fn type_info() -> SqliteTypeInfo {
                <str as Type<Sqlite>>::type_info()
            }

            fn compatible(info: &SqliteTypeInfo) -> bool {
                <str as Type<Sqlite>>::compatible(info)
            }
        }

        impl Type<Postgres> for $type {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_oid($oid)
            }
        }
    };
}

column_type!(UtcText, TIMESTAMPTZ);
column_type!(At, TIMESTAMPTZ);
column_type!(JsonText, JSONB);
column_type!(Json, JSONB);

impl<'r> Decode<'r, Sqlite> for UtcText {
    fn decode(value: SqliteValueRef<'r>) -> Result<UtcText, BoxDynError> {
        <String as Decode<Sqlite>>::decode(value).map(UtcText)
    }
}

impl<'r> Decode<'r, Postgres> for UtcText {
    fn decode(value: PgValueRef<'r>) -> Result<UtcText, BoxDynError> {
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        let at = Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH_MICROS));
        Ok(UtcText(at.to_string()))
    }
}

impl<'q> Encode<'q, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let text = Cow::<str>::Owned(self.0.to_string());
        Encode::<Sqlite>::encode_by_ref(&text, buffer)
    }
}

impl<'q> Encode<'q, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.micros() - POSTGRES_EPOCH_MICROS;
        Encode::<Postgres>::encode_by_ref(&micros, buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for JsonText {
    fn decode(value: SqliteValueRef<'r>) -> Result<JsonText, BoxDynError> {
        <String as Decode<Sqlite>>::decode(value).map(JsonText)
    }
}

/// `jsonb` comes as text behind one byte, its version.
impl<'r> Decode<'r, Postgres> for JsonText {
    fn decode(value: PgValueRef<'r>) -> Result<JsonText, BoxDynError> {
        let bytes = value.as_bytes()?;
        let text = bytes
            .strip_prefix(&[1])
            .ok_or("jsonb of an unknown version")?;
        Ok(JsonText(std::str::from_utf8(text)?.to_owned()))
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Json
where
    JsonText: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Json, BoxDynError> {
        let text = JsonText::decode(value)?.0;
        Ok(Json(RawValue::from_string(text)?))
    }
}
