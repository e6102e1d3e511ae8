//! Gaps and episodes as sentences that name the actor.

use kit::negotiate::Language;
use rust_decimal::Decimal;

use super::{minute, minutes};
use crate::evidence::Gap;
use crate::evidence::chain::Missing;
use crate::facts::cold_chain::Episode;

/// A gap in words.
pub(super) fn gap_text(gap: &Gap, language: Language) -> String {
    let device = &gap.device;
    let what = match language {
        Language::En => gap_en(&gap.missing),
        Language::ZhCn => gap_zh(&gap.missing),
    };
    format!("{device}: {what}")
}

fn gap_en(missing: &Missing) -> String {
    match missing {
        Missing::Seqs { epoch, from, to } => {
            format!("statements {from} to {to} of epoch {epoch} are missing")
        }
        Missing::Epochs { before } => format!("epochs before {before} are missing"),
        Missing::EpochStart { epoch } => {
            format!("the device lost its place and began epoch {epoch}")
        }
        Missing::Link { epoch, seq } => {
            format!("statement {epoch}.{seq} does not name the one before it")
        }
        Missing::Fork { epoch, seq } => format!("two different statements stand at {epoch}.{seq}"),
        Missing::Silence { since, until } => {
            format!("silent from {} to {}", minute(*since), minute(*until))
        }
        Missing::Thinned { dropped, .. } => format!("the device dropped {dropped} events"),
        Missing::Withheld { epoch, seq, events } => {
            format!("{events} events of statement {epoch}.{seq} are withheld")
        }
    }
}

fn gap_zh(missing: &Missing) -> String {
    match missing {
        Missing::Seqs { epoch, from, to } => format!("第 {epoch} 纪元缺少第 {from} 至 {to} 条声明"),
        Missing::Epochs { before } => format!("第 {before} 纪元之前的纪元缺失"),
        Missing::EpochStart { epoch } => format!("设备丢失进度，重新开始第 {epoch} 纪元"),
        Missing::Link { epoch, seq } => format!("声明 {epoch}.{seq} 未指向前一条"),
        Missing::Fork { epoch, seq } => format!("{epoch}.{seq} 处有两条不同的声明"),
        Missing::Silence { since, until } => {
            format!("{} 至 {} 没有任何消息", minute(*since), minute(*until))
        }
        Missing::Thinned { dropped, .. } => format!("设备丢弃了 {dropped} 条事件"),
        Missing::Withheld { epoch, seq, events } => {
            format!("声明 {epoch}.{seq} 有 {events} 条事件未公开")
        }
    }
}

/// An episode in words.
pub(super) fn episode(one: &Episode, language: Language) -> String {
    let (from, until) = (minute(one.from), minute(one.until));
    let sensor = if one.sensor.is_empty() {
        String::new()
    } else {
        format!(" ({})", one.sensor)
    };
    let long = minutes(Decimal::from(one.minutes), language);
    let extreme = one.extreme.round_dp(1);
    match language {
        Language::En => format!(
            "{}{sensor} was outside the limits for {long}, at the farthest {extreme:.1} °C, from {from} to {until} UTC",
            one.device
        ),
        Language::ZhCn => format!(
            "{}{sensor} 测得超限 {long}，最远达 {extreme:.1} °C，{from} 至 {until} UTC",
            one.device
        ),
    }
}
