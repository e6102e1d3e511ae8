//! How a provider is asked: bounded in size and time, without redirects.

use std::time::Duration;

use async_trait::async_trait;

/// The longest answer, in bytes.
pub const ANSWER_MAX: usize = 256 * 1024;
/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// One request to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub url: String,
    /// A form to post; without one it is a GET.
    pub form: Option<String>,
    /// Name and secret for Basic.
    pub basic: Option<(String, String)>,
}

/// Why a provider was not asked.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Plain `http` to another machine, or no address at all.
    #[error("the address is not https")]
    Address,
    /// No connection, or no answer in time.
    #[error("no answer: {0}")]
    Transport(String),
    /// An answer that is not 200.
    #[error("the answer has status {0}")]
    Status(u16),
    /// More than [`ANSWER_MAX`].
    #[error("the answer is too long")]
    Long,
}

/// What asks a provider.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The body of an answer with status 200.
    async fn fetch(&self, ask: Ask) -> Result<Vec<u8>, FetchError>;
}

/// True for `https`, and for `http` to this machine.
pub(in super::super) fn is_safe(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['@', '\\']) {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "::1");
    scheme == "https" || (scheme == "http" && is_here)
}

/// Over the network.
#[derive(Clone, Debug)]
pub struct ReqwestFetch(reqwest::Client);

impl ReqwestFetch {
    /// A client of its own. Installs `ring` as rustls's provider of this process if there is none.
    ///
    /// # Errors
    /// [`FetchError::Transport`] where the client cannot be made.
    pub fn new() -> Result<Self, FetchError> {
        // Somebody may have done so before: then that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        client
            .map(Self)
            .map_err(|error| FetchError::Transport(error.to_string()))
    }

    fn request(&self, ask: Ask) -> reqwest::RequestBuilder {
        let request = match ask.form {
            Some(form) => {
                let kind = "application/x-www-form-urlencoded";
                let request = self.0.post(ask.url).header("content-type", kind);
                request.body(form)
            }
            None => self.0.get(ask.url),
        };
        let request = request.header("accept", "application/json");
        match ask.basic {
            Some((name, secret)) => request.basic_auth(name, Some(secret)),
            None => request,
        }
    }
}

#[async_trait]
impl Fetch for ReqwestFetch {
    async fn fetch(&self, ask: Ask) -> Result<Vec<u8>, FetchError> {
        if !is_safe(&ask.url) {
            return Err(FetchError::Address);
        }
        // An error's text names the address, never the form.
        let failed = |error: reqwest::Error| FetchError::Transport(schemas::causes::causes(&error));
        let mut response = self.request(ask).send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(FetchError::Long);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for (url, safe) in [
            ("https://login.example/a", true),
            ("http://127.0.0.1:4000/a", true),
            ("http://localhost/a", true),
            ("http://[::1]:4000/a", true),
            ("http://login.example/a", false),
            ("http://127.0.0.1.evil.example/a", false),
            ("http://127.0.0.1@evil.example/", false),
            ("http://localhost:80@evil.example/", false),
            ("ftp://127.0.0.1/", false),
            ("https://", false),
            ("login.example", false),
        ] {
            assert_eq!(is_safe(url), safe, "{url}");
        }
    }
}
