//! `POST /v1/applications`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::people::Machine;
use kit::problem::Problem;
use schemas::ids::Slug;
use serde::Deserialize;

use super::{App, internal, refused};
use crate::evidence::EvidenceError;
use crate::evidence::consent::is_consent_class;
use crate::loan::application::ApplicationId;
use crate::loan::declared::{Contract, DeclaredInvoice};
use crate::loan::warning::{Identifier, Link};
use crate::loan::{Application, ApplicationError, Declared};
use crate::money::{Currency, Money, MoneyError};
use crate::service::ApplyError;
use crate::store::sandbox::LendError;

/// Largest application in bytes: all its lists full.
pub(crate) const APPLICATION_MAX: usize = 128 * 1024;

/// What is sent: `{"application_id","supplier","product","amount":"1234.56","currency":"CNY"}`, and
/// beside these what [`Declared`] has, every member optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    application_id: ApplicationId,
    supplier: Slug,
    product: Slug,
    amount: String,
    currency: String,
    buyers: Option<Vec<Slug>>,
    invoices: Option<Vec<DeclaredInvoice>>,
    identifiers: Option<Vec<Identifier>>,
    links: Option<Vec<Link>>,
    contract: Option<Contract>,
}

impl Body {
    fn read(self) -> Result<Application, MoneyError> {
        let currency: Currency = self.currency.parse()?;
        let requested = Money::parse(&self.amount, currency)?;
        let Self {
            application_id,
            supplier,
            product,
            buyers,
            invoices,
            identifiers,
            links,
            contract,
            ..
        } = self;
        Ok(Application {
            application_id,
            supplier,
            product,
            requested,
            declared: Declared {
                buyers,
                invoices,
                identifiers,
                links,
                contract,
            },
        })
    }
}

/// Decides, or answers with the decision made before. For machines: a page of another site could
/// send what a person's browser sends.
pub(crate) async fn apply(
    State(app): State<App>,
    _: Machine,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body.map_err(|rejection| malformed(&rejection))?;
    let application = body.read().map_err(|error| amount(&error))?;
    let id = application.application_id.clone();
    // Offers that nobody decided in time give their room back before this one asks for it.
    let lapsed = app.desk.lapse_due().await;
    lapsed.map_err(|error| internal(&error))?;
    let credit = app.desk.credit();
    let before = credit
        .store()
        .of_application(&id)
        .await
        .map_err(|error| internal(&error))?;
    let applied = credit.apply(application).await;
    let outcome = if applied.is_ok() {
        "decided"
    } else {
        "refused"
    };
    metrics::counter!("tracebond_decisions_total", "outcome" => outcome).increment(1);
    let record = applied.map_err(|error| problem(&error))?;
    let status = if before.is_some() {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let place = format!("/v1/decisions/{}", record.decision.decision_id);
    Ok((status, [(header::LOCATION, place)], Json(record.decision)).into_response())
}

fn malformed(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The application is too large",
            "An application has at most 128 KiB.",
        ),
        _ => Problem::bad_request(rejection.body_text()),
    }
}

fn amount(error: &MoneyError) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    refused(
        status,
        "amount-refused",
        "The requested amount is refused",
        error.to_string(),
    )
}

fn problem(error: &ApplyError) -> Problem {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match error {
        ApplyError::Application(error) => application(error),
        ApplyError::Conflict(_) => refused(
            StatusCode::CONFLICT,
            "application-conflict",
            "This application id was used for another application",
            error.to_string(),
        ),
        ApplyError::Evidence(error) => evidence(error),
        ApplyError::Refused(refusal) if is_consent_class(&refusal.class) => {
            consent(&refusal.class, refusal.detail.clone())
        }
        ApplyError::Refused(refusal) => refused(
            unprocessable,
            "evidence-refused",
            "The evidence does not hold, so nothing is scored",
            refusal.to_string(),
        )
        .with("class", refusal.class.as_str()),
        ApplyError::Facts(error) => refused(
            unprocessable,
            "facts-refused",
            "No facts can be read from the evidence, so nothing is scored",
            error.to_string(),
        ),
        ApplyError::Trial(error) => trial(error),
        ApplyError::Busy | ApplyError::Stopping => Problem::unavailable(error.to_string()),
        ApplyError::Decide(_) | ApplyError::Store(_) => internal(error),
    }
}

/// The supplier must sign something, not send other evidence: what is missing has a type of its own.
fn consent(class: &str, detail: String) -> Problem {
    refused(
        StatusCode::UNPROCESSABLE_ENTITY,
        "consent-refused",
        "The supplier's consent does not let this bank read its evidence",
        detail,
    )
    .with("class", class)
}

/// What of the trial stands against it: the limit by its name, its value, its use, what was asked.
fn trial(error: &LendError) -> Problem {
    let LendError::Refused(why) = error else {
        return internal(error);
    };
    let title = "The trial of the sandbox does not lend this; nothing was decided";
    let problem = refused(
        StatusCode::CONFLICT,
        "sandbox-refused",
        title,
        why.to_string(),
    );
    let problem = problem.with("limit", why.word());
    match why.numbers() {
        None => problem,
        Some([value, used, asked]) => problem
            .with("value", value)
            .with("used", used)
            .with("asked", asked),
    }
}

fn application(error: &ApplicationError) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    match error {
        ApplicationError::Amount(error) => amount(error),
        ApplicationError::Product(_) => refused(
            status,
            "unknown-product",
            "There is no such product",
            error.to_string(),
        ),
        ApplicationError::Field(field) => refused(
            status,
            "application-refused",
            "The application is refused",
            error.to_string(),
        )
        .with("field", field.path.as_str()),
        ApplicationError::Id | ApplicationError::BelowMinimum(_) => refused(
            status,
            "application-refused",
            "The application is refused",
            error.to_string(),
        ),
    }
}

fn evidence(error: &EvidenceError) -> Problem {
    match error {
        EvidenceError::Consent { class, .. } => consent(class, error.to_string()),
        EvidenceError::Unknown(_) => refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no-evidence",
            "There is no evidence of this supplier that the bank may see",
            error.to_string(),
        ),
        _ => refused(
            StatusCode::BAD_GATEWAY,
            "evidence-unreachable",
            "The evidence service did not answer; nothing was decided",
            error.to_string(),
        ),
    }
}
