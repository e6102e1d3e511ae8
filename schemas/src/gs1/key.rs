//! Keys and qualifiers: the part of GS1's syntax dictionary that identifies things. They are the
//! primary keys of the Digital Link and their qualifiers, every one that the dictionary has.

use std::fmt;

use super::Gs1Error;
use super::charset::{Set, check_pair, verify_check_digit};

/// A primary key, named by its application identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// 00, SSCC: a logistic unit.
    Sscc,
    /// 01, GTIN: a trade item; with lot LGTIN, with serial SGTIN.
    Gtin,
    /// 253, GDTI: a document type, with a serial one document.
    Gdti,
    /// 255, GCN: a coupon.
    Gcn,
    /// 401, GINC: a consignment.
    Ginc,
    /// 402, GSIN: a shipment.
    Gsin,
    /// 414, GLN of a physical location; with extension SGLN.
    Gln,
    /// 415, GLN of a party that is paid; with a reference number (8020) one payment slip.
    PayTo,
    /// 417, GLN of a party: PGLN.
    Party,
    /// 8003, GRAI: a returnable asset type, with a serial one asset.
    Grai,
    /// 8004, GIAI: one asset.
    Giai,
    /// 8006, ITIP: a piece of a trade item.
    Itip,
    /// 8010, CPID: a component or part.
    Cpid,
    /// 8013, GMN: a model of a product.
    Gmn,
    /// 8017, GSRN of a provider.
    Gsrnp,
    /// 8018, GSRN of a recipient.
    Gsrn,
}

/// Shape of a key's value: `head` digits, then up to `tail` characters of `set`.
struct Layout {
    ai: &'static str,
    /// Name in the path of the Digital Link standard 1.1, still found in the field.
    alias: &'static str,
    head: usize,
    /// How many leading digits end in a check digit; 0 is none.
    checked: usize,
    set: Set,
    tail: usize,
    needs: &'static str,
    qualifiers: &'static [Qualifier],
}

const TRADE: &[Qualifier] = &[
    Qualifier::Cpv,
    Qualifier::Lot,
    Qualifier::Serial,
    Qualifier::Tpx,
];
const PIECE: &[Qualifier] = &[Qualifier::Cpv, Qualifier::Lot, Qualifier::Serial];

const fn digits(
    ai: &'static str,
    alias: &'static str,
    head: usize,
    needs: &'static str,
    qualifiers: &'static [Qualifier],
) -> Layout {
    Layout {
        ai,
        alias,
        head,
        checked: head,
        set: Set::Digits,
        tail: 0,
        needs,
        qualifiers,
    }
}

const fn text(
    ai: &'static str,
    alias: &'static str,
    set: Set,
    qualifiers: &'static [Qualifier],
) -> Layout {
    Layout {
        ai,
        alias,
        head: 0,
        checked: 0,
        set,
        tail: 30,
        needs: "1 to 30",
        qualifiers,
    }
}

const SSCC: Layout = digits("00", "sscc", 18, "18", &[]);
const GTIN: Layout = digits("01", "gtin", 14, "8, 12, 13 or 14", TRADE);
const GDTI: Layout = Layout {
    set: Set::Set82,
    tail: 17,
    ..digits("253", "gdti", 13, "13 to 30", &[])
};
const GCN: Layout = Layout {
    tail: 12,
    ..digits("255", "gcn", 13, "13 to 25", &[])
};
const GINC: Layout = text("401", "ginc", Set::Set82, &[]);
const GSIN: Layout = digits("402", "gsin", 17, "17", &[]);
const GLN: Layout = digits(
    "414",
    "gln",
    13,
    "13",
    &[Qualifier::Extension, Qualifier::Importer],
);
const PAY_TO: Layout = digits("415", "payTo", 13, "13", &[Qualifier::Reference]);
const PARTY: Layout = digits("417", "party", 13, "13", &[Qualifier::Importer]);
const GRAI: Layout = Layout {
    set: Set::Set82,
    tail: 16,
    ..digits("8003", "grai", 14, "14 to 30", &[])
};
const GIAI: Layout = text("8004", "giai", Set::Set82, &[Qualifier::Importer]);
const ITIP: Layout = Layout {
    checked: 14,
    ..digits("8006", "itip", 18, "18", PIECE)
};
const CPID: Layout = text("8010", "cpid", Set::Set39, &[Qualifier::PartSerial]);
const GMN: Layout = Layout {
    tail: 25,
    needs: "1 to 25",
    ..text("8013", "gmn", Set::Set82, &[])
};
const GSRNP: Layout = digits("8017", "gsrnp", 18, "18", &[Qualifier::ServiceInstance]);
const GSRN: Layout = digits("8018", "gsrn", 18, "18", &[Qualifier::ServiceInstance]);

