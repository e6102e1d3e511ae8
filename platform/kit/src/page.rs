//! Headers that every page carries. Use it as a layer:
//! `router.layer(axum::middleware::map_response(kit::page::secure))`.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
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

    #[tokio::test]
    async fn no_inline_script_may_run() {
        let response = secure("hello".into_response()).await;
        let policy = response.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(!policy.contains("unsafe-inline") && policy.contains("script-src 'self'"));
    }
}
