//! `TIMESTAMPTZ` and [`Instant`]: both count microseconds, only from another day. Bound as they
//! are, so nothing is rounded on the way and no wall clock of the server has a say.
//!
//! SQLite keeps the same instants as text (RFC 3339); they are read here too, so that a row has one
//! shape on both engines.

use schemas::time::Instant;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
};
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Sqlite, Type};

/// Number of the type `timestamptz` in every PostgreSQL.
const TIMESTAMPTZ: Oid = Oid(1184);
/// Number of the type `timestamptz[]`.
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);
/// 2000-01-01T00:00:00Z, where PostgreSQL counts from, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;
/// The first and the last instant that PostgreSQL holds (4714 BC, 294276), since its epoch.
const RANGE: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);

/// An instant in a column of type `TIMESTAMPTZ`. What PostgreSQL cannot hold becomes the nearest
/// that it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub Instant);

impl Timestamp {
    /// Microseconds since 2000, as the binary formats of the protocol and of COPY have it.
    #[must_use]
    pub fn since_2000(self) -> i64 {
        let micros = self.0.as_micros().saturating_sub(EPOCH);
        micros.clamp(RANGE.0, RANGE.1)
    }

    fn from_2000(micros: i64) -> Self {
        Self(Instant::from_micros(micros.saturating_add(EPOCH)))
    }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl PgHasArrayType for Timestamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl Encode<'_, Postgres> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.since_2000().to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
                Ok(Self::from_2000(i64::from_be_bytes(bytes)))
            }
            // Only unprepared statements answer in text, and none of ours asks for an instant.
            PgValueFormat::Text => Err("an instant came as text".into()),
        }
    }
}

impl Type<Sqlite> for Timestamp {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl<'r> Decode<'r, Sqlite> for Timestamp {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<'r, Sqlite>>::decode(value)?;
        let at = Instant::parse_rfc3339(text);
        at.map(Self).ok_or_else(|| "no instant".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_count_microseconds() {
        let at = |text| Timestamp(Instant::parse_rfc3339(text).unwrap());
        assert_eq!(at("2000-01-01T00:00:00Z").since_2000(), 0);
        assert_eq!(at("2000-01-01T00:00:00.000001Z").since_2000(), 1);
        assert_eq!(at("1999-12-31T23:59:59.999999Z").since_2000(), -1);
        for text in [
            "0001-01-01T00:00:00Z",
            "2026-11-22T01:02:03.123456Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(Timestamp::from_2000(at(text).since_2000()), at(text));
        }
    }

    #[test]
    fn what_postgresql_cannot_hold_becomes_the_nearest() {
        let far = |micros| Timestamp(Instant::from_micros(micros)).since_2000();
        assert_eq!(far(i64::MIN), RANGE.0);
        assert_eq!(far(i64::MAX), i64::MAX - EPOCH);
        assert!(far(i64::MAX) <= RANGE.1);
    }
}
