use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    ElementString, Gs1Error, ItemKey, Key, MAX_INPUT_BYTES, Qualifier, element, link, percent, urn,
};

/// What a parser has read, before lengths, characters and check digits are judged.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) key: Key,
    pub(super) value: String,
    pub(super) qualifiers: BTreeMap<Qualifier, String>,
}

impl Parts {
    pub(super) fn new(key: Key, value: String) -> Self {
        Parts {
            key,
            value,
            qualifiers: BTreeMap::new(),
        }
    }

    /// Brings the value to its one form and checks everything but the check digit.
    pub(super) fn shaped(mut self) -> Result<Self, Gs1Error> {
        self.value = self.key.shape(&self.value)?;
        for (qualifier, value) in &self.qualifiers {
            qualifier.check(value)?;
        }
        self.check_exclusions()?;
        Ok(self)
    }

    /// 235 is a serial of its own, 7040 stands alone: the dictionary lets no other qualifier stand
    /// beside either.
    fn check_exclusions(&self) -> Result<(), Gs1Error> {
        let lonely = |one: &&Qualifier| matches!(one, Qualifier::Tpx | Qualifier::Importer);
        let Some(&alone) = self.qualifiers.keys().find(lonely) else {
            return Ok(());
        };
        match self.qualifiers.keys().find(|&&other| other != alone) {
            Some(&other) => Err(Gs1Error::Excluded(other, alone)),
            None => Ok(()),
        }
    }

    pub(super) fn finish(self, verify_check_digit: bool) -> Result<Identifier, Gs1Error> {
        let Parts {
            key,
            value,
            qualifiers,
        } = self.shaped()?;
        if verify_check_digit {
            key.verify(&value)?;
        }
        Ok(Identifier {
            key,
            value,
            qualifiers,
        })
    }
}

/// Reads any of the three syntaxes.
pub(super) fn read(text: &str) -> Result<Parts, Gs1Error> {
    if text.len() > MAX_INPUT_BYTES {
        return Err(Gs1Error::TooLong {
            found: text.len(),
            limit: MAX_INPUT_BYTES,
        });
    }
    if link::is_link(text) {
        link::parse(text)
    } else if urn::is_epc(text) {
        urn::parse(text)
    } else {
        element::parse(text)
    }
}

/// A GS1 key with its qualifiers, valid: lengths, characters and check digits hold.
///
/// Equality compares all that was read. Two codes of one thing (one with its lot, one without) are
/// compared by [`Identifier::item_key`].
///
/// As text ([`fmt::Display`], serde) it is the canonical form; [`FromStr`] is
/// [`Identifier::parse_any`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier {
    key: Key,
    value: String,
    qualifiers: BTreeMap<Qualifier, String>,
}

impl Identifier {
    /// Reads a Digital Link URI, an EPC URN, or an element string: bracketed, or as a scanner sends
    /// it with FNC1 (0x1D) as separator and an optional symbology identifier before it.
    ///
    /// Of an element string everything that is neither key nor its qualifier (dates, weights) is
    /// checked and left out ([`super::ElementString`] keeps it); the query of a Digital Link is left
    /// out unread ([`super::DigitalLink`] reads it).
    ///
    /// # Errors
    /// [`Gs1Error`], which names what is wrong.
    pub fn parse_any(text: &str) -> Result<Self, Gs1Error> {
        read(text)?.finish(true)
    }

