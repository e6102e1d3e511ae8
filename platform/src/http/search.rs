//! Search with proof: `GET /v1/events`, and the bundles of what was found.
//!
//! Everybody may ask for the events of a thing whose code they hold, as its product page shows
//! them. What a device or an organisation has said is for readers with its consent.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::disclosure::Audience;
use schemas::epcis::rule::bare_step;
use schemas::gs1::ItemKey;
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Instant;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asker::Asker;
use super::evidence::{audience_of, check_reader};
use super::{Shared, problem};
use crate::bundle::Made;
use crate::disclosure::Rules;
use crate::search::{Cursor, PAGE, PAGE_MAX, SearchError, Sizes, What, search};
use crate::store::search::{FoundEvent, Span};

/// Query of `GET /v1/events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    item: Option<String>,
    device: Option<String>,
    organisation: Option<String>,
    from: Option<String>,
    until: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

fn bad(field: &str, what: impl std::fmt::Display) -> Problem {
    Problem::bad_request(format!("`{field}`: {what}")).with("field", field)
}

impl EventQuery {
    fn what(&self) -> Result<What, Problem> {
        match (&self.item, &self.device, &self.organisation) {
            (Some(item), None, None) => {
                let key = schemas::gs1::normalise(item).unwrap_or_else(|_| item.clone());
                let key = ItemKey::read(&key).map_err(|error| bad("item", error))?;
                Ok(What::Item(key))
            }
            (None, Some(device), None) => {
                let device = device.parse().map_err(|error| bad("device", error))?;
                Ok(What::Device(device))
            }
            (None, None, Some(slug)) => {
                let slug = slug.parse().map_err(|error| bad("organisation", error))?;
                Ok(What::Organisation(slug))
            }
            _ => Err(Problem::bad_request(
                "give exactly one of `item`, `device`, `organisation`",
            )),
        }
    }

    fn span(&self) -> Result<Span, Problem> {
        let read = |field: &str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            match Instant::parse_rfc3339(text) {
                Some(at) => Ok(Some(at)),
                None => Err(bad(field, "not an RFC 3339 time")),
            }
        };
        Ok(Span {
            from: read("from", &self.from)?,
            until: read("until", &self.until)?,
        })
    }

    fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(PAGE),
            Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(bad("limit", format!("1 to {PAGE_MAX}"))),
        }
    }

    fn after(&self) -> Result<Option<Cursor>, Problem> {
        let after = self.after.as_deref().map(str::parse).transpose();
        after.map_err(|_| bad("after", "not the `next` of an answer to this search"))
    }
}

/// `GET /v1/events?item=…|device=…|organisation=…[&from=…][&until=…][&after=…][&limit=…]`.
pub(super) async fn events(
    State(app): State<Shared>,
    Query(query): Query<EventQuery>,
    asker: Asker,
) -> Result<Json<Value>, Problem> {
    let (what, span) = (query.what()?, query.span()?);
    let (after, limit) = (query.after()?, query.limit()?);
    let audience = match &what {
        What::Item(_) => Audience::Consumer,
        What::Device(device) => check_reader(&app, &device.organisation, &asker).await?,
        What::Organisation(slug) => check_reader(&app, slug, &asker).await?,
    };
    let page = search(&*app.store, &what, &span, after.as_ref(), limit).await;
    let page = page.map_err(|error| match error {
        SearchError::Store(error) => problem::store(error),
        SearchError::Cursor(error) => bad("after", error),
    })?;
    let ids: BTreeSet<Hash> = page.events.iter().map(|event| event.statement).collect();
    let ids: Vec<Hash> = ids.into_iter().collect();
    let seen = Seen::load(&app, audience, &ids).await?;
    let open = match &what {
        What::Item(_) => None,
        _ => Some(seen.open_to(&app, &page.events, &asker).await?),
    };
    let is_open = |event: &&FoundEvent| {
        let organisation = seen.organisation(event);
        open.as_ref().is_none_or(|open| open.contains(organisation))
    };
    // A time that is withheld is not told by a span either.
    let in_span = |event: &&FoundEvent| span.is_open() || !seen.hides(event, "eventTime");
    let events = page.events.iter().filter(is_open).filter(in_span);
    let events: Vec<Value> = events.map(|one| seen.row(one)).collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Json(json!({ "events": events, "next": next })))
}

/// What is said of the events of a page to an audience.
struct Seen {
    rules: Rules,
    declared: BTreeMap<Hash, Slug>,
    indices: BTreeMap<Hash, u64>,
}

