//! Accounts of the bank's people: made by a command line or by whoever composes the service, and
//! always with a row in the trail.

use std::collections::BTreeSet;
use std::sync::Arc;

use kit::idempotency::Answers;
use kit::people::client::{Client, ClientError};
use kit::people::{
    AccessStore, Account, AccountError, Clients, FactorError, People, SetUpError, Settings,
    StoreFailed,
};
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
    clients: Clients,
    store: Arc<dyn Tables>,
    clock: Arc<dyn Clock>,
}

/// Why an account was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The account or its password.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The second factor.
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// A client of machines.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The trail cannot be written.
    #[error(transparent)]
    Trail(#[from] StoreError),
}

impl Accounts {
    /// Accounts of the bank whose desk this is; `own` is its public address.
    ///
    /// # Errors
    /// [`SetUpError`].
    pub fn new(
        terms: &Terms,
        own: &str,
        store: Arc<dyn Tables>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let settings = Settings {
            organisation: terms.organisation.clone(),
            origin: terms.origin.clone(),
            cookie: COOKIE,
        };
        let kept: Arc<dyn AccessStore> = Arc::<dyn Tables>::clone(&store);
        let (links, section) = (Arc::clone(&kept), terms.log_in.as_ref());
        let people = People::configured(settings, section, own, kept, Arc::clone(&clock))?;
        Ok(Self {
            people,
            clients: Clients::new(terms.organisation.clone(), own, links, Arc::clone(&clock)),
            store,
            clock,
        })
    }

    /// What guards the pages.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// Machines that fetch their own tokens.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Answers to writes that carry a key.
    pub(crate) fn answers(&self) -> Answers {
        let kept = Arc::<dyn Tables>::clone(&self.store);
        Answers::new(kept, Arc::clone(&self.clock), true)
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

    /// Removes the second factor of a person whose phone is gone, in the name of another person
    /// with an open account; the store keeps it in the trail.
    ///
    /// # Errors
    /// [`AccountsError::Factor`].
    pub async fn reset_factor(&self, by: &Slug, name: &Slug) -> Result<(), AccountsError> {
        Ok(self.people.reset_factor(by, name).await?)
    }

    /// Links a provider's subject to an account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn link(&self, by: &str, name: &Slug, subject: &str) -> Result<(), AccountsError> {
        self.people.link_identity(name, subject).await?;
        self.note(by, Action::LinkIdentity, name, subject).await
    }

    /// Removes every link of an account; how many there were.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn unlink(&self, by: &str, name: &Slug) -> Result<usize, AccountsError> {
        let ended = self.people.unlink_identities(name).await;
        let ended = ended.map_err(AccountError::from)?;
        self.note(by, Action::UnlinkIdentity, name, "").await?;
        Ok(ended)
    }

    /// Makes a client of machines, with a public key or with a secret, which is told once.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn add_client(
        &self,
        by: &str,
        name: &Slug,
        scopes: BTreeSet<Slug>,
        public_key: Option<[u8; 32]>,
    ) -> Result<Option<String>, AccountsError> {
        let words: Vec<&str> = scopes.iter().map(Slug::as_str).collect();
        let words = words.join(" ");
        let secret = match public_key {
            None => Some(self.clients.add(name, scopes).await?),
            Some(key) => {
                self.clients.add_key(name, scopes, key).await?;
                None
            }
        };
        self.note(by, Action::AddClient, name, &words).await?;
        Ok(secret)
    }

    /// Closes a client, whose tokens end, or opens it again.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn set_client_closed(
        &self,
        by: &str,
        name: &Slug,
        closed: bool,
    ) -> Result<(), AccountsError> {
        self.clients.set_disabled(name, closed).await?;
        let action = if closed {
            Action::CloseClient
        } else {
            Action::OpenClient
        };
        self.note(by, action, name, "").await
    }

    /// All clients, by name.
    ///
    /// # Errors
    /// [`StoreFailed`].
    pub async fn list_clients(&self) -> Result<Vec<Client>, StoreFailed> {
        self.clients.list().await
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