    /// A GTIN of 8, 12, 13 or 14 digits with its check digit.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_gtin(gtin: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Gtin, gtin, None)
    }

    /// A lot of a trade item (LGTIN): GTIN and 1 to 20 characters.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_lot(gtin: &str, lot: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Gtin, gtin, Some((Qualifier::Lot, lot)))
    }

    /// One trade item (SGTIN): GTIN and 1 to 20 characters.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_serial(gtin: &str, serial: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Gtin, gtin, Some((Qualifier::Serial, serial)))
    }

    /// A logistic unit: 18 digits with its check digit.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_sscc(sscc: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Sscc, sscc, None)
    }

    /// A physical location: 13 digits, and an extension of 1 to 20 characters where there is one.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_gln(gln: &str, extension: Option<&str>) -> Result<Self, Gs1Error> {
        Self::build(
            Key::Gln,
            gln,
            extension.map(|extension| (Qualifier::Extension, extension)),
        )
    }

    /// A party (PGLN): 13 digits with their check digit.
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_party(gln: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Party, gln, None)
    }

    /// A returnable asset: 14 digits (the first 0) and a serial of up to 16 characters, or "".
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_grai(digits: &str, serial: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Grai, &format!("{digits}{serial}"), None)
    }

    /// An individual asset: company prefix and reference, 1 to 30 characters.
    ///
    /// # Errors
    /// Wrong length or character.
    pub fn from_giai(giai: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Giai, giai, None)
    }

    /// A document: 13 digits and a serial of up to 17 characters, or "".
    ///
    /// # Errors
    /// Wrong length, character or check digit.
    pub fn from_gdti(digits: &str, serial: &str) -> Result<Self, Gs1Error> {
        Self::build(Key::Gdti, &format!("{digits}{serial}"), None)
    }

    fn build(
        key: Key,
        value: &str,
        qualifier: Option<(Qualifier, &str)>,
    ) -> Result<Self, Gs1Error> {
        let mut parts = Parts::new(key, value.to_owned());
        parts
            .qualifiers
            .extend(qualifier.map(|(name, value)| (name, value.to_owned())));
        parts.finish(true)
    }

    /// The primary key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The key's value: for a GTIN always 14 digits, for GRAI, GDTI and GCN with their serial.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// A qualifier as it was read.
    pub fn qualifier(&self, qualifier: Qualifier) -> Option<&str> {
        self.qualifiers.get(&qualifier).map(String::as_str)
    }

    /// The GTIN, 14 digits, of a trade item.
    pub fn gtin(&self) -> Option<&str> {
        (self.key == Key::Gtin).then_some(&*self.value)
    }

    /// The lot (10), also where a serial stands beside it.
    pub fn lot(&self) -> Option<&str> {
        self.qualifier(Qualifier::Lot)
    }

    /// The serial: 21, 235 or 8011, or what follows the digits of a GRAI, GDTI or GCN.
    pub fn serial(&self) -> Option<&str> {
        [Qualifier::Serial, Qualifier::Tpx, Qualifier::PartSerial]
            .into_iter()
            .find_map(|qualifier| self.qualifier(qualifier))
            .or_else(|| self.tail())
    }

    /// The GLN, 13 digits, of a location or party.
    pub fn gln(&self) -> Option<&str> {
        matches!(self.key, Key::Gln | Key::Party | Key::PayTo).then_some(&*self.value)
    }

    /// The extension (254) of a location.
    pub fn extension(&self) -> Option<&str> {
        self.qualifier(Qualifier::Extension)
    }

    fn tail(&self) -> Option<&str> {
        let tail = self.value.get(self.key.head()..)?;
        (self.has_tail() && !tail.is_empty()).then_some(tail)
    }

    fn has_tail(&self) -> bool {
        matches!(self.key, Key::Grai | Key::Gdti | Key::Gcn)
    }

    /// Whether it names a class of things (a GTIN, a lot, a type of asset) and not one thing, so
    /// that EPCIS wants it in a quantity element and not in a list of instances.
    pub fn is_class_level(&self) -> bool {
        let has_serial = match self.key {
            Key::Gtin | Key::Itip | Key::Cpid | Key::Grai | Key::Gdti | Key::Gcn => {
                self.serial().is_some()
            }
            Key::Gmn => false,
            _ => true,
        };
        !has_serial
    }

    /// The qualifiers that make the thing another thing (CBV 2.0 section 8): a serial alone names
    /// it, a lot only where there is no serial; a variant, a service instance and an importer never
    /// do.
    pub(super) fn identifying(&self) -> impl Iterator<Item = (Qualifier, &str)> {
        let serial_rules = self.qualifiers.contains_key(&Qualifier::Serial);
        let counts = move |qualifier| match qualifier {
            Qualifier::Cpv | Qualifier::ServiceInstance | Qualifier::Importer => false,
            Qualifier::Lot => !serial_rules,
            _ => true,
        };
        self.pairs()
            .filter(move |&(qualifier, _)| counts(qualifier))
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (Qualifier, &str)> {
        self.qualifiers
            .iter()
            .map(|(&qualifier, value)| (qualifier, &**value))
    }

    /// The one form that is stored and compared, for example
    /// `https://id.gs1.org/01/09521001000017/10/L1`: the key and only those qualifiers that make it
    /// another thing. Percent encoding in upper case of all but unreserved characters and `'`.
    pub fn canonical(&self) -> String {
        self.link(self.identifying())
    }

    /// A Digital Link with every qualifier that was read: what a label or a resolver wants.
    pub fn full(&self) -> String {
        self.link(self.pairs())
    }

    /// The canonical form as the event hash escapes it.
    pub(super) fn write_for_hash(&self, out: &mut String) {
        out.push_str("https://id.gs1.org/");
        out.push_str(self.key.ai());
        out.push('/');
        percent::encode_for_hash(&self.value, out);
        for (qualifier, value) in self.identifying() {
            out.push('/');
            out.push_str(qualifier.ai());
            out.push('/');
            percent::encode_for_hash(value, out);
        }
    }

    /// The canonical form as its own type.
    pub fn item_key(&self) -> ItemKey {
        ItemKey::from(self)
    }

    /// The bracketed element string with every qualifier; a bracket inside a value is written `\(`.
    pub fn element_string(&self) -> String {
        ElementString::from(self).bracketed()
    }

    /// The EPC URN (`urn:epc:id:`, `class:` or `idpat:`), whose fields are cut where the company
    /// prefix ends: a Digital Link does not say where that is. `prefix_digits` is its length, 6 to
    /// 12. What makes no other thing (variant, service instance, a lot beside a serial) is left out,
    /// as in [`Identifier::canonical`].
    ///
    /// # Errors
    /// [`Gs1Error::NoUrn`] for what no EPC scheme can say, [`Gs1Error::CompanyPrefix`] for a length
    /// that GS1 does not give out or that the key is too short for.
    pub fn urn(&self, prefix_digits: usize) -> Result<String, Gs1Error> {
        urn::write(self, prefix_digits)
    }

    fn link<'a>(&self, qualifiers: impl Iterator<Item = (Qualifier, &'a str)>) -> String {
        self.link_on("https://id.gs1.org", qualifiers)
    }

    /// A Digital Link with every qualifier behind a stem such as `https://shop.example/goods`.
    pub(super) fn full_on(&self, stem: &str) -> String {
        self.link_on(stem, self.pairs())
    }

    fn link_on<'a>(
        &self,
        stem: &str,
        qualifiers: impl Iterator<Item = (Qualifier, &'a str)>,
    ) -> String {
        let mut out = format!("{stem}/{}/", self.key);
        percent::encode(&self.value, &mut out);
        for (qualifier, value) in qualifiers {
            out.push('/');
            out.push_str(qualifier.ai());
            out.push('/');
            percent::encode(value, &mut out);
        }
        out
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.canonical())
    }
}

impl FromStr for Identifier {
    type Err = Gs1Error;

    fn from_str(text: &str) -> Result<Self, Gs1Error> {
        Self::parse_any(text)
    }
}

impl TryFrom<String> for Identifier {
    type Error = Gs1Error;

    fn try_from(text: String) -> Result<Self, Gs1Error> {
        Self::parse_any(&text)
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.canonical()
    }
}
