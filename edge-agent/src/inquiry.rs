//! Asking for inclusions that never came.
//!
//! The platform sends an inclusion once; a broker that loses its queue loses it with it. When a
//! statement's anchor deadline has passed, the agent asks: `GET /v1/inclusions/{statement id}`
//! answers with the same bytes as the receipt topic (`statement.md` section 6), or 404. What comes
//! back is verified like everything else, so it does not matter who answers.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::http;
use crate::outbox::Outbox;

/// Between rounds of questions, in real time.
const ROUND: Duration = Duration::from_secs(2);
/// Most questions in a round.
const QUESTIONS_MAX: u32 = 16;

/// Asks the platform at `base` until `shutdown`.
pub(crate) struct Inquiry {
    client: reqwest::Client,
    base: String,
    outbox: Outbox,
}

impl Inquiry {
    /// Nothing is asked before a deadline has passed.
    pub fn new(base: &str, ca: &str, outbox: Outbox) -> Result<Self, String> {
        let client = http::client_of(base, ca)?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base,
            outbox,
        })
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
            let url = format!("{}/v1/inclusions/{id}", self.base);
            let (status, bytes) = http::send(self.client.get(url)).await?;
            if status == reqwest::StatusCode::OK {
                let stored = self.outbox.reply(&bytes).await;
                stored.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
