//! The checks that the syntax dictionary names for parts of a value ("linters").
//!
//! Each is a pure function of the part. Company prefixes are checked as the dictionary's own
//! reference does without a register of issued ones: the first four places are digits.

mod coupon;
mod date;
mod lists;

use super::charset::check_pair;
use super::{check_digit, percent};

/// What is wrong with a value, as the end of a sentence that begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

pub(super) type Reading = Result<(), Fault>;

/// A check with its name in the dictionary.
pub(super) struct Lint {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tells a reader of the table what it is")
    )]
    pub(super) name: &'static str,
    pub(super) check: fn(&str) -> Reading,
}

const fn lint(name: &'static str, check: fn(&str) -> Reading) -> Lint {
    Lint { name, check }
}

pub(super) const CSUM: Lint = lint("csum", |value| {
    let body = value.get(..value.len().saturating_sub(1)).unwrap_or("");
    let expected = check_digit(body).ok().map(usize::from);
    let found = value.get(body.len()..).and_then(digit_of);
    require(
        expected.is_some() && expected == found,
        "has a wrong check digit",
    )
});
pub(super) const CSUMALPHA: Lint = lint("csumalpha", |value| {
    let body = value.get(..value.len().saturating_sub(2)).unwrap_or("");
    let pair = check_pair(body);
    let holds = pair.is_some_and(|pair| value.get(body.len()..) == Some(&*pair));
    require(holds, "has a wrong check character pair")
});
pub(super) const GCPPOS1: Lint = lint("gcppos1", |value| company_prefix(value, 0));
pub(super) const GCPPOS2: Lint = lint("gcppos2", |value| company_prefix(value, 1));
pub(super) const YYMMDD: Lint = lint("yymmdd", date::yymmdd);
pub(super) const YYMMD0: Lint = lint("yymmd0", date::yymmd0);
pub(super) const YYYYMMDD: Lint = lint("yyyymmdd", date::yyyymmdd);
pub(super) const HH: Lint = lint("hh", date::hour);
pub(super) const MI: Lint = lint("mi", date::minute);
pub(super) const SS: Lint = lint("ss", date::second);
pub(super) const HHMI: Lint = lint("hhmi", date::hour_and_minute);
pub(super) const ISO3166: Lint = lint("iso3166", |value| {
    require(lists::lists(lists::COUNTRIES, value), NO_COUNTRY)
});
pub(super) const ISO3166999: Lint = lint("iso3166999", |value| {
    let holds = value == "999" || lists::lists(lists::COUNTRIES, value);
    require(holds, NO_COUNTRY)
});
pub(super) const ISO3166ALPHA2: Lint = lint("iso3166alpha2", |value| {
    require(lists::lists(lists::COUNTRY_LETTERS, value), NO_COUNTRY)
});
pub(super) const ISO4217: Lint = lint("iso4217", |value| {
    require(
        lists::lists(lists::CURRENCIES, value),
        "names no currency of ISO 4217",
    )
});
pub(super) const ISO5218: Lint = lint("iso5218", |value| {
    require(
        matches!(value, "0" | "1" | "2" | "9"),
        "is no code of ISO 5218",
    )
});
pub(super) const PACKAGETYPE: Lint = lint("packagetype", |value| {
    require(
        lists::lists(lists::PACKAGES, value),
        "names no type of package",
    )
});
pub(super) const MEDIATYPE: Lint = lint("mediatype", |value| {
    let holds = matches!(digit_of(value), Some(1..=10 | 80..=99));
    require(holds && value.len() == 2, "names no medium")
});
pub(super) const PCENC: Lint = lint("pcenc", |value| {
    require(
        percent::decode(value).is_ok(),
        "has broken percent encoding",
    )
});
pub(super) const LATITUDE: Lint = lint("latitude", |value| {
    require(at_most(value, 1_800_000_000), "is no latitude")
});
pub(super) const LONGITUDE: Lint = lint("longitude", |value| {
    require(at_most(value, 3_600_000_000), "is no longitude")
});
pub(super) const YESNO: Lint = lint("yesno", |value| {
    require(matches!(value, "0" | "1"), "must be 0 or 1")
});
pub(super) const HYPHEN: Lint = lint("hyphen", |value| {
    require(value == "-", "may only end in a hyphen")
});
pub(super) const WINDING: Lint = lint("winding", |value| {
    require(
        matches!(value, "0" | "1" | "9"),
        "has an unknown winding direction",
    )
});
pub(super) const ZERO: Lint = lint("zero", |value| {
    require(value.bytes().all(|byte| byte == b'0'), "must begin with 0")
});
pub(super) const NONZERO: Lint = lint("nonzero", |value| {
    require(
        value.bytes().any(|byte| byte != b'0'),
        "has a measure of zero",
    )
});
pub(super) const NOZEROPREFIX: Lint = lint("nozeroprefix", |value| {
    require(
        value.len() == 1 || !value.starts_with('0'),
        "may not begin with 0",
    )
});
pub(super) const HASNONDIGIT: Lint = lint("hasnondigit", |value| {
    require(
        value.bytes().any(|byte| !byte.is_ascii_digit()),
        "must have a character that is no digit",
    )
});
pub(super) const IMPORTERIDX: Lint = lint("importeridx", |value| {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    require(
        value.len() == 1 && value.bytes().all(known),
        "has an unknown importer index",
    )
});
pub(super) const PIECEOFTOTAL: Lint = lint("pieceoftotal", |value| {
    let (piece, total) = value.split_at_checked(2).unwrap_or(("", ""));
    let holds = piece.len() == total.len() && piece != "00" && piece <= total;
    require(holds, "counts a piece that its total does not have")
});
pub(super) const POSINSEQSLASH: Lint = lint("posinseqslash", |value| {
    let number = |text: &str| digit_of(text).filter(|_| !text.starts_with('0'));
    let parts = value.split_once('/');
    let holds = parts.is_some_and(|(position, end)| {
        number(position).is_some() && number(position) <= number(end)
    });
    require(holds, "is no position and end with a slash between them")
});
pub(super) const IBAN: Lint = lint("iban", iban);
pub(super) const COUPONCODE: Lint = lint("couponcode", coupon::code);
pub(super) const COUPONPOSOFFER: Lint = lint("couponposoffer", coupon::positive_offer);

