//! Proof bundles from what is kept (`proof-bundle.md`, `proof-bundle-v2.md`): chosen statements,
//! chosen events, chosen members, and every path that a stranger needs. What is made here is checked by the same verifier
//! as everywhere before it is handed out by tools; pages check it again.

mod fresh;
mod keys;
mod log;
mod rows;

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use schemas::disclosure::Audience;
use schemas::hash::Hash;
use schemas::log::{BatchHeader, Entry};
use schemas::merkle::Tree;
use schemas::proof::{Bundle, Bytes, EventRow, KeyRow, LATER_MAX, StatementRow, Version};
use schemas::registry::{SignedRecord, State};
use schemas::statement::Statement;

use crate::anchor::SharedTree;
use crate::disclosure::{ByName, Reading, Withholding};
use crate::policies::Policies;
use crate::registry::Registries;
use crate::store::{KeptBatch, KeptCheckpoint, KeptStatement, Store, StoreError};

use keys::{Keys, Place};
use rows::event_rows;

/// Questions to the store under way for one bundle.
const AT_ONCE: usize = 8;

/// Records by kid and registry version.
type Records = BTreeMap<(Hash, u64), SignedRecord>;

/// No bundle can be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// What is kept does not fit together.
    #[error("what is kept does not fit together: {0}")]
    Broken(&'static str),
    /// No whole chain leads from a statement to the last one of its retired key.
    #[error("no whole chain leads to the last statement of a retired key")]
    ChainEnds,
    /// More statements than one bundle is made of.
    #[error("more than {0} statements: choose a narrower span")]
    TooMany(usize),
    /// Nothing chosen is under a witnessed checkpoint yet.
    #[error("nothing chosen is under a witnessed checkpoint yet")]
    NotWitnessed,
}

/// Which events of a statement are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All of them.
    All,
    /// Those at these places.
    Places(BTreeSet<u64>),
}

/// What to put into a bundle.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Statements and their events.
    pub statements: BTreeMap<Hash, Chosen>,
    /// True: keys are shown at the newest registry head too, so that a reader learns what became of
    /// them since.
    pub fresh: bool,
}

impl Choice {
    /// Chooses one event.
    pub fn add_event(&mut self, statement: Hash, place: u64) {
        match self
            .statements
            .entry(statement)
            .or_insert_with(|| Chosen::Places(BTreeSet::new()))
        {
            Chosen::All => {}
            Chosen::Places(places) => {
                places.insert(place);
            }
        }
    }

    /// Nothing yet; keys will be shown at the newest registry head too.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            fresh: true,
            ..Self::default()
        }
    }

    /// Chooses a statement with all its events.
    pub fn add_statement(&mut self, statement: Hash) {
        self.statements.insert(statement, Chosen::All);
    }
}

/// Makes bundles.
#[derive(Clone)]
pub struct Bundler {
    /// Store.
    pub store: Arc<dyn Store>,
    /// The tree of the log.
    pub tree: SharedTree,
    /// Policies of the log.
    pub policies: Policies,
    /// The registry at the versions that headers carry.
    pub registries: Registries,
}

/// A bundle and what had to be left out.
#[derive(Debug)]
pub struct Made {
    /// The bundle's one spelling.
    pub bytes: Vec<u8>,
    /// Chosen statements that are not under a witnessed checkpoint yet.
    pub waiting: Vec<Hash>,
}

struct Header {
    batch: KeptBatch,
    header: BatchHeader,
    tree: Tree,
    covering: KeptCheckpoint,
}

/// Rows of statements and events while the table of keys still grows.
#[derive(Default)]
struct Said {
    statements: Vec<StatementRow>,
    events: Vec<EventRow>,
    /// Of each statement the places of its device's and its organisation's record.
    people: Vec<(Place, Place)>,
}

impl Said {
    /// Positions of the records, now that the table of keys is whole.
    fn settle(&mut self, keys: &BTreeMap<Place, KeyRow>) -> Result<(), BundleError> {
        let order: BTreeMap<&Place, usize> = keys.keys().zip(0..).collect();
        let find = |place| order.get(place).copied().ok_or(BundleError::Broken("keys"));
        for (row, (device, organisation)) in self.statements.iter_mut().zip(&self.people) {
            (row.device, row.organisation) = (find(device)?, find(organisation)?);
        }
        Ok(())
    }
}

