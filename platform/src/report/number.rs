//! Tracking numbers: sixteen digits in four groups, such as `4821 0937 5560 2714`.
//!
//! Digits only, so that they can be read over the phone in any language and typed on any keyboard.
//! Fifteen of them are random to everybody but the reporter; the last is a check digit by Damm's
//! quasigroup (H. M. Damm, 2004), which notices every single wrong digit and every swap of two
//! neighbours.

use std::fmt;
use std::str::FromStr;

use schemas::hash::Hash;

/// Digits of a number, check digit included.
pub const DIGITS: usize = 16;
/// Numbers without their check digit are below this.
const SPACE: u64 = 10_u64.pow(DIGITS as u32 - 1);

/// Damm's totally anti-symmetric quasigroup of order ten.
const QUASIGROUP: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The number of a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

/// A text that is no tracking number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not sixteen digits.
    #[error("a tracking number has {DIGITS} digits")]
    Form,
    /// The digits do not belong together: one is wrong, or two are swapped.
    #[error("the check digit does not fit: a digit is wrong, or two are swapped")]
    Check,
}

impl Number {
    /// The number that a digest stands for.
    pub fn of(digest: &Hash) -> Number {
        let mut head = [0; 8];
        head.copy_from_slice(&digest.0[..8]);
        let digits = format!(
            "{:0width$}",
            u64::from_be_bytes(head) % SPACE,
            width = DIGITS - 1
        );
        let check = interim(&digits);
        Number(format!("{digits}{check}"))
    }

    /// Sixteen digits, as in addresses and tables.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Number {
    /// In four groups, as people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, digit) in self.0.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl FromStr for Number {
    type Err = NumberError;

    /// Reads what people type: spaces and hyphens between digits do not count.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        if text.len() > 4 * DIGITS {
            return Err(NumberError::Form);
        }
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NumberError::Form);
        }
        match interim(&digits) {
            0 => Ok(Number(digits)),
            _ => Err(NumberError::Check),
        }
    }
}

/// Damm's interim digit: the check digit of digits without one, 0 for digits with theirs.
fn interim(digits: &str) -> u8 {
    digits.bytes().fold(0, |row, byte| {
        QUASIGROUP[usize::from(row)][usize::from(byte - b'0')]
    })
}

#[cfg(test)]
mod tests {
    use schemas::hash::sha256;

    use super::*;

    #[test]
    fn damms_own_example_holds() {
        assert_eq!(interim("572"), 4);
        assert_eq!(interim("5724"), 0);
    }

    #[test]
    fn it_is_read_as_it_is_shown() {
        let number = Number::of(&sha256(b"one"));
        let shown = number.to_string();
        assert_eq!((shown.len(), number.as_str().len()), (19, DIGITS));
        assert_eq!(shown.parse(), Ok(number.clone()));
        assert_eq!(shown.replace(' ', "-").parse(), Ok(number.clone()));
        assert_eq!(number.as_str().parse(), Ok(number));
        for bad in [
            "",
            "1234",
            "1234 5678 9012 345x",
            "１２３４５６７８９０１２３４５６",
        ] {
            assert_eq!(bad.parse::<Number>(), Err(NumberError::Form), "{bad}");
        }
    }

    #[test]
    fn every_wrong_digit_and_every_swap_of_neighbours_is_noticed() {
        for seed in 0..50_u8 {
            let number = Number::of(&sha256(&[seed]));
            let digits = number.as_str().as_bytes();
            for at in 0..DIGITS {
                for wrong in b'0'..=b'9' {
                    let mut other = digits.to_vec();
                    other[at] = wrong;
                    assert_eq!(
                        String::from_utf8(other).unwrap().parse::<Number>().is_ok(),
                        wrong == digits[at]
                    );
                }
            }
            for at in 1..DIGITS {
                let mut other = digits.to_vec();
                other.swap(at - 1, at);
                let same = other == digits;
                assert_eq!(
                    String::from_utf8(other).unwrap().parse::<Number>().is_ok(),
                    same
                );
            }
        }
    }
}
