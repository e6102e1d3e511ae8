//! Reports of readers: what somebody saw on goods, from the form to the organisation that made them.
//!
//! A report is about a code, known or not. It gets a [`Number`] that its reporter keeps and that
//! nobody can guess; it is never changed, what is done about it is added in [`Step`]s. Nothing in it
//! names the reporter but a contact that the reporter may give, which is kept apart, shown to the
//! organisation only, and erased by whoever holds the number. The page of a number says what was
//! reported about which code and how far it is, never the reporter's words.
//!
//! Limits count reports, not people: no address is looked at or kept. They are per code and in
//! all, so that a flood about one code leaves the others open.

mod number;

use std::time::Duration;

use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

pub use number::{Number, NumberError};

use crate::trace::Item;

/// Longest text of a report, in characters.
pub const TEXT_MAX_CHARS: usize = 2_000;
/// Longest contact, in characters.
pub const CONTACT_MAX_CHARS: usize = 200;
/// Bytes of the secret that makes a form's number: nobody else's number can be aimed at.
pub const NONCE_BYTES: usize = 16;
/// How long a report counts against the limits.
pub const WINDOW: Duration = Duration::from_secs(3_600);
/// Most reports about one code in [`WINDOW`].
pub const MOST_OF_ITEM: u64 = 20;
/// Most reports in all in [`WINDOW`].
pub const MOST_IN_ALL: u64 = 500;

/// What is wrong, in the reporter's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Seal or package is broken or was opened.
    SealBroken,
    /// It looks like a copy.
    LooksCopied,
    /// Other goods than the page says.
    WrongGoods,
    /// It is or may be dangerous.
    Unsafe,
    /// Anything else.
    Other,
}

impl Kind {
    /// All, in the order of the form.
    pub const ALL: [Kind; 5] = [
        Kind::SealBroken,
        Kind::LooksCopied,
        Kind::WrongGoods,
        Kind::Unsafe,
        Kind::Other,
    ];

    /// Its word in forms and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SealBroken => "seal_broken",
            Kind::LooksCopied => "looks_copied",
            Kind::WrongGoods => "wrong_goods",
            Kind::Unsafe => "unsafe",
            Kind::Other => "other",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nobody has looked at it yet.
    Received,
    /// The organisation has read it.
    Read,
    /// The organisation is done with it.
    Closed,
}

impl State {
    /// Its word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Received => "received",
            State::Read => "read",
            State::Closed => "closed",
        }
    }

    /// The state of a word.
    pub fn parse(word: &str) -> Option<State> {
        let all = [State::Received, State::Read, State::Closed];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// Something that was done about a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// State from then on.
    pub state: State,
    /// Account of the person who did it; never shown to the reporter.
    pub person: Slug,
    /// When.
    pub at: Instant,
}

/// A report on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReport {
    /// Its number.
    pub number: Number,
    /// Canonical key of the item.
    pub item: String,
    /// Who made the item as far as was known then.
    pub organisation: Option<Slug>,
    /// What is wrong.
    pub kind: Kind,
    /// The reporter's words; may be empty.
    pub text: String,
    /// How to reach the reporter, if that was given.
    pub contact: Option<String>,
    /// When it came.
    pub received: Instant,
}

/// A report as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// Its number.
    pub number: Number,
    /// Canonical key of the item.
    pub item: String,
    /// Who made the item as far as was known then.
    pub organisation: Option<Slug>,
    /// What is wrong.
    pub kind: Kind,
    /// The reporter's words; may be empty.
    pub text: String,
    /// When it came.
    pub received: Instant,
    /// True while a contact is kept.
    pub has_contact: bool,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

impl KeptReport {
    /// How far it is.
    pub fn state(&self) -> State {
        self.steps.last().map_or(State::Received, |step| step.state)
    }
}

/// What came of adding a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is kept, now or since an earlier sending of the same form.
    Kept,
    /// Too many reports for the moment; it is not kept.
    Limited,
}

/// The most reports that the store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Reports received before this do not count.
    pub since: Instant,
    /// About one item.
    pub of_item: u64,
    /// In all.
    pub in_all: u64,
}

impl Limits {
    /// The limits at an instant.
    pub fn at(now: Instant) -> Limits {
        let window = i64::try_from(WINDOW.as_micros()).unwrap_or(i64::MAX);
        Limits {
            since: Instant::from_micros(now.as_micros().saturating_sub(window)),
            of_item: MOST_OF_ITEM,
            in_all: MOST_IN_ALL,
        }
    }
}

/// What a form brings, as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Word of the kind.
    pub kind: String,
    /// The reporter's words.
    pub text: String,
    /// How to reach the reporter.
    pub contact: String,
    /// The form's secret in hex.
    pub nonce: String,
}

