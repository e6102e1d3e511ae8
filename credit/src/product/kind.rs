//! What a product lends on, and what each kind requires of a loan and of its own file.

use serde::Deserialize;

use crate::money::{Money, MoneyError};
use crate::schedule::{Rate, TermsError};

/// The longest time from acceptance to payment of a receivable certificate, in days: PBoC notice
/// Yinfa \[2025\] 77, "in principle within six months, at most one year".
pub const CERTIFICATE_MAX_DAYS: u32 = 366;

/// Names of the kinds as files write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindName {
    /// A receivable that its buyer confirmed and pays at maturity.
    ReceivableConfirming,
    /// A receivable bought from a supplier who takes it back if it is not paid.
    FactoringWithRecourse,
    /// A receivable bought from a supplier for good.
    FactoringWithoutRecourse,
    /// An order that is not delivered yet.
    PurchaseOrder,
    /// Goods in a warehouse.
    PledgedStock,
}

/// Who answers if the debtor does not pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recourse {
    /// The supplier who borrowed.
    Supplier,
    /// Nobody but the debtor: the bank bears the loss.
    None,
}

/// What a product lends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A confirmed receivable (payables finance): no loan without the buyer's confirmation, no
    /// recourse to the supplier.
    ReceivableConfirming {
        /// Share of the receivable that is lent.
        advance: Rate,
        /// The longest time to maturity, at most [`CERTIFICATE_MAX_DAYS`].
        tenor_max_days: u32,
    },
    /// Factoring with recourse.
    FactoringWithRecourse {
        /// Share of the receivable that is lent; the rest follows when the buyer pays.
        advance: Rate,
        /// The longest time to maturity.
        tenor_max_days: u32,
        /// Whether the buyer must confirm the receivable; else it is notified only.
        buyer_confirmation: bool,
        /// So many days after maturity the supplier buys an unpaid receivable back.
        repurchase_after_days: u32,
    },
    /// Factoring without recourse: no loan without the buyer's confirmation.
    FactoringWithoutRecourse {
        /// Share of the receivable that is lent; the rest follows when the buyer pays.
        advance: Rate,
        /// The longest time to maturity.
        tenor_max_days: u32,
    },
    /// Pre-shipment finance.
    PurchaseOrder {
        /// Share of the order that is lent.
        advance: Rate,
        /// The longest time from disbursement to the last instalment.
        tenor_max_days: u32,
        /// Whether the buyer must confirm the order.
        buyer_confirmation: bool,
    },
    /// Inventory finance.
    PledgedStock {
        /// Share of the value that is not lent on.
        haircut: Rate,
        /// The longest time from disbursement to the last instalment.
        tenor_max_days: u32,
        /// The stock is valued anew every so many days.
        revaluation_days: u32,
        /// More stock or money is asked for once the loan is above this share of the value.
        margin_call: Rate,
    },
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> KindName {
        match self {
            Self::ReceivableConfirming { .. } => KindName::ReceivableConfirming,
            Self::FactoringWithRecourse { .. } => KindName::FactoringWithRecourse,
            Self::FactoringWithoutRecourse { .. } => KindName::FactoringWithoutRecourse,
            Self::PurchaseOrder { .. } => KindName::PurchaseOrder,
            Self::PledgedStock { .. } => KindName::PledgedStock,
        }
    }

    /// What it lends on, as the rules of law know it.
    #[must_use]
    pub const fn basis(&self) -> crate::law::Basis {
        use crate::law::Basis;
        match self {
            Self::ReceivableConfirming { .. }
            | Self::FactoringWithRecourse { .. }
            | Self::FactoringWithoutRecourse { .. } => Basis::Receivable,
            Self::PurchaseOrder { .. } => Basis::Order,
            Self::PledgedStock { .. } => Basis::Stock,
        }
    }

    /// Who answers if the debtor does not pay; of an order and of stock the borrower is the debtor.
    #[must_use]
    pub const fn recourse(&self) -> Recourse {
        match self {
            Self::ReceivableConfirming { .. } | Self::FactoringWithoutRecourse { .. } => {
                Recourse::None
            }
            Self::FactoringWithRecourse { .. }
            | Self::PurchaseOrder { .. }
            | Self::PledgedStock { .. } => Recourse::Supplier,
        }
    }

    /// Whether nothing is lent before the buyer has confirmed the receivable or the order.
    #[must_use]
    pub const fn needs_buyer_confirmation(&self) -> bool {
        match self {
            Self::ReceivableConfirming { .. } | Self::FactoringWithoutRecourse { .. } => true,
            Self::FactoringWithRecourse {
                buyer_confirmation, ..
            }
            | Self::PurchaseOrder {
                buyer_confirmation, ..
            } => *buyer_confirmation,
            Self::PledgedStock { .. } => false,
        }
    }

    /// The longest time that a loan may take by its regular dates; a holiday at its end may add to it.
    #[must_use]
    pub const fn tenor_max_days(&self) -> u32 {
        match self {
            Self::ReceivableConfirming { tenor_max_days, .. }
            | Self::FactoringWithRecourse { tenor_max_days, .. }
            | Self::FactoringWithoutRecourse { tenor_max_days, .. }
            | Self::PurchaseOrder { tenor_max_days, .. }
            | Self::PledgedStock { tenor_max_days, .. } => *tenor_max_days,
        }
    }

    /// The share of a value that is lent at most.
    #[must_use]
    pub const fn advance(&self) -> Rate {
        match self {
            Self::ReceivableConfirming { advance, .. }
            | Self::FactoringWithRecourse { advance, .. }
            | Self::FactoringWithoutRecourse { advance, .. }
            | Self::PurchaseOrder { advance, .. } => *advance,
            Self::PledgedStock { haircut, .. } => haircut.complement(),
        }
    }

    /// What is lent at most on a receivable, an order or stock of this value, rounded down.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn lendable(&self, value: Money) -> Result<Money, MoneyError> {
        value.times_floor(self.advance().factor())
    }
}

