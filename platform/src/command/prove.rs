//! `platform prove`: the bundle of events that are looked for in this platform's own database,
//! checked by the verifier before it is handed out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use schemas::disclosure::Audience;
use schemas::gs1::ItemKey;
use schemas::hash::Hash;
use schemas::ids::DeviceAddress;
use schemas::proof::{self, Refusal, Report};
use schemas::time::Instant;

use super::policy::{PolicyError, chain};
use crate::anchor::{NotaryError, SharedTree};
use crate::bundle::{BundleError, Bundler, Made};
use crate::policies::Policies;
use crate::registry::{AdmitError, Gate, Registries, Snapshot};
use crate::search::{PAGE_MAX, SearchError, Sizes, What, search};
use crate::store::search::Span;
use crate::store::{RegistryStore, Store, StoreError};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("wanted").required(true).args(["item", "event", "device"])))]
pub struct Arguments {
    /// Configuration file.
    #[arg(long)]
    pub config: PathBuf,
    /// Events of a thing: an element string, EPC URN or Digital Link.
    #[arg(long)]
    pub item: Option<String>,
    /// One event: `STATEMENT:PLACE`, as `/v1/events` names them.
    #[arg(long, conflicts_with_all = ["from", "until"])]
    pub event: Option<String>,
    /// What a device has signed: `ORGANISATION/DEVICE`.
    #[arg(long)]
    pub device: Option<String>,
    /// Events not before this RFC 3339 time.
    #[arg(long)]
    pub from: Option<String>,
    /// Events before this RFC 3339 time.
    #[arg(long)]
    pub until: Option<String>,
    /// The device's whole chain from this log size on.
    #[arg(long, requires = "device", conflicts_with_all = ["from", "until"])]
    pub from_size: Option<u64>,
    /// The device's whole chain below this log size.
    #[arg(long, requires = "device", conflicts_with_all = ["from", "until"])]
    pub to_size: Option<u64>,
    /// Show what this audience may see (consumer, partner, bank, regulator); without it, all.
    #[arg(long)]
    pub audience: Option<String>,
    /// Where the bundle goes.
    #[arg(long)]
    pub out: PathBuf,
}

/// An argument that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("--{name}: {why}")]
pub struct ArgumentError {
    name: &'static str,
    why: String,
}

fn bad(name: &'static str, why: impl ToString) -> ArgumentError {
    let why = why.to_string();
    ArgumentError { name, why }
}

impl Arguments {
    /// What is wanted.
    ///
    /// # Errors
    /// [`ArgumentError`] names the argument.
    pub fn wanted(&self) -> Result<Wanted, ArgumentError> {
        if let Some(item) = &self.item {
            let key = schemas::gs1::normalise(item).unwrap_or_else(|_| item.clone());
            let key = ItemKey::read(&key).map_err(|error| bad("item", error))?;
            return Ok(Wanted::Item(key, self.span()?));
        }
        if let Some(event) = &self.event {
            let split = event.split_once(':');
            let read = split.and_then(|(id, place)| Some((id.parse().ok()?, place.parse().ok()?)));
            let (id, place) = read.ok_or_else(|| bad("event", "not STATEMENT:PLACE"))?;
            return Ok(Wanted::Event(id, place));
        }
        let device = self.device.as_deref().unwrap_or_default();
        let device = device.parse().map_err(|error| bad("device", error))?;
        if self.from_size.is_none() && self.to_size.is_none() {
            return Ok(Wanted::Device(device, self.span()?));
        }
        let from = self.from_size.unwrap_or(0);
        let below = self.to_size.unwrap_or(u64::MAX);
        if from >= below {
            return Err(bad("to-size", "above --from-size"));
        }
        Ok(Wanted::Chain(device, Sizes { from, below }))
    }

    /// For whom.
    ///
    /// # Errors
    /// [`ArgumentError`].
    pub fn audience(&self) -> Result<Option<Audience>, ArgumentError> {
        let Some(word) = &self.audience else {
            return Ok(None);
        };
        let known = Audience::ALL.into_iter().find(|one| one.word() == word);
        let known = known.ok_or_else(|| bad("audience", "consumer, partner, bank or regulator"))?;
        Ok(Some(known))
    }

    fn span(&self) -> Result<Span, ArgumentError> {
        let read = |name, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let at = Instant::parse_rfc3339(text);
            at.map(Some)
                .ok_or_else(|| bad(name, "not an RFC 3339 time"))
        };
        Ok(Span {
            from: read("from", &self.from)?,
            until: read("until", &self.until)?,
        })
    }
}

