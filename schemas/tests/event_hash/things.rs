//! Identifiers, times and numbers in their many spellings.

use serde_json::{Map, Number, Value, json};

use super::Random;

/// Instants of many forms: offsets, fractions, other centuries.
pub(super) fn time(random: &mut Random) -> Value {
    let year = random.pick(&["2026", "1999", "2024", "2100", "1969"]);
    let month = 1 + random.below(12);
    let day = 1 + random.below(28);
    let (hour, minute, second) = (random.below(24), random.below(60), random.below(60));
    let length = random.below(10) as usize;
    let fraction = match length {
        0 => String::new(),
        _ if random.once(8) => format!(".{}", "9".repeat(length)),
        _ => format!(".{}", random.digits(length)),
    };
    let zone = random.pick(&["Z", "+08:00", "-05:30", "+00:00", "-00:00", "+14:00"]);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}").into()
}

fn checked(body: &str) -> String {
    format!("{body}{}", schemas::gs1::check_digit(body).expect("digits"))
}

/// A serial that a URN holds as it is.
fn serial(random: &mut Random) -> String {
    let letters = b"ABCXYZabcxyz0123456789-._!()*+,:;=";
    let length = 1 + random.below(12);
    (0..length)
        .map(|_| char::from(letters[random.below(letters.len() as u64) as usize]))
        .collect()
}

/// A serial that a link holds as it is.
pub(super) fn plain(random: &mut Random) -> String {
    let letters = b"ABCXYZabcxyz0123456789-._";
    let length = 1 + random.below(12);
    (0..length)
        .map(|_| char::from(letters[random.below(letters.len() as u64) as usize]))
        .collect()
}

/// Company prefix and reference of `digits` together.
fn fields(random: &mut Random, digits: usize) -> String {
    let prefix = 6 + random.below(6) as usize;
    format!(
        "{}.{}",
        random.digits(prefix),
        random.digits(digits - prefix)
    )
}

pub(super) fn thing(random: &mut Random) -> Value {
    match random.below(9) {
        0 => format!("urn:epc:id:sgtin:{}.{}", fields(random, 13), serial(random)),
        1 => format!(
            "https://id.gs1.org/01/{}/21/{}",
            checked(&random.digits(13)),
            plain(random)
        ),
        2 => format!(
            "http://shop.example/a/gtin/{}/lot/L1/ser/{}",
            checked(&random.digits(12)),
            plain(random)
        ),
        3 => return unit(random),
        4 => format!("urn:epc:id:grai:{}.{}", fields(random, 12), plain(random)),
        5 => format!("urn:epc:id:giai:9521001.{}", plain(random)),
        6 => format!(
            "urn:epc:id:itip:{}.01.02.{}",
            fields(random, 13),
            serial(random)
        ),
        7 => format!("urn:epc:id:upui:{}.{}", fields(random, 13), serial(random)),
        _ => format!("urn:uuid:{}", random.digits(12)),
    }
    .into()
}

pub(super) fn unit(random: &mut Random) -> Value {
    match random.below(2) {
        0 => format!("urn:epc:id:sscc:{}", fields(random, 17)),
        _ => format!("https://id.gs1.org/00/{}", checked(&random.digits(17))),
    }
    .into()
}

pub(super) fn class(random: &mut Random) -> Value {
    match random.below(4) {
        0 => format!(
            "urn:epc:class:lgtin:{}.{}",
            fields(random, 13),
            serial(random)
        ),
        1 => format!("urn:epc:idpat:sgtin:{}.*", fields(random, 13)),
        2 => format!(
            "https://id.gs1.org/01/{}/10/{}",
            checked(&random.digits(13)),
            plain(random)
        ),
        _ => format!(
            "https://shop.example/01/{}?17=271231",
            checked(&random.digits(13))
        ),
    }
    .into()
}

pub(super) fn location(random: &mut Random) -> Value {
    match random.below(5) {
        0 => format!("urn:epc:id:sgln:{}.0", fields(random, 12)),
        1 => format!("urn:epc:id:sgln:{}.{}", fields(random, 12), serial(random)),
        2 => format!("urn:epc:id:pgln:{}", fields(random, 12)),
        3 => format!(
            "https://id.gs1.org/414/{}/254/{}",
            checked(&random.digits(12)),
            plain(random)
        ),
        _ => "https://places.example/hall/2".to_owned(),
    }
    .into()
}

pub(super) fn document(random: &mut Random) -> Value {
    format!("urn:epc:id:gdti:{}.{}", fields(random, 12), plain(random)).into()
}

pub(super) fn business(random: &mut Random) -> Value {
    let transaction = match random.below(3) {
        0 => document(random),
        1 => format!("urn:epcglobal:cbv:bt:9521001000000:{}", random.digits(4)).into(),
        _ => "http://transactions.example/po/12345678".into(),
    };
    let kind = random.pick(&[
        "po",
        "urn:epcglobal:cbv:btt:inv",
        "cbv:BTT-desadv",
        "https://own.example/btt/x",
    ]);
    json!({"type": kind, "bizTransaction": transaction})
}

pub(super) fn quantity(random: &mut Random) -> Value {
    let mut element = Map::new();
    element.insert("epcClass".into(), class(random));
    match random.below(3) {
        0 => {}
        1 => {
            element.insert("quantity".into(), (1 + random.below(5_000)).into());
        }
        _ => {
            element.insert("quantity".into(), positive(random));
            element.insert(
                "uom".into(),
                random.pick(&["KGM", "LTR", "MTR", "2N"]).into(),
            );
        }
    }
    element.into()
}

/// Numbers as JSON writes them: whole, with zeros behind, with an exponent.
pub(super) fn positive(random: &mut Random) -> Value {
    let text = match random.below(6) {
        0 => format!("{}.0", 1 + random.below(1_000)),
        1 => format!("{}.{}0", random.below(100), 1 + random.below(9)),
        2 => format!("{}e2", 1 + random.below(50)),
        3 => format!("1.{}E3", random.digits(4)),
        4 => format!("0.00{}", 1 + random.below(9)),
        _ => (1 + random.below(1_000_000)).to_string(),
    };
    serde_json::from_str(&text).expect("a number")
}

pub(super) fn number(random: &mut Random) -> Value {
    let value = positive(random);
    match value
        .as_f64()
        .filter(|_| random.once(4))
        .and_then(|number| Number::from_f64(-number))
    {
        Some(negative) => negative.into(),
        None => value,
    }
}
