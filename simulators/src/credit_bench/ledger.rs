//! What the ledger costs beside plain inserts of the same rows: `bench -- credit`.
//!
//! Both ways insert the same entries and postings into the same tables with the same statements, in
//! transactions of the same size, by the same number of writers. The plain way has no chain, no
//! page, no look-up of keys: its rows stand in a book of their own, and their hashes are made before
//! the clock starts. Rounds of both alternate; the median of the rounds' ratios counts.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant as Moment};

use anyhow::{Result, bail, ensure};
use chrono::NaiveDate;
use credit::ledger::chain::entry_hash;
use credit::ledger::{Account, Class, Draft, Entry, EntryKey, EntryKind, LoanId, Posting};
use credit::money::{Currency, Money};
use credit::store::{Checked, Ledger};
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::time::Instant;
use serde::Serialize;
use serde_json::json;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

/// The book of the chained entries.
const CHAINED: &str = "chained";
/// The book of the plain rows.
const PLAIN: &str = "plain";
/// Loans that entries are of; a prime, so that batches begin with different ones.
const LOANS: u64 = 997;
/// Rounds of both ways; the median counts.
const ROUNDS: usize = 7;
/// Writers and entries a transaction that are measured: a repayment alone, a few of them at once, a
/// day's accrual.
const SHAPES: [(usize, usize); 6] = [(1, 1), (4, 1), (1, 100), (4, 100), (1, 1_000), (4, 1_000)];
/// Entries that each way books in a round, if they go by the thousand; fewer in small transactions.
const ENTRIES: usize = 8_000;
/// Most transactions of a round, all writers together.
const TRANSACTIONS: usize = 240;

/// What was measured of one shape.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// `sqlite` or `postgresql`.
    pub engine: &'static str,
    /// Writers at once.
    pub writers: usize,
    /// Entries of one transaction, of three postings in the mean.
    pub entries: usize,
    /// Entries a second of the plain way, median of the rounds.
    pub plain_per_second: f64,
    /// Entries a second of the ledger, median of the rounds.
    pub ledger_per_second: f64,
    /// The ledger's rate divided by the plain one of the same round; median of the rounds.
    pub ratio: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:10} {} writers, {:4} entries a transaction: plain {:7.0}/s, ledger {:7.0}/s, ratio {:.2}",
            self.engine,
            self.writers,
            self.entries,
            self.plain_per_second,
            self.ledger_per_second,
            self.ratio
        )
    }
}

/// Everything that was measured on one engine.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Each shape.
    pub shapes: Vec<Measured>,
    /// Entries in the book in the end.
    pub entries: i64,
    /// Reading the book and hashing all of it again, in entries a second.
    pub check_per_second: f64,
    /// Summing every posting of the book, in milliseconds.
    pub trial_balance_ms: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for measured in &self.shapes {
            writeln!(f, "{measured}")?;
        }
        write!(
            f,
            "{} entries: check {:.0}/s, trial balance {:.1} ms",
            self.entries, self.check_per_second, self.trial_balance_ms
        )
    }
}

/// How plain rows are inserted.
#[derive(Debug, Clone)]
pub enum Plain {
    /// Into the same SQLite file.
    Sqlite(SqlitePool),
    /// Into the same PostgreSQL database, as its owner.
    Postgres(PgPool),
}

impl Plain {
    /// The SQLite file of a store, opened as the store opens it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn sqlite(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30));
        let pool = SqlitePoolOptions::new().max_connections(4);
        Ok(Self::Sqlite(pool.connect_with(options).await?))
    }

    const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// What PostgreSQL does by itself once a minute: without it a statement that was planned for an
    /// empty table reads all of a table that has grown meanwhile.
    async fn analyse(&self) -> Result<()> {
        if let Self::Postgres(pool) = self {
            let analyse = "ANALYZE ledger_pages, ledger_entries, ledger_postings";
            sqlx::raw_sql(analyse).execute(pool).await?;
        }
        Ok(())
    }

    async fn insert(&self, rows: &[Row]) -> Result<()> {
        match self {
            Self::Sqlite(pool) => insert_sqlite(pool, rows).await,
            Self::Postgres(pool) => insert_postgres(pool, rows).await,
        }
    }
}

/// A plain entry: what the ledger keeps of it, made before the clock starts.
#[derive(Debug, Clone)]
struct Row {
    number: i64,
    entry: Entry,
    hash: Hash,
}

