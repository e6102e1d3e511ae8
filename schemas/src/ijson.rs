//! Reads one JSON value as I-JSON (RFC 7493) within the limits of `statement.md` section 2.1
//! rules 4 to 7, and says where it ends. It builds nothing: what is signed is the bytes.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Deepest nesting, the event's own braces being depth 1.
pub const DEPTH_MAX: usize = 32;
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// Why a text is not one I-JSON value.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum IJsonError {
    /// Not the grammar of RFC 8259.
    #[error("not JSON at byte {0}")]
    Grammar(usize),
    /// Deeper than [`DEPTH_MAX`].
    #[error("nested deeper than 32 at byte {0}")]
    Depth(usize),
    /// A name stands twice in one object.
    #[error("a name stands twice in the object that ends at byte {0}")]
    DuplicateName(usize),
    /// A lone surrogate or a noncharacter.
    #[error("a code point that I-JSON forbids at byte {0}")]
    CodePoint(usize),
    /// An integer beyond 2^53 - 1 or a number that is not finite.
    #[error("a number that a double cannot hold at byte {0}")]
    Number(usize),
}

/// Walks JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// Byte position.
    pub(crate) at: usize,
    deepest: usize,
    repeats: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self::at(text, 0, DEPTH_MAX)
    }

    /// A scanner that begins at a byte and goes down to a depth of its own.
    pub(crate) const fn at(text: &'a str, at: usize, deepest: usize) -> Self {
        Self {
            text,
            at,
            deepest,
            repeats: false,
        }
    }

    /// The same, and a name may stand twice in an object: for finding where things are only.
    pub(crate) const fn lenient(text: &'a str, at: usize, deepest: usize) -> Self {
        Self {
            text,
            at,
            deepest,
            repeats: true,
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn eat(&mut self, byte: u8) -> Result<(), IJsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(IJsonError::Grammar(self.at))
        }
    }

    /// Skips white space.
    pub(crate) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// One value that begins here (no white space before it).
    pub(crate) fn value(&mut self, depth: usize) -> Result<(), IJsonError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), IJsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(IJsonError::Grammar(self.at))
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), IJsonError> {
        if depth > self.deepest {
            return Err(IJsonError::Depth(self.at));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), IJsonError> {
        self.enter(depth)?;
        let mut names = BTreeSet::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let name = self.string()?;
            if !names.insert(name) && !self.repeats {
                return Err(IJsonError::DuplicateName(self.at));
            }
            self.space();
            self.eat(b':')?;
            self.space();
            self.value(depth + 1)?;
            if self.closed(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), IJsonError> {
        self.enter(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.closed(b']')? {
                return Ok(());
            }
        }
    }

    /// After an item: true at `end`, false after a comma.
    pub(crate) fn closed(&mut self, end: u8) -> Result<bool, IJsonError> {
        self.space();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(true);
        }
        self.eat(b',')?;
        self.space();
        Ok(false)
    }

    /// A string, unescaped; borrowed unless it holds an escape or a character that must be looked at.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, IJsonError> {
        self.eat(b'"')?;
        let text: &'a str = self.text;
        let start = self.at;
        self.at += plain_length(&text.as_bytes()[start..]);
        let plain = &text[start..self.at];
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.rest_of_string(plain.to_owned()).map(Cow::Owned)
    }

    /// What comes after the plain beginning of a string, character by character.
    fn rest_of_string(&mut self, mut out: String) -> Result<String, IJsonError> {
        loop {
            let start = self.at;
            let char = self.text[start..]
                .chars()
                .next()
                .ok_or(IJsonError::Grammar(start))?;
            self.at += char.len_utf8();
            let char = match char {
                '"' => return Ok(out),
                '\\' => self.escape()?,
                char if char < ' ' => return Err(IJsonError::Grammar(start)),
                char => char,
            };
            if is_noncharacter(char) {
                return Err(IJsonError::CodePoint(start));
            }
            out.push(char);
        }
    }

    fn escape(&mut self) -> Result<char, IJsonError> {
        let byte = self.peek().ok_or(IJsonError::Grammar(self.at))?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode_escape(),
            _ => Err(IJsonError::Grammar(self.at - 1)),
        }
    }

    fn unicode_escape(&mut self) -> Result<char, IJsonError> {
        let start = self.at;
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            self.eat(b'\\')
                .and_then(|()| self.eat(b'u'))
                .map_err(|_| IJsonError::CodePoint(start))?;
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(IJsonError::CodePoint(start));
            }
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or(IJsonError::CodePoint(start))
    }

    fn hex4(&mut self) -> Result<u32, IJsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or(IJsonError::Grammar(self.at))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> Result<(), IJsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(IJsonError::Grammar(start))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<(), IJsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1
        } else {
            self.digits()?
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let value: f64 = self.text[start..self.at]
            .parse()
            .map_err(|_| IJsonError::Grammar(start))?;
        if !value.is_finite() || (integer && value.abs() > INTEGER_MAX) {
            return Err(IJsonError::Number(start));
        }
        Ok(())
    }
}

/// Bytes before the first that ends a string, begins an escape, is a control character or begins a
/// character in whose range noncharacters lie (U+F000 and above).
fn plain_length(bytes: &[u8]) -> usize {
    let special = |byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\' | 0xef..);
    bytes.iter().position(special).unwrap_or(bytes.len())
}

const fn is_noncharacter(char: char) -> bool {
    let code = char as u32;
    (code >= 0xfdd0 && code <= 0xfdef) || code & 0xfffe == 0xfffe
}

/// Checks that `text` is exactly one value, nested at most `DEPTH_MAX - depth + 1` deep.
///
/// # Errors
/// [`IJsonError`].
pub fn check_value(text: &str, depth: usize) -> Result<(), IJsonError> {
    let mut scanner = Scanner::new(text);
    scanner.value(depth)?;
    if scanner.at == text.len() {
        Ok(())
    } else {
        Err(IJsonError::Grammar(scanner.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_i_json_allows_and_forbids() {
        for good in [
            r#"{"a":[1,2.5e3,"\u00e9\ud83d\ude00"],"b":null}"#,
            "-0",
            "9007199254740991",
            "\"\\u0000\"",
            "[ ]",
            "{ }",
        ] {
            assert_eq!(check_value(good, 2), Ok(()), "{good}");
        }
        for (bad, why) in [
            (r#"{"a":1,"a":2}"#, IJsonError::DuplicateName(10)),
            ("{\"a\":1,\"\\u0061\":2}", IJsonError::DuplicateName(15)),
            (r#""\ud800""#, IJsonError::CodePoint(3)),
            (r#""\ude00\ud83d""#, IJsonError::CodePoint(3)),
            ("\"\u{fdd0}\"", IJsonError::CodePoint(1)),
            (r#""\uffff""#, IJsonError::CodePoint(1)),
            ("9007199254740992", IJsonError::Number(0)),
            ("1e999", IJsonError::Number(0)),
            ("01", IJsonError::Grammar(1)),
            ("NaN", IJsonError::Grammar(0)),
            ("[1,]", IJsonError::Grammar(3)),
            ("\"\t\"", IJsonError::Grammar(1)),
            ("1 ", IJsonError::Grammar(1)),
        ] {
            assert_eq!(check_value(bad, 2), Err(why), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(32), "]".repeat(32));
        assert_eq!(check_value(&deep, 1), Ok(()));
        assert_eq!(check_value(&deep, 2), Err(IJsonError::Depth(31)));
    }
}
