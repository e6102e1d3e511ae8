use proptest::prelude::*;
use schemas::hash::Hash;

use super::*;
use crate::money::Currency;
use crate::pledge::quantity::Measure;

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn kilograms(smallest: i64) -> Quantity {
    Quantity::new(Measure::Mass, smallest).unwrap()
}

fn goods(category: &str, fen: i64, milligrams: i64, source: PriceSource) -> Valued<'_> {
    Valued {
        category,
        quantity: kilograms(milligrams),
        price: Price {
            money: cny(fen),
            per: kilograms(1_000_000),
            source,
        },
        age_days: 10,
        evidence: Evidence::Measured,
    }
}

fn table() -> Table {
    Table::built_in().unwrap()
}

#[test]
fn price_weight_and_haircut_each_round_down() {
    // 3.333 kg at 1.01 a kilogram: 336.633 fen; 95 % of 336: 319.2; 80 % of 319: 255.2.
    let goods = goods("metal", 101, 3_333_000, PriceSource::ConfirmedSale);
    let worth = Value::of(&goods, &table()).unwrap();
    assert_eq!(worth.market, cny(336));
    assert_eq!(worth.value, cny(319));
    assert_eq!(worth.lending, cny(255));
    let declared = Valued {
        evidence: Evidence::Declared,
        ..goods
    };
    let told = Value::of(&declared, &table()).unwrap();
    assert!(told.lending.fen() < worth.lending.fen());
}

#[test]
fn goods_that_are_too_old_or_unknown() {
    let old = Valued {
        age_days: 181,
        ..goods("frozen-food", 1_000, 1_000_000, PriceSource::Invoice)
    };
    assert_eq!(Value::of(&old, &table()).unwrap().lending, cny(0));
    let last = Valued {
        age_days: 180,
        ..old.clone()
    };
    assert_eq!(Value::of(&last, &table()).unwrap().lending, cny(450));
    let unknown = goods("hope", 1, 1, PriceSource::Invoice);
    let error = Value::of(&unknown, &table()).unwrap_err();
    assert_eq!(error, ValueError::Category("hope".into()));
    let pieces = Valued {
        quantity: Quantity::PIECE,
        ..old
    };
    assert_eq!(Value::of(&pieces, &table()), Err(ValueError::Measure));
}

#[test]
fn lines_are_exact_and_loan_to_value_rounds_up() {
    let worth = Value {
        market: cny(10_000),
        value: cny(10_000),
        lending: cny(6_500),
    };
    let stands = |loan| standing(cny(loan), worth, &table()).unwrap();
    assert_eq!(stands(7_500), Standing::Covered);
    let missing = cny(1_001);
    assert_eq!(stands(7_501), Standing::MarginCall { missing });
    let missing = cny(2_500);
    assert_eq!(stands(9_000), Standing::MarginCall { missing });
    let missing = cny(2_501);
    assert_eq!(stands(9_001), Standing::Shortfall { missing });
    let percent = |loan, value| {
        let found = loan_to_value(cny(loan), cny(value)).unwrap();
        found.map(|percent| percent.to_string())
    };
    assert_eq!(percent(1, 3).as_deref(), Some("33.34"));
    assert_eq!(percent(3, 4).as_deref(), Some("75.00"));
    assert_eq!(percent(1, 0), None);
    let nothing = Value::zero(Currency::CNY);
    let missing = cny(1);
    let stands = standing(cny(1), nothing, &table()).unwrap();
    assert_eq!(stands, Standing::Shortfall { missing });
    let eur = Value::zero("EUR".parse().unwrap());
    assert!(standing(cny(1), eur, &table()).is_err());
    assert!(loan_to_value(cny(1), eur.value).is_err());
}

/// The built-in table with a change; the error.
fn refused(from: &str, nth: usize, to: &str) -> String {
    let text = include_str!("../haircuts-1.toml");
    let (at, _) = text.match_indices(from).nth(nth).unwrap();
    let changed = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
    Table::parse("t.toml", &changed).unwrap_err().to_string()
}

#[test]
fn a_wrong_table_is_refused_with_line_and_field() {
    let text = include_str!("../haircuts-1.toml");
    let line = |needle: &str, nth: usize| {
        let lines = text.lines().enumerate();
        let mut found = lines.filter(|(_, line)| line.starts_with(needle));
        found.nth(nth).unwrap().0 + 1
    };
    let error = refused("up_to_days = 1095", 0, "up_to_days = 365");
    let at = line("up_to_days", 1);
    assert!(
        error.starts_with(&format!("t.toml:{at}: haircuts.up_to_days: ")),
        "{error}"
    );
    let error = refused("measured_percent = \"30\"", 0, "measured_percent = \"10\"");
    let at = line("measured_percent", 1);
    assert!(
        error.starts_with(&format!("t.toml:{at}: haircuts.measured_percent: ")),
        "{error}"
    );
    let error = refused("declared_percent = \"60\"", 0, "declared_percent = \"99\"");
    let at = line("declared_percent", 0);
    assert!(
        error.starts_with(&format!("t.toml:{at}: weights.declared_percent: ")),
        "{error}"
    );
    let error = refused(
        "shortfall_percent = \"90\"",
        0,
        "shortfall_percent = \"75\"",
    );
    let at = line("shortfall_percent", 0);
    assert!(
        error.starts_with(&format!("t.toml:{at}: lines.shortfall_percent: ")),
        "{error}"
    );
    let error = refused("scanned_percent = \"25\"", 0, "scanned_percent = 0.25");
    assert!(
        error.starts_with("t.toml:") && error.contains("scanned_percent"),
        "{error}"
    );
    let error = refused("margin_call_percent", 0, "margin_cal_percent");
    assert!(error.contains("margin_cal_percent"), "{error}");
    assert!(refused("version = 1", 0, "version = 0").contains("version"));
    assert_eq!(table().version(), 1);
    assert_ne!(table().hash(), Hash::ZERO);
}

proptest! {
    #[test]
    fn worse_goods_are_never_worth_more(
        fen in 0i64..1_000_000_000, milligrams in 1i64..1_000_000_000_000, age in 0u32..2_000,
    ) {
        let one = Valued { age_days: age, ..goods("metal", fen, milligrams, PriceSource::Invoice) };
        let worth = |goods: &Valued<'_>| Value::of(goods, &table()).unwrap();
        let best = worth(&one);
        prop_assert!(best.lending.fen() <= best.value.fen());
        prop_assert!(best.value.fen() <= best.market.fen());
        let exact = i128::from(fen) * i128::from(milligrams);
        prop_assert!(i128::from(best.market.fen()) * 1_000_000 <= exact);
        let older = Valued { age_days: age + 1, ..one.clone() };
        prop_assert!(worth(&older).lending.fen() <= best.lending.fen());
        let told = Valued { evidence: Evidence::Declared, ..one.clone() };
        prop_assert!(worth(&told).lending.fen() <= best.lending.fen());
        let mut price = one.price;
        price.source = PriceSource::Declared;
        let hoped = Valued { price, ..one };
        prop_assert!(worth(&hoped).lending.fen() <= best.lending.fen());
    }
}
