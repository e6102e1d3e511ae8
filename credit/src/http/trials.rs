//! The trial of the sandbox: what it is, what people decide about it, its reports.
//!
//! | address | who | what |
//! |---|---|---|
//! | `GET /trial`, `GET /regulator`, `GET /v1/trial` | everybody | state, limits and use, what waits |
//! | `POST /trial/limits`, `/rule`, `/lift` | supervisors | propose |
//! | `POST /trial/steps` | supervisors; the regulator, to stop | a step, or the proposal of one |
//! | `POST /trial/motions/{hash}/approve` | another supervisor | agree |
//! | `POST /trial/notes` | officers, supervisors | complaints, incidents, problems |
//! | `GET /trial/reports/{month}` | everybody | a report; `/report.json`, `/sheet.xlsx`, `/{figure}` |
//!
//! `GET /v1/trial/log` names the hashes that the log must hold. What is read below `/v1` machines
//! read too; the pages and their files are for people.
//!
//! Each `POST` is below `/v1` too, with the same fields as JSON; the session's token is a field of
//! either. The same person is refused by both.

mod fields;
mod page;
mod problem;
mod reports;
mod sent;
mod words;

use kit::routes::{Routes, get, post};

use super::App;

/// The routes.
pub(super) fn routes() -> Routes<App> {
    let mut routes = Routes::new()
        .route("/trial", get(page::trial))
        .route("/regulator", get(page::regulator))
        .route("/v1/trial", get(page::json))
        .route("/v1/trial/log", get(page::log))
        .route("/trial/reports/{month}", get(reports::page))
        .route("/trial/reports/{month}/report.json", get(reports::file))
        .route("/v1/trial/reports/{month}", get(reports::bytes))
        .route("/trial/reports/{month}/sheet.xlsx", get(reports::workbook))
        .route("/trial/reports/{month}/{figure}", get(reports::figure));
    for base in ["", "/v1"] {
        let at = |path: &str| format!("{base}/trial/{path}");
        routes = routes
            .route(&at("limits"), post(fields::limits))
            .route(&at("rule"), post(fields::rule))
            .route(&at("lift"), post(fields::lift))
            .route(&at("steps"), post(fields::step))
            .route(&at("motions/{hash}/approve"), post(fields::approve))
            .route(&at("notes"), post(fields::note));
    }
    routes
}
