//! Clients, their tokens and assertions on both engines: the statements are the same word by word.

use std::collections::BTreeSet;

use async_trait::async_trait;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::super::client::{Client, ClientStore, Credential, KeptToken, words};
use super::super::{StoreFailed, tables};
use super::{PostgresPeople, SqlitePeople, Unreadable, failed, slug};
use crate::postgres::Timestamp;

const ADD: &str = "INSERT INTO clients
    (organisation, name, secret, public_key, scopes, created, disabled)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (organisation, name) DO NOTHING RETURNING name";

const CLIENT: &str = "SELECT organisation, name, secret, public_key, scopes, created, disabled
    FROM clients WHERE organisation = $1 AND name = $2";

const CLIENTS: &str = "SELECT organisation, name, secret, public_key, scopes, created, disabled
    FROM clients WHERE organisation = $1 ORDER BY name";

const DISABLE: &str = "UPDATE clients SET disabled = $3
    WHERE organisation = $1 AND name = $2 RETURNING name";

const ADD_TOKEN: &str = "INSERT INTO access_tokens
    (token, organisation, client, scopes, issued, expires) VALUES ($1, $2, $3, $4, $5, $6)";

const TOKEN: &str = "SELECT organisation, client, scopes, issued, expires
    FROM access_tokens WHERE token = $1";

const END_TOKEN: &str =
    "DELETE FROM access_tokens WHERE token = $3 AND organisation = $1 AND client = $2";

const USE_ASSERTION: &str = "INSERT INTO client_assertions
    (organisation, client, assertion, expires) VALUES ($1, $2, $3, $4)
    ON CONFLICT (organisation, client, assertion) DO NOTHING RETURNING client";

const END_TOKENS: &str = "DELETE FROM access_tokens WHERE expires < $1";

const END_ASSERTIONS: &str = "DELETE FROM client_assertions WHERE expires < $1";

type ClientRow = (
    String,
    String,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    String,
    Timestamp,
    Option<Timestamp>,
);

type TokenRow = (String, String, String, Timestamp, Timestamp);

fn scopes(text: &str) -> Result<BTreeSet<Slug>, StoreFailed> {
    text.split(' ').map(slug).collect()
}

fn client(row: ClientRow) -> Result<Client, StoreFailed> {
    let (organisation, name, secret, public_key, words, created, disabled) = row;
    let thirty_two = |bytes: Vec<u8>| Hash::from_slice(&bytes).map(|hash| hash.0);
    let credential = match (secret.and_then(thirty_two), public_key.and_then(thirty_two)) {
        (Some(secret), None) => Credential::Secret(Hash(secret)),
        (None, Some(key)) => Credential::PublicKey(key),
        _ => return Err(failed(Unreadable("client"))),
    };
    Ok(Client {
        organisation: slug(&organisation)?,
        name: slug(&name)?,
        credential,
        scopes: scopes(&words)?,
        created: created.0,
        disabled: disabled.map(|since| since.0),
    })
}

fn token_of(token: Hash, row: TokenRow) -> Result<KeptToken, StoreFailed> {
    let (organisation, client, words, issued, expires) = row;
    Ok(KeptToken {
        token,
        organisation: slug(&organisation)?,
        client: slug(&client)?,
        scopes: scopes(&words)?,
        issued: issued.0,
        expires: expires.0,
    })
}

