//! Figures and times as officers read them.

use std::time::Duration;

use kit::negotiate::Language;
use kit::text::Text;
use schemas::time::Instant;

use crate::money::Money;

/// Fen of one 万.
const WAN_FEN: i64 = 10_000 * 100;

/// An amount with its currency; in Chinese a large one also in 万, cut to two places.
pub fn money(amount: Money, language: Language) -> String {
    if language == Language::ZhCn && amount.fen() >= WAN_FEN {
        let hundredths = amount.fen() / (WAN_FEN / 100);
        format!(
            "{amount}（{}.{:02} 万）",
            hundredths / 100,
            hundredths % 100
        )
    } else {
        amount.to_string()
    }
}

/// A time, near and exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// `3 hours ago`, `in 2 days`.
    pub near: String,
    /// `2026-11-22 01:02 UTC`.
    pub exact: String,
    /// For the `datetime` attribute.
    pub machine: String,
}

/// A time as seen from now.
pub fn when(at: Instant, now: Instant, t: Text) -> When {
    let (key, distance) = if at > now {
        ("time.in", at.since(now))
    } else {
        ("time.ago", now.since(at))
    };
    let near = match distance.as_secs() {
        0..60 => t.get("time.now").to_owned(),
        _ => t.fill(key, &[("long", &long(distance, t))]),
    };
    When {
        near,
        exact: exact(at),
        machine: at.to_rfc3339(),
    }
}

/// `2026-11-22 01:02 UTC`.
pub fn exact(at: Instant) -> String {
    let text = at.to_rfc3339();
    format!("{} UTC", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// A duration in its largest unit, cut.
fn long(duration: Duration, t: Text) -> String {
    let minutes = duration.as_secs() / 60;
    let (key, count) = match minutes {
        0..60 => ("time.minutes", minutes),
        60..2880 => ("time.hours", minutes / 60),
        _ => ("time.days", minutes / 1440),
    };
    t.count(key, usize::try_from(count).unwrap_or(usize::MAX))
}

/// The first 8 and last 6 digits of a hash.
pub fn short(hash: &schemas::hash::Hash) -> String {
    let full = hash.to_string();
    format!("{}…{}", &full[..8], &full[58..])
}

/// The last four letters of an account that is long enough to hide the rest.
pub fn masked(account: &str) -> String {
    let letters: Vec<char> = account.chars().filter(|one| !one.is_whitespace()).collect();
    let shown = if letters.len() >= 8 { 4 } else { 0 };
    let end: String = letters[letters.len() - shown..].iter().collect();
    format!("•••• {end}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::shell::text;
    use crate::money::Currency;

    #[test]
    fn amounts_keep_their_currency_and_large_ones_have_wan_in_chinese() {
        let cny = Money::parse("123456.78", Currency::CNY).unwrap();
        let usd = Money::parse("123456.78", "USD".parse().unwrap()).unwrap();
        assert_eq!(money(cny, Language::En), "¥123,456.78");
        assert_eq!(money(cny, Language::ZhCn), "¥123,456.78（12.34 万）");
        assert_eq!(money(usd, Language::En), "USD 123,456.78");
        assert_eq!(money(usd, Language::ZhCn), "USD 123,456.78（12.34 万）");
        let small = Money::parse("9999.99", Currency::CNY).unwrap();
        assert_eq!(money(small, Language::ZhCn), "¥9,999.99");
    }

    #[test]
    fn times_are_near_and_exact() {
        let now = Instant::parse_rfc3339("2026-11-22T12:00:00Z").unwrap();
        let t = text(Language::En);
        let near = |minutes: i64| {
            when(
                Instant::from_micros(now.as_micros() + minutes * 60_000_000),
                now,
                t,
            )
            .near
        };
        assert_eq!(
            (near(0), near(-1)),
            ("just now".to_owned(), "1 minute ago".to_owned())
        );
        assert_eq!(near(-119), "1 hour ago");
        assert_eq!(near(47 * 60), "in 47 hours");
        assert_eq!(near(7 * 1440), "in 7 days");
        assert_eq!(when(now, now, t).exact, "2026-11-22 12:00 UTC");
    }

    #[test]
    fn an_account_shows_its_end_only_where_the_rest_stays_hidden() {
        assert_eq!(masked("6222 0000 1111"), "•••• 1111");
        assert_eq!(masked("1234567"), "••••");
        assert_eq!(masked(""), "••••");
    }
}
