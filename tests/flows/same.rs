//! The whole story, from the first scan to the bank's decisions, on everything embedded and on
//! Debian's parts: by two settings, with the same outcome.

use anyhow::{Result, ensure};
use simulators::check::{Outcome, check};
use simulators::folder::RunFolder;
use simulators::parts::Part;
use simulators::progress::Progress;
use simulators::script::Script;
use simulators::stack::door::Door;
use simulators::stack::engines::Engines;
use simulators::tour::Tour;

/// Any story will do; this is not the demo's.
const SEED: u64 = 11;

async fn played(engines: &Engines) -> Result<Outcome> {
    let script = Script::story(SEED);
    let folder = tempfile::tempdir()?;
    let folder = RunFolder::create(folder.path())?;
    let mut progress = Progress::new(true);
    let mut tour = Tour::start(&script, Door::any(), engines, &mut progress).await?;
    tour.play_until(script.end(), &mut progress).await?;
    let decided = tour.decide(&mut progress).await?;
    tour.leave(&folder, decided).await?;
    tour.stop().await?;
    Ok(check(&folder)?)
}

/// What must not depend on the parts: everything but the bytes of random keys and salts, and how
/// the machine's pace has cut the log into batches.
fn facts(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + '_ {
    (
        (
            outcome.events_made,
            outcome.events_stored,
            outcome.events_anchored,
        ),
        (
            outcome.events_hidden,
            outcome.lost,
            outcome.doubled,
            outcome.invented,
        ),
        (
            outcome.bundles,
            outcome.proofs_verified,
            outcome.proofs_failed,
        ),
        (outcome.gaps, outcome.quarantined),
        (&outcome.scores, &outcome.offers, &outcome.declined),
    )
}

pub async fn outcome() -> Result<()> {
    if Part::Postgres.skip() || Part::Mosquitto.skip() {
        return Ok(());
    }
    let embedded = played(&Engines::default()).await?;
    let real = played(&Engines::debian()).await?;
    for outcome in [&embedded, &real] {
        let failing = outcome.claims.iter().find(|claim| !claim.holds);
        ensure!(outcome.ok, "{failing:?}");
    }
    let (embedded, real) = (facts(&embedded), facts(&real));
    ensure!(embedded == real, "{embedded:?}\n{real:?}");
    Ok(())
}
