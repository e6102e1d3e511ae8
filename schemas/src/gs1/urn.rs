//! EPC URNs (GS1 EPC Tag Data Standard, section 6): pure identity, class and pattern forms.
//!
//! A pattern counts only with its last field, the serial, as `*`: then it names the class.

mod write;

use super::charset::{Set, check_digit};
use super::identifier::Parts;
use super::{Gs1Error, Key, Qualifier, percent};

pub(super) use write::write;

const PREFIX: &str = "urn:epc:";

/// EPC schemes that name things by rules other than GS1's, and so have no Digital Link.
const FOREIGN_SCHEMES: [&str; 5] = ["gid", "usdod", "adi", "bic", "imovn"];

/// Whether the text begins as an EPC URN.
pub(super) fn is_epc(text: &str) -> bool {
    text.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Whether the text is an EPC URN of a scheme that is not GS1's own.
pub(super) fn is_foreign_epc(text: &str) -> bool {
    let Some((_, scheme, _)) = split(text) else {
        return false;
    };
    FOREIGN_SCHEMES.contains(&scheme)
}

/// Form (`id`, `class`, `idpat`), scheme and fields.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let rest = is_epc(text).then(|| &text[PREFIX.len()..])?;
    let (form, rest) = rest.split_once(':')?;
    let (scheme, fields) = rest.split_once(':')?;
    Some((form, scheme, fields))
}

/// Reads a URN into key, value and qualifiers.
pub(super) fn parse(text: &str) -> Result<Parts, Gs1Error> {
    let (form, scheme, fields) = split(text).ok_or(Gs1Error::Unrecognised)?;
    let unknown = || Gs1Error::UnknownScheme(format!("{form}:{scheme}"));
    let scheme = SCHEMES
        .iter()
        .find(|known| known.name == scheme)
        .ok_or_else(unknown)?;
    match (form, scheme.class) {
        ("id", false) | ("class", true) => scheme.read(fields, false),
        ("idpat", false) if scheme.has_class() => scheme.read(fields, true),
        _ => Err(unknown()),
    }
}

/// Where the last field goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serial {
    /// There is none.
    None,
    /// Into this qualifier.
    Qualifier(Qualifier),
    /// Behind the key's digits.
    Tail,
    /// Into the GLN's extension, where `0` means that there is none.
    Extension,
}

struct Scheme {
    name: &'static str,
    key: Key,
    /// Number of fields.
    fields: usize,
    /// Digits of company prefix and reference together; 0 if the reference is free text.
    digits: usize,
    /// Whether the first digit of the reference stands before the company prefix.
    leading: bool,
    serial: Serial,
    /// Whether its form is `class`.
    class: bool,
    needs: &'static str,
}

const fn scheme(
    name: &'static str,
    key: Key,
    digits: usize,
    serial: Serial,
    needs: &'static str,
) -> Scheme {
    let fields = if matches!(serial, Serial::None) { 2 } else { 3 };
    Scheme {
        name,
        key,
        fields,
        digits,
        leading: false,
        serial,
        class: false,
        needs,
    }
}

const fn leading(scheme: Scheme) -> Scheme {
    Scheme {
        leading: true,
        ..scheme
    }
}

const ITEM: &str =
    "company prefix.indicator and item.serial, the first two with 13 digits together";
const UNIT: &str = "company prefix.extension and serial, 17 digits together";
const PLACE: &str = "company prefix.location.extension, the first two with 12 digits together";
const TYPED: &str = "company prefix.type.serial, the first two with 12 digits together";
const FREE: &str = "company prefix.reference";
const PIECES: &str = "company prefix.indicator and item.piece.total.serial, the first two with 13 \
                      digits together, piece and total with 2 each";

