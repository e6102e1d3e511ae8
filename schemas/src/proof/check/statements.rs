//! Step 5: statements, who signed them, and what they had seen (`proof-bundle-v2.md` section 4).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::headers::CheckedHeader;
use super::keys::CheckedKey;
use super::marks::Known;
use super::policies::Policies;
use super::{Checked, begins, class, halves, require};
use crate::hash::Hash;
use crate::merkle;
use crate::note::{Checkpoint, Witnessed};
use crate::proof::form::{Seen, StatementRow};
use crate::proof::{Class, KeyState, Refusal, VerifiedStatement};
use crate::registry::{Record, Role, SignedRecord, State};
use crate::statement::Statement;
use crate::time::Instant;

/// What statements are checked against.
pub(super) struct Reader<'a> {
    pub(super) policies: &'a Policies,
    pub(super) last: &'a Checkpoint,
    pub(super) headers: &'a [CheckedHeader],
    pub(super) keys: &'a [CheckedKey],
    pub(super) known: &'a BTreeMap<Hash, Known>,
    pub(super) counted: &'a Counted<'a>,
}

/// Notes that were found to count, by their bytes and the position of the policy under which they
/// do. Many statements have seen the same checkpoint, and most of these stand in the bundle anyway.
pub(super) type Counted<'a> = BTreeMap<(&'a [u8], usize), Witnessed>;

const TWICE: &str = "a statement stands twice";

/// What came of checking rows in their order, up to the first that fails.
#[derive(Default)]
struct Part<'a> {
    verified: Vec<VerifiedStatement>,
    ids: BTreeSet<Hash>,
    found: Found<'a>,
    /// The first failure, with the statement's id where it has one.
    failed: Option<(Option<Hash>, Refusal)>,
}

/// What is the same for many rows, and was checked for one of them.
#[derive(Default)]
struct Found<'a> {
    /// Who was found to be admitted by whom under which policy.
    admitted: BTreeSet<(usize, usize, Option<usize>)>,
    /// Checkpoints that were seen and are no rows of the bundle.
    seen: Counted<'a>,
}

impl Part<'_> {
    fn fail(self, id: Option<Hash>, refusal: Refusal) -> Self {
        let failed = Some((id, refusal));
        Self { failed, ..self }
    }
}

