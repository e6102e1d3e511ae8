use std::collections::BTreeSet;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::pledge::claim::{Claim, Claims, Goods, Part, Shown};
use crate::pledge::invoice::{Invoice, Typed};
use crate::pledge::quantity::{Measure, Quantity};

const SELLER: &str = "9144030071526726XG";
const BUYER: &str = "914403001922038216";

fn paper() -> Typed {
    Typed {
        seller: SELLER.into(),
        buyer: BUYER.into(),
        code: "011001900211".into(),
        number: "00123456".into(),
        digital: String::new(),
        date: "2026-11-23".into(),
        total: "11300.50".into(),
    }
}

fn digital() -> Typed {
    Typed {
        code: String::new(),
        number: String::new(),
        digital: "26112000000012345678".into(),
        ..paper()
    }
}

fn read(typed: &Typed) -> Invoice {
    Invoice::read(typed).unwrap()
}

fn field(typed: &Typed) -> &'static str {
    Invoice::read(typed).unwrap_err().field
}

fn thing(serial: &str) -> Identifier {
    Identifier::from_serial("09521234543213", serial).unwrap()
}

fn lot() -> Identifier {
    Identifier::from_lot("09521234543213", "L1").unwrap()
}

fn pallet(text: &str) -> Identifier {
    Identifier::from_sscc(text).unwrap()
}

fn shown(smallest: i64) -> Shown {
    Shown {
        quantity: Quantity::new(Measure::Pieces, smallest).unwrap(),
        log_size: 7,
    }
}

#[test]
fn example_of_the_document() {
    let name = Fingerprint::of_lot(&lot()).unwrap().to_string();
    let document = include_str!("../../../docs/pledge.md");
    assert!(document.contains(&name), "{name}");
    assert!(document.contains(&lot().canonical()));
}

