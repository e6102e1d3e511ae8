//! Asking for inclusions that never came.
//!
//! The platform sends an inclusion once; a broker that loses its queue loses it with it. When a
//! statement's anchor deadline has passed, the agent asks: `GET /v1/inclusions/{statement id}`
//! answers with the same bytes as the receipt topic (`statement.md` section 6), or 404. What comes
//! back is verified like everything else, so it does not matter who answers.

use std::time::Duration;

use schemas::hash::Hash;
use tokio_util::sync::CancellationToken;

use crate::clock::Floor;
use crate::http::{self, Client, Line};
use crate::outbox::Outbox;

/// Between rounds of questions, in real time.
const ROUND: Duration = Duration::from_secs(2);
/// Most questions in a round.
const QUESTIONS_MAX: u32 = 16;

/// Asks the platform until `shutdown`, at each of its addresses in turn until one answers.
pub(crate) struct Inquiry {
    /// One for each address.
    platforms: Vec<Client>,
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
        let platform = |base: &String| Client::new(base, ca, floor.clone());
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
        let mut lines: Vec<Line<'_>> = self.platforms.iter().map(Client::line).collect();
        let late = self.outbox.late(QUESTIONS_MAX).await;
        for id in late.map_err(|error| error.to_string())? {
            if let Some(bytes) = ask(&mut lines, &id).await? {
                let stored = self.outbox.reply(&bytes).await;
                stored.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// What the first address that knows something says; an error if none answers.
async fn ask(lines: &mut [Line<'_>], id: &Hash) -> Result<Option<Vec<u8>>, String> {
    let path = format!("/v1/inclusions/{id}");
    let mut problem = None;
    for line in lines {
        match line.get(&path).await {
            Ok(answer) if answer.status == http::OK => return Ok(Some(answer.body)),
            Ok(_) => {}
            Err(error) => problem = Some(error),
        }
    }
    problem.map_or(Ok(None), Err)
}
