//! Writing a policy file.

use super::vkey::{Kind, VerifierKey};
use super::{Group, KnownLog, KnownWitness, Member, Octets, TlogPolicy};
use crate::log::Policy;

/// Name of the one group of a policy of ours.
const GROUP: &str = "quorum-of-witnesses";

pub(super) fn of(policy: &Policy, url: impl Fn(&str) -> Option<String>) -> TlogPolicy {
    let url = |name: &str| {
        url(name)
            .as_deref()
            .filter(|url| is_word(url))
            .map(Octets::from)
    };
    let log = KnownLog {
        key: VerifierKey {
            name: policy.origin.as_str().to_owned(),
            kind: Kind::Note,
            key: policy.log_key.clone(),
        },
        url: url(policy.origin.as_str()),
    };
    let witness = |party: &crate::log::Party| KnownWitness {
        name: local_name(&party.name),
        key: VerifierKey {
            name: party.name.clone(),
            kind: Kind::Cosignature,
            key: party.key.clone(),
        },
        url: url(&party.name),
    };
    let witnesses: Vec<KnownWitness> = policy.witnesses.iter().map(witness).collect();
    let group = Group {
        name: Octets::from(GROUP),
        needed: usize::try_from(policy.quorum).unwrap_or(usize::MAX),
        members: (0..witnesses.len()).map(Member::Witness).collect(),
    };
    TlogPolicy {
        logs: vec![log],
        witnesses,
        groups: vec![group],
        quorum: Some(Member::Group(0)),
    }
}

/// A witness's name within the file: its own, unless that means something else there.
fn local_name(name: &str) -> Octets {
    if name == "none" || name.starts_with(GROUP) {
        Octets::from(format!("{GROUP}.{name}").as_str())
    } else {
        Octets::from(name)
    }
}

fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte > 0x20 && byte != 0x7f;
    !text.is_empty() && text.bytes().all(fits)
}

pub(super) fn encode(policy: &TlogPolicy) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = |words: &[&[u8]]| {
        out.extend(words.join(&b' '));
        out.push(b'\n');
    };
    for log in policy.logs() {
        let key = log.key.to_string();
        let mut words: Vec<&[u8]> = vec![b"log", key.as_bytes()];
        words.extend(log.url.as_ref().map(Octets::as_bytes));
        line(&words);
    }
    for witness in policy.witnesses() {
        let key = witness.key.to_string();
        let mut words: Vec<&[u8]> = vec![b"witness", witness.name.as_bytes(), key.as_bytes()];
        words.extend(witness.url.as_ref().map(Octets::as_bytes));
        line(&words);
    }
    for group in policy.groups() {
        let needed = group.needed.to_string();
        let mut words: Vec<&[u8]> = vec![b"group", group.name.as_bytes(), needed.as_bytes()];
        words.extend(group.members.iter().map(|member| name(policy, *member)));
        line(&words);
    }
    line(&[
        b"quorum",
        policy
            .quorum()
            .map_or(b"none", |member| name(policy, member)),
    ]);
    out
}

fn name(policy: &TlogPolicy, member: Member) -> &[u8] {
    let found = match member {
        Member::Witness(place) => policy.witnesses().get(place).map(|one| &one.name),
        Member::Group(place) => policy.groups().get(place).map(|one| &one.name),
    };
    found.map_or(b"", Octets::as_bytes)
}
