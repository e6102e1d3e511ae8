//! The next key of a device that is enrolled: same chain, same state directory, nothing lost.
//!
//! `edge-agent rotate CLAIM` leaves the wish in the state directory ([`ask`]); the running agent
//! does the rest (`Rotator`). In this order, each step durable before the next, so that the power
//! may go at any point:
//! 1. the next key is made beside the present one; the request is handed in under the claim;
//! 2. the organisation drafts the record; the device checks it;
//! 3. the present key says its last word, which names the next key, and nothing is signed from
//!    then on (`outbox::rotation`);
//! 4. when the platform has the last word, the device consents;
//! 5. the organisation ends the present key at its last word and signs the new record;
//! 6. the new enrolment is stored, which is the moment of the change; the next key becomes the
//!    present one, and what has waited is signed with it.
//!
//! Between 3 and 6 lie seconds: the organisation's tool waits for the consent. If it says no, the
//! present key goes on as before. If it says nothing, that shows as a state
//! ([`crate::state::State::KeyChangeWaits`]), and whoever must go on ends it ([`cancel`]).

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::enrol::{Claim, Request};
use schemas::hash::Hash;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answer::accept;
use super::http::Platform;
use super::{Asking, EnrolError, Pending, Progressed};
use crate::clock::Floor;
use crate::head::Credentials;
use crate::identity::{self, Algorithm, IdentityError, NEXT_KEY_FILE, write_private};
use crate::outbox::{Outbox, OutboxError};
use crate::trust::{Enrolment, Trust};

/// The wish, in the state directory, mode 0600: it holds the claim's secret.
pub const ROTATION_FILE: &str = "rotation.json";
/// Why the last wish came to nothing.
pub const REFUSAL_FILE: &str = "rotation.refused";
/// Whoever wants no next key any more leaves this file.
const CANCEL_FILE: &str = "rotation.cancel";
/// A next key that may have consented when the rotation came to nothing, mode 0600.
const GIVEN_UP_KEY_FILE: &str = "device.given-up.key";
/// How often the agent looks for a wish, and for what it waits for.
const LOOK: Duration = Duration::from_millis(500);
/// Between two tries when the platform cannot be asked.
const AGAIN: Duration = Duration::from_secs(2);

/// A rotation under way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    claim: Claim,
    /// kid of the next key.
    next: Hash,
    pending: Pending,
}

impl Wish {
    fn load(state: &Path) -> Result<Option<Self>, EnrolError> {
        let path = state.join(ROTATION_FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::Io { path, source }.into()),
        };
        let wish = serde_json::from_slice(&bytes);
        wish.map(Some)
            .map_err(|_| EnrolError::Draft(format!("{} is damaged", path.display())))
    }

    fn store(&self, state: &Path) -> Result<(), EnrolError> {
        let path = state.join(ROTATION_FILE);
        let bytes =
            serde_json::to_vec(self).map_err(|error| EnrolError::Http(error.to_string()))?;
        let written = write_private(&path, &bytes);
        written.map_err(|source| IdentityError::Io { path, source }.into())
    }
}

/// Makes the next key and leaves the wish for the agent; kid of the next key. The same claim again
/// changes nothing.
///
/// # Errors
/// [`EnrolError`]; nothing has changed then but that a next key may lie there.
pub fn ask(state: &Path, claim: &Claim, algorithm: Algorithm) -> Result<Hash, EnrolError> {
    let enrolment = Enrolment::load(state)?;
    let enrolment = enrolment.ok_or_else(|| EnrolError::NotEnrolled(state.to_owned()))?;
    if claim.log != enrolment.log {
        return Err(EnrolError::Foreign("log"));
    }
    if claim.organisation != enrolment.organisation {
        return Err(EnrolError::Foreign("organisation"));
    }
    if let Some(wish) = Wish::load(state)?.filter(|wish| wish.claim == *claim) {
        return Ok(wish.next);
    }
    let next = identity::load_or_make_next(state, algorithm)?.kid();
    remove(&state.join(REFUSAL_FILE))?;
    remove(&state.join(CANCEL_FILE))?;
    let wish = Wish {
        claim: claim.clone(),
        next,
        pending: Pending::begin(claim)?,
    };
    wish.store(state)?;
    Ok(next)
}

