//! What must hold of every identifier.

use proptest::prelude::*;

use super::*;

const SET_82: &str = "[-!\"%&'()*+,./:;<=>?_A-Za-z0-9]{1,20}";

/// What a serial in a URN may be made of without escapes.
const URN_SERIAL: &str = "[-!'()*+,.:;=_A-Za-z0-9]{1,18}";

prop_compose! {
    fn item()(
        body in "[0-9]{13}",
        lot in proptest::option::of(SET_82),
        serial in proptest::option::of(SET_82),
    ) -> Identifier {
        let gtin = format!("{body}{}", check_digit(&body).unwrap());
        let mut text = format!("\u{1d}01{gtin}");
        for (ai, value) in [("10", &lot), ("21", &serial)] {
            text += &value.as_ref().map(|value| format!("{ai}{value}\u{1d}")).unwrap_or_default();
        }
        Identifier::parse_any(&text).unwrap()
    }
}

proptest! {
    #[test]
    fn every_form_leads_back(item in item()) {
        prop_assert_eq!(Identifier::parse_any(&item.full()).unwrap(), item.clone());
        prop_assert_eq!(Identifier::parse_any(&item.element_string()).unwrap(), item.clone());
        let canonical = item.canonical();
        prop_assert_eq!(Identifier::parse_any(&canonical).unwrap().canonical(), canonical);
    }

    #[test]
    fn urn_and_link_of_a_serial_agree(
        prefix in "[0-9]{6,12}", reference in "[0-9]{12}", serial in "[-_.A-Za-z0-9]{1,20}",
    ) {
        let reference = &reference[..13 - prefix.len()];
        let urn = format!("urn:epc:id:sgtin:{prefix}.{reference}.{serial}");
        let body = format!("{}{prefix}{}", &reference[..1], &reference[1..]);
        let gtin = format!("{body}{}", check_digit(&body).unwrap());
        let expected = Identifier::from_serial(&gtin, &serial).unwrap();
        prop_assert_eq!(Identifier::parse_any(&urn).unwrap(), expected);
    }

    #[test]
    fn a_urn_leads_to_a_link_and_back(
        digits in "[0-9]{17}", prefix in 6_usize..13, serial in URN_SERIAL, at in 0_usize..17,
    ) {
        let fields = |digits: &str, all: usize| {
            format!("{}.{}", &digits[..prefix], &digits[prefix..all])
        };
        let (body13, body12) = (fields(&digits, 13), fields(&digits, 12));
        let part = format!("urn:epc:id:cpi:{}.AB-1.42", &digits[..prefix]);
        let urn = [
            format!("urn:epc:id:sgtin:{body13}.{serial}"),
            format!("urn:epc:class:lgtin:{body13}.{serial}"),
            format!("urn:epc:idpat:sgtin:{body13}.*"),
            format!("urn:epc:id:upui:{body13}.{serial}"),
            format!("urn:epc:id:itip:{body13}.01.02.{serial}"),
            format!("urn:epc:idpat:itip:{body13}.02.02.*"),
            format!("urn:epc:id:sscc:{}", fields(&digits, 17)),
            format!("urn:epc:id:sgln:{body12}.0"),
            format!("urn:epc:id:sgln:{body12}.{serial}X"),
            format!("urn:epc:id:pgln:{body12}"),
            format!("urn:epc:id:grai:{body12}.7"),
            format!("urn:epc:idpat:gdti:{body12}.*"),
            format!("urn:epc:id:gdti:{body12}.7A"),
            format!("urn:epc:id:sgcn:{body12}.77"),
            format!("urn:epc:id:gsrn:{}", fields(&digits, 17)),
            format!("urn:epc:id:gsin:{}", fields(&digits, 16)),
            part,
        ][at].clone();
        let identifier = Identifier::parse_any(&urn).unwrap();
        let link = Identifier::parse_any(&identifier.canonical()).unwrap();
        prop_assert_eq!(link.urn(prefix).unwrap(), urn);
        prop_assert!(link.urn(5).is_err() && link.urn(13).is_err());
    }

    #[test]
    fn what_looks_canonical_is(text in "https://id[.]gs1[.]org/(01|00|414|417|10)/[0-9]{13,18}(/(10|21|254|22)/[-._~A-Za-z0-9%]{1,21})?") {
        if link::canonical(&text).is_some() {
            prop_assert_eq!(normalise(&text).unwrap(), text);
        }
    }

    #[test]
    fn a_glance_sees_what_reading_finds(
        start in "(01|00|414|417)",
        digits in "[0-9]{17}",
        right in proptest::bool::ANY,
        rest in "(/(10|21|254|22)/[-._~A-Za-z0-9%]{1,21})?",
    ) {
        let length = match &*start { "01" => 13, "00" => 17, _ => 12 };
        let body = &digits[..length];
        let check = check_digit(body).unwrap();
        let check = if right { check } else { (check + 1) % 10 };
        let text = format!("https://id.gs1.org/{start}/{body}{check}{rest}");
        let read = read_uri(&text);
        let key = read.clone().map(|found| found.map_or(text.clone(), |one| one.canonical()));
        let class = read.map(|found| found.map(|one| one.is_class_level()));
        prop_assert_eq!(ItemKey::read(&text).map(String::from), key);
        prop_assert_eq!(is_class(&text), class);
    }

    #[test]
    fn a_changed_digit_is_refused(body in "[0-9]{17}", at in 0_usize..18, add in 1_u8..10) {
        let sscc = format!("{body}{}", check_digit(&body).unwrap());
        prop_assert!(Identifier::from_sscc(&sscc).is_ok());
        let mut digits = sscc.into_bytes();
        digits[at] = b'0' + (digits[at] - b'0' + add) % 10;
        let changed = String::from_utf8(digits).unwrap();
        let refused = matches!(Identifier::from_sscc(&changed), Err(Gs1Error::CheckDigit { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn nothing_that_is_read_can_panic(text in "\\PC{0,40}|[(]?[0-9]{2,4}[)\u{1d}\\\\(]?\\PC{0,30}") {
        let _ = Identifier::parse_any(&text);
        let _ = read_uri(&text);
        for start in ["https://a/", "urn:epc:id:", "urn:epc:idpat:itip:", "]d2"] {
            let _ = Identifier::parse_any(&format!("{start}{text}"));
        }
    }
}
