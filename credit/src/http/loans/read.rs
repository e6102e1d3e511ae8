//! What is read of loans.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use chrono::NaiveDate;
use kit::problem::Problem;
use schemas::ids::Slug;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{lending, name, problem};
use crate::http::{App, internal};
use crate::store::ledger::LIST_MAX;
use crate::store::lending::{ACTS_MAX, Denial, Head, LOANS_MAX, Which};

/// Rows of a list where nothing is said.
const TAKE: u32 = 50;

type Asked<T> = Result<Query<T>, QueryRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    state: Option<String>,
    supplier: Option<Slug>,
    due_by: Option<NaiveDate>,
    after: Option<String>,
    take: Option<u32>,
}

fn row(head: &Head) -> Value {
    json!({
        "loan": head.loan.as_str(),
        "state": head.state,
        "supplier": head.supplier,
        "approved": head.approved,
        "instalments": head.instalments,
        "acts": head.acts,
        "run_day": head.run_day,
        "due_day": head.due_day,
        "last_booked": head.last_booked.to_rfc3339(),
    })
}

/// Rows of a list.
pub(crate) async fn list(
    State(app): State<App>,
    wanted: Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let Query(wanted) = wanted.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let which = match (wanted.state, wanted.supplier, wanted.due_by) {
        (None, None, None) => Which::All,
        (Some(state), None, None) => Which::In(state),
        (None, Some(supplier), None) => Which::Of(supplier),
        (None, None, Some(day)) => Which::DueBy(day),
        _ => {
            let why = "One of state, supplier and due_by is possible at a time.";
            return Err(Problem::bad_request(why));
        }
    };
    let after = wanted.after.as_deref().map(name).transpose()?;
    let take = wanted.take.unwrap_or(TAKE).min(LOANS_MAX);
    let heads = lending(&app)?.list(&which, after.as_ref(), take).await;
    let heads = heads.map_err(|error| problem(&error))?;
    Ok(Json(Value::Array(heads.iter().map(row).collect())))
}

/// One loan.
pub(crate) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&app, &id).await?.0))
}

/// A loan as it is shown, and how many acts it has.
pub(super) async fn shown(app: &App, id: &str) -> Result<(Value, u32), Problem> {
    let (lending, id) = (lending(app)?, name(id)?);
    let loaded = lending.loan(&id).await.map_err(|error| problem(&error))?;
    let told = |error: crate::loan::life::Refused| problem(&error.into());
    let mut shown = row(&loaded.head);
    let file = loaded.loan.file();
    let more = json!({
        "product": file.conditions().product.id,
        "product_sha256": loaded.head.product,
        "rules_sha256": loaded.head.rules,
        "valid_until": file.opened().valid_until.to_rfc3339(),
        "frozen": file.frozen(),
        "standing": loaded.standing().map_err(told)?,
        "schedule": loaded.schedule().map_err(told)?,
        "payoff": loaded.payoff().map_err(told)?,
        "tokens": loaded.tokens(lending.clock().now()).iter().map(token).collect::<Vec<_>>(),
    });
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    Ok((shown, loaded.head.acts))
}

fn token(token: &crate::lending::view::TokenView) -> Value {
    json!({
        "token_sha256": token.token,
        "payee": token.payee,
        "amount": token.amount,
        "expires": token.expires.to_rfc3339(),
        "state": token.state,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    after: u32,
    take: Option<u32>,
}

/// Acts of a loan.
pub(crate) async fn acts(
    State(app): State<App>,
    Path(id): Path<String>,
    page: Asked<Page>,
) -> Result<Json<Value>, Problem> {
    let Query(page) = page.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let take = page.take.unwrap_or(TAKE).min(ACTS_MAX);
    let store = lending(&app)?.store();
    let acts = store.acts(&name(&id)?, page.after, take).await;
    let acts = acts.map_err(|error| internal(&error))?;
    let shown = acts
        .iter()
        .map(|one| json!({ "number": one.number, "act": one.act }));
    Ok(Json(Value::Array(shown.collect())))
}

/// Ledger entries of a loan.
pub(crate) async fn entries(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let (lending, id) = (lending(&app)?, name(&id)?);
    let found = lending
        .store()
        .entries_of(lending.book(), &id, None, LIST_MAX)
        .await;
    let found = found.map_err(|error| internal(&error))?;
    let shown = found.iter().map(|kept| {
        let entry = &kept.entry;
        let postings = entry.postings().iter().map(|posting| {
            json!({
                "class": posting.account.class().word(),
                "side": posting.side.word(),
                "amount": posting.amount,
            })
        });
        json!({
            "key": entry.key().as_str(),
            "booked": entry.booked(),
            "kind": entry.kind().word(),
            "corrects": entry.corrects().map(crate::ledger::EntryKey::as_str),
            "postings": postings.collect::<Vec<_>>(),
            "lane": kept.lane.number(),
            "number": kept.number,
            "sha256": kept.hash,
        })
    });
    Ok(Json(Value::Array(shown.collect())))
}

/// What was refused.
pub(crate) async fn denials(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = lending(&app)?.denials(&name(&id)?).await;
    let found = found.map_err(|error| problem(&error))?;
    let shown = |one: &Denial| {
        json!({
            "at": one.at.to_rfc3339(),
            "who": one.who,
            "deed": one.deed,
            "key": one.key,
            "rule": one.rule,
            "reason": one.reason,
        })
    };
    Ok(Json(Value::Array(found.iter().map(shown).collect())))
}
