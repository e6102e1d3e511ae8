//! A device whose key no longer counts.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use schemas::ids::DeviceAddress;
use tokio::sync::Notify;

use super::*;

/// How long a revoked device may still be inside.
const SECONDS: Duration = Duration::from_secs(5);

/// Like [`Known`], but for those who were put out.
#[derive(Default)]
struct Revocable {
    out: Mutex<BTreeSet<String>>,
    changed: Notify,
}

impl Revocable {
    fn revoke(&self, device: &str) {
        self.out.lock().unwrap().insert(device.to_owned());
        self.changed.notify_one();
    }
}

#[async_trait]
impl BrokerAccess for Revocable {
    async fn login(&self, username: &str, password: &[u8]) -> Option<Principal> {
        let out = self.out.lock().unwrap().contains(username);
        let principal = Known.login(username, password).await;
        principal.filter(|_| !out)
    }

    async fn may_stay(&self, device: &DeviceAddress) -> bool {
        !self.out.lock().unwrap().contains(&device.to_string())
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[tokio::test]
async fn a_revoked_device_is_put_out_at_once_and_others_stay() {
    let access = Arc::new(Revocable::default());
    let given = Arc::clone(&access) as Arc<dyn BrokerAccess>;
    let shutdown = CancellationToken::new();
    let broker = run(BrokerConfig::default(), given, shutdown.clone()).await;
    let broker = broker.unwrap();
    let mut ingest = Peer::ingest(&broker, "ingest", "$share/ingest/").await;
    let mut honest = Peer::device(&broker, "maker/b").await;
    let mut thief = Peer::device(&broker, "maker/a").await;
    let started = Instant::now();
    access.revoke("maker/a");
    thief.ended().await;
    assert!(started.elapsed() < SECONDS, "{:?}", started.elapsed());
    let again = peer::options(broker.plain, "maker/a", "maker/a", "secret");
    let error = Peer::start(again).refused().await;
    assert_eq!(
        refusal(&error),
        Some(ConnectReturnCode::BadUserNamePassword)
    );
    // Who stays inside does not notice.
    let said = honest.published(&capture("maker/b"), b"on").await;
    assert_eq!(said, PubAckReason::Success);
    assert_eq!(&*ingest.delivery().await.payload, b"on");
}
