use proptest::prelude::*;

use super::*;

/// As public registers have them: ICBC, Bank of China, China Construction Bank, Huawei.
const CREDIT_CODES: [&str; 4] = [
    "91100000100003962T",
    "911000001000013428",
    "911100001000044477",
    "914403001922038216",
];

/// Bloomberg, GLEIF, Apple, Microsoft.
const LEIS: [&str; 4] = [
    "5493001KJTIIGC8Y1R12",
    "506700GE1G29325QX363",
    "HWUPKR0MPOU8FGXBT394",
    "INR2EJN1ERAN0W5ZP974",
];

#[test]
fn published_codes_are_read() {
    for code in CREDIT_CODES {
        assert_eq!(code.parse::<CreditCode>().unwrap().as_str(), code);
    }
    for lei in LEIS {
        assert_eq!(lei.parse::<Lei>().unwrap().as_str(), lei);
    }
}

fn with(text: &str, at: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = byte;
    String::from_utf8(bytes).unwrap()
}

fn swapped(text: &str, at: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes.swap(at, at + 1);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_wrong_character_and_every_swap_of_a_credit_code_is_found() {
    for code in CREDIT_CODES {
        for at in 0..18 {
            for byte in CREDIT_CODE_CHARACTERS {
                let wrong = with(code, at, *byte);
                assert_eq!(
                    wrong.parse::<CreditCode>().is_ok(),
                    wrong == code,
                    "{wrong}"
                );
            }
        }
        for at in 0..17 {
            let wrong = swapped(code, at);
            assert_eq!(
                wrong.parse::<CreditCode>().is_ok(),
                wrong == code,
                "{wrong}"
            );
        }
    }
}

/// The check digits of 18 characters, as ISO 17442 makes them: an own calculation, digit by digit.
fn lei_of(base: &str) -> String {
    let digits: String = base
        .chars()
        .map(|one| one.to_digit(36).unwrap().to_string())
        .collect();
    let rest = (digits + "00")
        .bytes()
        .fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("{base}{:02}", 98 - rest)
}

fn credit_code_of(base: &str) -> String {
    let values = base.bytes().map(|byte| credit_value(byte).unwrap() as u64);
    let sum: u64 = values
        .zip(0u32..)
        .map(|(value, at)| value * (3u64.pow(at) % 31))
        .sum();
    let last = CREDIT_CODE_CHARACTERS[((31 - sum % 31) % 31) as usize];
    format!("{base}{}", char::from(last))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn made_credit_codes_hold_and_broken_ones_do_not(
        base in "[1-9ANY][1-9][0-9]{6}[0-9A-HJ-NP-RTUWXY]{9}", at in 0usize..18, other in 0usize..31,
    ) {
        let code = credit_code_of(&base);
        prop_assert!(code.parse::<CreditCode>().is_ok(), "{}", code);
        let wrong = with(&code, at, CREDIT_CODE_CHARACTERS[other]);
        prop_assert_eq!(wrong.parse::<CreditCode>().is_ok(), wrong == code);
        for at in 0..17 {
            let wrong = swapped(&code, at);
            prop_assert_eq!(wrong.parse::<CreditCode>().is_ok(), wrong == code);
        }
    }

    #[test]
    fn leis_find_what_the_standard_promises(base in "[0-9A-Z]{18}", at in 0usize..20, other in 0u8..26) {
        let lei = lei_of(&base);
        prop_assert!(lei.parse::<Lei>().is_ok(), "{}", lei);
        let old = lei.as_bytes()[at];
        let new = if old.is_ascii_digit() { b'0' + other % 10 } else { b'A' + other };
        let wrong = with(&lei, at, new);
        prop_assert_eq!(wrong.parse::<Lei>().is_ok(), wrong == lei);
        for at in 0..19 {
            let wrong = swapped(&lei, at);
            let pair = &lei[at..at + 2];
            // A letter that comes among the check digits is no form at all.
            let hidden = at < 17 && ["1B", "B1", "2M", "M2", "3X", "X3"].contains(&pair);
            prop_assert_eq!(wrong.parse::<Lei>().is_ok(), wrong == lei || hidden, "{}", pair);
        }
    }

    #[test]
    fn strange_text_never_panics(text in "\\PC{0,24}") {
        let _ = text.parse::<CreditCode>();
        let _ = text.parse::<Lei>();
        let _ = text.parse::<RegionCode>();
    }
}

#[test]
fn forms_are_refused_with_the_form() {
    for text in [
        "",
        "91100000100003962",
        "91100000100003962t",
        "9110000010000396IT",
        "91A00000100003962T",
    ] {
        let error = text.parse::<CreditCode>().unwrap_err();
        assert!(matches!(error, CodeError::Form { .. }), "{text}");
    }
    let error = "91100000100003962X".parse::<CreditCode>().unwrap_err();
    assert!(error.to_string().contains("GB 32100-2015"), "{error}");
    for text in [
        "",
        "5493001KJTIIGC8Y1R1",
        "5493001kjtiigc8y1r12",
        "5493001KJTIIGC8Y1RX2",
    ] {
        assert!(text.parse::<Lei>().is_err(), "{text}");
    }
}

#[test]
fn check_digits_that_are_never_made_are_refused() {
    // Each leaves 1 modulo 97, as 97, 98 and 02 in their place do.
    for (never, made) in [
        ("5493001KJTIIGC8Y7D00", "97"),
        ("5493001KJTIIGC8Y2601", "98"),
        ("5493001KJTIIGC8Y5899", "02"),
    ] {
        assert!(
            matches!(never.parse::<Lei>(), Err(CodeError::Check { .. })),
            "{never}"
        );
        let lei = format!("{}{made}", &never[..18]);
        assert!(lei.parse::<Lei>().is_ok(), "{lei}");
    }
}

#[test]
fn regions_have_a_form_and_a_province() {
    let region = |text: &str| text.parse::<RegionCode>();
    for text in ["110000", "310115", "330100", "820000"] {
        assert!(region(text).is_ok(), "{text}");
    }
    for text in [
        "", "11000", "1100000", "11000a", "110001", "990000", "000000", "160000",
    ] {
        assert!(region(text).is_err(), "{text}");
    }
    let (shanghai, pudong) = (region("310000").unwrap(), region("310115").unwrap());
    let hangzhou = region("330100").unwrap();
    assert!(shanghai.contains(&pudong) && shanghai.contains(&shanghai));
    assert!(!pudong.contains(&shanghai) && !shanghai.contains(&hangzhou));
    assert!(hangzhou.contains(&region("330106").unwrap()));
    assert!(!hangzhou.contains(&region("330206").unwrap()));
}
