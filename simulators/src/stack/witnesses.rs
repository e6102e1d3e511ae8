//! Four witnesses on this machine: the operator's own here, one for each party in the world.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use kit::serve::Served;
use platform::config::WitnessSection;
use platform::witness::{self, WitnessConfig};
use schemas::hash::Hash;
use schemas::key::{PublicKey, SecretKey};
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use super::operator::Setup;

/// Names of the witnesses, as their cosignatures show them, and whom each stands for.
const PARTIES: [(&str, &str); 4] = [
    (
        "association.witness.example",
        "Industry association (simulated)",
    ),
    ("bank.witness.example", "Huimin Pilot Bank (simulated)"),
    ("consumers.witness.example", "Consumer council (simulated)"),
    ("regulator.witness.example", "Market regulator (simulated)"),
];

/// How many of them a checkpoint needs: one may lie and one may be down.
pub const QUORUM: u64 = 3;

/// Running witnesses.
pub struct Witnesses {
    /// As the platform's configuration names them.
    pub sections: Vec<WitnessSection>,
    served: Vec<Served>,
}

impl Witnesses {
    /// Starts all four for one log, at the operator's door; each keeps its memory in a file below
    /// `folder`.
    ///
    /// # Errors
    /// When one cannot start.
    pub async fn start(
        folder: &Path,
        setup: &Setup<'_>,
        log_key: &PublicKey,
        clock: &Arc<dyn Clock>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Witnesses> {
        std::fs::create_dir_all(folder)?;
        let secured = setup.door.secured.as_ref();
        let mut witnesses = Witnesses {
            sections: Vec::new(),
            served: Vec::new(),
        };
        for (name, owner) in PARTIES {
            let key = SecretKey::generate()?;
            let public = Hash(key.public_bytes());
            let config = WitnessConfig {
                name: name.to_owned(),
                key,
                logs: vec![(setup.origin.clone(), log_key.clone())],
                file: folder.join(format!("{name}.json")),
                listen: setup.door.beside(),
                tls: secured.map(|secured| Arc::clone(&secured.witnesses)),
            };
            let served = witness::run(config, clock.clone(), shutdown.clone()).await;
            let served = served.with_context(|| format!("witness {name}"))?;
            let section = WitnessSection {
                name: name.to_owned(),
                url: served.url(),
                key: public,
                owner: Some(owner.to_owned()),
                // One process on one machine: whatever their names, they are the operator's.
                own: true,
                ca: secured.map(|secured| secured.ca_pem.clone()),
                retiring: false,
            };
            witnesses.sections.push(section);
            witnesses.served.push(served);
        }
        Ok(witnesses)
    }

    /// Waits until all have ended; shutdown must have begun.
    pub async fn drained(self) {
        for served in self.served {
            if let Ok(Err(error)) = served.task.await {
                tracing::warn!(%error, "a witness ended badly");
            }
        }
    }
}
