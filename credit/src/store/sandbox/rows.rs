//! Rows of trials as values; they have one shape on both engines.

use kit::postgres::Timestamp;
use schemas::hash::Hash;
use serde::Serialize;
use sqlx::FromRow;

use super::{Guard, Kind, Record, Repayment, TrialRefusal};
use crate::money::Money;
use crate::sandbox::limits::Reservation;
use crate::store::StoreError;

/// A value as it is kept.
pub(crate) fn body(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| StoreError::Row { what: "trial" })
}

pub(crate) fn reservation(body: &[u8]) -> Result<Reservation, StoreError> {
    let what = "reservation";
    serde_json::from_slice(body).map_err(|_| StoreError::Row { what })
}

#[derive(FromRow)]
pub(crate) struct GuardRow {
    limits: i64,
    steps: i64,
    trips: i64,
    lifts: i64,
    seen: Timestamp,
}

impl GuardRow {
    pub(crate) const fn guard(self) -> Guard {
        Guard {
            limits: self.limits,
            steps: self.steps,
            trips: self.trips,
            lifts: self.lifts,
            seen: self.seen.0,
        }
    }
}

#[derive(FromRow)]
pub(crate) struct RecordRow {
    name: String,
    sha256: Vec<u8>,
    body: Vec<u8>,
    made_by: String,
    agreed_by: Option<String>,
    made_at: Timestamp,
}

impl RecordRow {
    pub(crate) fn record(self, kind: Kind) -> Result<Record, StoreError> {
        let wrong = || StoreError::Row { what: kind.word() };
        let agreed = self.agreed_by.map(|name| name.parse()).transpose();
        Ok(Record {
            kind,
            name: self.name,
            hash: Hash::from_slice(&self.sha256).ok_or_else(wrong)?,
            body: self.body,
            made_by: self.made_by.parse().map_err(|_| wrong())?,
            agreed_by: agreed.map_err(|_| wrong())?,
            made_at: self.made_at.0,
        })
    }
}

#[derive(FromRow)]
pub(crate) struct ReleaseRow {
    release: String,
    reservation: String,
    currency: String,
    amount_fen: i64,
}

impl ReleaseRow {
    pub(crate) fn repayment(self) -> Result<Repayment, StoreError> {
        let wrong = || StoreError::Row { what: "release" };
        let currency = self.currency.parse().map_err(|_| wrong())?;
        Ok(Repayment {
            id: self.release.parse().map_err(|_| wrong())?,
            reservation: self.reservation.parse().map_err(|_| wrong())?,
            amount: Money::from_fen(self.amount_fen, currency).map_err(|_| wrong())?,
        })
    }
}

#[derive(FromRow)]
pub(crate) struct RefusalRow {
    refused_at: Timestamp,
    reason: String,
    cap: Option<i64>,
    used: Option<i64>,
    asked: Option<i64>,
    detail: String,
    request: Vec<u8>,
}

impl RefusalRow {
    pub(crate) fn refusal(self) -> Result<TrialRefusal, StoreError> {
        let wrong = |_| StoreError::Row { what: "refusal" };
        let numbers = match (self.cap, self.used, self.asked) {
            (Some(cap), Some(used), Some(asked)) => Some([cap, used, asked]),
            _ => None,
        };
        Ok(TrialRefusal {
            request: serde_json::from_slice(&self.request).map_err(wrong)?,
            refused_at: self.refused_at.0,
            reason: self.reason,
            numbers,
            detail: self.detail,
        })
    }
}