const NO_COUNTRY: &str = "names no country of ISO 3166";

/// Shortest company prefix that GS1 gives out.
const COMPANY_PREFIX_DIGITS: usize = 4;

fn require(holds: bool, otherwise: &'static str) -> Reading {
    if holds { Ok(()) } else { Err(Fault(otherwise)) }
}

/// A number of at most nine ASCII digits.
fn digit_of(text: &str) -> Option<usize> {
    let all = (1..10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// Whether a value of ten digits is at most `limit`.
fn at_most(value: &str, limit: u64) -> bool {
    value.len() == 10
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && value.parse().is_ok_and(|number: u64| number <= limit)
}

fn company_prefix(value: &str, at: usize) -> Reading {
    let prefix = value.get(at..at + COMPANY_PREFIX_DIGITS);
    let digits = prefix.is_some_and(|prefix| prefix.bytes().all(|byte| byte.is_ascii_digit()));
    require(digits, "does not begin with a GS1 company prefix")
}

/// ISO 13616: country, check digits and account, 1 modulo 97 with letters as 10 to 35.
fn iban(value: &str) -> Reading {
    let country = value.get(..2).unwrap_or("");
    require(value.len() > 10, "is too short for an IBAN")?;
    (ISO3166ALPHA2.check)(country)?;
    let mut turned = value.bytes().skip(4).chain(value.bytes().take(4));
    let remainder = turned.try_fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => Some((sum * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((sum * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    require(remainder == Some(1), "is no valid IBAN")
}

#[cfg(test)]
mod tests;
