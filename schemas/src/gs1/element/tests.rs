use proptest::prelude::*;

use super::*;
use crate::gs1::DigitalLink;

#[test]
fn retail_bar_codes_are_gtins() {
    for text in ["]E09521001000017", "]E4 97803111", "]I009521001000017"] {
        let read = ElementString::parse(&text.replace(' ', ""));
        match text {
            "]E4 97803111" => assert!(matches!(read, Err(Gs1Error::Element { .. }))),
            _ => assert_eq!(read.unwrap().get("01"), Some("09521001000017"), "{text}"),
        }
    }
    for text in [
        "]X0123",
        "]",
        "]C",
        "]Cé",
        "]E0952100100001",
        "]A0(01)09521001000017",
    ] {
        assert!(ElementString::parse(text).is_err(), "{text}");
    }
    assert_eq!(ElementString::parse("]C1"), Err(Gs1Error::Unrecognised));
}

#[test]
fn all_elements_stay() {
    let text = "(01)09521001000017(10)L\\(10)1(17)261200(3103)001250(30)24";
    let read = ElementString::parse(text).unwrap();
    assert_eq!(read.bracketed(), text);
    assert_eq!(
        read.plain(),
        "010952100100001710L(10)1\u{1d}17261200310300125030".to_owned() + "24"
    );
    assert_eq!(read.identifier().unwrap().lot(), Some("L(10)1"));
    let link = read.digital_link("https://shop.example/goods").unwrap();
    let expected =
        "https://shop.example/goods/01/09521001000017/10/L%2810%291?17=261200&3103=001250&30=24";
    assert_eq!(link, expected);
    assert_eq!(DigitalLink::parse(&link).unwrap().elements().unwrap(), read);
    for stem in [
        "shop.example",
        "https://shop.example/",
        "https://a/?x=1",
        "https://a b",
        "ftp://a",
    ] {
        assert_eq!(
            read.digital_link(stem),
            Err(Gs1Error::Unrecognised),
            "{stem}"
        );
    }
    let hidden = ElementString::parse("(03)09521001000017(01)09521001000017");
    assert!(matches!(hidden, Err(Gs1Error::Excludes { .. })));
}

#[test]
fn an_error_names_its_element() {
    let refused = |text: &str| ElementString::parse(text).expect_err(text).to_string();
    assert_eq!(
        refused("(01)09521001000017(17)261301"),
        "value of 17 has no such month"
    );
    assert_eq!(
        refused("(10)L1"),
        "10 needs 01,02,03,8006,8026 beside it (`,` or, `+` and, `n` any digit)"
    );
    assert_eq!(
        refused("(01)09521001000017(37)5"),
        "01 and 37 exclude each other"
    );
    assert_eq!(
        refused("(01)09521001000017(91)a(91)b"),
        "91 stands twice with two values"
    );
    assert_eq!(
        refused("(01)09521001000017(3103)12"),
        "value of 3103 has 2 characters, it needs 6 to 6"
    );
    assert_eq!(
        refused("(01)09521001000017(30)1x"),
        "value of 30 may not contain 'x'"
    );
    let query = DigitalLink::parse("https://a/01/09521001000017?21=S");
    assert_eq!(query, Err(Gs1Error::NoAttribute("21".into())));
    let query = DigitalLink::parse("https://a/01/09521001000017/10/L?10=M");
    assert_eq!(query, Err(Gs1Error::Repeated("10".into())));
    let query = DigitalLink::parse("https://a/01/09521001000017?18=260101");
    assert_eq!(query, Err(Gs1Error::UnknownElement("18".into())));
}

const SET_82: &str = "[-!\"%&'()*+,./:;<=>?_A-Za-z0-9]{1,20}";

prop_compose! {
    fn goods()(
        body in "[0-9]{13}",
        lot in proptest::option::of(SET_82),
        serial in proptest::option::of(SET_82),
        note in proptest::option::of(SET_82),
        month in 1_u32..13,
        weight in 0_u32..1_000_000,
    ) -> ElementString {
        let gtin = format!("{body}{}", crate::gs1::check_digit(&body).unwrap());
        let mut elements = vec![("01".to_owned(), gtin)];
        for (ai, value) in [("10", lot), ("21", serial), ("240", note)] {
            elements.extend(value.map(|value| (ai.to_owned(), value)));
        }
        elements.push(("17".to_owned(), format!("27{month:02}00")));
        elements.push(("3103".to_owned(), format!("{weight:06}")));
        ElementString::new(elements).unwrap()
    }
}

fn sorted(elements: &ElementString) -> Vec<(String, String)> {
    let pair = |one: &Element| (one.ai.clone(), one.value.clone());
    let mut all: Vec<_> = elements.elements().iter().map(pair).collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn every_form_leads_back(goods in goods()) {
        prop_assert_eq!(ElementString::parse(&goods.bracketed()).unwrap(), goods.clone());
        prop_assert_eq!(ElementString::parse(&format!("]C1{}", goods.plain())).unwrap(), goods.clone());
        let link = goods.digital_link("https://shop.example/a/b").unwrap();
        let read = DigitalLink::parse(&link).unwrap();
        prop_assert_eq!(sorted(&read.elements().unwrap()), sorted(&goods));
        prop_assert_eq!(read.identifier(), &goods.identifier().unwrap());
    }

    #[test]
    fn nothing_that_is_read_can_panic(
        text in "\\PC{0,40}|[(\\]^\u{1d}]?[0-9A-Za-z]{0,4}[)\u{1d}\\\\(^]?\\PC{0,30}",
        ai in "[0-9]{2,4}",
    ) {
        for start in ["", "]C1", "]d2", "]E0", "^", "\u{1d}", "(01)09521001000017", &format!("({ai})"), &format!("]C1{ai}")] {
            let _ = ElementString::parse(&format!("{start}{text}"));
        }
        for link in [format!("https://a/01/09521001000017?{ai}={text}"), format!("https://a/{ai}/{text}?{text}")] {
            if let Ok(link) = DigitalLink::parse(&link) {
                let _ = link.elements();
                for digits in 0..15 {
                    let _ = link.identifier().urn(digits);
                }
            }
        }
    }
}
