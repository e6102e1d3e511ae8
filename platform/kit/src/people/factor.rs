//! A second factor beside the password: codes of an authenticator app ([`super::totp`]), and
//! recovery codes for the day on which the phone is gone.
//!
//! ```text
//! password right --has a factor-------> /login/code    code or recovery code --> logged in
//!                --role must have one--> /login/factor two codes in a row    --> recovery codes, logged in
//!                --neither------------> logged in
//! ```
//!
//! What holds:
//! - between password and code a session is only half one ([`HALF_LONGEST`]): bound to the browser
//!   by the same cookie, worth nothing at the gate, and under another token afterwards;
//! - a code is taken once: the step of the last one is moved on by one guarded statement, so that of
//!   two requests with one code, also in two processes, one wins;
//! - wrong codes count with wrong passwords, and the count is forgiven only when both were right;
//!   after [`WRONG_MAX`] wrong codes in a row the factor takes none until somebody resets it (RFC
//!   4226 section 7.3);
//! - the app's secret is sealed ([`super::seal`]), recovery codes are kept as SHA-256 of 80 random
//!   bits and hold once;
//! - a factor that was added, or reset, ends the account's other sessions;
//! - only another person's account can reset a factor. Which roles may, the service decides.
//!
//! A role that must have a factor is asked to set one up behind its password at the first log-in:
//! whoever has that password first sets it up. Give first passwords by hand, and look at the trail.
//!
//! Rejected: codes by text message (SIM swap, and no such part here), remembering a device instead
//! of the code (a stolen cookie would be a factor), a pending secret in the database (the page
//! carries it sealed, so nothing is left of enrolments that were given up).

pub(super) mod door;
mod recovery;
pub(super) mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

pub use recovery::{RECOVERY_CODES, RecoveryCode};

use super::seal::{Seal, SealError};
use super::totp::{Code, Secret};
use super::{Account, FactorNoted, People, StoreFailed};

/// How long a browser may take from the password to the code.
pub const HALF_LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long the page that shows a new secret may be open.
pub const ENROL_LONGEST: Duration = Duration::from_secs(15 * 60);
/// Wrong codes in a row after which a factor takes none.
pub const WRONG_MAX: i64 = 50;

/// A second factor as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFactor {
    /// The app's secret, sealed for its account.
    pub secret: Vec<u8>,
    /// When it was confirmed.
    pub enrolled: Instant,
    /// The step of the last code that was taken.
    pub last_step: i64,
    /// Wrong codes since the last right one.
    pub wrong: i64,
}

/// Second factors in a service's database.
#[async_trait]
pub trait FactorStore: Send + Sync + 'static {
    /// The factor of an account.
    async fn factor(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<KeptFactor>, StoreFailed>;

    /// Keeps a factor with the hashes of its recovery codes; false, and nothing changed, if the
    /// account has one.
    async fn add_factor(
        &self,
        organisation: &Slug,
        name: &Slug,
        factor: &KeptFactor,
        codes: &[Hash],
    ) -> Result<bool, StoreFailed>;

    /// Takes a step and forgets wrong codes; false, and nothing changed, unless it is later than
    /// the last one. Of several that take one step at once, one is told true.
    async fn use_step(
        &self,
        organisation: &Slug,
        name: &Slug,
        step: i64,
    ) -> Result<bool, StoreFailed>;

    /// Takes a recovery code; false if there is none of this hash, or it was taken.
    async fn use_recovery(
        &self,
        organisation: &Slug,
        name: &Slug,
        code: &Hash,
        at: Instant,
    ) -> Result<bool, StoreFailed>;

    /// Counts a wrong code.
    async fn count_wrong(&self, organisation: &Slug, name: &Slug) -> Result<(), StoreFailed>;

    /// Removes a factor and its recovery codes; false if there is none.
    async fn remove_factor(&self, organisation: &Slug, name: &Slug) -> Result<bool, StoreFailed>;
}

/// What a service states about second factors.
pub struct Factors {
    /// Where they are kept.
    pub store: Arc<dyn FactorStore>,
    /// What seals their secrets.
    pub seal: Arc<Seal>,
    /// What an authenticator app shows them under.
    pub issuer: String,
    /// Roles that must have one.
    pub required: BTreeSet<Slug>,
}

/// What is still to do behind a right password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing.
    Nothing,
    /// A code.
    Code,
    /// The role must have a factor and the account has none.
    Factor,
}

/// What came of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Right, and taken.
    Right,
    /// Wrong, or taken before.
    Wrong,
    /// Too many were wrong: a second person must reset the factor.
    Locked,
}

/// Why a factor was not reset.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    /// This service has no second factors.
    #[error("this service has no second factors")]
    Off,
    /// Nobody resets their own.
    #[error("a second factor is reset by a second person")]
    SamePerson,
    /// Who resets has no open account.
    #[error("`{0}` has no open account")]
    NoAccount(Slug),
    /// There is nothing to reset.
    #[error("`{0}` has no second factor")]
    None(Slug),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl From<SealError> for StoreFailed {
    fn from(error: SealError) -> Self {
        Self(Box::new(error))
    }
}

impl People {
    /// Removes the second factor of a person whose phone is gone, in the name of another person,
    /// who has an open account; their sessions end. Whether `by` may do so, the caller has decided.
    ///
    /// # Errors
    /// [`FactorError`].
    pub async fn reset_factor(&self, by: &Slug, name: &Slug) -> Result<(), FactorError> {
        let factors = self.0.factors.as_ref().ok_or(FactorError::Off)?;
        if by == name {
            return Err(FactorError::SamePerson);
        }
        let organisation = &self.0.settings.organisation;
        let second = self.0.store.account(organisation, by).await?;
        if second.is_none_or(|account| account.disabled.is_some()) {
            return Err(FactorError::NoAccount(by.clone()));
        }
        if !factors.store.remove_factor(organisation, name).await? {
            return Err(FactorError::None(name.clone()));
        }
        let noted = FactorNoted::Reset { by: by.clone() };
        Ok(self.note_factor(name, noted).await?)
    }

