//! Every word of the pages in both languages. A key that is missing in one does not compile.

use kit::negotiate::Language;

use crate::loan::Bound;
use crate::score::{FactName, ReasonCode};

/// The fixed words of a language.
#[derive(Debug)]
pub struct Words {
    /// Which language.
    pub language: Language,
    /// Name of the service.
    pub title: &'static str,
    /// Link to the other language, in that language.
    pub switch: &'static str,
    /// Skip link.
    pub skip: &'static str,
    /// Heading of the list.
    pub decisions: &'static str,
    /// What an empty list says.
    pub empty: &'static str,
    /// Heading of the sandbox's limits.
    pub sandbox: &'static str,
    /// Column and label words.
    pub decided_at: &'static str,
    /// Application.
    pub application: &'static str,
    /// Supplier.
    pub supplier: &'static str,
    /// Product.
    pub product: &'static str,
    /// Requested amount.
    pub requested: &'static str,
    /// Outcome.
    pub outcome: &'static str,
    /// Points.
    pub points: &'static str,
    /// Grade.
    pub grade: &'static str,
    /// An offer.
    pub offer: &'static str,
    /// A decline.
    pub decline: &'static str,
    /// Heading of reasons.
    pub reasons: &'static str,
    /// No reason was needed.
    pub no_reasons: &'static str,
    /// Heading of facts.
    pub facts: &'static str,
    /// Column: value.
    pub value: &'static str,
    /// Heading of evidence.
    pub evidence: &'static str,
    /// What the list of leaves is.
    pub leaves: &'static str,
    /// A fact without events.
    pub no_leaves: &'static str,
    /// Heading of the limit.
    pub limit: &'static str,
    /// Heading of gaps.
    pub gaps: &'static str,
    /// Heading of excursions.
    pub excursions: &'static str,
    /// Rules that fired.
    pub rules: &'static str,
    /// None.
    pub none: &'static str,
    /// Heading: how it was decided.
    pub record: &'static str,
    /// Points table.
    pub model: &'static str,
    /// Log size.
    pub log_size: &'static str,
    /// Log root.
    pub log_root: &'static str,
    /// Policy.
    pub policy: &'static str,
    /// Anchored.
    pub anchored: &'static str,
    /// As of.
    pub as_of: &'static str,
    /// Hash of inputs.
    pub inputs: &'static str,
    /// Link to JSON.
    pub json: &'static str,
    /// Back to the list.
    pub back: &'static str,
    /// Heading: what this does not prove.
    pub not_proven: &'static str,
    /// What this does not prove.
    pub not_proven_lines: &'static [&'static str],
    /// Banner of a replay.
    pub replay: &'static str,
    /// No value.
    pub no_value: &'static str,
    /// Used.
    pub used: &'static str,
    /// Free.
    pub free: &'static str,
    /// Where the number is named: the total is no probability.
    pub no_probability: &'static str,
    /// Nothing under this address.
    pub missing: &'static str,
    /// What to do then.
    pub missing_help: &'static str,
    /// Per loan.
    pub per_loan: &'static str,
    /// Outstanding.
    pub outstanding: &'static str,
    /// Checked by.
    pub checked: &'static str,
    /// Headline of an offer of all that was asked for.
    pub as_requested: &'static str,
    /// Headline of an offer that was cut, before what cut it.
    pub cut_by: &'static str,
    /// Heading of what keeps an offer's points from being higher.
    pub short_of_best: &'static str,
    /// Before the number of lines that are only in the JSON.
    pub more: &'static str,
}

/// The words of a language.
#[must_use]
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::En => &EN,
        Language::ZhCn => &ZH,
    }
}

