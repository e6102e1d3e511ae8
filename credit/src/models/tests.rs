//! Fits, tables and lives of models.

use std::fmt::Write as _;
use std::sync::LazyLock;

use schemas::time::Instant;

use super::fit::{Again, FitError, Fitted, again, fit};
use super::life::{Act, Life, LifeError, ModelStep};
use super::sheet::Sheet;
use super::table;
use crate::score::{Measures, Model, score};
use crate::scorecard::random::SplitMix;
use crate::scorecard::registry::RegistryError;

/// Settings of a fit on facts of decisions.
pub const SETTINGS: &str = include_str!("tests/settings.toml");

/// Rows whose outcome rises with gaps and falls with punctual deliveries.
pub fn rows(count: u32) -> String {
    let mut random = SplitMix::new(7);
    let mut text = "on_time_share,gaps,events,late,part\n".to_owned();
    for number in 0..count {
        let share = random.below(101);
        let gaps = random.below(4);
        let events = match random.below(12) {
            0 => String::new(),
            one => (one * 9).to_string(),
        };
        let risk = 60 + gaps * 10 - share * 6 / 10;
        let late = u32::from(random.below(100) < risk);
        let part = if number % 4 == 0 { "test" } else { "train" };
        let _ = writeln!(text, "0.{share:03},{gaps},{events},{late},{part}");
    }
    text
}

/// A draft; it is fitted once.
pub fn fitted() -> Fitted {
    static MADE: LazyLock<Fitted> = LazyLock::new(fit_once);
    MADE.clone()
}

fn fit_once() -> Fitted {
    let sheet = Sheet::parse("settings.toml", SETTINGS).unwrap();
    let now = Instant::from_seconds(1_800_000_000);
    fit(&sheet, rows(1_200).as_bytes(), &"lin".parse().unwrap(), now).unwrap()
}

fn refused(settings: &str, rows: &str) -> String {
    let now = Instant::from_seconds(1_800_000_000);
    let made = Sheet::parse("settings.toml", settings).map_err(FitError::from);
    let made = made.and_then(|sheet| fit(&sheet, rows.as_bytes(), &"lin".parse().unwrap(), now));
    schemas::causes::causes(&made.unwrap_err()).to_string()
}

#[test]
fn fitting_again_gives_the_identical_scorecard() {
    let made = fitted();
    let kept = &made.kept.0;
    let all = rows(1_200);
    assert_eq!(
        again(kept, all.as_bytes()).unwrap(),
        Again::Identical {
            bytes: kept.bytes.len()
        }
    );
    // A cell of a row that is held out plays no part in the fit, and is refused all the same.
    for (from, to) in [("0.010", "0.990"), (",test\n", ",Test\n")] {
        let other = all.replacen(from, to, 1);
        assert_ne!(all, other);
        let refused = again(kept, other.as_bytes()).unwrap_err();
        assert!(
            matches!(refused, FitError::OtherRows { kept, .. } if kept == made.kept.0.rows_sha256)
        );
    }
}

#[test]
fn scorecard_that_was_altered_is_found_by_fitting_again() {
    let made = fitted();
    let all = rows(1_200);
    let settings = made.kept.0.settings.replace("bins_max = 4", "bins_max = 3");
    let mut points = made.kept.0.bytes.clone();
    let place = points.windows(9).position(|text| text == b"\"points\":");
    let digit = place.unwrap() + 9 + usize::from(points[place.unwrap() + 9] == b'-');
    points[digit] = if points[digit] == b'1' { b'2' } else { b'1' };
    let (mut one, mut other) = (made.kept.0.clone(), made.kept.0);
    one.settings = settings;
    other.bytes = points;
    for (altered, least) in [(one, 2), (other, 1)] {
        match again(&altered, all.as_bytes()).unwrap() {
            Again::Differs { differing, .. } => assert!(differing >= least),
            Again::Identical { .. } => panic!("an altered scorecard came out again"),
        }
    }
}

#[test]
fn simulated_outcomes_are_marked_wherever_a_figure_stands() {
    let made = fitted();
    let said = "probability of late delivery (SIMULATED)";
    assert_eq!(made.artefact.figure, said);
    assert_eq!(made.card.watermark.as_deref(), Some("SIMULATED"));
    assert!(made.card.to_markdown().unwrap().contains("SIMULATED"));
    assert!(made.warnings.iter().any(|one| one.contains("SIMULATED")));
    let table = made.kept.0.table.unwrap();
    assert!(
        Model::parse("t", &table.text)
            .unwrap()
            .name
            .ends_with("(SIMULATED)")
    );
    assert_eq!(made.card.table, Some(table.sha256));
    let claims = SETTINGS.replace("\"late delivery\"", "\"default\"");
    assert!(refused(&claims, &rows(200)).contains("outcome.bad_is: `default` speaks of default"));
}

#[test]
fn the_points_table_gives_the_points_of_the_scorecard() {
    let made = fitted();
    let table = Model::parse("t", &made.kept.0.table.as_ref().unwrap().text).unwrap();
    assert_eq!(table.artefact, Some(made.card.artefact));
    let facts = table::facts(&made.artefact).unwrap();
    let mut random = SplitMix::new(3);
    for _ in 0..10_000 {
        let mut measures = Measures::new();
        let mut applicant = crate::scorecard::Applicant::new();
        for (fact, one) in facts.iter().zip(&made.artefact.table.characteristics) {
            let value = (random.below(9) > 0).then(|| {
                let most = if one.feature.name == "on_time_share" {
                    1
                } else {
                    100
                };
                rust_decimal::Decimal::new(random.below(most * 1_000_000) as i64, 6)
            });
            let shown = value.map(|value| value.normalize().to_string().parse().unwrap());
            let shown = shown.map_or(crate::scorecard::Value::Missing, |number| {
                crate::scorecard::Value::Number(number)
            });
            applicant.insert(one.feature.name.clone(), shown);
            measures.insert(*fact, value);
        }
        let total = made.artefact.table.score(&applicant).unwrap().total;
        assert_eq!(score(&table, &measures).total, total);
    }
}

