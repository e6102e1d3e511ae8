//! From a key back to its EPC URN.

use super::{SCHEMES, Scheme, Serial};
use crate::gs1::{Gs1Error, Identifier, Key, Qualifier, percent};

/// Digits of a company prefix that EPC URNs know.
const PREFIX_DIGITS: std::ops::RangeInclusive<usize> = 6..=12;

/// The URN of what makes the thing the thing that it is.
pub(in crate::gs1) fn write(
    identifier: &Identifier,
    prefix_digits: usize,
) -> Result<String, Gs1Error> {
    let key = identifier.key();
    let qualifiers: Vec<(Qualifier, &str)> = identifier.identifying().collect();
    let (scheme, serial) = scheme_of(identifier, &qualifiers).ok_or(Gs1Error::NoUrn(key))?;
    let fields = scheme.cut(identifier.value(), prefix_digits);
    let (prefix, reference) =
        fields.ok_or_else(|| Gs1Error::CompanyPrefix(format!("{prefix_digits} digits")))?;
    let form = match serial {
        Last::Class => "idpat",
        _ if scheme.class => "class",
        _ => "id",
    };
    let mut out = format!("urn:epc:{form}:{}:{prefix}.", scheme.name);
    percent::encode_urn(&reference, &mut out);
    if key == Key::Itip {
        let (piece, total) = identifier.value()[14..].split_at(2);
        out += &format!(".{piece}.{total}");
    }
    match serial {
        Last::None => {}
        Last::Class => out += ".*",
        Last::Serial(serial) => {
            out.push('.');
            percent::encode_urn(serial, &mut out);
        }
    }
    Ok(out)
}

/// What the last field says.
enum Last<'a> {
    /// There is none.
    None,
    /// `*`: any of the class.
    Class,
    Serial(&'a str),
}

fn scheme_of<'a>(
    identifier: &'a Identifier,
    qualifiers: &[(Qualifier, &'a str)],
) -> Option<(&'static Scheme, Last<'a>)> {
    let key = identifier.key();
    let mut schemes = SCHEMES.iter().filter(move |scheme| scheme.key == key);
    match *qualifiers {
        [(qualifier, serial)] => schemes
            .find(|scheme| match scheme.serial {
                Serial::Qualifier(own) => own == qualifier,
                own => own == Serial::Extension && qualifier == Qualifier::Extension,
            })
            .map(|scheme| (scheme, Last::Serial(serial))),
        [] => schemes.find(|scheme| !scheme.class).map(|scheme| {
            let last = match (scheme.serial, identifier.serial()) {
                (Serial::None, _) => Last::None,
                (Serial::Extension, _) => Last::Serial("0"),
                (Serial::Tail, Some(serial)) => Last::Serial(serial),
                _ => Last::Class,
            };
            (scheme, last)
        }),
        _ => None,
    }
}

impl Scheme {
    /// Company prefix and reference of a value, without its check digit and what only fills it up.
    fn cut(&self, value: &str, prefix_digits: usize) -> Option<(String, String)> {
        if !PREFIX_DIGITS.contains(&prefix_digits) {
            return None;
        }
        if self.digits == 0 {
            let (prefix, reference) = value.split_at_checked(prefix_digits)?;
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            return digits.then(|| (prefix.to_owned(), reference.to_owned()));
        }
        let filled = usize::from(self.key == Key::Grai);
        let body = value.get(filled..filled + self.digits)?;
        let (first, rest) = body.split_at(usize::from(self.leading));
        let (prefix, reference) = rest.split_at_checked(prefix_digits)?;
        Some((prefix.to_owned(), format!("{first}{reference}")))
    }
}
