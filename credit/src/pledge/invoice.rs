//! An invoice as two clerks write it down, and its one name.

use chrono::{Datelike as _, NaiveDate};
use serde::Deserialize;

use super::fingerprint::{Fingerprint, Kind};
use super::written::{CreditCode, Refused, amount, date, is_digits, plain};
use crate::money::{Currency, Money};

/// An invoice as somebody typed it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Typed {
    /// Seller's credit code.
    pub seller: String,
    /// Buyer's credit code.
    pub buyer: String,
    /// Code; empty if it has none.
    pub code: String,
    /// Number of 8 digits; empty if it has none.
    pub number: String,
    /// The 20 digits of a fully digital invoice; empty if it has none.
    pub digital: String,
    /// Day of issue.
    pub date: String,
    /// Total with tax in yuan.
    pub total: String,
}

/// Code and number of an invoice on tax paper.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Paper {
    code: String,
    number: String,
}

/// An invoice in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Seller.
    pub seller: CreditCode,
    /// Buyer.
    pub buyer: CreditCode,
    /// Day of issue.
    pub date: NaiveDate,
    /// Total with tax, above zero.
    pub total: Money,
    paper: Option<Paper>,
    digital: Option<String>,
}

impl Invoice {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Refused`] names the first field that cannot be brought to its one form.
    pub fn read(typed: &Typed) -> Result<Self, Refused> {
        let seller = CreditCode::read("seller", &typed.seller)?;
        let buyer = CreditCode::read("buyer", &typed.buyer)?;
        if seller == buyer {
            return Err(Refused::new("buyer", "it is the seller"));
        }
        let date = date(&typed.date)?;
        let total = amount("total", &typed.total, Currency::CNY)?;
        let (paper, digital) = numbers(typed, date)?;
        Ok(Self {
            seller,
            buyer,
            date,
            total,
            paper,
            digital,
        })
    }

    /// Its names, one or two: all of them are taken.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        let paper = self
            .paper
            .iter()
            .map(|paper| Fingerprint::of(Kind::Fapiao, &[&paper.code, &paper.number]));
        let digital = self
            .digital
            .iter()
            .map(|digits| Fingerprint::of(Kind::EFapiao, &[digits]));
        paper.chain(digital).collect()
    }

    /// A hash of everything else that it says.
    #[must_use]
    pub fn details(&self) -> Fingerprint {
        let (date, fen) = (self.date.to_string(), self.total.fen().to_string());
        let currency = self.total.currency();
        let (seller, buyer) = (self.seller.as_str(), self.buyer.as_str());
        let fields = [seller, buyer, &date, &fen, currency.as_str()];
        Fingerprint::of(Kind::InvoiceDetails, &fields)
    }
}

/// The numbers of an invoice, at least one.
fn numbers(typed: &Typed, date: NaiveDate) -> Result<(Option<Paper>, Option<String>), Refused> {
    let filled = |text: &str| !text.trim().is_empty();
    let mut digital = None;
    let paper = match (filled(&typed.code), filled(&typed.number)) {
        (true, true) => Some(paper(&typed.code, &typed.number)?),
        (true, false) => return Err(Refused::new("number", "it is missing beside its code")),
        (false, true) => match joined(&plain("number", &typed.number)?)? {
            Joined::Paper(paper) => Some(paper),
            Joined::Digital(digits) => {
                digital = Some(checked("number", digits, date)?);
                None
            }
        },
        (false, false) => None,
    };
    if filled(&typed.digital) {
        let second = checked("digital", plain("digital", &typed.digital)?, date)?;
        if digital.as_ref().is_some_and(|first| *first != second) {
            return Err(Refused::new("digital", "the number says something else"));
        }
        digital = Some(second);
    }
    if paper.is_none() && digital.is_none() {
        return Err(Refused::new(
            "number",
            "an invoice without a number has no name",
        ));
    }
    Ok((paper, digital))
}

enum Joined {
    Paper(Paper),
    Digital(String),
}

/// Code and number written as one, or the 20 digits written into the wrong field.
fn joined(text: &str) -> Result<Joined, Refused> {
    let wrong = Refused::new("number", "without a code it has 18 or 20 digits");
    if !is_digits(text) {
        return Err(wrong);
    }
    match text.len() {
        18 => paper(&text[..10], &text[10..]).map(Joined::Paper),
        20 if text.starts_with(['0', '1']) => paper(&text[..12], &text[12..]).map(Joined::Paper),
        20 => Ok(Joined::Digital(text.to_owned())),
        _ => Err(wrong),
    }
}

fn paper(code: &str, number: &str) -> Result<Paper, Refused> {
    let (code, number) = (plain("code", code)?, plain("number", number)?);
    let code = match code.len() {
        _ if !is_digits(&code) => None,
        10 | 12 => Some(code),
        11 => Some(format!("0{code}")),
        _ => None,
    };
    let code = code.ok_or(Refused::new("code", "10 or 12 digits were expected"))?;
    let nothing = number.trim_start_matches('0').is_empty();
    if !is_digits(&number) || number.len() > 8 || nothing {
        return Err(Refused::new("number", "8 digits were expected"));
    }
    let number = format!("{number:0>8}");
    Ok(Paper { code, number })
}

/// The 20 digits, of which the first two are the year of issue.
fn checked(field: &'static str, digits: String, date: NaiveDate) -> Result<String, Refused> {
    if !is_digits(&digits) || digits.len() != 20 {
        return Err(Refused::new(field, "20 digits were expected"));
    }
    if digits[..2] != format!("{:02}", date.year() % 100) {
        return Err(Refused::new(field, "its first two digits are not the year"));
    }
    Ok(digits)
}
