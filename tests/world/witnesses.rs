//! Four witnesses as they run anywhere, over loopback HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use platform::config::WitnessSection;
use platform::witness::{self, WitnessConfig};
use schemas::b64;
use schemas::hash::Hash;
use schemas::ids::Origin;
use schemas::key::SecretKey;
use schemas::log::Party;
use schemas::note::{Checkpoint, Note};
use schemas::time::Clock;
use schemas::tlog::LogTree;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::clock::HandClock;
use super::people::{key_of, party};

/// Names of the witnesses.
pub const NAMES: [&str; 4] = ["w1.example", "w2.example", "w3.example", "w4.example"];

/// The key that a log of this origin changes to.
pub fn next_log_key(origin: &Origin) -> SecretKey {
    key_of(&format!("{origin} 2"))
}

/// The running witnesses; they end with it.
pub struct Witnesses {
    addresses: Vec<SocketAddr>,
    _running: DropGuard,
}

impl Witnesses {
    /// Starts them for one log.
    pub async fn start(
        folder: &Path,
        origin: &Origin,
        log_key: &SecretKey,
        clock: &Arc<HandClock>,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let mut addresses = Vec::new();
        for name in NAMES {
            let config = WitnessConfig {
                name: name.into(),
                key: key_of(name),
                // The key that it has and the one that it may change to.
                logs: vec![
                    (origin.clone(), log_key.public()),
                    (origin.clone(), next_log_key(origin).public()),
                ],
                file: folder.join(format!("witness-{name}.json")),
                listen: ([127, 0, 0, 1], 0).into(),
                tls: None,
            };
            let clock = Arc::clone(clock) as Arc<dyn Clock>;
            let served = witness::run(config, clock, shutdown.clone()).await.unwrap();
            addresses.push(served.address);
        }
        Self {
            addresses,
            _running: shutdown.drop_guard(),
        }
    }

    /// As the policy names them.
    pub fn parties(&self) -> Vec<Party> {
        NAMES.map(party).into()
    }

    /// As the notary asks them.
    pub fn sections(&self) -> Vec<WitnessSection> {
        let section = |(name, address): (&str, &SocketAddr)| WitnessSection {
            name: name.to_owned(),
            url: format!("http://{address}"),
            key: Hash(key_of(name).public_bytes()),
            owner: None,
            own: true,
            ca: None,
            retiring: false,
        };
        NAMES
            .into_iter()
            .zip(&self.addresses)
            .map(section)
            .collect()
    }

    /// Asks one of them to cosign the first `size` entries of a tree as the successor of `old`
    /// entries, with the log's own valid signature. HTTP status and text of the answer.
    pub async fn ask(
        &self,
        key: &SecretKey,
        origin: &Origin,
        tree: &LogTree,
        old: u64,
        size: u64,
    ) -> (u16, String) {
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            size,
            root: tree.root(size).unwrap(),
        };
        let note = String::from_utf8(Note::sign(checkpoint, key).encode()).unwrap();
        let proof: String = tree
            .consistency(old, size)
            .unwrap_or_default()
            .iter()
            .map(|hash| format!("{}\n", b64::encode(&hash.0)))
            .collect();
        let answer = reqwest::Client::new()
            .post(format!("http://{}/add-checkpoint", self.addresses[0]))
            .body(format!("old {old}\n{proof}\n{note}"))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}
