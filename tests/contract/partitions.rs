//! Content by months on PostgreSQL: every row has a place before and after its partition is made,
//! reading touches the month in question, and the service has no right to a partition.

use std::slice::from_ref;

use platform::partition::{self, AHEAD, TABLES};
use platform::store::postgres::PostgresStore;
use platform::store::{
    AHEAD_MAX, IngestStore as _, NewStatement, StoreError, TraceStore as _, WAITED_MAX,
};
use schemas::time::Instant;
use simulators::parts::Part;
use sqlx::{AssertSqlSafe, PgConnection};

use super::engine::{Database, ROLE};
use super::made::{at, device, statement};
use super::roles::may;
use crate::world::events::LOT;

fn instant(text: &str) -> Instant {
    Instant::parse_rfc3339(text).unwrap()
}

/// Rows of a relation and of no other one.
async fn rows(owner: &mut PgConnection, relation: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM ONLY {relation}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(owner)
        .await
        .unwrap()
}

/// Partitions of a table, by name.
async fn partitions(owner: &mut PgConnection, table: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass($1)
         ORDER BY 1",
    )
    .bind(table)
    .fetch_all(owner)
    .await
    .unwrap()
}

/// Three statements of one device that are filed in three months, the last of them ten years away.
fn three() -> Vec<NewStatement> {
    let mut line = device("qinghe/line-1");
    let filed = [
        "2026-06-30T23:59:59.999999Z",
        "2026-07-01T00:00:00Z",
        "2036-01-15T12:00:00Z",
    ];
    let one = |(second, made)| {
        let weight = u32::try_from(second).unwrap() + 1;
        NewStatement {
            made: instant(made),
            ..statement(&mut line, &[weight, weight + 100], second)
        }
    };
    (0..).zip(filed).map(one).collect()
}