/// Asks the agent to go on with the present key, whatever the organisation says later; false where no
/// rotation is under way.
///
/// # Errors
/// [`EnrolError::Identity`] where the state directory cannot be written.
pub fn cancel(state: &Path) -> Result<bool, EnrolError> {
    if !state.join(ROTATION_FILE).exists() {
        return Ok(false);
    }
    let path = state.join(CANCEL_FILE);
    let written = write_private(&path, b"");
    written.map_err(|source| IdentityError::Io { path, source })?;
    Ok(true)
}

/// Waits for the end of a rotation that was asked for; the caller sets a deadline if it wants one.
///
/// # Errors
/// [`EnrolError::Refused`] with the reason where the present key stays.
pub async fn followed(state: &Path, next: &Hash) -> Result<(), EnrolError> {
    while state.join(ROTATION_FILE).exists() {
        tokio::time::sleep(LOOK).await;
    }
    let enrolment = Enrolment::load(state)?;
    let present = enrolment.map(|enrolment| enrolment.kid()).transpose()?;
    if present == Some(*next) {
        return Ok(());
    }
    let reason = std::fs::read_to_string(state.join(REFUSAL_FILE));
    Err(EnrolError::Refused(
        reason.unwrap_or_else(|_| "the present key stays".to_owned()),
    ))
}

/// The agent's side.
pub(crate) struct Rotator {
    pub state: PathBuf,
    pub outbox: Outbox,
    pub credentials: watch::Sender<Credentials>,
    /// Whose chain the platform is asked for: the keys of the device, the present one first.
    pub trust: watch::Sender<Trust>,
    /// Certificates are judged by it where the system's clock is behind.
    pub floor: Floor,
}

