//! A worker: deliveries from the broker in, acknowledgements and receipts out.

use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::ids::DeviceAddress;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::{Incoming, Ingest, Processed};
use crate::link::{Delivery, Link};
use crate::store::StoreError;

/// Most messages of one transaction.
const MOST: usize = 1_000;
/// How long a transaction waits for more.
const WINDOW: Duration = Duration::from_millis(20);
/// Wait before a failed transaction is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Runs until `shutdown`; what was taken from the broker is finished first or, if the store is
/// gone, left unacknowledged for redelivery.
pub async fn run(
    ingest: Arc<Ingest>,
    link: Link,
    mut deliveries: Receiver<Delivery>,
    shutdown: CancellationToken,
) {
    loop {
        let mut taken = Vec::new();
        tokio::select! {
            () = shutdown.cancelled() => return,
            count = deliveries.recv_many(&mut taken, MOST) => if count == 0 { return },
        }
        gather(&mut deliveries, &mut taken).await;
        let (tags, messages): (Vec<_>, Vec<_>) = taken.into_iter().map(incoming).unzip();
        let processed = match commit(&ingest, &messages, &shutdown).await {
            Committed::Yes(processed) => processed,
            Committed::NotOurs => continue,
            Committed::Stopping => return,
        };
        for tag in tags {
            link.ack(tag);
        }
        answer(&link, processed).await;
    }
}

/// Waits a moment for more to share the transaction.
async fn gather(deliveries: &mut Receiver<Delivery>, taken: &mut Vec<Delivery>) {
    let deadline = tokio::time::Instant::now() + WINDOW;
    while taken.len() < MOST {
        match tokio::time::timeout_at(deadline, deliveries.recv()).await {
            Ok(Some(delivery)) => taken.push(delivery),
            Ok(None) | Err(_) => return,
        }
    }
}

fn incoming(delivery: Delivery) -> (crate::link::AckTag, Incoming) {
    let sender = DeviceAddress::of_capture_topic(&delivery.topic);
    let message = Incoming {
        topic: delivery.topic,
        sender,
        payload: delivery.payload.to_vec(),
    };
    (delivery.tag, message)
}

/// What became of a transaction.
enum Committed {
    /// It is durable.
    Yes(Processed),
    /// Another process leads; the broker delivers to that one, since nothing is acknowledged here
    /// and the link is closed while this one stands by.
    NotOurs,
    /// The platform stops.
    Stopping,
}

/// Tries until it is durable.
async fn commit(ingest: &Ingest, messages: &[Incoming], shutdown: &CancellationToken) -> Committed {
    loop {
        match ingest.process(messages).await {
            Ok(processed) => return Committed::Yes(processed),
            Err(StoreError::Fenced) => return Committed::NotOurs,
            Err(error) => tracing::error!(
                error = causes(&error),
                "the store refused a transaction; trying again"
            ),
        }
        tokio::select! {
            () = shutdown.cancelled() => return Committed::Stopping,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// A receipt that is lost here is asked for again by the device's redelivery.
async fn answer(link: &Link, processed: Processed) {
    for (device, reply) in processed.replies {
        metrics::counter!("tracebond_receipts_total").increment(1);
        if let Err(error) = link.publish(device.receipt_topic(), reply).await {
            tracing::warn!(%device, %error, "a receipt was not sent");
        }
    }
}
