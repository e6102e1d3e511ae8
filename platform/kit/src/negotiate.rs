//! The language of a page: `?lang=`, then the cookie, then `Accept-Language`, then English.
//!
//! [`Language`] is an axum extractor that never fails. Content negotiation follows RFC 9110
//! §12.5.4; only the primary subtag is compared, so `zh`, `zh-CN` and `zh-Hans-SG` are all zh-CN.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};

/// Name of the query parameter and of the cookie that carry a chosen language.
pub const NAME: &str = "lang";

/// The longest header that is looked at, in bytes: longer ones are nobody's preference.
const MAX_HEADER: usize = 4096;

/// The two languages of every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// English, also when nothing else is asked for.
    #[default]
    En,
    /// Chinese in simplified characters.
    ZhCn,
}

impl Language {
    /// All languages, for tests that render everything in each of them.
    pub const ALL: [Self; 2] = [Self::En, Self::ZhCn];

    /// The BCP 47 tag, as in `<html lang="...">`: `en` or `zh-CN`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhCn => "zh-CN",
        }
    }

    /// The other language, for the link that switches.
    pub fn other(self) -> Self {
        match self {
            Self::En => Self::ZhCn,
            Self::ZhCn => Self::En,
        }
    }

    /// Parses a language tag by its primary subtag; `None` for a language we do not write.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::ZhCn)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::En)
        } else {
            None
        }
    }

    /// The language of a request, by the order in the module's description.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        Self::asked(uri)
            .or_else(|| cookie(headers))
            .or_else(|| accepted(headers))
            .unwrap_or_default()
    }

    /// The language named by `?lang=`, if any: a page then sets [`Language::cookie`].
    pub fn asked(uri: &Uri) -> Option<Self> {
        let pairs = uri.query()?.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == NAME)
            .and_then(|(_, value)| Self::from_tag(value))
    }

    /// Value of a `Set-Cookie` header that keeps this choice for a year. It holds no identity.
    pub fn cookie(self) -> String {
        format!(
            "{NAME}={}; Path=/; Max-Age=31536000; SameSite=Lax",
            self.tag()
        )
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri, &parts.headers))
    }
}

fn cookie(headers: &HeaderMap) -> Option<Language> {
    text(headers, &COOKIE)?
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .and_then(|(_, value)| Language::from_tag(value))
}

/// The best of the languages that both sides speak; of equal weights the first one named.
fn accepted(headers: &HeaderMap) -> Option<Language> {
    let mut best: Option<(u16, Language)> = None;
    for range in text(headers, &ACCEPT_LANGUAGE)?.split(',') {
        let (tag, weight) = weighted(range);
        let Some(language) = Language::from_tag(tag) else {
            continue;
        };
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// Splits `zh;q=0.8` into its tag and its weight in thousandths (1000 when there is none).
fn weighted(range: &str) -> (&str, u16) {
    let mut parts = range.split(';');
    let tag = parts.next().unwrap_or_default();
    let weight = parts
        .find_map(|part| part.trim().strip_prefix("q="))
        .map_or(1000, thousandths);
    (tag, weight)
}

fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("0", Ok(part)) => part,
        ("1", _) => 1000,
        _ => 0,
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .filter(|value| value.len() <= MAX_HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str, headers: &[(&'static str, &str)]) -> Language {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Language::of(&uri.parse().unwrap(), &map)
    }

    #[test]
    fn the_query_wins_over_the_cookie_and_the_cookie_over_the_header() {
        let cookie = ("cookie", "a=b; lang=zh-CN");
        let header = ("accept-language", "en-GB,en;q=0.9");
        assert_eq!(of("/x?a=1&lang=en", &[cookie, header]), Language::En);
        assert_eq!(of("/x", &[cookie, header]), Language::ZhCn);
        assert_eq!(of("/x", &[header]), Language::En);
    }

    #[test]
    fn weights_decide_and_unknown_languages_are_passed_over() {
        let header = |value| of("/", &[("accept-language", value)]);
        assert_eq!(header("fr, en;q=0.4, zh-Hans-SG;q=0.75"), Language::ZhCn);
        assert_eq!(header("zh;q=0, de"), Language::En);
        assert_eq!(header("zh-CN,zh;q=0.9,en;q=0.8"), Language::ZhCn);
        assert_eq!(header("en;q=0.501, zh;q=0.51"), Language::ZhCn);
        assert_eq!(header(";;;q=,"), Language::En);
    }

    #[test]
    fn an_unknown_choice_is_no_choice() {
        assert_eq!(
            of("/?lang=xx", &[("accept-language", "zh")]),
            Language::ZhCn
        );
    }
}
