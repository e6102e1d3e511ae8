//! Application identifiers: what each value must be, and what it must or may not stand beside.
//!
//! Derived from GS1's Barcode Syntax Dictionary (syntax and meaning of its columns are described
//! there); the test `element_strings` compares the two entry by entry.

mod table;

use super::Gs1Error;
use super::charset::Set;
use super::lint::Lint;

/// One identifier, or a range of identifiers of one form.
pub(super) struct Entry {
    /// `01` or `3100-3105`.
    range: &'static str,
    parts: &'static [Part],
    /// Alternatives with `,` between them, each of identifiers with `+` between them; a small `n`
    /// stands for any digit. Empty where nothing is required.
    pub(super) requires: &'static str,
    /// Patterns of identifiers that may not stand beside it, with `,` between them.
    pub(super) excludes: &'static str,
    /// Whether its length is known to every scanner, so that no FNC1 follows.
    pub(super) fixed: bool,
    /// Whether it may stand in the query of a Digital Link.
    pub(super) attribute: bool,
    /// A primary key of a Digital Link: its qualifiers in order, alternatives with `|` between them.
    /// [`super::Key`] and [`super::Qualifier`] are these in types (a test compares them).
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the keys are types; the table is whole")
    )]
    pub(super) qualifiers: Option<&'static str>,
}

/// A part of a value: the longest that fits is taken from what the parts before have left.
struct Part {
    set: Set,
    min: usize,
    max: usize,
    /// Whether the value may end before it.
    optional: bool,
    lints: &'static [&'static Lint],
}

/// Shortest and longest application identifier.
const AI_DIGITS: std::ops::RangeInclusive<usize> = 2..=4;

impl Entry {
    fn bounds(&self) -> (&'static str, &'static str) {
        self.range
            .split_once('-')
            .unwrap_or((self.range, self.range))
    }

    fn holds(&self, ai: &str) -> bool {
        let (first, last) = self.bounds();
        ai.len() == first.len() && (first..=last).contains(&ai)
    }

    /// Characters of the value where that is one number.
    pub(super) fn length(&self) -> Option<usize> {
        let known = self
            .parts
            .iter()
            .all(|part| part.min == part.max && !part.optional);
        known.then(|| self.parts.iter().map(|part| part.max).sum())
    }

    /// Checks a value: lengths, characters and every check that the dictionary names.
    pub(super) fn check(&self, ai: &str, value: &str) -> Result<(), Gs1Error> {
        let mut rest = value;
        for part in self.parts {
            if part.optional && rest.is_empty() {
                break;
            }
            let taken = rest.len().min(part.max);
            // Beyond ASCII no character is in any set, so the text is refused before it is cut.
            let (piece, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
            part.check(ai, piece)?;
            if piece.len() < part.min {
                return Err(self.wrong_length(ai, value));
            }
            rest = after;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong_length(ai, value))
        }
    }

    fn wrong_length(&self, ai: &str, value: &str) -> Gs1Error {
        let least = self
            .parts
            .iter()
            .filter(|part| !part.optional)
            .map(|part| part.min);
        Gs1Error::ElementLength {
            ai: ai.to_owned(),
            least: least.sum(),
            most: self.parts.iter().map(|part| part.max).sum(),
            found: value.chars().count(),
        }
    }
}

impl Part {
    fn check(&self, ai: &str, piece: &str) -> Result<(), Gs1Error> {
        if let Some(character) = self.set.first_foreign(piece) {
            return Err(Gs1Error::ElementCharacter {
                ai: ai.to_owned(),
                character,
            });
        }
        if piece.len() < self.min {
            return Ok(());
        }
        for lint in self.lints {
            (lint.check)(piece).map_err(|fault| Gs1Error::Element {
                ai: ai.to_owned(),
                fault: fault.0,
            })?;
        }
        Ok(())
    }
}

/// The entry of an application identifier; `None` where GS1 has given it no meaning.
pub(super) fn entry(ai: &str) -> Option<&'static Entry> {
    // Sorted by number as text: the last entry that begins at or before it is the only candidate.
    let after = table::ENTRIES.partition_point(|entry| entry.bounds().0 <= ai);
    table::ENTRIES
        .get(after.checked_sub(1)?)
        .filter(|entry| entry.holds(ai))
}

/// The identifier at the beginning of a text with its entry. No identifier begins another.
pub(super) fn leading(text: &str) -> Option<(&str, &'static Entry)> {
    AI_DIGITS
        .filter_map(|length| text.get(..length))
        .find_map(|ai| Some((ai, entry(ai)?)))
}

/// Whether an identifier matches a pattern such as `310n`.
pub(super) fn matches(pattern: &str, ai: &str) -> bool {
    let same = |(wanted, found): (u8, u8)| wanted == found || wanted == b'n';
    pattern.len() == ai.len() && pattern.bytes().zip(ai.bytes()).all(same)
}

#[cfg(test)]
mod tests;
