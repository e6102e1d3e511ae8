//! Reading a policy file, line by line.

use std::collections::BTreeMap;

use super::vkey::{Kind, VerifierKey, VkeyError};
use super::{EACH_MAX, FILE_MAX, Group, KnownLog, KnownWitness, Member, Octets, TlogPolicy};

/// The name that stands for no quorum.
const NONE: &[u8] = b"none";

/// What is wrong with a line.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Problem {
    /// Too much.
    #[error("a policy file has at most 262144 bytes")]
    TooLong,
    /// No line end after the last line.
    #[error("the last line has no line end: is the file cut off?")]
    CutOff,
    /// An octet that may not stand in a policy file.
    #[error("octet 0x{0:02x} may not stand in a policy file")]
    Octet(u8),
    /// Not log, witness, group or quorum.
    #[error("`{0}` is none of log, witness, group, quorum")]
    Keyword(Octets),
    /// Too few or too many words.
    #[error("expected: {0}")]
    Words(&'static str),
    /// The key.
    #[error("{0}")]
    Key(VkeyError),
    /// A log with a witness's key or the other way round.
    #[error("the key is of the wrong signature type for a {0}")]
    WrongKind(&'static str),
    /// The same key twice.
    #[error("the same key stands on an earlier line")]
    KeyTwice,
    /// A name that has been given.
    #[error("the name {0:?} is taken")]
    NameTaken(Octets),
    /// A name that no line before has defined.
    #[error("{0:?} is defined on no earlier line")]
    Unknown(Octets),
    /// A member of a group before.
    #[error("{0:?} is a member of a group already")]
    MemberTwice(Octets),
    /// Not `all`, `any` or 1 to the number of members.
    #[error("expected all, any, or a number from 1 to the {0} members")]
    Threshold(usize),
    /// More than [`EACH_MAX`].
    #[error("more than 256 of a kind")]
    TooMany,
    /// A second quorum.
    #[error("there is a quorum line already")]
    QuorumTwice,
    /// No quorum at all.
    #[error("there is no quorum line")]
    NoQuorum,
}

/// Which line, and what is wrong with it.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

pub(super) fn parse(file: &[u8]) -> Result<TlogPolicy, LineError> {
    let whole = |problem| LineError { line: 0, problem };
    if file.len() > FILE_MAX {
        return Err(whole(Problem::TooLong));
    }
    let mut reading = Reading::default();
    let mut lines = file.split(|&byte| byte == b'\n').peekable();
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        let at = |problem| LineError {
            line: number,
            problem,
        };
        if lines.peek().is_none() {
            if !line.is_empty() {
                return Err(at(Problem::CutOff));
            }
            break;
        }
        reading.line(line).map_err(at)?;
    }
    let quorum = reading.quorum.ok_or(whole(Problem::NoQuorum))?;
    Ok(TlogPolicy {
        logs: reading.logs,
        witnesses: reading.witnesses,
        groups: reading.groups,
        quorum,
    })
}

