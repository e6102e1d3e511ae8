//! The platform over HTTP/1.1, by hand like the answers of [`crate::serve`]: what is asked is a
//! handful of small questions, and a client library brings URLs and names of all alphabets with it
//! (`platform/docs/decisions/0018`). TLS is under the claim's CA alone; no proxy and no redirect leads away from
//! what the claim names; an answer is bounded in bytes and in time.

mod base;
mod message;
mod question;

use std::sync::Arc;
use std::time::Duration;

use rumqttc::tokio_rustls::TlsConnector;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::base::Base;
pub(crate) use self::message::Answer;
pub(crate) use self::question::Question;
use crate::clock::Floor;
use crate::tls;

/// Status codes that are told from others here.
pub(crate) const OK: u16 = 200;
pub(crate) const NOT_FOUND: u16 = 404;
/// Longest time for one of a name's addresses, so that a dead one does not take all of it.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// One platform, asked on a connection of its own for each question, or on one after the other
/// ([`Client::line`]).
pub(crate) struct Client {
    base: Base,
    tls: Option<Arc<ClientConfig>>,
}

/// Bytes both ways, in clear or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Open = BufReader<Box<dyn Stream>>;

impl Client {
    /// The platform at `base` (`https://host[:port][/path]`), under `ca` where it speaks TLS.
    /// Certificates are judged by the system's clock, or by `floor` where that is later.
    pub fn new(base: &str, ca: &str, floor: Floor) -> Result<Self, String> {
        let base: Base = base.parse()?;
        let config = base.is_tls.then(|| tls::under_ca_since(ca, floor));
        let config = config.transpose().map_err(|error| error.to_string())?;
        Ok(Self::of(base, config))
    }

    /// One that believes any certificate: only to fetch the CA, whose fingerprint is compared after.
    pub fn unverified(base: &str) -> Result<Self, String> {
        let config = tls::unverified().map_err(|error| error.to_string())?;
        Ok(Self::of(base.parse()?, Some(config)))
    }

    fn of(base: Base, config: Option<ClientConfig>) -> Self {
        let tls = config.filter(|_| base.is_tls).map(Arc::new);
        Self { base, tls }
    }

    /// True where nothing that is said leaves the machine.
    pub fn is_loopback(&self) -> bool {
        self.base.is_loopback()
    }

    /// True where what is said is encrypted.
    pub const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// One question on its own connection.
    ///
    /// # Errors
    /// In words: no connection, no answer in time, or none that can be read.
    pub async fn ask(&self, question: &Question<'_>) -> Result<Answer, String> {
        let asking = async {
            let mut open = self.connect().await?;
            let asked = question.text(&self.base, false)?;
            let (answer, _) = message::exchange(&mut open, &asked).await?;
            Ok(answer)
        };
        self.in_time(question, asking).await
    }

    /// Every problem names the platform that it is with.
    async fn in_time(
        &self,
        question: &Question<'_>,
        asking: impl Future<Output = Result<Answer, String>>,
    ) -> Result<Answer, String> {
        let patience = question.patience;
        let outcome = match timeout(patience, asking).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
        };
        outcome.map_err(|problem| format!("{}: {problem}", self.base))
    }

    /// [`Client::ask`] for what lies at a path below the base.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(&Question::get(path)).await
    }

    /// For questions that follow each other at once: they share a connection while it lasts.
    pub const fn line(&self) -> Line<'_> {
        Line {
            client: self,
            open: None,
        }
    }

    async fn connect(&self) -> Result<Open, String> {
        let Base { host, port, .. } = &self.base;
        let addresses = tokio::net::lookup_host((host.as_str(), *port)).await;
        let mut problem = "the name has no address".to_owned();
        for address in addresses.map_err(|error| error.to_string())? {
            match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.secured(stream).await,
                Ok(Err(error)) => problem = error.to_string(),
                Err(_) => problem = "no connection in time".to_owned(),
            }
        }
        Err(problem)
    }

    async fn secured(&self, stream: TcpStream) -> Result<Open, String> {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        stream.set_nodelay(true).map_err(|error| words(&error))?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(self.base.host.clone());
                let name = name.map_err(|error| words(&error))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let secured = connector.connect(name, stream).await;
                Box::new(secured.map_err(|error| words(&error))?)
            }
        };
        Ok(BufReader::new(stream))
    }
}

/// A connection that is used again.
pub(crate) struct Line<'c> {
    client: &'c Client,
    open: Option<Open>,
}

impl Line<'_> {
    /// A question that may be asked twice: the other side may have closed what was open, which shows
    /// only when it is used.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn ask(&mut self, question: &Question<'_>) -> Result<Answer, String> {
        let client = self.client;
        client.in_time(question, self.ask_on(question)).await
    }

    /// [`Line::ask`] for what lies at a path below the base.
    pub async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.ask(&Question::get(path)).await
    }

    async fn ask_on(&mut self, question: &Question<'_>) -> Result<Answer, String> {
        let asked = question.text(&self.client.base, true)?;
        if let Some(mut open) = self.open.take()
            && let Ok((answer, goes_on)) = message::exchange(&mut open, &asked).await
        {
            self.open = goes_on.then_some(open);
            return Ok(answer);
        }
        let mut open = self.client.connect().await?;
        let (answer, goes_on) = message::exchange(&mut open, &asked).await?;
        self.open = goes_on.then_some(open);
        Ok(answer)
    }
}

#[cfg(test)]
pub(crate) mod tests;
