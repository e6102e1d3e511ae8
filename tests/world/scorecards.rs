//! A scorecard on facts of decisions, fitted on rows that a small generator makes.

use std::fmt::Write as _;

use credit::desk::{Actor, Role};
use credit::models::fit::fit;
use credit::models::life::Act;
use credit::models::office::{OfficeError, Wish};
use credit::models::sheet::Sheet;
use credit::service::Credit;
use schemas::hash::Hash;
use schemas::time::Clock;

/// Settings of the fit.
pub const SETTINGS: &str = include_str!("../../credit/src/models/tests/settings.toml");

/// Rows whose outcome rises with gaps and falls with punctual deliveries; by the generator of
/// Numerical Recipes (a = 1664525, c = 1013904223, modulo 2^32).
pub fn rows() -> String {
    let mut state = 7_u32;
    let mut below = |bound: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % bound
    };
    let mut text = "on_time_share,gaps,events,late,part\n".to_owned();
    for number in 0..600 {
        let (share, gaps, events) = (below(101), below(4), below(12) * 9);
        let risk = 60 + gaps * 10 - share * 6 / 10;
        let late = u32::from(below(100) < risk);
        let part = if number % 4 == 0 { "test" } else { "train" };
        let _ = writeln!(text, "0.{share:03},{gaps},{events},{late},{part}");
    }
    text
}

/// A draft that `lin` made; its hash.
pub async fn draft(credit: &Credit, clock: &dyn Clock) -> Hash {
    let sheet = Sheet::parse("settings.toml", SETTINGS).unwrap();
    let (rows, operator) = (rows(), "lin".parse().unwrap());
    let made = fit(&sheet, rows.as_bytes(), &operator, clock.now()).unwrap();
    credit.models().make("test", &made).await.unwrap();
    made.card.artefact
}

/// A step of a supervisor.
///
/// # Errors
/// What the office refuses.
pub async fn step(
    credit: &Credit,
    artefact: Hash,
    (name, act): (&str, Act),
) -> Result<(), OfficeError> {
    let by = Actor {
        name: name.parse().unwrap(),
        role: Role::Supervisor,
    };
    let steps = credit.models().find(&artefact).await?.life.next();
    let wish = Wish {
        artefact,
        act,
        steps,
        words: "looked at".to_owned(),
    };
    credit.models().act(&by, wish).await
}

/// A promoted one: made by `lin`, reviewed by `wang`, promoted by `zhao`.
pub async fn promoted(credit: &Credit, clock: &dyn Clock) -> Hash {
    let artefact = draft(credit, clock).await;
    for took in [("wang", Act::Reviewed), ("zhao", Act::Promoted)] {
        step(credit, artefact, took).await.unwrap();
    }
    artefact
}