impl Bundler {
    /// Makes a bundle of the choice; `withhold` names members that are not shown.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn make(
        &self,
        choice: &Choice,
        withhold: impl Fn(&str) -> bool + Send + Sync,
    ) -> Result<Made, BundleError> {
        self.make_as(choice, &ByName(withhold)).await
    }

    /// The same as an audience sees it: each event by the document of its own organisation.
    ///
    /// # Errors
    /// [`BundleError`].
    pub async fn make_for(&self, choice: &Choice, audience: Audience) -> Result<Made, BundleError> {
        let ids: Vec<Hash> = choice.statements.keys().copied().collect();
        let reading = Reading::load(&*self.store, audience, &ids).await?;
        self.make_as(choice, &reading).await
    }

    async fn make_as(
        &self,
        choice: &Choice,
        withholding: &impl Withholding,
    ) -> Result<Made, BundleError> {
        let view = self.view().await?;
        let (chosen, waiting) = self.witnessed(choice, view.size()).await?;
        let headers = self.headers(&chosen).await?;
        let policies = view.policies()?;
        let mut keys = Keys::over(&*self.store, &self.registries, &headers).await?;
        let (mut said, mut covering) = (Said::default(), log::Covering::new());
        let ids: Vec<Hash> = chosen.iter().map(|kept| kept.id).collect();
        let leaves = self.at_once(ids, |store, id| async move {
            Ok(store.events_of_statement(&id).await?)
        });
        for (kept, leaves) in chosen.iter().zip(leaves.await?) {
            let (mut row, signers) = self.statement_row(kept, &headers, &mut keys).await?;
            row.seen = view.seen(self, &kept.bytes, &mut covering).await?;
            let wanted = choice.statements.get(&kept.id).unwrap_or(&Chosen::All);
            let rows = event_rows(said.statements.len(), (kept, wanted), &leaves, withholding)?;
            said.events.extend(rows);
            said.statements.push(row);
            said.people.push(signers);
        }
        said.settle(&keys.rows)?;
        let fresh = match choice.fresh {
            true => self.fresh(&view, &keys).await?,
            false => None,
        };
        let (checkpoints, sizes) = view.checkpoints(&headers)?;
        let row = |header| view.header_row(header, &sizes);
        let bundle = Bundle {
            version: Version::V2,
            policies,
            checkpoints,
            headers: headers.iter().map(row).collect::<Result<_, _>>()?,
            keys: keys.rows.into_values().collect(),
            fresh,
            statements: said.statements,
            events: said.events,
        };
        let bytes = bundle.to_json().map_err(|_| BundleError::Broken("JSON"))?;
        Ok(Made { bytes, waiting })
    }

    /// Asks the store about many things, some at once; answers are in the order of the things. All
    /// are awaited here: questions left half asked would keep their connections from others.
    async fn at_once<I, T, F>(
        &self,
        things: Vec<I>,
        ask: fn(Arc<dyn Store>, I) -> F,
    ) -> Result<Vec<T>, BundleError>
    where
        I: Send + 'static,
        T: Send + 'static,
        F: Future<Output = Result<T, BundleError>> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let asked = things
            .into_iter()
            .map(move |one| ask(Arc::clone(&store), one));
        let answers = stream::iter(asked).buffered(AT_ONCE).boxed();
        answers.try_collect().await
    }

    /// Chosen statements under a witnessed checkpoint, in the order of the log; the rest's ids.
    async fn witnessed(
        &self,
        choice: &Choice,
        size: u64,
    ) -> Result<(Vec<KeptStatement>, Vec<Hash>), BundleError> {
        let (mut chosen, mut waiting) = (Vec::new(), Vec::new());
        let mut records = Records::new();
        let ids: Vec<Hash> = choice.statements.keys().copied().collect();
        let statements = self.at_once(ids, |store, id| async move {
            let kept = store.statement(&id).await?;
            kept.ok_or(BundleError::Broken("statement"))
        });
        for kept in statements.await? {
            let witnessed = kept.batch.is_some_and(|place| place.log_index < size);
            if witnessed && self.reaches_last(&kept, &mut records).await? {
                chosen.push(kept);
            } else {
                waiting.push(kept.id);
            }
        }
        if chosen.is_empty() {
            return Err(BundleError::NotWitnessed);
        }
        chosen.sort_by_key(|kept| kept.batch.map(|place| (place.log_index, place.position)));
        Ok((chosen, waiting))
    }

    /// False for a statement of a retired key from which no whole chain leads to the last one.
    async fn reaches_last(
        &self,
        kept: &KeptStatement,
        records: &mut Records,
    ) -> Result<bool, BundleError> {
        let record = match records.entry((kept.kid, kept.registry_version)) {
            MapEntry::Occupied(known) => known.into_mut(),
            MapEntry::Vacant(new) => {
                let (kid, version) = new.key();
                let record = self.store.record_at(kid, *version).await?;
                let record = record.ok_or(BundleError::Broken("record"))?;
                let record = SignedRecord::parse(record.bytes);
                new.insert(record.map_err(|_| BundleError::Broken("record"))?)
            }
        };
        match self.later(kept, record).await {
            Ok(_) => Ok(true),
            Err(BundleError::ChainEnds) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn headers(&self, chosen: &[KeptStatement]) -> Result<Vec<Header>, BundleError> {
        let places: BTreeSet<_> = chosen
            .iter()
            .filter_map(|kept| kept.batch)
            .map(|p| (p.log_index, p.shard, p.seq))
            .collect();
        let mut headers = Vec::with_capacity(places.len());
        let places: Vec<_> = places.into_iter().collect();
        let batches = self.at_once(places, |store, (index, shard, seq)| async move {
            let batch = store.batch(shard, seq).await?;
            let batch = batch.ok_or(BundleError::Broken("batch"))?;
            let covering = store.checkpoint_covering(index).await?;
            Ok((batch, covering.ok_or(BundleError::NotWitnessed)?))
        });
        for (batch, covering) in batches.await? {
            let header = match Entry::parse(&batch.header) {
                Ok(Entry::Header(header)) => header,
                _ => return Err(BundleError::Broken("header")),
            };
            let tree = Tree::new(&batch.statements).ok_or(BundleError::Broken("batch tree"))?;
            headers.push(Header {
                batch,
                header,
                tree,
                covering,
            });
        }
        Ok(headers)
    }

    async fn statement_row(
        &self,
        kept: &KeptStatement,
        headers: &[Header],
        keys: &mut Keys<'_>,
    ) -> Result<(StatementRow, (Place, Place)), BundleError> {
        let place = kept.batch.ok_or(BundleError::NotWitnessed)?;
        let header = headers
            .iter()
            .position(|header| header.batch.log_index == place.log_index);
        let header = header.ok_or(BundleError::Broken("header"))?;
        let version = headers[header].header.registry.version;
        let (device, record) = keys.place(version, &kept.kid).await?;
        let (organisation, _) = keys.place(version, &record.signer).await?;
        let index = usize::try_from(place.position).map_err(|_| BundleError::Broken("place"))?;
        let path = headers[header]
            .tree
            .path(index)
            .ok_or(BundleError::Broken("batch path"))?;
        let later = self.later(kept, &record).await?;
        let row = StatementRow {
            statement: Bytes(kept.bytes.clone()),
            header,
            index: place.position,
            path: path.into(),
            device: 0,
            organisation: 0,
            later,
            seen: None,
        };
        Ok((row, (device, organisation)))
    }

    /// The chain from this statement to the last one of a key that was retired.
    async fn later(
        &self,
        kept: &KeptStatement,
        record: &SignedRecord,
    ) -> Result<Option<Vec<Bytes>>, BundleError> {
        let State::Retired {
            last: Some((last, id)),
        } = &record.record.state
        else {
            return Ok(None);
        };
        if kept.position >= *last {
            return Ok(None);
        }
        let mut chain = Vec::new();
        let mut before = kept.id;
        for next in self.store.chain(&kept.device).await? {
            let next = self
                .store
                .statement(&next)
                .await?
                .ok_or(BundleError::Broken("chain"))?;
            let parsed =
                Statement::parse(next.bytes.clone()).map_err(|_| BundleError::Broken("chain"))?;
            if parsed.payload.prev == before && before != *id {
                before = next.id;
                chain.push(Bytes(next.bytes));
            }
        }
        if before == *id && chain.len() <= LATER_MAX {
            Ok(Some(chain))
        } else {
            Err(BundleError::ChainEnds)
        }
    }
}