/// What to prove.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Every event of a thing within a span.
    Item(ItemKey, Span),
    /// One event: its statement and its place there.
    Event(Hash, u64),
    /// What a device signed within a span.
    Device(DeviceAddress, Span),
    /// A device's whole chain between two log sizes.
    Chain(DeviceAddress, Sizes),
}

/// No bundle was made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The log could not be read.
    #[error("the log could not be read")]
    Log(#[from] NotaryError),
    /// The registry could not be read.
    #[error("the registry could not be read")]
    Registry(#[from] AdmitError),
    /// Its policies could not be read.
    #[error("the log's policies could not be read")]
    Policies(#[from] Box<PolicyError>),
    /// The search failed.
    #[error("the search failed")]
    Search(#[from] SearchError),
    /// Nothing was found.
    #[error("no accepted event was found")]
    Nothing,
    /// The bundle could not be made.
    #[error("the bundle could not be made")]
    Bundle(#[from] BundleError),
    /// What was made does not hold: the database was changed.
    #[error("the bundle that was made is refused")]
    Refused(#[from] Refusal),
}

/// A bundle that holds.
#[derive(Debug)]
pub struct Proven {
    /// The bundle.
    pub bytes: Vec<u8>,
    /// What it proves.
    pub report: Report,
    /// Statements that are not under a witnessed checkpoint yet, and so not in it.
    pub waiting: usize,
}

/// Makes and checks a bundle as an audience sees it; without one, every member is shown.
///
/// # Errors
/// [`ProveError`].
pub async fn prove(
    store: Arc<dyn Store>,
    wanted: &Wanted,
    audience: Option<Audience>,
) -> Result<Proven, ProveError> {
    let bundler = bundler(store).await?;
    let made = make(&bundler, wanted, audience).await?;
    let trusted = bundler.policies.newest();
    let report = proof::verify(&made.bytes, Some(&trusted.entry))?;
    Ok(Proven {
        bytes: made.bytes,
        report,
        waiting: made.waiting.len(),
    })
}

/// What makes bundles of a database that no platform needs to run on.
///
/// # Errors
/// [`ProveError`].
pub(crate) async fn bundler(store: Arc<dyn Store>) -> Result<Bundler, ProveError> {
    let chain = chain(&*store).await.map_err(Box::new)?;
    let first = chain.first().map(|reign| reign.policy.clone());
    let policies = Policies::only(first.ok_or_else(|| Box::new(PolicyError::NoPolicy))?);
    policies.set(chain);
    let tree = SharedTree::load(&*store as &dyn crate::store::LogStore).await?;
    let registry = Snapshot::load(&*store as &dyn RegistryStore).await?;
    Ok(Bundler {
        store,
        tree,
        policies,
        registries: Registries::new(Arc::new(Gate::new(registry))),
    })
}

async fn make(
    bundler: &Bundler,
    wanted: &Wanted,
    audience: Option<Audience>,
) -> Result<Made, ProveError> {
    let chosen = match wanted {
        Wanted::Chain(device, sizes) => return Ok(bundler.chain(device, *sizes, audience).await?),
        Wanted::Event(statement, place) => {
            let found = bundler.store.events_in(&[*statement]).await?;
            let is_there = found.iter().any(|event| event.place == *place);
            let one = is_there.then(|| (*statement, BTreeSet::from([*place])));
            one.into_iter().collect()
        }
        Wanted::Item(item, span) => all(&*bundler.store, &What::Item(item.clone()), span).await?,
        Wanted::Device(device, span) => {
            all(&*bundler.store, &What::Device(device.clone()), span).await?
        }
    };
    if chosen.is_empty() {
        return Err(ProveError::Nothing);
    }
    Ok(bundler.chosen(&chosen, audience).await?)
}

/// Every event that the search finds, page by page.
async fn all(
    store: &dyn Store,
    what: &What,
    span: &Span,
) -> Result<BTreeMap<Hash, BTreeSet<u64>>, ProveError> {
    let mut chosen: BTreeMap<Hash, BTreeSet<u64>> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = search(store, what, span, after.as_ref(), PAGE_MAX).await?;
        for event in page.events {
            chosen
                .entry(event.statement)
                .or_default()
                .insert(event.place);
        }
        after = page.next;
        if after.is_none() {
            return Ok(chosen);
        }
    }
}
