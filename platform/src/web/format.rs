//! Times, lengths, measures, identifiers and hashes as a page shows them.

use std::fmt::Write as _;
use std::time::Duration;

use schemas::gs1::{ItemKey, Key};
use schemas::hash::Hash;
use schemas::time::Instant;

use super::text::Text;
use crate::trace::event::clip;
use crate::trace::{Stated, Thing};

/// `2026-11-20 09:12 +08:00`.
pub fn local(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%Y-%m-%d %H:%M %:z")
        .to_string()
}

/// `2026-11-20 09:12:03 +08:00`, for readings and evidence.
pub fn local_exact(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// `2026-11-20 09:12:03`, local, where the offset stands beside it.
pub fn exact(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// `+08:00`.
pub fn offset(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%:z")
        .to_string()
}

/// `2026-11-20`, local.
pub fn day(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%Y-%m-%d")
        .to_string()
}

/// `09:12`, local.
pub fn clock(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%H:%M")
        .to_string()
}

/// `11-20 09:12`, local.
pub fn day_clock(at: Stated) -> String {
    at.instant
        .at_offset(at.offset_minutes * 60)
        .format("%m-%d %H:%M")
        .to_string()
}

/// `2026-11-20 01:12:03`, to stand beside the word UTC.
pub fn utc(at: Instant) -> String {
    at.utc().format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-20T01:12:03Z`, for the `datetime` attribute.
pub fn iso(at: Instant) -> String {
    at.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A length in words: its two largest units, `1 hour 5 minutes`.
pub fn length(text: &Text, length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [
        ("length.day", seconds / 86_400),
        ("length.hour", seconds / 3_600 % 24),
        ("length.minute", seconds / 60 % 60),
        ("length.second", seconds % 60),
    ];
    let first = parts.iter().position(|(_, count)| *count > 0).unwrap_or(3);
    let word =
        |(key, count): (&str, u64)| text.count(key, usize::try_from(count).unwrap_or(usize::MAX));
    let long = word(parts[first]);
    match parts.get(first + 1) {
        Some(&(key, count)) if count > 0 => text.fill(
            "length.join",
            &[("long", &long), ("short", &word((key, count)))],
        ),
        _ => long,
    }
}

/// A measured value with its unit, which a line break never parts: temperatures with one place,
/// others with at most three.
pub fn measure(value: f64, kind: &str, uom: &str) -> String {
    let number = if kind == "Temperature" {
        format!("{value:.1}")
    } else {
        plain(value)
    };
    match unit(uom) {
        "" => number,
        unit => format!("{number}\u{a0}{unit}"),
    }
}

fn plain(value: f64) -> String {
    let fixed = format!("{value:.3}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The usual sign of a UN/CEFACT unit code (Recommendation 20); an unknown code as it stands.
pub fn unit(uom: &str) -> &str {
    match uom {
        "CEL" => "°C",
        "FAH" => "°F",
        "KEL" => "K",
        "P1" => "%",
        "KGM" => "kg",
        "GRM" => "g",
        "TNE" => "t",
        "LTR" => "l",
        "MLT" => "ml",
        "MTR" => "m",
        "LUX" => "lx",
        "PAL" => "Pa",
        "KMH" => "km/h",
        "A93" => "g/m³",
        "MSK" => "m/s²",
        other => other,
    }
}

/// `500 kg`, `12 pieces`; `None` for a single piece.
pub fn quantity(text: &Text, thing: &Thing) -> Option<String> {
    let amount = thing.quantity.as_deref()?;
    let amount = amount.strip_suffix(".0").unwrap_or(amount);
    Some(match thing.uom.as_deref() {
        Some(uom) if !matches!(uom, "H87" | "EA" | "C62") => format!("{amount} {}", unit(uom)),
        _ if amount == "1" => text.count("unit.pieces", 1),
        _ => text.fill("unit.pieces.other", &[("count", amount)]),
    })
}

/// An identifier as people know it: `GLN 9521001000024`, `SSCC ...`, `GTIN ... · lot ...`.
pub fn identifier(text: &Text, uri: &str) -> String {
    let Some(known) = ItemKey::read(uri).ok().and_then(|key| key.identifier()) else {
        return clip(uri);
    };
    let mut out = match known.key() {
        Key::Gtin => format!("GTIN {}", known.value()),
        Key::Sscc => format!("SSCC {}", known.value()),
        Key::Gln | Key::Party => format!("GLN {}", known.value()),
        key => format!("({}) {}", key.ai(), known.value()),
    };
    if let Some(extension) = known.extension() {
        let _ = write!(out, " / {extension}");
    }
    if let Some(lot) = known.lot() {
        let _ = write!(out, " · {} {lot}", text.get("product.lot"));
    }
    if let Some(serial) = known.serial().filter(|_| known.key() == Key::Gtin) {
        let _ = write!(out, " · {} {serial}", text.get("product.serial"));
    }
    out
}

/// First 8 and last 6 digits: `0a1b2c3d…e4f5a6`.
pub fn short(hash: &Hash) -> String {
    let full = hash.to_string();
    match (full.get(..8), full.get(full.len().saturating_sub(6)..)) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => full,
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3), for a query value.
pub fn percent(value: &str) -> String {
    let mut out = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Escapes text for HTML and SVG, element content and attribute values alike.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Lang;
    use crate::web::text;

    #[test]
    fn lengths_are_words() {
        let (en, zh) = (text::of(Lang::En), text::of(Lang::ZhCn));
        let of = |seconds| length(&en, Duration::from_secs(seconds));
        assert_eq!(of(0), "0 seconds");
        assert_eq!(of(2_400), "40 minutes");
        assert_eq!(of(3_900), "1 hour 5 minutes");
        assert_eq!(of(86_460), "1 day");
        assert_eq!(length(&zh, Duration::from_secs(3_900)), "1 小时 5 分钟");
    }

    #[test]
    fn times_are_local_with_their_offset() {
        let at = Stated {
            instant: Instant::from_seconds(1_763_601_120),
            offset_minutes: 480,
        };
        assert_eq!(local(at), "2025-11-20 09:12 +08:00");
        assert_eq!(utc(at.instant), "2025-11-20 01:12:00");
        let west = Stated {
            offset_minutes: -210,
            ..at
        };
        assert_eq!(local(west), "2025-11-19 21:42 -03:30");
    }

    #[test]
    fn measures_carry_their_unit() {
        assert_eq!(measure(9.44, "Temperature", "CEL"), "9.4\u{a0}°C");
        assert_eq!(measure(61.5, "RelativeHumidity", "P1"), "61.5\u{a0}%");
        assert_eq!(measure(3.0, "Speed", "XX"), "3\u{a0}XX");
    }

    #[test]
    fn identifiers_read_as_people_know_them() {
        let en = text::of(Lang::En);
        let of = |uri| identifier(&en, uri);
        assert_eq!(
            of("https://id.gs1.org/01/09521001000017/10/L1"),
            "GTIN 09521001000017 · Lot L1"
        );
        assert_eq!(of("https://example.org/x"), "https://example.org/x");
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        let en = text::of(Lang::En);
        let of = |quantity: &str, uom: Option<&str>| {
            let thing = Thing {
                item: String::new(),
                quantity: Some(quantity.to_owned()),
                uom: uom.map(str::to_owned),
            };
            quantity_of(&en, &thing)
        };
        assert_eq!(of("500", Some("KGM")), "500 kg");
        assert_eq!(of("12.0", None), "12 pieces");
        assert_eq!(of("1", Some("H87")), "1 piece");
    }

    fn quantity_of(text: &Text, thing: &Thing) -> String {
        quantity(text, thing).unwrap()
    }
}