/// A field that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No kind, or none of the list.
    #[error("choose what is wrong")]
    Kind,
    /// The text is too long by so many characters.
    #[error("the text is {0} characters too long")]
    Text(usize),
    /// The contact is too long by so many characters.
    #[error("the contact is {0} characters too long")]
    Contact(usize),
    /// The kind `other` needs words.
    #[error("say what is wrong")]
    Words,
    /// The form is not one that this platform has made.
    #[error("the form is incomplete")]
    Form,
}

/// A form that can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    kind: Kind,
    text: String,
    contact: Option<String>,
    nonce: [u8; NONCE_BYTES],
}

impl Draft {
    /// Reads a form.
    ///
    /// # Errors
    /// Every field that cannot be taken, in the order of the form.
    pub fn read(sent: &Sent) -> Result<Draft, Vec<Fault>> {
        let (text, contact) = (clean(&sent.text), clean(&sent.contact));
        let kind = Kind::parse(&sent.kind);
        let mut nonce = [0; NONCE_BYTES];
        let decoded = hex::decode_to_slice(&sent.nonce, &mut nonce);
        let over = |text: &str, most| text.chars().count().checked_sub(most).filter(|n| *n > 0);
        let faults: Vec<Fault> = [
            kind.is_none().then_some(Fault::Kind),
            over(&text, TEXT_MAX_CHARS).map(Fault::Text),
            (kind == Some(Kind::Other) && text.is_empty()).then_some(Fault::Words),
            over(&contact, CONTACT_MAX_CHARS).map(Fault::Contact),
            decoded.err().map(|_| Fault::Form),
        ]
        .into_iter()
        .flatten()
        .collect();
        match kind {
            Some(kind) if faults.is_empty() => Ok(Draft {
                kind,
                text,
                contact: (!contact.is_empty()).then_some(contact),
                nonce,
            }),
            _ => Err(faults),
        }
    }

    /// The report that it makes. The same form about the same item makes the same number, so that
    /// sending it twice files it once; other words make another number.
    pub fn about(self, item: &Item, organisation: Option<Slug>, received: Instant) -> NewReport {
        let parts = [
            &self.nonce[..],
            item.key().as_bytes(),
            self.kind.as_str().as_bytes(),
            self.text.as_bytes(),
        ];
        NewReport {
            number: Number::of(&digest(&parts)),
            item: item.key().to_owned(),
            organisation,
            kind: self.kind,
            text: self.text,
            contact: self.contact,
            received,
        }
    }
}

/// What people type, without the spaces around it; lines end as on this system, and characters
/// that steer a terminal or hide text are left out.
fn clean(text: &str) -> String {
    let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202A}'..='\u{202E}').contains(&c);
    let text = text.replace("\r\n", "\n").replace(steers, "");
    text.trim().to_owned()
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut bytes = b"tracebond report".to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    schemas::hash::sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Sent {
        Sent {
            kind: "seal_broken".to_owned(),
            text: " The lid was open.\r\nTwice. ".to_owned(),
            contact: String::new(),
            nonce: "ab".repeat(NONCE_BYTES),
        }
    }

    fn number(sent: &Sent) -> Number {
        let item = Item::parse("(01)09521001000017(10)L1").unwrap();
        let draft = Draft::read(sent).unwrap();
        draft.about(&item, None, Instant::default()).number
    }

    #[test]
    fn the_same_form_makes_the_same_number_and_other_words_another() {
        let first = sent();
        assert_eq!(number(&first), number(&first));
        let mut other = first.clone();
        other.text.push('!');
        assert_ne!(number(&first), number(&other));
        let mut other = first.clone();
        other.nonce = "ac".repeat(NONCE_BYTES);
        assert_ne!(number(&first), number(&other));
    }

    #[test]
    fn what_people_type_is_trimmed_and_cannot_steer() {
        let mut form = sent();
        form.contact = "\u{202E}a@b\u{7}\n ".to_owned();
        let draft = Draft::read(&form).unwrap();
        assert_eq!(draft.text, "The lid was open.\nTwice.");
        assert_eq!(draft.contact.as_deref(), Some("a@b"));
    }

    #[test]
    fn every_fault_is_named() {
        let bad = Sent {
            kind: "fire".to_owned(),
            text: "x".repeat(TEXT_MAX_CHARS + 3),
            contact: "y".repeat(CONTACT_MAX_CHARS + 1),
            nonce: "00".to_owned(),
        };
        let faults = Draft::read(&bad).unwrap_err();
        assert_eq!(
            faults,
            [Fault::Kind, Fault::Text(3), Fault::Contact(1), Fault::Form]
        );
        let mut form = sent();
        (form.kind, form.text) = ("other".to_owned(), " \n".to_owned());
        assert_eq!(Draft::read(&form), Err(vec![Fault::Words]));
        // A limit counts characters, not bytes.
        form.text = "封".repeat(TEXT_MAX_CHARS);
        assert!(Draft::read(&form).is_ok());
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        for state in [State::Received, State::Read, State::Closed] {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
