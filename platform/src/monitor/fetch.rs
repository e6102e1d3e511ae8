//! What a monitor reads over HTTP: no redirects, a limit on every answer, and a time.

use std::time::Duration;

use reqwest::StatusCode;
use schemas::causes::causes;
use schemas::hash::Hash;
use schemas::log::PolicyChain;
use schemas::note::NOTE_MAX;
use schemas::tlog::tile_number;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::core::{BUNDLE_MAX, WIDTH, parse_bundle};
use super::shown::Shown;
use crate::tls;
use crate::witness::ABOUT_MAX;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer in bytes where nothing else is said.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// Bytes of a list for each key: two hashes in hex, and punctuation.
const LIST_ROW: usize = 160;

/// Something that could not be read; nothing is said about the log by it.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No client can be made, or no answer came.
    #[error("{url}: {why}")]
    Network {
        /// Which address.
        url: String,
        /// Why.
        why: String,
    },
    /// Another status than 200.
    #[error("{url}: status {status}")]
    Status {
        /// Which address.
        url: String,
        /// Which.
        status: u16,
    },
    /// Longer than allowed.
    #[error("{url}: an answer of more than {most} bytes")]
    TooLong {
        /// Which address.
        url: String,
        /// In bytes.
        most: usize,
    },
    /// Not what was asked for.
    #[error("{url}: {what}")]
    Form {
        /// Which address.
        url: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// What happened to a chain, as the platform says.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChainRow {
    pub(super) device: schemas::ids::DeviceAddress,
    pub(super) kind: String,
    pub(super) epoch: u64,
    pub(super) from_seq: u64,
    pub(super) to_seq: u64,
    pub(super) detail: String,
}

#[derive(Deserialize)]
struct ServedList {
    keys: Vec<(Hash, Hash)>,
}

/// A client of one platform and of witnesses.
pub(super) struct Fetcher {
    base: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl Fetcher {
    /// A client of the platform at `base`; under `ca` (PEM) where that is given. `token` is shown
    /// to the platform only.
    pub(super) fn new(
        base: &str,
        ca: Option<&str>,
        token: Option<String>,
    ) -> Result<Self, FetchError> {
        tls::install_provider();
        let failed = |why: String| FetchError::Network {
            url: base.to_owned(),
            why,
        };
        let mut builder = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(ca) = ca {
            let config = tls::client_config(ca).map_err(|error| failed(causes(&error)))?;
            builder = builder.tls_backend_preconfigured(std::sync::Arc::unwrap_or_clone(config));
        }
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            client: builder.build().map_err(|error| failed(causes(&error)))?,
            token,
        })
    }

    async fn get(&self, url: &str, most: usize, token: bool) -> Result<Vec<u8>, FetchError> {
        let network = |error: reqwest::Error| FetchError::Network {
            url: url.to_owned(),
            why: causes(&error),
        };
        let mut request = self.client.get(url);
        if let Some(token) = self.token.as_ref().filter(|_| token) {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send().await.map_err(network)?;
        if answer.status() != StatusCode::OK {
            let (url, status) = (url.to_owned(), answer.status().as_u16());
            return Err(FetchError::Status { url, status });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(network)? {
            if bytes.len() + chunk.len() > most {
                let url = url.to_owned();
                return Err(FetchError::TooLong { url, most });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        most: usize,
        token: bool,
    ) -> Result<T, FetchError> {
        let url = format!("{}{path}", self.base);
        let bytes = self.get(&url, most, token).await?;
        serde_json::from_slice(&bytes).map_err(|_| FetchError::Form {
            url,
            what: "not the JSON that belongs here",
        })
    }

    /// The newest checkpoint, as it is served.
    pub(super) async fn checkpoint(&self) -> Result<Vec<u8>, FetchError> {
        let url = format!("{}/log/checkpoint", self.base);
        self.get(&url, NOTE_MAX, false).await
    }

    /// Entries of bundle `number` in a tree of `size`: partial at the end, whole where the log has
    /// grown meanwhile.
    pub(super) async fn bundle(&self, number: u64, size: u64) -> Result<Vec<Vec<u8>>, FetchError> {
        let whole = format!("{}/log/tile/entries/{}", self.base, tile_number(number));
        let width = (size - number * WIDTH).min(WIDTH);
        let url = if width < WIDTH {
            format!("{whole}.p/{width}")
        } else {
            whole.clone()
        };
        let bytes = match self.get(&url, BUNDLE_MAX, false).await {
            Err(FetchError::Status { status: 404, .. }) if url != whole => {
                self.get(&whole, BUNDLE_MAX, false).await?
            }
            other => other?,
        };
        let entries = parse_bundle(&bytes).filter(|entries| entries.len() as u64 >= width);
        entries.ok_or(FetchError::Form {
            url,
            what: "not an entry bundle of this width",
        })
    }

    /// (kid, record hash) behind a registry version.
    pub(super) async fn list(
        &self,
        version: u64,
        count: u64,
    ) -> Result<Vec<(Hash, Hash)>, FetchError> {
        let rows = usize::try_from(count).unwrap_or(usize::MAX);
        let most = rows.saturating_mul(LIST_ROW).saturating_add(4_096);
        let path = format!("/v1/registry/list/{version}");
        let list: ServedList = self.json(&path, most.min(ANSWER_MAX * 16), false).await?;
        Ok(list.keys)
    }

    /// Records of all organisations' own keys.
    pub(super) async fn organisations(&self) -> Result<Shown, FetchError> {
        self.json("/v1/registry/organisations", ANSWER_MAX, false)
            .await
    }

    /// Records of one organisation, to whom it has given a token.
    pub(super) async fn records(&self, organisation: &str) -> Result<Shown, FetchError> {
        let path = format!("/v1/registry/records/{organisation}");
        self.json(&path, ANSWER_MAX, true).await
    }

    /// The policies of the log with their hand-overs.
    pub(super) async fn policies(&self) -> Result<PolicyChain, FetchError> {
        self.json("/v1/policies", ANSWER_MAX, false).await
    }

    /// What happened to chains.
    pub(super) async fn chains(&self) -> Result<Vec<ChainRow>, FetchError> {
        self.json("/v1/chains", ANSWER_MAX, false).await
    }

    /// What a witness of our kind says of itself.
    pub(super) async fn about_witness(&self, url: &str) -> Result<String, FetchError> {
        let bytes = self.get(url, ABOUT_MAX, false).await?;
        String::from_utf8(bytes).map_err(|_| FetchError::Form {
            url: url.to_owned(),
            what: "not text",
        })
    }
}
