//! Rows of loans. Many rows go in as one array a column, as in the ledger.

use async_trait::async_trait;
use chrono::NaiveDate;
use kit::postgres::{Timestamp, text};
use schemas::hash::Hash;
use schemas::time::Instant;
use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, PgConnection, Row as _};

use super::{Postgres, at, ledger, retried, takings, told, trail};
use crate::audit;
use crate::ledger::LoanId;
use crate::store::StoreError;
use crate::store::lending::rows::{self, HeadRow, MotionRow};
use crate::store::lending::{
    ACTS_MAX, Change, Denial, Ended, Head, KeptTerms, LOANS_MAX, Loans, Motion, Numbered, Untold,
    Which, Write, Wrote,
};

/// Columns of a head, see [`HeadRow`]; the instant stands last.
const HEAD: &str = "SELECT loan, acts, state, supplier, product, rules, instalments, approved_fen,
    currency, run_day, due_day, position, last_booked FROM loan_heads";

fn instant(row: &PgRow, column: &str) -> Result<Instant, StoreError> {
    let stamp: Timestamp = row.try_get(column)?;
    Ok(stamp.0)
}

fn head(row: &PgRow) -> Result<Head, StoreError> {
    rows::head(HeadRow::from_row(row)?, instant(row, "last_booked")?)
}

fn motion(row: &PgRow) -> Result<Motion, StoreError> {
    let ended: Option<Timestamp> = row.try_get("ended_at")?;
    rows::motion(
        MotionRow::from_row(row)?,
        instant(row, "at")?,
        ended.map(|one| one.0),
    )
}

/// One value of each loan, in their order.
fn column<'c, T>(changes: &'c [Change], of: impl Fn(&'c Change) -> T) -> Vec<T> {
    changes.iter().map(of).collect()
}

/// True if every loan had as many acts as was thought.
async fn put_heads(connection: &mut PgConnection, changes: &[Change]) -> Result<bool, StoreError> {
    let days = |of: fn(&Head) -> Option<NaiveDate>| {
        column(changes, |one| of(&one.head).map(|day| day.to_string()))
    };
    let put: Vec<(String,)> = sqlx::query_as(
        "INSERT INTO loan_heads (loan, was, acts, state, supplier, product, rules, instalments,
         approved_fen, currency, run_day, due_day, last_booked, position)
         SELECT h.loan, h.was, h.acts, h.state, h.supplier, h.product, h.rules, h.instalments,
                h.approved_fen, h.currency, h.run_day, h.due_day, h.last_booked, h.position
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[],
                     $7::bytea[], $8::bigint[], $9::bigint[], $10::text[], $11::text[],
                     $12::text[], $13::timestamptz[], $14::text[])
              AS h(loan, was, acts, state, supplier, product, rules, instalments, approved_fen,
                   currency, run_day, due_day, last_booked, position)
         ON CONFLICT (loan) DO UPDATE SET was = excluded.was, acts = excluded.acts,
             state = excluded.state, run_day = excluded.run_day, due_day = excluded.due_day,
             last_booked = excluded.last_booked, position = excluded.position
         WHERE loan_heads.acts = excluded.was
         RETURNING loan",
    )
    .bind(column(changes, |one| one.head.loan.as_str()))
    .bind(column(changes, |one| i64::from(one.before)))
    .bind(column(changes, |one| i64::from(one.head.acts)))
    .bind(column(changes, |one| one.head.state.as_str()))
    .bind(column(changes, |one| one.head.supplier.as_str()))
    .bind(column(changes, |one| &one.head.product.0[..]))
    .bind(column(changes, |one| &one.head.rules.0[..]))
    .bind(column(changes, |one| i64::from(one.head.instalments)))
    .bind(column(changes, |one| one.head.approved.fen()))
    .bind(column(changes, |one| {
        one.head.approved.currency().to_string()
    }))
    .bind(days(|head| head.run_day))
    .bind(days(|head| head.due_day))
    .bind(column(changes, |one| at(one.head.last_booked)))
    .bind(column(changes, |one| one.head.position.as_deref()))
    .fetch_all(connection)
    .await?;
    Ok(put.len() == changes.len())
}

