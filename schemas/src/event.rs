//! The event as it is signed: exact bytes, members, commitment, leaf (`statement.md` section 2).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::hash::{Hash, sha256_parts};
use crate::ijson::{self, IJsonError, Scanner};
use crate::merkle;
use crate::random::{self, NoRandomness};

/// Longest event in bytes.
pub const EVENT_MAX: usize = 65_536;
/// Most members of an event.
pub const MEMBERS_MAX: usize = 64;
/// Longest member name in bytes.
pub const NAME_MAX: usize = 128;

/// Members that a reader must see to call an event verified.
pub const CORE_MEMBERS: [&str; 7] = [
    "type",
    "eventTime",
    "action",
    "bizStep",
    "disposition",
    "readPoint",
    "errorDeclaration",
];

/// Bytes that are no event.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum EventError {
    /// Longer than [`EVENT_MAX`].
    #[error("an event of {0} bytes, at most 65536 are allowed")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("the event is not UTF-8")]
    Utf8,
    /// Not one object of 1 to 64 members without white space outside the values.
    #[error("the event is not one compact object of 1 to 64 members (at byte {0})")]
    Form(usize),
    /// A name that is empty, too long, escaped or holds a control character.
    #[error("a member's name is empty, too long or escaped (at byte {0})")]
    Name(usize),
    /// A name stands twice.
    #[error("the member `{0}` stands twice")]
    DuplicateMember(String),
    /// A value that is not I-JSON.
    #[error("a value is not I-JSON")]
    Value(#[from] IJsonError),
}

/// Where an event's content comes from; the registry says what a device may claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Typed in by somebody.
    Declared = 0,
    /// Read from another system's file.
    File = 1,
    /// Read from a code on the thing.
    Scan = 2,
    /// Measured.
    Sensor = 3,
}

impl Source {
    /// From its number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Declared),
            1 => Some(Self::File),
            2 => Some(Self::Scan),
            3 => Some(Self::Sensor),
            _ => None,
        }
    }

    /// Its number, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// `declared`, `file`, `scan` or `sensor`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::File => "file",
            Self::Scan => "scan",
            Self::Sensor => "sensor",
        }
    }
}

/// 16 random bytes: an event's salt, a field's salt or a registry record's salt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Salt(pub [u8; 16]);

impl Salt {
    /// A new one.
    ///
    /// # Errors
    /// Only where the operating system has no randomness.
    pub fn random() -> Result<Self, NoRandomness> {
        random::bytes().map(Self)
    }

    /// From exactly 16 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Salt of member `index`, by which it can be shown alone.
    #[must_use]
    pub fn field(&self, index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let hash = sha256_parts(&[&[2], &self.0, &index.to_be_bytes()]);
        let mut salt = [0; 16];
        salt.copy_from_slice(&hash.0[..16]);
        Self(salt)
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// Hash of a value under its field salt: what a withheld member leaves behind.
#[must_use]
pub fn value_hash(field_salt: &Salt, value: &[u8]) -> Hash {
    sha256_parts(&[&[3], &field_salt.0, value])
}

/// Leaf of the field tree.
#[must_use]
pub fn field_hash(name: &str, value_hash: &Hash) -> Hash {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    sha256_parts(&[
        b"\0F",
        &length.to_be_bytes(),
        name.as_bytes(),
        &value_hash.0,
    ])
}

/// Leaf of an event from its field hashes; `None` unless there are 1 to 64.
#[must_use]
pub fn leaf_of_fields(source: Source, field_hashes: &[Hash]) -> Option<Hash> {
    let count = u16::try_from(field_hashes.len())
        .ok()
        .filter(|&n| usize::from(n) <= MEMBERS_MAX)?;
    let commitment = merkle::root(field_hashes)?;
    Some(sha256_parts(&[
        b"\0E",
        &[source.number()],
        &count.to_be_bytes(),
        &commitment.0,
    ]))
}

/// True for a name that may stand in an event.
#[must_use]
pub fn is_member_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
        && name
            .chars()
            .all(|char| ijson::check_value(&format!("\"{char}\""), 1).is_ok())
}

/// An event: its exact bytes and where its members lie in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    bytes: Vec<u8>,
    members: Vec<(Range<usize>, Range<usize>)>,
}

impl Event {
    /// Reads an event by the rules of section 2.1.
    ///
    /// # Errors
    /// [`EventError`]; such bytes can have no leaf.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, EventError> {
        if bytes.len() > EVENT_MAX {
            return Err(EventError::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| EventError::Utf8)?;
        let members = split(text)?;
        Ok(Self { bytes, members })
    }

