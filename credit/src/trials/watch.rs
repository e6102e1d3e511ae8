//! What the service does about its trial by itself, every minute of the injected clock: the stop-loss
//! is held against its rule, the report of a month that is over is made, and hashes of documents are
//! handed over for the log.

use std::sync::Arc;

use schemas::causes::causes;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{ActError, Office};
use crate::rounds;
use crate::sandbox::stop_loss::StopLoss;

impl Office {
    /// Holds the rule against the rows as they are now, and trips the stop-loss if anything does.
    /// Rows that do not fit together trip nothing, and the error says so.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn hold_rule(&self) -> Result<StopLoss, ActError> {
        let trips = self.trips().await?;
        let now = self.clock.now();
        Ok(self.trials.trip(self.trial(), trips, now).await?)
    }

    /// One look: the stop-loss, reports that are due, hashes for the log.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn look(&self) -> Result<(), ActError> {
        let held = self.hold_rule().await;
        if let Ok(StopLoss::Tripped(tripped)) = &held {
            tracing::warn!(since = %tripped.at, "the stop-loss is tripped: nothing is lent");
        }
        self.keep_due().await?;
        self.hand_over().await?;
        held.map(drop)
    }

    /// Hands hashes of documents over for the log. That they do not get there stops nothing: they
    /// are handed over again at the next look.
    async fn hand_over(&self) -> Result<(), ActError> {
        let Some(logged) = &self.logged else {
            return Ok(());
        };
        let documents = self.trials.log_entries(self.trial()).await?;
        if let Err(error) = logged.round(&documents).await {
            tracing::warn!(error = causes(&error), "documents are not in the log yet");
        }
        Ok(())
    }
}

/// Looks until the token is cancelled.
#[must_use]
pub fn spawn(office: Office, shutdown: CancellationToken) -> JoinHandle<()> {
    let clock = Arc::clone(&office.clock);
    rounds::spawn(clock, shutdown, move || {
        let office = office.clone();
        async move {
            if let Err(error) = office.look().await {
                tracing::error!(
                    error = causes(&error),
                    "the trial could not be looked after"
                );
            }
        }
    })
}