async fn add_acts(connection: &mut PgConnection, changes: &[Change]) -> Result<(), StoreError> {
    let (mut loans, mut numbers, mut keys, mut bodies) = (vec![], vec![], vec![], vec![]);
    for change in changes {
        for (number, act) in (change.before.saturating_add(1)..).zip(&change.acts) {
            loans.push(change.head.loan.as_str());
            numbers.push(i64::from(number));
            keys.push(act.key.as_str());
            bodies.push(rows::act_body(act)?);
        }
    }
    sqlx::query(
        "INSERT INTO loan_acts (loan, number, act_key, body)
         SELECT a.loan, a.number, a.act_key, a.body
         FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::text[])
              AS a(loan, number, act_key, body)",
    )
    .bind(loans)
    .bind(numbers)
    .bind(keys)
    .bind(bodies)
    .execute(connection)
    .await?;
    Ok(())
}

/// What few changes have: payees, room, the offer of a new loan, the end of a motion. False if the offer
/// or the motion ended before.
async fn add_rest(
    connection: &mut PgConnection,
    change: &Change,
    at: Instant,
) -> Result<bool, StoreError> {
    let loan = change.head.loan.as_str();
    if let Some((payee, account)) = &change.payee {
        sqlx::query(
            "INSERT INTO loan_payees (loan, payee, account) VALUES ($1, $2, $3)
             ON CONFLICT (loan, payee) DO NOTHING",
        )
        .bind(loan)
        .bind(&payee.0[..])
        .bind(text(account))
        .execute(&mut *connection)
        .await?;
    }
    for (act, fen) in &change.room {
        sqlx::query(
            "INSERT INTO loan_room (loan, act, fen, at, told) VALUES ($1, $2, $3, $4, false)",
        )
        .bind(loan)
        .bind(i64::from(*act))
        .bind(fen)
        .bind(Timestamp(at))
        .execute(&mut *connection)
        .await?;
    }
    if change.before == 0 && !takings::begin_loan(connection, loan, at).await? {
        return Ok(false);
    }
    match &change.ends {
        Some(end) => end_motion(connection, &change.head.loan, end).await,
        None => Ok(true),
    }
}

async fn end_motion(
    connection: &mut PgConnection,
    loan: &LoanId,
    end: &Ended,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "INSERT INTO loan_motion_ends (loan, motion, how, ended_by, at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (loan, motion) DO NOTHING RETURNING loan",
    )
    .bind(loan.as_str())
    .bind(&end.motion.0[..])
    .bind(&end.how)
    .bind(end.by.as_str())
    .bind(at(end.at))
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Columns of a motion, see [`MotionRow`]; the instants stand last.
const MOTION: &str = "SELECT m.loan, m.motion, m.made_by, m.body, e.how, e.ended_by, m.at,
    e.at AS ended_at FROM loan_motions m
    LEFT JOIN loan_motion_ends e ON e.loan = m.loan AND e.motion = m.motion";