#[test]
fn what_is_wrong_is_named_by_line_and_column() {
    let good = rows(400);
    let cell = good.replacen("0.010", "NaN", 1);
    assert_ne!(cell, good);
    assert!(refused(SETTINGS, &cell).contains("column `on_time_share`: `NaN` is no finite number"));
    let line = refused(
        SETTINGS,
        "on_time_share,gaps,events,late,part\n0.1,1,2,0,a\n0.1,x,2,1,a\n",
    );
    assert_eq!(line, "data: line 3, column `gaps`: `x` is no finite number");
    let label = refused(
        SETTINGS,
        "on_time_share,gaps,events,late,part\n0.1,1,2,perhaps,a\n",
    );
    assert!(
        label.contains("line 2, column `late`: `perhaps` is neither good nor bad"),
        "{label}"
    );
    let column = refused(SETTINGS, &good.replacen("gaps", "holes", 1));
    assert_eq!(column, "data: no column is called `gaps`");
    let twice = refused(SETTINGS, &good.replacen("events", "gaps", 1));
    assert_eq!(twice, "data: two columns are called `gaps`");
    let short = refused(SETTINGS, "on_time_share,gaps,events,late,part\n0.1,1\n");
    assert_eq!(short, "data: line 2: 2 cells, the head line has 5");
    let one = refused(
        SETTINGS,
        "on_time_share,gaps,events,late,part\n0.1,1,2,0,a\n",
    );
    assert_eq!(
        one,
        "data: column `late`: both outcomes must occur in the rows to fit on"
    );
    for (from, to, says) in [
        ("trend = \"falling\"", "trend = \"wavy\"", "settings.toml:"),
        (
            "trend = \"falling\"",
            "trend = \"peak\"",
            "on_time_share: points must rise or fall",
        ),
        (
            "at_least = 540",
            "at_least = 470",
            "the grades do not cover every total",
        ),
        (
            "column = \"gaps\"",
            "column = \"late\"",
            "`late` has another part already",
        ),
        (
            "column = \"gaps\"",
            "column = \"on_time_share\"",
            "has another part already",
        ),
        ("bad = [\"1\"]", "bad = [\"0\"]", "`0` is good already"),
        ("version = \"1\"", "version = \"\"", "1 to 200 characters"),
        (
            "bins_max = 4",
            "bins_max = 400",
            "bins_max: must be 1 to 50",
        ),
        ("simulated = true\n", "", "simulated"),
    ] {
        let changed = SETTINGS.replacen(from, to, 1);
        assert_ne!(changed, SETTINGS, "{from}");
        let said = refused(&changed, &good);
        assert!(said.contains(says), "{from} -> {to}: {said}");
    }
    let unknown = SETTINGS.replacen("column = \"gaps\"", "column = \"holes\"", 1);
    let said = refused(&unknown, &good.replacen("gaps", "holes", 1));
    assert_eq!(said, "holes: no fact of a decision bears this name");
    let huge = "x".repeat(super::sheet::SHEET_MAX + 1);
    assert!(refused(&huge, &good).contains("more than 65536 bytes"));
}

fn step(number: u32, act: Act, person: &str) -> ModelStep {
    ModelStep {
        artefact: fitted().card.artefact,
        number,
        act,
        person: person.parse().unwrap(),
        words: "looked at".to_owned(),
        at: Instant::from_seconds(1_800_000_000 + i64::from(number)),
    }
}

#[test]
fn three_people_bring_a_model_into_use_and_nobody_twice() {
    let made = fitted();
    let life = |steps: &[ModelStep]| Life::read(made.artefact.clone(), made.card.clone(), steps);
    let one = [
        step(0, Act::Made, "lin"),
        step(1, Act::Reviewed, "wang"),
        step(2, Act::Promoted, "zhao"),
        step(3, Act::Shadowing, "wang"),
        step(4, Act::Retired, "wang"),
    ];
    let whole = life(&one).unwrap();
    assert_eq!((whole.standing.word(), whole.shadowing), ("retired", None));
    assert!(whole.logged.is_some());
    for (act, person) in [
        (vec![(Act::Reviewed, "lin")], "lin"),
        (
            vec![(Act::Reviewed, "wang"), (Act::Promoted, "wang")],
            "wang",
        ),
        (vec![(Act::Reviewed, "wang"), (Act::Promoted, "lin")], "lin"),
    ] {
        let mut steps = vec![step(0, Act::Made, "lin")];
        for (number, (act, person)) in (1..).zip(act) {
            steps.push(step(number, act, person));
        }
        match life(&steps) {
            Err(LifeError::Registry(RegistryError::SamePerson { person: found, .. })) => {
                assert_eq!(found.as_str(), person);
            }
            other => panic!("{other:?}"),
        }
    }
    let early = life(&[step(0, Act::Made, "lin"), step(1, Act::Promoted, "zhao")]);
    assert!(matches!(
        early,
        Err(LifeError::State { state: "draft", .. })
    ));
    let early = life(&[step(0, Act::Made, "lin"), step(1, Act::Shadowing, "zhao")]);
    assert!(matches!(early, Err(LifeError::State { .. })));
    let again = [&one[..], &[step(5, Act::Retired, "zhao")]].concat();
    assert!(matches!(
        life(&again),
        Err(LifeError::State {
            state: "retired",
            ..
        })
    ));
}