impl Seen {
    async fn load(app: &Shared, audience: Audience, ids: &[Hash]) -> Result<Self, Problem> {
        let store = &*app.store;
        Ok(Self {
            rules: Rules::load(store, audience).await.map_err(problem::store)?,
            declared: store.declarers(ids).await.map_err(problem::store)?,
            indices: store.log_indices(ids).await.map_err(problem::store)?,
        })
    }

    /// Organisations of these events whose consent the reader has.
    async fn open_to(
        &self,
        app: &Shared,
        events: &[FoundEvent],
        asker: &Asker,
    ) -> Result<BTreeSet<Slug>, Problem> {
        let all: BTreeSet<&Slug> = events.iter().map(|one| self.organisation(one)).collect();
        let mut open = BTreeSet::new();
        for organisation in all {
            if audience_of(app, organisation, asker).await?.is_some() {
                open.insert(organisation.clone());
            }
        }
        Ok(open)
    }

    /// The organisation that answers for what the event says.
    fn organisation<'s>(&'s self, event: &'s FoundEvent) -> &'s Slug {
        let declared = self.declared.get(&event.statement);
        declared.unwrap_or(&event.device.organisation)
    }

    fn hides(&self, event: &FoundEvent, member: &str) -> bool {
        let step = event.step.as_deref().map(bare_step);
        self.rules.hide(self.organisation(event), step, member)
    }

    fn row(&self, event: &FoundEvent) -> Value {
        let time = event.time.filter(|_| !self.hides(event, "eventTime"));
        let step = event.step.as_ref();
        let step = step.filter(|_| !self.hides(event, "bizStep"));
        row(event, time, step, self.indices.get(&event.statement))
    }
}

fn row(
    event: &FoundEvent,
    time: Option<Instant>,
    step: Option<&String>,
    log_index: Option<&u64>,
) -> Value {
    let (statement, place) = (event.statement, event.place);
    json!({
        "leaf": event.leaf.to_string(),
        "statement": statement.to_string(),
        "place": place,
        "device": event.device,
        "source": event.source.number(),
        "event_time": time.map(Instant::to_rfc3339),
        "step": step,
        "erased": event.is_erased,
        "archived": event.is_archived,
        "log_index": log_index,
        "bundle": format!("/v1/bundles/event/{statement}/{place}"),
    })
}

/// `GET /v1/bundles/event/{statement}/{place}`: the bundle of one event. With the consent of the
/// organisation that signed it everything is shown, else what the public may see.
pub(super) async fn event_bundle(
    State(app): State<Shared>,
    Path((statement, place)): Path<(String, u64)>,
    asker: Asker,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("no such event");
    let statement: Hash = statement.parse().map_err(|_| unknown())?;
    let found = app.store.events_in(&[statement]).await;
    let found = found.map_err(problem::store)?;
    let event = found.into_iter().find(|event| event.place == place);
    let event = event.ok_or_else(unknown)?;
    let chosen = BTreeMap::from([(statement, BTreeSet::from([place]))]);
    let declared = app.store.declarers(&[statement]).await;
    let declared = declared.map_err(problem::store)?;
    let organisation = declared.get(&statement);
    let organisation = organisation.unwrap_or(&event.device.organisation);
    let audience = audience_of(&app, organisation, &asker).await?;
    let audience = audience.unwrap_or(Audience::Consumer);
    let made = app.bundler.chosen(&chosen, Some(audience)).await;
    Ok(bundle(made.map_err(problem::bundle)?))
}

/// Query of `GET /v1/bundles/device/{organisation}/{device}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizesQuery {
    from_size: Option<u64>,
    to_size: Option<u64>,
}

/// `GET /v1/bundles/device/{organisation}/{device}?from_size=…&to_size=…`: the device's chain
/// between two log sizes, for a reader with the organisation's consent.
pub(super) async fn device_bundle(
    State(app): State<Shared>,
    Path((organisation, device)): Path<(Slug, Slug)>,
    Query(query): Query<SizesQuery>,
    asker: Asker,
) -> Result<Response, Problem> {
    let audience = check_reader(&app, &organisation, &asker).await?;
    let sizes = Sizes {
        from: query.from_size.unwrap_or(0),
        below: query.to_size.unwrap_or(u64::MAX),
    };
    if sizes.from >= sizes.below {
        return Err(bad("to_size", "above `from_size`"));
    }
    let address = DeviceAddress {
        organisation,
        device,
    };
    let made = app.bundler.chain(&address, sizes, Some(audience)).await;
    Ok(bundle(made.map_err(problem::bundle)?))
}

/// A bundle as a file.
pub(super) fn bundle(made: Made) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"proof-bundle.json\"",
        ),
    ];
    (headers, made.bytes).into_response()
}
