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

/// Role of people of a supplier. It is none of the desk's [`Role`]s: no page of the bank opens to it.
pub const BORROWER: &str = "borrower";

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
    /// The name was bound to another supplier before.
    #[error("the account `{name}` is of `{supplier}`: one account is of one supplier")]
    OtherSupplier {
        /// The account.
        name: Slug,
        /// The supplier that it is of.
        supplier: Slug,
    },
    /// The account is none of a borrower.
    #[error("there is no borrower's account `{0}`")]
    NoBorrower(Slug),
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

    /// Makes an account for a person of a supplier. A supplier may have several.
    ///
    /// # Errors
    /// [`AccountsError`]; [`AccountsError::OtherSupplier`] for a name that was of another one.
    pub async fn add_borrower(
        &self,
        by: &str,
        name: &Slug,
        supplier: &Slug,
        password: &str,
    ) -> Result<(), AccountsError> {
        let taken = || AccountError::Taken(name.clone());
        let organisation = &self.people.settings().organisation;
        let before = self.store.account(organisation, name).await;
        if before.map_err(AccountError::from)?.is_some() {
            return Err(taken().into());
        }
        // The supplier comes first: there is never an account of a borrower without one.
        let now = self.clock.now();
        let bound = self.store.bind_borrower(organisation, name, supplier, now);
        let bound = bound.await?;
        if bound != *supplier {
            let (name, supplier) = (name.clone(), bound);
            return Err(AccountsError::OtherSupplier { name, supplier });
        }
        let word = BORROWER.parse().map_err(|_| taken())?;
        self.people.add(name, &word, password).await?;
        let detail = format!("{BORROWER} {supplier}");
        self.note(by, Action::AddAccount, name, &detail).await
    }

    /// The supplier of a borrower's account.
    ///
    /// # Errors
    /// [`AccountsError::NoBorrower`] for an account of the bank's people, and for none.
    pub async fn supplier_of(&self, name: &Slug) -> Result<Slug, AccountsError> {
        let organisation = &self.people.settings().organisation;
        let account = self.store.account(organisation, name).await;
        let account = account.map_err(AccountError::from)?;
        let supplier = self.store.supplier_of(organisation, name).await?;
        account
            .filter(|account| account.role.as_str() == BORROWER)
            .and(supplier)
            .ok_or_else(|| AccountsError::NoBorrower(name.clone()))
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
        if self.supplier_of(by).await.is_ok() {
            // A borrower vouches for nobody.
            return Err(FactorError::NoAccount(by.clone()).into());
        }
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