static EN: Words = Words {
    language: Language::En,
    title: "Credit desk",
    switch: "中文",
    skip: "Skip to content",
    decisions: "Decisions",
    empty: "No application has been decided yet. Decisions appear here as soon as one is sent to /v1/applications.",
    sandbox: "Sandbox limits",
    decided_at: "Decided (UTC)",
    application: "Application",
    supplier: "Supplier",
    product: "Product",
    requested: "Requested",
    outcome: "Outcome",
    points: "Points",
    grade: "Grade",
    offer: "Offer",
    decline: "Declined",
    reasons: "Reasons",
    no_reasons: "Every fact is in its best range.",
    facts: "Facts",
    value: "Value",
    evidence: "Evidence",
    leaves: "events, each named by its leaf in the log",
    no_leaves: "No event states this.",
    limit: "Limit",
    gaps: "Gaps in the supplier's chains",
    excursions: "Temperature excursions",
    rules: "Rules that fired",
    none: "None",
    record: "How it was decided",
    model: "Points table",
    log_size: "Log size",
    log_root: "Log root",
    policy: "Policy",
    anchored: "Witnessed (UTC)",
    as_of: "As of (UTC)",
    inputs: "SHA-256 of the inputs",
    json: "Decision, inputs and facts as JSON",
    back: "All decisions",
    not_proven: "What this does not prove",
    not_proven_lines: &[
        "A signature proves which key spoke, not that the world was so.",
        "A device that the evidence leaves out altogether is not seen here.",
        "An event's own time is its signer's claim; proven is only that it was in the log when its checkpoint was witnessed.",
        "A buyer that works together with the supplier can confirm what never happened.",
        "The points order suppliers by their evidence. They are no probability of default: no loan has run its course yet.",
    ],
    replay: "Historical replay: this log runs on a replayed clock. Nothing is lent.",
    no_value: "No value",
    used: "used",
    free: "free",
    no_probability: "Points of a fixed table, not a probability",
    missing: "No decision has this address",
    missing_help: "Check the address, or look for the decision in the list.",
    per_loan: "One loan",
    outstanding: "Outstanding in all",
    checked: "The bank verified every proof itself under its own policy file.",
    as_requested: "As requested, within every limit",
    cut_by: "Less than requested, limited by:",
    short_of_best: "What keeps the points from being higher",
    more: "more, in the JSON:",
};

static ZH: Words = Words {
    language: Language::ZhCn,
    title: "授信台",
    switch: "English",
    skip: "跳到正文",
    decisions: "授信决定",
    empty: "尚无已决定的申请。向 /v1/applications 提交申请后，决定会出现在这里。",
    sandbox: "沙盒限额",
    decided_at: "决定时间 (UTC)",
    application: "申请编号",
    supplier: "供应商",
    product: "产品",
    requested: "申请金额",
    outcome: "结果",
    points: "得分",
    grade: "等级",
    offer: "可授信",
    decline: "不予授信",
    reasons: "理由",
    no_reasons: "各项事实均处于最佳区间。",
    facts: "事实",
    value: "数值",
    evidence: "证据",
    leaves: "条事件，按其在日志中的叶哈希列出",
    no_leaves: "没有事件涉及此项。",
    limit: "额度",
    gaps: "供应商记录链中的缺口",
    excursions: "温度超限",
    rules: "触发的规则",
    none: "无",
    record: "决定依据",
    model: "评分表",
    log_size: "日志大小",
    log_root: "日志根",
    policy: "策略",
    anchored: "见证时间 (UTC)",
    as_of: "截至 (UTC)",
    inputs: "输入的 SHA-256",
    json: "决定、输入与事实 (JSON)",
    back: "全部决定",
    not_proven: "本结果不能证明什么",
    not_proven_lines: &[
        "签名只证明由哪把密钥作出，不证明事实本身如此。",
        "证据中整台遗漏的设备，在这里看不到。",
        "事件自述的时间只是签名者的说法；有证明的只是检查点被见证时它已在日志中。",
        "买方若与供应商串通，可以确认从未发生的交付。",
        "得分仅按证据给供应商排序，不是违约概率：尚无一笔贷款走完全程。",
    ],
    replay: "历史回放：本日志使用回放时钟，不发放任何贷款。",
    no_value: "无数据",
    used: "已用",
    free: "可用",
    no_probability: "固定评分表的得分，不是概率",
    missing: "此地址没有授信决定",
    missing_help: "请核对地址，或在列表中查找。",
    per_loan: "单笔",
    outstanding: "未清余额合计",
    checked: "银行已依据自己的策略文件逐一验证全部证明。",
    as_requested: "按申请金额授信，未超任何限额",
    cut_by: "低于申请金额，受限于",
    short_of_best: "得分未满的原因",
    more: "其余见 JSON:",
};

