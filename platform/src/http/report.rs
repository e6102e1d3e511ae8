//! The report of a reader: form, number, state. Works without scripts.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use schemas::causes::causes;
use schemas::disclosure::Audience;
use schemas::ids::Slug;
use serde::Deserialize;

use super::Shared;
use super::product::{Failed, error_page, failed_page, html};
use crate::disclosure::Rules;
use crate::report::{
    Added, Draft, Fault, KeptReport, Limits, NONCE_BYTES, Number, NumberError, Sent, WINDOW,
};
use crate::store::StoreError;
use crate::trace::{Item, journey_of};
use crate::web::{self, ByLanguage, ErrorKind, FormView, LookUpView, ReportView, Trouble};

#[derive(Deserialize)]
pub(super) struct FormQuery {
    code: Option<String>,
    number: Option<String>,
}

/// What is known of the item that a report is about.
struct About {
    item: Item,
    names: ByLanguage,
    maker: Option<Slug>,
    /// Local offset in minutes where the item was last.
    offset_minutes: i32,
}

async fn about(app: &Shared, item: Item) -> Result<About, Failed> {
    let rules = Rules::load(&*app.store, Audience::Consumer).await;
    let rules = rules.map_err(|error| Failed(causes(&error)))?;
    let journey = journey_of(&*app.store, &item, &rules).await;
    let journey = journey.map_err(|error| Failed(causes(&error)))?;
    let last = journey.as_ref().and_then(|one| one.steps.last());
    let offset_minutes = last.map_or(0, |step| step.time.offset_minutes);
    let maker = journey.as_ref().and_then(|one| one.makers.first().cloned());
    let names = journey.map(|one| one.names).unwrap_or_default();
    Ok(About {
        item,
        names,
        maker,
        offset_minutes,
    })
}

/// `GET /report?code=...`: the form; `GET /report`: look up a number.
pub(super) async fn form(
    State(app): State<Shared>,
    Query(query): Query<FormQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = web::Lang::of(&uri, &headers);
    let Some(code) = query.code else {
        return look_up(&app, query.number, &uri, lang);
    };
    let Some(item) = Item::parse(&code) else {
        return error_page(
            StatusCode::BAD_REQUEST,
            ErrorKind::BadRequest,
            String::new(),
            lang,
        );
    };
    match about(&app, item).await {
        Ok(about) => form_page(&app, about, Sent::default(), Trouble::None, &uri, lang),
        Err(failed) => failed_page(&failed, lang),
    }
}

