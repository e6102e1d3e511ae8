//! Copies of content that were never taken apart: messages in quarantine and captured documents.

use std::collections::BTreeSet;

use super::{CAPTURED, Gone, Writing};
use crate::erase::holds;
use crate::store::Stored;

/// Messages in quarantine that are looked at together.
const PAGE: i64 = 64;

/// Messages in quarantine that hold the salt of an event, one of the spellings, or that were
/// erased before and are back.
pub(super) async fn remove_messages(
    transaction: &mut Writing<'_>,
    gone: &Gone,
    spellings: &[String],
) -> Stored<u64> {
    let salts = gone.salts(transaction).await?;
    let salted = salted_messages(transaction, &salts).await?;
    sqlx::query(
        "INSERT INTO erased_messages (id) SELECT n.id FROM unnest($1::bytea[]) AS n (id)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(&salted)
    .execute(&mut **transaction)
    .await?;
    let mut removed =
        sqlx::query("DELETE FROM quarantine q USING erased_messages e WHERE e.id = q.id")
            .execute(&mut **transaction)
            .await?
            .rows_affected();
    for spelling in spellings {
        removed += sqlx::query("DELETE FROM quarantine WHERE position($1::bytea IN bytes) > 0")
            .bind(spelling.as_bytes())
            .execute(&mut **transaction)
            .await?
            .rows_affected();
    }
    Ok(removed)
}

async fn salted_messages(
    transaction: &mut Writing<'_>,
    salts: &BTreeSet<[u8; 16]>,
) -> Stored<Vec<Vec<u8>>> {
    let (mut found, mut after) = (Vec::new(), Vec::new());
    while !salts.is_empty() {
        let page: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT id, bytes FROM quarantine WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(&after)
                .bind(PAGE)
                .fetch_all(&mut **transaction)
                .await?;
        let Some((last, _)) = page.last() else { break };
        after.clone_from(last);
        let salted = page.into_iter().filter(|(_, bytes)| holds(bytes, salts));
        found.extend(salted.map(|(id, _)| id));
    }
    Ok(found)
}

/// Documents of the capture interface that hold an event or one of the spellings, or belong to no
/// job any more, with their jobs: a job's id and its document's hash can be guessed from what was
/// sent.
pub(super) async fn remove_documents(
    transaction: &mut Writing<'_>,
    gone: &Gone,
    spellings: &[String],
) -> Stored<u64> {
    let mut sent: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT DISTINCT c.capturer, c.document
         FROM unnest($1::bytea[], $2::bigint[]) AS n (statement, position)
         JOIN capture_events e ON e.statement = n.statement AND e.position = n.position
         JOIN captures c ON c.capturer = e.capturer AND c.id = e.capture
         UNION
         SELECT d.capturer, d.hash FROM capture_documents d WHERE NOT EXISTS
           (SELECT 1 FROM captures c WHERE c.capturer = d.capturer AND c.document = d.hash)",
    )
    .bind(&gone.statements)
    .bind(&gone.positions)
    .fetch_all(&mut **transaction)
    .await?;
    for spelling in spellings {
        let more: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT capturer, hash FROM capture_documents WHERE position($1::bytea IN bytes) > 0",
        )
        .bind(spelling.as_bytes())
        .fetch_all(&mut **transaction)
        .await?;
        sent.extend(more);
    }
    let (capturers, hashes): (Vec<String>, Vec<Vec<u8>>) = sent.into_iter().unzip();
    let mut removed = 0;
    for sql in [
        "DELETE FROM capture_events e USING captures c
         JOIN unnest($1::text[], $2::bytea[]) AS n (capturer, hash)
           ON n.capturer = c.capturer AND n.hash = c.document
         WHERE e.capturer = c.capturer AND e.capture = c.id",
        "DELETE FROM captures c USING unnest($1::text[], $2::bytea[]) AS n (capturer, hash)
         WHERE n.capturer = c.capturer AND n.hash = c.document",
        "DELETE FROM capture_documents d USING unnest($1::text[], $2::bytea[]) AS n (capturer, hash)
         WHERE n.capturer = d.capturer AND n.hash = d.hash",
    ] {
        let done = sqlx::query(sql)
            .bind(&capturers)
            .bind(&hashes)
            .execute(&mut **transaction)
            .await?;
        removed = done.rows_affected();
    }
    // What a partly restored backup brought back without its job.
    gone.delete(transaction, CAPTURED).await?;
    Ok(removed)
}
