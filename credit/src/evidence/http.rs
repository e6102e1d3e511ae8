//! The evidence port over HTTP: `GET {base}/v1/evidence/{organisation}`.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode, Url};
use schemas::ids::Slug;

use super::{EvidenceError, EvidencePack, EvidencePort, PACK_MAX};

/// A client of an evidence service. Redirects are not followed: the bank has said where it asks.
#[derive(Clone)]
pub struct Http {
    base: Url,
    client: Client,
    max_bytes: usize,
    token: Option<String>,
}

impl Http {
    /// A client for the service at `base` (such as `https://trace.example`), whose whole answer
    /// must be here within `timeout` and within `max_bytes` (at most [`PACK_MAX`]).
    ///
    /// # Errors
    /// [`EvidenceError::Address`] for a base that is not http or https,
    /// [`EvidenceError::Unreachable`] if no client can be made.
    pub fn new(base: &str, timeout: Duration, max_bytes: usize) -> Result<Self, EvidenceError> {
        let address = || EvidenceError::Address(base.chars().take(64).collect());
        let slashed = format!("{}/", base.trim_end_matches('/'));
        let base = Url::parse(&slashed).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(address());
        }
        let client = client(timeout).map_err(|error| unreachable_because(&error))?;
        Ok(Self {
            base,
            client,
            max_bytes: max_bytes.min(PACK_MAX),
            token: None,
        })
    }

    /// The same client with the bearer token by which the service knows this bank.
    #[must_use]
    pub fn with_token(self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    async fn ask(&self, organisation: &Slug) -> Result<Response, EvidenceError> {
        let path = format!("v1/evidence/{organisation}");
        let url = self
            .base
            .join(&path)
            .map_err(|_| EvidenceError::Address(path))?;
        let mut request = self.client.get(url).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request
            .send()
            .await
            .map_err(|error| unreachable_because(&error))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, EvidenceError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable_because(&error))?
        {
            if bytes.len() + chunk.len() > self.max_bytes {
                return Err(EvidenceError::TooLarge(self.max_bytes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

#[async_trait]
impl EvidencePort for Http {
    async fn evidence(&self, organisation: &Slug) -> Result<EvidencePack, EvidenceError> {
        let response = self.ask(organisation).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(EvidenceError::Unknown(organisation.clone())),
            status => return Err(EvidenceError::Status(status.as_u16())),
        }
        media_type(&response)?;
        Ok(EvidencePack {
            bundle: self.read(response).await?,
        })
    }
}

fn client(timeout: Duration) -> reqwest::Result<Client> {
    // Another part of the process may have chosen the provider already; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

fn media_type(response: &Response) -> Result<(), EvidenceError> {
    let value = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if kind.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(EvidenceError::MediaType(kind.chars().take(64).collect()))
    }
}

/// What went wrong in words without the address, which may name a customer.
fn unreachable_because(error: &reqwest::Error) -> EvidenceError {
    let reason = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "the request failed"
    };
    EvidenceError::Unreachable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Path;
    use axum::http::{HeaderMap, header};
    use axum::response::{IntoResponse, Response};
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    const TOKEN: &str = "Bearer the-bank's-own";

    async fn answer(Path(organisation): Path<String>, headers: HeaderMap) -> Response {
        if headers
            .get(header::AUTHORIZATION)
            .is_none_or(|token| token != TOKEN)
        {
            return axum::http::StatusCode::FORBIDDEN.into_response();
        }
        let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
        match organisation.as_str() {
            "good" => (json, r#"{"tracebond":"bundle/v1"}"#).into_response(),
            "large" => (json, "x".repeat(5000)).into_response(),
            "page" => "<html>".into_response(),
            "moved" => axum::response::Redirect::temporary("/v1/evidence/good").into_response(),
            "stuck" => std::future::pending().await,
            "broken" => axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => axum::http::StatusCode::NOT_FOUND.into_response(),
        }
    }

    async fn ask(organisation: &str) -> Result<EvidencePack, EvidenceError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/evidence/{organisation}", get(answer));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let patience = if organisation == "stuck" { 50 } else { 10_000 };
        let port = Http::new(&base, Duration::from_millis(patience), 4096).unwrap();
        let stranger = port.evidence(&organisation.parse().unwrap()).await;
        assert_eq!(stranger, Err(EvidenceError::Status(403)));
        let port = port.with_token("the-bank's-own".to_owned());
        let pack = port.evidence(&organisation.parse().unwrap()).await;
        server.abort();
        pack
    }

    #[tokio::test]
    async fn a_pack_comes_as_it_was_sent() {
        assert_eq!(
            ask("good").await.unwrap().bundle,
            br#"{"tracebond":"bundle/v1"}"#
        );
    }

    #[tokio::test]
    async fn every_other_answer_is_an_error_of_its_own() {
        assert_eq!(ask("large").await, Err(EvidenceError::TooLarge(4096)));
        assert_eq!(
            ask("page").await,
            Err(EvidenceError::MediaType("text/plain".into()))
        );
        assert_eq!(ask("broken").await, Err(EvidenceError::Status(500)));
        assert_eq!(ask("moved").await, Err(EvidenceError::Status(307)));
        let unknown = "nobody".parse().unwrap();
        assert_eq!(ask("nobody").await, Err(EvidenceError::Unknown(unknown)));
        let late = EvidenceError::Unreachable("no answer in time".into());
        assert_eq!(ask("stuck").await, Err(late));
    }

    #[tokio::test]
    async fn nobody_listening_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let port = Http::new(&base, Duration::from_secs(5), 4096).unwrap();
        let answer = port.evidence(&"good".parse().unwrap()).await;
        assert_eq!(
            answer,
            Err(EvidenceError::Unreachable("no connection".into()))
        );
    }

    #[test]
    fn the_base_is_an_http_address() {
        for base in ["", "trace.example", "ftp://trace.example"] {
            assert!(
                Http::new(base, Duration::from_secs(1), 1).is_err(),
                "{base}"
            );
        }
    }
}
