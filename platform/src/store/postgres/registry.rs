use async_trait::async_trait;
use kit::postgres::text;
use schemas::enrol::Verifier;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::Head;
use schemas::time::Instant;
use sqlx::FromRow;

use super::{PostgresStore, at, hash, retried, salt, signed, unsigned};
use crate::store::{Enrolment, KeptRecord, RegistryStore, StoreError, Stored};

#[derive(FromRow)]
struct RecordRow {
    kid: Vec<u8>,
    version: i64,
    organisation: String,
    device: String,
    role: i64,
    bytes: Vec<u8>,
    salt: Vec<u8>,
    hash: Vec<u8>,
    head: i64,
}

impl RecordRow {
    fn kept(self) -> Stored<KeptRecord> {
        Ok(KeptRecord {
            kid: hash(&self.kid)?,
            version: unsigned(self.version)?,
            organisation: self
                .organisation
                .parse()
                .map_err(|_| StoreError::Corrupt("slug"))?,
            device: self.device,
            role: unsigned(self.role)?,
            bytes: self.bytes,
            salt: salt(&self.salt)?,
            hash: hash(&self.hash)?,
            head: unsigned(self.head)?,
        })
    }
}

#[derive(FromRow)]
struct EnrolmentRow {
    claim: String,
    request: Vec<u8>,
    draft: Option<Vec<u8>>,
    mac: Option<String>,
    consent: Option<Vec<u8>>,
}

#[derive(FromRow)]
struct HeadRow {
    version: i64,
    count: i64,
    root: Vec<u8>,
}

impl HeadRow {
    fn head(self) -> Stored<Head> {
        Ok(Head {
            version: unsigned(self.version)?,
            count: unsigned(self.count)?,
            root: hash(&self.root)?,
        })
    }
}

fn kept(rows: Vec<RecordRow>) -> Stored<Vec<KeptRecord>> {
    rows.into_iter().map(RecordRow::kept).collect()
}

