//! The chain of policies and the checkpoints under them (`proof-bundle-v2.md` section 2).

use std::collections::BTreeSet;

use super::{Checked, begins, class, halves, included, refuse, require};
use crate::hash::{Hash, sha256};
use crate::log::Policy;
use crate::note::{Checkpoint, Note, Witnessed};
use crate::proof::form::{Bundle, Bytes, CheckpointRow, PolicyRow, Version};
use crate::proof::{Class, Refusal};

/// The policies of a bundle, never none, each with its place in the log.
pub(super) struct Policies {
    version: Version,
    first: Policy,
    later: Vec<Policy>,
    places: Vec<u64>,
    kids: BTreeSet<Hash>,
}

impl Policies {
    fn read(bundle: &Bundle) -> Checked<Self> {
        let mut policies: Option<Self> = None;
        let mut before = None;
        for row in &bundle.policies {
            let policy = Policy::parse(&row.entry.0).map_err(class(Class::Policy))?;
            if bundle.version == Version::V2 {
                let place = policy.prev.map_or(0, |(_, size, _)| size);
                require(
                    row.index == place,
                    Class::Policy,
                    "a policy stands elsewhere",
                )?;
            }
            match &mut policies {
                None => policies = Some(Self::of(bundle.version, policy, row.index)),
                Some(policies) => policies.follow(policy, row.index, before)?,
            }
            before = Some(sha256(&row.entry.0));
        }
        policies.ok_or_else(|| Refusal::new(Class::Policy, "there is no policy"))
    }

    fn of(version: Version, first: Policy, place: u64) -> Self {
        Self {
            version,
            kids: first.kids().collect(),
            first,
            later: Vec::new(),
            places: vec![place],
        }
    }

    fn follow(&mut self, policy: Policy, place: u64, before: Option<Hash>) -> Checked<()> {
        let rule = |holds, detail| require(holds, Class::Policy, detail);
        let follows = policy.prev.is_some_and(|(hash, ..)| Some(hash) == before);
        rule(follows, "a policy does not follow the one before")?;
        let same = policy.log == self.first.log && policy.origin == self.first.origin;
        rule(same, "a policy of another log")?;
        self.kids.extend(policy.kids());
        self.later.push(policy);
        self.places.push(place);
        Ok(())
    }

    /// The last one.
    pub(super) fn newest(&self) -> &Policy {
        self.later.last().unwrap_or(&self.first)
    }

    fn get(&self, position: usize) -> Option<&Policy> {
        match position.checked_sub(1) {
            None => Some(&self.first),
            Some(later) => self.later.get(later),
        }
    }

    /// The log that all of them are of.
    pub(super) fn log(&self) -> Hash {
        self.first.log
    }

    /// True if `kid` is of a key that stands in any of them.
    pub(super) fn names_kid(&self, kid: &Hash) -> bool {
        self.kids.contains(kid)
    }

    /// Position of the policy in force at a log index; the only one of version 1 always is.
    pub(super) fn in_force(&self, index: u64) -> Option<usize> {
        match self.version {
            Version::V1 => Some(0),
            Version::V2 => self
                .places
                .partition_point(|&place| place < index)
                .checked_sub(1),
        }
    }

    /// The registrar with this kid of the policy in force at a log index.
    pub(super) fn registrar(&self, index: u64, kid: &Hash) -> Option<&crate::key::PublicKey> {
        self.get(self.in_force(index)?)?.registrar(kid)
    }

    /// Size and root that a policy ended with: what the next one says.
    fn end(&self, position: usize) -> Option<(u64, Hash)> {
        let (_, size, root) = self.get(position + 1)?.prev?;
        Some((size, root))
    }

    /// A note that counts under a policy, within what that policy may sign.
    pub(super) fn check_note(&self, note: &Bytes, position: usize) -> Checked<Witnessed> {
        let witnessed = self.check_signatures(note, position)?;
        let size = witnessed.checkpoint.size;
        let rule = |holds, detail| require(holds, Class::Checkpoint, detail);
        if self.version == Version::V2 {
            let begins = self.places.get(position).is_some_and(|&place| place < size);
            rule(begins, "a checkpoint is older than its policy")?;
            let ends = self.end(position).is_none_or(|(end, _)| size <= end);
            rule(ends, "a checkpoint is above the end of its policy")?;
        }
        Ok(witnessed)
    }

