//! Proof bundles from what is kept (`proof-bundle.md`): chosen statements, chosen events, chosen
//! members, and every path that a stranger needs. What is made here is checked by the same verifier
//! as everywhere before it is handed out by tools; pages check it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::event::Event;
use schemas::hash::Hash;
use schemas::log::{BatchHeader, Entry, Policy};
use schemas::merkle::Tree;
use schemas::note::Note;
use schemas::proof::{
    Bundle, Bytes, CheckpointRow, EventRow, Fixed, HeaderRow, KeyRow, LATER_MAX, PolicyRow,
    StatementRow, Version, member_rows,
};
use schemas::registry::{Registry, SignedRecord, State};
use schemas::statement::Statement;

use crate::anchor::SharedTree;
use crate::store::{KeptBatch, KeptCheckpoint, KeptEvent, KeptStatement, Store, StoreError};

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

    /// Chooses a statement with all its events.
    pub fn add_statement(&mut self, statement: Hash) {
        self.statements.insert(statement, Chosen::All);
    }
}

/// Members that the public does not see: the parties' business.
pub const PRIVATE_MEMBERS: [&str; 7] = [
    "tb:invoiceAmount",
    "tb:invoiceCurrency",
    "tb:orderAmount",
    "tb:orderCurrency",
    "bizTransactionList",
    "sourceList",
    "destinationList",
];

/// True for a member that a public bundle withholds.
#[must_use]
pub fn withheld_from_public(name: &str) -> bool {
    PRIVATE_MEMBERS.contains(&name)
}

/// Makes bundles.
#[derive(Clone)]
pub struct Bundler {
    /// Store.
    pub store: Arc<dyn Store>,
    /// The tree of the log.
    pub tree: SharedTree,
    /// Policy in force.
    pub policy: Policy,
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

struct Keys<'a> {
    store: &'a dyn Store,
    /// Registry version -> first header with it, and the tree.
    registries: BTreeMap<u64, (usize, Registry)>,
    rows: BTreeMap<(usize, u64), KeyRow>,
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
        let (chosen, waiting) = self.witnessed(choice).await?;
        let headers = self.headers(&chosen).await?;
        let mut keys = Keys {
            store: &*self.store,
            registries: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        keys.find_registries(&headers).await?;
        let mut statements = Vec::new();
        let mut events = Vec::new();
        let mut people = Vec::new();
        for kept in &chosen {
            let (row, signers) = self.statement_row(kept, &headers, &mut keys).await?;
            let position = statements.len();
            let wanted = choice.statements.get(&kept.id).unwrap_or(&Chosen::All);
            let leaves = self.store.events_of_statement(&kept.id).await?;
            events.extend(event_rows(position, wanted, &leaves, &withhold)?);
            statements.push(row);
            people.push(signers);
        }
        let order: BTreeMap<(usize, u64), usize> = keys
            .rows
            .keys()
            .enumerate()
            .map(|(position, place)| (*place, position))
            .collect();
        for (row, (device, organisation)) in statements.iter_mut().zip(people) {
            row.device = order.get(&device).copied().unwrap_or(usize::MAX);
            row.organisation = order.get(&organisation).copied().unwrap_or(usize::MAX);
        }
        let newest = self
            .store
            .newest_checkpoint()
            .await?
            .ok_or(BundleError::NotWitnessed)?;
        let bundle = self
            .bundle(&headers, newest, keys.rows, statements, events)
            .await?;
        let bytes = bundle.to_json().map_err(|_| BundleError::Broken("JSON"))?;
        Ok(Made { bytes, waiting })
    }

    /// Chosen statements under a witnessed checkpoint, in the order of the log; the rest's ids.
    async fn witnessed(
        &self,
        choice: &Choice,
    ) -> Result<(Vec<KeptStatement>, Vec<Hash>), BundleError> {
        let size = self
            .store
            .newest_checkpoint()
            .await?
            .map_or(0, |newest| newest.size);
        let (mut chosen, mut waiting) = (Vec::new(), Vec::new());
        for id in choice.statements.keys() {
            let kept = self
                .store
                .statement(id)
                .await?
                .ok_or(BundleError::Broken("statement"))?;
            let witnessed = kept.batch.is_some_and(|place| place.log_index < size);
            if witnessed && self.reaches_last(&kept).await? {
                chosen.push(kept);
            } else {
                waiting.push(*id);
            }
        }
        if chosen.is_empty() {
            return Err(BundleError::NotWitnessed);
        }
        chosen.sort_by_key(|kept| kept.batch.map(|place| (place.log_index, place.position)));
        Ok((chosen, waiting))
    }