impl Key {
    /// All keys, by application identifier.
    pub const ALL: [Key; 16] = [
        Key::Sscc,
        Key::Gtin,
        Key::Gdti,
        Key::Gcn,
        Key::Ginc,
        Key::Gsin,
        Key::Gln,
        Key::PayTo,
        Key::Party,
        Key::Grai,
        Key::Giai,
        Key::Itip,
        Key::Cpid,
        Key::Gmn,
        Key::Gsrnp,
        Key::Gsrn,
    ];

    fn layout(self) -> &'static Layout {
        match self {
            Key::Sscc => &SSCC,
            Key::Gtin => &GTIN,
            Key::Gdti => &GDTI,
            Key::Gcn => &GCN,
            Key::Ginc => &GINC,
            Key::Gsin => &GSIN,
            Key::Gln => &GLN,
            Key::PayTo => &PAY_TO,
            Key::Party => &PARTY,
            Key::Grai => &GRAI,
            Key::Giai => &GIAI,
            Key::Itip => &ITIP,
            Key::Cpid => &CPID,
            Key::Gmn => &GMN,
            Key::Gsrnp => &GSRNP,
            Key::Gsrn => &GSRN,
        }
    }

    /// Application identifier, for example `01`.
    pub fn ai(self) -> &'static str {
        self.layout().ai
    }

    /// The key with this application identifier.
    pub(super) fn from_ai(ai: &str) -> Option<Key> {
        Key::ALL.into_iter().find(|key| key.ai() == ai)
    }

    /// The key that a path segment names, by number or by its old short name.
    pub(super) fn from_segment(segment: &str) -> Option<Key> {
        Key::ALL
            .into_iter()
            .find(|key| key.ai() == segment || key.layout().alias == segment)
    }

    /// Whether this qualifier may follow the key.
    pub(super) fn takes(self, qualifier: Qualifier) -> bool {
        self.layout().qualifiers.contains(&qualifier)
    }

    /// How many characters of a value are its fixed digits; what follows is a serial.
    pub(super) fn head(self) -> usize {
        self.layout().head
    }

    /// Brings a value to its one form (GTINs to 14 digits) and checks everything but the check
    /// digit.
    pub(super) fn shape(self, value: &str) -> Result<String, Gs1Error> {
        let layout = self.layout();
        let value = match (self, value.len()) {
            (Key::Gtin, 8 | 12 | 13) => format!("{value:0>14}"),
            _ => value.to_owned(),
        };
        let (head, tail) = value.split_at_checked(layout.head).unwrap_or((&value, ""));
        Set::Digits.check(layout.ai, head)?;
        layout.set.check(layout.ai, tail)?;
        let empty = layout.head == 0 && tail.is_empty();
        if head.len() < layout.head || tail.len() > layout.tail || empty {
            let found = value.chars().count();
            return Err(Gs1Error::Length {
                ai: layout.ai,
                needs: layout.needs,
                found,
            });
        }
        self.check_parts(&value)?;
        Ok(value)
    }

    /// What single keys ask beyond lengths and characters.
    fn check_parts(self, value: &str) -> Result<(), Gs1Error> {
        match self {
            // N1,zero: the first digit of a GRAI only fills it up to 14.
            Key::Grai if !value.starts_with('0') => Err(Gs1Error::Character {
                ai: self.ai(),
                character: value.chars().next().unwrap_or(' '),
            }),
            Key::Itip => {
                let (piece, total) = value[14..].split_at(2);
                let (piece, total) = (piece.to_owned(), total.to_owned());
                let holds = piece != "00" && piece <= total;
                if holds {
                    Ok(())
                } else {
                    Err(Gs1Error::Piece { piece, total })
                }
            }
            _ => Ok(()),
        }
    }

    /// Checks the check digit or pair of a value that [`Key::shape`] has returned.
    pub(super) fn verify(self, value: &str) -> Result<(), Gs1Error> {
        if self == Key::Gmn {
            return verify_check_pair(self.ai(), value);
        }
        match self.layout().checked {
            0 => Ok(()),
            length => verify_check_digit(self.ai(), &value[..length]),
        }
    }
}

