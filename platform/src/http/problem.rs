//! One place where errors become problem documents.

use axum::http::StatusCode;
use kit::problem::Problem;
use schemas::causes::causes;

use crate::bundle::BundleError;
use crate::registry::AdmitError;
use crate::store::StoreError;

/// Seconds after which a client may try again where this process stands by: about a lease.
const RETRY_AFTER: u32 = 10;

/// This process stands by; it writes nothing.
fn standby() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "standby",
        "This platform stands by and takes nothing",
    )
    .retry_after(RETRY_AFTER)
}

pub(super) fn store(error: StoreError) -> Problem {
    if matches!(error, StoreError::Fenced) {
        return standby();
    }
    tracing::error!(error = causes(&error), "the store failed a request");
    Problem::internal()
}

pub(super) fn bundle(error: BundleError) -> Problem {
    match error {
        BundleError::NotWitnessed => Problem::new(
            StatusCode::CONFLICT,
            "not-witnessed",
            "Nothing of this is under a witnessed checkpoint yet",
        ),
        BundleError::TooMany(_) => Problem::bad_request(error.to_string()),
        BundleError::Store(error) => store(error),
        BundleError::ChainEnds => {
            tracing::error!("a chain ends before a retired key's last statement");
            Problem::internal()
        }
        BundleError::Broken(what) => {
            tracing::error!(what, "a bundle could not be made");
            Problem::internal()
        }
    }
}

pub(super) fn admit(error: AdmitError) -> Problem {
    let status = match &error {
        AdmitError::Store(_) | AdmitError::Random(_) | AdmitError::Root(_) => {
            return Problem::internal();
        }
        AdmitError::Standby => return standby(),
        AdmitError::Again => return Problem::unavailable("hand the record in again"),
        AdmitError::Stopping => return Problem::unavailable("the platform is stopping"),
        AdmitError::Record(_) | AdmitError::Log | AdmitError::PolicyKey => StatusCode::BAD_REQUEST,
        AdmitError::Registrar | AdmitError::Organisation(_) | AdmitError::Signature(_) => {
            StatusCode::FORBIDDEN
        }
        AdmitError::FirstVersion | AdmitError::Taken(_) => StatusCode::CONFLICT,
    };
    Problem::new(
        status,
        "record-refused",
        "The registry record is not admitted",
    )
    .detail(causes(&error))
}
