//! By which conditions a loan lives: its product's, and the bank's own rules.

use schemas::hash::{Hash, sha256};
use serde::{Deserialize, Serialize};

use super::written::rate_text;
use crate::product::Definition;
use crate::schedule::Rate;

/// Rules that the bank has set itself, for one product. The defaults are starting points with a
/// source; that they are right is for the bank to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Fee on principal that is repaid before its time; `"0"` asks for none.
    #[serde(with = "rate_text")]
    pub early_fee_percent: Rate,
    /// How loans are classed.
    pub grading: GradingRules,
    /// What is set aside.
    pub provisions: Provisions,
}

/// When a loan is in which class, and how it leaves one. Shorter and stricter is possible, longer is
/// not: the defaults are the least that the regulator asks for (Measures for the Risk Classification
/// of Financial Assets of Commercial Banks, CBIRC and PBoC order No. 1 of 2023; `docs/life.md` says
/// what was read of them and what was not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradingRules {
    /// More days past due than this is substandard at least (article 11).
    pub substandard_after_days: u32,
    /// More is doubtful at least (article 12).
    pub doubtful_after_days: u32,
    /// More is loss (article 13).
    pub loss_after_days: u32,
    /// Months of payment in time that lead out of the non-performing classes (article 14).
    pub cure_months: u32,
    /// Instalments paid in time that lead out of them; both are needed (article 14).
    pub cure_instalments: u32,
    /// Months that a restructured loan is watched (article 20).
    pub watch_months: u32,
    /// Instalments that it is watched for; both are needed (article 20).
    pub watch_instalments: u32,
}

impl Default for GradingRules {
    fn default() -> Self {
        Self {
            substandard_after_days: 90,
            doubtful_after_days: 270,
            loss_after_days: 360,
            cure_months: 6,
            cure_instalments: 2,
            watch_months: 12,
            watch_instalments: 2,
        }
    }
}

/// What is set aside, as a share of the exposure, by class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisions {
    /// Of a normal loan.
    #[serde(with = "rate_text")]
    pub normal_percent: Rate,
    /// Of one with special mention.
    #[serde(with = "rate_text")]
    pub special_mention_percent: Rate,
    /// Of a substandard one.
    #[serde(with = "rate_text")]
    pub substandard_percent: Rate,
    /// Of a doubtful one.
    #[serde(with = "rate_text")]
    pub doubtful_percent: Rate,
    /// Of a loss.
    #[serde(with = "rate_text")]
    pub loss_percent: Rate,
}

/// Rules that are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Laxer than the least that the regulator asks for.
    #[error("{field}: {found} is laxer than {least}")]
    Lax {
        /// The field.
        field: &'static str,
        /// As set.
        found: u32,
        /// The laxest value.
        least: u32,
    },
    /// A worse class with fewer days, or less set aside for it.
    #[error("{0}: a worse class begins later and sets aside no less")]
    Order(&'static str),
    /// A text of a default that does not read.
    #[error("a percentage cannot be read")]
    Rate(#[from] crate::schedule::RateError),
}

impl Rules {
    /// The defaults: no fee on early repayment; classes of the 2023 measures; 1, 2, 25, 50 and 100
    /// percent set aside, after the PBoC's guideline on loan loss reserves of 2002 (Yinfa \[2002\]
    /// 98: a general reserve of at least 1 percent, special reserves of 2, 25, 50 and 100).
    ///
    /// # Errors
    /// None in practice.
    pub fn usual() -> Result<Self, RulesError> {
        let percent = Rate::from_percent;
        Ok(Self {
            early_fee_percent: Rate::ZERO,
            grading: GradingRules::default(),
            provisions: Provisions {
                normal_percent: percent("1")?,
                special_mention_percent: percent("2")?,
                substandard_percent: percent("25")?,
                doubtful_percent: percent("50")?,
                loss_percent: Rate::ONE,
            },
        })
    }

    /// Holds the rules against what the regulator asks for at least.
    ///
    /// # Errors
    /// [`RulesError`] with the field.
    pub fn check(&self) -> Result<(), RulesError> {
        let (is, most) = (self.grading, GradingRules::default());
        let at_most = [
            (
                "substandard_after_days",
                is.substandard_after_days,
                most.substandard_after_days,
            ),
            (
                "doubtful_after_days",
                is.doubtful_after_days,
                most.doubtful_after_days,
            ),
            ("loss_after_days", is.loss_after_days, most.loss_after_days),
        ];
        let at_least = [
            ("cure_months", is.cure_months, most.cure_months),
            (
                "cure_instalments",
                is.cure_instalments,
                most.cure_instalments,
            ),
            ("watch_months", is.watch_months, most.watch_months),
            (
                "watch_instalments",
                is.watch_instalments,
                most.watch_instalments,
            ),
        ];
        let lax = |(field, found, least)| RulesError::Lax {
            field,
            found,
            least,
        };
        let late = at_most.into_iter().find(|(_, found, least)| found > least);
        let short = at_least.into_iter().find(|(_, found, least)| found < least);
        if let Some(wrong) = late.or(short) {
            return Err(lax(wrong));
        }
        if is.doubtful_after_days < is.substandard_after_days
            || is.loss_after_days < is.doubtful_after_days
        {
            return Err(RulesError::Order("grading"));
        }
        if self.provisions.by_class().is_sorted() {
            Ok(())
        } else {
            Err(RulesError::Order("provisions"))
        }
    }

    /// SHA-256 of the rules' JSON; loans name it.
    ///
    /// # Errors
    /// Never in practice: the type has no float and no map.
    pub fn hash(&self) -> Result<Hash, serde_json::Error> {
        Ok(sha256(&serde_json::to_vec(self)?))
    }
}

impl Provisions {
    /// From normal to loss.
    #[must_use]
    pub const fn by_class(&self) -> [Rate; 5] {
        [
            self.normal_percent,
            self.special_mention_percent,
            self.substandard_percent,
            self.doubtful_percent,
            self.loss_percent,
        ]
    }
}

/// Everything that a loan's life depends on beside its acts. Many loans share one value.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The product, as its file defines it.
    pub product: Definition,
    /// The bank's rules.
    pub rules: Rules,
    rules_hash: Hash,
}

impl Conditions {
    /// A product and rules that fit the regulator's least.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn new(product: Definition, rules: Rules) -> Result<Self, RulesError> {
        rules.check()?;
        // A struct of texts and numbers always has its JSON.
        let rules_hash = rules.hash().unwrap_or(Hash::ZERO);
        Ok(Self {
            product,
            rules,
            rules_hash,
        })
    }

    /// Hash of the rules, which loans name.
    #[must_use]
    pub const fn rules_hash(&self) -> Hash {
        self.rules_hash
    }
}
