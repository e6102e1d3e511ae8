//! A bank's core system, which pays: a real HTTP server with the interface that
//! [`credit::lending::bank`] describes.
//!
//! It keeps one payment for a key, however often it is sent, and refuses the key with another
//! payment. On request it loses messages as lines and proxies do: one on its way in, so that nothing
//! was paid, or the answer on its way out, so that the money is out and nobody was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::NaiveDate;
use credit::law::acceptance::china_day;
use kit::serve::{self, ServeError};
use schemas::time::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Most payments that it keeps: it is a simulator.
const PAYMENTS_MAX: usize = 100_000;

/// A message that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The request does not arrive: nothing is done.
    Request,
    /// The request arrives and is done; its answer is lost.
    Answer,
}

/// A payment that it has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The account.
    pub account: String,
    /// Amount and currency, as they were sent.
    pub amount: (String, String),
    /// Its name here.
    pub reference: String,
    /// Its value date.
    pub on: NaiveDate,
}

#[derive(Default)]
struct Books {
    payments: BTreeMap<String, Payment>,
    refused: BTreeMap<String, String>,
    closed_accounts: BTreeSet<String>,
    losses: VecDeque<Loss>,
    requests: usize,
}

#[derive(Clone)]
struct Core {
    // Held for one request's look and change.
    books: Arc<Mutex<Books>>,
    clock: Arc<dyn Clock>,
}

impl Core {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A core system that runs until it is dropped.
pub struct BankCore {
    address: SocketAddr,
    core: Core,
    shutdown: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl BankCore {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start(clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let core = Core {
            books: Arc::default(),
            clock,
        };
        let router = Router::new()
            .route("/v1/payments", post(pay))
            .route("/v1/payments/{key}", get(look_up))
            .with_state(core.clone());
        let shutdown = CancellationToken::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let served = serve::serve(router, address, None, shutdown.clone()).await?;
        Ok(Self {
            address: served.address,
            core,
            shutdown,
            task: served.task,
        })
    }

    /// Its base address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the next messages in this order, one a request.
    pub fn lose(&self, losses: impl IntoIterator<Item = Loss>) {
        self.core.books().losses.extend(losses);
    }

    /// Refuses payments to an account from now on.
    pub fn close_account(&self, account: &str) {
        self.core.books().closed_accounts.insert(account.to_owned());
    }

    /// Everything that was paid, by key.
    #[must_use]
    pub fn paid(&self) -> Vec<Payment> {
        self.core.books().payments.values().cloned().collect()
    }

    /// How many requests arrived, lost ones among them.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.core.books().requests
    }
}

impl Drop for BankCore {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.task.abort();
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    payee_account: String,
    amount: String,
    currency: String,
}

async fn pay(State(core): State<Core>, headers: HeaderMap, Json(asked): Json<Asked>) -> Response {
    let key = headers.get(kit::idempotency::HEADER);
    let key = key.and_then(|value| value.to_str().ok());
    let Some(key) = key.map(|key| key.trim_matches('"').to_owned()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let today = china_day(core.clock.now());
    let mut books = core.books();
    books.requests += 1;
    let loss = books.losses.pop_front();
    if loss == Some(Loss::Request) {
        return lost();
    }
    let status = books.pay(&key, asked, today);
    let said = books.says(&key);
    drop(books);
    match (loss, said) {
        (Some(_), _) => lost(),
        (None, Some(said)) if status.is_success() => (status, Json(said)).into_response(),
        _ => status.into_response(),
    }
}

async fn look_up(State(core): State<Core>, Path(key): Path<String>) -> Response {
    let mut books = core.books();
    books.requests += 1;
    if books.losses.pop_front().is_some() {
        return lost();
    }
    match books.says(&key) {
        Some(said) => Json(said).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Books {
    /// Pays once for a key.
    fn pay(&mut self, key: &str, asked: Asked, on: NaiveDate) -> StatusCode {
        let amount = (asked.amount, asked.currency);
        if let Some(kept) = self.payments.get(key) {
            let is_same = kept.account == asked.payee_account && kept.amount == amount;
            return if is_same {
                StatusCode::OK
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
        }
        if self.refused.contains_key(key) {
            return StatusCode::OK;
        }
        if self.payments.len() >= PAYMENTS_MAX {
            return StatusCode::INSUFFICIENT_STORAGE;
        }
        if self.closed_accounts.contains(&asked.payee_account) {
            self.refused
                .insert(key.to_owned(), "the account is closed".to_owned());
            return StatusCode::OK;
        }
        let payment = Payment {
            account: asked.payee_account,
            amount,
            reference: format!("core-{}", self.payments.len() + 1),
            on,
        };
        self.payments.insert(key.to_owned(), payment);
        StatusCode::CREATED
    }

    /// What is said of a key.
    fn says(&self, key: &str) -> Option<Value> {
        if let Some(reason) = self.refused.get(key) {
            return Some(json!({ "key": key, "state": "refused", "reason": reason }));
        }
        let paid = self.payments.get(key)?;
        Some(json!({
            "key": key,
            "state": "paid",
            "reference": paid.reference,
            "on": paid.on,
        }))
    }
}

/// An answer that breaks off: whoever asked does not know what became of it.
fn lost() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Vec<u8>, io::Error>(io::ErrorKind::ConnectionAborted.into())
    });
    Body::from_stream(broken).into_response()
}
