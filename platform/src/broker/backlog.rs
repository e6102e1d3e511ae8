//! Capture messages between the publisher's PUBLISH and the ingest's PUBACK.
//!
//! The trick: a message's payload is handed to rmqtt as `Bytes` whose owner is a [`Held`]. rmqtt
//! clones the payload into queues and windows as it likes; when the last clone is gone, the owner
//! is dropped, and only then its permit is given back. So the count is exact whatever way a message
//! takes out of rmqtt, and a message that leaves without having been acknowledged is noticed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use rmqtt::context::ServerContext;
use rmqtt::types::{ClientId, CodecPublish, From, Publish, QoS, TopicName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use schemas::ids::DeviceAddress;

use super::ingests::Ingests;
use super::shares::Shares;
use super::{Limits, held_back};

/// Messages that are put back in one go.
const AGAIN_BATCH: usize = 1024;
/// Pause before messages are put back: their subscriber has just gone.
const AGAIN_PAUSE: Duration = Duration::from_millis(50);

/// Shared by the hooks, the held messages and the task that puts messages back.
#[derive(Clone)]
pub(super) struct Backlog(Arc<Shared>);

struct Shared {
    room: Arc<Semaphore>,
    shares: Shares,
    patience: Duration,
    /// Held payloads by address (unique while they live) and whether they are acknowledged.
    held: Mutex<BTreeMap<usize, bool>>,
    /// Who may be given messages; watched by those that wait for somebody.
    ingests: watch::Sender<Ingests>,
    lost: mpsc::UnboundedSender<Message>,
}

/// A message outside rmqtt, with its place in the backlog.
struct Message {
    from: From,
    topic: TopicName,
    payload: Bytes,
    place: Place,
}

/// Room for a message: in its device's share, then in the whole.
struct Place {
    _share: OwnedSemaphorePermit,
    room: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        backlog_bytes().decrement(f64::from(self.kib()) * 1024.0);
    }
}

impl Place {
    /// What it counts.
    fn kib(&self) -> u32 {
        u32::try_from(self.room.num_permits()).unwrap_or(u32::MAX)
    }
}

fn backlog_bytes() -> metrics::Gauge {
    metrics::gauge!("tracebond_broker_backlog_bytes")
}

/// What a message counts, in KiB.
fn kib(payload: &Bytes) -> u32 {
    u32::try_from(payload.len() / 1024 + 2).unwrap_or(u32::MAX)
}

impl Backlog {
    /// An empty backlog, and a task on the current runtime that puts lost messages back.
    pub(super) fn start(context: &ServerContext, limits: &Limits) -> Self {
        let (lost, again) = mpsc::unbounded_channel();
        let shared = Shared {
            room: Arc::new(Semaphore::new(limits.backlog_kib as usize)),
            shares: Shares::new(limits),
            patience: limits.patience,
            held: Mutex::default(),
            ingests: watch::Sender::default(),
            lost,
        };
        let backlog = Self(Arc::new(shared));
        tokio::spawn(backlog.clone().put_back(context.clone(), again));
        backlog
    }

    /// Takes a device's capture message in, not faster than that device's rate: the same message,
    /// held. `None` when there is no room, or no ingest, for as long as a publisher may wait.
    pub(super) async fn take(
        &self,
        device: &DeviceAddress,
        from: &From,
        publish: &Publish,
    ) -> Option<Publish> {
        let (share, wait) = self.0.shares.next(device, Instant::now());
        if !wait.is_zero() {
            held_back("rate");
            sleep(wait).await;
        }
        let place = self.place(&share.room, kib(&publish.payload));
        let place = timeout(self.0.patience, place).await.ok()??;
        let message = Message {
            from: from.clone(),
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            place,
        };
        let mut held = publish.clone();
        held.inner.payload = self.hold(message);
        held.target_clientid = self.whose_turn();
        // A message's own expiry would have it dropped in the queue.
        held.inner.properties = None;
        Some(held)
    }

