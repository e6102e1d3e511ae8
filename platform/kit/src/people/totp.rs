//! One-time passwords by time (RFC 6238 over RFC 4226): HMAC-SHA-1, six digits, thirty seconds, the
//! only values that every authenticator app takes. No I/O and no clock in here.
//!
//! SHA-1's collisions do not touch HMAC (RFC 6238 section 1.2 names SHA-1 as the default).

pub mod base32;

use std::fmt;

use ring::hmac;
use schemas::random::NoRandomness;
use schemas::time::Instant;

use super::form::same;

/// Seconds that a code holds (RFC 6238 section 4.1: X).
pub const STEP_SECONDS: i64 = 30;
/// Digits of a code.
pub const DIGITS: usize = 6;
/// Steps to either side of now that are taken: clocks differ (RFC 6238 section 5.2).
pub const WINDOW: i64 = 1;
/// Bytes of a secret: the length of SHA-1's output (RFC 4226 section 4, R6).
pub const SECRET_BYTES: usize = 20;

/// What the service and the authenticator app share. It is shown once, at enrolment.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; SECRET_BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Six digits as somebody typed them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; DIGITS]);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl Code {
    /// Six ASCII digits, spaces between them allowed, since apps show them in groups.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let digits: [u8; DIGITS] = digits.try_into().ok()?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }
}

/// The step that an instant is in, counted from 1970 (RFC 6238 section 4.2: T).
#[must_use]
pub fn step_of(at: Instant) -> i64 {
    at.as_seconds().div_euclid(STEP_SECONDS)
}

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// Where the operating system has no randomness.
    pub fn new() -> Result<Self, NoRandomness> {
        schemas::random::bytes().map(Self)
    }

    /// Of the bytes that [`Self::as_bytes`] gave.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes, for sealing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// As people type it: base32 in groups of four.
    #[must_use]
    pub fn text(&self) -> String {
        let text = base32::encode(&self.0);
        let groups: Vec<&str> = (0..text.len())
            .step_by(4)
            .filter_map(|at| text.get(at..at + 4))
            .collect();
        groups.join(" ")
    }

    /// The address that an app reads from the QR code (Google Authenticator's "Key URI Format").
    /// `issuer` and `account` are escaped.
    #[must_use]
    pub fn address(&self, issuer: &str, account: &str) -> String {
        let escape = |text| crate::page::query_value(text).replace('/', "%2F");
        let (issuer, account) = (escape(issuer), escape(account));
        let secret = base32::encode(&self.0);
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1\
             &digits={DIGITS}&period={STEP_SECONDS}"
        )
    }

    /// The code of a step.
    #[must_use]
    pub fn code(&self, step: i64) -> Code {
        let number = truncated(&self.0, step, 1_000_000);
        let mut digits = [b'0'; DIGITS];
        for (digit, byte) in digits.iter_mut().zip(format!("{number:06}").bytes()) {
            *digit = byte;
        }
        Code(digits)
    }

    /// The step within [`WINDOW`] of now whose code this is, later than `after`; all are compared,
    /// so that the time taken tells nothing.
    #[must_use]
    pub fn step_of_code(&self, code: Code, now: Instant, after: i64) -> Option<i64> {
        let here = step_of(now);
        let steps = (here - WINDOW..=here + WINDOW).rev();
        steps.fold(None, |found, step| {
            let fits = same(&self.code(step).0, &code.0) && step > after;
            if fits { Some(step) } else { found }
        })
    }

    /// The later step of two codes that follow each other, the later within [`WINDOW`] of now: what
    /// proves that app and service have one secret and one time.
    #[must_use]
    pub fn step_of_pair(&self, first: Code, second: Code, now: Instant) -> Option<i64> {
        let here = step_of(now);
        let steps = here - WINDOW..=here + WINDOW;
        steps.fold(None, |found, step| {
            let fits = same(&self.code(step - 1).0, &first.0) & same(&self.code(step).0, &second.0);
            if fits { Some(step) } else { found }
        })
    }
}

/// Dynamic truncation (RFC 4226 section 5.3).
fn truncated(secret: &[u8], step: i64, modulus: u32) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let four = tag.get(offset..offset + 4).unwrap_or_default();
    let number = four
        .iter()
        .fold(0, |all, byte| (all << 8) | u32::from(*byte));
    (number & 0x7fff_ffff) % modulus
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RFC: &[u8; 20] = b"12345678901234567890";

    /// RFC 6238 appendix B, the rows of SHA-1, eight digits.
    #[test]
    fn the_codes_of_rfc_6238() {
        for (seconds, expected) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let step = step_of(Instant::from_seconds(seconds));
            assert_eq!(truncated(RFC, step, 100_000_000), expected, "{seconds}");
        }
    }

    /// RFC 4226 appendix D.
    #[test]
    fn the_codes_of_rfc_4226() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        let secret = Secret::from_slice(RFC).unwrap();
        for (step, code) in (0..).zip(expected) {
            assert_eq!(secret.code(step), Code::parse(code).unwrap(), "{step}");
        }
    }

    #[test]
    fn two_codes_that_do_not_follow_each_other_confirm_nothing() {
        let secret = Secret::from_slice(RFC).unwrap();
        let now = Instant::from_seconds(30 * 7);
        let pair =
            |first, second| secret.step_of_pair(secret.code(first), secret.code(second), now);
        assert_eq!(pair(6, 7), Some(7));
        for (first, second) in [(7, 6), (7, 7), (5, 7), (4, 5), (8, 9)] {
            assert_eq!(pair(first, second), None, "{first} {second}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        assert_eq!(Code::parse("287 082"), Code::parse("287082"));
        for text in [
            "",
            "28708",
            "2870822",
            "28708a",
            "２８７０８２",
            "+28708",
            "287\t082",
        ] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_address_names_issuer_and_account_and_escapes_them() {
        let secret = Secret::from_slice(RFC).unwrap();
        assert_eq!(
            secret.address("云 & bank", "li/wei"),
            "otpauth://totp/%E4%BA%91%20%26%20bank:li%2Fwei?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=%E4%BA%91%20%26%20bank&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(secret.text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert!(!format!("{secret:?} {:?}", secret.code(0)).contains("75"));
    }

    proptest! {
        #[test]
        fn a_code_holds_one_step_to_either_side_and_once(
            bytes in any::<[u8; 20]>(), seconds in 0_i64..4_000_000_000, off in -3_i64..=3,
        ) {
            let secret = Secret::from_slice(&bytes).unwrap();
            let now = Instant::from_seconds(seconds);
            let step = step_of(now) + off;
            let found = secret.step_of_code(secret.code(step), now, i64::MIN);
            // Another step may have the same code, one time in a million.
            prop_assert!(found.is_none_or(|found| secret.code(found) == secret.code(step)));
            prop_assert!(off.abs() > WINDOW || found.is_some());
            if let Some(found) = found {
                let again = secret.step_of_code(secret.code(step), now, found);
                prop_assert!(again.is_none_or(|again| again > found));
            }
        }

        #[test]
        fn two_codes_that_follow_each_other_confirm(
            bytes in any::<[u8; 20]>(), seconds in 0_i64..4_000_000_000, off in -1_i64..=1,
        ) {
            let secret = Secret::from_slice(&bytes).unwrap();
            let now = Instant::from_seconds(seconds);
            let step = step_of(now) + off;
            let (first, second) = (secret.code(step - 1), secret.code(step));
            prop_assert_eq!(secret.step_of_pair(first, second, now), Some(step));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in ".*") {
            let _ = Code::parse(&text);
        }
    }
}
