//! A figure: its name in two languages, its value, and the rows behind it.

use std::collections::BTreeSet;

use schemas::ids::Slug;
use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The groups of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Personal and business data.
    Privacy,
    /// Risk and loss.
    Risk,
    /// Ease of applying.
    Ease,
    /// Complaints and incidents.
    Service,
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// So many.
    Count(u64),
    /// So much.
    Amount(Money),
    /// A share in basis points, **rounded up**: a risk never looks smaller by rounding.
    BasisPoints(u64),
    /// A share of nothing.
    Nothing,
}

/// A figure of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Which.
    pub id: FigureId,
    /// Its group.
    pub group: Group,
    /// Its value.
    pub value: Value,
    /// The rows that it was made of: these alone give the same value again.
    pub rows: BTreeSet<Slug>,
}

/// Defines the figures once: id, group, Chinese, English.
macro_rules! figures {
    ($($(#[$doc:meta])* $id:ident, $group:ident, $zh:literal, $en:literal;)*) => {
        /// Names of figures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FigureId { $($(#[$doc])* $id,)* }

        impl FigureId {
            /// Every figure, in the order of the report.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// Its group.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$id => Group::$group,)* }
            }

            /// Its word in addresses and the report, such as `overdue_share`.
            #[must_use]
            pub fn word(self) -> String {
                let word = serde_json::to_value(self).ok();
                let word = word.as_ref().and_then(serde_json::Value::as_str);
                word.unwrap_or_default().to_owned()
            }

            /// The figure of a word.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|id| id.word() == word)
            }

            /// Its name in Chinese.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$id => $zh,)* }
            }

            /// Its name in English.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$id => $en,)* }
            }
        }
    };
}

figures! {
    /// Incidents with personal data in the month.
    PrivacyIncidents, Privacy, "本月涉及个人信息的事件", "Incidents with personal data";
    /// Complaints about personal data in the month.
    PrivacyComplaints, Privacy, "本月涉及个人信息的投诉", "Complaints about personal data";
    /// Loans paid out in the month.
    Loans, Risk, "本月放款笔数", "Loans paid out";
    /// What was paid out in the month.
    Lent, Risk, "本月放款金额", "Amount paid out";
    /// Borrowers that ever had a loan, at the end.
    Borrowers, Risk, "累计借款户数", "Borrowers so far";
    /// What came back in the month, less payments that turned out to be none in it.
    Repaid, Risk, "本月收回本金", "Principal repaid";
    /// What is owed at the end.
    Outstanding, Risk, "月末贷款余额", "Outstanding at the end";
    /// What of it was due before the last day.
    Overdue, Risk, "月末逾期本金", "Overdue principal at the end";
    /// What of that was due more than 90 days before the last day.
    OverdueAbove90, Risk, "月末逾期90天以上本金", "Principal overdue above 90 days";
    /// Overdue as a share of outstanding.
    OverdueShare, Risk, "月末逾期率", "Overdue share";
    /// The largest share of one buyer in what is outstanding.
    LargestBuyer, Risk, "最大单一买方占比", "Largest share of one buyer";
    /// What was given up in the month.
    WrittenOff, Risk, "本月核销金额", "Written off";
    /// What was given up since the beginning and has not come back.
    Loss, Risk, "累计损失", "Loss so far";
    /// Applications in the month.
    Applications, Ease, "本月申请笔数", "Applications";
    /// Decisions in the month.
    Decisions, Ease, "本月审批笔数", "Decisions";
    /// Offers among them.
    Offers, Ease, "本月批准笔数", "Offers";
    /// Decisions of the month within 24 hours of the application.
    DecidedInADay, Ease, "24小时内审结笔数", "Decided within 24 hours";
    /// Complaints in the month.
    Complaints, Service, "本月投诉件数", "Complaints";
    /// Complaints answered in the month.
    ComplaintsAnswered, Service, "本月办结投诉件数", "Complaints answered";
    /// Complaints without an answer at the end.
    ComplaintsOpen, Service, "月末未办结投诉件数", "Complaints open at the end";
    /// Incidents in the month.
    Incidents, Service, "本月事件数", "Incidents";
    /// Incidents treated in the month.
    IncidentsTreated, Service, "本月处置事件数", "Incidents treated";
    /// Incidents that nobody has treated at the end.
    IncidentsOpen, Service, "月末未处置事件数", "Incidents untreated at the end";
}
