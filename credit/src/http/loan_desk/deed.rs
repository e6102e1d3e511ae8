//! What one officer does: issues a token, takes one back, freezes a loan, closes its file.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use kit::idempotency;
use kit::negotiate::Language;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use schemas::hash::Hash;
use serde::Deserialize;

use super::{back, officer, problem};
use crate::http::App;
use crate::http::desk::format::{exact, money};
use crate::http::fields::{amount, day, read_form_key, wrong};
use crate::http::loans::{lending, name};
use crate::http::shell::{self, Shell};
use crate::lending::{Lending, NewToken, Request, Seen};
use crate::loan::life::{Actor, Deed, FreezeCause, Person as Officer};

/// The form of a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    #[serde(default)]
    csrf: String,
    seen: u32,
    account: String,
    amount: String,
    #[serde(default)]
    expires: String,
}

impl Form for Token {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// A token that was just issued, with its secret, which is nowhere else.
#[derive(Template)]
#[template(path = "loan_token.html")]
struct Issued {
    shell: Shell,
    loan: String,
    borrower: String,
    secret: String,
    account: String,
    amount: String,
    expires: String,
}

/// Issues a token and shows its secret, once. The same form again finds that the loan has changed.
pub(super) async fn issue(
    State(app): State<App>,
    Path(loan): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
    headers: HeaderMap,
    Checked(form): Checked<Token>,
) -> Result<Response, Problem> {
    let (lending, officer, loan) = (lending(&app)?, officer(&person)?, name(&loan)?);
    if headers.contains_key(idempotency::HEADER) {
        let why = "The answer holds a secret and is never kept: send no Idempotency-Key.";
        return Err(Problem::bad_request(why));
    }
    let shell = Shell::new(&uri, language, &person, "loans")?;
    let loaded = lending.loan(&loan).await.map_err(|error| problem(&error))?;
    let opened = loaded.loan.file().opened();
    let expires = match day("expires", &form.expires)? {
        Some(day) => Some(china_night(day)?.min(opened.valid_until)),
        None => None,
    };
    let (secret, hash) = Lending::new_secret().map_err(|error| problem(&error))?;
    let token = NewToken {
        loan: loan.clone(),
        token: hash,
        account: form.account.trim().to_owned(),
        amount: amount("amount", &form.amount, opened.approved.currency())?,
        expires,
    };
    let by = Actor::One {
        person: Officer::new(officer),
    };
    let done = lending.issue_as_seen(&token, by, form.seen).await;
    done.map_err(|error| problem(&error))?;
    let page = Issued {
        loan: loan.to_string(),
        borrower: opened.supplier.to_string(),
        secret,
        account: token.account,
        amount: money(token.amount, language),
        expires: exact(expires.unwrap_or(opened.valid_until)),
        shell,
    };
    shell::page(&uri, StatusCode::OK, &page)
}

/// The end of a day in China, at which a token of that day ends.
fn china_night(day: chrono::NaiveDate) -> Result<schemas::time::Instant, Problem> {
    let far = || wrong("expires", "there is no such day");
    let next = day.succ_opt().ok_or_else(far)?;
    schemas::time::Instant::parse_rfc3339(&format!("{next}T00:00:00+08:00")).ok_or_else(far)
}

/// What one person may do, as a button says it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Button {
    Revoke,
    Freeze,
    Close,
}

/// The form of a button.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Press {
    #[serde(default)]
    csrf: String,
    request: String,
    seen: u32,
    act: Button,
    #[serde(default)]
    token: String,
}

impl Form for Press {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Does it; the same form again changes nothing.
pub(super) async fn act(
    State(app): State<App>,
    Path(loan): Path<String>,
    person: Person,
    Checked(form): Checked<Press>,
) -> Result<Response, Problem> {
    let (lending, officer, loan) = (lending(&app)?, officer(&person)?, name(&loan)?);
    let key = read_form_key(&form.request)?;
    let by = Actor::One {
        person: Officer::new(officer),
    };
    let deed = match form.act {
        Button::Revoke => {
            let token: Hash = form
                .token
                .parse()
                .map_err(|_| wrong("token", "it is none"))?;
            let done = lending.revoke(&loan, key, by, Seen::token(token)).await;
            done.map_err(|error| problem(&error))?;
            return Ok(back(&loan));
        }
        Button::Freeze => Deed::Frozen {
            cause: FreezeCause::Collateral,
        },
        Button::Close => Deed::Closed,
    };
    let request = Request {
        loan: loan.clone(),
        key,
        value: None,
        by,
        deed,
    };
    let done = lending.act_as_seen(request, form.seen).await;
    done.map_err(|error| problem(&error))?;
    Ok(back(&loan))
}
