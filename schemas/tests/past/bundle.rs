//! Bundles of a past.

use std::collections::{BTreeMap, BTreeSet};

use schemas::hash::Hash;
use schemas::log::Entry;
use schemas::proof::{
    Bundle, Bytes, CheckpointRow, EventRow, Fixed, Fresh, FreshKey, Handover, HeaderRow, KeyRow,
    PolicyRow, Seen, StatementRow, Version, member_rows,
};
use schemas::registry::{Role, State};

use super::log::{Batch, Past, Register, Said};

/// What a bundle shows beside the statements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// Keys at the newest registry head.
    pub fresh: bool,
    /// What statements had seen.
    pub seen: bool,
}

impl Past {
    /// A bundle of these statements, each with its whole event.
    pub fn bundle(&self, chosen: &[Hash], shown: Shown) -> Bundle {
        Maker {
            past: self,
            chosen: chosen.iter().copied().collect(),
            last: self.notes.last().unwrap().note.checkpoint.size,
        }
        .bundle(shown)
    }
}

struct Maker<'a> {
    past: &'a Past,
    chosen: BTreeSet<Hash>,
    last: u64,
}

/// Position of the header and place in the registry, and the row.
type Keys = BTreeMap<(usize, u64), KeyRow>;

impl Maker<'_> {
    fn bundle(&self, shown: Shown) -> Bundle {
        let wanted = |said: &&Said| self.chosen.contains(&said.statement.id());
        let batches: Vec<&Batch> = (self.past.batches.iter())
            .filter(|batch| batch.statements.iter().any(|said| wanted(&said)))
            .collect();
        let (checkpoints, places) = self.checkpoints(&batches);
        let mut keys = Keys::new();
        let (mut rows, mut events) = (Vec::new(), Vec::new());
        for (header, batch) in batches.iter().enumerate() {
            let tree = batch.tree();
            for (index, said) in batch.statements.iter().enumerate() {
                if !wanted(&said) {
                    continue;
                }
                let signers = self.keys(said, &batches, header, &mut keys);
                events.push(event_row(rows.len(), said));
                let row = StatementRow {
                    statement: Bytes(said.statement.bytes().to_vec()),
                    header,
                    index: index as u64,
                    path: tree.path(index).unwrap().into(),
                    device: 0,
                    organisation: 0,
                    later: self.later(said, batch),
                    seen: shown.seen.then(|| self.seen(said)).flatten(),
                };
                rows.push((row, signers));
            }
        }
        let place = |at: &(usize, u64)| keys.keys().position(|key| key == at).unwrap();
        let statements = rows
            .into_iter()
            .map(|(row, (device, organisation))| StatementRow {
                device: place(&device),
                organisation: place(&organisation),
                ..row
            });
        let statements = statements.collect();
        Bundle {
            version: Version::V2,
            policies: self.policies(),
            checkpoints,
            headers: self.headers(&batches, &places),
            fresh: shown.fresh.then(|| self.fresh(&batches)),
            keys: keys.into_values().collect(),
            statements,
            events,
        }
    }

    fn policies(&self) -> Vec<PolicyRow> {
        let tree = &self.past.tree;
        let row = |reign: &super::log::Reign| PolicyRow {
            entry: Bytes(self.past.entries[reign.index as usize].clone()),
            index: reign.index,
            path: tree.inclusion(reign.index, self.last).unwrap().into(),
            prefix: reign
                .policy
                .prev
                .map(|(_, size, _)| tree.consistency(size, self.last).unwrap().into()),
            handover: reign.handover.as_ref().map(|note| Handover {
                note: Bytes(note.encode()),
                path: tree.inclusion(reign.index, reign.index + 1).unwrap().into(),
            }),
        };
        self.past.reigns.iter().map(row).collect()
    }

    /// The earliest checkpoint of each header and the last one; each header's position among them.
    fn checkpoints(&self, batches: &[&Batch]) -> (Vec<CheckpointRow>, Vec<usize>) {
        let notes = &self.past.notes;
        let covering = |batch: &&Batch| {
            let covers = |noted: &super::log::Noted| noted.note.checkpoint.size > batch.index;
            notes.iter().position(covers).unwrap()
        };
        let places: Vec<usize> = batches.iter().map(covering).collect();
        let mut used: BTreeSet<usize> = places.iter().copied().collect();
        used.insert(notes.len() - 1);
        let row = |&place: &usize| {
            let (noted, size) = (&notes[place], notes[place].note.checkpoint.size);
            let next = self.past.reigns.get(noted.reign + 1);
            let prefix = next.map(|next| self.past.tree.consistency(size, next.index).unwrap());
            CheckpointRow {
                note: Bytes(noted.note.encode()),
                policy: noted.reign,
                prefix: prefix.unwrap_or_default().into(),
            }
        };
        let position = |place: &usize| used.iter().position(|known| known == place).unwrap();
        let rows = used.iter().map(row).collect();
        (rows, places.iter().map(position).collect())
    }

    fn headers(&self, batches: &[&Batch], places: &[usize]) -> Vec<HeaderRow> {
        let row = |(batch, &checkpoint): (&&Batch, &usize)| {
            let covers = |noted: &&super::log::Noted| noted.note.checkpoint.size > batch.index;
            let noted = self.past.notes.iter().find(covers).unwrap();
            let size = noted.note.checkpoint.size;
            HeaderRow {
                entry: Bytes(Entry::Header(batch.header.clone()).encode()),
                index: batch.index,
                checkpoint,
                path: self.past.tree.inclusion(batch.index, size).unwrap().into(),
                refused: None,
            }
        };
        batches.iter().zip(places).map(row).collect()
    }

    /// Puts the device's and the organisation's records at the header's registry into the table.
    fn keys(
        &self,
        said: &Said,
        batches: &[&Batch],
        header: usize,
        keys: &mut Keys,
    ) -> ((usize, u64), (usize, u64)) {
        let register = &self.past.registers[batches[header].register];
        let same = |batch: &&Batch| batch.register == batches[header].register;
        let first = batches.iter().position(same).unwrap();
        let tree = register.tree();
        let mut put = |kid: &Hash| {
            let (signed, salt) = &register.records[kid];
            let (index, path) = tree.path(kid).unwrap();
            let row = KeyRow {
                record: Bytes(signed.bytes().to_vec()),
                salt: Fixed(salt.0),
                header: first,
                index,
                path: path.into(),
            };
            keys.insert((first, index), row);
            ((first, index), signed.signer)
        };
        let (device, owner) = put(&said.statement.kid);
        let (organisation, _) = put(&owner);
        (device, organisation)
    }

    /// The chain to the last statement of a key that the header's registry holds as retired.
    fn later(&self, said: &Said, batch: &Batch) -> Option<Vec<Bytes>> {
        let register = &self.past.registers[batch.register];
        let (signed, _) = &register.records[&said.statement.kid];
        let State::Retired {
            last: Some((last, _)),
        } = signed.record.state
        else {
            return None;
        };
        let from = said.statement.payload.position;
        let all = self.past.batches.iter().flat_map(|batch| &batch.statements);
        let mut chain: Vec<&Said> = all
            .filter(|next| {
                let place = next.statement.payload.position;
                next.statement.kid == said.statement.kid && place > from && place <= last
            })
            .collect();
        chain.sort_by_key(|next| next.statement.payload.position);
        let rows = chain
            .iter()
            .map(|next| Bytes(next.statement.bytes().to_vec()));
        (from < last).then(|| rows.collect())
    }

    fn seen(&self, said: &Said) -> Option<Seen> {
        let seen = said.statement.payload.seen?;
        let noted = (self.past.notes.iter())
            .find(|noted| noted.note.checkpoint.size == seen.0)
            .unwrap();
        Some(Seen {
            note: Bytes(noted.note.encode()),
            policy: noted.reign,
            prefix: self
                .past
                .tree
                .consistency(seen.0, self.last)
                .unwrap()
                .into(),
        })
    }

    fn fresh(&self, batches: &[&Batch]) -> Fresh {
        let registers = self.past.registers.iter();
        let mut covered = registers.filter(|register| register.index < self.last);
        let register: &Register = covered.next_back().unwrap();
        let mut kids = BTreeSet::new();
        for said in batches.iter().flat_map(|batch| &batch.statements) {
            if self.chosen.contains(&said.statement.id()) {
                let (signed, _) = &register.records[&said.statement.kid];
                kids.extend([said.statement.kid, signed.signer]);
                let old = batches.iter().find(|batch| {
                    let mut own = batch.statements.iter();
                    own.any(|other| other.statement.id() == said.statement.id())
                });
                let old = &self.past.registers[old.unwrap().register];
                kids.insert(old.records[&said.statement.kid].0.signer);
            }
        }
        let tree = register.tree();
        let row = |kid: &Hash| {
            let (signed, salt) = &register.records[kid];
            assert!([Role::Organisation, Role::Capture].contains(&signed.record.role));
            let (index, path) = tree.path(kid).unwrap();
            FreshKey {
                record: Bytes(signed.bytes().to_vec()),
                salt: Fixed(salt.0),
                index,
                path: path.into(),
            }
        };
        Fresh {
            entry: Bytes(self.past.entries[register.index as usize].clone()),
            index: register.index,
            path: self
                .past
                .tree
                .inclusion(register.index, self.last)
                .unwrap()
                .into(),
            keys: kids.iter().map(row).collect(),
        }
    }
}

fn event_row(statement: usize, said: &Said) -> EventRow {
    EventRow {
        statement,
        index: 0,
        path: Vec::new().into(),
        leaf: None,
        source: Some(u64::from(said.event.source.number())),
        members: Some(member_rows(&said.event.event, &said.event.salt, |_| false)),
    }
}
