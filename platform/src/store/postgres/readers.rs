use std::collections::BTreeMap;

use async_trait::async_trait;
use kit::postgres::{Timestamp, text};
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::FromRow;

use super::{PostgresStore, at, retried, unsigned};
use crate::report::{Added, KeptReport, Kind, Limits, NewReport, Number, State, Step};
use crate::store::{ReaderStore, ScanCount, StoreError, Stored};

#[derive(FromRow)]
struct ReportRow {
    number: String,
    item: String,
    organisation: String,
    kind: String,
    text: String,
    received: Timestamp,
    has_contact: bool,
}

impl ReportRow {
    fn kept(self, steps: Vec<Step>) -> Stored<KeptReport> {
        let organisation = Some(self.organisation).filter(|slug| !slug.is_empty());
        let organisation = organisation.map(|slug| slug.parse()).transpose();
        let number = self.number.parse();
        Ok(KeptReport {
            number: number.map_err(|_| StoreError::Corrupt("number of a report"))?,
            item: self.item,
            organisation: organisation.map_err(|_| StoreError::Corrupt("organisation"))?,
            kind: Kind::parse(&self.kind).ok_or(StoreError::Corrupt("kind of report"))?,
            text: self.text,
            received: self.received.0,
            has_contact: self.has_contact,
            steps,
        })
    }
}

#[derive(FromRow)]
struct StepRow {
    number: String,
    state: String,
    person: String,
    at: Timestamp,
}

impl StepRow {
    fn step(self) -> Stored<Step> {
        let person = self.person.parse();
        Ok(Step {
            state: State::parse(&self.state).ok_or(StoreError::Corrupt("state of a report"))?,
            person: person.map_err(|_| StoreError::Corrupt("person"))?,
            at: self.at.0,
        })
    }
}

fn count(row: Option<(Timestamp, i64)>) -> Stored<Option<ScanCount>> {
    row.map(|(first, total)| {
        Ok(ScanCount {
            first: first.0,
            total: unsigned(total)?,
        })
    })
    .transpose()
}

impl PostgresStore {
    /// Rows with their steps, in the order of the rows.
    async fn with_steps(&self, rows: Vec<ReportRow>) -> Stored<Vec<KeptReport>> {
        let numbers: Vec<String> = rows.iter().map(|row| row.number.clone()).collect();
        let steps: Vec<StepRow> = sqlx::query_as(
            "SELECT number, state, person, at FROM report_steps
             WHERE number = ANY($1) ORDER BY number, step",
        )
        .bind(numbers)
        .fetch_all(&self.pool)
        .await?;
        let mut by_number = BTreeMap::<String, Vec<Step>>::new();
        for row in steps {
            let number = row.number.clone();
            by_number.entry(number).or_default().push(row.step()?);
        }
        let kept = rows.into_iter().map(|row| {
            let steps = by_number.remove(&row.number).unwrap_or_default();
            row.kept(steps)
        });
        kept.collect()
    }

    async fn try_report(&self, report: &NewReport, limits: &Limits) -> Stored<Added> {
        let mut transaction = self.pool.begin().await?;
        let known: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM reports WHERE number = $1")
            .bind(report.number.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some() {
            return Ok(Added::Kept);
        }
        let (of_item, in_all): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE item = $1), count(*) FROM reports WHERE received > $2",
        )
        .bind(text(&report.item))
        .bind(at(limits.since))
        .fetch_one(&mut *transaction)
        .await?;
        if unsigned(of_item)? >= limits.of_item || unsigned(in_all)? >= limits.in_all {
            return Ok(Added::Limited);
        }
        sqlx::query(
            "INSERT INTO reports (number, item, organisation, kind, text, received)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number) DO NOTHING",
        )
        .bind(report.number.as_str())
        .bind(text(&report.item))
        .bind(report.organisation.as_ref().map_or("", Slug::as_str))
        .bind(report.kind.as_str())
        .bind(text(&report.text))
        .bind(at(report.received))
        .execute(&mut *transaction)
        .await?;
        if let Some(contact) = &report.contact {
            sqlx::query(
                "INSERT INTO report_contacts (number, contact) VALUES ($1, $2)
                 ON CONFLICT (number) DO NOTHING",
            )
            .bind(report.number.as_str())
            .bind(text(contact))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(Added::Kept)
    }
}

