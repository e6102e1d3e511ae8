//! The list of rules.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Force, Rule, Source, acceptance, certificate, payment};

/// Names of rules. They never change and are never used again for another rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RuleId {
    /// `acceptance-anchored`.
    AcceptanceAnchored,
    /// `d802-9-public-60`.
    D802Public60,
    /// `d802-9-large-60`.
    D802Large60,
    /// `d802-9-pay-when-paid`.
    D802PayWhenPaid,
    /// `no-pay-when-paid`.
    NoPayWhenPaid,
    /// `d802-11-agreed`.
    D802PaperAgreed,
    /// `d802-11-not-forced`.
    D802PaperNotForced,
    /// `d802-11-no-extension`.
    D802NoExtension,
    /// `d802-17-late-interest`.
    D802LateInterest,
    /// `yinfa77-180`.
    Yinfa77Usual,
    /// `yinfa77-365`.
    Yinfa77Longest,
}

/// There is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule `{0}`")]
pub struct NoRule(String);

impl RuleId {
    /// The id as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AcceptanceAnchored => "acceptance-anchored",
            Self::D802Public60 => "d802-9-public-60",
            Self::D802Large60 => "d802-9-large-60",
            Self::D802PayWhenPaid => "d802-9-pay-when-paid",
            Self::NoPayWhenPaid => "no-pay-when-paid",
            Self::D802PaperAgreed => "d802-11-agreed",
            Self::D802PaperNotForced => "d802-11-not-forced",
            Self::D802NoExtension => "d802-11-no-extension",
            Self::D802LateInterest => "d802-17-late-interest",
            Self::Yinfa77Usual => "yinfa77-180",
            Self::Yinfa77Longest => "yinfa77-365",
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RuleId {
    type Err = NoRule;
    fn from_str(text: &str) -> Result<Self, NoRule> {
        let found = RULES.iter().find(|rule| rule.id.as_str() == text);
        let clipped = || NoRule(text.chars().take(64).collect());
        found.map(|rule| rule.id).ok_or_else(clipped)
    }
}

impl TryFrom<String> for RuleId {
    type Error = NoRule;
    fn try_from(text: String) -> Result<Self, NoRule> {
        text.parse()
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.as_str().to_owned()
    }
}

/// A date that is written down here. A test reads every rule, so that none is the fallback.
const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(day) => day,
        None => NaiveDate::MAX,
    }
}

const fn d802(article: &'static str) -> Source {
    Source {
        zh: "保障中小企业款项支付条例(国务院令第802号)",
        en: "Regulations on Ensuring Payments to Small and Medium-sized Enterprises (State Council Decree No. 802)",
        article,
        dated: day(2025, 3, 17),
    }
}

const YINFA77: Source = Source {
    zh: "关于规范供应链金融业务 引导供应链信息服务机构更好服务中小企业融资有关事宜的通知(银发〔2025〕77号)",
    en: "Notice of the People's Bank of China and five others on regulating supply chain finance (Yinfa [2025] 77)",
    article: "",
    dated: day(2025, 4, 26),
};

const D802_FROM: NaiveDate = day(2025, 6, 1);
const YINFA77_FROM: NaiveDate = day(2025, 6, 15);

/// Every rule, in the order of [`RuleId`].
pub static RULES: [Rule; 11] = [
    Rule {
        id: RuleId::AcceptanceAnchored,
        zh: "交付或验收日期须由买方设备事件上链证明",
        en: "The day of delivery or acceptance is shown by an anchored event of the buyer's own device",
        source: d802("10"),
        valid_from: D802_FROM,
        force: Force::House,
        judge: acceptance::anchored,
    },
    Rule {
        id: RuleId::D802Public60,
        zh: "机关、事业单位付款期限最长60日(未约定为30日)",
        en: "Organs and public institutions pay within 30 days, or as agreed, within 60 at most",
        source: d802("9(1)"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::public,
    },
    Rule {
        id: RuleId::D802Large60,
        zh: "大型企业自交付之日起60日内付款,另有约定须合行业规范",
        en: "Large enterprises pay within 60 days; a longer term must follow the norms of the trade",
        source: d802("9(2)"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::large,
    },
    Rule {
        id: RuleId::D802PayWhenPaid,
        zh: "大型企业不得约定以收到第三方付款为付款条件",
        en: "A large enterprise does not make payment wait for a third party's",
        source: d802("9(2)"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::pay_when_paid,
    },
    Rule {
        id: RuleId::NoPayWhenPaid,
        zh: "本行不接受任何“背靠背”付款条款",
        en: "Nothing is lent where payment waits for a third party's, whoever the buyer is",
        source: Source {
            zh: "最高人民法院批复(法释〔2024〕11号);本行规则",
            en: "After the Supreme People's Court's reply Fashi [2024] 11; the bank's own rule",
            article: "1",
            dated: day(2024, 8, 27),
        },
        valid_from: day(2024, 8, 27),
        force: Force::House,
        judge: payment::never_pay_when_paid,
    },
    Rule {
        id: RuleId::D802PaperAgreed,
        zh: "以商业汇票、应收账款电子凭证付款须在合同中明确约定",
        en: "Payment by bill or certificate is clearly agreed in the contract",
        source: d802("11"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::paper_agreed,
    },
    Rule {
        id: RuleId::D802PaperNotForced,
        zh: "不得强制中小企业接受商业汇票、应收账款电子凭证",
        en: "No supplier is made to take a bill or certificate",
        source: d802("11"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::paper_not_forced,
    },
    Rule {
        id: RuleId::D802NoExtension,
        zh: "不得利用非现金支付方式变相延长付款期限",
        en: "No bill or certificate extends the term in disguise",
        source: d802("11"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::no_extension,
    },
    Rule {
        id: RuleId::D802LateInterest,
        zh: "约定逾期利率不得低于合同订立时一年期LPR",
        en: "Agreed interest on late payment is not below the one-year loan prime rate",
        source: d802("17"),
        valid_from: D802_FROM,
        force: Force::Must,
        judge: payment::late_interest,
    },
    Rule {
        id: RuleId::Yinfa77Usual,
        zh: "应收账款电子凭证付款期限原则上在6个月(180日)以内",
        en: "A certificate matures, in principle, within six months (180 days)",
        source: YINFA77,
        valid_from: YINFA77_FROM,
        force: Force::InPrinciple,
        judge: certificate::usual,
    },
    Rule {
        id: RuleId::Yinfa77Longest,
        zh: "应收账款电子凭证付款期限最长不超过1年(365日)",
        en: "A certificate matures within a year (365 days) at most",
        source: YINFA77,
        valid_from: YINFA77_FROM,
        force: Force::Must,
        judge: certificate::longest,
    },
];
