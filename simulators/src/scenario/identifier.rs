//! GS1 keys of the simulated world: valid check digits, all in 952, the range that GS1 keeps for
//! demonstrations, so that no key of ours is ever somebody's.

/// The GS1 check digit of a string of digits (GS1 General Specifications 7.9): weights 3 and 1
/// from the right.
fn check_digit(digits: &str) -> u32 {
    let weighted = digits.bytes().rev().zip([3, 1].into_iter().cycle());
    let sum: u32 = weighted
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    (10 - sum % 10) % 10
}

fn with_check_digit(digits: String) -> String {
    let check = check_digit(&digits);
    format!("{digits}{check}")
}

/// GTIN of 14 digits of a seven digit company prefix and an item reference up to 99,999.
pub fn gtin(prefix: &str, item: u32) -> String {
    with_check_digit(format!("0{prefix}{:05}", item % 100_000))
}

/// GLN of 13 digits of a seven digit company prefix and a location reference up to 99,999.
pub fn gln(prefix: &str, location: u32) -> String {
    with_check_digit(format!("{prefix}{:05}", location % 100_000))
}

/// SSCC of 18 digits of a seven digit company prefix and a serial up to 999,999,999.
pub fn sscc(prefix: &str, serial: u32) -> String {
    with_check_digit(format!("3{prefix}{:09}", serial % 1_000_000_000))
}

/// Canonical Digital Link URI of a lot.
pub fn lot_uri(gtin: &str, number: &str) -> String {
    format!("https://id.gs1.org/01/{gtin}/10/{number}")
}

/// Canonical Digital Link URI of a pallet.
pub fn sscc_uri(sscc: &str) -> String {
    format!("https://id.gs1.org/00/{sscc}")
}

/// Canonical Digital Link URI of a place.
pub fn place_uri(gln: &str) -> String {
    format!("https://id.gs1.org/414/{gln}")
}

/// Canonical Digital Link URI of a party.
pub fn party_uri(gln: &str) -> String {
    format!("https://id.gs1.org/417/{gln}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_the_general_specifications() {
        // GS1 General Specifications, figure 7.9.1: 6291041500213 and 376104250021234569.
        assert_eq!(check_digit("629104150021"), 3);
        assert_eq!(check_digit("37610425002123456"), 9);
        assert_eq!(gtin("9521001", 1), "09521001000017");
        assert_eq!(gln("9521001", 1).len(), 13);
        assert_eq!(sscc("9521001", 1).len(), 18);
    }
}
