//! The three algorithms against somebody else's signatures: RFC 8037 for Ed25519, Python's
//! `cryptography` (OpenSSL) for the two in `tests/`.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const KEYS: &[u8] = include_bytes!("tests/keys.json");
const RS256: &str = include_str!("tests/rs256.txt");
const ES256: &str = include_str!("tests/es256.txt");

#[derive(Debug, Deserialize, PartialEq)]
struct Payload {
    word: String,
}

fn word(text: &str, keys: &[Key]) -> Result<String, JoseError> {
    let payload: Payload = Signed::parse(text.trim())?.verify(keys)?;
    Ok(payload.word)
}

/// RFC 8037 appendix A.4.
#[test]
fn the_signature_of_rfc_8037() {
    let set = br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let keys = Key::parse_set(set).unwrap();
    let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-\
                09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let signed = Signed::parse(text).unwrap();
    // The signature holds; what it covers is a sentence, not JSON.
    assert_eq!(signed.verify::<Payload>(&keys), Err(JoseError::Payload));
    let other = text.replace("RXhh", "RXhi");
    let signed = Signed::parse(&other).unwrap();
    assert_eq!(signed.verify::<Payload>(&keys), Err(JoseError::Signature));
}

#[test]
fn somebody_elses_signatures_hold() {
    let keys = Key::parse_set(KEYS).unwrap();
    assert_eq!(keys.len(), 2, "other kinds of keys are passed over");
    assert_eq!(word(RS256, &keys).unwrap(), "rsa");
    assert_eq!(word(ES256, &keys).unwrap(), "ec");
    assert_eq!(word(RS256, &keys[1..]), Err(JoseError::Key));
    assert_eq!(word(ES256, &[]), Err(JoseError::Key));
}

/// What has fooled others (RFC 8725 section 2).
#[test]
fn no_other_algorithm_is_taken() {
    let keys = Key::parse_set(KEYS).unwrap();
    let (_, rest) = RS256.trim().split_once('.').unwrap();
    let with = |header: &str| format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"HS256","kid":"r"}"#,
        r#"{"alg":"RS384","kid":"r"}"#,
        r#"{"alg":"RS256","kid":"r","crit":["exp"],"exp":1}"#,
    ] {
        assert_eq!(
            word(&with(header), &keys),
            Err(JoseError::Algorithm),
            "{header}"
        );
    }
    // A key is for its own algorithm only, whatever the header says.
    let header = r#"{"alg":"ES256","kid":"r"}"#;
    assert_eq!(word(&with(header), &keys), Err(JoseError::Key));
    let header = r#"{"alg":"ES256","kid":"e"}"#;
    assert_eq!(word(&with(header), &keys), Err(JoseError::Signature));
}

#[test]
fn what_is_not_three_parts_is_refused() {
    let long = "a".repeat(JWS_MAX + 1);
    for text in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.", "!.!.!", &long] {
        assert_eq!(
            Signed::parse(text).unwrap_err(),
            JoseError::Form,
            "{text:.20}"
        );
    }
    for set in [&b""[..], b"[]", b"{}", br#"{"keys":7}"#] {
        assert_eq!(Key::parse_set(set).unwrap_err(), JoseError::Form);
    }
    let many = format!("{{\"keys\":[{}1]}}", "1,".repeat(KEYS_MAX));
    assert_eq!(
        Key::parse_set(many.as_bytes()).unwrap_err(),
        JoseError::Form
    );
}

proptest! {
    #[test]
    fn any_changed_letter_is_refused(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_.-]") {
        let keys = Key::parse_set(KEYS).unwrap();
        let text = ES256.trim();
        let at = at.index(text.len());
        let altered = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
        prop_assert!(altered == text || word(&altered, &keys).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in ".*", set in any::<Vec<u8>>()) {
        let _ = Signed::parse(&text);
        let _ = Signed::parse(&format!("eyJhbGciOiJSUzI1NiJ9.{text}.AA"));
        let _ = Key::parse_set(&set);
    }
}
