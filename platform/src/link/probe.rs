//! Would the broker let the ingest do its work? One connection that leaves nothing behind.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop};
use schemas::ids::Slug;
use tokio::time::timeout;

use super::{CAPTURES, LinkConfig, LinkError, options};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the broker does not let us do.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The setting itself.
    #[error(transparent)]
    Setting(#[from] LinkError),
    /// Nobody answers there as a broker does.
    #[error("it cannot be reached")]
    Unreachable(#[source] Box<ConnectionError>),
    /// It does not answer in time.
    #[error("it does not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It does not let us in.
    #[error("it does not let us in: {0:?}")]
    LogIn(ConnectReturnCode),
    /// It does not let us read captures.
    #[error("it does not let us subscribe to {CAPTURES}: {0}")]
    Subscribe(String),
    /// It does not let us answer.
    #[error("it does not let us publish receipts: {0:?}")]
    Publish(PubAckReason),
}

impl ProbeError {
    /// True if nobody answers there now.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Silent)
    }

    /// What to do about it.
    #[must_use]
    pub const fn todo(&self) -> &'static str {
        match self {
            Self::Setting(_) => "mend `broker.url`",
            Self::Unreachable(_) | Self::Silent => "start it, or mend `broker.url`",
            Self::LogIn(_) => "mend `broker.username` and `broker.password`, or the broker's users",
            Self::Subscribe(_) => "let this user read tracebond/v1/+/+/capture (access list)",
            Self::Publish(_) => "let this user write tracebond/v1/+/+/receipt (access list)",
        }
    }
}

/// Logs in under a name of its own, subscribes (not in the group of the ingests, and at most once,
/// so that no message is taken from them), and publishes an empty receipt for a device that cannot
/// be: `operator/-` is no address.
///
/// # Errors
/// [`ProbeError`].
pub async fn probe(config: &LinkConfig, operator: &Slug) -> Result<(), ProbeError> {
    let mut options = options(config)?;
    options
        .set_clean_start(true)
        .set_session_expiry_interval(Some(0))
        .set_manual_acks(false);
    let (client, events) = AsyncClient::new(options, 8);
    match timeout(PATIENCE, ask(&client, events, operator)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ProbeError::Silent),
    }
}

async fn ask(
    client: &AsyncClient,
    mut events: EventLoop,
    operator: &Slug,
) -> Result<(), ProbeError> {
    loop {
        let event = events.poll().await.map_err(refused)?;
        let Event::Incoming(packet) = event else {
            continue;
        };
        match packet {
            Packet::ConnAck(_) => {
                let _ = client.try_subscribe(CAPTURES, QoS::AtMostOnce);
            }
            Packet::SubAck(ack) => {
                for code in ack.return_codes {
                    if !matches!(code, SubscribeReasonCode::Success(_)) {
                        return Err(ProbeError::Subscribe(format!("{code:?}")));
                    }
                }
                let topic = format!("tracebond/v1/{operator}/-/receipt");
                let _ = client.try_publish(topic, QoS::AtLeastOnce, false, "check");
            }
            Packet::PubAck(ack) => {
                return match ack.reason {
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
                    other => Err(ProbeError::Publish(other)),
                };
            }
            _ => {}
        }
    }
}

fn refused(error: ConnectionError) -> ProbeError {
    match error {
        ConnectionError::ConnectionRefused(code) => ProbeError::LogIn(code),
        other => ProbeError::Unreachable(Box::new(other)),
    }
}
