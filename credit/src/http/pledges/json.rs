//! `/v1/pledges`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::people::Machine;
use kit::problem::Problem;
use rust_decimal::Decimal;
use schemas::gs1::Identifier;
use schemas::ids::Slug;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{id, problem};
use crate::http::{App, internal};
use crate::money::{Currency, Money};
use crate::pledge::invoice::Typed;
use crate::pledge::office::{Asked, Collateral, worth_of};
use crate::pledge::shown::Wanted;
use crate::pledge::stage::State as Stand;
use crate::pledge::step::{Chain, Step};
use crate::pledge::value::{PriceSource, loan_to_value};
use crate::pledge::{Key, Quantity};
use crate::store::pledge::{Followed, PLEDGES_MAX, Refusal, Which};

/// What is sent: a request key, whose goods secure which loan, what they are, and their price.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) request: Key,
    pub(super) borrower: Slug,
    pub(super) loan: Key,
    pub(super) what: String,
    pub(super) category: Slug,
    pub(super) goods: Named,
    pub(super) price: Option<PriceBody>,
}

/// Exactly one of them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Named {
    /// An invoice as it is typed.
    Invoice(Typed),
    /// One thing or logistic unit in any GS1 syntax.
    Thing(String),
    /// A quantity of a lot.
    Lot(LotBody),
}

/// A quantity of a lot in any GS1 syntax.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LotBody {
    pub(super) lot: String,
    pub(super) quantity: Decimal,
    pub(super) unit: Option<String>,
}

/// So much money for so much.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceBody {
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) per: Option<Decimal>,
    pub(super) unit: Option<String>,
    pub(super) source: PriceSource,
}

impl Body {
    /// The same in types.
    pub(super) fn read(self) -> Result<Asked, Problem> {
        let bad = |field: &str, error: &dyn std::fmt::Display| {
            Problem::bad_request(format!("{field}: {error}"))
        };
        let thing = |field, text: &str| Identifier::parse_any(text).map_err(|e| bad(field, &e));
        let collateral = match self.goods {
            Named::Invoice(typed) => Collateral::Invoice(typed),
            Named::Thing(text) => Collateral::Goods(Wanted::Thing(thing("goods.thing", &text)?)),
            Named::Lot(lot) => {
                let quantity = Quantity::read(lot.quantity, lot.unit.as_deref());
                let quantity = quantity.map_err(|error| bad("goods.lot", &error))?;
                Collateral::Goods(Wanted::Lot(thing("goods.lot", &lot.lot)?, quantity))
            }
        };
        let (mut price, mut per, mut price_source) = (None, None, PriceSource::Declared);
        if let Some(body) = self.price {
            let currency: Currency = body
                .currency
                .parse()
                .map_err(|e| bad("price.currency", &e))?;
            let money = Money::parse(&body.amount, currency);
            price = Some(money.map_err(|error| bad("price.amount", &error))?);
            let read = |number| Quantity::read(number, body.unit.as_deref());
            let quantity = body.per.map(read).transpose();
            per = quantity.map_err(|error| bad("price.per", &error))?;
            price_source = body.source;
        }
        Ok(Asked {
            request: self.request,
            borrower: self.borrower,
            loan: self.loan,
            what: self.what,
            collateral,
            category: self.category,
            price,
            per,
            price_source,
        })
    }
}

/// Offers a pledge; 201, or 200 if the same request was kept before.
pub(super) async fn offer(
    State(app): State<App>,
    machine: Machine,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let done = app.office.offer(&machine.name, body.read()?).await;
    let done = done.map_err(|error| problem(&error))?;
    let status = if done.before {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    let place = format!("/v1/pledges/{}", done.pledge);
    let answer = json!({ "pledge": done.pledge, "state": done.state });
    Ok((status, [(header::LOCATION, place)], Json(answer)).into_response())
}

/// Which pledges.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asking {
    state: Option<Stand>,
}

/// Pledges in one state, or all, frozen ones first.
pub(super) async fn list(
    State(app): State<App>,
    asking: Result<Query<Asking>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asking) = asking.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
    let states = asking
        .state
        .map_or_else(|| super::list::ORDER.to_vec(), |one| vec![one]);
    let mut found = Vec::new();
    for state in states {
        let lines = app
            .office
            .store()
            .pledges(&Which::In(state), PLEDGES_MAX)
            .await;
        for line in lines.map_err(|error| internal(&error))? {
            let chain = app.office.read(&line.pledge).await;
            let chain = chain.map_err(|error| problem(&error))?;
            found.push(pledge_of(&chain));
        }
    }
    Ok(Json(json!({ "pledges": found })))
}

/// A pledge with its history, its watches and what was refused.
pub(super) async fn lookup(
    State(app): State<App>,
    Path(pledge): Path<String>,
) -> Result<Json<Value>, Problem> {
    let pledge = id(&pledge)?;
    let chain = app
        .office
        .read(&pledge)
        .await
        .map_err(|error| problem(&error))?;
    let store = app.office.store();
    let streams = store.followed_of(&pledge).await;
    let streams = streams.map_err(|error| internal(&error))?;
    let refusals = store.pledge_refusals(Some(&pledge), PLEDGES_MAX).await;
    let refusals = refusals.map_err(|error| internal(&error))?;
    let mut answer = pledge_of(&chain);
    answer["history"] = chain.steps().iter().map(step).collect();
    answer["streams"] = streams.iter().map(stream).collect();
    answer["refusals"] = refusals.iter().map(refusal).collect();
    Ok(Json(answer))
}

fn pledge_of(chain: &Chain) -> Value {
    let (stage, life) = (chain.stage(), chain.stage().life());
    let worth = worth_of(&life.offer);
    let ltv = loan_to_value(life.drawn, worth.value).ok().flatten();
    json!({
        "pledge": chain.steps().first().map(|step| step.pledge),
        "state": stage.state(),
        "borrower": life.offer.borrower,
        "loan": life.offer.loan,
        "what": life.offer.what,
        "worth": worth,
        "haircuts": life.offer.worth.map(|worth| worth.table),
        "evidence": life.offer.evidence,
        "drawn": life.drawn,
        "room": life.room(),
        "loan_to_value_percent": ltv,
        "alarms": life.alarms,
        "proposal": life.proposal,
    })
}

fn step(step: &Step) -> Value {
    json!({
        "step": step.number,
        "at": step.at.to_rfc3339(),
        "person": step.said.person,
        "act": step.said.act,
        "state": step.state,
        "hash": step.hash(),
    })
}

fn stream(one: &Followed) -> Value {
    json!({ "stream": one.stream.name(), "progress": one.progress })
}

fn refusal(one: &Refusal) -> Value {
    json!({
        "at": one.at.to_rfc3339(),
        "person": one.person,
        "act": one.act,
        "class": one.class,
        "detail": one.detail,
    })
}
