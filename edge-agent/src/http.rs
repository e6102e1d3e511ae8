//! The platform over HTTP: one client under the claim's CA, answers of a bounded size.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use schemas::causes::causes;

use crate::clock::Floor;
use crate::tls;

/// Longest answer that is read, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(20);

/// A client that speaks TLS by `config`.
pub(crate) fn client(config: rustls::ClientConfig) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(config)
        .timeout(TIMEOUT)
        // A redirect would lead away from what the claim names.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| causes(&error))
}

/// A client for the platform at `base`: under `ca` where it speaks TLS.
pub(crate) fn client_of(base: &str, ca: &str) -> Result<Client, String> {
    let config = if base.starts_with("https://") {
        tls::under_ca(ca)
    } else {
        tls::unverified()
    };
    client(config.map_err(|error| error.to_string())?)
}

/// The same on a device whose clock may be behind `floor`.
pub(crate) fn client_since(base: &str, ca: &str, floor: Floor) -> Result<Client, String> {
    let config = if base.starts_with("https://") {
        tls::under_ca_since(ca, floor)
    } else {
        tls::unverified()
    };
    client(config.map_err(|error| error.to_string())?)
}

/// Sends and reads status and body.
pub(crate) async fn send(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
    let mut response = request.send().await.map_err(|error| causes(&error))?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error))? {
        if bytes.len() + chunk.len() > ANSWER_MAX {
            return Err("an answer beyond a megabyte".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((status, bytes))
}
