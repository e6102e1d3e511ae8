use super::{Key, Qualifier};

/// Why something is not a GS1 identifier. Every variant names what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gs1Error {
    /// Longer than [`super::MAX_INPUT_BYTES`].
    #[error("identifier has {found} bytes, at most {limit} are read")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// None of the three syntaxes.
    #[error("neither a GS1 Digital Link URI, an EPC URN nor an element string")]
    Unrecognised,
    /// Digits alone may be a GTIN or an element string, so the writer must say which.
    #[error("a bare number of {0} digits is ambiguous: write (01) before a GTIN")]
    BareNumber(usize),
    /// A Digital Link without a primary key that is known here.
    #[error("no known GS1 key in the path")]
    NoKey,
    /// An element string that names no primary key.
    #[error("no known GS1 key among the application identifiers")]
    NoKeyElement,
    /// Two primary keys in one element string, or one twice with different values.
    #[error("application identifiers {0} and {1} are both keys")]
    TwoKeys(Key, Key),
    /// An EPC scheme that has no GS1 Digital Link form here.
    #[error("EPC scheme `{0}` has no GS1 key")]
    UnknownScheme(String),
    /// A segment or application identifier that cannot follow this key.
    #[error("`{qualifier}` does not qualify key {key}")]
    UnknownQualifier {
        /// The primary key.
        key: Key,
        /// What was found after it.
        qualifier: String,
    },
    /// Qualifiers of a Digital Link must come as 22, 10, 21, each at most once.
    #[error("qualifier {0} is repeated or stands in the wrong place")]
    QualifierOrder(Qualifier),
    /// Qualifiers that exclude each other.
    #[error("qualifiers {0} and {1} exclude each other")]
    Excluded(Qualifier, Qualifier),
    /// The path ends after a key or qualifier.
    #[error("`{0}` has no value")]
    NoValue(String),
    /// A value too short or too long.
    #[error("value of {ai} has {found} characters, it needs {needs}")]
    Length {
        /// Application identifier.
        ai: &'static str,
        /// Length that is needed, in words.
        needs: &'static str,
        /// Characters found.
        found: usize,
    },
    /// A character outside the set of its application identifier.
    #[error("value of {ai} may not contain {character:?}")]
    Character {
        /// Application identifier.
        ai: &'static str,
        /// The first character that is wrong.
        character: char,
    },
    /// Last digit does not fit the digits before it.
    #[error("wrong check digit in {ai}: expected {expected}, got {found}")]
    CheckDigit {
        /// Application identifier.
        ai: &'static str,
        /// Digit that the standard's rule gives.
        expected: u8,
        /// Digit found.
        found: u8,
    },
    /// Last two characters do not fit the ones before them (GMN).
    #[error("wrong check characters in {ai}")]
    CheckPair {
        /// Application identifier.
        ai: &'static str,
    },
    /// Piece of an ITIP above its total, or zero.
    #[error("piece {piece} of {total} is none")]
    Piece {
        /// Two digits: which piece.
        piece: String,
        /// Two digits: how many pieces.
        total: String,
    },
    /// First field of an EPC URN.
    #[error("a GS1 company prefix has 6 to 12 digits, not `{0}`")]
    CompanyPrefix(String),
    /// A field of an EPC URN.
    #[error("EPC scheme `{scheme}` needs {needs}")]
    Urn {
        /// Scheme, for example `sgtin`.
        scheme: &'static str,
        /// What it needs, in words.
        needs: &'static str,
    },
    /// `%` not followed by two hexadecimal digits, or not text when decoded.
    #[error("broken percent encoding")]
    PercentEncoding,
    /// An application identifier that is not in the standard's length table, or cut off.
    #[error("`{0}` is no application identifier")]
    UnknownElement(String),
    /// A value in an element string that its application identifier does not allow.
    #[error("value of {ai} {fault}")]
    Element {
        /// Application identifier.
        ai: String,
        /// What is wrong, as the end of the sentence.
        fault: &'static str,
    },
    /// A value in an element string that is too short or too long.
    #[error("value of {ai} has {found} characters, it needs {least} to {most}")]
    ElementLength {
        /// Application identifier.
        ai: String,
        /// Fewest characters.
        least: usize,
        /// Most characters.
        most: usize,
        /// Characters found.
        found: usize,
    },
    /// A character in an element string that its application identifier does not allow.
    #[error("value of {ai} may not contain {character:?}")]
    ElementCharacter {
        /// Application identifier.
        ai: String,
        /// The first character that is wrong.
        character: char,
    },
    /// One application identifier twice with two values.
    #[error("{0} stands twice with two values")]
    Repeated(String),
    /// An application identifier that means nothing without others.
    #[error("{ai} needs {needs} beside it (`,` or, `+` and, `n` any digit)")]
    Requires {
        /// Application identifier.
        ai: String,
        /// What it needs, as the syntax dictionary writes it.
        needs: &'static str,
    },
    /// Two application identifiers that exclude each other.
    #[error("{ai} and {other} exclude each other")]
    Excludes {
        /// The one that names the rule.
        ai: String,
        /// The one beside it.
        other: String,
    },
    /// An application identifier that has no place in the query of a Digital Link.
    #[error("{0} may not stand in the query of a Digital Link")]
    NoAttribute(String),
    /// A symbology identifier of a bar code that carries no GS1 data.
    #[error("`{0}` is no symbology identifier of a GS1 bar code")]
    Symbology(String),
    /// Something that no EPC URN can say: a lot with a variant only, a party's invoice.
    #[error("key {0} with these qualifiers has no EPC URN")]
    NoUrn(Key),
    /// An element string with too many parts.
    #[error("more than {0} application identifiers")]
    TooManyElements(usize),
    /// Something other than digits was given to [`super::check_digit`].
    #[error("{0:?} is no digit")]
    NoDigit(char),
    /// Not an absolute URI.
    #[error("not an absolute URI")]
    NotAbsolute,
}
