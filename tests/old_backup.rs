//! A database that was put back from an old copy does not know what is missing in it. Who does: the
//! checkpoint that it published, and the witnesses; and while too few of these answer, nothing is
//! signed.

use std::path::Path;
use std::sync::Arc;

use kit::postgres::DatabaseUrl;
use platform::anchor::{Notary, NotaryError};
use platform::standing::Stand;
use platform::store::postgres::PostgresStore;
use platform::store::sqlite::SqliteStore;
use schemas::tlog::LogTree;
use simulators::parts::Part;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::contract::engine::Database;
use crate::log_faults::disk::Disk;
use crate::log_faults::ground::{Engine, Ground};
use crate::log_faults::plan::Plan;
use crate::log_faults::recorder::Way::{self, Lies, Open, Shut};

/// Anchors and publishes something more; the size of the log.
async fn anchored(ground: &mut Ground) -> u64 {
    let mut notary = ground.healthy().await;
    notary.open().await.unwrap();
    ground.say().await;
    notary.turn().await.unwrap();
    assert!(notary.tiles.published().unwrap() > 0);
    notary.tree.read(LogTree::size)
}

/// What a start finds while the witnesses are like this.
async fn started(ground: &mut Ground, ways: [Way; 4]) -> (Notary, Result<(), NotaryError>) {
    ground.doors.are(ways);
    let mut notary = ground.healthy().await;
    let opened = notary.open().await;
    (notary, opened)
}

/// The folder of the log is lost too, or another machine's.
fn without_folder(ground: &mut Ground) {
    ground.disk = Disk::new(Arc::new(Plan::none()), Arc::clone(&ground.seen));
}

async fn refuses_to_go_on(ground: &mut Ground, newest: u64) {
    // The lease in the copy is that of a process of before.
    ground.much_later();
    let (_, opened) = started(ground, [Open; 4]).await;
    let Err(NotaryError::Published { published, ours }) = opened else {
        panic!("{opened:?}");
    };
    assert_eq!((published, ours), (newest, newest - 1));
    without_folder(ground);
    for ways in [
        [Open; 4],
        [Open, Shut, Open, Shut],
        [Lies, Open, Shut, Shut],
    ] {
        let (notary, opened) = started(ground, ways).await;
        let Err(NotaryError::Behind { ours, .. }) = &opened else {
            panic!("{ways:?}: {opened:?}");
        };
        assert_eq!(*ours, newest - 1);
        let said = opened.unwrap_err().to_string();
        assert!(said.contains("restored from an old backup?"), "{said}");
        assert_eq!(notary.standing.now(), Stand::Standby);
    }
    // Those who would know are away: it is not known, and nothing goes on.
    for ways in [[Shut; 4], [Open, Shut, Shut, Shut]] {
        let (mut notary, opened) = started(ground, ways).await;
        let unconfirmed = matches!(opened, Err(NotaryError::Unconfirmed { .. }));
        assert!(unconfirmed, "{ways:?}: {opened:?}");
        assert!(matches!(notary.standing.now(), Stand::Unconfirmed { .. }));
        ground.say().await;
        assert!(notary.turn().await.is_err(), "it has given the lease back");
        assert_eq!(
            ground.store.log_head().await.unwrap().unwrap().0,
            newest - 1
        );
    }
}

async fn sqlite(file: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(file).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn old_copy_of_sqlite_refuses_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let mut ground = Ground::on(sqlite(&file).await).await;
    let before = anchored(&mut ground).await;
    let mut backup = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&file)
        .connect()
        .await
        .unwrap();
    sqlx::query("VACUUM INTO $1")
        .bind(copy.to_str())
        .execute(&mut backup)
        .await
        .unwrap();
    let newest = anchored(&mut ground).await;
    assert_eq!(newest, before + 1);
    ground.store = sqlite(&copy).await;
    refuses_to_go_on(&mut ground, newest).await;
    // The newest database goes on, on an empty folder: it has all tiles before the checkpoint.
    ground.store = sqlite(&file).await;
    ground.doors.are([Open; 4]);
    assert_eq!(anchored(&mut ground).await, newest + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_copy_of_postgresql_refuses_to_go_on() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let open = async |url: &DatabaseUrl| Arc::new(PostgresStore::open(url).await.unwrap());
    let store = open(&database.service).await;
    let mut ground = Ground::on(store.clone()).await;
    anchored(&mut ground).await;
    // A template may have no sessions.
    store.close().await;
    let mut owner =
        sqlx::PgConnection::connect(&database.owner_text.replace("/tracebond", "/postgres"))
            .await
            .unwrap();
    sqlx::query("CREATE DATABASE old TEMPLATE tracebond")
        .execute(&mut owner)
        .await
        .unwrap();
    ground.store = open(&database.service).await;
    let newest = anchored(&mut ground).await;
    let (server, _) = database.service_text.rsplit_once('/').unwrap();
    ground.store = open(&format!("{server}/old").parse().unwrap()).await;
    refuses_to_go_on(&mut ground, newest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_that_are_away_or_lie_at_the_start() {
    let mut ground = Ground::new(Engine::Sqlite).await;
    let size = anchored(&mut ground).await;
    for ways in [
        [Open; 4],
        [Shut, Open, Open, Shut],
        [Lies, Open, Open, Open],
    ] {
        let (notary, opened) = started(&mut ground, ways).await;
        assert!(opened.is_ok(), "{ways:?}: {opened:?}");
        assert!(notary.standing.fence().is_some());
    }
    let (confirmed, needed) = (1, 2);
    let expected = Stand::Unconfirmed { confirmed, needed };
    let (notary, _) = started(&mut ground, [Shut, Shut, Open, Shut]).await;
    assert_eq!(notary.standing.now(), expected);
    // One that lies is overruled by a quorum and by no less.
    let (confirmed, needed) = (2, 3);
    let expected = Stand::Unconfirmed { confirmed, needed };
    let (mut notary, _) = started(&mut ground, [Lies, Shut, Open, Open]).await;
    assert_eq!(notary.standing.now(), expected);
    // The same process goes on when they are back.
    ground.doors.are([Lies, Open, Open, Open]);
    notary.open().await.unwrap();
    ground.say().await;
    notary.turn().await.unwrap();
    assert_eq!(notary.tiles.published().unwrap(), size + 1);
}

/// All keys and witnesses are there, and the database is not: before the first entry the witnesses
/// are asked what they know, and nothing is shown to them.
#[tokio::test(flavor = "multi_thread")]
async fn lost_database_does_not_begin_the_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut ground = Ground::new(Engine::Sqlite).await;
    without_folder(&mut ground);
    ground.store = sqlite(&folder.path().join("new.db")).await;
    let shown = ground.seen.count();
    let (_, opened) = started(&mut ground, [Open; 4]).await;
    assert!(
        matches!(opened, Err(NotaryError::Behind { ours: 0, .. })),
        "{opened:?}"
    );
    let (_, opened) = started(&mut ground, [Shut; 4]).await;
    assert!(
        matches!(opened, Err(NotaryError::Unconfirmed { .. })),
        "{opened:?}"
    );
    assert_eq!(ground.seen.count(), shown);
    assert_eq!(ground.store.log_head().await.unwrap(), None);
}
