//! Guarded writes: strong entity tags made of a version number, and `If-Match` (RFC 9110 sections
//! 8.8.3, 13.1.1).
//!
//! A handler that changes something takes [`IfMatch`] as an argument and compares it with the
//! version that it is about to change; the store's guarded update (`... WHERE version = $n`)
//! decides again, so that of two writers one is told 412. Reading answers carry [`Version::tag`].
//!
//! Answers that show what may change and have no version get a tag of their bytes
//! ([`of_content`]).
//!
//! Without the header: 428 (RFC 6585 section 3). `*` is 428 too: it would guard against nothing.
//! Weak tags never match here (RFC 9110 section 13.1.1 asks for the strong comparison).

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use schemas::hash::sha256;

use crate::problem::Problem;

/// Most tags of one `If-Match`.
pub const TAGS_MAX: usize = 16;
/// The longest `If-Match`, in bytes.
const HEADER_MAX: usize = 1024;

/// How often something was changed: 0 when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub i64);

impl Version {
    /// The strong tag: `"v7"`.
    #[must_use]
    pub fn tag(self) -> String {
        format!("\"v{}\"", self.0)
    }

    /// The `ETag` header of an answer, in the form that axum adds to one.
    #[must_use]
    pub fn header(self) -> [(header::HeaderName, String); 1] {
        [(header::ETAG, self.tag())]
    }

    /// Of a strong tag as [`Self::tag`] writes it; any other is nobody's version.
    fn of_tag(tag: &str) -> Option<Self> {
        let digits = tag.strip_prefix("\"v")?.strip_suffix('"')?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let version = Self(digits.parse().ok().filter(|_| plain)?);
        (version.tag() == tag).then_some(version)
    }
}

/// The versions that a writer has read and takes for the present one. As an argument of a handler:
/// the write is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Vec<Version>);

impl IfMatch {
    /// Fails unless the writer has read this version. `current` is what stands there now.
    ///
    /// # Errors
    /// A 412 problem that names the present tag, so that the writer can read again.
    pub fn check(&self, current: Version) -> Result<(), Problem> {
        if self.0.contains(&current) {
            return Ok(());
        }
        Err(changed(current))
    }

    /// The version to put into a guarded update; the newest if several were named.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.0.iter().max().copied()
    }

    /// What a header says.
    ///
    /// # Errors
    /// A 428 problem without a header or with `*`; a 400 problem for what is no list of tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let named = named(headers)?.into_iter();
        Ok(Self(named.filter_map(Version::of_tag).collect()))
    }
}

/// The tags that `If-Match` names, 1 to [`TAGS_MAX`].
fn named(headers: &HeaderMap) -> Result<Vec<&str>, Problem> {
    let mut named = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let text = value.to_str().map_err(|_| malformed())?;
        if text.len() > HEADER_MAX {
            return Err(malformed());
        }
        if text.trim() == "*" {
            return Err(needed());
        }
        named.extend(tags(text).ok_or_else(malformed)?);
    }
    match named.len() {
        0 => Err(needed()),
        1..=TAGS_MAX => Ok(named),
        _ => Err(malformed()),
    }
}