macro_rules! client_store {
    ($tables:ty) => {
        #[async_trait]
        impl ClientStore for $tables {
            async fn add_client(&self, client: &Client) -> Result<bool, StoreFailed> {
                let (secret, key) = match &client.credential {
                    Credential::Secret(secret) => (Some(secret.0.to_vec()), None),
                    Credential::PublicKey(key) => (None, Some(key.to_vec())),
                };
                let new: Option<(String,)> = sqlx::query_as(ADD)
                    .bind(client.organisation.as_str())
                    .bind(client.name.as_str())
                    .bind(secret)
                    .bind(key)
                    .bind(words(&client.scopes))
                    .bind(Self::at(client.created))
                    .bind(client.disabled.map(Self::at))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(new.is_some())
            }

            async fn client(
                &self,
                organisation: &Slug,
                name: &Slug,
            ) -> Result<Option<Client>, StoreFailed> {
                let row: Option<ClientRow> = sqlx::query_as(CLIENT)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .fetch_optional(self.reads())
                    .await
                    .map_err(failed)?;
                row.map(client).transpose()
            }

            async fn clients(&self, organisation: &Slug) -> Result<Vec<Client>, StoreFailed> {
                let rows: Vec<ClientRow> = sqlx::query_as(CLIENTS)
                    .bind(organisation.as_str())
                    .fetch_all(self.reads())
                    .await
                    .map_err(failed)?;
                rows.into_iter().map(client).collect()
            }

            async fn set_client_disabled(
                &self,
                organisation: &Slug,
                name: &Slug,
                since: Option<Instant>,
            ) -> Result<bool, StoreFailed> {
                let known: Option<(String,)> = sqlx::query_as(DISABLE)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .bind(since.map(Self::at))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(known.is_some())
            }

            async fn add_token(&self, token: &KeptToken) -> Result<(), StoreFailed> {
                sqlx::query(ADD_TOKEN)
                    .bind(token.token.0.to_vec())
                    .bind(token.organisation.as_str())
                    .bind(token.client.as_str())
                    .bind(words(&token.scopes))
                    .bind(Self::at(token.issued))
                    .bind(Self::at(token.expires))
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }

            async fn token(&self, token: &Hash) -> Result<Option<KeptToken>, StoreFailed> {
                let row: Option<TokenRow> = sqlx::query_as(TOKEN)
                    .bind(token.0.to_vec())
                    .fetch_optional(self.reads())
                    .await
                    .map_err(failed)?;
                row.map(|row| token_of(*token, row)).transpose()
            }

            async fn end_token(
                &self,
                organisation: &Slug,
                client: &Slug,
                token: &Hash,
            ) -> Result<(), StoreFailed> {
                sqlx::query(END_TOKEN)
                    .bind(organisation.as_str())
                    .bind(client.as_str())
                    .bind(token.0.to_vec())
                    .execute(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(())
            }

            async fn use_assertion(
                &self,
                organisation: &Slug,
                client: &Slug,
                assertion: &Hash,
                expires: Instant,
            ) -> Result<bool, StoreFailed> {
                let new: Option<(String,)> = sqlx::query_as(USE_ASSERTION)
                    .bind(organisation.as_str())
                    .bind(client.as_str())
                    .bind(assertion.0.to_vec())
                    .bind(Self::at(expires))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(new.is_some())
            }

            async fn end_what_ran_out(&self, now: Instant) -> Result<(), StoreFailed> {
                for statement in [END_TOKENS, END_ASSERTIONS] {
                    sqlx::query(statement)
                        .bind(Self::at(now))
                        .execute(self.writes())
                        .await
                        .map_err(failed)?;
                }
                Ok(())
            }
        }
    };
}

client_store!(SqlitePeople);
client_store!(PostgresPeople);

#[async_trait]
impl<T: tables::KeepsPeople> ClientStore for T {
    async fn add_client(&self, client: &Client) -> Result<bool, StoreFailed> {
        self.tables().add_client(client).await
    }

    async fn client(
        &self,
        organisation: &Slug,
        name: &Slug,
    ) -> Result<Option<Client>, StoreFailed> {
        self.tables().client(organisation, name).await
    }

    async fn clients(&self, organisation: &Slug) -> Result<Vec<Client>, StoreFailed> {
        self.tables().clients(organisation).await
    }

    async fn set_client_disabled(
        &self,
        organisation: &Slug,
        name: &Slug,
        since: Option<Instant>,
    ) -> Result<bool, StoreFailed> {
        let tables = self.tables();
        tables.set_client_disabled(organisation, name, since).await
    }

    async fn add_token(&self, token: &KeptToken) -> Result<(), StoreFailed> {
        self.tables().add_token(token).await
    }

    async fn token(&self, token: &Hash) -> Result<Option<KeptToken>, StoreFailed> {
        self.tables().token(token).await
    }

    async fn end_token(
        &self,
        organisation: &Slug,
        client: &Slug,
        token: &Hash,
    ) -> Result<(), StoreFailed> {
        self.tables().end_token(organisation, client, token).await
    }

    async fn use_assertion(
        &self,
        organisation: &Slug,
        client: &Slug,
        assertion: &Hash,
        expires: Instant,
    ) -> Result<bool, StoreFailed> {
        let tables = self.tables();
        tables
            .use_assertion(organisation, client, assertion, expires)
            .await
    }

    async fn end_what_ran_out(&self, now: Instant) -> Result<(), StoreFailed> {
        self.tables().end_what_ran_out(now).await
    }
}
