//! Who a provider's subjects are, on both engines: the statements are the same word by word.

use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::super::oidc::IdentityStore;
use super::super::{StoreFailed, tables};
use super::{PostgresPeople, SqlitePeople, failed, slug};

const LINK: &str = "INSERT INTO identities (organisation, issuer, subject, name, linked)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (organisation, issuer, subject) DO NOTHING RETURNING name";

const IDENTITY: &str =
    "SELECT name FROM identities WHERE organisation = $1 AND issuer = $2 AND subject = $3";

const UNLINK: &str =
    "DELETE FROM identities WHERE organisation = $1 AND name = $2 RETURNING subject";

macro_rules! identity_store {
    ($tables:ty) => {
        #[async_trait]
        impl IdentityStore for $tables {
            async fn link(
                &self,
                organisation: &Slug,
                issuer: &str,
                subject: &str,
                name: &Slug,
                at: Instant,
            ) -> Result<bool, StoreFailed> {
                let new: Option<(String,)> = sqlx::query_as(LINK)
                    .bind(organisation.as_str())
                    .bind(issuer)
                    .bind(subject)
                    .bind(name.as_str())
                    .bind(Self::at(at))
                    .fetch_optional(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(new.is_some())
            }

            async fn identity(
                &self,
                organisation: &Slug,
                issuer: &str,
                subject: &str,
            ) -> Result<Option<Slug>, StoreFailed> {
                let row: Option<(String,)> = sqlx::query_as(IDENTITY)
                    .bind(organisation.as_str())
                    .bind(issuer)
                    .bind(subject)
                    .fetch_optional(self.reads())
                    .await
                    .map_err(failed)?;
                row.map(|(name,)| slug(&name)).transpose()
            }

            async fn unlink(&self, organisation: &Slug, name: &Slug) -> Result<usize, StoreFailed> {
                let gone: Vec<(String,)> = sqlx::query_as(UNLINK)
                    .bind(organisation.as_str())
                    .bind(name.as_str())
                    .fetch_all(self.writes())
                    .await
                    .map_err(failed)?;
                Ok(gone.len())
            }
        }
    };
}

identity_store!(SqlitePeople);
identity_store!(PostgresPeople);

#[async_trait]
impl<T: tables::KeepsPeople> IdentityStore for T {
    async fn link(
        &self,
        organisation: &Slug,
        issuer: &str,
        subject: &str,
        name: &Slug,
        at: Instant,
    ) -> Result<bool, StoreFailed> {
        let tables = self.tables();
        tables.link(organisation, issuer, subject, name, at).await
    }

    async fn identity(
        &self,
        organisation: &Slug,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Slug>, StoreFailed> {
        self.tables().identity(organisation, issuer, subject).await
    }

    async fn unlink(&self, organisation: &Slug, name: &Slug) -> Result<usize, StoreFailed> {
        self.tables().unlink(organisation, name).await
    }
}
