//! Forms that only our own pages can have made: a token of the session in every form, and the
//! origin that the browser names.

use std::fmt;

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode};
use schemas::random::NoRandomness;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Settings;
use super::gate::{Person, unknown};
use crate::page;
use crate::problem::Problem;

/// Digits of a token.
const DIGITS: usize = 64;

/// A token that stands in every form of a session: 64 hex digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Csrf(String);

impl Csrf {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandomness`] where the operating system has none.
    pub fn new() -> Result<Self, NoRandomness> {
        let bytes: [u8; DIGITS / 2] = schemas::random::bytes()?;
        Ok(Self(schemas::hash::Hash(bytes).to_string()))
    }

    /// A token derived from something that only one browser has.
    pub(super) fn of(hash: schemas::hash::Hash) -> Self {
        Self(hash.to_string())
    }

    /// True for the same token; takes the same time wherever they differ.
    #[must_use]
    pub fn fits(&self, given: &str) -> bool {
        same(self.0.as_bytes(), given.as_bytes())
    }
}

impl fmt::Display for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(..)")
    }
}

/// Compares without stopping at the first difference.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    let fold = |all, (left, right): (&u8, &u8)| std::hint::black_box(all | (left ^ right));
    left.len() == right.len() && left.iter().zip(right).fold(0, fold) == 0
}

/// A form of ours: it carries its session's token.
pub trait Form: DeserializeOwned {
    /// The token that came with it; empty if none did.
    fn csrf(&self) -> &str;
}

/// A form whose token is that of the person's session. Anything else is a 403 problem, and the
/// handler never runs.
#[derive(Debug)]
pub struct Checked<T>(pub T);

impl<S, T> FromRequest<S> for Checked<T>
where
    S: Send + Sync,
    T: Form,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let person = request.extensions().get::<Person>().cloned();
        let person = person.ok_or_else(unknown)?;
        let form = axum::Form::<T>::from_request(request, state).await;
        let axum::Form(form) = form.map_err(malformed)?;
        if person.csrf.fits(form.csrf()) {
            Ok(Self(form))
        } else {
            Err(forged("The form's token is not that of your session."))
        }
    }
}

/// The form cannot be read; the message names the field.
pub(super) fn malformed(rejection: FormRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The form is too large",
        ),
        _ => Problem::bad_request(rejection.body_text()),
    }
}

/// Refuses what a page of another origin has sent.
///
/// # Errors
/// A 403 problem.
pub(super) fn check_origin(settings: &Settings, headers: &HeaderMap) -> Result<(), Problem> {
    // What names no origin is no browser's form, or an old browser's: the token decides.
    if page::is_from_own(headers, settings.origin.as_deref().unwrap_or_default()) {
        Ok(())
    } else {
        Err(forged("The form came from a page of another origin."))
    }
}

pub(super) fn forged(detail: &str) -> Problem {
    tracing::warn!(detail, "a form was refused");
    Problem::new(
        StatusCode::FORBIDDEN,
        "form-refused",
        "The form was not sent from a page of this session, so nothing was done",
    )
    .detail(detail)
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn only_the_same_token_fits() {
        let token = Csrf::new().unwrap();
        assert!(token.fits(&token.to_string()));
        assert!(!token.fits(""));
        assert!(!token.fits(&Csrf::new().unwrap().to_string()));
        assert!(!format!("{token:?}").contains(&token.to_string()));
    }

    #[test]
    fn the_origin_is_our_own() {
        let mut settings = Settings {
            organisation: "bank".parse().unwrap(),
            origin: None,
            cookie: "t",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "127.0.0.1:80".parse().unwrap());
        assert!(check_origin(&settings, &headers).is_ok());
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert!(check_origin(&settings, &headers).is_err());
        for (origin, fits) in [
            ("http://127.0.0.1:80", true),
            ("http://127.0.0.1:81", false),
            ("null", false),
        ] {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            assert_eq!(check_origin(&settings, &headers).is_ok(), fits, "{origin}");
        }
        settings.origin = Some("https://desk.example".to_owned());
        assert!(check_origin(&settings, &headers).is_err());
        headers.insert(header::ORIGIN, "https://desk.example".parse().unwrap());
        assert!(check_origin(&settings, &headers).is_ok());
    }
}