#[async_trait]
impl RegistryStore for PostgresStore {
    async fn newest_records(&self) -> Stored<Vec<KeptRecord>> {
        let rows = sqlx::query_as(
            "SELECT DISTINCT ON (kid) kid, version, organisation, device, role, bytes, salt, hash,
                    head
             FROM registry_records ORDER BY kid, version DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        kept(rows)
    }

    async fn registry_list(&self, version: u64) -> Stored<Vec<(Hash, Hash)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT DISTINCT ON (kid) kid, hash FROM registry_records WHERE head <= $1
             ORDER BY kid, version DESC",
        )
        .bind(signed(version))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|(kid, record)| Ok((hash(kid)?, hash(record)?)))
            .collect()
    }

    async fn record_at(&self, kid: &Hash, version: u64) -> Stored<Option<KeptRecord>> {
        let row: Option<RecordRow> = sqlx::query_as(
            "SELECT kid, version, organisation, device, role, bytes, salt, hash, head
             FROM registry_records WHERE kid = $1 AND head <= $2 ORDER BY version DESC LIMIT 1",
        )
        .bind(&kid.0[..])
        .bind(signed(version))
        .fetch_optional(&self.pool)
        .await?;
        row.map(RecordRow::kept).transpose()
    }

    async fn records_of(&self, organisation: &Slug) -> Stored<Vec<KeptRecord>> {
        let rows = sqlx::query_as(
            "SELECT kid, version, organisation, device, role, bytes, salt, hash, head
             FROM (SELECT DISTINCT ON (kid) kid, version, organisation, device, role, bytes, salt,
                          hash, head
                   FROM registry_records
                   WHERE kid IN (SELECT kid FROM registry_records WHERE organisation = $1)
                   ORDER BY kid, version DESC) AS newest
             WHERE organisation = $1 ORDER BY kid",
        )
        .bind(organisation.as_str())
        .fetch_all(&self.pool)
        .await?;
        kept(rows)
    }

    async fn head_at(&self, version: u64) -> Stored<Option<Head>> {
        let row: Option<HeadRow> =
            sqlx::query_as("SELECT version, count, root FROM registry_heads WHERE version = $1")
                .bind(signed(version))
                .fetch_optional(&self.pool)
                .await?;
        row.map(HeadRow::head).transpose()
    }

    async fn registry_head(&self) -> Stored<Option<Head>> {
        let row: Option<HeadRow> = sqlx::query_as(
            "SELECT version, count, root FROM registry_heads ORDER BY version DESC LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(HeadRow::head).transpose()
    }

    async fn put_credential(
        &self,
        username: &str,
        password_hash: &Hash,
        verifier: Option<&Verifier>,
    ) -> Stored<()> {
        retried(|| async {
            sqlx::query(
                "INSERT INTO credentials (username, password_hash, verifier) VALUES ($1, $2, $3)
                 ON CONFLICT (username) DO UPDATE
                   SET password_hash = excluded.password_hash, verifier = excluded.verifier",
            )
            .bind(text(username))
            .bind(&password_hash.0[..])
            .bind(verifier.map(|verifier| verifier.to_bytes().to_vec()))
            .execute(&self.pool)
            .await?;
            Ok(())
        })
        .await
    }

    async fn credential(&self, username: &str) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT password_hash FROM credentials WHERE username = $1")
                .bind(text(username))
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(bytes,)| hash(&bytes)).transpose()
    }

    async fn verifiers(&self) -> Stored<Vec<(String, Verifier)>> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT username, verifier FROM credentials
             WHERE verifier IS NOT NULL ORDER BY username",
        )
        .fetch_all(&self.pool)
        .await?;
        let corrupt = || StoreError::Corrupt("verifier");
        let verifier = |(name, bytes): (String, Vec<u8>)| {
            Ok((name, Verifier::from_slice(&bytes).ok_or_else(corrupt)?))
        };
        rows.into_iter().map(verifier).collect()
    }

    async fn add_enrolment(&self, enrolment: &Enrolment, now: Instant, limit: u64) -> Stored<bool> {
        let (waiting,): (i64,) = sqlx::query_as("SELECT count(*) FROM enrolments")
            .fetch_one(&self.pool)
            .await?;
        if waiting >= signed(limit) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO enrolments (claim, request, made) VALUES ($1, $2, $3)
             ON CONFLICT (claim) DO NOTHING",
        )
        .bind(text(&enrolment.claim))
        .bind(&enrolment.request)
        .bind(at(now))
        .execute(&self.pool)
        .await?;
        let kept = self.enrolment(&enrolment.claim).await?;
        Ok(kept.is_some_and(|kept| kept.request == enrolment.request))
    }

    async fn enrolment(&self, claim: &str) -> Stored<Option<Enrolment>> {
        let row: Option<EnrolmentRow> = sqlx::query_as(
            "SELECT claim, request, draft, mac, consent FROM enrolments WHERE claim = $1",
        )
        .bind(text(claim))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Enrolment {
            claim: row.claim,
            request: row.request,
            draft: row.draft,
            mac: row.mac,
            consent: row.consent,
        }))
    }

    async fn set_draft(&self, claim: &str, draft: &[u8], mac: &str) -> Stored<bool> {
        let set: Option<(String,)> = retried(|| async {
            Ok(sqlx::query_as(
                "UPDATE enrolments SET draft = $2, mac = $3 WHERE claim = $1 AND draft IS NULL
                 RETURNING claim",
            )
            .bind(text(claim))
            .bind(draft)
            .bind(text(mac))
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        Ok(set.is_some())
    }

    async fn set_consent(&self, claim: &str, consent: &[u8]) -> Stored<bool> {
        let set: Option<(String,)> = retried(|| async {
            Ok(sqlx::query_as(
                "UPDATE enrolments SET consent = $2
                 WHERE claim = $1 AND consent IS NULL AND draft IS NOT NULL RETURNING claim",
            )
            .bind(text(claim))
            .bind(consent)
            .fetch_optional(&self.pool)
            .await?)
        })
        .await?;
        Ok(set.is_some())
    }
}
