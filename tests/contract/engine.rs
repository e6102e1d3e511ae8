//! A store on one of the engines, empty, and gone when dropped.

use std::sync::Arc;

use kit::postgres::DatabaseUrl;
use platform::erase::{Eraser, PostgresEraser, SqliteEraser};
use platform::store::Store;
use platform::store::postgres::PostgresStore;
use platform::store::sqlite::SqliteStore;
use simulators::parts::postgres::Postgres;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;

/// The service's role on PostgreSQL.
pub const ROLE: &str = "tracebond_service";
/// The eraser's role on PostgreSQL.
pub const ERASER: &str = "tracebond_eraser";
/// The database on PostgreSQL.
const DATABASE: &str = "tracebond";

/// A store and what it stands on.
pub struct Engine {
    /// The store that is tested.
    pub store: Arc<dyn Store>,
    place: Place,
}

enum Place {
    File(TempDir),
    Server(Database),
}

/// A database of a private PostgreSQL.
pub struct Database {
    server: Postgres,
    /// Its owner's address.
    pub owner: DatabaseUrl,
    /// The same as text.
    pub owner_text: String,
    /// The service's.
    pub service: DatabaseUrl,
    /// The same as text.
    pub service_text: String,
    /// The eraser's.
    pub eraser: DatabaseUrl,
}

impl Database {
    /// An empty database, and a role that may do nothing in it yet.
    pub async fn empty() -> Self {
        let server = Postgres::start().unwrap();
        let owner_text = server.database(DATABASE).unwrap();
        let service_text = owner_text.replace("//postgres@", &format!("//{ROLE}@"));
        assert_ne!(owner_text, service_text);
        let eraser_text = owner_text.replace("//postgres@", &format!("//{ERASER}@"));
        let database = Self {
            server,
            owner: owner_text.parse().unwrap(),
            service: service_text.parse().unwrap(),
            eraser: eraser_text.parse().unwrap(),
            owner_text,
            service_text,
        };
        let mut owner = database.as_owner().await;
        let roles = "CREATE ROLE tracebond_service LOGIN; CREATE ROLE tracebond_eraser LOGIN";
        sqlx::raw_sql(roles).execute(&mut owner).await.unwrap();
        database
    }

    /// The same with the platform's tables, made by the owner.
    pub async fn migrated() -> Self {
        let database = Self::empty().await;
        PostgresStore::migrate(&database.owner, Some(ROLE))
            .await
            .unwrap();
        PostgresStore::let_erase(&database.owner, ERASER)
            .await
            .unwrap();
        database
    }

    /// The same with the bank's tables.
    pub async fn of_the_bank() -> Self {
        let database = Self::empty().await;
        let role = Some(ROLE);
        credit::store::Postgres::migrate(&database.owner, role)
            .await
            .unwrap();
        database
    }

    /// A session of the owner.
    pub async fn as_owner(&self) -> PgConnection {
        PgConnection::connect(&self.owner_text).await.unwrap()
    }

    /// A session of the eraser.
    pub async fn as_eraser(&self) -> PgConnection {
        let text = self
            .owner_text
            .replace("//postgres@", &format!("//{ERASER}@"));
        PgConnection::connect(&text).await.unwrap()
    }

    /// A session of the service.
    pub async fn as_service(&self) -> PgConnection {
        PgConnection::connect(&self.service_text).await.unwrap()
    }

    /// The server that it is in.
    pub fn server(&mut self) -> &mut Postgres {
        &mut self.server
    }
}

impl Engine {
    /// SQLite in a temporary folder.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder);
        let store = place.open().await;
        Self { store, place }
    }

    /// PostgreSQL, as the service's role.
    pub async fn postgres() -> Self {
        let place = Place::Server(Database::migrated().await);
        let store = place.open().await;
        Self { store, place }
    }

    /// Who may remove content from it.
    pub async fn eraser(&self) -> Box<dyn Eraser> {
        match &self.place {
            Place::File(folder) => {
                let file = folder.path().join("platform.db");
                Box::new(SqliteEraser::open(&file, "operator").await.unwrap())
            }
            Place::Server(database) => {
                let owner = Some(&database.owner);
                Box::new(PostgresEraser::open(&database.eraser, owner).await.unwrap())
            }
        }
    }

    /// Runs a statement as whoever restores backups; `$` before hexadecimal digits in quotes makes
    /// them bytes.
    pub async fn restore(&self, sql: &str) {
        match &self.place {
            Place::File(folder) => {
                let file = folder.path().join("platform.db");
                let options = SqliteConnectOptions::new().filename(file);
                let mut connection = options.connect().await.unwrap();
                let sql = AssertSqlSafe(sql.replace("$'", "x'"));
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Place::Server(database) => {
                let sql = AssertSqlSafe(sql.replace("$'", "'\\x"));
                let mut connection = database.as_owner().await;
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// The column of content that says its month, and a value for it, where there is one.
    pub fn month(&self) -> (&'static str, &'static str) {
        match &self.place {
            Place::File(_) => ("", ""),
            Place::Server(_) => (", made", ", '2026-07-11T00:00:00Z'"),
        }
    }

    /// The same database as another process has it.
    pub async fn second(&self) -> Arc<dyn Store> {
        self.place.open().await
    }
}

impl Place {
    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Place::File(folder) => {
                let file = folder.path().join("platform.db");
                Arc::new(SqliteStore::open(&file).await.unwrap())
            }
            Place::Server(database) => {
                Arc::new(PostgresStore::open(&database.service).await.unwrap())
            }
        }
    }
}