    /// The bytes as signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as signed, taken.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Never true: an event has at least one member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// (name, value bytes) in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.members.iter().map(|(name, value)| {
            (
                std::str::from_utf8(&self.bytes[name.clone()]).unwrap_or(""),
                &self.bytes[value.clone()],
            )
        })
    }

    /// Field hashes in order.
    #[must_use]
    pub fn field_hashes(&self, salt: &Salt) -> Vec<Hash> {
        let hash = |(index, (name, value)): (usize, (&str, &[u8]))| {
            field_hash(name, &value_hash(&salt.field(index), value))
        };
        self.members().enumerate().map(hash).collect()
    }

    /// The event's identity.
    #[must_use]
    pub fn leaf(&self, source: Source, salt: &Salt) -> Hash {
        leaf_of_fields(source, &self.field_hashes(salt)).unwrap_or(Hash::ZERO)
    }
}

type Members = Vec<(Range<usize>, Range<usize>)>;

fn split(text: &str) -> Result<Members, EventError> {
    let mut scanner = Scanner::new(text);
    let form = |at| EventError::Form(at);
    scanner.eat(b'{').map_err(|_| form(0))?;
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    loop {
        let (name, value) = member(&mut scanner)?;
        if !names.insert(&text[name.clone()]) {
            return Err(EventError::DuplicateMember(text[name].to_owned()));
        }
        members.push((name, value));
        if scanner.eat(b'}').is_ok() {
            break;
        }
        scanner.eat(b',').map_err(|_| form(scanner.at))?;
    }
    if scanner.at == text.len() && members.len() <= MEMBERS_MAX {
        Ok(members)
    } else {
        Err(form(scanner.at))
    }
}

fn member(scanner: &mut Scanner<'_>) -> Result<(Range<usize>, Range<usize>), EventError> {
    let start = scanner.at + 1;
    let name = scanner.string().map_err(|_| EventError::Form(scanner.at))?;
    let range = start..scanner.at - 1;
    if range.len() != name.len() || !(1..=NAME_MAX).contains(&name.len()) {
        return Err(EventError::Name(start));
    }
    scanner
        .eat(b':')
        .map_err(|_| EventError::Form(scanner.at))?;
    let value = scanner.at;
    scanner.value(2)?;
    Ok((range, value..scanner.at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Event, EventError> {
        Event::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn members_are_found_with_their_exact_bytes() {
        let event = parse(r#"{"a":1,"b b":{"x": [1, 2] },"é":"\u0041"}"#).unwrap();
        let found: Vec<_> = event
            .members()
            .map(|(n, v)| (n.to_owned(), v.to_vec()))
            .collect();
        assert_eq!(found[1], ("b b".to_owned(), b"{\"x\": [1, 2] }".to_vec()));
        assert_eq!(found[2], ("é".to_owned(), br#""\u0041""#.to_vec()));
    }

    #[test]
    fn a_second_name_cannot_hide_in_a_member() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"\u0061":1}"#,
            r#"{ "a":1}"#,
            r#"{"a": 1}"#,
            r#"{"a":1 ,"b":2}"#,
            r#"{"a":1}x"#,
            r#"{"a":1,}"#,
            "{}",
            r#"{"":1}"#,
            r#"[1]"#,
            r#"{"a":1"b":2}"#,
            r#"{"a":{"b":1,"\u0062":2}}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..65).map(|i| format!("\"m{i}\":0")).collect();
        assert!(parse(&format!("{{{}}}", many.join(","))).is_err());
        assert!(parse(&format!("{{{}}}", many[..64].join(","))).is_ok());
    }

    proptest! {
        #[test]
        fn each_member_alone_parses_to_its_one_name(values in prop::collection::vec("[a-z]{0,9}", 1..9)) {
            let text: Vec<String> = values.iter().enumerate().map(|(i, v)| format!("\"n{i}\":\"{v}\"")).collect();
            let event = parse(&format!("{{{}}}", text.join(","))).unwrap();
            for (name, value) in event.members() {
                let alone = format!("{{\"{name}\":{}}}", std::str::from_utf8(value).unwrap());
                let parsed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&alone).unwrap();
                prop_assert_eq!(parsed.len(), 1);
                prop_assert!(parsed.contains_key(name));
            }
        }
    }
}
