//! Headers that every page carries. Use it as a layer:
//! `router.layer(axum::middleware::map_response(kit::page::secure))`.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, header};
use axum::response::Response;

/// What a page may load: everything from its own origin only, no inline script, no inline style
/// (classes and SVG presentation attributes are fine, `style="..."` is not), images also as data
/// addresses, no framing by anybody.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // The address of a product page names the product: other sites learn the origin at most.
    (REFERRER_POLICY, "strict-origin-when-cross-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), geolocation=(), microphone=()",
    ),
];

/// Adds the headers that the response does not have yet, so that one page may state its own.
pub async fn secure(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A value of a query: everything but letters, digits and `-._~/` as percent escapes.
#[must_use]
pub fn query_value(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|half| char::from(b"0123456789ABCDEF"[usize::from(half)])),
            );
        }
    }
    out
}

/// True unless the browser says that a page of another origin has sent this form. `public_url` is
/// the address of the service as people use it; empty where that is the request's own host over
/// plain HTTP. What names no origin at all is no browser's form, or an old browser's.
#[must_use]
pub fn is_from_own(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(origin) = text(&header::ORIGIN) else {
        let site = text(&HeaderName::from_static("sec-fetch-site"));
        return site.is_none_or(|site| site == "same-origin");
    };
    match public_url {
        "" => text(&header::HOST).is_some_and(|host| origin == format!("http://{host}")),
        _ => origin == origin_of(public_url),
    }
}

/// `https://host:port` of an address.
fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let host = rest.split('/').next().unwrap_or_default();
    url.get(..scheme.len() + 3 + host.len()).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn a_page_keeps_what_it_states_itself() {
        let own = [(CONTENT_SECURITY_POLICY, "default-src 'self'")];
        let response = secure((own, "hello").into_response()).await;
        assert_eq!(
            response.headers()[CONTENT_SECURITY_POLICY],
            "default-src 'self'"
        );
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        assert_eq!(query_value("/a?b=1&c"), "/a%3Fb%3D1%26c");
        assert_eq!(query_value("云\r\n"), "%E4%BA%91%0D%0A");
    }

    #[test]
    fn a_form_of_another_origin_is_told_apart() {
        let from = |headers: &[(&'static str, &str)], public: &str| {
            let mut map = HeaderMap::new();
            map.insert("host", HeaderValue::from_static("127.0.0.1:80"));
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            is_from_own(&map, public)
        };
        assert!(from(&[], ""));
        assert!(from(&[("sec-fetch-site", "same-origin")], ""));
        assert!(!from(&[("sec-fetch-site", "cross-site")], ""));
        assert!(from(&[("origin", "http://127.0.0.1:80")], ""));
        assert!(!from(&[("origin", "https://127.0.0.1:80")], ""));
        assert!(!from(&[("origin", "null")], ""));
        let public = "https://trace.example:8443/x";
        assert!(from(&[("origin", "https://trace.example:8443")], public));
        assert!(!from(&[("origin", "http://127.0.0.1:80")], public));
    }

    #[tokio::test]
    async fn no_inline_script_may_run() {
        let response = secure("hello".into_response()).await;
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(!policy.contains("unsafe-inline") && policy.contains("script-src 'self'"));
    }
}
