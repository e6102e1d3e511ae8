//! Two platforms on one PostgreSQL, as real processes: one leads, the other stands by. The leader
//! is killed, paused for longer than its lease and woken, and asked to end. There is never a fork,
//! the other one leads before a second lease would be over, and whoever wakes stands by. How long it
//! took is printed: on a quiet machine it is less than the lease and a second, which a machine with
//! other work cannot promise.

mod pair;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use simulators::parts::Part;

use pair::{LEASE, Pair, Role};

/// What a take-over may take beyond the lease: whoever waits for longer has missed an end of it.
const BEYOND: Duration = LEASE;

/// The other one leads in time; how long it took is said.
async fn taken_over(pair: &Pair, next: usize, since: Instant, how: &str) -> Result<()> {
    pair.becomes(next, Role::Leader).await?;
    let took = since.elapsed();
    println!(
        "leader {how}: taken over after {} ms of {LEASE:?} and {BEYOND:?}",
        took.as_millis()
    );
    ensure!(
        took <= LEASE + BEYOND,
        "leader {how}: taken over after {took:?}"
    );
    Ok(())
}

async fn story(pair: &mut Pair) -> Result<()> {
    pair.start(0).await?;
    pair.becomes(0, Role::Leader).await?;
    pair.start(1).await?;
    pair.becomes(1, Role::Worker).await?;
    pair.admit_organisation(0).await?;
    pair.say_through(0, 3).await?;
    pair.works_well(1).await?;

    let killed = Instant::now();
    pair.kill(0)?;
    taken_over(pair, 1, killed, "killed").await?;
    pair.say_through(1, 3).await?;
    pair.start(0).await?;
    pair.becomes(0, Role::Worker).await?;

    // Paused wherever it is while statements come in, and each time in another place.
    let (mut leader, mut other) = (1, 0);
    for round in 0..3_u64 {
        let paused = pair.pause_while_it_works(leader, round).await?;
        taken_over(pair, other, paused, "paused").await?;
        pair.say_again(other).await?;
        pair.admit_device(other).await?;
        pair.say_through(other, 3).await?;
        pair.signal(leader, "CONT")?;
        pair.becomes(leader, Role::Worker).await?;
        pair.works_well(leader).await?;
        pair.still(other, Role::Leader).await?;
        (leader, other) = (other, leader);
    }

    let ended = Instant::now();
    pair.stop(leader).await?;
    taken_over(pair, other, ended, "asked to end").await?;
    pair.say_through(other, 1).await?;
    pair.start(leader).await?;
    pair.becomes(leader, Role::Worker).await?;
    pair.one_log().await
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_killed_paused_and_woken_is_replaced_in_time_and_forks_nothing() {
    if Part::Postgres.skip() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = async {
        let mut pair = Pair::prepare(folder.path()).await?;
        story(&mut pair).await
    };
    if let Err(error) = told.await {
        let logs = crate::kill::world::tails(&folder.path().join("logs"));
        panic!("{error:#}\n{logs}");
    }
}
