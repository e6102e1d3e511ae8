//! What a scanner read: one bar code, RFID tag or typed number.
//!
//! A scanner may send a symbology identifier before the code (`]C1`, ISO/IEC 15424) and another
//! character for FNC1. [`plain`] and [`printed`] take that off, for every kind of source alike.

use rust_decimal::Decimal;
use schemas::gs1::{ElementString, Identifier, Key};

use super::presence::{Amount, Item};
use crate::config::{Part, TransactionRule};

/// Longest code in bytes: longer than any bar code, and than a Digital Link in a QR code should be.
pub const CODE_MAX: usize = 1_024;

/// Net contents that an element string may state, by the first three digits of the application
/// identifier (the fourth says how many decimals), in UN/ECE units: GS1 General Specifications 3.6.
const MEASURES: [(&str, &str); 6] = [
    ("310", "KGM"),
    ("311", "MTR"),
    ("314", "MTK"),
    ("315", "LTR"),
    ("316", "MTQ"),
    ("320", "LBR"),
];
/// How many pieces: variable count, count of trade items.
const COUNTS: [&str; 2] = ["30", "37"];

/// Group separator: FNC1 between elements.
const FNC1: char = '\u{1d}';

/// The form in which a code of goods says what it is: FNC1 for `separator` and none at its end,
/// `(01)` before the digits of a retail code, a URI without the symbology identifier before it.
pub(crate) fn plain(text: &str, separator: Option<char>) -> String {
    let text = text.trim_matches([' ', '\t']);
    let replaced = separator.map(|separator| text.replace(separator, "\u{1d}"));
    let text = replaced.as_deref().unwrap_or(text);
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // A scanner that sends digits alone has read a retail code: EAN-8, UPC-A, EAN-13, ITF-14. Read
    // as an element string, an EAN-13 of German goods would be an order (400) or a consignment (401).
    if digits && matches!(text.len(), 8 | 12 | 13 | 14) {
        return format!("(01){text}");
    }
    // QR Code, Data Matrix, Code 128 or Aztec without GS1's FNC1: a URI speaks for itself.
    let text = text.trim_end_matches(FNC1);
    match printed(text) {
        uri if is_uri(uri) => uri.to_owned(),
        _ => text.to_owned(),
    }
}

/// A code without the symbology identifier before it: command codes and numbers of orders stand in
/// bar codes that are none of GS1's.
pub(super) fn printed(text: &str) -> &str {
    let is_symbology = |aim: &str| match aim.as_bytes() {
        [b']', kind, modifier] => kind.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric(),
        _ => false,
    };
    match text.split_at_checked(3) {
        Some((aim, rest)) if is_symbology(aim) => rest,
        _ => text,
    }
}

fn is_uri(text: &str) -> bool {
    let begins = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins("http://") || begins("https://") || begins("urn:")
}

/// True if goods could bear the code.
pub(crate) fn is_of_goods(text: &str) -> bool {
    Code::read(text, None).is_ok()
}

/// A code that names a thing or a class of things.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Code {
    identifier: Identifier,
    /// As the code itself states it.
    amount: Option<Amount>,
}

impl Code {
    /// Reads a Digital Link, an EPC URN, an element string in any form or a retail code;
    /// `separator` is what the scanner sends for FNC1 where it cannot send 0x1D.
    pub fn read(text: &str, separator: Option<char>) -> Result<Self, String> {
        let text = plain(text, separator);
        let identifier =
            Identifier::parse_any(&text).map_err(|error| format!("`{text:.80}`: {error}"))?;
        // A Digital Link or URN is none; what it states of amounts is left unread.
        let elements = ElementString::parse_part(&text).ok();
        let amount = elements.as_ref().and_then(amount);
        Ok(Self { identifier, amount })
    }

    /// Canonical Digital Link.
    pub fn uri(&self) -> String {
        self.identifier.canonical()
    }

    pub fn is_class(&self) -> bool {
        self.identifier.is_class_level()
    }

    /// True if it is a lot or serial of the part's trade item, or the trade item itself.
    pub fn is_of(&self, part: &Part) -> bool {
        self.identifier.gtin() == Some(&part.gtin)
    }

    /// As an item: one thing has no amount; of a class what the code states, else `otherwise`.
    pub fn item(&self, otherwise: Amount) -> Item {
        Item {
            uri: self.uri(),
            amount: self
                .is_class()
                .then(|| self.amount.clone().unwrap_or(otherwise)),
        }
    }
}

fn amount(elements: &ElementString) -> Option<Amount> {
    let whole = |ai: &&str| elements.get(ai)?.parse::<Decimal>().ok();
    let counted = COUNTS.iter().find_map(whole).map(|count| (count, None));
    let measured = || elements.elements().iter().find_map(measure);
    let (quantity, uom) = counted.or_else(measured)?;
    (quantity > Decimal::ZERO).then(|| Amount {
        quantity: Some(quantity),
        uom: uom.map(str::to_owned),
    })
}