    /// What an account has still to show behind its password.
    pub(super) async fn missing(&self, account: &Account) -> Result<Missing, StoreFailed> {
        let Some(factors) = &self.0.factors else {
            return Ok(Missing::Nothing);
        };
        let kept = factors.of(account).await?;
        Ok(match kept {
            Some(_) => Missing::Code,
            None if factors.required.contains(&account.role) => Missing::Factor,
            None => Missing::Nothing,
        })
    }

    /// Since when an account has its factor: what its sessions are bound to.
    pub(super) async fn factor_since(
        &self,
        account: &Account,
    ) -> Result<Option<Instant>, StoreFailed> {
        match &self.0.factors {
            Some(factors) => Ok(factors.of(account).await?.map(|kept| kept.enrolled)),
            None => Ok(None),
        }
    }

    /// True if the role may be logged in with what its session was made with.
    pub(super) fn is_enough(&self, account: &Account, factor: Option<Instant>) -> bool {
        let required = self.0.factors.as_ref().map(|factors| &factors.required);
        factor.is_some() || required.is_none_or(|roles| !roles.contains(&account.role))
    }

    pub(super) async fn note_factor(
        &self,
        name: &Slug,
        what: FactorNoted,
    ) -> Result<(), StoreFailed> {
        let (inner, at) = (&self.0, self.0.clock.now());
        let organisation = &inner.settings.organisation;
        inner.store.noted_factor(organisation, name, what, at).await
    }
}

impl Factors {
    async fn of(&self, account: &Account) -> Result<Option<KeptFactor>, StoreFailed> {
        self.store
            .factor(&account.organisation, &account.name)
            .await
    }

    /// Judges what somebody typed: a code of the app, or a recovery code.
    pub(super) async fn judge(
        &self,
        account: &Account,
        typed: &str,
        now: Instant,
    ) -> Result<(Judged, bool), StoreFailed> {
        let Some(kept) = self.of(account).await? else {
            return Ok((Judged::Wrong, false));
        };
        if kept.wrong >= WRONG_MAX {
            return Ok((Judged::Locked, false));
        }
        let (organisation, name) = (&account.organisation, &account.name);
        let (taken, is_recovery) = match (Code::parse(typed), RecoveryCode::parse(typed)) {
            (Some(code), _) => (self.take_code(account, &kept, code, now).await?, false),
            (None, Some(code)) => {
                let hash = code.hash(organisation, name);
                let taken = self.store.use_recovery(organisation, name, &hash, now);
                (taken.await?, true)
            }
            (None, None) => (false, false),
        };
        if taken {
            return Ok((Judged::Right, is_recovery));
        }
        self.store.count_wrong(organisation, name).await?;
        Ok((Judged::Wrong, false))
    }

    async fn take_code(
        &self,
        account: &Account,
        kept: &KeptFactor,
        code: Code,
        now: Instant,
    ) -> Result<bool, StoreFailed> {
        let secret = self.seal.open(&purpose(account), &kept.secret)?;
        let secret = Secret::from_slice(&secret).ok_or(SealError::Refused)?;
        let Some(step) = secret.step_of_code(code, now, kept.last_step) else {
            return Ok(false);
        };
        let (organisation, name) = (&account.organisation, &account.name);
        self.store.use_step(organisation, name, step).await
    }

    /// Keeps a confirmed secret; the recovery codes are told once. `None` if the account has a
    /// factor already.
    pub(super) async fn keep(
        &self,
        account: &Account,
        secret: &Secret,
        step: i64,
        now: Instant,
    ) -> Result<Option<Vec<RecoveryCode>>, StoreFailed> {
        let (organisation, name) = (&account.organisation, &account.name);
        let codes = RecoveryCode::new_set().map_err(SealError::from)?;
        let hashes: Vec<Hash> = codes
            .iter()
            .map(|code| code.hash(organisation, name))
            .collect();
        let factor = KeptFactor {
            secret: self.seal.seal(&purpose(account), secret.as_bytes())?,
            enrolled: now,
            last_step: step,
            wrong: 0,
        };
        let added = self.store.add_factor(organisation, name, &factor, &hashes);
        Ok(added.await?.then_some(codes))
    }

    /// A new secret as the page of an enrolment carries it: with its time, for this account.
    pub(super) fn offer(
        &self,
        account: &Account,
        secret: &Secret,
        now: Instant,
    ) -> Result<Vec<u8>, SealError> {
        let mut text = now.as_micros().to_be_bytes().to_vec();
        text.extend(secret.as_bytes());
        self.seal.seal(&offer_purpose(account), &text)
    }

    /// The secret of [`Self::offer`], if it is this account's and not too old.
    pub(super) fn offered(&self, account: &Account, sealed: &[u8], now: Instant) -> Option<Secret> {
        let text = self.seal.open(&offer_purpose(account), sealed).ok()?;
        let (made, secret) = text.split_first_chunk::<8>()?;
        let made = Instant::from_micros(i64::from_be_bytes(*made));
        let is_fresh = made <= now && now.since(made) < ENROL_LONGEST;
        Secret::from_slice(secret).filter(|_| is_fresh)
    }
}

fn purpose(account: &Account) -> String {
    format!("totp {}/{}", account.organisation, account.name)
}

fn offer_purpose(account: &Account) -> String {
    format!("totp offer {}/{}", account.organisation, account.name)
}