#[async_trait]
impl ReaderStore for PostgresStore {
    async fn add_report(&self, report: &NewReport, limits: &Limits) -> Stored<Added> {
        retried(|| self.try_report(report, limits)).await
    }

    async fn report(&self, number: &Number) -> Stored<Option<KeptReport>> {
        let row: Option<ReportRow> = sqlx::query_as(
            "SELECT r.number, r.item, r.organisation, r.kind, r.text, r.received,
                    c.number IS NOT NULL AS has_contact
             FROM reports r LEFT JOIN report_contacts c ON c.number = r.number
             WHERE r.number = $1",
        )
        .bind(number.as_str())
        .fetch_optional(&self.pool)
        .await?;
        Ok(self.with_steps(row.into_iter().collect()).await?.pop())
    }

    async fn reports_of(&self, organisation: Option<&Slug>, limit: u32) -> Stored<Vec<KeptReport>> {
        let rows: Vec<ReportRow> = sqlx::query_as(
            "SELECT r.number, r.item, r.organisation, r.kind, r.text, r.received,
                    c.number IS NOT NULL AS has_contact
             FROM reports r LEFT JOIN report_contacts c ON c.number = r.number
             WHERE r.organisation = $1 ORDER BY r.received DESC, r.number LIMIT $2",
        )
        .bind(organisation.map_or("", Slug::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        self.with_steps(rows).await
    }

    async fn contact_of(&self, number: &Number) -> Stored<Option<String>> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT contact FROM report_contacts WHERE number = $1")
                .bind(number.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(contact,)| contact))
    }

    async fn erase_contact(&self, number: &Number) -> Stored<bool> {
        let erased: Option<(String,)> =
            sqlx::query_as("DELETE FROM report_contacts WHERE number = $1 RETURNING number")
                .bind(number.as_str())
                .fetch_optional(&self.pool)
                .await?;
        Ok(erased.is_some())
    }

    async fn add_report_step(&self, number: &Number, before: usize, step: &Step) -> Stored<bool> {
        let added: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO report_steps (number, step, state, person, at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (number, step) DO NOTHING RETURNING step",
        )
        .bind(number.as_str())
        .bind(i64::try_from(before).unwrap_or(i64::MAX))
        .bind(step.state.as_str())
        .bind(step.person.as_str())
        .bind(at(step.at))
        .fetch_optional(&self.pool)
        .await?;
        Ok(added.is_some())
    }

    async fn scans_of(&self, item: &str) -> Stored<Option<ScanCount>> {
        let row = sqlx::query_as("SELECT first, total FROM scans WHERE item = $1")
            .bind(text(item))
            .fetch_optional(&self.pool)
            .await?;
        count(row)
    }

    async fn count_unknown_scan(
        &self,
        item: &str,
        now: Instant,
        most: u64,
    ) -> Stored<Option<ScanCount>> {
        let (known, codes): (i64, i64) =
            sqlx::query_as("SELECT count(*) FILTER (WHERE item = $1), count(*) FROM unknown_scans")
                .bind(text(item))
                .fetch_one(&self.pool)
                .await?;
        if known == 0 && unsigned(codes)? >= most {
            return Ok(None);
        }
        let row = sqlx::query_as(
            "INSERT INTO unknown_scans (item, first, total) VALUES ($1, $2, 1)
             ON CONFLICT (item) DO UPDATE SET total = unknown_scans.total + 1
             RETURNING first, total",
        )
        .bind(text(item))
        .bind(at(now))
        .fetch_optional(&self.pool)
        .await?;
        count(row)
    }

    async fn unknown_scans_of(&self, item: &str) -> Stored<Option<ScanCount>> {
        let row = sqlx::query_as("SELECT first, total FROM unknown_scans WHERE item = $1")
            .bind(text(item))
            .fetch_optional(&self.pool)
            .await?;
        count(row)
    }
}