#[derive(Default)]
struct Reading {
    logs: Vec<KnownLog>,
    witnesses: Vec<KnownWitness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    /// What each name is, and whether it is a member of a group.
    names: BTreeMap<Octets, (Member, bool)>,
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        let wrong = |byte: &&u8| **byte != b'\t' && (**byte < 0x20 || **byte == 0x7f);
        if let Some(byte) = line.iter().find(wrong) {
            return Err(Problem::Octet(*byte));
        }
        let mut words = line
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .filter(|word| !word.is_empty());
        let keyword = match words.next() {
            None => return Ok(()),
            Some(word) if word.starts_with(b"#") => return Ok(()),
            Some(word) => word,
        };
        let words: Vec<&[u8]> = words.collect();
        match keyword {
            b"log" => self.log(&words),
            b"witness" => self.witness(&words),
            b"group" => self.group(&words),
            b"quorum" => self.quorum(&words),
            other => Err(Problem::Keyword(Octets(other.to_vec()))),
        }
    }

    fn log(&mut self, words: &[&[u8]]) -> Result<(), Problem> {
        let (vkey, url) = match words {
            [vkey] => (vkey, None),
            [vkey, url] => (vkey, Some(octets(url))),
            _ => return Err(Problem::Words("log <vkey> [<url>]")),
        };
        let key = vkey_of(vkey, Kind::Note, "log")?;
        if self.logs.iter().any(|log| log.key.key == key.key) {
            return Err(Problem::KeyTwice);
        }
        room(self.logs.len())?;
        self.logs.push(KnownLog { key, url });
        Ok(())
    }

    fn witness(&mut self, words: &[&[u8]]) -> Result<(), Problem> {
        let (name, vkey, url) = match words {
            [name, vkey] => (name, vkey, None),
            [name, vkey, url] => (name, vkey, Some(octets(url))),
            _ => return Err(Problem::Words("witness <name> <vkey> [<url>]")),
        };
        let key = vkey_of(vkey, Kind::Cosignature, "witness")?;
        if self.witnesses.iter().any(|other| other.key.key == key.key) {
            return Err(Problem::KeyTwice);
        }
        room(self.witnesses.len())?;
        let name = self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(KnownWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, words: &[&[u8]]) -> Result<(), Problem> {
        let [name, threshold, members @ ..] = words else {
            return Err(Problem::Words("group <name> all|any|<k> <name>..."));
        };
        if members.is_empty() {
            return Err(Problem::Words("group <name> all|any|<k> <name>..."));
        }
        room(self.groups.len())?;
        let needed = match *threshold {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            digits => number(digits).filter(|k| (1..=members.len()).contains(k)),
        };
        let needed = needed.ok_or(Problem::Threshold(members.len()))?;
        let members: Vec<Member> = members
            .iter()
            .map(|member| self.take(member))
            .collect::<Result<_, _>>()?;
        let name = self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group {
            name,
            needed,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, words: &[&[u8]]) -> Result<(), Problem> {
        let [name] = words else {
            return Err(Problem::Words("quorum <name>"));
        };
        if self.quorum.is_some() {
            return Err(Problem::QuorumTwice);
        }
        let member = if *name == NONE {
            None
        } else {
            let known = self.names.get(&octets(name));
            Some(known.ok_or_else(|| Problem::Unknown(octets(name)))?.0)
        };
        self.quorum = Some(member);
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<Octets, Problem> {
        let name = octets(name);
        if name.as_bytes() == NONE || self.names.contains_key(&name) {
            return Err(Problem::NameTaken(name));
        }
        self.names.insert(name.clone(), (member, false));
        Ok(name)
    }

    /// Makes a name a member of the group that is being read.
    fn take(&mut self, name: &[u8]) -> Result<Member, Problem> {
        let name = octets(name);
        match self.names.get_mut(&name) {
            None => Err(Problem::Unknown(name)),
            Some((_, true)) => Err(Problem::MemberTwice(name)),
            Some((member, taken)) => {
                *taken = true;
                Ok(*member)
            }
        }
    }
}

fn octets(word: &[u8]) -> Octets {
    Octets(word.to_vec())
}

fn room(count: usize) -> Result<(), Problem> {
    if count < EACH_MAX {
        Ok(())
    } else {
        Err(Problem::TooMany)
    }
}

fn vkey_of(word: &[u8], kind: Kind, what: &'static str) -> Result<VerifierKey, Problem> {
    let text = std::str::from_utf8(word).map_err(|_| Problem::Key(VkeyError::Name))?;
    let key = VerifierKey::parse(text).map_err(Problem::Key)?;
    if key.kind == kind {
        Ok(key)
    } else {
        Err(Problem::WrongKind(what))
    }
}

/// A plain decimal number of at most four digits.
fn number(digits: &[u8]) -> Option<usize> {
    if digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
