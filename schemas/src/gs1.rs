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
//! [`ElementString`] and [`DigitalLink`] keep what stands beside the key (dates, weights, counts)
//! and check all of it by the syntax dictionary; [`Identifier::urn`] leads back to an EPC URN, given
//! the length of the company prefix, which is not in the key.
//!
//! What it does not do: no compressed Digital Links, and no check that a company prefix has been
//! issued.
//!
//! Limits: [`MAX_INPUT_BYTES`] for every text, [`MAX_ELEMENTS`] for elements and for members of a
//! query.

mod charset;
mod dictionary;
mod element;
mod error;
mod identifier;
mod item_key;
mod key;
mod link;
mod lint;
mod percent;
mod urn;

pub use charset::check_digit;
pub use element::{Element, ElementString};
pub use error::Gs1Error;
pub use identifier::Identifier;
pub use item_key::{ItemKey, is_absolute_uri, is_class, read_uri};
pub use key::{Key, Qualifier};
pub use link::DigitalLink;

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

/// Writes [`normalise`] of a value that may be anything: only an `http` URI or an EPC URN is read, so
/// that text which happens to look like an element string stays text. Whether it wrote.
///
/// The hash escapes no `;` and no `=`: the reference does not, and its table of the Digital Link
/// standard does not ask for it. The canonical form does, and so stays what is stored.
pub(crate) fn write_normalised_uri(text: &str, out: &mut String) -> bool {
    if link::canonical(text).is_some() {
        out.push_str(text);
        return true;
    }
    if !link::is_link(text) && !urn::is_epc(text) {
        return false;
    }
    match identifier::read(text).and_then(|parts| parts.finish(false)) {
        Ok(identifier) => {
            identifier.write_for_hash(out);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
