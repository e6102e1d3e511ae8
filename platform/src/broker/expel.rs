//! Puts out whoever may no longer be in: a device whose key was revoked, suspended or retired, or
//! whose organisation was.
//!
//! Ingest refuses such a device's words in any case. That its connection ends too means that it
//! learns so, and that a stolen password is worth nothing from then on: its session, with the
//! receipts that wait in it, is gone, and a new log-in is refused by the same rule.

use std::sync::Arc;
use std::time::Duration;

use rmqtt::context::ServerContext;
use rmqtt::types::Id;

use super::access::{BrokerAccess, Principal};

/// Longest time between two looks: a log-in that was being answered while the answer changed has a
/// session only afterwards.
const AGAIN: Duration = Duration::from_secs(5);

/// Ends sessions as the answers of `access` change, for as long as the broker's threads live.
pub(super) async fn keep(context: ServerContext, access: Arc<dyn BrokerAccess>) {
    loop {
        tokio::select! {
            () = access.changed() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
        for id in sessions(&context).await {
            let Some(Principal::Device(device)) = Principal::of_client_id(&id.client_id) else {
                continue;
            };
            if access.may_stay(&device).await {
                continue;
            }
            let shared = context.extends.shared().await;
            match shared.entry(id).kick(true, true, true).await {
                Ok(_) => {
                    metrics::counter!("tracebond_broker_expelled_total").increment(1);
                    tracing::info!(%device, "put out: its key does not count any more");
                }
                Err(error) => tracing::warn!(%device, %error, "could not be put out"),
            }
        }
    }
}

/// All sessions, connected or not. Collected before anything is asked: the iterator holds locks of
/// the session table.
async fn sessions(context: &ServerContext) -> Vec<Id> {
    let shared = context.extends.shared().await;
    shared.iter().map(|session| session.id()).collect()
}