/// A fact's name for people.
#[must_use]
pub fn fact(name: FactName, language: Language) -> &'static str {
    let (en, zh) = match name {
        FactName::OnTimeShare => ("Deliveries on time", "按时交付率"),
        FactName::InspectionPassShare => ("Inspections passed", "检验合格率"),
        FactName::LongestExcursionMinutes => ("Longest excursion", "最长一次超温"),
        FactName::ExcursionMinutes => ("Excursions in all", "超温总时长"),
        FactName::Gaps => ("Gaps in the chains", "记录链缺口"),
        FactName::MeasuredShare => ("Measured or scanned", "测得或扫码占比"),
        FactName::ConfirmedDeliveries => ("Confirmed deliveries", "经确认的交付"),
        FactName::ConfirmedTurnover => ("Confirmed turnover", "经确认的营业额"),
        FactName::Events => ("Own events", "自有事件数"),
        FactName::KnownDeliveries => ("Known deliveries", "已知交付"),
        FactName::LateDeliveryProbability => ("Probability of late delivery", "迟交概率"),
        FactName::EvidenceWeight => ("Weight of the sources", "来源权重"),
        FactName::AttestedInvoices => ("Invoiced, as attested", "经证明的开票额"),
        FactName::TaxArrears => ("Tax arrears, as attested", "经证明的欠税"),
    };
    pick(language, en, zh)
}

/// A reason in words; `missing` if the fact had no value.
#[must_use]
pub fn reason(code: ReasonCode, missing: bool, language: Language) -> &'static str {
    let (en, zh) = match code {
        ReasonCode::ColdChainExcursion => (
            "The supplier's goods were outside their temperature limits",
            "供应商的货物曾超出温度限值",
        ),
        ReasonCode::EvidenceGap => (
            "Something is missing or withheld in the supplier's records",
            "供应商的记录有缺失或未公开之处",
        ),
        ReasonCode::LateDelivery => (
            "Promised deliveries came late or were not confirmed",
            "部分承诺的交付迟到或未获确认",
        ),
        ReasonCode::InspectionFailures => ("Inspections failed", "部分检验不合格"),
        ReasonCode::LowVolume => ("Little was confirmed by others", "经他方确认的业务量不足"),
        ReasonCode::InsufficientEvidence if missing => {
            ("There is no evidence of this", "此项没有证据")
        }
        ReasonCode::InsufficientEvidence => ("There is too little evidence", "证据不足"),
        ReasonCode::SandboxLimit => ("The sandbox has no room left", "沙盒额度不足"),
        ReasonCode::RuleRefuses => (
            "A rule before every offer refuses it",
            "触发放款前规则，不予受理",
        ),
    };
    pick(language, en, zh)
}

/// Where a limit comes from.
#[must_use]
pub fn bound(bound: Bound, language: Language) -> &'static str {
    let (en, zh) = match bound {
        Bound::ProductCap => ("Product cap", "产品上限"),
        Bound::ConfirmedTurnover => ("Share of confirmed turnover", "经确认营业额的成数"),
        Bound::SandboxPerLoan => ("Sandbox, one loan", "沙盒单笔限额"),
        Bound::SandboxFree => ("Sandbox, still free", "沙盒剩余额度"),
        Bound::SandboxBorrower => ("Sandbox, left for this borrower", "沙盒内该借款人剩余额度"),
        Bound::SandboxBuyer => ("Sandbox, left for this buyer", "沙盒内该买方剩余额度"),
        Bound::SandboxDay => ("Sandbox, left for today", "沙盒当日剩余额度"),
    };
    pick(language, en, zh)
}

/// One of two texts.
#[must_use]
pub fn pick(language: Language, en: &'static str, zh: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::ZhCn => zh,
    }
}
