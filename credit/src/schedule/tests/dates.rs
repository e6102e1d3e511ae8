//! Day counts, frequencies, calendars.

use super::*;

const ALL: [DayCount; 6] = [
    DayCount::Thirty360,
    DayCount::ThirtyE360,
    DayCount::Act360,
    DayCount::Act364,
    DayCount::Act365,
    DayCount::ActAct,
];

fn units(day_count: DayCount, start: &str, end: &str) -> i64 {
    day_count.fraction(date(start), date(end)).units
}

#[test]
fn months_of_thirty_days_end_as_isda_says() {
    for (start, end, bond, eurobond) in [
        ("2007-01-15", "2007-01-30", 15, 15),
        ("2007-01-15", "2007-02-15", 30, 30),
        ("2007-01-15", "2007-07-15", 180, 180),
        ("2007-09-30", "2008-03-31", 180, 180),
        ("2007-09-30", "2007-10-31", 30, 30),
        ("2007-09-30", "2008-09-30", 360, 360),
        ("2007-01-15", "2007-01-31", 16, 15),
        ("2007-01-31", "2007-02-28", 28, 28),
        ("2007-02-28", "2007-03-31", 33, 32),
        ("2006-08-31", "2007-02-28", 178, 178),
        ("2007-02-26", "2008-02-29", 363, 363),
        ("2008-02-29", "2009-02-28", 359, 359),
    ] {
        assert_eq!(units(DayCount::Thirty360, start, end), bond, "{start}");
        assert_eq!(units(DayCount::ThirtyE360, start, end), eurobond, "{start}");
    }
}

#[test]
fn actual_days_know_leap_years() {
    assert_eq!(units(DayCount::Act360, "2024-02-28", "2024-03-01"), 2);
    assert_eq!(units(DayCount::Act365, "2023-02-28", "2023-03-01"), 1);
    // 61 days of 2003 and 121 of 2004: the example of ISDA's memorandum on act/act.
    let fraction = DayCount::ActAct.fraction(date("2003-11-01"), date("2004-05-01"));
    assert_eq!(fraction.units, 61 * 366 + 121 * 365);
    assert_eq!(fraction.per_year, 365 * 366);
    for year in ["2023-01-01", "2024-01-01"] {
        let start = date(year);
        let end = start + chrono::Months::new(12);
        let fraction = DayCount::ActAct.fraction(start, end);
        assert_eq!(fraction.units, fraction.per_year, "{year}");
    }
}

#[test]
fn nothing_lies_before_the_start() {
    for day_count in ALL {
        assert_eq!(units(day_count, "2024-03-31", "2024-03-31"), 0);
        assert_eq!(units(day_count, "2024-03-31", "2024-03-01"), 0);
    }
}

#[test]
fn short_months_move_no_later_date() {
    let months = every(1, Unit::Months);
    let ends = Frequency {
        month_end: true,
        ..months
    };
    let dates = |frequency: Frequency, start: &str| {
        let date = |number| frequency.date(date(start), number).unwrap().to_string();
        [date(1), date(2), date(3)].map(|text| text[5..].to_owned())
    };
    assert_eq!(dates(months, "2023-01-31"), ["02-28", "03-31", "04-30"]);
    assert_eq!(dates(months, "2023-02-28"), ["03-28", "04-28", "05-28"]);
    assert_eq!(dates(ends, "2023-02-28"), ["03-31", "04-30", "05-31"]);
    assert_eq!(dates(ends, "2024-02-28"), ["03-28", "04-28", "05-28"]);
    assert_eq!(
        dates(every(2, Unit::Weeks), "2024-02-20"),
        ["03-05", "03-19", "04-02"]
    );
    assert_eq!(
        dates(every(15, Unit::Days), "2024-02-20"),
        ["03-06", "03-21", "04-05"]
    );
    assert_eq!(months.date(NaiveDate::MAX, 1), None);
    assert_eq!(
        every(366, Unit::Months).date(date("2024-01-01"), u32::MAX),
        None
    );
}

const CALENDAR: &str = include_str!("../../../products/calendars/cn.toml");

#[test]
fn due_dates_leave_holidays_by_their_rule() {
    let calendar = calendar();
    let shift = |day: &str, rule| calendar.shift(date(day), rule).unwrap().to_string();
    for (day, following, modified, preceding) in [
        // A Wednesday.
        ("2026-11-25", "2026-11-25", "2026-11-25", "2026-11-25"),
        // A Saturday.
        ("2026-11-21", "2026-11-23", "2026-11-23", "2026-11-20"),
        // Saturday and Sunday at the end of a month.
        ("2026-01-31", "2026-02-02", "2026-01-30", "2026-01-30"),
        // In Spring Festival; the Saturday before it is worked.
        ("2026-02-18", "2026-02-24", "2026-02-24", "2026-02-14"),
        // A Saturday that is worked, the last day of February.
        ("2026-02-28", "2026-02-28", "2026-02-28", "2026-02-28"),
        // National Day; then a Thursday.
        ("2026-10-01", "2026-10-08", "2026-10-08", "2026-09-30"),
    ] {
        assert_eq!(shift(day, ShiftRule::None), day);
        assert_eq!(shift(day, ShiftRule::Following), following);
        assert_eq!(shift(day, ShiftRule::ModifiedFollowing), modified);
        assert_eq!(shift(day, ShiftRule::Preceding), preceding);
    }
    assert!(calendar.covers(date("2026-12-31")) && !calendar.covers(date("2027-01-01")));
    assert!(Calendar::every_day().covers(NaiveDate::MAX));
}