fn verify_check_pair(ai: &'static str, value: &str) -> Result<(), Gs1Error> {
    let body = value.get(..value.len().saturating_sub(2)).unwrap_or("");
    let pair = check_pair(body).filter(|pair| value.get(body.len()..) == Some(pair));
    pair.map(drop).ok_or(Gs1Error::CheckPair { ai })
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.ai())
    }
}

/// What narrows a key down. Order is the order in a Digital Link path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qualifier {
    /// 22: consumer product variant.
    Cpv,
    /// 10: batch or lot.
    Lot,
    /// 21: serial.
    Serial,
    /// 235: third-party controlled serial extension of a GTIN.
    Tpx,
    /// 254: extension of a GLN.
    Extension,
    /// 7040: who imports, by the tobacco rules of the European Union.
    Importer,
    /// 8020: reference of a payment slip.
    Reference,
    /// 8011: serial of a component or part.
    PartSerial,
    /// 8019: service relation instance.
    ServiceInstance,
}

impl Qualifier {
    /// All qualifiers in path order.
    pub const ALL: [Qualifier; 9] = [
        Qualifier::Cpv,
        Qualifier::Lot,
        Qualifier::Serial,
        Qualifier::Tpx,
        Qualifier::Extension,
        Qualifier::Importer,
        Qualifier::Reference,
        Qualifier::PartSerial,
        Qualifier::ServiceInstance,
    ];

    /// Application identifier, for example `10`.
    pub fn ai(self) -> &'static str {
        match self {
            Qualifier::Cpv => "22",
            Qualifier::Lot => "10",
            Qualifier::Serial => "21",
            Qualifier::Tpx => "235",
            Qualifier::Extension => "254",
            Qualifier::Importer => "7040",
            Qualifier::Reference => "8020",
            Qualifier::PartSerial => "8011",
            Qualifier::ServiceInstance => "8019",
        }
    }

    fn alias(self) -> Option<&'static str> {
        match self {
            Qualifier::Cpv => Some("cpv"),
            Qualifier::Lot => Some("lot"),
            Qualifier::Serial => Some("ser"),
            Qualifier::Tpx | Qualifier::Importer => None,
            Qualifier::Extension => Some("glnx"),
            Qualifier::Reference => Some("refno"),
            Qualifier::PartSerial => Some("cpsn"),
            Qualifier::ServiceInstance => Some("srin"),
        }
    }

    pub(super) fn from_ai(ai: &str) -> Option<Qualifier> {
        Qualifier::ALL
            .into_iter()
            .find(|qualifier| qualifier.ai() == ai)
    }

    pub(super) fn from_segment(segment: &str) -> Option<Qualifier> {
        Qualifier::ALL
            .into_iter()
            .find(|qualifier| qualifier.ai() == segment || qualifier.alias() == Some(segment))
    }

    /// Characters, longest length and that length in words.
    fn layout(self) -> (Set, usize, &'static str) {
        match self {
            Qualifier::Tpx => (Set::Set82, 28, "1 to 28"),
            Qualifier::Importer => (Set::Set82, 4, "4"),
            Qualifier::Reference => (Set::Set82, 25, "1 to 25"),
            Qualifier::PartSerial => (Set::Digits, 12, "1 to 12"),
            Qualifier::ServiceInstance => (Set::Digits, 10, "1 to 10"),
            _ => (Set::Set82, 20, "1 to 20"),
        }
    }

    /// Checks length and characters of a value.
    pub(super) fn check(self, value: &str) -> Result<(), Gs1Error> {
        let (set, longest, needs) = self.layout();
        let ai = self.ai();
        set.check(ai, value)?;
        let short = value.is_empty() || self == Qualifier::Importer && value.len() < longest;
        if short || value.len() > longest {
            return Err(Gs1Error::Length {
                ai,
                needs,
                found: value.len(),
            });
        }
        if self == Qualifier::Importer {
            return check_importer(ai, value);
        }
        // nozeroprefix: 007 and 7 would be two names of one part.
        if self == Qualifier::PartSerial && value.len() > 1 && value.starts_with('0') {
            return Err(Gs1Error::Character { ai, character: '0' });
        }
        Ok(())
    }
}

/// A digit, two characters, and the importer's index, which is of a smaller set.
fn check_importer(ai: &'static str, value: &str) -> Result<(), Gs1Error> {
    let foreign = |(at, character): &(usize, char)| match at {
        0 => !character.is_ascii_digit(),
        3 => !character.is_ascii_alphanumeric() && !"-_".contains(*character),
        _ => false,
    };
    match value.char_indices().find(foreign) {
        Some((_, character)) => Err(Gs1Error::Character { ai, character }),
        None => Ok(()),
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.ai())
    }
}
