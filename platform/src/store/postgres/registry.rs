use async_trait::async_trait;
use kit::postgres::text;
use schemas::enrol::Verifier;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::Head;
use schemas::time::Instant;

use super::{PostgresStore, at, hash, retried, signed};
use crate::store::shape::{EnrolmentRow, HeadRow, RecordRow};
use crate::store::{Enrolment, KeptRecord, RegistryStore, StoreError, Stored};

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

    async fn records_page(
        &self,
        after: Option<&Hash>,
        version: u64,
        limit: u32,
    ) -> Stored<Vec<KeptRecord>> {
        let rows = sqlx::query_as(
            "SELECT DISTINCT ON (kid) kid, version, organisation, device, role, bytes, salt, hash,
                    head
             FROM registry_records WHERE kid > $1 AND head <= $2
             ORDER BY kid, version DESC LIMIT $3",
        )
        .bind(after.map_or(&[][..], |kid| &kid.0[..]))
        .bind(signed(version))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        kept(rows)
    }

    async fn records_since(&self, after: u64, until: u64, limit: u32) -> Stored<Vec<KeptRecord>> {
        let last: Option<(i64,)> = sqlx::query_as(
            "SELECT head FROM registry_records WHERE head > $1 AND head <= $2
             ORDER BY head LIMIT 1 OFFSET $3",
        )
        .bind(signed(after))
        .bind(signed(until))
        .bind(i64::from(limit.saturating_sub(1)))
        .fetch_optional(&self.pool)
        .await?;
        let rows = sqlx::query_as(
            "SELECT kid, version, organisation, device, role, bytes, salt, hash, head
             FROM registry_records WHERE head > $1 AND head <= $2 ORDER BY head, kid, version",
        )
        .bind(signed(after))
        .bind(last.map_or(signed(until), |(head,)| head))
        .fetch_all(&self.pool)
        .await?;
        kept(rows)
    }

    async fn records_before(&self, version: u64, until: u64) -> Stored<Vec<(Hash, Option<Hash>)>> {
        let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT c.kid, (SELECT o.hash FROM registry_records o
                            WHERE o.kid = c.kid AND o.head <= $1
                            ORDER BY o.version DESC LIMIT 1)
             FROM (SELECT DISTINCT kid FROM registry_records WHERE head > $1 AND head <= $2) c",
        )
        .bind(signed(version))
        .bind(signed(until))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|(kid, record)| Ok((hash(kid)?, record.as_deref().map(hash).transpose()?)))
            .collect()
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
        Ok(row.map(EnrolmentRow::enrolment))
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
