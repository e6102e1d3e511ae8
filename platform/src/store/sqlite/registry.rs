use async_trait::async_trait;
use schemas::enrol::Verifier;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::Head;
use schemas::time::Instant;

use super::{SqliteStore, hash, signed};
use crate::store::shape::{EnrolmentRow, HeadRow, RecordRow};
use crate::store::{Enrolment, KeptRecord, RegistryStore, StoreError, Stored};

#[async_trait]
impl RegistryStore for SqliteStore {
    async fn newest_records(&self) -> Stored<Vec<KeptRecord>> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT r.* FROM registry_records r
             WHERE r.version = (SELECT max(n.version) FROM registry_records n WHERE n.kid = r.kid)
             ORDER BY r.kid",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(RecordRow::kept).collect()
    }

    async fn records_page(
        &self,
        after: Option<&Hash>,
        version: u64,
        limit: u32,
    ) -> Stored<Vec<KeptRecord>> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT r.* FROM registry_records r
             WHERE r.kid > $1
               AND r.version = (SELECT max(n.version) FROM registry_records n
                                WHERE n.kid = r.kid AND n.head <= $2)
             ORDER BY r.kid LIMIT $3",
        )
        .bind(after.map_or_else(Vec::new, |kid| kid.0.to_vec()))
        .bind(signed(version))
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(RecordRow::kept).collect()
    }

    async fn records_since(&self, after: u64, until: u64, limit: u32) -> Stored<Vec<KeptRecord>> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT r.* FROM registry_records r
             WHERE r.head > $1 AND r.head <= coalesce(
               (SELECT l.head FROM registry_records l WHERE l.head > $1 AND l.head <= $2
                ORDER BY l.head LIMIT 1 OFFSET $3), $2)
             ORDER BY r.head, r.kid, r.version",
        )
        .bind(signed(after))
        .bind(signed(until))
        .bind(i64::from(limit.saturating_sub(1)))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(RecordRow::kept).collect()
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
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|(kid, record)| Ok((hash(kid)?, record.as_deref().map(hash).transpose()?)))
            .collect()
    }

    async fn registry_list(&self, version: u64) -> Stored<Vec<(Hash, Hash)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT r.kid, r.hash FROM registry_records r
             WHERE r.version = (SELECT max(n.version) FROM registry_records n
                                WHERE n.kid = r.kid AND n.head <= $1)
             ORDER BY r.kid",
        )
        .bind(signed(version))
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|(kid, record)| Ok((hash(kid)?, hash(record)?)))
            .collect()
    }

    async fn record_at(&self, kid: &Hash, version: u64) -> Stored<Option<KeptRecord>> {
        let row: Option<RecordRow> = sqlx::query_as(
            "SELECT * FROM registry_records WHERE kid = $1 AND head <= $2
             ORDER BY version DESC LIMIT 1",
        )
        .bind(kid.0.to_vec())
        .bind(signed(version))
        .fetch_optional(&self.reader)
        .await?;
        row.map(RecordRow::kept).transpose()
    }

    async fn records_of(&self, organisation: &Slug) -> Stored<Vec<KeptRecord>> {
        let rows: Vec<RecordRow> = sqlx::query_as(
            "SELECT r.* FROM registry_records r
             WHERE r.organisation = $1
               AND r.version = (SELECT max(n.version) FROM registry_records n WHERE n.kid = r.kid)
             ORDER BY r.kid",
        )
        .bind(organisation.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(RecordRow::kept).collect()
    }

    async fn head_at(&self, version: u64) -> Stored<Option<Head>> {
        let row: Option<HeadRow> =
            sqlx::query_as("SELECT version, count, root FROM registry_heads WHERE version = $1")
                .bind(signed(version))
                .fetch_optional(&self.reader)
                .await?;
        row.map(HeadRow::head).transpose()
    }

    async fn registry_head(&self) -> Stored<Option<Head>> {
        let row: Option<HeadRow> = sqlx::query_as(
            "SELECT version, count, root FROM registry_heads ORDER BY version DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        row.map(HeadRow::head).transpose()
    }

    async fn put_credential(
        &self,
        username: &str,
        password_hash: &Hash,
        verifier: Option<&Verifier>,
    ) -> Stored<()> {
        sqlx::query(
            "INSERT INTO credentials (username, password_hash, verifier) VALUES ($1, $2, $3)
             ON CONFLICT (username) DO UPDATE
               SET password_hash = excluded.password_hash, verifier = excluded.verifier",
        )
        .bind(username)
        .bind(password_hash.0.to_vec())
        .bind(verifier.map(|verifier| verifier.to_bytes().to_vec()))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    async fn credential(&self, username: &str) -> Stored<Option<Hash>> {
        let row: Option<(Vec<u8>,)> =
            sqlx::query_as("SELECT password_hash FROM credentials WHERE username = $1")
                .bind(username)
                .fetch_optional(&self.reader)
                .await?;
        row.map(|(bytes,)| hash(&bytes)).transpose()
    }

    async fn verifiers(&self) -> Stored<Vec<(String, Verifier)>> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT username, verifier FROM credentials
             WHERE verifier IS NOT NULL ORDER BY username",
        )
        .fetch_all(&self.reader)
        .await?;
        let corrupt = || StoreError::Corrupt("verifier");
        let verifier = |(name, bytes): (String, Vec<u8>)| {
            Ok((name, Verifier::from_slice(&bytes).ok_or_else(corrupt)?))
        };
        rows.into_iter().map(verifier).collect()
    }

    async fn add_enrolment(&self, enrolment: &Enrolment, at: Instant, limit: u64) -> Stored<bool> {
        let (waiting,): (i64,) = sqlx::query_as("SELECT count(*) FROM enrolments")
            .fetch_one(&self.reader)
            .await?;
        if waiting >= signed(limit) {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO enrolments (claim, request, made) VALUES ($1, $2, $3)
             ON CONFLICT (claim) DO NOTHING",
        )
        .bind(&enrolment.claim)
        .bind(&enrolment.request)
        .bind(at.to_rfc3339())
        .execute(&self.writer)
        .await?;
        let kept = self.enrolment(&enrolment.claim).await?;
        Ok(kept.is_some_and(|kept| kept.request == enrolment.request))
    }

    async fn enrolment(&self, claim: &str) -> Stored<Option<Enrolment>> {
        let row: Option<EnrolmentRow> = sqlx::query_as(
            "SELECT claim, request, draft, mac, consent FROM enrolments WHERE claim = $1",
        )
        .bind(claim)
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.map(EnrolmentRow::enrolment))
    }

    async fn set_draft(&self, claim: &str, draft: &[u8], mac: &str) -> Stored<bool> {
        let done = sqlx::query(
            "UPDATE enrolments SET draft = $2, mac = $3 WHERE claim = $1 AND draft IS NULL",
        )
        .bind(claim)
        .bind(draft)
        .bind(mac)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn set_consent(&self, claim: &str, consent: &[u8]) -> Stored<bool> {
        let done = sqlx::query(
            "UPDATE enrolments SET consent = $2
             WHERE claim = $1 AND consent IS NULL AND draft IS NOT NULL",
        )
        .bind(claim)
        .bind(consent)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
