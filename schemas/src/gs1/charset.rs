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
        }
    }

    /// Refuses the first character that is not of the set.
    pub(super) fn check(self, ai: &'static str, value: &str) -> Result<(), Gs1Error> {
        match value.chars().find(|&character| !self.holds(character)) {
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
    fn sets_are_those_of_the_standard() {
        let set82 = (0_u8..128)
            .filter(|&byte| Set::Set82.holds(char::from(byte)))
            .count();
        let set39 = (0_u8..128)
            .filter(|&byte| Set::Set39.holds(char::from(byte)))
            .count();
        assert_eq!((set82, set39), (82, 39));
        assert_eq!(
            Set::Set82.check("21", "a b"),
            Err(Gs1Error::Character {
                ai: "21",
                character: ' '
            })
        );
    }
}
