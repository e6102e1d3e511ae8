//! `POST /pledges/{id}/act` and `.../watch`: what an officer does with a pledge.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use kit::people::{Checked, Form, Person};
use kit::problem::Problem;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{id, officer, problem};
use crate::http::App;
use crate::money::Currency;
use crate::pledge::office::{Deed, Ending, Within};
use crate::pledge::stream::Stream;
use crate::written;

/// Longest silence that a form may allow, in minutes: a day.
const SILENCE_MAX: u64 = 24 * 60;

/// The form of an act.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    request: String,
    act: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    way: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    proceeds: String,
}

impl Form for Fields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Does it, and shows the pledge as it is then.
pub(super) async fn act(
    State(app): State<App>,
    Path(pledge): Path<String>,
    person: Person,
    Checked(fields): Checked<Fields>,
) -> Result<Response, Problem> {
    let (pledge, officer) = (id(&pledge)?, officer(&person)?);
    let request = fields.request.parse();
    let request = request.map_err(|error| Problem::bad_request(format!("request: {error}")))?;
    let done = app
        .office
        .act(&officer, &pledge, request, deed(fields)?)
        .await;
    done.map_err(|error| problem(&error))?;
    Ok(Redirect::to(&format!("/pledges/{pledge}")).into_response())
}

fn deed(fields: Fields) -> Result<Deed, Problem> {
    let why = fields.why.trim().to_owned();
    Ok(match fields.act.as_str() {
        "accept" => Deed::Accept,
        "withdraw" => Deed::Withdraw(why),
        "thaw" => Deed::Thaw(why),
        "call" => Deed::Call(why),
        "retract" => Deed::Retract(why),
        "confirm" => Deed::Confirm,
        "propose" => Deed::Propose(ending(&fields)?),
        _ => return Err(Problem::bad_request("act: it is not one of the buttons")),
    })
}

fn ending(fields: &Fields) -> Result<Ending, Problem> {
    match fields.way.as_str() {
        "paid" => Ok(Ending::Paid),
        "substituted" => fields
            .by
            .trim()
            .parse()
            .map(Ending::Substituted)
            .map_err(|_| {
                Problem::bad_request("by: the 64 digits of another pledge of the loan are expected")
            }),
        "realised" => {
            // What went for nothing is realised, too.
            let proceeds = written::amount_or_nothing("proceeds", &fields.proceeds, Currency::CNY);
            let proceeds = proceeds.map_err(|error| Problem::bad_request(error.to_string()));
            proceeds.map(Ending::Realised)
        }
        _ => Err(Problem::bad_request(
            "way: paid, substituted or realised is expected",
        )),
    }
}

/// The form of a watch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchFields {
    #[serde(default)]
    csrf: String,
    device: String,
    #[serde(default)]
    sensor: String,
    #[serde(default)]
    low: String,
    #[serde(default)]
    high: String,
    #[serde(default)]
    silence: String,
}

impl Form for WatchFields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

/// Begins to watch a sensor.
pub(super) async fn watch(
    State(app): State<App>,
    Path(pledge): Path<String>,
    person: Person,
    Checked(fields): Checked<WatchFields>,
) -> Result<Response, Problem> {
    let (pledge, officer) = (id(&pledge)?, officer(&person)?);
    let device = fields.device.trim().parse();
    let device = device.map_err(|error| Problem::bad_request(format!("device: {error}")))?;
    let stream = Stream::new(device, fields.sensor.trim());
    let stream = stream.map_err(|error| Problem::bad_request(format!("sensor: {error}")))?;
    let begun = app
        .office
        .watch(&officer, &pledge, stream, within(&fields)?)
        .await;
    begun.map_err(|error| problem(&error))?;
    Ok(Redirect::to(&format!("/pledges/{pledge}")).into_response())
}

/// Both limits, or none: then they are fitted.
fn within(fields: &WatchFields) -> Result<Within, Problem> {
    let (low, high) = (fields.low.trim(), fields.high.trim());
    if low.is_empty() && high.is_empty() {
        return Ok(Within::Fitted);
    }
    let number = |field: &str, text: &str| {
        let wrong =
            || Problem::bad_request(format!("{field}: degrees such as 2 or -18.5 are expected"));
        text.parse::<Decimal>().map_err(|_| wrong())
    };
    let minutes = match fields.silence.trim() {
        "" => {
            return Ok(Within::Declared {
                low: number("low", low)?,
                high: number("high", high)?,
                silence: crate::pledge::office::SILENCE_USUAL,
            });
        }
        text => text
            .parse::<u64>()
            .ok()
            .filter(|minutes| (1..=SILENCE_MAX).contains(minutes)),
    };
    let minutes = minutes
        .ok_or_else(|| Problem::bad_request("silence: whole minutes, 1 to 1440, are expected"))?;
    Ok(Within::Declared {
        low: number("low", low)?,
        high: number("high", high)?,
        silence: Duration::from_secs(minutes * 60),
    })
}
