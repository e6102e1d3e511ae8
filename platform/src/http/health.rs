//! Health and totals.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use kit::problem::Problem;
use serde_json::{Value, json};

use super::{Shared, problem};
use crate::standing::Stand;
use crate::store::{ChainEvent, Totals};

/// `GET /health/live`: 200 while the process answers at all. Restart it when this fails.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "live": true }))
}

/// `GET /health`, `GET /health/ready`: 200 while the store answers, nothing is ending, and the log
/// has its quorum or another process leads (then this one shows pages and takes statements), else 503,
/// with each part's state. Send it no requests while this fails. A broker that cannot be reached is
/// told and no reason: pages and HTTPS work without it, and gateways keep what they have.
pub(super) async fn health(State(app): State<Shared>) -> (StatusCode, Json<Value>) {
    let store = app.store.log_head().await.is_ok();
    let stopping = app.shutdown.is_cancelled();
    let witnesses = app.cosigner.states();
    let answering = witnesses
        .iter()
        .filter(|witness| witness.problem.is_empty())
        .count() as u64;
    let quorum = app.policies().newest().policy.quorum;
    let stand = app.standing.now();
    let log = match stand {
        Stand::Leader { .. } => answering >= quorum,
        Stand::Worker | Stand::Standby => true,
        Stand::Unconfirmed { .. } => false,
    };
    let ready = store && !stopping && log;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "live": true,
        "ready": ready,
        "store": store,
        "role": stand.word(),
        "confirmed": confirmed(stand),
        "quorum": quorum,
        "witnesses": &witnesses,
        "stopping": stopping,
        "broker": *app.link.borrow(),
        "words": words(answering, witnesses.len() as u64, quorum),
    });
    (status, Json(body))
}

/// What the state of the witnesses means.
fn words(answering: u64, asked: u64, quorum: u64) -> String {
    let said = format!("{answering} of {asked} witnesses cosign, {quorum} are needed");
    if asked == 0 || answering == asked {
        said
    } else if answering >= quorum {
        format!("degraded: {said}; the log goes on without the others")
    } else {
        format!(
            "not ready: {said}; what is new is kept and does not count as anchored yet, what was anchored before still verifies"
        )
    }
}

/// How many witnesses have confirmed the log of this database, and how many must, while that keeps
/// this process from going on.
fn confirmed(stand: Stand) -> Value {
    match stand {
        Stand::Unconfirmed { confirmed, needed } => {
            json!({ "witnesses": confirmed, "needed": needed })
        }
        _ => Value::Null,
    }
}

/// `GET /v1/totals`: how much of everything there is, and what was refused by reason.
pub(super) async fn totals(State(app): State<Shared>) -> Result<Json<Value>, Problem> {
    let totals: Totals = app.store.totals().await.map_err(problem::store)?;
    let reasons = app
        .store
        .quarantine_by_code()
        .await
        .map_err(problem::store)?;
    let reasons: serde_json::Map<String, Value> = reasons
        .into_iter()
        .map(|(code, count)| (code, count.into()))
        .collect();
    Ok(Json(json!({ "totals": totals, "quarantine": reasons })))
}

/// `GET /v1/chains`: gaps, forks and silences of all devices. Public: nobody may hide them.
pub(super) async fn chains(State(app): State<Shared>) -> Result<Json<Vec<ChainEvent>>, Problem> {
    app.store
        .chain_events(None)
        .await
        .map(Json)
        .map_err(problem::store)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn the_state_is_said_in_words() {
        assert_eq!(words(4, 4, 3), "4 of 4 witnesses cosign, 3 are needed");
        assert!(words(3, 4, 3).starts_with("degraded: 3 of 4"));
        assert!(words(2, 4, 3).starts_with("not ready: 2 of 4"));
    }
}
