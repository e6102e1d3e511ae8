//! Fields of forms that people fill in: read as people write, refused by their name.

use axum::http::StatusCode;
use chrono::NaiveDate;
use kit::problem::Problem;

use super::{internal, refused};
use crate::loan::life::Key;
use crate::money::{Currency, Money};
use crate::written;

/// An amount above zero, such as `1500`, `1,500.00` or `¥1500`.
pub(super) fn amount(
    field: &'static str,
    text: &str,
    currency: Currency,
) -> Result<Money, Problem> {
    written::amount(field, text, currency).map_err(|error| wrong(error.field, error.problem))
}

/// A day, such as `2026-11-23` or `2026年11月23日`; none for an empty field.
pub(super) fn day(field: &'static str, text: &str) -> Result<Option<NaiveDate>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let read = written::day(field, text);
    read.map(Some)
        .map_err(|error| wrong(error.field, error.problem))
}

/// A field that is refused; `why` is a part of a sentence for whoever looks closer.
pub(super) fn wrong(field: &'static str, why: impl std::fmt::Display) -> Problem {
    refused(
        StatusCode::UNPROCESSABLE_ENTITY,
        "field-refused",
        "A field is refused; nothing was changed",
        format!("{field}: {why}"),
    )
    .with("field", field)
}

/// The name that [`form_key`] made, as a key of what is done; no other name is taken.
pub(super) fn read_form_key(text: &str) -> Result<Key, Problem> {
    let ours = Some(text).filter(|text| text.starts_with("f/"));
    let key = ours.and_then(|text| text.parse().ok());
    key.ok_or_else(|| Problem::bad_request("request: the key of a form of this page is expected"))
}

/// A random name for a form: whoever sends it twice does one thing.
pub(super) fn form_key() -> Result<String, Problem> {
    let bytes = schemas::random::bytes::<12>().map_err(|error| internal(&error))?;
    Ok(format!("f/{}", hex::encode(bytes)))
}
