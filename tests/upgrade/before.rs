//! A database as a program of before has left it: the tables of an earlier schema with the rows of
//! a real run, and nothing that came later.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sqlx::migrate::{Migration, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use crate::kill::operator::Operator;

/// Migrations of the platform on an engine.
async fn migrations(engine: &str) -> Result<Vec<Migration>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../platform/migrations");
    let all = Migrator::new(folder.join(engine)).await?;
    Ok(all.iter().cloned().collect())
}

/// What a program knew whose newest migration had this number.
pub async fn migrator_of(engine: &str, version: i64) -> Result<Migrator> {
    let mut known = migrations(engine).await?;
    known.retain(|migration| migration.version <= version);
    ensure!(
        known.last().map(|last| last.version) == Some(version),
        "no migration {version}"
    );
    Ok(Migrator {
        migrations: Cow::Owned(known),
        ..Migrator::DEFAULT
    })
}

/// Numbers of all migrations, rising.
pub async fn versions() -> Result<Vec<i64>> {
    let all = migrations("sqlite").await?;
    Ok(all.iter().map(|migration| migration.version).collect())
}

/// Columns that a table has in both schemas, quoted and with commas.
fn both(older: &[String], newer: &[String]) -> String {
    let kept = older.iter().filter(|name| newer.contains(name));
    let quoted: Vec<String> = kept.map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

/// Puts the database of a platform that does not run back to the schema of a version, with what its
/// tables hold that this schema has, too.
pub async fn take_back(operator: &Operator, version: i64) -> Result<()> {
    match operator.site.database() {
        Some(url) => postgres(url, version).await,
        None => sqlite(&operator.data().join("platform.db"), version).await,
    }
}

/// The newest migration that the database of a platform has.
pub async fn version_of(operator: &Operator) -> Result<i64> {
    let newest = "SELECT max(version) FROM _sqlx_migrations WHERE success";
    Ok(match operator.site.database() {
        Some(url) => {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::query_scalar(newest)
                .fetch_one(&mut connection)
                .await?
        }
        None => {
            let mut connection = file(&operator.data().join("platform.db"), false).await?;
            let found = sqlx::query_scalar(newest)
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            found
        }
    })
}

async fn file(path: &Path, create: bool) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path);
    Ok(options.create_if_missing(create).connect().await?)
}

async fn sqlite(now: &Path, version: i64) -> Result<()> {
    let older = now.with_extension("before");
    let mut connection = file(&older, true).await?;
    migrator_of("sqlite", version)
        .await?
        .run(&mut connection)
        .await?;
    sqlx::query("ATTACH DATABASE $1 AS newer")
        .bind(now.to_str().context("path")?)
        .execute(&mut connection)
        .await?;
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM main.sqlite_master WHERE type = 'table'
         AND name <> '_sqlx_migrations' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut connection)
    .await?;
    for (table,) in tables {
        let columns = async |connection: &mut SqliteConnection, schema: &str| {
            let sql = format!("SELECT name FROM pragma_table_info('{table}', '{schema}')");
            let rows: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(sql))
                .fetch_all(connection)
                .await?;
            Ok::<_, anyhow::Error>(rows.into_iter().map(|(name,)| name).collect::<Vec<_>>())
        };
        let older = columns(&mut connection, "main").await?;
        let kept = both(&older, &columns(&mut connection, "newer").await?);
        let sql = format!("INSERT INTO main.{table} ({kept}) SELECT {kept} FROM newer.{table}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
    }
    connection.close().await?;
    for end in ["db", "db-wal", "db-shm"] {
        let gone = std::fs::remove_file(now.with_extension(end));
        ensure!(end != "db" || gone.is_ok(), "{gone:?}");
    }
    let suffixed = |end: &str| PathBuf::from(format!("{}{end}", older.display()));
    ensure!(!suffixed("-wal").exists(), "not everything is in the file");
    Ok(std::fs::rename(older, now)?)
}

async fn postgres(url: &str, version: i64) -> Result<()> {
    let mut owner = PgConnection::connect(url).await?;
    let aside = "ALTER SCHEMA public RENAME TO newer; CREATE SCHEMA public";
    sqlx::raw_sql(aside).execute(&mut owner).await?;
    migrator_of("postgres", version)
        .await?
        .run(&mut owner)
        .await?;
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut owner)
    .await?;
    for (table,) in tables {
        let columns = async |owner: &mut PgConnection, schema: &str| {
            let rows: Vec<(String,)> = sqlx::query_as(
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = $1 AND table_name = $2",
            )
            .bind(schema)
            .bind(&table)
            .fetch_all(owner)
            .await?;
            Ok::<_, anyhow::Error>(rows.into_iter().map(|(name,)| name).collect::<Vec<_>>())
        };
        let older = columns(&mut owner, "public").await?;
        let kept = both(&older, &columns(&mut owner, "newer").await?);
        let sql = format!("INSERT INTO public.{table} ({kept}) SELECT {kept} FROM newer.{table}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut owner)
            .await?;
    }
    sqlx::raw_sql("DROP SCHEMA newer CASCADE")
        .execute(&mut owner)
        .await?;
    Ok(owner.close().await?)
}