/// The table `[security]` of a file. Which of its fields are needed depends on the kind; the others
/// are refused, so that nobody believes in a rule that nothing applies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    advance_percent: Option<Rate>,
    haircut_percent: Option<Rate>,
    tenor_max_days: Option<u32>,
    buyer_confirmation: Option<bool>,
    repurchase_after_days: Option<u32>,
    revaluation_days: Option<u32>,
    margin_call_percent: Option<Rate>,
}

/// Takes a field that the kind needs.
macro_rules! need {
    ($security:ident . $field:ident, $expected:literal) => {
        $security.$field.take().ok_or_else(|| {
            let field = concat!("security.", stringify!($field));
            TermsError::new(field, concat!("this kind needs it: ", $expected))
        })
    };
}

impl Security {
    /// What the fields say for a kind.
    ///
    /// # Errors
    /// [`TermsError`] for a field that is missing, is not of this kind, or is out of its range.
    pub fn read(mut self, name: KindName) -> Result<Kind, TermsError> {
        let kind = match name {
            KindName::ReceivableConfirming => self.receivable_confirming(),
            KindName::FactoringWithRecourse => self.factoring_with_recourse(),
            KindName::FactoringWithoutRecourse => self.factoring_without_recourse(),
            KindName::PurchaseOrder => self.purchase_order(),
            KindName::PledgedStock => self.pledged_stock(),
        }?;
        self.nothing_left()?;
        Ok(kind)
    }

    fn receivable_confirming(&mut self) -> Result<Kind, TermsError> {
        self.confirmed()?;
        let tenor_max_days = self.tenor()?;
        if tenor_max_days > CERTIFICATE_MAX_DAYS {
            let problem = "at most a year (366), PBoC notice Yinfa [2025] 77";
            return Err(TermsError::new("security.tenor_max_days", problem));
        }
        Ok(Kind::ReceivableConfirming {
            advance: self.advance()?,
            tenor_max_days,
        })
    }

    fn factoring_with_recourse(&mut self) -> Result<Kind, TermsError> {
        Ok(Kind::FactoringWithRecourse {
            advance: self.advance()?,
            tenor_max_days: self.tenor()?,
            buyer_confirmation: need!(self.buyer_confirmation, "true or false")?,
            repurchase_after_days: need!(self.repurchase_after_days, "days after maturity")?,
        })
    }

    fn factoring_without_recourse(&mut self) -> Result<Kind, TermsError> {
        self.confirmed()?;
        Ok(Kind::FactoringWithoutRecourse {
            advance: self.advance()?,
            tenor_max_days: self.tenor()?,
        })
    }

    fn purchase_order(&mut self) -> Result<Kind, TermsError> {
        Ok(Kind::PurchaseOrder {
            advance: self.advance()?,
            tenor_max_days: self.tenor()?,
            buyer_confirmation: need!(self.buyer_confirmation, "true or false")?,
        })
    }

    fn pledged_stock(&mut self) -> Result<Kind, TermsError> {
        let haircut = need!(self.haircut_percent, "such as \"30\"")?;
        if haircut >= Rate::ONE {
            let problem = "below 100: something must be left to lend on";
            return Err(TermsError::new("security.haircut_percent", problem));
        }
        let margin_call = need!(self.margin_call_percent, "such as \"80\"")?;
        if margin_call <= haircut.complement() {
            let problem = format!("above what is lent, {}", haircut.complement());
            return Err(TermsError::new("security.margin_call_percent", problem));
        }
        let revaluation_days = need!(self.revaluation_days, "days between valuations")?;
        if revaluation_days == 0 {
            return Err(TermsError::new(
                "security.revaluation_days",
                "a day at least",
            ));
        }
        Ok(Kind::PledgedStock {
            haircut,
            tenor_max_days: self.tenor()?,
            revaluation_days,
            margin_call,
        })
    }

    fn advance(&mut self) -> Result<Rate, TermsError> {
        let advance = need!(self.advance_percent, "such as \"80\"")?;
        if advance == Rate::ZERO {
            return Err(TermsError::new("security.advance_percent", "above 0"));
        }
        Ok(advance)
    }

    fn tenor(&mut self) -> Result<u32, TermsError> {
        let days = need!(self.tenor_max_days, "the longest time in days")?;
        if days == 0 {
            return Err(TermsError::new("security.tenor_max_days", "a day at least"));
        }
        Ok(days)
    }

    /// Without recourse nobody but the buyer answers: its word is needed, and said to be.
    fn confirmed(&mut self) -> Result<(), TermsError> {
        if need!(self.buyer_confirmation, "true")? {
            Ok(())
        } else {
            let problem = "this kind has no recourse, so the buyer must confirm: true";
            Err(TermsError::new("security.buyer_confirmation", problem))
        }
    }

    fn nothing_left(&self) -> Result<(), TermsError> {
        let left = [
            ("security.advance_percent", self.advance_percent.is_some()),
            ("security.haircut_percent", self.haircut_percent.is_some()),
            (
                "security.repurchase_after_days",
                self.repurchase_after_days.is_some(),
            ),
            ("security.revaluation_days", self.revaluation_days.is_some()),
            (
                "security.margin_call_percent",
                self.margin_call_percent.is_some(),
            ),
            (
                "security.buyer_confirmation",
                self.buyer_confirmation.is_some(),
            ),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            None => Ok(()),
            Some((field, _)) => Err(TermsError::new(field, "it is not for this kind")),
        }
    }
}
