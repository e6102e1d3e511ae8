//! The bank's core system over HTTP.
//!
//! ```text
//! POST {base}/v1/payments        Idempotency-Key: "KEY"
//!      {"payee_account","amount","currency"}
//! GET  {base}/v1/payments/KEY
//! ```
//! Both answer with `{"key","state","reference","on","reason"}`, where `state` is `paid` (with
//! `reference` and the value date `on`), `refused` (with `reason`) or `pending`. `GET` of a key that
//! the bank never saw is 404. Whatever else comes, and whatever does not come, is
//! [`Answer::Unknown`]: it is asked again under the same key.

use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;
use reqwest::{Client, Response, StatusCode, Url};
use schemas::hash::Hash;
use serde::{Deserialize, Serialize};

use super::ports::{Answer, Bank, Instruction, Receipt};

/// Most bytes of an answer.
const ANSWER_MAX: usize = 16 * 1024;

/// Longest reference in characters.
const REFERENCE_MAX: usize = 128;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    /// The address is none.
    #[error("lending.bank.base: an http or https address is needed")]
    Address,
    /// No client can be made.
    #[error("lending.bank: no client can be made")]
    Client(#[from] reqwest::Error),
}

/// A client of the bank's core system. Redirects are not followed.
#[derive(Clone)]
pub struct HttpBank {
    base: Url,
    client: Client,
    token: Option<String>,
}

#[derive(Serialize)]
struct Payment<'p> {
    payee_account: &'p str,
    amount: String,
    currency: &'p str,
}

#[derive(Deserialize)]
struct Said {
    key: Hash,
    state: State,
    reference: Option<String>,
    on: Option<NaiveDate>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Paid,
    Refused,
    Pending,
}

impl HttpBank {
    /// A client of the core system at `base`, with the bearer token by which it knows this service.
    ///
    /// # Errors
    /// [`BankError`].
    pub fn new(base: &str, timeout: Duration, token: Option<String>) -> Result<Self, BankError> {
        let base = format!("{}/", base.trim_end_matches('/'));
        let base = Url::parse(&base).map_err(|_| BankError::Address)?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(BankError::Address);
        }
        // Another part of the process may have chosen the provider already; then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            base,
            client,
            token,
        })
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

#[async_trait]
impl Bank for HttpBank {
    async fn pay(&self, instruction: &Instruction, account: &str) -> Answer {
        let Ok(url) = self.base.join("v1/payments") else {
            return Answer::Unknown;
        };
        let amount = instruction.amount();
        let currency = amount.currency();
        let payment = Payment {
            payee_account: account,
            amount: amount.amount(),
            currency: currency.as_str(),
        };
        let key = instruction.key();
        let request = self.client.post(url).json(&payment);
        let request = request.header("idempotency-key", format!("\"{key}\""));
        match self.authorised(request).send().await {
            Ok(response) if response.status().is_success() => said(response, &key).await,
            // Not even a refusal of the request says that the money is not out under this key.
            _ => Answer::Unknown,
        }
    }

    async fn look_up(&self, key: &Hash) -> Answer {
        let Ok(url) = self.base.join(&format!("v1/payments/{key}")) else {
            return Answer::Unknown;
        };
        match self.authorised(self.client.get(url)).send().await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Answer::NotSeen,
            Ok(response) if response.status().is_success() => said(response, key).await,
            _ => Answer::Unknown,
        }
    }
}

async fn said(response: Response, key: &Hash) -> Answer {
    read(response, key).await.unwrap_or(Answer::Unknown)
}

async fn read(mut response: Response, key: &Hash) -> Option<Answer> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if bytes.len() + chunk.len() > ANSWER_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    let said: Said = serde_json::from_slice(&bytes).ok()?;
    if said.key != *key {
        return None;
    }
    Some(match said.state {
        State::Paid => Answer::Accepted(Receipt {
            reference: said.reference.filter(|text| fits(text))?,
            on: said.on?,
        }),
        State::Refused => Answer::Refused(said.reason.filter(|text| fits(text))?),
        State::Pending => Answer::Unknown,
    })
}

fn fits(text: &str) -> bool {
    (1..=REFERENCE_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
