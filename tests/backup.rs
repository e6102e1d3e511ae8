//! Backups as `platform/docs/backup.md` tells to make them: a whole one goes on where it was made,
//! an older one is refused, and what was lost behind a receipt is noticed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use platform::store::TraceStore as _;
use simulators::parts::postgres::Postgres;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::kill::END;
use crate::kill::site::On;
use crate::kill::world::World;
use crate::world::World as Small;
use crate::world::events::inspected;

/// Lines of each part of a story.
const LINES: u32 = 60;
/// How long the platform may take to drain.
const DRAIN: Duration = Duration::from_secs(20);
/// The platform's database (`Site::open`).
const DATABASE: &str = "platform";

const POSTGRES: On = On {
    postgres: true,
    mosquitto: false,
    tls: false,
    watched: false,
};

fn server(world: &mut World) -> Result<&mut Postgres> {
    let postgres = world.operator.site.postgres.as_mut();
    postgres.context("no real database")
}

/// The platform drains and ends, its database is put back from what `save` kept, and everything
/// goes on; the gateway has measured on meanwhile.
async fn goes_on(
    world: &mut World,
    save: impl AsyncFnOnce(&mut World) -> Result<()>,
    put_back: impl AsyncFnOnce(&mut World) -> Result<()>,
) -> Result<()> {
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.stored(LINES / 2).await?;
    world.operator.stop(DRAIN).await?;
    save(world).await?;
    world.scanner.allow(2 * LINES);
    put_back(world).await?;
    world.operator.start().await?;
    world.settled(2 * LINES).await?;
    world.gateway.stop(END).await?;
    world.check(2 * LINES).await
}

#[tokio::test]
async fn dump_of_a_drained_platform_goes_on() {
    let story = async |world: &mut World| {
        let save = async |world: &mut World| server(world)?.dump(DATABASE);
        let put_back = async |world: &mut World| server(world)?.load(DATABASE);
        goes_on(world, save, put_back).await
    };
    World::tell_on(POSTGRES, 61, 2 * LINES, story).await;
}

#[tokio::test]
async fn copy_of_sqlite_of_a_drained_platform_goes_on() {
    let story = async |world: &mut World| {
        let data = world.operator.data();
        let (file, copy) = (data.join("platform.db"), data.join("copy.db"));
        let save = async |_: &mut World| {
            let options = SqliteConnectOptions::new().filename(&file);
            let mut connection = options.connect().await?;
            sqlx::query("VACUUM INTO $1")
                .bind(copy.to_str())
                .execute(&mut connection)
                .await?;
            Ok(())
        };
        let put_back = async |_: &mut World| {
            for end in ["db", "db-wal", "db-shm"] {
                let _ = std::fs::remove_file(file.with_extension(end));
            }
            // The tiles are made anew from the database.
            std::fs::remove_dir_all(data.join("log"))?;
            Ok(std::fs::rename(&copy, &file)?)
        };
        goes_on(world, save, put_back).await
    };
    World::tell_on(On::default(), 62, 2 * LINES, story).await;
}

/// A base backup from the middle of a run: with the whole write-ahead log behind it nothing is lost
/// when the server dies; without its last part the log is behind its witnesses, and refuses.
#[tokio::test]
async fn base_backup_goes_on_with_the_whole_log_behind_it_and_not_without() {
    let story = async |world: &mut World| {
        world.operator.stop(DRAIN).await?;
        server(world)?.archive_log()?;
        world.operator.start().await?;
        world.gateway.start()?;
        world.scanner.allow(LINES);
        world.stored(LINES / 2).await?;
        server(world)?.back_up()?;
        world.scanner.allow(2 * LINES);
        world.stored(2 * LINES).await?;
        // Platform and database die at once.
        world.operator.kill()?;
        server(world)?.restore(true)?;
        world.operator.start().await?;
        world.scanner.allow(3 * LINES);
        world.settled(3 * LINES).await?;
        server(world)?.back_up()?;
        world.scanner.allow(4 * LINES);
        world.settled(4 * LINES).await?;
        world.gateway.stop(END).await?;
        world.check(4 * LINES).await?;
        world.operator.kill()?;
        server(world)?.restore(false)?;
        let refused = world.operator.start_refused().await?;
        // Its own published checkpoint says it before a witness is asked.
        ensure!(refused.contains("Refusing to go on"), "{refused}");
        Ok(())
    };
    World::tell_on(POSTGRES, 63, 4 * LINES, story).await;
}

/// A commit is lost behind its receipt (a server without its last write-ahead log, before the
/// statement was anchored): the log goes on, since nobody outside has seen more of it. The body is
/// gone: the gateway has dropped it. That something is missing is seen by the next statement, which
/// names it, and stays said; the gateway's own alarm is its anchor deadline.
#[tokio::test]
async fn commit_that_was_lost_behind_its_receipt_is_a_gap() {
    let line = "qinghe/line-1";
    let mut world = Small::with_line_1().await;
    world.send(line, &[inspected(1)]).await;
    world.anchor().await;
    let lost = world.send(line, &[inspected(2)]).await;
    let (lost, receipt) = (lost.id(), &lost.receipts[0]);
    assert_eq!(receipt.last, lost, "it was promised");
    let mut database = world.tamper().await;
    for sql in [
        "DELETE FROM statements WHERE id = $1",
        "DELETE FROM event_leaves WHERE statement = $1",
        "DELETE FROM event_contents WHERE statement = $1",
        "DELETE FROM event_items WHERE statement = $1",
        "DELETE FROM batch_queue WHERE statement = $1",
    ] {
        let statement = sqlx::query(sql).bind(lost.0.to_vec());
        statement.execute(&mut database).await.unwrap();
    }
    world.send(line, &[inspected(3)]).await;
    world.anchor().await;
    assert_eq!(world.monitor().await, Vec::<String>::new());
    world.chain_events(line).await;
    world.clock.advance(Duration::from_secs(61));
    let said = world.chain_events(line).await;
    let gaps: Vec<_> = said
        .iter()
        .map(|one| (one.kind.as_str(), one.from_seq, one.to_seq))
        .collect();
    assert_eq!(gaps, [("gap-opened", 1, 1)]);
    assert!(world.store.statement(&lost).await.unwrap().is_none());
}
