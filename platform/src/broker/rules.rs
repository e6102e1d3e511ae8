//! Two of rmqtt's extension points: whether shared subscriptions are known, and how long a
//! session's queue may be.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::subscribe::SharedSubscription;
use rmqtt::types::{CodecPublish, ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};

use super::Limits;
use super::access::Principal;

/// Lets clients subscribe to `$share/...`, which rmqtt alone would take for an ordinary filter that
/// never matches. Whose turn it is, is decided in [`super::ingests`], not here.
pub(super) struct Groups;

impl SharedSubscription for Groups {
    fn is_supported(&self) -> bool {
        true
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
