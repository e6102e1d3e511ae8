//! A store on one of the engines, empty, and gone when dropped.

use std::sync::Arc;

use kit::postgres::DatabaseUrl;
use platform::store::Store;
use platform::store::postgres::PostgresStore;
use platform::store::sqlite::SqliteStore;
use simulators::parts::postgres::Postgres;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// The service's role on PostgreSQL.
pub const ROLE: &str = "tracebond_service";
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
}

impl Database {
    /// An empty database, and a role that may do nothing in it yet.
    pub async fn empty() -> Self {
        let server = Postgres::start().unwrap();
        let owner_text = server.database(DATABASE).unwrap();
        let service_text = owner_text.replace("//postgres@", &format!("//{ROLE}@"));
        assert_ne!(owner_text, service_text);
        let database = Self {
            server,
            owner: owner_text.parse().unwrap(),
            service: service_text.parse().unwrap(),
            owner_text,
            service_text,
        };
        let mut owner = database.as_owner().await;
        sqlx::query("CREATE ROLE tracebond_service LOGIN")
            .execute(&mut owner)
            .await
            .unwrap();
        database
    }

    /// The same with the platform's tables, made by the owner.
    pub async fn migrated() -> Self {
        let database = Self::empty().await;
        PostgresStore::migrate(&database.owner, Some(ROLE))
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