impl Postgres {
    /// Heads come first: a writer of the same loan waits at that row and then finds other acts.
    async fn write_once(&self, write: &Write) -> Result<Wrote, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if !put_heads(&mut transaction, &write.changes).await? {
            return Ok(Wrote::Overtaken);
        }
        add_acts(&mut transaction, &write.changes).await?;
        let now = write.note.at;
        for change in &write.changes {
            if !add_rest(&mut transaction, change, now).await? {
                return Ok(Wrote::Overtaken);
            }
        }
        ledger::append(&mut transaction, &write.book, &write.entries, now).await?;
        let place = trail::append(&mut transaction, &write.note).await?;
        told::add(&mut transaction, (&write.book, place), &write.told()).await?;
        transaction.commit().await?;
        Ok(Wrote::Kept)
    }

    async fn propose_once(&self, motion: &Motion, note: &audit::Entry) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        let row = sqlx::query(
            "INSERT INTO loan_motions (loan, motion, made_by, at, body)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (loan, motion) DO NOTHING RETURNING loan",
        )
        .bind(motion.loan.as_str())
        .bind(&motion.id.0[..])
        .bind(motion.by.as_str())
        .bind(at(motion.at))
        .bind(&motion.body)
        .fetch_optional(&mut *transaction)
        .await?;
        if row.is_some() {
            trail::append(&mut transaction, note).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn end_once(
        &self,
        loan: &LoanId,
        end: &Ended,
        note: &audit::Entry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if !end_motion(&mut transaction, loan, end).await? {
            return Ok(false);
        }
        trail::append(&mut transaction, note).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// True if a key was taken: an act's, by somebody who was quicker.
fn is_taken(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

#[async_trait]
impl Loans for Postgres {
    async fn keep_terms(&self, terms: &[KeptTerms], at: Instant) -> Result<(), StoreError> {
        for one in terms {
            sqlx::query(
                "INSERT INTO loan_terms (hash, kind, body, kept_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (hash) DO NOTHING",
            )
            .bind(&one.hash.0[..])
            .bind(&one.kind)
            .bind(&one.body)
            .bind(Timestamp(at))
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    async fn kept_terms(&self) -> Result<Vec<KeptTerms>, StoreError> {
        let rows: Vec<(Vec<u8>, String, String)> =
            sqlx::query_as("SELECT hash, kind, body FROM loan_terms ORDER BY kept_at, hash")
                .fetch_all(&self.pool)
                .await?;
        let read = |(hash, kind, body): (Vec<u8>, String, String)| {
            let hash = rows::hash(&hash)?;
            Ok(KeptTerms { hash, kind, body })
        };
        rows.into_iter().map(read).collect()
    }

    async fn write_loans(&self, write: &Write) -> Result<Wrote, StoreError> {
        match retried(|| self.write_once(write)).await {
            Err(StoreError::Database(error)) if is_taken(&error) => Ok(Wrote::Overtaken),
            outcome => outcome,
        }
    }

    async fn head(&self, loan: &LoanId) -> Result<Option<Head>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{HEAD} WHERE loan = $1")))
            .bind(loan.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| head(&row)).transpose()
    }

    async fn acts(
        &self,
        loan: &LoanId,
        after: u32,
        take: u32,
    ) -> Result<Vec<Numbered>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT number, body FROM loan_acts WHERE loan = $1 AND number > $2
             ORDER BY number LIMIT $3",
        )
        .bind(loan.as_str())
        .bind(i64::from(after))
        .bind(i64::from(take.min(ACTS_MAX)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|(number, body)| rows::act(*number, body))
            .collect()
    }

    async fn heads(
        &self,
        which: &Which,
        after: Option<&LoanId>,
        take: u32,
    ) -> Result<Vec<Head>, StoreError> {
        let (condition, value) = match which {
            Which::All => ("$2::text IS NULL", None),
            Which::In(state) => ("state = $2", Some(state.clone())),
            Which::Of(supplier) => ("supplier = $2", Some(supplier.to_string())),
            Which::DueBy(day) => ("due_day <= $2", Some(day.to_string())),
        };
        let sql = format!("{HEAD} WHERE loan > $1 AND {condition} ORDER BY loan LIMIT $3");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or("", LoanId::as_str))
            .bind(value)
            .bind(i64::from(take.min(LOANS_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(head).collect()
    }

    async fn behind(
        &self,
        day: NaiveDate,
        after: Option<(NaiveDate, &LoanId)>,
        take: u32,
    ) -> Result<Vec<Head>, StoreError> {
        let sql = format!(
            "{HEAD} WHERE run_day < $1 AND (run_day, loan) > ($2, $3)
             ORDER BY run_day, loan LIMIT $4"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(day.to_string())
            .bind(after.map_or_else(String::new, |(day, _)| day.to_string()))
            .bind(after.map_or("", |(_, loan)| loan.as_str()))
            .bind(i64::from(take.min(LOANS_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(head).collect()
    }

    async fn payee(&self, loan: &LoanId, payee: &Hash) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT account FROM loan_payees WHERE loan = $1 AND payee = $2")
                .bind(loan.as_str())
                .bind(&payee.0[..])
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.map(|(account,)| account))
    }

    async fn untold_room(&self, take: u32) -> Result<Vec<Untold>, StoreError> {
        let rows = sqlx::query(
            "SELECT loan, act, fen, at FROM loan_room WHERE NOT told ORDER BY loan, act LIMIT $1",
        )
        .bind(i64::from(take.min(LOANS_MAX)))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| {
            Ok(Untold {
                loan: rows::loan(row.try_get("loan")?)?,
                act: rows::act_number(row.try_get("act")?)?,
                fen: row.try_get("fen")?,
                at: instant(row, "at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn room_told(&self, loan: &LoanId, act: u32) -> Result<(), StoreError> {
        sqlx::query("UPDATE loan_room SET told = true WHERE loan = $1 AND act = $2")
            .bind(loan.as_str())
            .bind(i64::from(act))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn deny(&self, denial: &Denial) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO loan_denials (loan, name, at, who, deed, act_key, refused_by, reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (loan, name) DO NOTHING",
        )
        .bind(denial.loan.as_str())
        .bind(&rows::denial_id(denial).0[..])
        .bind(at(denial.at))
        .bind(text(&denial.who))
        .bind(text(&denial.deed))
        .bind(text(&denial.key))
        .bind(text(&denial.rule))
        .bind(text(&denial.reason))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn denials(&self, loan: &LoanId, take: u32) -> Result<Vec<Denial>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, who, deed, act_key, refused_by, reason FROM loan_denials WHERE loan = $1
             ORDER BY at DESC, name LIMIT $2",
        )
        .bind(loan.as_str())
        .bind(i64::from(take.min(LOANS_MAX)))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &PgRow| {
            Ok(Denial {
                loan: loan.clone(),
                at: instant(row, "at")?,
                who: row.try_get("who")?,
                deed: row.try_get("deed")?,
                key: row.try_get("act_key")?,
                rule: row.try_get("refused_by")?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn propose(&self, motion: &Motion, note: &audit::Entry) -> Result<(), StoreError> {
        retried(|| self.propose_once(motion, note)).await
    }

    async fn motion(&self, loan: &LoanId, id: &Hash) -> Result<Option<Motion>, StoreError> {
        let sql = format!("{MOTION} WHERE m.loan = $1 AND m.motion = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(loan.as_str())
            .bind(&id.0[..])
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| motion(&row)).transpose()
    }

    async fn open_motions(&self, take: u32) -> Result<Vec<Motion>, StoreError> {
        let sql = format!("{MOTION} WHERE e.loan IS NULL ORDER BY m.at, m.loan LIMIT $1");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(take.min(LOANS_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(motion).collect()
    }

    async fn motions_of(&self, loan: &LoanId, take: u32) -> Result<Vec<Motion>, StoreError> {
        let sql = format!("{MOTION} WHERE m.loan = $1 ORDER BY m.at DESC, m.motion LIMIT $2");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(loan.as_str())
            .bind(i64::from(take.min(LOANS_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(motion).collect()
    }

    async fn end_motion(
        &self,
        loan: &LoanId,
        end: &Ended,
        note: &audit::Entry,
    ) -> Result<bool, StoreError> {
        retried(|| self.end_once(loan, end, note)).await
    }

    async fn hold_lease(
        &self,
        task: &str,
        holder: &str,
        now: Instant,
        until: Instant,
    ) -> Result<Option<i64>, StoreError> {
        let row: Option<(i64,)> = sqlx::query_as(
            "INSERT INTO lending_leases (task, holder, fence, until) VALUES ($1, $2, 1, $3)
             ON CONFLICT (task) DO UPDATE SET holder = excluded.holder,
                 fence = lending_leases.fence + 1, until = excluded.until
             WHERE lending_leases.holder = excluded.holder OR lending_leases.until <= $4
             RETURNING fence",
        )
        .bind(task)
        .bind(holder)
        .bind(at(until))
        .bind(at(now))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(fence,)| fence))
    }
}
