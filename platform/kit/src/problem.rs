//! Errors over HTTP as RFC 9457 problem documents.
//!
//! Every handler's error maps to a [`Problem`] in one place. Its texts are for the caller: they
//! never contain internal text, keys, tokens or names.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// Media type of a problem document (RFC 9457 §3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Prefix of every `type` member; what follows is a stable slug that clients may compare.
pub const TYPE_PREFIX: &str = "https://ns.tracebond.example/problems/";

/// One problem: what a client reads instead of a result.
///
/// Serialises as one flat JSON object: `type`, `title`, `status`, `detail` (when there is one) and
/// the extension members in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Members>);

/// Boxed, so that a `Result` with a problem in it is small.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Members {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(flatten)]
    extensions: Map<String, Value>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem of the given kind. `slug` is a short stable name such as `unknown-device`;
    /// `title` is the same sentence for every occurrence of this kind (RFC 9457 §3.1.3).
    pub fn new(status: StatusCode, slug: &str, title: impl Into<String>) -> Self {
        Self(Box::new(Members {
            kind: format!("{TYPE_PREFIX}{slug}"),
            title: title.into(),
            status: status.as_u16(),
            detail: None,
            extensions: Map::new(),
            retry_after: None,
        }))
    }

    /// 400: the request could not be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request cannot be understood",
        )
        .detail(detail)
    }

    /// 404: nothing is known under this address, or the caller may not know of it.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Nothing is known under this address",
        )
        .detail(detail)
    }

    /// 500: our fault. Log the cause before; the client learns nothing of it.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The service failed; nothing was changed by this request",
        )
    }

    /// 503: try again later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service cannot answer now",
        )
        .detail(detail)
    }

    /// Says after how many seconds another try may do better (`Retry-After`, RFC 9110 §10.2.3).
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Gives it the type that another standard names, such as `epcisException:ValidationException`.
    pub fn of_type(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.0.kind);
        self
    }

    /// Says what is particular to this occurrence.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an extension member (RFC 9457 §3.2). The five standard names are left as they are.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !matches!(name, "type" | "title" | "status" | "detail" | "instance") {
            self.0.extensions.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The HTTP status of this problem.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable slug behind [`TYPE_PREFIX`].
    pub fn slug(&self) -> &str {
        self.0
            .kind
            .strip_prefix(TYPE_PREFIX)
            .unwrap_or(&self.0.kind)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status(), self.0.retry_after);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_flat_object() {
        let problem = Problem::new(
            StatusCode::CONFLICT,
            "fork",
            "Two statements hold one place",
        )
        .detail("epoch 1, seq 7")
        .with("seq", 7)
        .with("status", 200);
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"https://ns.tracebond.example/problems/fork","title":"Two statements hold one place","status":409,"detail":"epoch 1, seq 7","seq":7}"#
        );
        assert_eq!(problem.slug(), "fork");
    }

    #[test]
    fn the_response_names_its_media_type() {
        let response = Problem::internal().into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    }
}
