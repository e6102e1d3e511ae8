//! Before a process may lead: it takes the lease, reads the log, and compares it with its own
//! checkpoint and with the witnesses. While another leads, it keeps up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use schemas::log::Entry;
use schemas::note::Note;
use schemas::tlog::LogTree;

use super::{Notary, NotaryError, PAGE, confirm};
use crate::registry::{AdmitError, Snapshot};
use crate::standing::Stand;
use crate::store::{Append, RegistryStore};

impl Notary {
    /// Takes the lease and makes this process the leader: builds the tree from the store, compares
    /// it with checkpoint and witnesses, and writes the first policy where the log is empty.
    ///
    /// # Errors
    /// [`NotaryError::Leased`]: another process leads. [`NotaryError::Unconfirmed`] and those of
    /// store and tiles: to be tried again. All others: the log must not go on. In every case
    /// nothing was signed that is not committed, and the lease is free for others.
    pub async fn open(&mut self) -> Result<(), NotaryError> {
        match self.lease.take().await {
            Err(NotaryError::Leased) => {
                self.standing.set(self.stand_beside().await);
                return Err(NotaryError::Leased);
            }
            taken => taken?,
        }
        let lease = Arc::clone(&self.lease);
        let opened = tokio::select! {
            lost = lease.keep() => Err(lost),
            opened = self.prepare() => opened,
        };
        match &opened {
            Ok(()) => self.standing.set(Stand::Leader {
                fence: self.lease.fence(),
            }),
            Err(error) => {
                self.standing.set(stand_after(error));
                self.lease.release().await;
            }
        }
        opened
    }

    /// What this process is while another has the lease.
    async fn stand_beside(&self) -> Stand {
        match self.store.is_led(self.clock.now()).await {
            Ok(true) => Stand::Worker,
            // It may be asking the witnesses still.
            Ok(false) => Stand::Standby,
            // Nothing can be stored anyway; what it was it goes on with.
            Err(_) => match self.standing.now() {
                Stand::Worker => Stand::Worker,
                _ => Stand::Standby,
            },
        }
    }

    async fn prepare(&self) -> Result<(), NotaryError> {
        self.doubtful.store(true, Ordering::Relaxed);
        self.settle().await?;
        self.compare_published()?;
        if self.tree.read(LogTree::size) == 0 {
            self.begin().await?;
        } else {
            self.read_policies().await?;
            self.compare_witnesses().await?;
        }
        self.publish_kept().await?;
        self.agree().await?;
        self.record_documents().await?;
        let version = self.gate.snapshot().head.map_or(0, |head| head.version);
        Ok(self.store.open_gate(self.lease.fence(), version).await?)
    }

    /// The first entry of a log that no witness knows.
    async fn begin(&self) -> Result<(), NotaryError> {
        // A later log key cannot begin a log: the log's id is that of the first.
        self.policy.check().map_err(|_| NotaryError::OtherPolicy)?;
        confirm::confirm_empty(&self.cosigner, &self.policy).await?;
        let entry = Entry::Policy(self.policy.clone()).encode();
        self.append(Append {
            entries: vec![entry],
            ..Append::default()
        })
        .await?;
        self.read_policies().await?;
        // So that it is known from the beginning who answers; it counts at the first turn.
        self.cosigner.ask(&self.sign()?, &self.tree).await;
        Ok(())
    }

    /// Reads the entries that the tree has not yet, up to the newest head, and compares its root.
    async fn rebuild(&self) -> Result<(), NotaryError> {
        const BROKEN: NotaryError = NotaryError::Broken("entries do not lead to the newest head");
        loop {
            let (size, root) = self.store.log_head().await?.unwrap_or_default();
            self.read_entries(size).await?;
            let built = self.tree.read(|tree| (tree.size(), tree.root(tree.size())));
            if built.0 != size || (size > 0 && built.1 != Some(root)) {
                return Err(BROKEN);
            }
            if self.store.entries(size, 1).await?.is_empty() {
                return Ok(());
            }
            // More than the head says: either it has been committed meanwhile, or it has no head.
            if self.store.log_head().await?.unwrap_or_default().0 == size {
                return Err(BROKEN);
            }
        }
    }

    async fn read_entries(&self, size: u64) -> Result<(), NotaryError> {
        loop {
            let from = self.tree.read(LogTree::size);
            let page = size.saturating_sub(from).min(u64::from(PAGE));
            let page = u32::try_from(page).unwrap_or(PAGE);
            let entries = if page == 0 {
                Vec::new()
            } else {
                self.store.entries(from, page).await?
            };
            if entries.is_empty() {
                return Ok(());
            }
            self.tree.push(&entries)?;
        }
    }

    fn compare_published(&self) -> Result<(), NotaryError> {
        let Some(bytes) = self.tiles.checkpoint()? else {
            return Ok(());
        };
        let ours = self.tree.read(LogTree::size);
        let note = Note::parse(&bytes).map_err(|_| NotaryError::Broken("checkpoint file"))?;
        let published = note.checkpoint.size;
        let root = self.tree.read(|tree| tree.root(published));
        if root == Some(note.checkpoint.root) {
            Ok(())
        } else {
            Err(NotaryError::Published { published, ours })
        }
    }

    async fn compare_witnesses(&self) -> Result<(), NotaryError> {
        let in_force = self.in_force();
        confirm::confirm(&self.cosigner, &in_force, self.sign()?, &self.tree).await
    }

    /// After an append whose outcome is unknown: what was committed counts.
    pub(super) async fn settle(&self) -> Result<(), NotaryError> {
        if self.doubtful.load(Ordering::Relaxed) {
            self.rebuild().await?;
            let kept = self.load_registry(&self.gate.snapshot()).await?;
            self.gate.set(Arc::new(kept));
            self.doubtful.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What a process does that does not lead: reads what the leader has appended and admitted, and
    /// publishes in its own folder what was witnessed.
    ///
    /// # Errors
    /// [`NotaryError`]; nothing was signed.
    pub async fn follow(&self) -> Result<(), NotaryError> {
        let (size, _) = self.store.log_head().await?.unwrap_or_default();
        let grown = size > self.tree.read(LogTree::size);
        if grown {
            self.rebuild().await?;
        }
        if grown || self.succession.policies.wait_for_handover() {
            self.read_policies().await?;
        }
        self.follow_registry().await?;
        self.publish_kept().await
    }

    async fn follow_registry(&self) -> Result<(), NotaryError> {
        let newest = self.store.registry_head().await?;
        if newest == self.gate.snapshot().head {
            return Ok(());
        }
        let kept = self.load_registry(&self.gate.snapshot()).await?;
        self.gate.set(Arc::new(kept));
        self.wake.credentials.notify_one();
        Ok(())
    }

    /// The newest registry: what has changed since the one in force, or all of it where that does
    /// not lead there.
    async fn load_registry(&self, known: &Snapshot) -> Result<Snapshot, NotaryError> {
        let store = &*self.store as &dyn RegistryStore;
        let kept = match known.advanced(store).await {
            Err(AdmitError::Root(_)) => Snapshot::load(store).await,
            kept => kept,
        };
        kept.map_err(|error| match error {
            AdmitError::Store(error) => NotaryError::Store(error),
            _ => NotaryError::Broken("registry"),
        })
    }
}

/// What a process is that could not begin to lead.
const fn stand_after(error: &NotaryError) -> Stand {
    match error {
        NotaryError::Unconfirmed { confirmed, needed } => Stand::Unconfirmed {
            confirmed: *confirmed,
            needed: *needed,
        },
        _ => Stand::Standby,
    }
}
