use async_trait::async_trait;
use schemas::ids::Slug;
use schemas::time::Instant;
use sqlx::FromRow;

use super::{SqliteStore, instant, unsigned};
use crate::report::{Added, KeptReport, Kind, Limits, NewReport, Number, State, Step};
use crate::store::{ReaderStore, ScanCount, StoreError, Stored};

#[derive(FromRow)]
struct ReportRow {
    number: String,
    item: String,
    organisation: String,
    kind: String,
    text: String,
    received: String,
    has_contact: bool,
}

impl ReportRow {
    fn kept(self, steps: Vec<Step>) -> Stored<KeptReport> {
        let organisation = Some(self.organisation).filter(|slug| !slug.is_empty());
        let organisation = organisation.map(|slug| slug.parse()).transpose();
        Ok(KeptReport {
            number: number(&self.number)?,
            item: self.item,
            organisation: organisation.map_err(|_| StoreError::Corrupt("organisation"))?,
            kind: Kind::parse(&self.kind).ok_or(StoreError::Corrupt("kind of report"))?,
            text: self.text,
            received: instant(&self.received)?,
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
    at: String,
}

impl StepRow {
    fn step(self) -> Stored<Step> {
        Ok(Step {
            state: State::parse(&self.state).ok_or(StoreError::Corrupt("state of a report"))?,
            person: self
                .person
                .parse()
                .map_err(|_| StoreError::Corrupt("person"))?,
            at: instant(&self.at)?,
        })
    }
}

fn number(text: &str) -> Stored<Number> {
    text.parse()
        .map_err(|_| StoreError::Corrupt("number of a report"))
}

fn count(row: Option<(String, i64)>) -> Stored<Option<ScanCount>> {
    row.map(|(first, total)| {
        Ok(ScanCount {
            first: instant(&first)?,
            total: unsigned(total)?,
        })
    })
    .transpose()
}

impl SqliteStore {
    /// Rows with their steps, in the order of the rows.
    async fn with_steps(&self, rows: Vec<ReportRow>) -> Stored<Vec<KeptReport>> {
        let numbers: Vec<String> = rows.iter().map(|row| row.number.clone()).collect();
        let steps: Vec<StepRow> = sqlx::query_as(
            "SELECT number, state, person, at FROM report_steps
             WHERE number IN (SELECT value FROM json_each($1)) ORDER BY number, step",
        )
        .bind(super::json_list(&numbers))
        .fetch_all(&self.reader)
        .await?;
        let mut by_number = std::collections::BTreeMap::<String, Vec<Step>>::new();
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
}

#[async_trait]
impl ReaderStore for SqliteStore {
    async fn add_report(&self, report: &NewReport, limits: &Limits) -> Stored<Added> {
        let mut transaction = self.writer.begin().await?;
        let known: Option<(i64,)> = sqlx::query_as("SELECT 1 FROM reports WHERE number = $1")
            .bind(report.number.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some() {
            return Ok(Added::Kept);
        }
        let (of_item, in_all): (i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE item = $1), count(*) FROM reports WHERE received > $2",
        )
        .bind(&report.item)
        .bind(limits.since.to_rfc3339())
        .fetch_one(&mut *transaction)
        .await?;
        if unsigned(of_item)? >= limits.of_item || unsigned(in_all)? >= limits.in_all {
            return Ok(Added::Limited);
        }
        sqlx::query(
            "INSERT INTO reports (number, item, organisation, kind, text, received)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(report.number.as_str())
        .bind(&report.item)
        .bind(report.organisation.as_ref().map_or("", Slug::as_str))
        .bind(report.kind.as_str())
        .bind(&report.text)
        .bind(report.received.to_rfc3339())
        .execute(&mut *transaction)
        .await?;
        if let Some(contact) = &report.contact {
            sqlx::query("INSERT INTO report_contacts (number, contact) VALUES ($1, $2)")
                .bind(report.number.as_str())
                .bind(contact)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Added::Kept)
    }

    async fn report(&self, number: &Number) -> Stored<Option<KeptReport>> {
        let row: Option<ReportRow> = sqlx::query_as(
            "SELECT r.number, r.item, r.organisation, r.kind, r.text, r.received,
                    c.number IS NOT NULL AS has_contact
             FROM reports r LEFT JOIN report_contacts c ON c.number = r.number
             WHERE r.number = $1",
        )
        .bind(number.as_str())
        .fetch_optional(&self.reader)
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
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        self.with_steps(rows).await
    }

    async fn contact_of(&self, number: &Number) -> Stored<Option<String>> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT contact FROM report_contacts WHERE number = $1")
                .bind(number.as_str())
                .fetch_optional(&self.reader)
                .await?;
        Ok(row.map(|(contact,)| contact))
    }

    async fn erase_contact(&self, number: &Number) -> Stored<bool> {
        let erased = sqlx::query("DELETE FROM report_contacts WHERE number = $1")
            .bind(number.as_str())
            .execute(&self.writer)
            .await?;
        Ok(erased.rows_affected() > 0)
    }

    async fn add_report_step(&self, number: &Number, before: usize, step: &Step) -> Stored<bool> {
        let added: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO report_steps (number, step, state, person, at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING step",
        )
        .bind(number.as_str())
        .bind(i64::try_from(before).unwrap_or(i64::MAX))
        .bind(step.state.as_str())
        .bind(step.person.as_str())
        .bind(step.at.to_rfc3339())
        .fetch_optional(&self.writer)
        .await?;
        Ok(added.is_some())
    }

    async fn scans_of(&self, item: &str) -> Stored<Option<ScanCount>> {
        let row = sqlx::query_as("SELECT first, total FROM scans WHERE item = $1")
            .bind(item)
            .fetch_optional(&self.reader)
            .await?;
        count(row)
    }

    async fn count_unknown_scan(
        &self,
        item: &str,
        at: Instant,
        most: u64,
    ) -> Stored<Option<ScanCount>> {
        let (known, codes): (i64, i64) =
            sqlx::query_as("SELECT count(*) FILTER (WHERE item = $1), count(*) FROM unknown_scans")
                .bind(item)
                .fetch_one(&self.writer)
                .await?;
        if known == 0 && unsigned(codes)? >= most {
            return Ok(None);
        }
        let row = sqlx::query_as(
            "INSERT INTO unknown_scans (item, first, total) VALUES ($1, $2, 1)
             ON CONFLICT (item) DO UPDATE SET total = unknown_scans.total + 1
             RETURNING first, total",
        )
        .bind(item)
        .bind(at.to_rfc3339())
        .fetch_optional(&self.writer)
        .await?;
        count(row)
    }

    async fn unknown_scans_of(&self, item: &str) -> Stored<Option<ScanCount>> {
        let row = sqlx::query_as("SELECT first, total FROM unknown_scans WHERE item = $1")
            .bind(item)
            .fetch_optional(&self.reader)
            .await?;
        count(row)
    }
}
