//! What counts as a scan: a person's browser that opens the page of a code for the first time that
//! day. A cookie says that it has, for this code only and without any identifier; no address and no
//! name of a browser is kept. A browser that keeps no cookies counts each time.

use axum::http::header::{ACCEPT, COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Name of the cookie.
const NAME: &str = "scanned";
/// How long a browser counts once, in seconds.
const ONCE_SECONDS: u32 = 24 * 3_600;
/// Words in the names of programs that fetch pages for nobody.
const ROBOTS: [&str; 8] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "facebookexternalhit",
    "curl/",
    "wget/",
];

/// True if the request is a scan that has not been counted.
pub(super) fn counts(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::GET && is_opened(headers) && !is_robot(headers) && !is_known(headers)
}

/// Somebody opens a page; nothing is fetched ahead or by a script.
fn is_opened(headers: &HeaderMap) -> bool {
    let says = |name: &'static str| text(headers, &HeaderName::from_static(name));
    let wants_page = text(headers, &ACCEPT).is_some_and(|kinds| kinds.contains("text/html"));
    let ahead = ["purpose", "sec-purpose"]
        .into_iter()
        .any(|name| says(name).is_some_and(|purpose| purpose.contains("prefetch")));
    wants_page && !ahead && says("sec-fetch-dest").is_none_or(|dest| dest == "document")
}

fn is_robot(headers: &HeaderMap) -> bool {
    let agent = text(headers, &USER_AGENT)
        .unwrap_or_default()
        .to_lowercase();
    ROBOTS.iter().any(|word| agent.contains(word))
}

fn is_known(headers: &HeaderMap) -> bool {
    let cookies = text(headers, &COOKIE).unwrap_or_default();
    let mut names = cookies
        .split(';')
        .filter_map(|one| one.trim().split_once('='));
    names.any(|(name, _)| name == NAME)
}

/// `Set-Cookie` for the page at `path`; `None` for a path that cannot stand in one.
pub(super) fn cookie(path: &str, secure: bool) -> Option<HeaderValue> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\');
    if !path.bytes().all(plain) {
        return None;
    }
    let secure = if secure { "; Secure" } else { "" };
    let value =
        format!("{NAME}=1; Path={path}; Max-Age={ONCE_SECONDS}; SameSite=Lax; HttpOnly{secure}");
    HeaderValue::from_str(&value).ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: [(&str, &str); 3] = [
        ("accept", "text/html,application/xhtml+xml"),
        ("user-agent", "Mozilla/5.0 (iPhone)"),
        ("sec-fetch-dest", "document"),
    ];

    fn counted(method: Method, more: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in BROWSER.iter().chain(more) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        counts(&method, &headers)
    }

    #[test]
    fn a_browser_counts_once() {
        assert!(counted(Method::GET, &[]));
        assert!(counted(Method::GET, &[("cookie", "lang=en")]));
        assert!(!counted(Method::GET, &[("cookie", "lang=en; scanned=1")]));
    }

    #[test]
    fn robots_scripts_and_heads_do_not() {
        for (method, more) in [
            (Method::HEAD, ("x", "y")),
            (Method::GET, ("user-agent", "Googlebot/2.1")),
            (Method::GET, ("user-agent", "curl/8.1")),
            (Method::GET, ("accept", "*/*")),
            (Method::GET, ("sec-fetch-dest", "empty")),
            (Method::GET, ("sec-purpose", "prefetch;prerender")),
        ] {
            assert!(!counted(method, &[more]), "{more:?}");
        }
    }

    #[test]
    fn the_cookie_names_its_code_by_its_path_and_nobody() {
        let cookie = cookie("/01/09521001000017/10/L1", true).unwrap();
        assert_eq!(
            cookie,
            "scanned=1; Path=/01/09521001000017/10/L1; Max-Age=86400; SameSite=Lax; HttpOnly; Secure"
        );
        assert_eq!(super::cookie("/01/1/10/a;b", false), None);
    }
}
