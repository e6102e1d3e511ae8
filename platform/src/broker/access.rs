//! Who may do what: pure rules over names, no broker in sight.

use async_trait::async_trait;
use schemas::ids::DeviceAddress;

/// All capture topics, what an ingest subscribes to (alone or under `$share/{group}/`).
pub(super) const CAPTURES: &str = "tracebond/v1/+/+/capture";

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A device: publishes its captures, reads its receipts.
    Device(DeviceAddress),
    /// The platform's ingest: reads all captures, publishes receipts.
    Ingest,
}

/// Knows the credentials.
#[async_trait]
pub trait BrokerAccess: Send + Sync {
    /// Whose credentials these are; `None` for wrong ones. Called on the broker's own runtime,
    /// once for each connection, with whatever a stranger sent.
    async fn login(&self, username: &str, password: &[u8]) -> Option<Principal>;

    /// Whether a device that has logged in may still be here.
    async fn may_stay(&self, device: &DeviceAddress) -> bool {
        let _ = device;
        true
    }

    /// Returns when answers of [`BrokerAccess::may_stay`] may have changed since it returned the
    /// last time; never, if they do not.
    async fn changed(&self) {
        std::future::pending().await
    }
}

impl Principal {
    /// May this principal connect under a client id? See [`Principal::of_client_id`].
    pub(super) fn may_connect_as(&self, client_id: &str) -> bool {
        Self::of_client_id(client_id).as_ref() == Some(self)
    }

    /// Whose client id this is: `{org}/{device}` with or without `/...` after it is that device's,
    /// anything without `/` is an ingest's. Client ids name sessions, so no two principals may
    /// share one.
    pub(super) fn of_client_id(client_id: &str) -> Option<Self> {
        let mut parts = client_id.splitn(3, '/');
        match (parts.next()?, parts.next()) {
            ("", None) => None,
            (_, None) => Some(Self::Ingest),
            (organisation, Some(device)) => format!("{organisation}/{device}")
                .parse()
                .ok()
                .map(Self::Device),
        }
    }

    /// May it publish to a topic?
    pub(super) fn may_publish(&self, topic: &str) -> bool {
        match self {
            Self::Device(address) => topic == address.capture_topic(),
            Self::Ingest => is_receipt_topic(topic),
        }
    }

    /// May it subscribe to a filter, of a shared group or alone?
    pub(super) fn may_subscribe(&self, filter: &str, shared: bool) -> bool {
        match self {
            Self::Device(address) => !shared && filter == address.receipt_topic(),
            Self::Ingest => filter == CAPTURES,
        }
    }
}

/// Is this the capture topic of some device?
pub(super) fn is_capture_topic(topic: &str) -> bool {
    DeviceAddress::of_capture_topic(topic).is_some()
}

fn is_receipt_topic(topic: &str) -> bool {
    topic
        .strip_prefix("tracebond/v1/")
        .and_then(|rest| rest.strip_suffix("/receipt"))
        .is_some_and(|address| address.parse::<DeviceAddress>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Principal {
        Principal::Device("maker/press-1".parse().unwrap())
    }

    #[test]
    fn a_client_id_belongs_to_one_principal() {
        assert!(device().may_connect_as("maker/press-1"));
        assert!(device().may_connect_as("maker/press-1/2"));
        for foreign in [
            "maker/press-2",
            "maker/press-11",
            "maker",
            "",
            "/",
            "maker/",
            "ingest",
        ] {
            assert!(!device().may_connect_as(foreign), "{foreign}");
        }
        assert!(Principal::Ingest.may_connect_as("ingest-1"));
        assert!(!Principal::Ingest.may_connect_as(""));
        assert!(!Principal::Ingest.may_connect_as("maker/press-1"));
    }

    #[test]
    fn a_device_has_two_topics() {
        assert!(device().may_publish("tracebond/v1/maker/press-1/capture"));
        assert!(device().may_subscribe("tracebond/v1/maker/press-1/receipt", false));
        assert!(!device().may_subscribe("tracebond/v1/maker/press-1/receipt", true));
        for topic in [
            "tracebond/v1/maker/press-2/capture",
            "tracebond/v1/maker/press-1/receipt",
            "tracebond/v1/maker/press-1/capture/x",
            "tracebond/v1/+/+/capture",
            "#",
        ] {
            assert!(!device().may_publish(topic), "{topic}");
        }
        for filter in ["#", CAPTURES, "tracebond/v1/maker/+/receipt", "$SYS/#"] {
            assert!(!device().may_subscribe(filter, false), "{filter}");
        }
    }

    #[test]
    fn the_ingest_reads_captures_and_writes_receipts() {
        assert!(Principal::Ingest.may_subscribe(CAPTURES, true));
        assert!(Principal::Ingest.may_subscribe(CAPTURES, false));
        assert!(!Principal::Ingest.may_subscribe("#", true));
        assert!(Principal::Ingest.may_publish("tracebond/v1/maker/press-1/receipt"));
        assert!(!Principal::Ingest.may_publish("tracebond/v1/maker/press-1/capture"));
        assert!(!Principal::Ingest.may_publish("tracebond/v1/maker/x/y/receipt"));
    }
}
