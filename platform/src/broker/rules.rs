//! Two of rmqtt's extension points: who of a shared group gets a message, and how long a session's
//! queue may be.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::subscribe::SharedSubscription;
use rmqtt::types::{
    ClientId, CodecPublish, ConnectInfo, Disconnect, FitterType, Id, IsOnline, ListenerConfig,
    NodeId, SharedGroup, SubscriptionIdentifier, SubscriptionOptions, TopicName,
};

use super::Limits;
use super::access::Principal;

/// Shared subscriptions, which rmqtt alone does not support: by turns among those connected, else
/// to the first one's session.
#[derive(Default)]
pub(super) struct RoundRobin(AtomicUsize);

type Candidate = (
    NodeId,
    ClientId,
    SubscriptionOptions,
    Option<Vec<SubscriptionIdentifier>>,
    Option<IsOnline>,
);

#[async_trait]
impl SharedSubscription for RoundRobin {
    fn is_supported(&self) -> bool {
        true
    }

    async fn choice(
        &self,
        _: &ServerContext,
        _: &SharedGroup,
        _: &Id,
        _: &TopicName,
        candidates: &[Candidate],
    ) -> Option<(usize, IsOnline)> {
        if candidates.is_empty() {
            return None;
        }
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        let online = |index: &usize| candidates[*index].4 == Some(true);
        let by_turns = (0..candidates.len()).map(|step| (turn + step) % candidates.len());
        Some(
            by_turns
                .clone()
                .find(online)
                .map_or((0, false), |index| (index, true)),
        )
    }
}

/// Makes the limits of each session.
pub(super) struct OurFitters {
    receipts: usize,
    captures: usize,
}

impl OurFitters {
    pub(super) fn new(limits: &Limits) -> Self {
        // Each message counts at least two in the backlog, so no ingest's queue can overflow.
        Self {
            receipts: limits.receipts,
            captures: limits.backlog_kib as usize,
        }
    }
}

impl FitterManager for OurFitters {
    fn create(&self, info: Arc<ConnectInfo>, id: Id, listener: ListenerConfig) -> FitterType {
        let ingest = Principal::of_client_id(&id.client_id) == Some(Principal::Ingest);
        let queue = if ingest { self.captures } else { self.receipts };
        Arc::new(OurFitter {
            queue,
            usual: DefaultFitter::new(info, id, listener),
        })
    }
}

struct OurFitter {
    queue: usize,
    usual: DefaultFitter,
}

impl Fitter for OurFitter {
    fn keep_alive(&self, keep_alive: &mut u16) -> rmqtt::Result<u16> {
        self.usual.keep_alive(keep_alive)
    }

    fn max_mqueue_len(&self) -> usize {
        self.queue
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.usual.mqueue_rate_limit()
    }

    fn max_inflight(&self) -> NonZeroU16 {
        self.usual.max_inflight()
    }

    fn session_expiry_interval(&self, disconnect: Option<&Disconnect>) -> Duration {
        self.usual.session_expiry_interval(disconnect)
    }

    fn message_expiry_interval(&self, publish: &CodecPublish) -> Duration {
        self.usual.message_expiry_interval(publish)
    }

    fn max_client_topic_aliases(&self) -> u16 {
        self.usual.max_client_topic_aliases()
    }

    fn max_server_topic_aliases(&self) -> u16 {
        self.usual.max_server_topic_aliases()
    }
}