#[test]
fn kinds_and_fields_never_meet() {
    let names = [
        Fingerprint::of(Kind::Lot, &["ab", "c"]),
        Fingerprint::of(Kind::Lot, &["a", "bc"]),
        Fingerprint::of(Kind::Lot, &["abc"]),
        Fingerprint::of(Kind::Lot, &["abc", ""]),
        Fingerprint::of(Kind::Serial, &["abc"]),
        Fingerprint::of(Kind::Receipt, &["ab", "c"]),
    ];
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn sloppy_clerks_write_the_same_invoice() {
    let right = read(&paper());
    let sloppy = [
        Typed {
            seller: " ９１４４０３００７１５２６７２６ｘｇ ".into(),
            code: "11001900211".into(),
            number: "１２３４５６".into(),
            date: "2026年11月23日".into(),
            total: "￥11,300.5".into(),
            ..paper()
        },
        Typed {
            seller: "914403007i526726xg".into(),
            code: "0110 0190 0211".into(),
            date: "20261123".into(),
            total: "¥ 11300.50".into(),
            ..paper()
        },
        Typed {
            buyer: "9144-0300-1922-0382-16\u{3000}".into(),
            code: String::new(),
            number: "01100190021100123456".into(),
            date: "2026/11/23".into(),
            total: "011300.50".into(),
            ..paper()
        },
    ];
    for typed in sloppy {
        let other = read(&typed);
        assert_eq!(other.fingerprints(), right.fingerprints(), "{typed:?}");
        assert_eq!(other.details(), right.details(), "{typed:?}");
    }
}

#[test]
fn a_wrong_date_or_amount_is_the_same_invoice_with_other_details() {
    let right = read(&paper());
    for typed in [
        Typed {
            date: "2026-11-24".into(),
            ..paper()
        },
        Typed {
            total: "11300.51".into(),
            ..paper()
        },
        Typed {
            buyer: "91100000100003962T".into(),
            ..paper()
        },
    ] {
        let other = read(&typed);
        assert_eq!(other.fingerprints(), right.fingerprints());
        assert_ne!(other.details(), right.details());
    }
}

#[test]
fn a_digital_invoice_on_tax_paper_has_both_names() {
    let both = read(&Typed {
        digital: digital().digital,
        ..paper()
    });
    let mut names = read(&paper()).fingerprints();
    names.extend(read(&digital()).fingerprints());
    assert_eq!(both.fingerprints(), names);
    let wrong_field = Typed {
        number: digital().digital,
        digital: String::new(),
        ..digital()
    };
    assert_eq!(read(&wrong_field).fingerprints(), names[1..]);
}

#[test]
fn refusals_name_the_field() {
    let with = |change: fn(&mut Typed)| {
        let mut typed = paper();
        change(&mut typed);
        field(&typed)
    };
    assert_eq!(with(|t| t.seller = "914403007152672600".into()), "seller");
    assert_eq!(with(|t| t.seller = "440300715267260".into()), "seller");
    assert_eq!(with(|t| t.buyer = SELLER.into()), "buyer");
    assert_eq!(with(|t| t.buyer = String::new()), "buyer");
    assert_eq!(with(|t| t.code = "123".into()), "code");
    assert_eq!(with(|t| t.number = "123456789".into()), "number");
    assert_eq!(with(|t| t.number = "00000000".into()), "number");
    assert_eq!(with(|t| t.number = String::new()), "number");
    assert_eq!(with(|t| t.number = "1.2E+7".into()), "number");
    assert_eq!(with(|t| t.date = "2026-02-30".into()), "date");
    assert_eq!(with(|t| t.date = "23.11.2026".into()), "date");
    for total in ["NaN", "inf", "-1.00", "0.00", "1e3", "1,00.00", "1.005", ""] {
        let typed = Typed {
            total: total.into(),
            ..paper()
        };
        assert_eq!(field(&typed), "total", "{total}");
    }
    let year = Typed {
        digital: "25112000000012345678".into(),
        ..digital()
    };
    assert_eq!(field(&year), "digital");
    let spreadsheet = Typed {
        digital: "2.6112E+19".into(),
        ..digital()
    };
    assert_eq!(field(&spreadsheet), "digital");
    let none = Typed {
        digital: String::new(),
        ..digital()
    };
    assert_eq!(field(&none), "number");
}

#[test]
fn receipts_of_one_warehouse_differ_by_number_only() {
    let warehouse = CreditCode::read("warehouse", SELLER).unwrap();
    let name = |text: &str| {
        let number = ReceiptNumber::read(text).unwrap();
        Fingerprint::of_receipt(&warehouse, &number)
    };
    assert_eq!(name("wr-2026/0007"), name("ＷＲ２０２６ 0007"));
    assert_eq!(name("0042"), name("42"));
    assert_ne!(name("WR42"), name("42"));
    assert!(ReceiptNumber::read("000").is_err() && ReceiptNumber::read("--").is_err());
}

#[test]
fn every_syntax_of_a_serial_is_one_thing() {
    let name = |text: &str| Fingerprint::of_thing(&Identifier::parse_any(text).unwrap()).unwrap();
    let one = name("https://id.gs1.org/01/09521234543213/21/A1");
    assert_eq!(
        one,
        name("https://shop.example/01/9521234543213/10/L9/21/A1")
    );
    assert_eq!(one, name("(01)09521234543213(21)A1"));
    assert!(Fingerprint::of_thing(&lot()).is_err());
    assert!(Fingerprint::of_lot(&thing("A1")).is_err());
    let gtin = Identifier::from_gtin("09521234543213").unwrap();
    assert!(Fingerprint::of_thing(&gtin).is_err() && Fingerprint::of_lot(&gtin).is_err());
}

#[test]
fn quantities_are_exact_or_refused() {
    let read = |text: &str, unit| Quantity::read(text.parse::<Decimal>().unwrap(), unit);
    assert_eq!(read("1.5", Some("KGM")), read("1500", Some("GRM")));
    assert_eq!(read("2", None), read("2", Some("EA")));
    assert_eq!(read("1.5", None).unwrap_err().field, "quantity");
    assert_eq!(
        read("0.0000001", Some("KGM")).unwrap_err().field,
        "quantity"
    );
    assert_eq!(read("0", None).unwrap_err().field, "quantity");
    assert_eq!(read("-1", None).unwrap_err().field, "quantity");
    assert_eq!(read("1", Some("XXX")).unwrap_err().field, "unit");
    assert!(read("79228162514264337593543950335", Some("TNE")).is_err());
}

#[test]
fn a_container_claims_what_is_in_it_and_marks_what_it_is_in() {
    let (outer, inner) = (pallet("095212345432100010"), pallet("095212345432100027"));
    let parts = vec![
        Part::Thing(thing("A1"), Some((lot(), shown(10)))),
        Part::Thing(thing("A2"), Some((lot(), shown(10)))),
        Part::Lot(lot(), Quantity::new(Measure::Pieces, 3).unwrap(), shown(10)),
    ];
    let unit = |parts, around| Goods::Unit {
        unit: inner.clone(),
        parts,
        around,
    };
    let claims = Claims::of(&unit(parts.clone(), vec![outer.clone()])).unwrap();
    let of = |name: Fingerprint| claims.iter().find(|(n, _)| **n == name).unwrap().1.clone();
    let whole = Claim::Whole { for_good: false };
    assert_eq!(of(Fingerprint::of_thing(&inner).unwrap()), whole);
    assert_eq!(of(Fingerprint::of_thing(&thing("A2")).unwrap()), whole);
    assert_eq!(of(Fingerprint::of_thing(&outer).unwrap()), Claim::Inside);
    let taken = Quantity::new(Measure::Pieces, 5).unwrap();
    let lots = Claim::Lot {
        taken,
        shown: shown(10),
    };
    assert_eq!(of(Fingerprint::of_lot(&lot()).unwrap()), lots);
    let field = |goods: &Goods| Claims::of(goods).unwrap_err().field;
    assert_eq!(field(&unit(vec![], vec![])), "parts");
    let twice = vec![parts[0].clone(), parts[0].clone()];
    assert_eq!(field(&unit(twice, vec![])), "parts");
    assert_eq!(field(&unit(parts.clone(), vec![inner.clone()])), "around");
    let own_content = vec![Part::Thing(inner.clone(), None)];
    assert_eq!(field(&unit(own_content, vec![])), "parts");
    let class = Identifier::from_gtin("09521234543213").unwrap();
    assert_eq!(
        field(&unit(vec![Part::Thing(class, None)], vec![])),
        "serial"
    );
    let empty_handed = Goods::Thing {
        thing: inner.clone(),
        lot: None,
        around: vec![],
    };
    assert_eq!(field(&empty_handed), "thing");
    let beyond = Goods::Lot {
        lot: lot(),
        taken,
        shown: shown(4),
    };
    assert_eq!(field(&beyond), "quantity");
}

#[test]
fn an_invoice_stays_taken_when_it_was_collected_and_goods_do_not() {
    let invoice = Claims::of(&Goods::Invoice(read(&paper()))).unwrap();
    assert_eq!(invoice.freed(true).count(), 0);
    assert_eq!(invoice.freed(false).count(), 1);
    let goods = Goods::Thing {
        thing: thing("A1"),
        lot: None,
        around: vec![],
    };
    assert_eq!(Claims::of(&goods).unwrap().freed(true).count(), 1);
}

proptest! {
    #[test]
    fn nothing_that_is_typed_panics(text in "\\PC{0,70}", other in "[0-9０-９ ,.¥年月日-]{0,24}") {
        for typed in [
            Typed { seller: text.clone(), ..paper() },
            Typed { number: text.clone(), ..paper() },
            Typed { date: other.clone(), ..paper() },
            Typed { total: other.clone(), ..paper() },
            Typed { digital: other.clone(), ..digital() },
        ] {
            let _ = Invoice::read(&typed);
        }
        let _ = ReceiptNumber::read(&text);
    }

    #[test]
    fn one_wrong_character_of_a_credit_code_is_refused(place in 0usize..18, with in 0usize..31) {
        let with = b"0123456789ABCDEFGHJKLMNPQRTUWXY"[with] as char;
        let changed: String = SELLER.chars().enumerate()
            .map(|(at, c)| if at == place { with } else { c }).collect();
        let found = CreditCode::read("seller", &changed);
        prop_assert_eq!(found.is_ok(), changed == SELLER);
    }
}
