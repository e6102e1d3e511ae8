//! From the schema of before to this program's, with the data of a real run and a gateway that
//! notices nothing: real processes, both engines, both brokers (`platform/docs/upgrade.md`).

mod before;

use std::time::Duration;

use anyhow::{Result, ensure};
use kit::postgres::SchemaError;
use platform::store::StoreError;
use platform::store::postgres::PostgresStore;
use platform::store::sqlite::SqliteStore;
use schemas::proof::{self, Verdict};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::contract::engine::{Database, ROLE};
use crate::kill::END;
use crate::kill::process::{DEADLINE, until};
use crate::kill::site::On;
use crate::kill::world::World;
use before::{migrator_of, take_back, version_of, versions};

/// Lines that are scanned before the upgrade, and as many while nobody answers.
const LINES: u32 = 90;
/// The schema of the last release without partitions.
const RELEASED: i64 = 7;

/// The story: a run under the schema of `version`, an upgrade in the middle of it.
async fn upgraded(world: &mut World, version: i64) -> Result<()> {
    let newest = versions().await?.pop().unwrap_or_default();
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.settled(LINES).await?;
    let old_bundle = world.operator.evidence(&world.organisation).await?;
    let old = proof::verify(&old_bundle, Some(world.operator.policy()))?;
    ensure!(old.verdict == Verdict::Verified, "{}", old.verdict);
    world.operator.stop(Duration::from_secs(20)).await?;
    take_back(&world.operator, version).await?;
    ensure!(version_of(&world.operator).await? == version);
    // The gateway goes on measuring, with its session and its outbox of before.
    world.scanner.allow(2 * LINES);
    until("the outbox is filled", DEADLINE, async || {
        let outbox = world.gateway.outbox().await?;
        let filled = outbox.filter(|outbox| outbox.lines == i64::from(2 * LINES));
        Ok(filled.filter(|outbox| outbox.unreceipted > 0))
    })
    .await?;
    world.operator.start().await?;
    ensure!(version_of(&world.operator).await? == newest);
    world.settled(2 * LINES).await?;
    world.gateway.stop(END).await?;
    // Every line once and in order, one chain without a gap, a whole log.
    world.check(2 * LINES).await?;
    // What was proven before is proven by the same bytes, and is in what is handed out now.
    let said = world.operator.verify(&old_bundle).await?;
    ensure!(said.success, "{said:?}");
    let bundle = world.operator.evidence(&world.organisation).await?;
    let now = proof::verify(&bundle, Some(world.operator.policy()))?;
    for event in &old.events {
        ensure!(
            now.events.iter().any(|one| one.leaf == event.leaf),
            "{} is lost",
            event.leaf
        );
    }
    Ok(())
}

async fn tell(on: On, seed: u64, version: impl Fn(&[i64]) -> i64) {
    let version = version(&versions().await.unwrap());
    World::tell_on(on, seed, 2 * LINES, async |world| {
        upgraded(world, version).await
    })
    .await;
}

fn one_before(versions: &[i64]) -> i64 {
    versions[versions.len() - 2]
}

#[tokio::test]
async fn database_of_the_schema_before_goes_on_under_this_one() {
    tell(On::default(), 51, one_before).await;
}

#[tokio::test]
async fn database_of_the_last_release_goes_on_under_this_one() {
    tell(On::default(), 52, |_| RELEASED).await;
}

#[tokio::test]
async fn postgresql_of_the_schema_before_goes_on_with_persistent_sessions() {
    let on = On {
        postgres: true,
        mosquitto: true,
        ..On::default()
    };
    tell(on, 53, one_before).await;
}

/// A program of before that meets this program's schema stops at once and has changed nothing.
#[tokio::test]
async fn program_of_before_does_not_start_on_this_schema() {
    let known = one_before(&versions().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platform.db");
    SqliteStore::open(&file).await.unwrap().close().await;
    let old = migrator_of("sqlite", known).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&file);
    let mut connection = options.connect().await.unwrap();
    let refused = old.run(&mut connection).await.unwrap_err();
    assert!(
        matches!(refused, MigrateError::VersionMissing(version) if version > known),
        "{refused}"
    );
    connection.close().await.unwrap();
    if simulators::parts::Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let old = migrator_of("postgres", known).await.unwrap();
    // The service, and the owner who would have migrated.
    for url in [&database.service, &database.owner] {
        let refused = kit::postgres::open(url, &old).await.unwrap_err();
        let kit::postgres::OpenError::Schema(SchemaError::Ahead { known: told, .. }) = refused
        else {
            panic!("{refused}");
        };
        assert_eq!(told, known);
    }
}

/// The service of this program on the tables of before: it asks for the owner, and changes nothing.
#[tokio::test]
async fn service_waits_for_the_owner_to_migrate() {
    if simulators::parts::Part::Postgres.skip() {
        return;
    }
    let all = versions().await.unwrap();
    let known = one_before(&all);
    let database = Database::empty().await;
    let old = migrator_of("postgres", known).await.unwrap();
    let mut owner = database.as_owner().await;
    old.run(&mut owner).await.unwrap();
    let grant = format!("GRANT SELECT ON _sqlx_migrations TO {ROLE}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(grant))
        .execute(&mut owner)
        .await
        .unwrap();
    let Err(StoreError::Schema(SchemaError::Behind { found, needed })) =
        PostgresStore::open(&database.service).await
    else {
        panic!("it opened");
    };
    assert_eq!((found, needed), (known, all[all.len() - 1]));
    PostgresStore::migrate(&database.owner, Some(ROLE))
        .await
        .unwrap();
    let store = PostgresStore::open(&database.service).await.unwrap();
    store.close().await;
}
