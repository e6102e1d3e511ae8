//! The form of a proposal, read into what is proposed.

use kit::people::Form;
use kit::problem::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::fields::{amount, day, wrong};
use crate::lending::{Proposal, What};
use crate::loan::life::{Deed, Key};
use crate::money::Currency;

/// Longest reason in characters.
pub(super) const REASON_MAX: usize = 500;

/// What a form proposes, as its hidden field says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Money came that the bank's core did not tell of.
    Paid,
    /// A payment was of another amount or day.
    Corrected,
    /// A payment was none.
    Reversed,
    /// New terms.
    NewTerms,
    /// A class.
    Graded,
    /// The watch ends.
    WatchEnded,
    /// It is written off.
    WrittenOff,
    /// Money came for what was written off.
    Recovered,
    /// What was paid too much goes back.
    Refunded,
    /// A cause of its freeze is gone.
    Thawed,
}

/// The form; what is left out is empty.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    pub(super) csrf: String,
    pub(super) request: String,
    pub(super) seen: u32,
    what: Kind,
    #[serde(default)]
    value: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    payment: String,
    #[serde(default)]
    on: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    at_least: String,
    #[serde(default)]
    cause: String,
    #[serde(default)]
    instalments: String,
    #[serde(default)]
    months: String,
    #[serde(default)]
    rate: String,
    #[serde(default)]
    repaid: String,
}

impl Form for Fields {
    fn csrf(&self) -> &str {
        &self.csrf
    }
}

impl Fields {
    /// What is proposed, in the currency of the loan.
    ///
    /// # Errors
    /// 422 naming the field.
    pub(super) fn read(&self, currency: Currency) -> Result<Proposal, Problem> {
        let value = match self.what {
            Kind::Paid | Kind::Recovered => day("value", &self.value)?,
            _ => None,
        };
        let what = self.what(currency)?;
        Ok(Proposal { value, what })
    }

    fn what(&self, currency: Currency) -> Result<What, Problem> {
        let amount = || amount("amount", &self.amount, currency);
        let deed = match self.what {
            Kind::NewTerms => return self.new_terms(),
            Kind::Paid => Deed::Paid { amount: amount()? },
            Kind::Recovered => Deed::Recovered { amount: amount()? },
            Kind::Refunded => Deed::Refunded { amount: amount()? },
            Kind::Corrected => Deed::PaymentCorrected {
                payment: self.payment()?,
                amount: amount()?,
                on: day("on", &self.on)?.ok_or_else(|| wrong("on", "it is empty"))?,
                reason: self.reason()?,
            },
            Kind::Reversed => Deed::PaymentReversed {
                payment: self.payment()?,
                reason: self.reason()?,
            },
            Kind::Graded => Deed::Graded {
                at_least: word("at_least", &self.at_least)?,
                reason: self.reason()?,
            },
            Kind::WatchEnded => Deed::WatchEnded {
                reason: self.reason()?,
            },
            Kind::Thawed => Deed::Thawed {
                cause: word("cause", &self.cause)?,
            },
            Kind::WrittenOff => Deed::WrittenOff {
                reason: self.reason()?,
            },
        };
        Ok(What::Deed { deed })
    }

    fn new_terms(&self) -> Result<What, Problem> {
        let number = |field: &'static str, text: &str| {
            let read = text.trim().parse::<u32>().ok();
            let fits = read.filter(|number| (1..=360).contains(number));
            fits.ok_or_else(|| wrong(field, "a whole number from 1 to 360 was expected"))
        };
        Ok(What::NewTerms {
            instalments: number("instalments", &self.instalments)?,
            months: number("months", &self.months)?,
            annual_rate_percent: self.rate.trim().trim_end_matches('%').trim().to_owned(),
            repaid: word("repaid", &self.repaid)?,
            reason: self.reason()?,
        })
    }

    fn payment(&self) -> Result<Key, Problem> {
        let key = self.payment.trim().parse();
        key.map_err(|error| wrong("payment", error))
    }

    fn reason(&self) -> Result<String, Problem> {
        let reason = self.reason.replace("\r\n", "\n");
        let reason = reason.trim();
        let plain = !reason.chars().any(|c| c.is_control() && c != '\n');
        if plain && (1..=REASON_MAX).contains(&reason.chars().count()) {
            return Ok(reason.to_owned());
        }
        Err(wrong(
            "reason",
            format!("1 to {REASON_MAX} characters are needed"),
        ))
    }
}

/// One of the words of a list.
fn word<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, Problem> {
    let read = serde_json::from_value(text.into());
    read.map_err(|_| wrong(field, "it is not one of the list"))
}
