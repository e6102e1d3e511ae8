use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;

fn at(minutes: i64) -> Instant {
    Instant::from_seconds(1_800_000_000 + minutes * MINUTE)
}

fn limits() -> Limits {
    let silence = Duration::from_secs(15 * 60);
    Limits::declared(Decimal::TWO, Decimal::from(8), silence).unwrap()
}

fn watch() -> Watch {
    Watch::begin("qinghe/cold-1#t", limits(), at(0)).unwrap()
}

fn reading(minutes: i64, text: &str) -> Reading {
    Reading::parse(at(minutes), text).unwrap()
}

/// A reading that comes at once.
fn hear(watch: &mut Watch, minutes: i64, text: &str) -> Option<Alarm> {
    watch.take(reading(minutes, text), None, at(minutes))
}

#[test]
fn numbers_that_are_none_are_refused() {
    for text in [
        "NaN", "nan", "inf", "-inf", "Infinity", "", " ", "1,5", "0x10", "1e99", "null",
    ] {
        assert_eq!(Reading::parse(at(0), text), Err(NotAReading), "{text}");
    }
    assert!(Reading::parse(at(0), "1000000000.1").is_err());
    assert_eq!(reading(0, "2.5e1").value(), Decimal::from(25));
}

#[test]
fn the_first_reading_outside_opens_an_episode_and_calm_ends_it() {
    let mut watch = watch();
    assert_eq!(hear(&mut watch, 5, "8.0"), None);
    let alarm = hear(&mut watch, 10, "8.1").unwrap();
    assert_eq!(alarm.since, at(10));
    let value = "8.1".parse().unwrap();
    assert!(matches!(alarm.noticed, Noticed::Breach { value: v, .. } if v == value));
    // 7.5 is allowed but not well inside: it does not begin the calm.
    assert_eq!(hear(&mut watch, 15, "7.5"), None);
    let calm = CALM.as_secs() as i64 / 60;
    for minutes in (20..20 + calm).step_by(5) {
        assert_eq!(hear(&mut watch, minutes, "5"), None);
        assert_eq!(watch.breached_since(), Some(at(10)));
    }
    assert_eq!(hear(&mut watch, 20 + calm, "5"), None);
    assert_eq!(watch.breached_since(), None);
    assert!(hear(&mut watch, 25 + calm, "1.9").is_some());
}

#[test]
fn calm_begins_anew_after_a_silence() {
    let mut watch = watch();
    hear(&mut watch, 0, "9");
    hear(&mut watch, 5, "5");
    let calm = CALM.as_secs() as i64 / 60;
    hear(&mut watch, 5 + calm, "5");
    assert_eq!(watch.breached_since(), Some(at(0)));
}

#[test]
fn silence_is_noticed_once_and_again_after_a_word() {
    let mut watch = watch();
    let quiet = watch.clone();
    assert_eq!(watch.look(at(15)), None);
    assert_eq!(watch, quiet, "nothing to keep");
    let alarm = watch.look(at(16)).unwrap();
    assert_eq!((alarm.since, alarm.noticed), (at(0), Noticed::Silence));
    assert_eq!(watch.look(at(17)), None);
    hear(&mut watch, 20, "5");
    assert_eq!(watch.look(at(35)), None);
    assert_eq!(watch.look(at(36)).unwrap().since, at(20));
}

#[test]
fn readings_from_the_future_do_not_hide_a_silence() {
    let mut watch = watch();
    watch.take(reading(100_000, "5"), None, at(5));
    assert_eq!(watch.silent_from(), at(20));
    assert!(watch.look(at(21)).is_some());
    let alarm = watch.take(reading(100_000, "9"), None, at(22)).unwrap();
    assert_eq!(alarm.since, at(22));
}

