//! Receipts between the ingest's PUBLISH and the device's PUBACK: only so many bytes of all devices
//! together. One that finds no room is dropped and counted; its device sends again what it has no
//! receipt for, or asks for the inclusion.

use std::sync::Arc;

use axum::body::Bytes;
use rmqtt::types::Publish;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Limits;

/// Client id that nobody has: rmqtt gives a name to whoever comes without one.
const NOBODY: &str = "";

/// Room for receipts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Receipts(Arc<Semaphore>);

impl Receipts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Semaphore::new(limits.receipts_kib as usize)))
    }

    /// The same receipt, counted until rmqtt has let go of it; or addressed to nobody.
    pub(super) fn take(&self, publish: &Publish) -> Publish {
        let mut taken = publish.clone();
        let kib = u32::try_from(publish.payload.len() / 1024 + 2).unwrap_or(u32::MAX);
        match Arc::clone(&self.0).try_acquire_many_owned(kib) {
            Ok(place) => {
                queued_bytes().increment(f64::from(kib) * 1024.0);
                taken.inner.payload = Bytes::from_owner(Held {
                    bytes: publish.payload.clone(),
                    place,
                });
            }
            Err(_) => taken.target_clientid = Some(NOBODY.into()),
        }
        taken
    }
}

/// Owner of a receipt inside rmqtt.
struct Held {
    bytes: Bytes,
    place: OwnedSemaphorePermit,
}

fn queued_bytes() -> metrics::Gauge {
    metrics::gauge!("tracebond_broker_receipts_bytes")
}

impl Drop for Held {
    fn drop(&mut self) {
        queued_bytes().decrement(self.place.num_permits() as f64 * 1024.0);
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
