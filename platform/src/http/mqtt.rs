//! `GET /v1/mqtt`: MQTT over WebSocket to the embedded broker.

use std::net::SocketAddr;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kit::problem::Problem;

use super::Shared;
use crate::broker::Bridge;

/// The only subprotocol that is spoken here (MQTT 5 section 6).
const SUBPROTOCOL: &str = "mqtt";

/// Upgrades a connection that asks for `mqtt`; 404 where the broker is not the embedded one, 503
/// where every place, or every one of this address, is taken.
pub(super) async fn connect(
    State(app): State<Shared>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let words = "the broker of this platform has doors of its own";
    let bridge = app
        .bridge
        .as_ref()
        .ok_or_else(|| Problem::not_found(words))?;
    if !asks_for_mqtt(&headers) {
        return Err(Problem::bad_request(
            "Sec-WebSocket-Protocol must name mqtt",
        ));
    }
    let Some(visit) = bridge.enter(from.ip()) else {
        return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
    };
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(Bridge::MESSAGE_MAX)
        .max_frame_size(Bridge::MESSAGE_MAX);
    Ok(upgrade.on_upgrade(|socket| visit.serve(socket)))
}

fn asks_for_mqtt(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let asked = asked.iter().filter_map(|value| value.to_str().ok());
    asked
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
}
