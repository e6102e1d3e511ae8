//! Names of things and places in the one form that is signed: GS1 Digital Link URIs, by
//! [`schemas::gs1`].

use schemas::gs1::{Identifier, Key};

/// A thing or a class of things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// Canonical Digital Link.
    pub uri: String,
    /// A GTIN or lot, not one thing.
    pub is_class: bool,
}

/// Reads a Digital Link URI, an EPC URN or an element string with or without brackets.
///
/// # Errors
/// What is wrong with it, in words.
pub fn thing(text: &str) -> Result<Thing, String> {
    let identifier = read(text)?;
    Ok(Thing {
        uri: identifier.canonical(),
        is_class: identifier.is_class_level(),
    })
}

/// A sensor: a GIAI.
///
/// # Errors
/// What is wrong with it, in words.
pub fn sensor(text: &str) -> Result<String, String> {
    of_key(text, Key::Giai, "a GIAI (https://id.gs1.org/8004/...)")
}

/// A place: a GLN with or without extension.
///
/// # Errors
/// What is wrong with it, in words.
pub fn place(text: &str) -> Result<String, String> {
    of_key(text, Key::Gln, "a place (https://id.gs1.org/414/...)")
}

fn of_key(text: &str, key: Key, expected: &str) -> Result<String, String> {
    let identifier = read(text)?;
    if identifier.key() == key {
        Ok(identifier.canonical())
    } else {
        Err(format!("{identifier} is not {expected}"))
    }
}

fn read(text: &str) -> Result<Identifier, String> {
    Identifier::parse_any(text).map_err(|error| format!("`{text:.80}`: {error}"))
}

/// A CBV business step by its bare name.
///
/// # Errors
/// What is wrong with it, in words.
pub fn step(text: &str) -> Result<String, String> {
    let bare = schemas::epcis::rule::bare_step(text);
    let right = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if (1..=64).contains(&bare.len()) && bare.bytes().all(right) {
        Ok(bare.to_owned())
    } else {
        Err(format!(
            "`{bare:.64}` is not the bare name of a business step"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_name_one_lot() {
        for text in [
            "(01)09521001000017(10)L1",
            "https://id.gs1.org/01/09521001000017/10/L1",
            "urn:epc:class:lgtin:9521001.000001.L1",
        ] {
            let expected = "https://id.gs1.org/01/09521001000017/10/L1".to_owned();
            assert_eq!(
                thing(text),
                Ok(Thing {
                    uri: expected,
                    is_class: true
                })
            );
        }
        assert!(
            !thing("(01)09521001000017(21)S1")
                .expect("one thing")
                .is_class
        );
    }

    #[test]
    fn a_place_is_a_gln_with_a_right_check_digit() {
        assert!(place("https://id.gs1.org/414/9521001000024/254/cold-1").is_ok());
        assert!(place("https://id.gs1.org/414/9521001000025").is_err());
        assert!(place("(01)09521001000017").is_err());
    }

    #[test]
    fn a_step_is_bare() {
        assert_eq!(
            step("urn:epcglobal:cbv:bizstep:packing"),
            Ok("packing".to_owned())
        );
        assert!(step("Packing it").is_err());
        assert!(step("").is_err());
    }
}
