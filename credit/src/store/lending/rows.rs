//! Rows of loans on their way in and out, the same for both engines.

use std::str::FromStr;

use chrono::NaiveDate;
use schemas::hash::{Hash, sha256_parts};
use schemas::time::Instant;

use super::{Denial, Ended, Head, Motion, Numbered, Place, Placed};
use crate::ledger::LoanId;
use crate::loan::life::Act;
use crate::money::Money;
use crate::sandbox::indicators::Row;
use crate::store::StoreError;

pub(crate) fn wrong(what: &'static str) -> StoreError {
    StoreError::Row { what }
}

/// `loan, acts, state, supplier, product, rules, instalments, approved_fen, currency, run_day,
/// due_day, position`.
pub(crate) type HeadRow = (
    String,
    i64,
    String,
    String,
    Vec<u8>,
    Vec<u8>,
    i64,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn read<T: FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| wrong("loan"))
}

fn number(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| wrong("loan"))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    Hash::from_slice(bytes).ok_or(wrong("loan"))
}

fn day(text: Option<String>) -> Result<Option<NaiveDate>, StoreError> {
    text.map(|text| read(&text)).transpose()
}

/// A head; the instant of its last act is read by the engine.
pub(crate) fn head(row: HeadRow, last_booked: Instant) -> Result<Head, StoreError> {
    let (
        loan,
        acts,
        state,
        supplier,
        product,
        rules,
        instalments,
        fen,
        currency,
        run,
        due,
        position,
    ) = row;
    let currency = read(&currency)?;
    Ok(Head {
        loan: read(&loan)?,
        acts: number(acts)?,
        state,
        supplier: read(&supplier)?,
        product: hash(&product)?,
        rules: hash(&rules)?,
        instalments: number(instalments)?,
        approved: Money::from_fen(fen, currency).map_err(|_| wrong("loan"))?,
        run_day: day(run)?,
        due_day: day(due)?,
        last_booked,
        position,
    })
}

pub(crate) fn act_body(act: &Act) -> Result<String, StoreError> {
    serde_json::to_string(act).map_err(|_| wrong("act"))
}

pub(crate) fn act(number_: i64, body: &str) -> Result<Numbered, StoreError> {
    Ok(Numbered {
        number: number(number_)?,
        act: serde_json::from_str(body).map_err(|_| wrong("act"))?,
    })
}

/// Name of a denial, so that the same one is kept once.
pub(crate) fn denial_id(denial: &Denial) -> Hash {
    let at = denial.at.to_rfc3339();
    let parts = [
        denial.loan.as_str(),
        &at,
        &denial.who,
        &denial.deed,
        &denial.key,
        &denial.rule,
        &denial.reason,
    ];
    let parts: Vec<&[u8]> = parts
        .iter()
        .flat_map(|part| [part.as_bytes(), b"\n"])
        .collect();
    sha256_parts(&parts)
}

/// `loan, motion, made_by, body, how, ended_by`.
pub(crate) type MotionRow = (
    String,
    Vec<u8>,
    String,
    String,
    Option<String>,
    Option<String>,
);

/// A motion; its instants are read by the engine.
pub(crate) fn motion(
    row: MotionRow,
    at: Instant,
    ended_at: Option<Instant>,
) -> Result<Motion, StoreError> {
    let (loan, id, by, body, how, ended_by) = row;
    let id = hash(&id)?;
    let ended = match (how, ended_by, ended_at) {
        (Some(how), Some(by), Some(at)) => Some(Ended {
            motion: id,
            how,
            by: read(&by)?,
            at,
        }),
        _ => None,
    };
    Ok(Motion {
        loan: read(&loan)?,
        id,
        by: read(&by)?,
        at,
        body,
        ended,
    })
}

/// What a row of the indicators says, as JSON.
pub(crate) fn told_body(row: &Row) -> Result<String, StoreError> {
    serde_json::to_string(&row.fact).map_err(|_| wrong("row"))
}

/// A row of the indicators at its place.
pub(crate) fn told(
    place: Place,
    name: &str,
    at: Instant,
    body: &str,
) -> Result<Placed, StoreError> {
    let row = Row {
        id: read(name)?,
        at,
        fact: serde_json::from_str(body).map_err(|_| wrong("row"))?,
    };
    Ok(Placed { place, row })
}

pub(crate) fn loan(text: &str) -> Result<LoanId, StoreError> {
    read(text)
}

pub(crate) fn act_number(value: i64) -> Result<u32, StoreError> {
    number(value)
}
