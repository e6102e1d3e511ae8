//! Character sets and check digits (GS1 General Specifications 7.9 and 7.11).

use super::Gs1Error;

/// What a value may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Digits.
    Digits,
    /// GS1 character set 82.
    Set82,
    /// GS1 character set 39.
    Set39,
    /// GS1 character set 64: base64url with its padding.
    Set64,
}

impl Set {
    fn holds(self, character: char) -> bool {
        match self {
            Set::Digits => character.is_ascii_digit(),
            Set::Set82 => {
                character.is_ascii_alphanumeric() || "!\"%&'()*+,-./:;<=>?_".contains(character)
            }
            Set::Set39 => {
                character.is_ascii_digit()
                    || character.is_ascii_uppercase()
                    || "#-/".contains(character)
            }
            Set::Set64 => character.is_ascii_alphanumeric() || "-_=".contains(character),
        }
    }

    /// The first character that is not of the set.
    pub(super) fn first_foreign(self, value: &str) -> Option<char> {
        value.chars().find(|&character| !self.holds(character))
    }

    /// Refuses the first character that is not of the set.
    pub(super) fn check(self, ai: &'static str, value: &str) -> Result<(), Gs1Error> {
        match self.first_foreign(value) {
            Some(character) => Err(Gs1Error::Character { ai, character }),
            None => Ok(()),
        }
    }
}

/// The check digit that belongs behind `body` (digits without their check digit), 0 to 9.
///
/// Weights are 3, 1, 3, ... from the right (GS1 General Specifications 7.9.1), so it serves GTIN,
/// SSCC, GLN, GSRN and GSIN alike.
///
/// # Errors
/// [`Gs1Error::NoDigit`] for the first character that is not an ASCII digit.
pub fn check_digit(body: &str) -> Result<u8, Gs1Error> {
    let mut sum = 0;
    for (index, character) in body.chars().rev().enumerate() {
        let digit = character.to_digit(10).ok_or(Gs1Error::NoDigit(character))?;
        // Only the sum modulo 10 matters: reduced at once, it cannot overflow.
        sum = (sum + digit * if index % 2 == 0 { 3 } else { 1 }) % 10;
    }
    Ok(if sum == 0 { 0 } else { 10 - sum as u8 })
}

/// Checks that the last digit of `digits` fits the ones before it.
pub(super) fn verify_check_digit(ai: &'static str, digits: &str) -> Result<(), Gs1Error> {
    let Some((at, last)) = digits.char_indices().last() else {
        return Err(Gs1Error::Length {
            ai,
            needs: "at least 1",
            found: 0,
        });
    };
    let expected = check_digit(&digits[..at])?;
    let found = last.to_digit(10).ok_or(Gs1Error::NoDigit(last))? as u8;
    if expected == found {
        Ok(())
    } else {
        Err(Gs1Error::CheckDigit {
            ai,
            expected,
            found,
        })
    }
}

/// Longest value that has a check character pair: weights are defined for 97 characters.
const MAX_PAIR_BODY: usize = 97;

/// The two check characters that belong behind `body` (GS1 General Specifications 7.9.5); `None`
/// where a character is not of set 82 or there are too many.
pub(super) fn check_pair(body: &str) -> Option<String> {
    const SET_82: &str =
        "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    const SET_32: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    if body.len() > MAX_PAIR_BODY {
        return None;
    }
    let mut sum = 0;
    for (character, weight) in body.chars().rev().zip(primes()) {
        sum = (sum + SET_82.find(character)? * weight) % 1_021;
    }
    Some(
        [sum >> 5, sum & 31]
            .map(|at| char::from(SET_32[at]))
            .iter()
            .collect(),
    )
}

fn primes() -> impl Iterator<Item = usize> {
    (2..).filter(|&number| (2..number).all(|divisor| number % divisor != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_of_the_general_specifications() {
        for (body, digit) in [
            ("952100100001", 7),
            ("0952100100001", 7),
            ("629104150021", 3),
            ("37610425002123456", 9),
            ("", 0),
        ] {
            assert_eq!(check_digit(body), Ok(digit), "{body}");
        }
        assert_eq!(check_digit("12a"), Err(Gs1Error::NoDigit('a')));
        assert_eq!(check_digit("１2"), Err(Gs1Error::NoDigit('１')));
    }

    #[test]
    fn wrong_check_digit_names_both() {
        assert_eq!(
            verify_check_digit("01", "09521001000018"),
            Err(Gs1Error::CheckDigit {
                ai: "01",
                expected: check_digit("0952100100001").unwrap(),
                found: 8
            })
        );
    }

    #[test]
    fn check_pairs_of_the_general_specifications() {
        assert_eq!(check_pair("1987654Ad4X4bL5ttr2310c").as_deref(), Some("2K"));
        assert_eq!(check_pair("").as_deref(), Some("22"));
        assert_eq!(check_pair("1 2"), None);
        assert_eq!(check_pair(&"1".repeat(MAX_PAIR_BODY + 1)), None);
    }

    #[test]
    fn sets_are_those_of_the_standard() {
        let set82 = (0_u8..128)
            .filter(|&byte| Set::Set82.holds(char::from(byte)))
            .count();
        let set39 = (0_u8..128)
            .filter(|&byte| Set::Set39.holds(char::from(byte)))
            .count();
        let set64 = (0_u8..128)
            .filter(|&byte| Set::Set64.holds(char::from(byte)))
            .count();
        // 64 and the padding.
        assert_eq!((set82, set39, set64), (82, 39, 65));
        assert_eq!(
            Set::Set82.check("21", "a b"),
            Err(Gs1Error::Character {
                ai: "21",
                character: ' '
            })
        );
    }
}