    /// False for a statement of a retired key from which no whole chain leads to the last one.
    async fn reaches_last(&self, kept: &KeptStatement) -> Result<bool, BundleError> {
        let record = self
            .store
            .record_at(&kept.kid, kept.registry_version)
            .await?;
        let record = record.ok_or(BundleError::Broken("record"))?;
        let record =
            SignedRecord::parse(record.bytes).map_err(|_| BundleError::Broken("record"))?;
        match self.later(kept, &record).await {
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
        for (log_index, shard, seq) in places {
            let batch = self
                .store
                .batch(shard, seq)
                .await?
                .ok_or(BundleError::Broken("batch"))?;
            let header = match Entry::parse(&batch.header) {
                Ok(Entry::Header(header)) => header,
                _ => return Err(BundleError::Broken("header")),
            };
            let tree = Tree::new(&batch.statements).ok_or(BundleError::Broken("batch tree"))?;
            let covering = self.store.checkpoint_covering(log_index).await?;
            let covering = covering.ok_or(BundleError::NotWitnessed)?;
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
    ) -> Result<(StatementRow, ((usize, u64), (usize, u64))), BundleError> {
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

    async fn bundle(
        &self,
        headers: &[Header],
        newest: KeptCheckpoint,
        keys: BTreeMap<(usize, u64), KeyRow>,
        statements: Vec<StatementRow>,
        events: Vec<EventRow>,
    ) -> Result<Bundle, BundleError> {
        let size = newest.size;
        let mut notes: BTreeMap<u64, Vec<u8>> = headers
            .iter()
            .map(|header| (header.covering.size, header.covering.note.clone()))
            .collect();
        notes.insert(size, newest.note);
        let sizes: Vec<u64> = notes.keys().copied().collect();
        let checkpoints = notes
            .into_values()
            .map(|note| self.trimmed(&note))
            .collect::<Result<_, _>>()?;
        let first = self
            .store
            .entries(0, 1)
            .await?
            .pop()
            .ok_or(BundleError::Broken("policy"))?;
        let path = |index, size| {
            let path = self.tree.read(|tree| tree.inclusion(index, size));
            path.map(Into::into).ok_or(BundleError::Broken("log path"))
        };
        let row = |header: &Header| {
            let (index, size) = (header.batch.log_index, header.covering.size);
            Ok::<_, BundleError>(HeaderRow {
                entry: Bytes(header.batch.header.clone()),
                index,
                checkpoint: sizes
                    .binary_search(&size)
                    .map_err(|_| BundleError::Broken("size"))?,
                path: path(index, size)?,
                refused: header.batch.refused.clone().map(Bytes),
            })
        };
        Ok(Bundle {
            version: Version::V1,
            policies: vec![PolicyRow::first(Bytes(first), 0, path(0, size)?)],
            fresh: None,
            checkpoints,
            headers: headers.iter().map(row).collect::<Result<_, _>>()?,
            keys: keys.into_values().collect(),
            statements,
            events,
        })
    }

    /// A note with only the lines that a bundle may hold.
    fn trimmed(&self, note: &[u8]) -> Result<CheckpointRow, BundleError> {
        let note = Note::parse(note).map_err(|_| BundleError::Broken("checkpoint"))?;
        Ok(CheckpointRow::only(note.for_bundle(&self.policy).encode()))
    }
}

impl Keys<'_> {
    async fn find_registries(&mut self, headers: &[Header]) -> Result<(), BundleError> {
        for (position, header) in headers.iter().enumerate() {
            let version = header.header.registry.version;
            if self.registries.contains_key(&version) {
                continue;
            }
            let list = self
                .store
                .registry_list(version)
                .await?
                .into_iter()
                .collect();
            let registry = Registry::new(&list).ok_or(BundleError::Broken("registry"))?;
            if registry.root() != header.header.registry.root {
                return Err(BundleError::Broken("registry root"));
            }
            self.registries.insert(version, (position, registry));
        }
        Ok(())
    }

    /// Puts a key's record into the table; its place and the record.
    async fn place(
        &mut self,
        version: u64,
        kid: &Hash,
    ) -> Result<((usize, u64), SignedRecord), BundleError> {
        let (header, registry) = self
            .registries
            .get(&version)
            .ok_or(BundleError::Broken("registry"))?;
        let (index, path) = registry
            .path(kid)
            .ok_or(BundleError::Broken("registry path"))?;
        let kept = self
            .store
            .record_at(kid, version)
            .await?
            .ok_or(BundleError::Broken("record"))?;
        let signed =
            SignedRecord::parse(kept.bytes.clone()).map_err(|_| BundleError::Broken("record"))?;
        let place = (*header, index);
        let row = KeyRow {
            record: Bytes(kept.bytes),
            salt: Fixed(kept.salt.0),
            header: *header,
            index,
            path: path.into(),
        };
        self.rows.insert(place, row);
        Ok((place, signed))
    }
}

fn event_rows(
    statement: usize,
    wanted: &Chosen,
    leaves: &[KeptEvent],
    withhold: &(impl Fn(&str) -> bool + Send + Sync),
) -> Result<Vec<EventRow>, BundleError> {
    let hashes: Vec<Hash> = leaves.iter().map(|event| event.leaf).collect();
    let Some(tree) = Tree::new(&hashes) else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for event in leaves {
        let chosen = match wanted {
            Chosen::All => true,
            Chosen::Places(places) => places.contains(&event.position),
        };
        // A refused event proves nothing, and a verifier refuses it.
        if !chosen || event.refused.is_some() {
            continue;
        }
        let index = usize::try_from(event.position).map_err(|_| BundleError::Broken("place"))?;
        let path = tree.path(index).ok_or(BundleError::Broken("event path"))?;
        let members = match &event.content {
            None => None,
            Some((bytes, salt)) => {
                let parsed =
                    Event::parse(bytes.clone()).map_err(|_| BundleError::Broken("event"))?;
                Some(member_rows(&parsed, salt, withhold))
            }
        };
        rows.push(EventRow {
            statement,
            index: event.position,
            path: path.into(),
            leaf: members.is_none().then(|| event.leaf.into()),
            source: members.is_some().then(|| u64::from(event.source.number())),
            members,
        });
    }
    Ok(rows)
}