/// The tags of a list, weak ones with their `W/`; nothing if it is no list.
fn tags(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let start = if rest.starts_with("W/\"") { 3 } else { 1 };
        if !rest.starts_with('"') && start == 1 {
            return None;
        }
        let end = start + rest.get(start..)?.find('"')? + 1;
        let (tag, after) = rest.split_at_checked(end)?;
        found.push(tag);
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(found)
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

/// True if the reader has this version already (`If-None-Match`, weak comparison, RFC 9110 section
/// 13.1.2): the answer is then [`not_modified`].
#[must_use]
pub fn is_known(headers: &HeaderMap, current: Version) -> bool {
    let own = current.tag();
    let mut asked = headers.get_all(header::IF_NONE_MATCH).iter();
    asked.any(|value| names(value, &own))
}

/// Bytes of an answer that gets a tag of its content; a longer one gets none.
const CONTENT_MAX: u64 = 1024 * 1024;

/// A layer: JSON that is read and has no tag of its own gets one of its bytes, and whoever has these
/// bytes already is told so (304). For answers that show what may change and have no version.
pub async fn of_content(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let asked = request.headers().get_all(header::IF_NONE_MATCH);
    let asked: Vec<HeaderValue> = asked.iter().cloned().collect();
    let response = next.run(request).await;
    if !reads || !wants_tag(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return Problem::internal().into_response();
    };
    let tag = tag_of(&body);
    if asked.iter().any(|value| names(value, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if parts.status == StatusCode::NOT_MODIFIED {
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether `If-Match` names the tag that [`of_content`] gives these bytes; a weak tag never does.
///
/// # Errors
/// A 428 problem without a tag or for `*`; a 400 problem for what is no list of tags.
pub fn matches_content(headers: &HeaderMap, bytes: &[u8]) -> Result<bool, Problem> {
    Ok(named(headers)?.contains(&tag_of(bytes).as_str()))
}

fn tag_of(bytes: &[u8]) -> String {
    format!("\"{}\"", sha256(bytes))
}

fn wants_tag(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let length = response.body().size_hint().exact();
    response.status() == StatusCode::OK
        && is_json
        && !response.headers().contains_key(header::ETAG)
        && length.is_some_and(|length| length <= CONTENT_MAX)
}

/// Whether a list names this tag, weak or strong.
fn names(value: &HeaderValue, own: &str) -> bool {
    let text = value.to_str().unwrap_or_default();
    let tags = tags(text).unwrap_or_default();
    let same = |tag: &&str| tag.strip_prefix("W/").unwrap_or(tag) == own;
    text.trim() == "*" || tags.iter().any(same)
}

/// 304 with its tag.
#[must_use]
pub fn not_modified(current: Version) -> (StatusCode, [(header::HeaderName, String); 1]) {
    (StatusCode::NOT_MODIFIED, current.header())
}

/// 412: somebody else was faster. Also for stores whose guarded update found another version.
#[must_use]
pub fn changed(current: Version) -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "changed-meanwhile",
        "It has changed since you read it; nothing was done",
    )
    .with("header", "If-Match")
    .with("etag", current.tag())
}

fn needed() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "if-match-needed",
        "Say which version you have read",
    )
    .detail("Send the ETag of your last reading as If-Match; `*` is not taken.")
    .with("header", "If-Match")
}

fn malformed() -> Problem {
    Problem::bad_request("`If-Match` is no list of entity tags").with("header", "If-Match")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(text: &str) -> Result<IfMatch, u16> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = text.parse() {
            headers.insert(header::IF_MATCH, value);
        }
        IfMatch::of(&headers).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn only_a_version_that_was_read_may_be_changed() {
        let read = asked("\"v7\"").unwrap();
        assert!(read.check(Version(7)).is_ok());
        let refused = read.check(Version(8)).unwrap_err();
        assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
        assert_eq!(read.version(), Some(Version(7)));
        let several = asked("\"x,y\", W/\"v8\" ,\"v7\"").unwrap();
        assert!(several.check(Version(7)).is_ok());
        assert!(several.check(Version(8)).is_err(), "weak tags never match");
        for other in ["\"7\"", "\"v07\"", "\"v+7\"", "\"v\"", "\"V7\"", "\"\""] {
            assert!(asked(other).unwrap().check(Version(7)).is_err(), "{other}");
        }
    }

    #[test]
    fn a_write_without_a_version_is_told_so() {
        assert_eq!(IfMatch::of(&HeaderMap::new()).unwrap_err().status(), 428);
        assert_eq!(asked("*"), Err(428));
        assert_eq!(asked(" , "), Err(428));
        for wrong in [
            "v7",
            "\"v7",
            "\"v7\" \"v8\"",
            "W/v7",
            "\"v7\";",
            "*, \"v7\"",
        ] {
            assert_eq!(asked(wrong), Err(400), "{wrong}");
        }
        assert_eq!(asked(&vec!["\"a\""; TAGS_MAX + 1].join(",")), Err(400));
    }

    #[test]
    fn a_reader_who_has_it_is_not_sent_it_again() {
        let mut headers = HeaderMap::new();
        assert!(!is_known(&headers, Version(7)));
        for (text, known) in [
            ("\"v7\"", true),
            ("W/\"v7\"", true),
            ("*", true),
            ("\"v8\"", false),
        ] {
            headers.insert(header::IF_NONE_MATCH, text.parse().unwrap());
            assert_eq!(is_known(&headers, Version(7)), known, "{text}");
        }
    }

    /// What a path answers to somebody who has this tag already: status, tag, length of the body.
    async fn asked_with(path: &str, known: &str) -> (u16, Option<String>, usize) {
        use axum::Json;
        use axum::routing::get;
        use tower::Service as _;
        let mut router = axum::Router::new()
            .route("/json", get(|| async { Json("a") }))
            .route("/own", get(|| async { (Version(7).header(), Json("a")) }))
            .route("/text", get(|| async { "a" }))
            .route(
                "/none",
                get(|| async { (StatusCode::NOT_FOUND, Json("a")) }),
            )
            .layer(axum::middleware::from_fn(of_content));
        let request = Request::get(path).header(header::IF_NONE_MATCH, known);
        let answer = router.call(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = answer.unwrap().into_parts();
        let tag = parts.headers.get(header::ETAG);
        let tag = tag.map(|tag| tag.to_str().unwrap().to_owned());
        let length = to_bytes(body, usize::MAX).await.unwrap().len();
        (parts.status.as_u16(), tag, length)
    }

    #[tokio::test]
    async fn json_without_a_version_gets_the_tag_of_its_bytes() {
        let tag = format!("\"{}\"", sha256(b"\"a\""));
        assert_eq!(
            asked_with("/json", "\"x\"").await,
            (200, Some(tag.clone()), 3)
        );
        assert_eq!(asked_with("/json", &tag).await, (304, Some(tag), 0));
        let own = Version(7).tag();
        assert_eq!(asked_with("/own", "\"x\"").await, (200, Some(own), 3));
        assert_eq!(asked_with("/text", "\"x\"").await, (200, None, 1));
        assert_eq!(asked_with("/none", "*").await, (404, None, 3));
    }

    proptest! {
        #[test]
        fn a_tag_comes_back_as_its_version(number in 0..i64::MAX) {
            let read = asked(&Version(number).tag()).unwrap();
            prop_assert_eq!(read.version(), Some(Version(number)));
        }

        #[test]
        fn no_header_makes_the_reader_fail(text in "[ -~\t]*") {
            if let Some(found) = tags(&text) {
                prop_assert!(found.iter().all(|tag| tag.ends_with('"')));
            }
            let _ = asked(&text);
        }
    }
}
