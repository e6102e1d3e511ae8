//! Workers: deliveries from the broker in, acknowledgements and receipts out.
//!
//! Groups of messages are on their way at the same time: while the store makes one durable, others
//! are verified. As many are taken from the link as groups may be on their way, no more; the broker
//! holds the rest back, so memory stays flat when the store is slow.

use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use schemas::ids::DeviceAddress;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Incoming, Ingest, Processed};
use crate::duty::Duty;
use crate::link::{AckTag, Delivery, Link};
use crate::store::StoreError;

/// Most messages of one group.
const MOST: usize = 1_000;
/// A group is closed at this many bytes: about what one transaction holds.
const BYTES: usize = 786_432;
/// How long a group waits for more.
const WINDOW: Duration = Duration::from_millis(20);
/// Wait before a failed transaction is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Takes deliveries in groups, at most `workers` on their way, until `shutdown`; what was taken from
/// the broker is finished first or, if the store is gone, left unacknowledged for redelivery.
pub async fn run(
    ingest: Arc<Ingest>,
    link: Link,
    duty: Duty,
    mut deliveries: Receiver<Delivery>,
    workers: usize,
    shutdown: CancellationToken,
) {
    let mut groups = JoinSet::new();
    loop {
        while groups.len() >= workers.max(1) {
            groups.join_next().await;
        }
        let Some(group) = gather(&mut deliveries, &shutdown).await else {
            break;
        };
        metrics::histogram!("tracebond_ingest_group_messages").record(group.len() as f64);
        let term = duty.term();
        let worker = Worker {
            ingest: Arc::clone(&ingest),
            link: link.clone(),
            duty: duty.clone(),
            term,
            shutdown: shutdown.clone(),
            _counted: Counted::new(),
        };
        groups.spawn(worker.finish(group));
    }
    while groups.join_next().await.is_some() {}
}

/// The next group; `None` at the end.
async fn gather(
    deliveries: &mut Receiver<Delivery>,
    shutdown: &CancellationToken,
) -> Option<Vec<Delivery>> {
    let first = tokio::select! {
        () = shutdown.cancelled() => return None,
        first = deliveries.recv() => first?,
    };
    let deadline = tokio::time::Instant::now() + WINDOW;
    let mut bytes = first.payload.len();
    let mut taken = vec![first];
    while taken.len() < MOST && bytes < BYTES {
        match tokio::time::timeout_at(deadline, deliveries.recv()).await {
            Ok(Some(delivery)) => {
                bytes += delivery.payload.len();
                taken.push(delivery);
            }
            Ok(None) | Err(_) => break,
        }
    }
    Some(taken)
}

fn incoming(delivery: Delivery) -> (AckTag, Incoming) {
    let sender = DeviceAddress::of_capture_topic(&delivery.topic);
    let message = Incoming {
        topic: delivery.topic,
        sender,
        payload: delivery.payload,
    };
    (delivery.tag, message)
}

/// One group's way.
struct Worker {
    ingest: Arc<Ingest>,
    link: Link,
    duty: Duty,
    /// Term in which the group was taken: after it, the broker delivers its messages again.
    term: Option<u64>,
    shutdown: CancellationToken,
    _counted: Counted,
}

/// A group on its way, whichever session it came from.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("tracebond_ingest_groups").increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("tracebond_ingest_groups").decrement(1.0);
    }
}

impl Worker {
    async fn finish(self, group: Vec<Delivery>) {
        let (tags, messages): (Vec<_>, Vec<_>) = group.into_iter().map(incoming).unzip();
        let Some(processed) = self.commit(&messages).await else {
            return;
        };
        for tag in tags {
            self.link.ack(tag);
        }
        self.answer(processed).await;
    }

    /// Tries until it is durable; `None` where the messages are left for redelivery, since the
    /// platform stops or this process is off duty.
    async fn commit(&self, messages: &[Incoming]) -> Option<Processed> {
        loop {
            match self.ingest.process(messages).await {
                Ok(processed) => return Some(processed),
                Err(StoreError::Fenced | StoreError::Stale) => {
                    tracing::debug!("nobody leads, or the registry moves; trying again");
                }
                Err(error) => tracing::error!(
                    error = causes(&error),
                    "the store refused a transaction; trying again"
                ),
            }
            let over = async {
                match self.term {
                    Some(term) => self.duty.over(term).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = over => return None,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// A receipt that is lost here is asked for again by the device's redelivery.
    async fn answer(&self, processed: Processed) {
        for (device, reply) in processed.replies {
            metrics::counter!("tracebond_receipts_total").increment(1);
            if let Err(error) = self.link.publish(device.receipt_topic(), reply).await {
                tracing::warn!(%device, %error, "a receipt was not sent");
            }
        }
    }
}
