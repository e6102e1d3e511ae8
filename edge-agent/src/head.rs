//! Asking the platform where this device's chain ends.
//!
//! Nothing on a disk tells that the whole disk is an older copy: a card that was restored from a
//! backup would go on where the copy ends, and fork its own chain. So before the first connection
//! of a process the platform is asked for the newest statement that it has of this device
//! (`GET /v1/head/{organisation}/{device}`), with the device's own name and password. What it says
//! counts only where this device has signed it and the platform's receipt names it.
//!
//! A platform that cannot be asked does not keep the device from sending: receipts for statements
//! that were not made here show a copy too, only later. What it has said, it has said: once a head
//! is known that this chain does not go on from, nothing is sent before a new epoch has begun
//! behind it, however often the questions on the way there fail.

use std::time::Duration;

use schemas::b64;
use schemas::hash::Hash;
use schemas::receipt::{Receipt, Reply};
use schemas::statement::Statement;
use serde::Deserialize;
use tokio::sync::watch;

use crate::clock::Floor;
use crate::http::{self, Client, Line, Question};
use crate::outbox::Outbox;
use crate::status::Head;
use crate::trust::{Enrolment, Trust};

/// Longest time that one question may keep a connection waiting.
const PATIENCE: Duration = Duration::from_secs(3);
/// Receipts asked for at once.
const RECEIPTS_MAX: u32 = 256;

/// Name and password at the broker; a rotation changes them.
#[derive(Clone)]
pub struct Credentials {
    /// The device's address.
    pub username: String,
    /// 64 hex digits.
    pub password: String,
}

impl Credentials {
    /// As the enrolment has it.
    #[must_use]
    pub fn of(enrolment: &Enrolment) -> Self {
        Self {
            username: enrolment.username.clone(),
            password: enrolment.password.clone(),
        }
    }
}

/// The platform's answer.
#[derive(Deserialize)]
struct Answer {
    #[serde(with = "b64")]
    statement: Vec<u8>,
    #[serde(with = "b64")]
    receipt: Vec<u8>,
}

/// Where the platform is asked, and by whom.
pub struct Platform {
    client: Client,
    trust: watch::Receiver<Trust>,
    credentials: watch::Receiver<Credentials>,
}

impl Platform {
    /// The platform of an enrolment, under its CA; certificates are judged by the device's clock, or
    /// by `floor` where that is later. What it says is judged by the newest `trust`: a rotation gives
    /// the device another key.
    ///
    /// # Errors
    /// Why there is no client for it.
    pub fn new(
        enrolment: &Enrolment,
        trust: watch::Receiver<Trust>,
        floor: &Floor,
        credentials: watch::Receiver<Credentials>,
    ) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(&enrolment.platform, &enrolment.ca, floor.clone())?,
            trust,
            credentials,
        })
    }

    /// The newest statement of this device that the platform has; `None` where it has nothing, or
    /// does not know the question.
    ///
    /// # Errors
    /// Why there is no answer, or why it does not count.
    pub async fn head(&self) -> Result<Option<Head>, String> {
        self.head_on(&mut self.client.line()).await
    }

    async fn head_on(&self, line: &mut Line<'_>) -> Result<Option<Head>, String> {
        let path = format!("/v1/head/{}", self.trust.borrow().device);
        let Credentials { username, password } = self.credentials.borrow().clone();
        let question = Question::get(&path).within(PATIENCE);
        let answer = line.ask(&question.login(&username, &password)).await?;
        match answer.status {
            http::NOT_FOUND => Ok(None),
            _ => self.checked(&answer.ok()?).map(Some),
        }
    }

    fn checked(&self, bytes: &[u8]) -> Result<Head, String> {
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let statement = Statement::parse(answer.statement).map_err(|error| error.to_string())?;
        let (payload, id, trust) = (&statement.payload, statement.id(), self.trust.borrow());
        if !trust.has_signed(&statement) {
            return Err("a head that this device has not signed".to_owned());
        }
        let Ok(Reply::Receipt(receipt)) = Reply::decode(&answer.receipt) else {
            return Err("a head without a receipt".to_owned());
        };
        let receipt = Receipt::open(&receipt, &trust.receipt_key);
        if !receipt.is_ok_and(|receipt| receipt.device == trust.device && receipt.last == id) {
            return Err("a head that its receipt does not name".to_owned());
        }
        Ok(Head {
            epoch: payload.position.epoch,
            seq: payload.position.seq,
            id,
        })
    }

    /// The receipt for a statement, as on the receipt topic; `None` where it is not stored.
    async fn receipt(line: &mut Line<'_>, id: &Hash) -> Result<Option<Vec<u8>>, String> {
        let path = format!("/v1/receipts/{id}");
        let answer = line.ask(&Question::get(&path).within(PATIENCE)).await?;
        match answer.status {
            http::NOT_FOUND => Ok(None),
            _ => answer.ok().map(Some),
        }
    }
}

/// Asks until it has been answered once.
pub struct Comparison {
    platform: Platform,
    outbox: Outbox,
    done: bool,
    apart: Option<Apart>,
}

/// This chain does not go on from the platform's.
#[derive(Clone, Copy)]
struct Apart {
    theirs: Head,
    /// Up to where receipts have been asked for.
    asked: i64,
}

impl Comparison {
    /// Nothing is asked before [`Comparison::once`].
    #[must_use]
    pub const fn new(platform: Platform, outbox: Outbox) -> Self {
        Self {
            platform,
            outbox,
            done: false,
            apart: None,
        }
    }

    /// Compares the ends of the chain, if that has not been done yet; whether anything may be sent.
    /// Where not, ask again after a while.
    pub async fn once(&mut self) -> bool {
        if self.done {
            return true;
        }
        match self.compare().await {
            Ok(()) => (self.done, self.apart) = (true, None),
            Err(problem) if self.apart.is_some() => {
                tracing::warn!(
                    problem,
                    "the platform has another chain; nothing is sent yet"
                );
            }
            Err(problem) => tracing::debug!(problem, "the platform was not asked for the chain"),
        }
        self.apart.is_none()
    }

    /// Asks anew: something has happened since.
    pub const fn again(&mut self) {
        self.done = false;
    }

    async fn compare(&mut self) -> Result<(), String> {
        let known = self.apart.map(|apart| apart.theirs);
        let mut line = self.platform.client.line();
        let Some(theirs) = self.platform.head_on(&mut line).await?.or(known) else {
            return Ok(());
        };
        let text = |error: crate::outbox::OutboxError| error.to_string();
        if self.outbox.follows(theirs).await.map_err(text)? {
            return Ok(());
        }
        // What the platform has of what waits here keeps its place; the rest never left.
        let before = self.apart.filter(|apart| apart.theirs == theirs);
        let apart = self
            .apart
            .insert(before.unwrap_or(Apart { theirs, asked: 0 }));
        loop {
            let waiting = self.outbox.unreceipted(apart.asked, RECEIPTS_MAX).await;
            let waiting = waiting.map_err(text)?;
            if waiting.is_empty() {
                break;
            }
            for (position, id) in &waiting {
                if let Some(reply) = Platform::receipt(&mut line, id).await? {
                    self.outbox.reply(&reply).await.map_err(text)?;
                }
                apart.asked = *position;
            }
        }
        self.outbox.known_head(theirs).await.map_err(text)
    }
}
