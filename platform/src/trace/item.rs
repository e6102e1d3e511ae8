//! The product key that a journey starts from: a lot or a single piece of a GTIN.

use schemas::gs1::{Identifier, Key};

/// Every canonical key begins with this (GS1 Digital Link, canonical form).
pub const HOST: &str = "https://id.gs1.org";

/// Longest code that is looked at, in bytes: longer than any element string or Digital Link of a
/// lot or piece.
pub const MAX_CODE: usize = 256;

/// A lot (`/01/{gtin}/10/{lot}`) or a piece (`/01/{gtin}/21/{serial}`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    key: String,
    identifier: Identifier,
}

impl Item {
    /// Parses whatever a product code may look like: canonical Digital Link URI, one on another
    /// host, its bare path, EPC URN, element string in brackets. `None` for anything that is no lot
    /// or piece of a GTIN or has a wrong check digit.
    pub fn parse(code: &str) -> Option<Self> {
        let code = code.trim();
        if code.len() > MAX_CODE {
            return None;
        }
        let identifier = match code.strip_prefix('/') {
            Some(path) => Identifier::parse_any(&format!("{HOST}/{path}")),
            None => Identifier::parse_any(code),
        };
        let identifier = identifier.ok().filter(|one| one.key() == Key::Gtin)?;
        let is_item = identifier.lot().is_some() || identifier.serial().is_some();
        is_item.then(|| Self {
            key: identifier.canonical(),
            identifier,
        })
    }

    /// The canonical Digital Link URI.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The path under which the resolver serves the product page.
    pub fn path(&self) -> &str {
        self.key.strip_prefix(HOST).unwrap_or(&self.key)
    }

    /// GTIN, 14 digits.
    pub fn gtin(&self) -> &str {
        self.identifier.value()
    }

    /// The lot as written on the goods.
    pub fn lot(&self) -> Option<&str> {
        self.identifier.lot()
    }

    /// The serial number as written on the goods.
    pub fn serial(&self) -> Option<&str> {
        self.identifier.serial()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_and_a_piece_are_items_however_they_are_written() {
        let lot = Item::parse("https://id.gs1.org/01/09521001000017/10/A%2F1").unwrap();
        assert_eq!(
            (lot.gtin(), lot.lot(), lot.serial()),
            ("09521001000017", Some("A/1"), None)
        );
        assert_eq!(lot.path(), "/01/09521001000017/10/A%2F1");
        for written in ["(01)09521001000017(10)L1", " /01/09521001000017/10/L1 "] {
            let item = Item::parse(written).unwrap();
            assert_eq!(item.key(), "https://id.gs1.org/01/09521001000017/10/L1");
        }
        let piece = Item::parse("https://id.gs1.org/01/09521001000017/21/7").unwrap();
        assert_eq!((piece.lot(), piece.serial()), (None, Some("7")));
    }

    #[test]
    fn nothing_else_is() {
        for code in [
            "https://id.gs1.org/00/095210010000000017",
            "https://id.gs1.org/01/09521001000016/10/A",
            "https://id.gs1.org/01/09521001000017/10/",
            "https://id.gs1.org/01/09521001000017",
            "",
            "/",
            "LOT 1",
        ] {
            assert_eq!(Item::parse(code), None, "{code}");
        }
        assert_eq!(Item::parse(&"9".repeat(MAX_CODE + 1)), None);
    }
}
