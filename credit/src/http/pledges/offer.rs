//! `GET /pledges/new` and `POST /pledges`: an officer offers a pledge.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use kit::negotiate::Language;
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use serde::Deserialize;

use super::json::{Body, LotBody, Named, PriceBody};
use super::show::request;
use super::{officer, problem};
use crate::http::App;
use crate::http::shell::{self, Shell};
use crate::money::Currency;
use crate::pledge::invoice::Typed;
use crate::pledge::value::PriceSource;
use crate::written;

#[derive(Template)]
#[template(path = "pledge_new.html")]
struct Page {
    shell: Shell,
    request: String,
    categories: Vec<String>,
}

/// The form.
pub(super) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    officer(&person)?;
    let page = Page {
        shell: Shell::new(&uri, language, &person, "pledges")?,
        request: request()?,
        categories: app
            .office
            .table()
            .categories()
            .map(ToString::to_string)
            .collect(),
    };
    shell::page(&uri, StatusCode::OK, &page)
}

/// What the form sends; what is left out is empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Fields {
    csrf: String,
    request: String,
    borrower: String,
    loan: String,
    what: String,
    category: String,
    kind: String,
    thing: String,
    quantity: String,
    unit: String,
    price: String,
    seller: String,
    buyer: String,
    code: String,
    number: String,
    digital: String,
    date: String,
    total: String,
}

impl Form for Fields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Offers it, and shows it.
pub(super) async fn send(
    State(app): State<App>,
    person: Person,
    Checked(fields): Checked<Fields>,
) -> Result<Response, Problem> {
    let officer = officer(&person)?;
    let asked = body(fields)?.read()?;
    let done = app.office.offer(&officer, asked).await;
    let done = done.map_err(|error| problem(&error))?;
    Ok(Redirect::to(&format!("/pledges/{}", done.pledge)).into_response())
}

fn body(fields: Fields) -> Result<Body, Problem> {
    let bad = |field: &str, error: &dyn std::fmt::Display| {
        Problem::bad_request(format!("{field}: {error}"))
    };
    let price = Some(fields.price.trim().to_owned()).filter(|price| !price.is_empty());
    let price = price.map(|price| written::amount("price", &price, Currency::CNY));
    let price = price.transpose();
    let price = price.map_err(|error| Problem::bad_request(error.to_string()))?;
    let price = price.map(|price| PriceBody {
        amount: price.amount(),
        currency: "CNY".to_owned(),
        per: None,
        unit: None,
        source: PriceSource::Declared,
    });
    let plain = |text: &str| text.trim().to_owned();
    Ok(Body {
        request: fields.request.parse().map_err(|e| bad("request", &e))?,
        borrower: plain(&fields.borrower)
            .parse()
            .map_err(|e| bad("borrower", &e))?,
        loan: plain(&fields.loan).parse().map_err(|e| bad("loan", &e))?,
        what: plain(&fields.what),
        category: fields.category.parse().map_err(|e| bad("category", &e))?,
        price,
        goods: named(fields)?,
    })
}

fn named(fields: Fields) -> Result<Named, Problem> {
    let thing = fields.thing.trim().to_owned();
    let unit = Some(fields.unit.trim().to_owned()).filter(|unit| !unit.is_empty());
    match fields.kind.as_str() {
        "invoice" => Ok(Named::Invoice(Typed {
            seller: fields.seller,
            buyer: fields.buyer,
            code: fields.code,
            number: fields.number,
            digital: fields.digital,
            date: fields.date,
            total: fields.total,
        })),
        "thing" => Ok(Named::Thing(thing)),
        "lot" => {
            let quantity = fields.quantity.trim().parse();
            let wrong =
                |_| Problem::bad_request("quantity: a number such as 480 or 12.5 is expected");
            let quantity = quantity.map_err(wrong)?;
            Ok(Named::Lot(LotBody {
                lot: thing,
                quantity,
                unit,
            }))
        }
        _ => Err(Problem::bad_request(
            "kind: invoice, thing or lot is expected",
        )),
    }
}
