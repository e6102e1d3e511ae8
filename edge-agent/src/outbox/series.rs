//! Readings inside the writer's transaction: what [`crate::compose::series`] makes of them, and what
//! it keeps.

use schemas::event::Source;
use sqlx::sqlite::SqliteConnection;

use super::state::State;
use super::{Opening, OutboxError, chain};
use crate::compose::sensor::Reading;
use crate::compose::series::{Cut, Memory, Outcome, Series, Telling, Waiting};
use crate::config::SensorRule;

/// Stores a reading and what events it completes.
pub(super) async fn take_reading(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    series: &str,
    reading: &Reading,
) -> Result<(), OutboxError> {
    let number = sqlx::query_scalar(
        "INSERT INTO readings (series, time, value, suspect) VALUES ($1, $2, $3, $4)
         RETURNING number",
    )
    .bind(series)
    .bind(reading.time.as_micros())
    .bind(reading.value)
    .bind(reading.suspect)
    .fetch_one(&mut *db)
    .await?;
    let reading = reading.clone();
    let waiting = Waiting { number, reading };
    let rule = rule_of(opening, series);
    state.counts.readings += 1;
    state.changed = true;
    state.counts.readings_beyond_limits +=
        u64::from(rule.is_some_and(|rule| waiting.reading.is_alarm(rule)));
    let Some(rule) = rule else {
        // Readings of a series that is not configured stay until it is.
        let series = state.series.entry(series.to_owned()).or_default();
        series.waiting.push(waiting);
        return Ok(());
    };
    let now = opening.clock.now();
    change(opening, db, state, rule, Some(number), |series, telling| {
        series.heard = Some(now);
        series.take(telling, waiting)
    })
    .await
}

/// Makes events of readings that wait: goods come or go, the clock changes, or the agent stops.
pub(super) async fn cut_all(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    why: Cut,
) -> Result<(), OutboxError> {
    for rule in waiting_rules(opening, state) {
        change(opening, db, state, rule, None, |series, telling| {
            series.cut(telling, why)
        })
        .await?;
    }
    Ok(())
}

/// Makes events of windows whose end has passed without a further reading.
pub(super) async fn expire(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
) -> Result<(), OutboxError> {
    let now = opening.clock.now();
    for rule in waiting_rules(opening, state) {
        change(opening, db, state, rule, None, |series, telling| {
            series.expire(telling, now)
        })
        .await?;
    }
    Ok(())
}

/// True if a window has to be told although no reading comes.
pub(super) fn is_due(opening: &Opening, state: &mut State) -> bool {
    let now = opening.clock.now();
    let mut is_due = false;
    for (name, series) in &mut state.series {
        if series.waiting.is_empty() {
            continue;
        }
        // After a restart its time counts from here.
        series.heard.get_or_insert(now);
        let due =
            rule_of(opening, name).and_then(|rule| series.due(rule, opening.time_zone_minutes));
        is_due |= due.is_some_and(|due| due <= now);
    }
    is_due
}

fn rule_of<'o>(opening: &'o Opening, series: &str) -> Option<&'o SensorRule> {
    opening.rules.iter().find(|rule| rule.series() == series)
}

/// Rules of the series that hold something, by the names of these.
fn waiting_rules<'o>(opening: &'o Opening, state: &State) -> Vec<&'o SensorRule> {
    let holding = state
        .series
        .iter()
        .filter(|(_, series)| !series.waiting.is_empty() || series.memory != Memory::default());
    holding
        .filter_map(|(name, _)| rule_of(opening, name))
        .collect()
}

/// Does it to a series and stores what came of it; `new` is a row that was written just now.
async fn change(
    opening: &Opening,
    db: &mut SqliteConnection,
    state: &mut State,
    rule: &SensorRule,
    new: Option<i64>,
    work: impl FnOnce(&mut Series, Telling<'_>) -> Outcome,
) -> Result<(), OutboxError> {
    let name = rule.series();
    let mut series = state.series.remove(&name).unwrap_or_default();
    let before = series.memory.clone();
    let numbers = series.waiting.iter().map(|waiting| waiting.number);
    let rows: Vec<i64> = numbers.chain(new).collect();
    let telling = Telling {
        rule,
        time_zone_minutes: opening.time_zone_minutes,
        presence: &state.presence,
    };
    let outcome = work(&mut series, telling);
    forget(db, &name, &rows, &series.waiting).await?;
    remember(db, &name, &before, &series.memory).await?;
    state.series.insert(name, series);
    for made in &outcome.made {
        chain::add_event(opening, db, state, Source::Sensor, made).await?;
    }
    if let Some(error) = outcome.failed {
        // Not [`Counts::doubt`]: it is no word of the platform's.
        state.counts.alarms += 1;
        state.changed = true;
        tracing::error!(%error, series = %rule.series(), "readings make no valid event and are left out");
    }
    Ok(())
}

/// Deletes the rows that no longer wait.
async fn forget(
    db: &mut SqliteConnection,
    name: &str,
    rows: &[i64],
    waiting: &[Waiting],
) -> Result<(), OutboxError> {
    if waiting.len() == rows.len() {
        return Ok(());
    }
    if waiting.is_empty() {
        sqlx::query("DELETE FROM readings WHERE series = $1")
            .bind(name)
            .execute(&mut *db)
            .await?;
        return Ok(());
    }
    let kept: std::collections::BTreeSet<i64> =
        waiting.iter().map(|waiting| waiting.number).collect();
    let gone = rows.iter().filter(|number| !kept.contains(number));
    for number in gone {
        sqlx::query("DELETE FROM readings WHERE number = $1")
            .bind(number)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn remember(
    db: &mut SqliteConnection,
    name: &str,
    before: &Memory,
    memory: &Memory,
) -> Result<(), OutboxError> {
    if before == memory {
        return Ok(());
    }
    let text =
        serde_json::to_string(memory).map_err(|error| OutboxError::Store(error.to_string()))?;
    sqlx::query(
        "INSERT INTO series (series, memory) VALUES ($1, $2)
         ON CONFLICT (series) DO UPDATE SET memory = $2",
    )
    .bind(name)
    .bind(text)
    .execute(&mut *db)
    .await?;
    Ok(())
}
