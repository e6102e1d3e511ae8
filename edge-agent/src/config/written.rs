//! What stands in a parsed file, as types are read from it.
//!
//! The TOML library's own reader can hand a type a date where it may hand it a table, so every type that
//! is read stands in the program twice, 0.1 MB of the gateway's package. Here a date is a mistake, since
//! no field is one (`platform/docs/decisions/0036`).

use std::ops::Range;

use serde::de::value::CowStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use toml::Spanned;
use toml::de::{DeArray, DeFloat, DeInteger, DeString, DeTable, DeValue};

/// What cannot be read, and where it stands if that is known.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub(super) struct Mistake {
    pub(super) problem: String,
    /// Bytes of the text.
    pub(super) place: Option<Range<usize>>,
}

impl Mistake {
    /// The innermost place that is known stays.
    fn or_at(mut self, place: Range<usize>) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl Error for Mistake {
    fn custom<T: std::fmt::Display>(problem: T) -> Self {
        Self {
            problem: problem.to_string(),
            place: None,
        }
    }
}

impl From<toml::de::Error> for Mistake {
    fn from(error: toml::de::Error) -> Self {
        Self {
            problem: error.message().to_owned(),
            place: error.span(),
        }
    }
}

/// Reads a table as `T`.
pub(super) fn read<T: DeserializeOwned>(
    table: DeTable<'_>,
    place: Range<usize>,
) -> Result<T, Mistake> {
    T::deserialize(Written {
        value: DeValue::Table(table),
        place,
    })
}

/// A value and where it stands.
struct Written<'f> {
    value: DeValue<'f>,
    place: Range<usize>,
}

impl<'f> From<Spanned<DeValue<'f>>> for Written<'f> {
    fn from(value: Spanned<DeValue<'f>>) -> Self {
        Self {
            place: value.span(),
            value: value.into_inner(),
        }
    }
}

impl<'f> IntoDeserializer<'f, Mistake> for Written<'f> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'f> Deserializer<'f> for Written<'f> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let read = match self.value {
            DeValue::String(text) => visitor.visit_string(text.into_owned()),
            DeValue::Integer(number) => whole(&number).and_then(|number| match number {
                Whole::Signed(number) => visitor.visit_i64(number),
                Whole::Large(number) => visitor.visit_u64(number),
            }),
            DeValue::Float(number) => {
                floating(&number).and_then(|number| visitor.visit_f64(number))
            }
            DeValue::Boolean(is) => visitor.visit_bool(is),
            DeValue::Datetime(_) => {
                Err(Error::invalid_type(Unexpected::Other("datetime"), &visitor))
            }
            DeValue::Array(list) => visitor.visit_seq(Items(list.into_iter())),
            DeValue::Table(table) => visitor.visit_map(Entries {
                rest: table.into_iter(),
                value: None,
            }),
        };
        read.map_err(|mistake| mistake.or_at(self.place))
    }

    fn deserialize_option<V: Visitor<'f>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'f>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'f>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if is_spanned(name) {
            let place = self.place.clone();
            visitor.visit_map(SpannedDeserializer::new(self, place))
        } else {
            self.deserialize_any(visitor)
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'f>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A whole number in the smaller type that holds it.
enum Whole {
    Signed(i64),
    Large(u64),
}

fn whole(number: &DeInteger<'_>) -> Result<Whole, Mistake> {
    let (digits, radix) = (number.as_str(), number.radix());
    if let Ok(number) = i64::from_str_radix(digits, radix) {
        return Ok(Whole::Signed(number));
    }
    let large = u64::from_str_radix(digits, radix).map(Whole::Large);
    large.map_err(|_| Error::custom("the number is larger than 64 bits hold"))
}

fn floating(number: &DeFloat<'_>) -> Result<f64, Mistake> {
    let text = number.as_str();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() || !text.contains(|c: char| c.is_ascii_digit()) => {
            Ok(number)
        }
        _ => Err(Error::custom("the number is larger than 64 bits hold")),
    }
}

/// The items of a list.
struct Items<'f>(<DeArray<'f> as IntoIterator>::IntoIter);

impl<'f> SeqAccess<'f> for Items<'f> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'f>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let item = self.0.next();
        item.map(|item| seed.deserialize(Written::from(item)))
            .transpose()
    }
}

/// The entries of a table.
struct Entries<'f> {
    rest: <DeTable<'f> as IntoIterator>::IntoIter,
    /// That of the key that was asked for last.
    value: Option<Spanned<DeValue<'f>>>,
}

impl<'f> MapAccess<'f> for Entries<'f> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'f>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let place = key.span();
        let name: DeString<'f> = key.into_inner();
        let key = seed.deserialize(CowStrDeserializer::new(name));
        key.map(Some)
            .map_err(|mistake: Mistake| mistake.or_at(place))
    }

    fn next_value_seed<V: DeserializeSeed<'f>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        match self.value.take() {
            Some(value) => seed.deserialize(Written::from(value)),
            None => Err(Error::custom("a value was asked for before its key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        text: Option<Spanned<String>>,
        small: Option<u8>,
        large: Option<u64>,
        share: Option<Spanned<f64>>,
        list: Option<Vec<Spanned<u64>>>,
        table: Option<BTreeMap<String, Spanned<bool>>>,
    }

    fn read_text(text: &str) -> Result<Sample, Mistake> {
        let table = DeTable::parse(text)?;
        let place = table.span();
        read(table.into_inner(), place)
    }

    /// The library's own reader is what ours is held against.
    #[test]
    fn what_can_be_read_is_read_as_the_library_reads_it() {
        for text in [
            "",
            "text = \"a\\n\\u00e9\"\nsmall = 0x10\nshare = 1",
            "text = '''\n b'''\nlarge = 18446744073709551615",
            "large = 9_223_372_036_854_775_807\nshare = -2.5e-3",
            "share = inf\nlist = [1, 0b10, 0o17]",
            "list = []\n[table]\na = true\n\"b c\" = false",
            "table.a = true\ntable.b = false",
        ] {
            let theirs: Sample = toml::from_str(text).expect(text);
            let ours = read_text(text).expect(text);
            assert_eq!(ours, theirs, "{text}");
            let place = |sample: &Sample| sample.text.as_ref().map(Spanned::span);
            assert_eq!(place(&ours), place(&theirs), "{text}");
            let share = |sample: &Sample| sample.share.as_ref().map(Spanned::span);
            assert_eq!(share(&ours), share(&theirs), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named_where_the_library_names_it() {
        for text in [
            "text = 1",
            "small = 256",
            "small = -1",
            "large = 'x'",
            "txet = ''",
            "list = [1, 'a']",
            "list = 1",
            "[table]\na = 1",
            "table = [true]",
            "text = 'unended",
            "text = ''\ntext = ''",
        ] {
            let theirs = toml::from_str::<Sample>(text).expect_err(text);
            let ours = read_text(text).expect_err(text);
            assert_eq!(ours.place, theirs.span(), "{text}: {ours}");
            assert_eq!(ours.problem, theirs.message(), "{text}");
        }
    }

    #[test]
    fn what_no_field_can_be_is_refused() {
        for (text, part) in [
            ("text = 1979-05-27", "datetime"),
            ("large = 18446744073709551616", "larger than 64 bits"),
            ("share = 1e999", "larger than 64 bits"),
        ] {
            let mistake = read_text(text).expect_err(text);
            assert!(mistake.problem.contains(part), "{text}: {mistake}");
            assert_eq!(mistake.place.map(|place| place.end), Some(text.len()));
        }
    }
}
