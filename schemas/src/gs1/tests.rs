mod random;

use super::*;

fn canonical(text: &str) -> String {
    Identifier::parse_any(text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .canonical()
}

fn refused(text: &str) -> Gs1Error {
    Identifier::parse_any(text).expect_err(text)
}

const LOT: &str = "https://id.gs1.org/01/09521001000017/10/L1";

#[test]
fn one_lot_has_one_name_in_every_syntax() {
    for text in [
        LOT,
        "(01)09521001000017(10)L1",
        "(01)09521001000017(17)261231(10)L1",
        "(10)L1(01)09521001000017",
        "010952100100001710L1",
        "]d201095210010000171726123110L1",
        "\u{1d}010952100100001710L1\u{1d}17261231",
        "]C110L1\u{1d}0109521001000017",
        "urn:epc:class:lgtin:9521001.000001.L1",
        "URN:EPC:class:lgtin:9521001.000001.L1",
        "http://shop.example/gtin/9521001000017/lot/L1?17=261231#top",
        "HTTPS://SHOP.EXAMPLE/a/b/01/9521001000017/10/L1",
        "https://id.gs1.org/01/09521001000017/22/V2/10/%4C1",
    ] {
        assert_eq!(canonical(text), LOT, "{text:?}");
    }
}

#[test]
fn every_key_of_the_design_is_read_in_three_syntaxes() {
    for (urn, element, link) in [
        (
            "urn:epc:id:sgtin:9521001.000001.S%2F1",
            "(01)09521001000017(21)S/1",
            "01/09521001000017/21/S%2F1",
        ),
        (
            "urn:epc:id:sscc:9521001.0000000001",
            "(00)095210010000000017",
            "00/095210010000000017",
        ),
        (
            "urn:epc:id:sgln:9521001.00000.0",
            "(414)9521001000000",
            "414/9521001000000",
        ),
        (
            "urn:epc:id:sgln:9521001.00000.A1",
            "(414)9521001000000(254)A1",
            "414/9521001000000/254/A1",
        ),
        (
            "urn:epc:id:pgln:9521001.00000",
            "(417)9521001000000",
            "417/9521001000000",
        ),
        (
            "urn:epc:id:grai:9521001.00001.X7",
            "(8003)09521001000017X7",
            "8003/09521001000017X7",
        ),
        (
            "urn:epc:id:giai:9521001.M-1",
            "(8004)9521001M-1",
            "8004/9521001M-1",
        ),
        (
            "urn:epc:id:gdti:9521001.00001.PO1",
            "(253)9521001000017PO1",
            "253/9521001000017PO1",
        ),
    ] {
        let link = format!("https://id.gs1.org/{link}");
        assert_eq!(canonical(urn), link);
        assert_eq!(canonical(element), link);
        assert_eq!(canonical(&link), link);
    }
}

#[test]
fn a_serial_names_the_item_and_the_lot_stays_readable() {
    let item = Identifier::parse_any("(01)09521001000017(10)L1(21)S1").unwrap();
    assert_eq!(
        item.canonical(),
        "https://id.gs1.org/01/09521001000017/21/S1"
    );
    assert_eq!(
        item.full(),
        "https://id.gs1.org/01/09521001000017/10/L1/21/S1"
    );
    assert_eq!(item.element_string(), "(01)09521001000017(10)L1(21)S1");
    assert_eq!(
        (item.gtin(), item.lot(), item.serial()),
        (Some("09521001000017"), Some("L1"), Some("S1"))
    );
    assert_eq!(
        item.item_key(),
        Identifier::from_serial("9521001000017", "S1")
            .unwrap()
            .item_key()
    );
}

#[test]
fn classes_are_told_from_things() {
    let class = |text: &str| Identifier::parse_any(text).unwrap().is_class_level();
    for text in [
        LOT,
        "(01)09521001000017",
        "(8003)09521001000017",
        "urn:epc:idpat:gdti:4012345.11111.*",
    ] {
        assert!(class(text), "{text}");
    }
    for text in [
        "(01)09521001000017(21)1",
        "(00)095210010000000017",
        "(414)9521001000000",
        "(8004)9521001M",
    ] {
        assert!(!class(text), "{text}");
    }
}

#[test]
fn constructors_read_parts() {
    assert_eq!(
        Identifier::from_gtin("9521001000017").unwrap().value(),
        "09521001000017"
    );
    assert_eq!(
        Identifier::from_lot("09521001000017", "L1")
            .unwrap()
            .canonical(),
        LOT
    );
    let place = Identifier::from_gln("9521001000000", Some("A1")).unwrap();
    assert_eq!(
        (place.gln(), place.extension()),
        (Some("9521001000000"), Some("A1"))
    );
    assert_eq!(
        Identifier::from_sscc("095210010000000017").unwrap().key(),
        Key::Sscc
    );
    assert_eq!(
        Identifier::from_party("9521001000000").unwrap().gln(),
        Some("9521001000000")
    );
    assert_eq!(
        Identifier::from_grai("09521001000017", "X7")
            .unwrap()
            .serial(),
        Some("X7")
    );
    assert_eq!(
        Identifier::from_gdti("9521001000017", "").unwrap().serial(),
        None
    );
    assert_eq!(Identifier::from_giai("9521001M").unwrap().serial(), None);
    assert!(Identifier::from_lot("09521001000017", "").is_err());
}

#[test]
fn refusals_name_what_is_wrong() {
    let wrong = Gs1Error::CheckDigit {
        ai: "01",
        expected: 7,
        found: 8,
    };
    for text in [
        "(01)09521001000018",
        "https://id.gs1.org/01/09521001000018/10/L1",
        "https://shop.example/gtin/9521001000018",
        "010952100100001810L1",
    ] {
        assert_eq!(refused(text), wrong, "{text}");
    }
    assert_eq!(
        wrong.to_string(),
        "wrong check digit in 01: expected 7, got 8"
    );
    assert!(matches!(
        refused("(00)095210010000000016"),
        Gs1Error::CheckDigit { ai: "00", .. }
    ));
    assert!(matches!(
        refused("(8003)09521001000016X"),
        Gs1Error::CheckDigit { ai: "8003", .. }
    ));
    assert!(matches!(
        refused("(253)9521001000016X"),
        Gs1Error::CheckDigit { ai: "253", .. }
    ));
    assert!(matches!(
        refused("(414)9521001000009"),
        Gs1Error::CheckDigit { ai: "414", .. }
    ));
    let length = Gs1Error::Length {
        ai: "01",
        needs: "8, 12, 13 or 14",
        found: 15,
    };
    assert_eq!(refused("(01)095210010000171"), length);
    assert!(matches!(
        refused("(8004)9521001890123456789012345678901"),
        Gs1Error::Length { found: 31, .. }
    ));
    assert_eq!(refused("(10)L1"), Gs1Error::NoKeyElement);
    assert_eq!(refused("9521001000017"), Gs1Error::BareNumber(13));
    assert_eq!(refused("4012345123456789"), Gs1Error::BareNumber(16));
    assert_eq!(refused("Hello World!"), Gs1Error::Unrecognised);
    assert_eq!(refused(""), Gs1Error::Unrecognised);
    assert_eq!(
        refused("(01)09521001000017(10)a b"),
        Gs1Error::Character {
            ai: "10",
            character: ' '
        }
    );
    assert_eq!(
        refused("https://id.gs1.org/01/09521001000017/10/L1/22/V"),
        Gs1Error::QualifierOrder(Qualifier::Cpv)
    );
    assert_eq!(
        refused("https://id.gs1.org/01/09521001000017/10"),
        Gs1Error::NoValue("10".into())
    );
    assert_eq!(
        refused("https://id.gs1.org/01/09521001000017/21/%4"),
        Gs1Error::PercentEncoding
    );
    assert_eq!(
        refused("https://id.gs1.org/01/09521001000017/21/%FF"),
        Gs1Error::PercentEncoding
    );
    assert!(matches!(
        refused("https://id.gs1.org/00/095210010000000017/10/A"),
        Gs1Error::UnknownQualifier { key: Key::Sscc, .. }
    ));
    assert_eq!(
        refused("(01)09521001000017(21)A(235)B"),
        Gs1Error::Excluded(Qualifier::Serial, Qualifier::Tpx)
    );
    assert_eq!(
        refused("(01)09521001000017(00)095210010000000017"),
        Gs1Error::TwoKeys(Key::Gtin, Key::Sscc)
    );
    assert_eq!(
        refused("(01)09521001000017(10)A(10)B"),
        Gs1Error::QualifierOrder(Qualifier::Lot)
    );
    assert_eq!(
        refused("(01)09521001000017(05)A"),
        Gs1Error::UnknownElement("05".into())
    );
    assert_eq!(
        refused("urn:epc:id:sgtin:95210.00000001.1"),
        Gs1Error::CompanyPrefix("95210".into())
    );
    assert!(matches!(
        refused("urn:epc:id:sgtin:9521001.00001.1"),
        Gs1Error::Urn {
            scheme: "sgtin",
            ..
        }
    ));
    assert!(matches!(
        refused("urn:epc:id:sgtin:9521001.000001."),
        Gs1Error::Urn { .. }
    ));
    assert!(matches!(
        refused("urn:epc:idpat:sgtin:9521001.*.*"),
        Gs1Error::Urn { .. }
    ));
    assert_eq!(
        refused("urn:epc:idpat:sgln:9521001.00000.*"),
        Gs1Error::UnknownScheme("idpat:sgln".into())
    );
    assert_eq!(
        refused("urn:epc:id:lgtin:9521001.000001.L1"),
        Gs1Error::UnknownScheme("id:lgtin".into())
    );
    assert!(matches!(
        refused("(8006)095210010000170302"),
        Gs1Error::Piece { .. }
    ));
    assert!(matches!(
        refused(&"(".repeat(MAX_INPUT_BYTES + 1)),
        Gs1Error::TooLong { .. }
    ));
    let measures: String = (0..MAX_ELEMENTS)
        .map(|at| format!("(3{}{}{})000001", 1 + at / 36, at / 6 % 6, at % 6))
        .collect();
    assert_eq!(
        refused(&format!("(01)09521001000017{measures}")),
        Gs1Error::TooManyElements(MAX_ELEMENTS)
    );
}

#[test]
fn what_no_urn_can_say() {
    let urn = |text: &str| Identifier::parse_any(text).unwrap().urn(7);
    assert_eq!(
        urn("(01)09521001000017(10)L1(21)S1").as_deref(),
        Ok("urn:epc:id:sgtin:9521001.000001.S1")
    );
    assert_eq!(
        urn("(8013)1987654Ad4X4bL5ttr2310c2K"),
        Err(Gs1Error::NoUrn(Key::Gmn))
    );
    assert_eq!(
        urn("(415)9521001000000(8020)R1"),
        Err(Gs1Error::NoUrn(Key::PayTo))
    );
    assert_eq!(
        urn("https://id.gs1.org/8006/095210010000170102/10/L1"),
        Err(Gs1Error::NoUrn(Key::Itip))
    );
    assert!(matches!(
        urn("(8004)9521A"),
        Err(Gs1Error::CompanyPrefix(_))
    ));
    assert_eq!(
        refused("(8013)1987654Ad4X4bL5ttr2310cXK"),
        Gs1Error::CheckPair { ai: "8013" }
    );
}

#[test]
fn a_uri_is_gs1_or_foreign_or_broken() {
    let read = |uri: &str| read_uri(uri).map(|found| found.map(|id| id.canonical()));
    assert_eq!(
        read("urn:epc:class:lgtin:9521001.000001.L1"),
        Ok(Some(LOT.to_owned()))
    );
    for uri in [
        "https://shop.example/things/4711",
        "https://shop.example/01/shoes",
        "urn:epc:id:gid:9521001.1.1",
        "urn:uuid:e6a3a0c0-0000-4000-8000-000000000000",
        "ex:thing",
    ] {
        assert_eq!(read(uri), Ok(None), "{uri}");
        assert_eq!(ItemKey::read(uri).unwrap().as_str(), uri);
    }
    for uri in [
        "thing",
        "",
        ":x",
        "1a:x",
        "ex:",
        "ex:a b",
        "(01)09521001000017",
        "https://id.gs1.org/01/shoes",
        "https://shop.example/01/09521001000018",
        "urn:epc:id:sgtin:9521001.1.1",
        "urn:epc:tag:sgtin-96:3.9521001.000001.1",
    ] {
        assert!(read(uri).is_err(), "{uri}");
    }
}

#[test]
fn text_and_serde_are_the_canonical_form() {
    let lot: Identifier = "(01)09521001000017(10)L1".parse().unwrap();
    assert_eq!(lot.to_string(), LOT);
    assert_eq!(serde_json::to_string(&lot).unwrap(), format!("\"{LOT}\""));
    assert_eq!(
        serde_json::from_str::<Identifier>(&format!("\"{LOT}\"")).unwrap(),
        lot
    );
    let key: ItemKey = serde_json::from_str("\"urn:epc:class:lgtin:9521001.000001.L1\"").unwrap();
    assert_eq!((key.as_str(), key.identifier()), (LOT, Some(lot)));
    assert!(serde_json::from_str::<ItemKey>("\"nothing\"").is_err());
}