#[test]
fn a_calendar_that_is_always_closed_is_an_error() {
    let days = (0..60u64).map(|days| date("2026-03-01") + chrono::Days::new(days));
    let holidays: Vec<String> = days.map(|day| format!("\"{day}\"")).collect();
    let text = format!(
        "id = \"x\"\nweekend = []\nfrom = \"2026-01-01\"\nuntil = \"2026-12-31\"\nholidays = [{}]\n",
        holidays.join(", ")
    );
    let calendar = Calendar::parse("x.toml", &text).unwrap();
    let day = date("2026-03-20");
    let closed = Err(ScheduleError::NoBusinessDay(day));
    assert_eq!(calendar.shift(day, ShiftRule::Following), closed);
    assert_eq!(
        calendar.shift(NaiveDate::MAX, ShiftRule::Following),
        Ok(NaiveDate::MAX)
    );
}

#[test]
fn a_wrong_calendar_says_where() {
    for (old, new, expected) in [
        (
            "\"2026-01-01\", \"2026-01-02\"",
            "\"2027-01-01\"",
            "holidays: 2027-01-01 is not between",
        ),
        (
            "\"2026-01-04\",",
            "\"2025-01-04\",",
            "working: 2025-01-04 is not between",
        ),
        (
            "\"2026-01-04\",",
            "\"2026-01-05\",",
            "working: 2026-01-05 is on no weekend",
        ),
        (
            "\"2026-01-04\",",
            "\"2026-01-03\",",
            "working: 2026-01-03 is a holiday",
        ),
        ("[\"Sat\", \"Sun\"]", "[\"Satur\"]", "weekend: "),
        (
            "id = \"cn\"",
            "id = \"cn\"\ncolour = 1",
            "unknown field `colour`",
        ),
    ] {
        assert!(CALENDAR.contains(old), "{old}");
        let error = Calendar::parse("cn.toml", &CALENDAR.replacen(old, new, 1)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let week = r#"["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]"#;
    let text = CALENDAR.replacen(r#"["Sat", "Sun"]"#, week, 1);
    let error = Calendar::parse("cn.toml", &text).unwrap_err().to_string();
    assert!(error.contains("weekend: at most six days"), "{error}");
}

#[test]
fn interest_follows_a_moved_date_only_if_it_is_told_to() {
    let mut terms = Terms {
        instalments: 3,
        day_count: DayCount::Act365,
        accrual: Accrual::ByDays,
        amortisation: Amortisation::Bullet,
        ..plain()
    };
    terms.shift.rule = ShiftRule::Following;
    let days = |terms: &Terms| {
        let periods = periods(terms, date("2026-01-15"), &calendar()).unwrap();
        let days = |one: &Period| (one.end - one.start).num_days();
        let due = periods.iter().map(|one| one.due.to_string());
        assert_eq!(
            due.collect::<Vec<_>>(),
            ["2026-02-24", "2026-03-16", "2026-04-15"]
        );
        periods.iter().map(days).collect::<Vec<_>>()
    };
    assert_eq!(days(&terms), [31, 28, 31]);
    terms.shift.interest_follows = true;
    assert_eq!(days(&terms), [40, 20, 30]);
}

proptest! {
    #[test]
    fn days_are_additive(days in prop::collection::vec(any_date(), 3)) {
        let mut days = days;
        days.sort_unstable();
        let [a, b, c] = days[..] else { unreachable!() };
        for day_count in ALL {
            let units = |start, end| day_count.fraction(start, end).units;
            let [whole, first, second] = [units(a, c), units(a, b), units(b, c)];
            prop_assert!(whole >= 0 && first >= 0 && second >= 0);
            // The bond basis counts a 31st in some halves and not in the whole, or the other way
            // round: by a day. All others are additive wherever they are split.
            let slack = i64::from(day_count == DayCount::Thirty360);
            prop_assert!((whole - first - second).abs() <= slack, "{day_count:?} {a} {b} {c}");
        }
        // Where no 31st is among the three dates, the bond basis is additive as well.
        if [a, b, c].iter().all(|day| chrono::Datelike::day(day) != 31) {
            let units = |start, end| DayCount::Thirty360.fraction(start, end).units;
            prop_assert_eq!(units(a, c), units(a, b) + units(b, c));
        }
    }

    #[test]
    fn a_shifted_date_is_a_business_day_and_order_is_kept(
        day in 0u64..400, later in 0u64..40,
    ) {
        let calendar = calendar();
        let first = date("2026-01-01") + chrono::Days::new(day);
        let second = first + chrono::Days::new(later);
        for rule in [ShiftRule::Following, ShiftRule::ModifiedFollowing, ShiftRule::Preceding] {
            let moved = calendar.shift(first, rule).unwrap();
            prop_assert!(calendar.is_business_day(moved));
            prop_assert_eq!(calendar.shift(moved, rule), Ok(moved));
            prop_assert!(moved <= calendar.shift(second, rule).unwrap());
            if rule == ShiftRule::ModifiedFollowing {
                prop_assert_eq!(moved.to_string()[..7].to_owned(), first.to_string()[..7].to_owned());
            }
        }
    }
}
