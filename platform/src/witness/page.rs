//! What a witness says of itself: lines for machines, a page for people (`web/templates/witness.html`).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::negotiate::Language;
use schemas::b64;
use std::sync::Arc;

use super::Witness;
use super::evidence::{Evidence, Kind};
use crate::web::witness::{ForkRow, LogRow, WitnessView, render};

/// Longest text for machines in bytes, for whoever reads it: every kept note of the longest origin
/// and a thousand logs.
pub(crate) const ABOUT_MAX: usize = 1_048_576;

/// `GET /`: a page for browsers, else lines:
/// `witness NAME KEY`, then `ORIGIN SIZE ROOT` for each log, then
/// `fork ORIGIN SIZE COSIGNED_ROOT REFUSED_ROOT FILE` or
/// `unproven ORIGIN SIZE REFUSED_ROOT FILE` for each note that was refused and kept.
pub(super) async fn about(
    State(witness): State<Arc<Witness>>,
    language: Language,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(header::ACCEPT);
    let browser = accept.is_some_and(|value| value.to_str().unwrap_or("").contains("text/html"));
    if browser {
        page(&witness, language)
    } else {
        lines(&witness).into_response()
    }
}

fn lines(witness: &Witness) -> String {
    let state = witness.state();
    let key = hex::encode(witness.config.key.public_bytes());
    let mut text = format!("witness {} {key}\n", witness.config.name);
    for (origin, known) in state.memory.all() {
        let root = b64::encode(&known.root.0);
        text.push_str(&format!("{origin} {} {root}\n", known.size));
    }
    for (name, one) in state.kept.all() {
        text.push_str(&line(name, one));
    }
    text
}

fn line(name: &str, one: &Evidence) -> String {
    let refused = b64::encode(&one.refused_root.0);
    let size = one.refused_size;
    match one.kind {
        Kind::Fork => {
            let cosigned = b64::encode(&one.cosigned_root.0);
            format!("fork {} {size} {cosigned} {refused} {name}\n", one.origin)
        }
        Kind::Unproven => format!("unproven {} {size} {refused} {name}\n", one.origin),
    }
}

fn page(witness: &Witness, language: Language) -> Response {
    let view = {
        let state = witness.state();
        let log = |(origin, known): (&String, &super::memory::Known)| LogRow {
            origin: origin.clone(),
            size: known.size,
            root: b64::encode(&known.root.0),
        };
        let fork = |(name, one): &(String, Evidence)| ForkRow {
            file: name.clone(),
            origin: one.origin.clone(),
            size: one.refused_size,
            proven: one.kind == Kind::Fork,
            cosigned: b64::encode(&one.cosigned_root.0),
            refused: b64::encode(&one.refused_root.0),
            time: schemas::time::Instant::from_micros(one.time),
        };
        WitnessView {
            name: witness.config.name.clone(),
            key: hex::encode(witness.config.key.public_bytes()),
            logs: state.memory.all().iter().map(log).collect(),
            forks: state.kept.all().iter().map(fork).collect(),
        }
    };
    match render(&view, language) {
        Ok(html) => {
            let headers = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
                (header::VARY, "accept, accept-language, cookie"),
                (
                    header::CONTENT_SECURITY_POLICY,
                    crate::web::assets::POLICY.as_str(),
                ),
            ];
            (headers, html).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the witness's page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `GET /evidence/{name}`: one kept file.
pub(super) async fn evidence(
    State(witness): State<Arc<Witness>>,
    Path(name): Path<String>,
) -> Response {
    let state = witness.state();
    match state.kept.all().iter().find(|(known, _)| *known == name) {
        Some((_, evidence)) => axum::Json(evidence).into_response(),
        None => (StatusCode::NOT_FOUND, "no such evidence\n").into_response(),
    }
}

/// `GET /assets/icon.svg`.
pub(super) async fn icon() -> Response {
    match crate::web::asset("icon.svg") {
        Some(icon) => ([(header::CONTENT_TYPE, icon.kind)], icon.plain).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::evidence::{FORKS_MAX, UNPROVEN_MAX};
    use schemas::hash::Hash;

    #[test]
    fn as_much_evidence_as_is_kept_is_read() {
        let longest = |kind| {
            let one = Evidence {
                tracebond: "witness-evidence/v1".into(),
                kind,
                witness: "w".into(),
                origin: "o".repeat(255),
                time: 0,
                cosigned_size: 1 << 53,
                cosigned_root: Hash([255; 32]),
                cosigned: String::new(),
                refused_size: 1 << 53,
                refused_root: Hash([254; 32]),
                refused: String::new(),
            };
            line(&one.name(), &one).len()
        };
        let all = longest(Kind::Fork) * FORKS_MAX + longest(Kind::Unproven) * UNPROVEN_MAX;
        let room = ABOUT_MAX - all;
        assert!(room > 1_000 * longest(Kind::Fork), "{all}");
    }
}
