//! Asking for inclusions that never came.
//!
//! The platform sends an inclusion once; a broker that loses its queue loses it with it. When a
//! statement's anchor deadline has passed, the agent asks: `GET /v1/inclusions/{statement id}`
//! answers with the same bytes as the receipt topic (`statement.md` section 6), or 404. What comes
//! back is verified like everything else, so it does not matter who answers.

use std::time::Duration;

use reqwest::StatusCode;
use schemas::hash::Hash;
use tokio_util::sync::CancellationToken;

use crate::clock::Floor;
use crate::http;
use crate::outbox::Outbox;

/// Between rounds of questions, in real time.
const ROUND: Duration = Duration::from_secs(2);
/// Most questions in a round.
const QUESTIONS_MAX: u32 = 16;

/// Asks the platform until `shutdown`, at each of its addresses in turn until one answers.
pub(crate) struct Inquiry {
    /// Client and base of each address.
    platforms: Vec<(reqwest::Client, String)>,
    outbox: Outbox,
}

impl Inquiry {
    /// Nothing is asked before a deadline has passed.
    pub fn new<'b>(
        bases: impl Iterator<Item = &'b String>,
        ca: &str,
        floor: &Floor,
        outbox: Outbox,
    ) -> Result<Self, String> {
        let platform = |base: &String| {
            let client = http::client_since(base, ca, floor.clone())?;
            Ok((client, base.trim_end_matches('/').to_owned()))
        };
        let platforms = bases.map(platform).collect::<Result<_, String>>()?;
        Ok(Self { platforms, outbox })
    }

    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.round() => if let Err(problem) = outcome {
                    tracing::debug!(problem, "no answer about late statements");
                }
            }
        }
    }

    async fn round(&self) -> Result<(), String> {
        let late = self.outbox.late(QUESTIONS_MAX).await;
        for id in late.map_err(|error| error.to_string())? {
            if let Some(bytes) = self.ask(&id).await? {
                let stored = self.outbox.reply(&bytes).await;
                stored.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// What the first address that knows something says; an error if none answers.
    async fn ask(&self, id: &Hash) -> Result<Option<Vec<u8>>, String> {
        let mut problem = None;
        for (client, base) in &self.platforms {
            match http::send(client.get(format!("{base}/v1/inclusions/{id}"))).await {
                Ok((StatusCode::OK, bytes)) => return Ok(Some(bytes)),
                Ok(_) => {}
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(None), Err)
    }
}
