//! Who may do what on PostgreSQL, and which schema a program takes.

use std::collections::BTreeSet;
use std::slice::from_ref;

use kit::postgres::SchemaError;
use platform::config::Config;
use platform::erase::GRANTS;
use platform::store::postgres::PostgresStore;
use platform::store::tables::{APPEND_ONLY, CHANGEABLE};
use platform::store::{IngestStore as _, StoreError, TraceStore as _};
use simulators::parts::Part;
use sqlx::{AssertSqlSafe, PgConnection};

use super::engine::{Database, ROLE};
use super::ingest::join_all;
use super::made::{device, single};

/// PostgreSQL's word for "you may not".
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// True if the statement is allowed; false if the role lacks the right to it.
pub async fn may(connection: &mut PgConnection, statement: String) -> bool {
    match sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(connection)
        .await
    {
        Ok(_) => true,
        Err(error) => {
            let code = error.as_database_error().and_then(|e| e.code());
            assert_eq!(
                code.as_deref(),
                Some(INSUFFICIENT_PRIVILEGE),
                "{statement}: {error}"
            );
            false
        }
    }
}

/// Tables of the platform in the database, each with one of its columns.
async fn tables(connection: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT table_name::text, min(column_name::text) FROM information_schema.columns
         JOIN pg_class ON pg_class.oid = to_regclass(table_name) AND NOT relispartition
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

/// What a service may change, by table.
type Changeable = [(&'static str, &'static [&'static str])];

#[tokio::test]
async fn platform_adds_and_reads_but_changes_only_what_is_named() {
    if !Part::Postgres.skip() {
        let database = Database::migrated().await;
        check_role(&database, &APPEND_ONLY, &CHANGEABLE).await;
    }
}

/// The eraser's role reads what leads to an event, removes content, adds tombstones; it cannot read
/// keys, accounts or registry, nor change any row that is there.
#[tokio::test]
async fn eraser_removes_content_and_nothing_else() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let eraser = &mut database.as_eraser().await;
    for (table, column) in tables(&mut database.as_owner().await).await {
        let granted = GRANTS.iter().find(|(named, _)| *named == table);
        let granted = granted.map_or(&[][..], |(_, verbs)| verbs);
        let statements = [
            ("SELECT", format!("SELECT 1 FROM {table} WHERE false")),
            ("UPDATE", format!("UPDATE {table} SET {column} = NULL")),
            ("DELETE", format!("DELETE FROM {table}")),
            ("INSERT", format!("INSERT INTO {table} DEFAULT VALUES")),
            ("TRUNCATE", format!("TRUNCATE {table}")),
        ];
        for (verb, statement) in statements {
            // Rights are looked at before rows: EXPLAIN needs them and changes nothing.
            let statement = if verb == "TRUNCATE" {
                statement
            } else {
                format!("EXPLAIN {statement}")
            };
            let allowed = may(eraser, statement).await;
            assert_eq!(allowed, granted.contains(&verb), "{verb} on {table}");
        }
    }
    for (table, verbs) in GRANTS {
        assert!(!verbs.contains(&"UPDATE"), "{table}");
        let content = !["statements", "event_leaves", "log_entries", "tombstones"].contains(&table);
        assert!(content || !verbs.contains(&"DELETE"), "{table}");
    }
    let owner = PostgresStore::let_erase(&database.owner, "postgres").await;
    assert!(
        matches!(owner, Err(StoreError::Schema(SchemaError::NoService(_)))),
        "{owner:?}"
    );
}

#[tokio::test]
async fn credit_adds_and_reads_but_changes_only_what_is_named() {
    use credit::store::tables::{APPEND_ONLY, CHANGEABLE};
    if !Part::Postgres.skip() {
        let database = Database::of_the_bank().await;
        check_role(&database, &APPEND_ONLY, &CHANGEABLE).await;
    }
}

async fn check_role(database: &Database, append_only: &[&str], changeable: &Changeable) {
    let tables = tables(&mut database.as_owner().await).await;
    let found: BTreeSet<&str> = tables.iter().map(|(table, _)| &**table).collect();
    let may_change = changeable.iter().map(|(table, _)| *table);
    let named: Vec<&str> = append_only.iter().copied().chain(may_change).collect();
    let distinct: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(distinct.len(), named.len(), "a table is named twice");
    assert_eq!(distinct, found);
    let service = &mut database.as_service().await;
    for (table, column) in tables {
        let verbs = changeable.iter().find(|(named, _)| *named == table);
        check_table(
            service,
            &table,
            &column,
            verbs.map_or(&[], |(_, verbs)| verbs),
        )
        .await;
    }
    for never in [
        "CREATE TABLE own (x BIGINT)",
        "UPDATE _sqlx_migrations SET success = true",
        "DELETE FROM _sqlx_migrations",
        "INSERT INTO _sqlx_migrations SELECT * FROM _sqlx_migrations",
    ] {
        assert!(!may(service, never.to_owned()).await, "{never}");
    }
}

async fn check_table(service: &mut PgConnection, table: &str, column: &str, verbs: &[&str]) {
    let update = format!("UPDATE {table} SET {column} = {column} WHERE false");
    let delete = format!("DELETE FROM {table} WHERE false");
    let updates = may(service, update).await;
    assert_eq!(updates, verbs.contains(&"UPDATE"), "{table}");
    let deletes = may(service, delete).await;
    assert_eq!(deletes, verbs.contains(&"DELETE"), "{table}");
    let insert = format!("INSERT INTO {table} SELECT * FROM {table} WHERE false");
    assert!(may(service, insert).await, "{table}");
    for never in [
        format!("TRUNCATE {table}"),
        format!("DROP TABLE {table}"),
        format!("ALTER TABLE {table} ADD COLUMN x BIGINT"),
    ] {
        assert!(!may(service, never.clone()).await, "{never}");
    }
}

/// The error of a store that must not open.
async fn refused(database: &Database) -> StoreError {
    match PostgresStore::open(&database.service).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn service_takes_only_the_schema_that_it_was_built_with() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::empty().await;
    let error = refused(&database).await;
    assert!(
        matches!(
            error,
            StoreError::Schema(SchemaError::Behind {
                found: 0,
                needed: 1..
            })
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("run `migrate` as the owner"),
        "{error}"
    );
    PostgresStore::migrate(&database.owner, Some(ROLE))
        .await
        .unwrap();
    PostgresStore::open(&database.service)
        .await
        .unwrap()
        .close()
        .await;

    let owner = &mut database.as_owner().await;
    let ahead =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'from the future', true, 'x', 0)";
    sqlx::query(ahead).execute(&mut *owner).await.unwrap();
    let error = refused(&database).await;
    assert!(
        matches!(
            error,
            StoreError::Schema(SchemaError::Ahead { found: 9999, .. })
        ),
        "{error:?}"
    );
    let migrate = PostgresStore::migrate(&database.owner, Some(ROLE)).await;
    assert!(
        matches!(migrate, Err(StoreError::Schema(SchemaError::Ahead { .. }))),
        "the owner does not go back either: {migrate:?}"
    );
    let back = "DELETE FROM _sqlx_migrations WHERE version = 9999";
    sqlx::query(back).execute(&mut *owner).await.unwrap();
    let other = "UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1";
    sqlx::query(other).execute(&mut *owner).await.unwrap();
    let error = refused(&database).await;
    assert!(
        matches!(error, StoreError::Schema(SchemaError::Differs(1))),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_migrate_at_once() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::empty().await;
    let stores = (0..8).map(|_| {
        let owner = database.owner.clone();
        async move {
            PostgresStore::open(&owner)
                .await
                .map_err(|error| format!("{error:?}"))
        }
    });
    for store in join_all(stores).await {
        let store = store.unwrap();
        assert_eq!(store.totals().await.unwrap(), Default::default());
        store.close().await;
    }
}

#[tokio::test]
async fn role_of_the_service_must_be_one_that_can_be_kept_in_bounds() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::empty().await;
    let unknown = PostgresStore::migrate(&database.owner, Some("nobody; DROP TABLE x")).await;
    assert!(
        matches!(unknown, Err(StoreError::Schema(SchemaError::NoRole(_)))),
        "{unknown:?}"
    );
    let owner = PostgresStore::migrate(&database.owner, Some("postgres")).await;
    assert!(
        matches!(owner, Err(StoreError::Schema(SchemaError::NoService(_)))),
        "{owner:?}"
    );
}

/// A configuration with this address of a database, or none.
fn configured(data: &std::path::Path, database: &str) -> Result<Config, String> {
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let text = format!(
        "origin = \"log.example.org/tracebond\"\ndata = \"{}\"\norganisation = \"platform\"\n\
         {database}\nquorum = 1\n[[witness]]\nname = \"w\"\nurl = \"http://127.0.0.1:1\"\n\
         key = \"{key}\"\n[[registrar]]\nname = \"r\"\nkey = \"{key}\"\n",
        data.display()
    );
    Config::parse("platform.toml", &text).map_err(|error| error.to_string())
}

#[tokio::test]
async fn setting_opens_either_engine_and_migrate_sets_the_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path(), "").unwrap();
    let words = platform::store::migrate(&config, None).await.unwrap();
    assert!(words.ends_with("platform.db is up to date"), "{words}");
    let store = platform::store::open(&config).await.unwrap();
    assert_eq!(store.totals().await.unwrap(), Default::default());
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::empty().await;
    let setting = format!("database = \"{}\"", database.service_text);
    let config = configured(folder.path(), &setting).unwrap();
    let early = platform::store::open(&config).await.err().unwrap();
    assert!(early.to_string().contains("run `migrate`"), "{early}");
    let words = platform::store::migrate(&config, Some(&database.owner)).await;
    let words = words.unwrap();
    assert!(
        words.contains("`tracebond_service` may read and add"),
        "{words}"
    );
    let store = platform::store::open(&config).await.unwrap();
    assert_eq!(store.totals().await.unwrap(), Default::default());
}

#[tokio::test]
async fn wrong_address_is_named_and_its_password_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |database: &str| configured(folder.path(), database).unwrap_err();
    for address in [
        "postgres://u:s3cret@h:x/d",
        "mysql://u:s3cret@h/d",
        "postgres://u:s3cret@h",
    ] {
        let message = wrong(&format!("database = \"{address}\""));
        assert!(
            message.starts_with("platform.toml:4: database: "),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    }
    let silent = "database = \"postgres://u:s3cret@127.0.0.1:1/d\"";
    let config = configured(folder.path(), silent).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let clock = std::sync::Arc::new(kit::clock::TokioClock);
    let started = platform::service::run(config, clock, Default::default()).await;
    let message = schemas::causes::causes(&started.err().unwrap());
    let expected = "database: it cannot be used: postgres://u@127.0.0.1:1/d cannot be entered";
    assert!(message.starts_with(expected), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_store_outlives_a_kill_of_the_server() {
    if Part::Postgres.skip() {
        return;
    }
    let mut database = Database::migrated().await;
    let store = PostgresStore::open(&database.service).await.unwrap();
    let mut line = device("qinghe/line-1");
    let (before, after) = (single(&mut line, 1, 0), single(&mut line, 2, 1));
    assert_eq!(store.commit(from_ref(&before), &[]).await.unwrap(), [true]);
    database.server().kill9();
    database.server().restart().unwrap();
    // What was acknowledged is there, and the sessions that died are replaced.
    assert_eq!(store.commit(&[before], &[]).await.unwrap(), [false]);
    assert_eq!(store.commit(&[after], &[]).await.unwrap(), [true]);
    let reads = (0..16).map(|_| {
        let store = store.clone();
        async move { store.totals().await.unwrap().statements }
    });
    assert_eq!(join_all(reads).await, [2; 16]);
}
