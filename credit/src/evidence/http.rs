//! The evidence port over HTTP: `GET {base}/v1/evidence/{organisation}`, of one device's chain
//! `GET {base}/v1/bundles/device/{organisation}/{device}?from_size=N`, and
//! `GET {base}/v1/consents/{organisation}/{bank}`; of the bank's own documents `PUT` and `GET
//! {base}/v1/documents/{hash}`.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, Response, StatusCode, Url};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::proof::Bytes;
use serde::Deserialize;

use super::{EvidenceError, EvidencePack, EvidencePort, PACK_MAX, Shown};

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

    async fn ask(&self, path: String) -> Result<Response, EvidenceError> {
        self.send(Method::GET, path, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<String>,
    ) -> Result<Response, EvidenceError> {
        let url = self
            .base
            .join(&path)
            .map_err(|_| EvidenceError::Address(path))?;
        let mut request = self.client.request(method, url);
        request = request.header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request
            .send()
            .await
            .map_err(|error| unreachable_because(&error))
    }

    /// The answer to a question about an organisation, whose consent may stand in the way.
    async fn found(&self, path: String, organisation: &Slug) -> Result<Vec<u8>, EvidenceError> {
        let response = self.ask(path).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(EvidenceError::Unknown(organisation.clone())),
            StatusCode::FORBIDDEN => return Err(self.forbidden(response, organisation).await),
            status => return Err(EvidenceError::Status(status.as_u16())),
        }
        media_type(&response)?;
        self.read(response).await
    }

    /// A refusal that names the consent is repeated, any other says nothing of it.
    async fn forbidden(&self, response: Response, organisation: &Slug) -> EvidenceError {
        let unknown = EvidenceError::Unknown(organisation.clone());
        let Ok(bytes) = self.read(response).await else {
            return unknown;
        };
        let Ok(refusal) = serde_json::from_slice::<Refusal>(&bytes) else {
            return unknown;
        };
        let class = refusal.kind.rsplit(['/', ':']).next().unwrap_or_default();
        let is_code = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        if !class.starts_with("consent-") || class.len() > 32 || !class.bytes().all(is_code) {
            return unknown;
        }
        EvidenceError::Consent {
            class: class.to_owned(),
            detail: refusal.detail.chars().take(DETAIL_CHARS).collect(),
        }
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
        let path = format!("v1/evidence/{organisation}");
        Ok(EvidencePack {
            bundle: self.found(path, organisation).await?,
        })
    }

    async fn consents(
        &self,
        organisation: &Slug,
        bank: &Slug,
    ) -> Result<Vec<Shown>, EvidenceError> {
        let path = format!("v1/consents/{organisation}/{bank}");
        let bytes = self.found(path, organisation).await?;
        let broken = |_| EvidenceError::Unreachable("its consents cannot be read".to_owned());
        let body: ConsentsBody = serde_json::from_slice(&bytes).map_err(broken)?;
        let shown = |one: ConsentBody| {
            let proof = one.proof.as_ref().map(serde_json::to_vec).transpose();
            Ok(Shown {
                document: one.document.0,
                proof: proof.map_err(broken)?,
            })
        };
        body.consents.into_iter().map(shown).collect()
    }

    async fn chain(
        &self,
        device: &DeviceAddress,
        from_size: u64,
    ) -> Result<Option<EvidencePack>, EvidenceError> {
        let (organisation, name) = (&device.organisation, &device.device);
        let path = format!("v1/bundles/device/{organisation}/{name}?from_size={from_size}");
        let response = self.ask(path).await?;
        match response.status() {
            StatusCode::OK => {}
            // Nothing of the chain from there on is under a witnessed checkpoint yet.
            StatusCode::CONFLICT => return Ok(None),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                return Err(EvidenceError::Unknown(organisation.clone()));
            }
            status => return Err(EvidenceError::Status(status.as_u16())),
        }
        media_type(&response)?;
        let bundle = self.read(response).await?;
        Ok(Some(EvidencePack { bundle }))
    }

    async fn hand_over(&self, kind: &str, hash: &Hash) -> Result<(), EvidenceError> {
        let path = format!("v1/documents/{hash}");
        let body = serde_json::json!({ "kind": kind }).to_string();
        let response = self.send(Method::PUT, path, Some(body)).await?;
        match response.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(()),
            status => Err(EvidenceError::Status(status.as_u16())),
        }
    }

    async fn document_proof(&self, hash: &Hash) -> Result<Option<Vec<u8>>, EvidenceError> {
        let response = self.ask(format!("v1/documents/{hash}")).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(EvidenceError::Status(status.as_u16())),
        }
        media_type(&response)?;
        self.read(response).await.map(Some)
    }
}

/// Longest text of a refusal that is repeated, in characters.
const DETAIL_CHARS: usize = 300;

/// What is read of a problem document.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    detail: String,
}

#[derive(Deserialize)]
struct ConsentsBody {
    consents: Vec<ConsentBody>,
}

#[derive(Deserialize)]
struct ConsentBody {
    document: Bytes,
    proof: Option<serde_json::Value>,
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
        let unknown = EvidenceError::Unknown(organisation.parse().unwrap());
        assert_eq!(stranger, Err(unknown));
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
