//! The tables of the newest migrations on each engine, private, and gone when dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tempfile::TempDir;

use super::super::tables::{PostgresPeople, SqlitePeople};

const SQLITE: [&str; 2] = [
    include_str!("../../../../migrations/sqlite/0004_people.sql"),
    include_str!("../../../../migrations/sqlite/0011_access.sql"),
];
const POSTGRES: [&str; 2] = [
    include_str!("../../../../migrations/postgres/0004_people.sql"),
    include_str!("../../../../migrations/postgres/0011_access.sql"),
];

/// A SQLite file.
pub(crate) struct Sqlite(TempDir);

impl Sqlite {
    /// With its tables.
    pub(crate) async fn new() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        let tables = file.open().await;
        for migration in SQLITE {
            sqlx::raw_sql(migration)
                .execute(&tables.writer)
                .await
                .unwrap();
        }
        file
    }

    /// As one more process opens it.
    pub(crate) async fn open(&self) -> SqlitePeople {
        let file = self.0.path().join("people.db");
        let options = SqliteConnectOptions::from_str(&format!("sqlite:{}", file.display()))
            .unwrap()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let writer = SqlitePoolOptions::new().max_connections(1);
        let writer = writer.connect_with(options.clone()).await.unwrap();
        let reader = SqlitePoolOptions::new().max_connections(4);
        let reader = reader.connect_with(options).await.unwrap();
        SqlitePeople { reader, writer }
    }
}

/// A PostgreSQL on a socket of its own.
pub(crate) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// With its tables; nothing where PostgreSQL is not installed, which CI does not allow.
    pub(crate) async fn new() -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "PostgreSQL is not installed"
            );
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let server = Self { folder, programs };
        give(server.folder.path());
        let data = server.data();
        let data = data.to_str().unwrap();
        server.run(
            "initdb",
            &[
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ],
        );
        let socket = server.folder.path().display();
        let options = format!("-k {socket} -c listen_addresses='' -c fsync=off");
        server.run("pg_ctl", &["-D", data, "-w", "-o", &options, "start"]);
        let tables = server.open().await;
        for migration in POSTGRES {
            sqlx::raw_sql(migration).execute(&tables.0).await.unwrap();
        }
        Some(server)
    }

    /// As one more process opens it.
    pub(crate) async fn open(&self) -> PostgresPeople {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .username("postgres")
            .database("postgres");
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(8)
            .connect_with(options)
            .await
            .unwrap();
        PostgresPeople(pool)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let status = as_postgres(&self.programs.join(program))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{program}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        self.run(
            "pg_ctl",
            &[
                "-D",
                data.to_str().unwrap(),
                "-m",
                "immediate",
                "-w",
                "stop",
            ],
        );
    }
}

/// Debian's folder of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders
        .filter(|folder| folder.join("initdb").exists())
        .max()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}

/// PostgreSQL refuses root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn give(folder: &Path) {
    if is_root() {
        let status = Command::new("chown").arg("postgres").arg(folder).status();
        assert!(status.unwrap().success());
    }
}