    async fn place(&self, share: &Arc<Semaphore>, kib: u32) -> Option<Place> {
        self.someone_listens().await;
        // One device's messages wait for each other, not before the others'.
        let share = acquire(share, kib, "share").await?;
        let room = acquire(&self.0.room, kib, "room").await?;
        backlog_bytes().increment(f64::from(kib) * 1024.0);
        Some(Place {
            _share: share,
            room,
        })
    }

    async fn someone_listens(&self) {
        // The sender lives as long as we do, so this ends with somebody listening.
        let mut ingests = self.0.ingests.subscribe();
        let _ = ingests.wait_for(|ingests| !ingests.is_empty()).await;
    }

    fn hold(&self, message: Message) -> Bytes {
        self.held().insert(address(&message.payload), false);
        Bytes::from_owner(Held {
            message: Some(message),
            backlog: self.clone(),
        })
    }

    /// The ingest has acknowledged a message.
    pub(super) fn acknowledged(&self, payload: &Bytes) {
        if let Some(acknowledged) = self.held().get_mut(&address(payload)) {
            *acknowledged = true;
        }
    }

    /// Something has happened to an ingest's session.
    pub(super) fn ingests(&self, change: impl FnOnce(&mut Ingests)) {
        self.0.ingests.send_modify(change);
    }

    /// Whom the next message goes to. Does not wake those that wait: turns are no news.
    fn whose_turn(&self) -> Option<ClientId> {
        let mut chosen = None;
        self.0.ingests.send_if_modified(|ingests| {
            chosen = ingests.next();
            false
        });
        chosen
    }

    async fn put_back(self, context: ServerContext, mut again: mpsc::UnboundedReceiver<Message>) {
        let mut batch = Vec::new();
        while again.recv_many(&mut batch, AGAIN_BATCH).await > 0 {
            tracing::info!(messages = batch.len(), "putting messages back for delivery");
            metrics::counter!("tracebond_broker_captures_put_back_total")
                .increment(batch.len() as u64);
            sleep(AGAIN_PAUSE).await;
            self.someone_listens().await;
            for message in batch.drain(..) {
                self.forward(&context, message).await;
            }
        }
    }

    /// Gives a message to somebody again. If nobody takes it, its payload is dropped and it comes back here.
    async fn forward(&self, context: &ServerContext, message: Message) {
        let (from, topic) = (message.from.clone(), message.topic.clone());
        let inner = CodecPublish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic,
            packet_id: None,
            payload: self.hold(message),
            properties: None,
        };
        let publish = Publish {
            inner: Box::new(inner),
            target_clientid: self.whose_turn(),
            delay_interval: None,
            create_time: None,
        };
        let _ = context
            .extends
            .shared()
            .await
            .forwards(None, from, publish)
            .await;
    }

    /// The map is only ever held for one operation, so a panic cannot leave it half changed.
    fn held(&self) -> MutexGuard<'_, BTreeMap<usize, bool>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for so many KiB; where there is none yet, that is counted.
async fn acquire(
    room: &Arc<Semaphore>,
    kib: u32,
    what: &'static str,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(room).try_acquire_many_owned(kib) {
        return Some(permit);
    }
    held_back(what);
    Arc::clone(room).acquire_many_owned(kib).await.ok()
}

/// Where a payload's bytes are; no two live payloads share it, as none is empty.
fn address(payload: &Bytes) -> usize {
    payload.as_ptr() as usize
}

/// Owner of a payload inside rmqtt.
struct Held {
    /// Always there until the drop.
    message: Option<Message>,
    backlog: Backlog,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.message
            .as_ref()
            .map_or(&[], |message| &message.payload)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(message) = self.message.take() else {
            return;
        };
        let acknowledged = self.backlog.held().remove(&address(&message.payload));
        if acknowledged == Some(false) {
            // Fails only when the broker is ending.
            let _ = self.backlog.0.lost.send(message);
        } else {
            drop(message.place);
        }
    }
}
