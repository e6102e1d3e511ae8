//! What a borrower does: accepts an offer or declines it, draws, lowers a token, takes it back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use schemas::hash::{Hash, sha256, sha256_parts};
use schemas::ids::Slug;
use serde::Deserialize;

use super::{lending, loan, nothing, own, supplier, view};
use crate::audit::{Action, Entry};
use crate::http::fields::{self, wrong};
use crate::http::loans::problem;
use crate::http::{App, internal, refused};
use crate::lending::{Acceptance, LendingError, Loaded, Paid, Seen, TOKEN_CHANGED};
use crate::loan::life::{Actor, Key, Loan};
use crate::money::Money;

/// The form of an acceptance: exactly what was shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    #[serde(default)]
    csrf: String,
    version: String,
    instalments: u32,
}

/// The form of a draw: what the borrower has of the token, and what they read on it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draw {
    #[serde(default)]
    csrf: String,
    token: String,
    secret: String,
    account: String,
    amount: String,
}

impl Form for Draw {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// The form of a lower limit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    #[serde(default)]
    csrf: String,
    token: String,
    amount: String,
}

/// The form that takes a token back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    #[serde(default)]
    csrf: String,
    token: String,
}

impl Form for Accept {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

impl Form for Limit {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

impl Form for Revoke {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Accepts an offer; the same form again changes nothing.
pub(crate) async fn accept(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Accept>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    let record = own(&app, &supplier, &id).await?;
    let lending = lending(&app)?;
    let stage = app.desk.stage(&record.decision).await;
    let stage = stage.map_err(|_| nothing())?;
    if loan(&app, &id).await?.is_none() {
        let shown = view::version(lending, &record, &stage, form.instalments);
        if shown.is_none_or(|shown| shown.to_string() != form.version) {
            return Err(stale());
        }
    }
    let acceptance = Acceptance {
        decision_id: id.clone(),
        supplier: supplier.clone(),
        instalments: Some(form.instalments),
    };
    let done = lending.accept(&acceptance).await;
    let done = done.map_err(|error| problem(&error))?;
    if done.is_new {
        note(&app, &person, &supplier, &id, "opened").await?;
    }
    Ok(back(&id))
}

/// Declines an offer; the same form again changes nothing.
pub(crate) async fn decline(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Accept>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    let record = own(&app, &supplier, &id).await?;
    let lending = lending(&app)?;
    let stage = app.desk.stage(&record.decision).await;
    let stage = stage.map_err(|_| nothing())?;
    let shown = view::version(lending, &record, &stage, form.instalments);
    if shown.is_none_or(|shown| shown.to_string() != form.version) {
        return Err(stale());
    }
    let declined = lending.decline(&id, &supplier).await;
    if declined.map_err(|error| problem(&error))? {
        note(&app, &person, &supplier, &id, "declined").await?;
    }
    Ok(back(&id))
}

/// Draws by the open token. The same form again asks what became of it: money goes out once.
pub(crate) async fn draw(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Draw>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    own(&app, &supplier, &id).await?;
    let (loaded, loan) = loan(&app, &id).await?.ok_or_else(nothing)?;
    let shown = token(&form.token)?;
    let newest = loaded.tokens(app.desk.clock().now()).into_iter().next();
    if newest.is_none_or(|newest| newest.token != shown) {
        return Err(stale());
    }
    let secret: String = form.secret.chars().filter(|c| !c.is_whitespace()).collect();
    let secret: Hash = secret
        .to_lowercase()
        .parse()
        .map_err(|_| wrong("secret", "64 digits and letters a to f were expected"))?;
    let draw = crate::lending::Draw {
        loan,
        supplier: supplier.clone(),
        token: sha256(secret.as_bytes()),
        account: form.account.trim().to_owned(),
        amount: amount(&form.amount, &loaded)?,
    };
    let paid = lending(&app)?.draw(&draw).await;
    let paid = paid.map_err(|error| problem(&error))?;
    if matches!(loaded.loan, Loan::Drawable(_)) {
        note(&app, &person, &supplier, &id, "token_used").await?;
    }
    match paid {
        Paid::Out(_) | Paid::Waiting => Ok(back(&id)),
        Paid::Refused(_) => Err(refused(
            StatusCode::CONFLICT,
            "not-paid",
            "The bank has not paid",
            "the bank's core system has refused the payment",
        )),
    }
}

/// Lowers what the open token draws.
pub(crate) async fn limit(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Limit>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    own(&app, &supplier, &id).await?;
    let (loaded, loan) = loan(&app, &id).await?.ok_or_else(nothing)?;
    let amount = amount(&form.amount, &loaded)?;
    let token = token(&form.token)?;
    let key = key("limit", &token, &amount.to_string())?;
    let done = lending(&app)?
        .limit(&loan, key, supplier.clone(), amount, Seen::token(token))
        .await;
    let done = done.map_err(|error| of_token(&error))?;
    if done.is_new {
        note(&app, &person, &supplier, &id, "token_limited").await?;
    }
    Ok(back(&id))
}

/// Takes the open token back.
pub(crate) async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
    person: Person,
    Checked(form): Checked<Revoke>,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    own(&app, &supplier, &id).await?;
    let (_, loan) = loan(&app, &id).await?.ok_or_else(nothing)?;
    let token = token(&form.token)?;
    let key = key("revoke", &token, "")?;
    let by = Actor::Borrower {
        supplier: supplier.clone(),
    };
    let done = lending(&app)?
        .revoke(&loan, key, by, Seen::token(token))
        .await;
    let done = done.map_err(|error| of_token(&error))?;
    if done.is_new {
        note(&app, &person, &supplier, &id, "token_revoked").await?;
    }
    Ok(back(&id))
}

fn token(text: &str) -> Result<Hash, Problem> {
    text.parse().map_err(|_| stale())
}

/// A form about a token that is not the open one any more is a stale form.
fn of_token(error: &LendingError) -> Problem {
    match error {
        LendingError::Denied {
            rule: TOKEN_CHANGED,
            ..
        } => stale(),
        error => problem(error),
    }
}

/// One key for one wish about one token: a form that is sent twice acts once.
fn key(what: &str, token: &Hash, amount: &str) -> Result<Key, Problem> {
    let hash = sha256_parts(&[
        b"my token\n",
        what.as_bytes(),
        b"\n",
        token.as_bytes(),
        amount.as_bytes(),
    ]);
    let digits: String = hash.to_string().chars().take(30).collect();
    format!("m/{digits}").parse().map_err(|_| stale())
}

/// The amount as people write it, such as `1500` or `1,500.00`.
fn amount(text: &str, loaded: &Loaded) -> Result<Money, Problem> {
    let currency = loaded.loan.file().opened().approved.currency();
    fields::amount("amount", text, currency)
}

fn stale() -> Problem {
    refused(
        StatusCode::PRECONDITION_FAILED,
        "offer-changed",
        "What you saw has changed; nothing was stored",
        "open the page as it is now",
    )
}

/// Which of the supplier's people it was; the act itself names the supplier.
async fn note(
    app: &App,
    person: &Person,
    supplier: &Slug,
    id: &str,
    deed: &str,
) -> Result<(), Problem> {
    let entry = Entry {
        at: app.desk.clock().now(),
        actor: person.name.to_string(),
        action: Action::LoanAct,
        subject: id.to_owned(),
        detail: format!("{deed} for {supplier}"),
    };
    let noted = app.desk.credit().store().note(&entry).await;
    noted.map_err(|error| internal(&error))
}

fn back(id: &str) -> Response {
    Redirect::to(&format!("/my/loans/{id}")).into_response()
}
