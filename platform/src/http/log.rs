//! The log as C2SP `tlog-tiles` serves it, below `/log`.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;
use schemas::causes::causes;
use schemas::log::{PolicyChain, PolicyFile, PolicyHandover, PolicyLink};
use schemas::tlog_policy::TlogPolicy;

use super::Shared;
use crate::policies::Reign;

/// `GET /log/checkpoint`.
pub(super) async fn checkpoint(State(app): State<Shared>) -> Result<Response, Problem> {
    file(&app, "checkpoint", "text/plain; charset=utf-8", "no-cache")
}

/// `GET /log/tile/...`.
pub(super) async fn tile(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    if !is_tile_name(&name) {
        return Err(Problem::not_found("no such tile"));
    }
    let kind = "application/octet-stream";
    file(
        &app,
        &format!("tile/{name}"),
        kind,
        "public, max-age=31536000, immutable",
    )
}

fn file(
    app: &Shared,
    name: &str,
    kind: &'static str,
    cache: &'static str,
) -> Result<Response, Problem> {
    match app.tiles.read(name) {
        Ok(Some(bytes)) => {
            let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)];
            Ok((headers, bytes).into_response())
        }
        Ok(None) => Err(Problem::not_found("no such file of the log")),
        Err(error) => {
            tracing::error!(error = causes(&error), "a file of the log cannot be read");
            Err(Problem::internal())
        }
    }
}

/// Digits, `x`, `p`, dots and slashes in the form of C2SP; nothing that climbs.
fn is_tile_name(name: &str) -> bool {
    name.len() <= 64
        && name.split('/').enumerate().all(|(place, part)| match part {
            "entries" => place == 0,
            part => {
                let part = part.strip_suffix(".p").unwrap_or(part);
                let digits = part.strip_prefix('x').unwrap_or(part);
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
        })
}

/// `GET /v1/consistency/{from}/{to}`: that the first entries are a beginning of the others, as an
/// RFC 6962 consistency path (section 2.1.2); 404 for a size that the log does not have.
pub(super) async fn consistency(
    State(app): State<Shared>,
    Path((from, to)): Path<(u64, u64)>,
) -> Result<axum::Json<serde_json::Value>, Problem> {
    let proof = app.bundler.tree.read(|tree| tree.consistency(from, to));
    let proof = proof.ok_or_else(|| Problem::not_found("the log has no such sizes"))?;
    let proof: Vec<String> = proof
        .iter()
        .map(|hash| schemas::b64::encode(&hash.0))
        .collect();
    Ok(axum::Json(
        serde_json::json!({ "from": from, "to": to, "proof": proof }),
    ))
}

/// `GET /v1/policy`: the policy file in force.
pub(super) async fn policy(State(app): State<Shared>) -> axum::Json<PolicyFile> {
    axum::Json(PolicyFile::new(app.policy_entry()))
}

/// `GET /v1/policies`: every policy that is or was in force, by its place in the log, with the note
/// that handed over to it. Who trusts one of them can follow the others from it.
pub(super) async fn policies(State(app): State<Shared>) -> axum::Json<PolicyChain> {
    axum::Json(chain_of(&app))
}

/// The chain of policies as it is served.
pub(super) fn chain_of(app: &Shared) -> PolicyChain {
    let size = |index: u64| index + 1;
    let link = |reign: Reign| PolicyLink {
        index: reign.index,
        handover: reign.handover.map(|note| {
            let path = app
                .bundler
                .tree
                .read(|tree| tree.inclusion(reign.index, size(reign.index)));
            PolicyHandover {
                note,
                path: path.unwrap_or_default().into(),
            }
        }),
        entry: reign.entry,
    };
    let policies = app.policies().in_force().into_iter().map(link).collect();
    PolicyChain {
        tracebond: "policies/v1".into(),
        policies,
    }
}

/// `GET /v1/policy.txt`: whom checkpoints need, as C2SP `tlog-policy`, with the addresses of log and
/// witnesses.
pub(super) async fn tlog_policy(State(app): State<Shared>) -> Response {
    let policy = app.policies().newest().policy;
    let url = |name: &str| {
        if name == policy.origin.as_str() {
            return (!app.public_url.is_empty()).then(|| app.public_url.clone());
        }
        let mut named = app.witnesses.iter().filter(|witness| witness.name == name);
        named.next().map(|witness| witness.url.clone())
    };
    let text = TlogPolicy::of(&policy, url).encode();
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// `GET /v1/verifier`: the parts of the verifier's script with their hashes, the hash of their list,
/// and the log entry (type 3) that holds it.
pub(super) async fn verifier(State(app): State<Shared>) -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({
        "kind": kit::verifier::KIND,
        "sha256": kit::verifier::SCRIPT_HASH.to_string(),
        "index": app.verifier.index(),
        "list": kit::verifier::LIST_PATH,
        "parts": kit::verifier::parts().each_ref().map(|part| serde_json::json!({
            "name": part.name,
            "path": part.path(),
            "sha256": part.hash.to_string(),
        })),
        "page": kit::verifier::PAGE,
    }))
}

#[cfg(test)]
mod tests {
    use super::is_tile_name;

    #[test]
    fn tile_names_do_not_climb() {
        for good in ["0/000", "0/x001/067", "entries/000.p/12", "1/000.p/3"] {
            assert!(is_tile_name(good), "{good}");
        }
        for bad in [
            "../x",
            "0/../1",
            "",
            "0//1",
            "0/abc",
            "entries/..",
            "0/entries",
        ] {
            assert!(!is_tile_name(bad), "{bad}");
        }
    }
}