#[test]
fn a_late_reading_is_judged_and_moves_no_clock() {
    let mut watch = watch();
    hear(&mut watch, 60, "5");
    let late = watch.take(reading(30, "9"), None, at(60));
    assert_eq!(late.unwrap().since, at(30));
    assert_eq!(watch.silent_from(), at(75));
    // Neither does a late calm one count towards the calm.
    watch.take(reading(31, "5"), None, at(60));
    let calm = CALM.as_secs() as i64 / 60;
    for minutes in (65..65 + calm).step_by(5) {
        hear(&mut watch, minutes, "5");
    }
    assert_eq!(watch.breached_since(), Some(at(30)));
    hear(&mut watch, 65 + calm, "5");
    assert_eq!(watch.breached_since(), None);
    // The same late reading once more is the episode that has ended.
    assert_eq!(watch.take(reading(30, "9"), None, at(65 + calm)), None);
}

#[test]
fn a_clock_that_was_moved_back_hides_nothing() {
    let mut watch = watch();
    hear(&mut watch, 60, "5");
    // The service's clock goes back by half an hour, and so do the readings.
    assert_eq!(watch.take(reading(30, "5"), None, at(30)), None);
    assert_eq!(watch.silent_from(), at(75));
    assert!(watch.take(reading(31, "9"), None, at(31)).is_some());
    assert!(watch.look(at(76)).is_some());
}

#[test]
fn a_breach_is_one_request_however_often_it_is_seen() {
    let id = PledgeId::of(&"r".parse().unwrap());
    let alarm = hear(&mut watch(), 10, "9").unwrap();
    let again = hear(&mut watch(), 10, "9.5").unwrap();
    assert_eq!(alarm.request(&id), again.request(&id));
    let other = hear(&mut watch(), 11, "9").unwrap();
    assert_ne!(alarm.request(&id), other.request(&id));
}

#[test]
fn limits_need_something_to_be_fitted_on() {
    let same: Vec<Reading> = (0..200).map(|n| reading(n * 5, "5")).collect();
    assert_eq!(Limits::fitted(&same), Err(FitError::NoSpread));
    assert_eq!(Limits::fitted(&same[..99]), Err(FitError::TooFew(99)));
    assert_eq!(Limits::fitted(&[]), Err(FitError::TooFew(0)));
    let later = |n: i64| reading(n * 24 * 60, if n % 2 == 0 { "4" } else { "6" });
    let sparse: Vec<Reading> = (0..200).map(later).collect();
    assert_eq!(Limits::fitted(&sparse), Err(FitError::TooFew(5)));
    let level = Limits::declared(Decimal::ONE, Decimal::ONE, CALM);
    assert_eq!(level, Err(FitError::NoSpread));
    assert_eq!(Watch::begin("", limits(), at(0)), Err(NotAStream));
    assert_eq!(Watch::begin("a\nb", limits(), at(0)), Err(NotAStream));
}

proptest! {
    /// Wherever the service stops and goes on, the alarms are the same.
    #[test]
    fn a_watch_goes_on_after_a_restart(
        steps in prop::collection::vec((-30i64..60, 0i64..12, any::<bool>()), 1..60),
    ) {
        let (mut whole, mut cut, mut now) = (watch(), watch(), 0);
        for (minutes, value, looks) in steps {
            now += minutes;
            let kept = serde_json::to_vec(&cut).unwrap();
            cut = serde_json::from_slice(&kept).unwrap();
            if looks {
                prop_assert_eq!(whole.look(at(now)), cut.look(at(now)));
            }
            let text = value.to_string();
            prop_assert_eq!(hear(&mut whole, now, &text), hear(&mut cut, now, &text));
            prop_assert_eq!(&whole, &cut);
        }
    }

    /// A reading outside is never passed over: an episode is open behind it, or it is a repetition.
    #[test]
    fn no_reading_outside_passes(
        steps in prop::collection::vec((-30i64..600, 0i64..12), 1..60),
    ) {
        let (mut watch, mut now) = (watch(), 0);
        for (minutes, value) in steps {
            now += minutes;
            let was = watch.before;
            let alarm = hear(&mut watch, now, &value.to_string());
            if !(2..=8).contains(&value) {
                let again = was.is_some_and(|(from, until)| (from..=until).contains(&at(now)));
                prop_assert!(watch.breached_since().is_some() || again);
            } else {
                prop_assert_eq!(alarm, None);
            }
        }
    }
}