    fn check_signatures(&self, note: &Bytes, position: usize) -> Checked<Witnessed> {
        let policy = self.get(position);
        let policy =
            policy.ok_or_else(|| Refusal::new(Class::Format, "there is no such policy"))?;
        let note = Note::parse(&note.0).map_err(class(Class::Checkpoint))?;
        note.check_bundled(policy).map_err(class(Class::Checkpoint))
    }
}

/// Step 2 of either version.
pub(super) fn check(
    bundle: &Bundle,
    trusted: Option<&[u8]>,
) -> Checked<(Policies, Vec<Witnessed>)> {
    let policies = Policies::read(bundle)?;
    if let Some(trusted) = trusted {
        let known = bundle.policies.iter().any(|row| row.entry.0 == trusted);
        require(known, Class::Policy, "another policy than the trusted one")?;
    }
    let checkpoints = check_notes(&bundle.checkpoints, &policies)?;
    let Some(last) = checkpoints.last().map(|last| &last.checkpoint) else {
        return refuse(Class::Checkpoint, "there is no checkpoint");
    };
    for (position, row) in bundle.policies.iter().enumerate().skip(1) {
        check_handover(row, position, &policies)?;
    }
    for (position, row) in bundle.policies.iter().enumerate() {
        check_place(row, position, &policies, last)?;
    }
    for (row, witnessed) in bundle.checkpoints.iter().zip(&checkpoints) {
        check_prefix(row, &witnessed.checkpoint, &policies)?;
    }
    Ok((policies, checkpoints))
}

fn check_notes(rows: &[CheckpointRow], policies: &Policies) -> Checked<Vec<Witnessed>> {
    // Up to the first that fails: what comes after it is not looked at.
    let up_to_failure = |rows: &[CheckpointRow]| {
        let mut checked = Vec::with_capacity(rows.len());
        for row in rows {
            checked.push(policies.check_note(&row.note, row.policy));
            if checked.last().is_some_and(Result::is_err) {
                break;
            }
        }
        checked
    };
    let (front, back) = halves::check(rows, up_to_failure);
    let mut checkpoints: Vec<Witnessed> = Vec::with_capacity(rows.len());
    for witnessed in front.into_iter().chain(back) {
        let witnessed = witnessed?;
        let before = checkpoints
            .last()
            .map_or(0, |before| before.checkpoint.size);
        let rises = witnessed.checkpoint.size > before;
        require(rises, Class::Checkpoint, "sizes do not increase")?;
        checkpoints.push(witnessed);
    }
    Ok(checkpoints)
}

/// The predecessor signed that this policy is the next entry.
fn check_handover(row: &PolicyRow, position: usize, policies: &Policies) -> Checked<()> {
    let missing = || Refusal::new(Class::Format, "a hand-over is missing");
    let handover = row.handover.as_ref().ok_or_else(missing)?;
    let before = position.checked_sub(1).ok_or_else(missing)?;
    let note = policies
        .check_signatures(&handover.note, before)?
        .checkpoint;
    let exact = policies
        .end(before)
        .is_some_and(|(end, _)| note.size == end + 1);
    require(exact, Class::Checkpoint, "a hand-over of another size")?;
    included(&row.entry.0, row.index, &handover.path.hashes(), &note)
}

/// A policy is part of the log that the last checkpoint covers, and what it calls the end of its
/// predecessor is the beginning of that log.
fn check_place(
    row: &PolicyRow,
    position: usize,
    policies: &Policies,
    last: &Checkpoint,
) -> Checked<()> {
    let placed = position > 0 || policies.first.prev.is_some() || row.index == 0;
    require(placed, Class::LogPath, "the first policy is not entry 0")?;
    included(&row.entry.0, row.index, &row.path.hashes(), last)?;
    let end = position
        .checked_sub(1)
        .and_then(|before| policies.end(before));
    match (end, &row.prefix) {
        (Some(end), Some(prefix)) => begins(end, (last.size, last.root), &prefix.hashes()),
        _ => Ok(()),
    }
}

/// What a policy signed is the beginning of what the next one says that it ended with.
fn check_prefix(row: &CheckpointRow, note: &Checkpoint, policies: &Policies) -> Checked<()> {
    match policies.end(row.policy) {
        Some(end) => begins((note.size, note.root), end, &row.prefix.hashes()),
        None => {
            let empty = row.prefix.0.is_empty();
            require(empty, Class::LogPath, "a path that leads nowhere")
        }
    }
}