/// Measures every shape and checks the book in the end.
///
/// # Errors
/// When a database fails, or the book does not hold.
pub async fn measure(
    ledger: Arc<dyn Ledger>,
    plain: &Plain,
    mut told: impl FnMut(&Measured),
) -> Result<Outcome> {
    let (book, made): (Slug, _) = (CHAINED.parse()?, AtomicI64::new(1));
    let mut shapes = Vec::new();
    for (writers, entries) in SHAPES {
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let batches = batches(writers, entries, &made)?;
            let plainly = plain_round(plain, batches.clone()).await?;
            let chained = ledger_round(&ledger, &book, batches).await?;
            // The first round warms caches, and gives the tables a size to plan for.
            if round == 0 {
                plain.analyse().await?;
            } else {
                rounds.push((plainly, chained));
            }
        }
        let measured = Measured {
            engine: plain.engine(),
            writers,
            entries,
            plain_per_second: median(rounds.iter().map(|(plainly, _)| *plainly)),
            ledger_per_second: median(rounds.iter().map(|(_, chained)| *chained)),
            ratio: median(rounds.iter().map(|(plainly, chained)| chained / plainly)),
        };
        told(&measured);
        shapes.push(measured);
    }
    let begun = Moment::now();
    let checked = ledger.check_ledger(&book).await?;
    let check = begun.elapsed();
    let Checked::Whole(whole) = checked else {
        bail!("the book does not hold: {checked:?}");
    };
    let begun = Moment::now();
    let sums = ledger.trial_balance(&book).await?;
    sums.check()?;
    Ok(Outcome {
        shapes,
        entries: whole.entries,
        check_per_second: whole.entries as f64 / check.as_secs_f64(),
        trial_balance_ms: begun.elapsed().as_secs_f64() * 1_000.0,
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Batches of each writer.
type Batches = Vec<Vec<Vec<Row>>>;

fn batches(writers: usize, entries: usize, made: &AtomicI64) -> Result<Batches> {
    let transactions = (ENTRIES / entries / writers).clamp(1, TRANSACTIONS / writers);
    let batch = || {
        (0..entries)
            .map(|_| row(made))
            .collect::<Result<Vec<Row>>>()
    };
    let writer = || (0..transactions).map(|_| batch()).collect();
    (0..writers).map(|_| writer()).collect()
}

/// A repayment of three parts, or a day's interest.
fn row(made: &AtomicI64) -> Result<Row> {
    let number = made.fetch_add(1, Ordering::Relaxed);
    let loan: LoanId = format!("loan-{}", number.unsigned_abs() * 7_919 % LOANS).parse()?;
    let fen = |fen| Money::from_fen(fen, Currency::CNY);
    let of = |class| Account::of(class, &loan);
    let (kind, postings) = if number % 2 == 0 {
        let postings = vec![
            Posting::debit(Account::cash(), fen(70_000)?),
            Posting::credit(of(Class::FeesReceivable), fen(100)?),
            Posting::credit(of(Class::InterestReceivable), fen(900)?),
            Posting::credit(of(Class::Principal), fen(69_000)?),
        ];
        (EntryKind::Repayment, postings)
    } else {
        let postings = vec![
            Posting::debit(of(Class::InterestReceivable), fen(37)?),
            Posting::credit(of(Class::InterestIncome), fen(37)?),
        ];
        (EntryKind::InterestAccrual, postings)
    };
    let entry = Entry::new(Draft {
        key: format!("{loan}/{}/{number}", kind.word()).parse()?,
        booked: NaiveDate::from_ymd_opt(2026, 7, 11).unwrap_or_default(),
        kind,
        loan: Some(loan.clone()),
        corrects: None,
        postings,
    })?;
    let hash = entry_hash(&entry);
    Ok(Row {
        number,
        entry,
        hash,
    })
}

/// Entries a second.
fn rate(batches: &Batches, took: Duration) -> f64 {
    let entries: usize = batches.iter().flatten().map(Vec::len).sum();
    entries as f64 / took.as_secs_f64()
}

async fn plain_round(plain: &Plain, batches: Batches) -> Result<f64> {
    let begun = Moment::now();
    let tasks: Vec<_> = batches
        .iter()
        .cloned()
        .map(|batches| {
            let plain = plain.clone();
            tokio::spawn(async move {
                for batch in batches {
                    plain.insert(&batch).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(rate(&batches, begun.elapsed()))
}

async fn ledger_round(ledger: &Arc<dyn Ledger>, book: &Slug, batches: Batches) -> Result<f64> {
    let entries = |batch: &Vec<Row>| batch.iter().map(|row| row.entry.clone()).collect();
    let of_writer = |batches: &Vec<Vec<Row>>| batches.iter().map(entries).collect();
    let work: Vec<Vec<Vec<Entry>>> = batches.iter().map(of_writer).collect();
    let begun = Moment::now();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|batches| {
            let (ledger, book) = (Arc::clone(ledger), book.clone());
            tokio::spawn(async move {
                for batch in batches {
                    let posted = ledger.post(&book, &batch, Instant::from_seconds(0)).await?;
                    ensure!(posted.added == batch.len(), "{posted:?}");
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(rate(&batches, begun.elapsed()))
}

fn entries_text(rows: &[Row]) -> String {
    let entries = rows.iter().map(|row| {
        let entry = &row.entry;
        json!([
            row.number,
            entry.key().as_str(),
            entry.booked().to_string(),
            entry.kind().word(),
            entry.loan().map(LoanId::as_str),
            entry.corrects().map(EntryKey::as_str),
            row.hash.to_string(),
        ])
    });
    serde_json::Value::Array(entries.collect()).to_string()
}

fn postings_text(rows: &[Row]) -> String {
    let postings = rows.iter().flat_map(|row| {
        (0i64..).zip(row.entry.postings()).map(|(line, posting)| {
            json!([
                row.number,
                line,
                posting.account.class().word(),
                posting.account.loan().map(LoanId::as_str),
                posting.side.word(),
                posting.amount.currency().as_str(),
                posting.amount.fen(),
            ])
        })
    });
    serde_json::Value::Array(postings.collect()).to_string()
}

async fn insert_sqlite(pool: &SqlitePool, rows: &[Row]) -> Result<()> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(
        "INSERT INTO ledger_entries
         (book, lane, number, entry_key, booked, kind, loan, corrects, hash)
         SELECT $1, 0, e.value ->> 0, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4,
                e.value ->> 5, unhex(e.value ->> 6)
         FROM json_each($2) e",
    )
    .bind(PLAIN)
    .bind(entries_text(rows))
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO ledger_postings
         (book, lane, number, line, class, loan, side, currency, amount_fen)
         SELECT $1, 0, p.value ->> 0, p.value ->> 1, p.value ->> 2, p.value ->> 3, p.value ->> 4,
                p.value ->> 5, p.value ->> 6
         FROM json_each($2) p",
    )
    .bind(PLAIN)
    .bind(postings_text(rows))
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

async fn insert_postgres(pool: &PgPool, rows: &[Row]) -> Result<()> {
    let loans = |entry: &Entry| entry.loan().map(|loan| loan.as_str().to_owned());
    let entries: Vec<&Entry> = rows.iter().map(|row| &row.entry).collect();
    let lines: Vec<(i64, i64, &Posting)> = rows
        .iter()
        .flat_map(|row| {
            let lines = (0i64..).zip(row.entry.postings());
            lines.map(|(line, posting)| (row.number, line, posting))
        })
        .collect();
    let postings = || lines.iter().map(|(.., posting)| *posting);
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "INSERT INTO ledger_entries
         (book, lane, number, entry_key, booked, kind, loan, corrects, hash)
         SELECT $1, 0, e.number, e.entry_key, e.booked, e.kind, e.loan, NULL, e.hash
         FROM UNNEST($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
              AS e(number, entry_key, booked, kind, loan, hash)",
    )
    .bind(PLAIN)
    .bind(rows.iter().map(|row| row.number).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| e.key().as_str()).collect::<Vec<_>>())
    .bind(
        entries
            .iter()
            .map(|e| e.booked().to_string())
            .collect::<Vec<_>>(),
    )
    .bind(entries.iter().map(|e| e.kind().word()).collect::<Vec<_>>())
    .bind(entries.iter().map(|e| loans(e)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.hash.0[..]).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    let loan = |posting: &Posting| posting.account.loan().map(ToString::to_string);
    sqlx::query(
        "INSERT INTO ledger_postings
         (book, lane, number, line, class, loan, side, currency, amount_fen)
         SELECT $1, 0, p.number, p.line, p.class, p.loan, p.side, p.currency, p.amount_fen
         FROM UNNEST($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::bigint[])
              AS p(number, line, class, loan, side, currency, amount_fen)",
    )
    .bind(PLAIN)
    .bind(lines.iter().map(|(number, ..)| *number).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line, _)| *line).collect::<Vec<_>>())
    .bind(
        postings()
            .map(|p| p.account.class().word())
            .collect::<Vec<_>>(),
    )
    .bind(postings().map(loan).collect::<Vec<_>>())
    .bind(postings().map(|p| p.side.word()).collect::<Vec<_>>())
    .bind(
        postings()
            .map(|p| p.amount.currency().to_string())
            .collect::<Vec<_>>(),
    )
    .bind(postings().map(|p| p.amount.fen()).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}