fn measure(element: &schemas::gs1::Element) -> Option<(Decimal, Option<&'static str>)> {
    let (kind, decimals) = element.ai().split_at_checked(3)?;
    let (_, uom) = MEASURES.iter().find(|(ai, _)| *ai == kind)?;
    let digits: i64 = element.value().parse().ok()?;
    let decimals: u32 = decimals.parse().ok()?;
    let quantity = Decimal::try_new(digits, decimals).ok()?;
    Some((quantity, Some(uom)))
}

/// The business transaction that a code names, if it names one: a GDTI, a `urn:epcglobal:cbv:bt:`,
/// and where the rule knows who gave the numbers out, an order number (400) or what stands behind
/// the rule's prefix (CBV 2.0 section 8.5).
pub(super) fn transaction(
    text: &str,
    separator: Option<char>,
    rule: &TransactionRule,
) -> Option<String> {
    let words = printed(text);
    if words.starts_with("urn:epcglobal:cbv:bt:") {
        let right = words.bytes().all(|byte| byte.is_ascii_graphic());
        return right.then(|| words.to_owned());
    }
    let of_number = |number: &str| {
        let gln = rule.gln.as_deref()?;
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fits = !number.is_empty() && number.bytes().all(right);
        fits.then(|| format!("urn:epcglobal:cbv:bt:{gln}:{number}"))
    };
    if let Some(number) = rule
        .prefix
        .as_deref()
        .and_then(|prefix| words.strip_prefix(prefix))
    {
        return of_number(number);
    }
    let text = plain(text, separator);
    let document = Identifier::parse_any(&text).ok();
    if let Some(document) = document.filter(|found| found.key() == Key::Gdti) {
        return Some(document.canonical());
    }
    of_number(ElementString::parse_part(&text).ok()?.get("400")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(text: &str) -> Option<(String, Option<String>)> {
        let amount = Code::read(text, None).expect(text).amount?;
        Some((amount.quantity?.to_string(), amount.uom))
    }

    #[test]
    fn a_code_states_its_amount_or_none() {
        let lot = "(01)09521001000017(10)L1";
        assert_eq!(stated(lot), None);
        let cases = [
            ("(30)12", "12", None),
            ("(37)12", "12", None),
            ("(3103)012500", "12.500", Some("KGM")),
            ("(3150)000003", "3", Some("LTR")),
        ];
        for (more, quantity, uom) in cases {
            let text = if more.starts_with("(37)") {
                format!("(00)095210010000000017(02)09521001000017{more}")
            } else {
                format!("{lot}{more}")
            };
            let expected = (quantity.to_owned(), uom.map(str::to_owned));
            assert_eq!(stated(&text), Some(expected), "{text}");
        }
        assert_eq!(stated(&format!("{lot}(30)0")), None);
        assert_eq!(stated("https://id.gs1.org/01/09521001000017/10/L1"), None);
    }

    #[test]
    fn orders_are_told_from_goods() {
        let rule = TransactionRule {
            kind: "po".to_owned(),
            required: false,
            gln: Some("9521001000024".to_owned()),
            prefix: Some("PO:".to_owned()),
        };
        let order = "urn:epcglobal:cbv:bt:9521001000024:4711";
        for text in [
            "PO:4711",
            "]C0PO:4711",
            "(400)4711",
            "]C14004711",
            "]C14004711\u{1d}",
            "]Q1urn:epcglobal:cbv:bt:9521001000024:4711",
            order,
        ] {
            let found = transaction(text, None, &rule);
            assert_eq!(found.as_deref(), Some(order), "{text}");
        }
        let document = transaction("(253)9521001000031D1", None, &rule);
        assert_eq!(
            document.as_deref(),
            Some("https://id.gs1.org/253/9521001000031D1")
        );
        // The last one is an EAN-13 of German goods, and none of order 1234567891.
        for text in [
            "(01)09521001000017(10)L1",
            "PO:",
            "PO:a b",
            "4711",
            "",
            "4001234567890",
        ] {
            assert_eq!(transaction(text, None, &rule), None, "{text}");
        }
        let nobody = TransactionRule { gln: None, ..rule };
        assert_eq!(transaction("PO:4711", None, &nobody), None);
    }

    #[test]
    fn only_what_a_scanner_puts_before_a_code_is_taken_off() {
        for (text, words) in [
            ("]C0DONE", "DONE"),
            ("]Q1DONE", "DONE"),
            ("]d2", ""),
            ("DONE", "DONE"),
            ("]", "]"),
            ("](DONE", "](DONE"),
            ("]c\u{e9}DONE", "]c\u{e9}DONE"),
        ] {
            assert_eq!(printed(text), words, "{text}");
        }
    }
}
