//! The registry at one version: its keys, who they belong to, and the tree over them.
//!
//! A million keys are held here, so nothing in a request or a statement's way walks them: keys are
//! found by kid, by device and by organisation. A copy is cheap and shares what does not change, so
//! the next version is made beside the one in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::merkle::VersionedTree;
use schemas::registry::{Glance, Head, RecordError, Role, SignedRecord, State, leaf};

use super::entry::{Entry, Name, name_of};
use super::sorted::Sorted;

/// The registry at one version; clones are cheap.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// `None` before the first record.
    pub head: Option<Head>,
    pub(super) keys: Sorted<Hash, Arc<Entry>>,
    names: Sorted<Name, ()>,
    /// Over the keys without what has changed since; `None` while there was none.
    pub(super) tree: Option<VersionedTree>,
    /// New leaves, and whether their key is new.
    changed: BTreeMap<Hash, (Hash, bool)>,
}

impl Snapshot {
    /// The record of a key.
    #[must_use]
    pub fn key(&self, kid: &Hash) -> Option<&SignedRecord> {
        self.keys.get(kid)?.signed()
    }

    /// Number of keys.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// All records with their salts, by kid: a million steps, for checks at a start only.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.keys.iter().map(|(_, entry)| &**entry)
    }

    /// The records of an organisation's keys, its own first, then by device.
    pub fn of_organisation<'s>(
        &'s self,
        organisation: &Slug,
    ) -> impl Iterator<Item = &'s Entry> + use<'s> {
        let prefix = format!("{organisation}/");
        let names = self.names.from(&(prefix.as_str().into(), Hash::ZERO));
        names
            .take_while(move |((name, _), ())| name.starts_with(&prefix))
            .filter_map(|((_, kid), ())| self.keys.get(kid))
            .map(|entry| &**entry)
    }

    /// The records of all organisations' own keys; one step for each key that belongs to no device.
    pub fn organisations(&self) -> impl Iterator<Item = &Entry> {
        let mut from: Name = ("".into(), Hash::ZERO);
        let next = move || {
            let (name, ()) = self.names.from(&from).next()?;
            let (organisation, device) = name.0.split_once('/')?;
            if device.is_empty() {
                from = (Arc::clone(&name.0), next_of(&name.1));
                return Some(self.keys.get(&name.1));
            }
            // Over all devices of this organisation: `0` is what follows the stroke.
            from = (format!("{organisation}0").into(), Hash::ZERO);
            Some(None)
        };
        std::iter::from_fn(next)
            .flatten()
            .map(|entry| &**entry)
            .filter(|entry| entry.role() == Role::Organisation)
    }

    /// The devices in the registry behind this one, whatever became of their keys, in order of
    /// their addresses as text.
    pub fn devices_after<'s>(
        &'s self,
        after: Option<&DeviceAddress>,
    ) -> impl Iterator<Item = DeviceAddress> + use<'s> {
        let last = Hash([0xff; 32]);
        let from = after.map_or_else(String::new, ToString::to_string);
        let names = self.names.from(&(from.as_str().into(), last));
        let mut before: Option<Arc<str>> = None;
        names.filter_map(move |((name, _), ())| {
            let known = **name == *from || before.as_deref() == Some(&**name);
            before = Some(Arc::clone(name));
            if known { None } else { name.parse().ok() }
        })
    }

    /// The active organisation record whose key signed this record.
    #[must_use]
    pub fn organisation_of(&self, signed: &SignedRecord) -> Option<&SignedRecord> {
        self.key(&signed.signer).filter(|organisation| {
            organisation.record.role == Role::Organisation
                && organisation.record.state == State::Active
                && organisation.record.organisation == signed.record.organisation
        })
    }

    /// The active capture record of a device.
    #[must_use]
    pub fn active_capture(&self, address: &DeviceAddress) -> Option<&SignedRecord> {
        self.active_entry(address)?.signed()
    }

    /// Whether a device has an active key.
    #[must_use]
    pub fn is_active(&self, address: &DeviceAddress) -> bool {
        self.active_entry(address).is_some()
    }

    /// The active key of a device that an active organisation answers for: only with it brokers let
    /// a device in, and ingest takes its words.
    #[must_use]
    pub fn speaker(&self, address: &DeviceAddress) -> Option<&SignedRecord> {
        let signed = self.active_capture(address);
        signed.filter(|signed| self.organisation_of(signed).is_some())
    }

    fn active_entry(&self, address: &DeviceAddress) -> Option<&Entry> {
        let address = address.to_string();
        let names = self.names.from(&(address.as_str().into(), Hash::ZERO));
        names
            .take_while(|((name, _), ())| **name == *address)
            .filter_map(|((_, kid), ())| self.keys.get(kid))
            .find(|entry| entry.role() == Role::Capture && entry.is_active())
            .map(|entry| &**entry)
    }

    /// Sets the newest record of a key; the root follows with [`Snapshot::next_head`].
    pub(super) fn put(&mut self, entry: Entry) -> Result<(), RecordError> {
        let glance = Glance::of(entry.bytes())?;
        let (kid, name) = (glance.kid, name_of(&glance));
        let hash = leaf(&kid, &entry.hash());
        let is_new = self.keys.insert(kid, Arc::new(entry));
        if is_new {
            self.names.insert(name, ());
        }
        let known = self.changed.get(&kid);
        let is_new = is_new || known.is_some_and(|(_, is_new)| *is_new);
        self.changed.insert(kid, (hash, is_new));
        Ok(())
    }

    /// The head over what is in it now, one version on; `None` while it is empty. A path for each
    /// changed record; with new keys, every inner node of the tree.
    #[must_use]
    pub fn next_head(&mut self) -> Option<Head> {
        let version = self.head.map_or(0, |head| head.version) + 1;
        self.settle();
        let tree = self.tree.as_ref()?;
        Some(Head {
            version,
            count: tree.count() as u64,
            root: tree.root(),
        })
    }

    /// Place and path of a key under the root of this version.
    #[must_use]
    pub fn path(&self, kid: &Hash) -> Option<(u64, Vec<Hash>)> {
        let place = self.keys.position(kid)?;
        Some((place as u64, self.tree.as_ref()?.path(place)?))
    }

    /// Brings the tree up to what is in it.
    pub(super) fn settle(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return;
        }
        if changed.values().any(|(_, is_new)| *is_new) {
            self.tree = VersionedTree::new(&self.leaves_with(&changed));
            return;
        }
        for (kid, (leaf, _)) in changed {
            if let (Some(place), Some(tree)) = (self.keys.position(&kid), &mut self.tree) {
                tree.set(place, leaf);
            }
        }
    }

    /// All leaves: those of the tree before, and between and over them those that have changed.
    fn leaves_with(&self, changed: &BTreeMap<Hash, (Hash, bool)>) -> Vec<Hash> {
        let mut known = self.tree.iter().flat_map(VersionedTree::leaves);
        let mut changed = changed.iter().peekable();
        let mut leaves = Vec::with_capacity(self.keys.len());
        for (kid, _) in self.keys.iter() {
            match changed.next_if(|(next, _)| *next == kid) {
                Some((_, (leaf, is_new))) => {
                    if !is_new {
                        known.next();
                    }
                    leaves.push(*leaf);
                }
                None => leaves.extend(known.next()),
            }
        }
        leaves
    }
}

/// The hash that follows.
fn next_of(hash: &Hash) -> Hash {
    let mut next = *hash;
    for byte in next.0.iter_mut().rev() {
        let (sum, carries) = byte.overflowing_add(1);
        *byte = sum;
        if !carries {
            return next;
        }
    }
    Hash([0xff; 32])
}
