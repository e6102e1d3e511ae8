//! The two lives of a notary: it leads, or it stands by and tries to.

use std::sync::Arc;
use std::time::Duration;

use schemas::causes::causes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{ADMIT_MOST, Admission, Notary, NotaryError, admit, kept_going};
use crate::standing::Stand;

/// How often a process that stands by asks for the lease and reads what is new.
const LOOK: Duration = Duration::from_millis(250);
/// How long it waits after too few witnesses have answered, or store or disk have failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Why one of the two lives has ended.
enum Ended {
    /// The platform ends.
    Shutdown,
    /// The other one begins.
    Changed,
}

type Admissions = mpsc::Receiver<Admission>;

impl Notary {
    /// Runs until `shutdown`; before it ends, everything stored is anchored and witnessed if it
    /// leads and the witnesses answer.
    ///
    /// # Errors
    /// [`NotaryError`] that a later try cannot mend.
    pub async fn run(
        mut self,
        mut admissions: Admissions,
        shutdown: CancellationToken,
    ) -> Result<(), NotaryError> {
        loop {
            let ended = match self.standing.now() {
                Stand::Leader { .. } => self.lead(&mut admissions, &shutdown).await,
                _ => self.stand_by(&mut admissions, &shutdown).await,
            };
            if let Ok(Ended::Changed) = ended {
                continue;
            }
            self.standing.set(Stand::Standby);
            self.lease.release().await;
            return ended.map(|_| ());
        }
    }

    /// Leads until the lease is lost. Whatever it is doing then is dropped where it stands, which
    /// is no worse than a kill there.
    async fn lead(
        &mut self,
        admissions: &mut Admissions,
        shutdown: &CancellationToken,
    ) -> Result<Ended, NotaryError> {
        let (lease, standing) = (Arc::clone(&self.lease), self.standing.clone());
        let done = tokio::select! {
            lost = lease.keep() => Err(lost),
            () = standing.lost(lease.fence()) => Err(NotaryError::Leased),
            done = self.rounds(admissions, shutdown) => done,
        };
        match done.or_else(|error| kept_going("the log", error)) {
            Ok(()) => Ok(Ended::Shutdown),
            Err(NotaryError::Leased) => {
                tracing::warn!("another process leads now; standing by");
                self.standing.set(Stand::Standby);
                Ok(Ended::Changed)
            }
            Err(error) => Err(error),
        }
    }

    async fn rounds(
        &mut self,
        admissions: &mut Admissions,
        shutdown: &CancellationToken,
    ) -> Result<(), NotaryError> {
        let mut batch_time = tokio::time::interval(self.every);
        batch_time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What other processes have batched has waited for its place already.
        let mut look_time = tokio::time::interval(LOOK.min(self.every));
        look_time.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = batch_time.tick() => {}
                _ = look_time.tick() => {
                    if let Err(error) = self.place_others().await {
                        kept_going("nothing is lost, trying again", error)?;
                    }
                    continue;
                }
                count = admissions.recv_many(&mut waiting, ADMIT_MOST) => if count == 0 { break },
            }
            self.admit(waiting).await?;
            match self.turn().await {
                Ok(true) => batch_time.reset_immediately(),
                Ok(false) => {}
                Err(error) => kept_going("nothing is lost, trying again", error)?,
            }
        }
        while self.turn().await? {}
        Ok(())
    }

    /// Stands by until it can lead.
    async fn stand_by(
        &mut self,
        admissions: &mut Admissions,
        shutdown: &CancellationToken,
    ) -> Result<Ended, NotaryError> {
        let wake = Arc::clone(&self.wake);
        let (mut next, mut batch_at) = (Instant::now(), Instant::now());
        loop {
            let mut waiting = Vec::new();
            tokio::select! {
                () = shutdown.cancelled() => {
                    // What it has taken another process would batch later.
                    self.work(&mut Instant::now()).await?;
                    return Ok(Ended::Shutdown);
                }
                () = tokio::time::sleep_until(next) => {}
                () = wake.registry.notified() => {}
                count = admissions.recv_many(&mut waiting, ADMIT_MOST) => {
                    if count == 0 {
                        return Ok(Ended::Shutdown);
                    }
                    admit::refuse(waiting);
                    continue;
                }
            }
            let opened = tokio::select! {
                () = shutdown.cancelled() => return Ok(Ended::Shutdown),
                opened = self.try_to_lead() => opened,
            };
            self.work(&mut batch_at).await?;
            next = Instant::now()
                + match opened {
                    Ok(()) => return Ok(Ended::Changed),
                    Err(NotaryError::Leased) => LOOK,
                    Err(error @ NotaryError::Unconfirmed { .. }) => {
                        tracing::warn!("{error}");
                        AGAIN
                    }
                    Err(error) => {
                        kept_going("the log cannot be read; trying again", error)?;
                        AGAIN
                    }
                };
        }
    }

    /// Beside a leader: batches what this process has taken, when it is time.
    async fn work(&self, batch_at: &mut Instant) -> Result<(), NotaryError> {
        if self.standing.now() != Stand::Worker || Instant::now() < *batch_at {
            return Ok(());
        }
        *batch_at = Instant::now() + self.every;
        match self.make_batches().await {
            Ok(true) => *batch_at = Instant::now(),
            Ok(false) => {}
            Err(error) => kept_going("no batch was made; trying again", error)?,
        }
        Ok(())
    }

    /// Asks for the lease; while another holds it, reads what is new.
    async fn try_to_lead(&mut self) -> Result<(), NotaryError> {
        match self.open().await {
            Err(NotaryError::Leased) => {
                if let Err(error) = self.follow().await {
                    kept_going("what is new cannot be read; trying again", error)?;
                }
                Err(NotaryError::Leased)
            }
            opened => {
                if let Err(error) = &opened {
                    tracing::debug!(error = causes(error), "does not lead");
                }
                opened
            }
        }
    }
}