async fn is_read(store: &PostgresStore, statements: &[NewStatement]) {
    for statement in statements {
        let events = store.events_of_statement(&statement.id).await.unwrap();
        for (event, sent) in events.iter().zip(&statement.events) {
            assert_eq!(event.content, Some((sent.bytes.clone(), sent.salt)));
        }
        assert_eq!(events.len(), statement.events.len());
    }
    let named = store.events_of_items(&[LOT.into()], 100).await.unwrap();
    assert_eq!(named.len(), 2 * statements.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_partition_are_kept_and_move_into_theirs() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let store = PostgresStore::open(&database.service).await.unwrap();
    let (statements, mut owner) = (three(), database.as_owner().await);
    assert_eq!(store.commit(&statements, &[]).await.unwrap(), [true; 3]);
    assert_eq!(rows(&mut owner, "event_contents_default").await, 6);
    is_read(&store, &statements).await;
    // This month, those ahead, and those that rows wait for; of each table.
    let now = instant("2026-07-20T00:00:00Z");
    let made = partition::make(&database.owner, now).await.unwrap();
    assert_eq!(made, u64::from(AHEAD + 3) * 2);
    for table in TABLES {
        assert_eq!(rows(&mut owner, &partition::default_of(table)).await, 0);
        for month in ["2026_06", "2026_07", "2036_01"] {
            let rows = rows(&mut owner, &format!("{table}_{month}")).await;
            assert_eq!(rows, 2, "{table} {month}");
        }
        let names = partitions(&mut owner, table).await;
        assert!(names.contains(&format!("{table}_2026_10")), "{names:?}");
        assert_eq!(names.len(), AHEAD as usize + 4, "{names:?}");
    }
    is_read(&store, &statements).await;
    let again = partition::make(&database.owner, now).await.unwrap();
    assert_eq!(again, 0);
    // The same statements again, and new ones, find their places.
    assert_eq!(store.commit(&statements, &[]).await.unwrap(), [false; 3]);
    let mut other = device("qinghe/line-2");
    let next = statement(&mut other, &[7], 9);
    assert_eq!(store.commit(from_ref(&next), &[]).await.unwrap(), [true]);
    assert_eq!(rows(&mut owner, "event_contents_2026_07").await, 3);
    assert_eq!(store.totals().await.unwrap().events, 7);
}

/// What is known of a statement leads to the one partition that its content is in.
#[tokio::test(flavor = "multi_thread")]
async fn reading_a_statement_touches_its_month_only() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let store = PostgresStore::open(&database.service).await.unwrap();
    let statements = three();
    store.commit(&statements, &[]).await.unwrap();
    partition::make(&database.owner, instant("2026-07-20T00:00:00Z"))
        .await
        .unwrap();
    let mut owner = database.as_owner().await;
    let id = format!("'\\x{}'::bytea", hex::encode(statements[1].id.0));
    let made = statements[1].made.to_rfc3339();
    // As the store asks: by a statement, and by several with their months.
    let by_one = format!(
        "SELECT c.bytes FROM event_leaves l
         LEFT JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
           AND c.made = (SELECT coalesce(s.made, s.received) FROM statements s WHERE s.id = {id})
         WHERE l.statement = {id}"
    );
    let by_many = format!(
        "SELECT c.bytes FROM event_leaves l JOIN statements s ON s.id = l.statement
         LEFT JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
           AND c.made = coalesce(s.made, s.received) AND c.made = ANY(ARRAY['{made}'::timestamptz])
         WHERE l.statement = ANY(ARRAY[{id}])"
    );
    for sql in [by_one, by_many] {
        let sql = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut owner)
            .await
            .unwrap();
        let scans = |line: &&String| line.contains(" on event_contents_");
        let touched = plan.iter().filter(scans);
        let touched: Vec<_> = touched
            .filter(|line| !line.contains("never executed"))
            .collect();
        let own = |line: &&&String| line.contains("event_contents_2026_07");
        assert!(!touched.is_empty(), "{plan:#?}");
        assert_eq!(
            touched.iter().filter(own).count(),
            touched.len(),
            "{plan:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_and_eraser_have_no_right_to_a_partition() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    partition::make(&database.owner, at(0)).await.unwrap();
    // Rights are given anew by the owner when there are partitions.
    PostgresStore::migrate(&database.owner, Some(ROLE))
        .await
        .unwrap();
    let mut owner = database.as_owner().await;
    let mut service = database.as_service().await;
    let mut eraser = database.as_eraser().await;
    let mut tried = 0;
    for table in TABLES {
        for name in partitions(&mut owner, table).await {
            for never in [
                format!("SELECT 1 FROM {name}"),
                format!("INSERT INTO {name} SELECT * FROM {table} WHERE false"),
                format!("UPDATE {name} SET made = made WHERE false"),
                format!("DELETE FROM {name} WHERE false"),
                format!("TRUNCATE {name}"),
                format!("DROP TABLE {name}"),
                format!("ALTER TABLE {table} DETACH PARTITION {name}"),
            ] {
                assert!(!may(&mut service, never.clone()).await, "{never}");
                assert!(!may(&mut eraser, never.clone()).await, "{never}");
                tried += 1;
            }
        }
        let own = format!(
            "CREATE TABLE own PARTITION OF {table} FOR VALUES FROM ('2040-01-01') TO ('2040-02-01')"
        );
        assert!(!may(&mut service, own).await);
    }
    assert!(tried > 50);
    let refused = partition::make(&database.service, instant("2031-01-01T00:00:00Z")).await;
    assert!(
        matches!(refused, Err(StoreError::Database(_))),
        "{refused:?}"
    );
    let nothing = partition::make_if_owner(&database.service, instant("2031-01-01T00:00:00Z"));
    assert_eq!(nothing.await.unwrap(), 0);
}

/// A program of before that goes on over the new tables fails whole, and stores nothing.
#[tokio::test(flavor = "multi_thread")]
async fn writer_of_before_is_refused_whole() {
    if Part::Postgres.skip() {
        return;
    }
    let database = Database::migrated().await;
    let mut service = database.as_service().await;
    let id = "decode(repeat('ab', 32), 'hex')";
    let outcome = sqlx::raw_sql(AssertSqlSafe(format!(
        "BEGIN;
         INSERT INTO statements (device, epoch, seq, id, organisation, kid, prev, events, bytes,
                                 received, registry_version)
         VALUES ('qinghe/line-1', 0, 0, {id}, 'qinghe', {id}, {id}, 1, {id},
                 '2026-07-11T00:00:00Z', 1);
         INSERT INTO event_contents (statement, position, bytes, salt)
         VALUES ({id}, 0, {id}, decode(repeat('ab', 16), 'hex'));
         COMMIT"
    )))
    .execute(&mut service)
    .await;
    let error = outcome.unwrap_err().to_string();
    assert!(
        error.contains("partition") || error.contains("null"),
        "{error}"
    );
    let store = PostgresStore::open(&database.service).await.unwrap();
    assert_eq!(store.totals().await.unwrap(), Default::default());
}

/// Whatever a device claims, the months that its content can be in are few.
#[test]
fn claims_of_a_hostile_device_make_few_months() {
    let bounds = [at(0).minus(WAITED_MAX), at(0).plus(AHEAD_MAX)];
    let months = bounds.map(|bound| platform::store::Month::of(bound).unwrap());
    let mut month = months[0];
    let mut count = 1;
    while month < months[1] {
        month = month.next();
        count += 1;
    }
    assert!(count <= 15, "{count}");
}