const SCHEMES: [Scheme; 16] = [
    leading(scheme(
        "sgtin",
        Key::Gtin,
        13,
        Serial::Qualifier(Qualifier::Serial),
        ITEM,
    )),
    Scheme {
        class: true,
        ..leading(scheme(
            "lgtin",
            Key::Gtin,
            13,
            Serial::Qualifier(Qualifier::Lot),
            ITEM,
        ))
    },
    leading(scheme(
        "upui",
        Key::Gtin,
        13,
        Serial::Qualifier(Qualifier::Tpx),
        ITEM,
    )),
    Scheme {
        fields: 5,
        ..leading(scheme(
            "itip",
            Key::Itip,
            13,
            Serial::Qualifier(Qualifier::Serial),
            PIECES,
        ))
    },
    leading(scheme("sscc", Key::Sscc, 17, Serial::None, UNIT)),
    scheme("sgln", Key::Gln, 12, Serial::Extension, PLACE),
    scheme(
        "pgln",
        Key::Party,
        12,
        Serial::None,
        "company prefix.party, 12 digits together",
    ),
    scheme("grai", Key::Grai, 12, Serial::Tail, TYPED),
    scheme("gdti", Key::Gdti, 12, Serial::Tail, TYPED),
    scheme("sgcn", Key::Gcn, 12, Serial::Tail, TYPED),
    scheme("giai", Key::Giai, 0, Serial::None, FREE),
    scheme("ginc", Key::Ginc, 0, Serial::None, FREE),
    scheme(
        "gsrn",
        Key::Gsrn,
        17,
        Serial::None,
        "company prefix.service, 17 digits together",
    ),
    scheme(
        "gsrnp",
        Key::Gsrnp,
        17,
        Serial::None,
        "company prefix.service, 17 digits together",
    ),
    scheme(
        "gsin",
        Key::Gsin,
        16,
        Serial::None,
        "company prefix.shipper, 16 digits together",
    ),
    scheme(
        "cpi",
        Key::Cpid,
        0,
        Serial::Qualifier(Qualifier::PartSerial),
        "company prefix.part.serial",
    ),
];

impl Scheme {
    /// Whether leaving the serial away names a class: a place or a unit has none.
    fn has_class(&self) -> bool {
        matches!(self.serial, Serial::Qualifier(_) | Serial::Tail)
    }

    fn read(&self, text: &str, pattern: bool) -> Result<Parts, Gs1Error> {
        let wrong = Gs1Error::Urn {
            scheme: self.name,
            needs: self.needs,
        };
        let fields: Vec<&str> = text.splitn(self.fields, '.').collect();
        let (&[prefix, reference], rest) = fields.split_first_chunk().ok_or(wrong.clone())?;
        let last = rest.last().copied();
        let last_is_wrong = last == Some("") || pattern && last != Some("*");
        if fields.len() != self.fields || last_is_wrong {
            return Err(wrong);
        }
        let mut value = self.key_value(prefix, reference, wrong.clone())?;
        if let [piece, total, _] = *rest {
            if piece.len() != 2 || total.len() != 2 {
                return Err(wrong);
            }
            value = value + piece + total;
        }
        let serial = last.filter(|_| !pattern).map(percent::decode).transpose()?;
        Ok(self.with_serial(value, serial))
    }

    /// Company prefix and reference, with what the URN form leaves out.
    fn key_value(
        &self,
        prefix: &str,
        reference: &str,
        wrong: Gs1Error,
    ) -> Result<String, Gs1Error> {
        let digits = |text: &str| Set::Digits.check(self.key.ai(), text).is_ok();
        if !(6..=12).contains(&prefix.len()) || !digits(prefix) {
            return Err(Gs1Error::CompanyPrefix(prefix.to_owned()));
        }
        if self.digits == 0 {
            return Ok(prefix.to_owned() + &percent::decode(reference)?);
        }
        if prefix.len() + reference.len() != self.digits || !digits(reference) {
            return Err(wrong);
        }
        let (first, reference) = reference.split_at(usize::from(self.leading));
        // A GRAI is filled up to 14 digits.
        let fill = if self.key == Key::Grai { "0" } else { "" };
        let body = format!("{fill}{first}{prefix}{reference}");
        let check = check_digit(&body)?;
        Ok(format!("{body}{check}"))
    }

    fn with_serial(&self, value: String, serial: Option<String>) -> Parts {
        let mut parts = Parts::new(self.key, value);
        match (self.serial, serial) {
            (Serial::Qualifier(qualifier), Some(serial)) => {
                parts.qualifiers.insert(qualifier, serial);
            }
            (Serial::Extension, Some(serial)) if serial != "0" => {
                parts.qualifiers.insert(Qualifier::Extension, serial);
            }
            (Serial::Tail, Some(serial)) => parts.value += &serial,
            _ => {}
        }
        parts
    }
}