impl Reader<'_> {
    pub(super) fn check(&self, rows: &[StatementRow]) -> Checked<Vec<VerifiedStatement>> {
        let (front, back) = halves::check(rows, |rows| self.check_part(rows));
        if let Some((_, refusal)) = front.failed {
            return Err(refusal);
        }
        for one in &back.verified {
            require(!front.ids.contains(&one.id), Class::Statement, TWICE)?;
        }
        if let Some((id, refusal)) = back.failed {
            // That a statement stands twice is looked at before everything else about it.
            let twice = id.is_some_and(|id| front.ids.contains(&id));
            require(!twice, Class::Statement, TWICE)?;
            return Err(refusal);
        }
        let mut verified = front.verified;
        verified.extend(back.verified);
        Ok(verified)
    }

    fn check_part<'rows>(&self, rows: &'rows [StatementRow]) -> Part<'rows> {
        let mut part = Part::default();
        for row in rows {
            let parsed = Statement::parse(row.statement.0.clone());
            let statement = match parsed.map_err(class(Class::Statement)) {
                Ok(statement) => statement,
                Err(refusal) => return part.fail(None, refusal),
            };
            let id = statement.id();
            if !part.ids.insert(id) {
                return part.fail(Some(id), Refusal::new(Class::Statement, TWICE));
            }
            match self.check_row(row, statement, id, &mut part.found) {
                Ok(one) => part.verified.push(one),
                Err(refusal) => return part.fail(Some(id), refusal),
            }
        }
        part
    }

    fn check_row<'rows>(
        &self,
        row: &'rows StatementRow,
        statement: Statement,
        id: Hash,
        found: &mut Found<'rows>,
    ) -> Checked<VerifiedStatement> {
        self.check_belongs(&statement, row)?;
        let header = &self.headers[row.header];
        let device = &self.keys[row.device].signed;
        let policy = self.policies.in_force(header.index);
        if found
            .admitted
            .insert((row.device, row.organisation, policy))
        {
            let organisation = &self.keys[row.organisation].signed;
            self.check_admission(device, organisation, header.index)?;
        }
        self.check_state(&statement, row, &device.record)?;
        statement
            .verify(&device.record.key)
            .map_err(class(Class::Statement))?;
        let (count, root) = (header.header.statements, header.header.root);
        merkle::verify(id, row.index, count, &row.path.hashes(), root)
            .map_err(class(Class::BatchPath))?;
        let not_before = match &row.seen {
            Some(seen) => Some(self.check_seen(&statement, seen, &mut found.seen)?),
            None => None,
        };
        let registry_version = header.header.registry.version;
        Ok(VerifiedStatement {
            id,
            record: device.record.clone(),
            registry_version,
            log_index: header.index,
            batch_index: row.index,
            anchored: header.anchored,
            not_before,
            key: self.key_state(&device.record, registry_version),
            statement,
        })
    }

    fn key_state(&self, record: &Record, registry_version: u64) -> KeyState {
        let known = self.known.get(&record.kid());
        known.map_or(
            KeyState {
                state: record.state,
                version: record.version,
                registry_version,
                time: None,
            },
            |known| known.newest.clone(),
        )
    }

    /// The statement is of this log, and its keys are shown at the registry of its header.
    fn check_belongs(&self, statement: &Statement, row: &StatementRow) -> Checked<()> {
        let payload = &statement.payload;
        let rule = |holds, detail| require(holds, Class::Statement, detail);
        let own = payload.log == self.policies.log();
        rule(own, "a statement of another log")?;
        let header = &self.headers[row.header];
        let seen = payload.seen.as_ref();
        let seen = seen.is_none_or(|(size, _)| *size <= header.index);
        rule(seen, "it has seen a later log than it stands in")?;
        let head = &header.header.registry;
        let shown_at = |key: &CheckedKey| self.headers[key.header].header.registry == *head;
        let (device, organisation) = (&self.keys[row.device], &self.keys[row.organisation]);
        let shown = shown_at(device) && shown_at(organisation);
        rule(shown, "a key is shown at another registry")?;
        let record = &device.signed.record;
        rule(record.role == Role::Capture, "the key is no device's")?;
        rule(record.kid() == statement.kid, "another key signed it")?;
        rule(
            record.address().as_ref() == Some(&payload.device),
            "it speaks for another device",
        )
    }

    /// The organisation was admitted by a registrar of the policy in force at this log index.
    fn check_admission(
        &self,
        device: &SignedRecord,
        organisation: &SignedRecord,
        index: u64,
    ) -> Checked<()> {
        let rule = |holds, detail| require(holds, Class::Organisation, detail);
        let record = &organisation.record;
        let owner = record.role == Role::Organisation;
        rule(owner, "the key is no organisation's")?;
        let active = record.state == State::Active;
        rule(active, "the organisation is not active")?;
        let same = record.organisation == device.record.organisation;
        rule(same, "another organisation's key")?;
        let registrar = self.policies.registrar(index, &organisation.signer);
        let unknown = "no registrar of the policy admitted it";
        let registrar = registrar.ok_or_else(|| Refusal::new(Class::Organisation, unknown))?;
        organisation
            .verify(registrar)
            .map_err(class(Class::Organisation))?;
        device
            .verify(&record.key)
            .map_err(class(Class::Organisation))
    }

    fn check_state(
        &self,
        statement: &Statement,
        row: &StatementRow,
        record: &Record,
    ) -> Checked<()> {
        let rule = |holds, detail| require(holds, Class::Record, detail);
        match &record.state {
            State::Active => rule(row.later.is_none(), "later stands with an active key"),
            State::Retired {
                last: Some((last, id)),
            } => {
                let position = statement.payload.position;
                rule(position <= *last, "the key was retired before")?;
                if position == *last {
                    rule(statement.id() == *id, "another statement was the last")?;
                    return rule(row.later.is_none(), "later stands with the last statement");
                }
                rule(row.later.is_some(), "later is missing")?;
                self.check_later(statement, row, record, *id)
            }
            _ => rule(false, "the key is suspended or revoked"),
        }
    }

    fn check_later(
        &self,
        statement: &Statement,
        row: &StatementRow,
        record: &Record,
        last: Hash,
    ) -> Checked<()> {
        let rule = |holds, detail| require(holds, Class::Record, detail);
        let mut before = statement.id();
        for bytes in row.later.iter().flatten() {
            let next = Statement::parse(bytes.0.clone()).map_err(class(Class::Record))?;
            let own = next.payload.log == self.policies.log();
            rule(own, "later holds a statement of another log")?;
            let same = next.payload.device == statement.payload.device && next.kid == statement.kid;
            rule(same, "later holds another device's statement")?;
            rule(next.payload.prev == before, "later is no chain")?;
            next.verify(&record.key).map_err(class(Class::Record))?;
            before = next.id();
        }
        rule(
            before == last,
            "the chain does not reach the last statement",
        )
    }

    /// The checkpoint that the statement says it has seen; when it was first cosigned.
    fn check_seen<'rows>(
        &self,
        statement: &Statement,
        seen: &'rows Seen,
        counted: &mut Counted<'rows>,
    ) -> Checked<Instant> {
        let said = statement.payload.seen.as_ref();
        let nothing = || Refusal::new(Class::Statement, "the statement has seen nothing");
        let said = said.ok_or_else(nothing)?;
        let witnessed = self.seen_note(seen, counted)?;
        let note = &witnessed.checkpoint;
        let same = (note.size, note.root) == *said;
        require(same, Class::Checkpoint, "it has seen another checkpoint")?;
        let last = (self.last.size, self.last.root);
        begins(*said, last, &seen.prefix.hashes())?;
        let times = witnessed.witnesses.iter().map(|(_, seconds)| *seconds);
        let first = times.min().and_then(|seconds| i64::try_from(seconds).ok());
        Ok(Instant::from_seconds(first.unwrap_or(0)))
    }

    /// Its signatures are checked once for all that have seen it.
    fn seen_note<'one, 'rows>(
        &'one self,
        seen: &'rows Seen,
        counted: &'one mut Counted<'rows>,
    ) -> Checked<&'one Witnessed> {
        let key = (seen.note.0.as_slice(), seen.policy);
        if let Some(witnessed) = self.counted.get(&key) {
            return Ok(witnessed);
        }
        Ok(match counted.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(self.policies.check_note(&seen.note, seen.policy)?)
            }
        })
    }
}