fn form_page(
    app: &Shared,
    about: About,
    mut sent: Sent,
    trouble: Trouble,
    uri: &Uri,
    lang: web::Lang,
) -> Response {
    let status = match &trouble {
        Trouble::None => StatusCode::OK,
        Trouble::Faults(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Trouble::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    if sent.nonce.len() != 2 * NONCE_BYTES {
        match schemas::random::bytes::<NONCE_BYTES>() {
            Ok(nonce) => sent.nonce = hex::encode(nonce),
            Err(error) => return failed_page(&Failed(causes(&error)), lang),
        }
    }
    let is_limited = trouble == Trouble::TooMany;
    let view = FormView {
        item: about.item,
        names: about.names,
        sent,
        trouble,
        is_replay: app.policy.origin.is_replay(),
    };
    let mut response = private(html(status, web::render_form(&view, lang), uri, lang));
    if is_limited {
        let wait = HeaderValue::from(WINDOW.as_secs());
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    response
}

fn look_up(app: &Shared, number: Option<String>, uri: &Uri, lang: web::Lang) -> Response {
    let entered = number.filter(|number| !number.trim().is_empty());
    match entered.as_deref().map(str::parse::<Number>) {
        Some(Ok(number)) => Redirect::to(&path(&number)).into_response(),
        Some(Err(problem)) => bad_number(app, entered.as_deref(), Some(problem), uri, lang),
        None => bad_number(app, None, None, uri, lang),
    }
}

fn path(number: &Number) -> String {
    format!("/report/{}", number.as_str())
}

fn bad_number(
    app: &Shared,
    entered: Option<&str>,
    problem: Option<NumberError>,
    uri: &Uri,
    lang: web::Lang,
) -> Response {
    let status = match (entered, problem) {
        (None, _) => StatusCode::OK,
        (Some(_), Some(_)) => StatusCode::BAD_REQUEST,
        (Some(_), None) => StatusCode::NOT_FOUND,
    };
    let view = LookUpView {
        entered: entered.map(str::to_owned),
        problem,
        is_replay: app.policy.origin.is_replay(),
    };
    private(html(status, web::render_look_up(&view, lang), uri, lang))
}

/// What a form brings.
#[derive(Deserialize)]
pub(super) struct Fields {
    code: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    contact: String,
    #[serde(default)]
    nonce: String,
}

/// `POST /report`: files a report and leads to the page of its number.
pub(super) async fn send(
    State(app): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    form: Result<Form<Fields>, FormRejection>,
) -> Response {
    let lang = web::Lang::of(&uri, &headers);
    if !kit::page::is_from_own(&headers, &app.public_url) {
        return forged(lang);
    }
    let fields = match form {
        Ok(Form(fields)) => fields,
        Err(rejection) => {
            let status = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            return error_page(status, ErrorKind::BadRequest, String::new(), lang);
        }
    };
    let Some(item) = Item::parse(&fields.code) else {
        return error_page(
            StatusCode::BAD_REQUEST,
            ErrorKind::BadRequest,
            String::new(),
            lang,
        );
    };
    let sent = Sent {
        kind: fields.kind,
        text: fields.text,
        contact: fields.contact,
        nonce: fields.nonce,
    };
    match about(&app, item).await {
        Ok(about) => file(&app, about, sent, &uri, lang).await,
        Err(failed) => failed_page(&failed, lang),
    }
}

async fn file(app: &Shared, about: About, mut sent: Sent, uri: &Uri, lang: web::Lang) -> Response {
    let draft = match Draft::read(&sent) {
        Ok(draft) => draft,
        Err(faults) => {
            if faults.contains(&Fault::Form) {
                sent.nonce.clear();
            }
            return form_page(app, about, sent, Trouble::Faults(faults), uri, lang);
        }
    };
    let now = app.clock.now();
    let report = draft.about(&about.item, about.maker.clone(), now);
    match app.store.add_report(&report, &Limits::at(now)).await {
        Ok(Added::Kept) => private(Redirect::to(&path(&report.number)).into_response()),
        Ok(Added::Limited) => {
            tracing::warn!("a report was not taken: too many in an hour");
            form_page(app, about, sent, Trouble::TooMany, uri, lang)
        }
        Err(error) => failed_page(&Failed(causes(&error)), lang),
    }
}

/// `GET /report/{number}`: how far a report is.
pub(super) async fn page(
    State(app): State<Shared>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = web::Lang::of(&uri, &headers);
    let parsed = match number.parse::<Number>() {
        Ok(parsed) => parsed,
        Err(problem) => return bad_number(&app, Some(&number), Some(problem), &uri, lang),
    };
    match app.store.report(&parsed).await {
        Ok(Some(report)) => match view(&app, report).await {
            Ok(view) => {
                let page = web::render_report(&view, lang);
                private(html(StatusCode::OK, page, &uri, lang))
            }
            Err(failed) => failed_page(&failed, lang),
        },
        Ok(None) => bad_number(&app, Some(&number), None, &uri, lang),
        Err(error) => failed_page(&Failed(causes(&error)), lang),
    }
}

async fn view(app: &Shared, report: KeptReport) -> Result<ReportView, Failed> {
    let item = Item::parse(&report.item).ok_or_else(|| Failed("a report about nothing".into()))?;
    let about = about(app, item).await?;
    Ok(ReportView {
        report,
        item: about.item,
        offset_minutes: about.offset_minutes,
        is_replay: app.policy.origin.is_replay(),
    })
}

/// `POST /report/{number}/forget`: erases the contact.
pub(super) async fn forget(
    State(app): State<Shared>,
    Path(number): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let lang = web::Lang::of(&uri, &headers);
    if !kit::page::is_from_own(&headers, &app.public_url) {
        return forged(lang);
    }
    let number = match number.parse::<Number>() {
        Ok(number) => number,
        Err(problem) => return bad_number(&app, Some(&number), Some(problem), &uri, lang),
    };
    let erased: Result<bool, StoreError> = app.store.erase_contact(&number).await;
    match erased {
        // Erased already is as good: the page says that none is kept.
        Ok(_) => private(Redirect::to(&path(&number)).into_response()),
        Err(error) => failed_page(&Failed(causes(&error)), lang),
    }
}

/// What a form of another origin is answered.
fn forged(lang: web::Lang) -> Response {
    let (status, kind) = (StatusCode::FORBIDDEN, ErrorKind::Forbidden);
    error_page(status, kind, String::new(), lang)
}

/// Nothing of a report is kept by a browser, found by a search engine, or told to other sites.
fn private(mut response: Response) -> Response {
    let headers = [
        (CACHE_CONTROL, "no-store"),
        // Not `no-referrer`: forms would then name no origin.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
