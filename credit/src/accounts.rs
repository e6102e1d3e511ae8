//! Accounts of the bank's people: made by a command line or by whoever composes the service, and
//! always with a row in the trail.

use std::sync::Arc;

use kit::people::{Account, AccountError, People, PeopleStore, Settings, StoreFailed};
use schemas::ids::Slug;
use schemas::time::Clock;

use crate::audit::{Action, Entry};
use crate::desk::{Role, Terms};
use crate::store::{StoreError, Tables};

/// Name of the session cookie.
const COOKIE: &str = "tracebond-credit";

/// Accounts over credit's tables. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    people: People,
    store: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The account or its password.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The trail cannot be written.
    #[error(transparent)]
    Trail(#[from] StoreError),
}

impl Accounts {
    /// Accounts of the bank whose desk this is.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(
        terms: &Terms,
        store: Arc<dyn Tables>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, kit::people::PasswordError> {
        let settings = Settings {
            organisation: terms.organisation.clone(),
            origin: terms.origin.clone(),
            cookie: COOKIE,
        };
        let accounts: Arc<dyn PeopleStore> = Arc::<dyn Tables>::clone(&store);
        Ok(Self {
            people: People::new(settings, accounts, Arc::clone(&clock))?,
            store,
            clock,
        })
    }

    /// What guards the pages.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// Makes an account; `by` is who did it.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn add(
        &self,
        by: &str,
        name: &Slug,
        role: Role,
        password: &str,
    ) -> Result<(), AccountsError> {
        let word = role
            .word()
            .parse()
            .map_err(|_| AccountError::Unknown(name.clone()))?;
        self.people.add(name, &word, password).await?;
        self.note(by, Action::AddAccount, name, role.word()).await
    }

    /// Gives an account another password; its sessions end.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn set_password(
        &self,
        by: &str,
        name: &Slug,
        password: &str,
    ) -> Result<(), AccountsError> {
        self.people.set_password(name, password).await?;
        self.note(by, Action::ChangePassword, name, "").await
    }

    /// Closes an account, whose sessions end, or opens it again.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn set_closed(
        &self,
        by: &str,
        name: &Slug,
        closed: bool,
    ) -> Result<(), AccountsError> {
        self.people.set_disabled(name, closed).await?;
        let action = if closed {
            Action::CloseAccount
        } else {
            Action::OpenAccount
        };
        self.note(by, action, name, "").await
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn list(&self) -> Result<Vec<Account>, StoreFailed> {
        self.people.list().await
    }

    async fn note(
        &self,
        by: &str,
        action: Action,
        name: &Slug,
        detail: &str,
    ) -> Result<(), AccountsError> {
        let entry = Entry {
            at: self.clock.now(),
            actor: by.to_owned(),
            action,
            subject: name.to_string(),
            detail: detail.to_owned(),
        };
        Ok(self.store.note(&entry).await?)
    }
}