/// A step that was not done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl Rotator {
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            let wait = tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.unwanted() => {
                    self.stay("cancelled at the device").await;
                    AGAIN
                }
                wait = self.turn() => wait,
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One try, if there is a wish; how long to wait before the next.
    async fn turn(&self) -> Duration {
        match self.rotate().await {
            Ok(()) => LOOK,
            Err(StepError::Enrol(error)) if self.ends_it(&error) => {
                self.stay(&error.to_string()).await;
                AGAIN
            }
            Err(error) => {
                tracing::warn!(%error, "the rotation goes on when it can");
                AGAIN
            }
        }
    }

    /// Waits until somebody wants no next key. Each step of a rotation is durable before the next, so
    /// that it may be left at any.
    async fn unwanted(&self) {
        while !self.state.join(CANCEL_FILE).exists() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends a rotation that comes to nothing.
    async fn stay(&self, reason: &str) {
        tracing::error!(reason, "the present key stays");
        if let Err(error) = self.give_up(reason).await {
            tracing::error!(%error, "the rotation could not be ended");
        }
    }

    /// A last word for which there is no wish: its files are gone, or the outbox was saved without
    /// them. Nobody would ever end it.
    async fn take_back(&self) -> Result<(), StepError> {
        if self.outbox.status().borrow().held == "rotation" {
            tracing::error!("a change of the key was begun and is gone: the present key goes on");
            self.outbox.go_on_as_before().await?;
        }
        Ok(())
    }

    /// Whether this error is the end of the rotation. Once the next key may have consented, only the
    /// organisation's word is: whoever is on the way could cause the others, and the organisation may
    /// sign the next key all the same.
    fn ends_it(&self, error: &EnrolError) -> bool {
        match error {
            EnrolError::Refused(_) | EnrolError::Draft(_) => true,
            EnrolError::Used(_) | EnrolError::Claim(_) | EnrolError::Ca { .. } => {
                !self.may_have_consented()
            }
            _ => false,
        }
    }

    /// A wish that cannot be read may have been consented to.
    fn may_have_consented(&self) -> bool {
        match Wish::load(&self.state) {
            Ok(Some(wish)) => !wish.pending.consented.is_empty(),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    async fn rotate(&self) -> Result<(), StepError> {
        let Some(mut wish) = Wish::load(&self.state)? else {
            return self.take_back().await;
        };
        let enrolment = Enrolment::load(&self.state).map_err(EnrolError::from)?;
        let not_enrolled = || EnrolError::NotEnrolled(self.state.clone());
        let enrolment = enrolment.ok_or_else(not_enrolled)?;
        // The power went after the change.
        if enrolment.kid().map_err(EnrolError::from)? == wish.next {
            return self.end(&wish.next).await;
        }
        let next = identity::load_next(&self.state).map_err(EnrolError::from)?;
        let next = next.filter(|key| key.kid() == wish.next);
        let next = next.ok_or_else(|| EnrolError::Draft("the next key is missing".to_owned()))?;
        let trust = enrolment.trust_by_itself().map_err(EnrolError::from)?;
        let (platform, ca) = Platform::connect(&wish.claim, &self.floor).await?;
        let (claim, password) = (&wish.claim, &wish.pending.password.0);
        let request = Request::sign(claim, &*next, &trust.device.device, password);
        let request = request.map_err(EnrolError::from)?;
        platform.post_request(&request).await?;
        tracing::info!(next = %wish.next, "the next key has asked; the organisation compares it");
        let claim = wish.claim.clone();
        let asking = Asking {
            platform: &platform,
            claim: &claim,
            key: &*next,
        };
        let answer = match asking.draft_or_answer().await? {
            Progressed::Answer(answer) => answer,
            Progressed::Draft(record) => {
                wish.pending.consented = record.draft();
                wish.store(&self.state)?;
                self.last_word(&wish.next).await?;
                asking.consent(&record).await?;
                asking.answer().await?
            }
        };
        let mut new = accept(&claim, &*next, &wish.pending, *answer, ca)?;
        if new.username != enrolment.username {
            return Err(EnrolError::Draft("it names another device".to_owned()).into());
        }
        new.succeed(&enrolment);
        let stored = Enrolment::change(&self.state, |kept| *kept = new);
        stored.map_err(EnrolError::from)?;
        self.end(&wish.next).await
    }

    /// The present key's last word, and that the platform has it.
    async fn last_word(&self, next: &Hash) -> Result<(), OutboxError> {
        self.outbox.say_last_word(*next).await?;
        loop {
            if let Some((_, true)) = self.outbox.last_word(next).await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK / 10).await;
        }
    }

    /// What follows the change: every part of it may be repeated.
    async fn end(&self, next: &Hash) -> Result<(), StepError> {
        let key = identity::settle(&self.state, next).map_err(EnrolError::from)?;
        let key = key.ok_or_else(|| EnrolError::Draft("the next key is missing".to_owned()))?;
        let enrolment = Enrolment::load(&self.state).map_err(EnrolError::from)?;
        if let Some(enrolment) = enrolment {
            let mut trust = enrolment.trust_by_itself().map_err(EnrolError::from)?;
            // What the log's policies have led to since the start is known to all of the agent.
            trust.policies = self.trust.borrow().policies.clone();
            self.outbox.believe(trust.clone());
            self.trust.send_replace(trust);
            self.credentials.send_replace(Credentials::of(&enrolment));
        }
        self.outbox.go_on_with(key).await?;
        remove(&self.state.join(ROTATION_FILE))?;
        remove(&self.state.join(CANCEL_FILE))?;
        tracing::info!(%next, "the next key is in force");
        Ok(())
    }

    /// The next key, where the change has been made and only its end is missing.
    fn in_force(&self) -> Result<Option<Hash>, EnrolError> {
        let wish = Wish::load(&self.state).ok().flatten();
        let (Some(wish), Some(enrolment)) = (wish, Enrolment::load(&self.state)?) else {
            return Ok(None);
        };
        Ok((enrolment.kid()? == wish.next).then_some(wish.next))
    }

    async fn give_up(&self, reason: &str) -> Result<(), StepError> {
        if let Some(next) = self.in_force()? {
            return self.end(&next).await;
        }
        self.outbox.go_on_as_before().await?;
        let path = self.state.join(REFUSAL_FILE);
        let written = write_private(&path, reason.as_bytes());
        written.map_err(|source| EnrolError::from(IdentityError::Io { path, source }))?;
        let next = self.state.join(NEXT_KEY_FILE);
        if self.may_have_consented() {
            // It may yet be the device's only key.
            rename(&next, &self.state.join(GIVEN_UP_KEY_FILE))?;
        } else {
            remove(&next)?;
        }
        remove(&self.state.join(ROTATION_FILE))?;
        remove(&self.state.join(CANCEL_FILE))?;
        Ok(())
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), EnrolError> {
    match std::fs::rename(from, to) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            let path = from.to_owned();
            Err(IdentityError::Io { path, source }.into())
        }
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), EnrolError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            let path = path.to_owned();
            Err(IdentityError::Io { path, source }.into())
        }
        _ => Ok(()),
    }
}
