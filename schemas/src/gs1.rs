//! GS1 identifiers: one name for one thing, whatever it was written as. No I/O.
//!
//! A thing reaches the system as a GS1 Digital Link URI on any host, as an EPC URN or as an element
//! string out of a bar code. [`Identifier`] reads all three, verifies check digits and gives the
//! canonical form that is stored and compared: a Digital Link on `https://id.gs1.org`.
//!
//! | written | canonical |
//! |---|---|
//! | `(01)09521001000017(10)L1` | `https://id.gs1.org/01/09521001000017/10/L1` |
//! | `urn:epc:class:lgtin:9521001.000001.L1` | the same |
//! | `https://shop.example/gtin/9521001000017/lot/L1?17=261231` | the same |
//!
//! Standards: GS1 General Specifications (check digits, application identifiers), GS1 Digital Link
//! URI Syntax, EPC Tag Data Standard (URNs), CBV 2.0 section 8 (the canonical form). The keys known
//! are in [`Key`]; lengths and character sets follow GS1's syntax dictionary.
//!
//! What it does not do: no compressed Digital Links, no GMN (8013), no check that a company prefix
//! has been issued, and no way back to an EPC URN (the length of the company prefix is not in the
//! key).

mod charset;
mod element;
mod error;
mod identifier;
mod item_key;
mod key;
mod link;
mod percent;
mod urn;

pub use charset::check_digit;
pub use error::Gs1Error;
pub use identifier::Identifier;
pub use item_key::{ItemKey, is_absolute_uri, read_uri};
pub use key::{Key, Qualifier};

/// Longest text that is read as an identifier, in bytes. The longest canonical form is below 300; a
/// Digital Link of somebody's own host may carry a query.
pub const MAX_INPUT_BYTES: usize = 1_024;

/// Most application identifiers in one element string; a label carries about ten.
pub const MAX_ELEMENTS: usize = 32;

/// The canonical form as the CBV 2.0 event hash needs it: like [`Identifier::parse_any`], but a
/// wrong check digit is left as it stands, because the hash is defined on syntax alone.
///
/// # Errors
/// Every [`Gs1Error`] but [`Gs1Error::CheckDigit`] where a check digit was given.
pub fn normalise(text: &str) -> Result<String, Gs1Error> {
    Ok(identifier::read(text)?.finish(false)?.canonical())
}

/// [`normalise`] for values that may be anything: only an `http` URI or an EPC URN is read, so that
/// text which happens to look like an element string stays text.
pub(crate) fn normalise_uri(text: &str) -> Option<String> {
    (link::is_link(text) || urn::is_epc(text)).then(|| normalise(text).ok())?
}

#[cfg(test)]
mod tests;
