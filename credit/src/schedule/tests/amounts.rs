//! Principal and interest, by hand and by properties.

use super::*;

fn schedule(terms: &Terms, fen: i64) -> Result<Schedule, ScheduleError> {
    calculate(terms, cny(fen), date("2026-01-15"), &Calendar::every_day())
}

fn few(instalments: u32) -> Terms {
    Terms {
        instalments,
        ..plain()
    }
}

#[test]
fn an_annuity_is_equal_and_the_last_instalment_absorbs() {
    // 1,000.00 at one percent a month: 340.02 by the formula.
    let annuity = schedule(&few(3), 100_000).unwrap();
    assert_eq!(
        rows(&annuity),
        [(33_002, 1_000), (33_332, 670), (33_666, 337)]
    );
    assert_eq!(annuity.interest(), Ok(cny(2_007)));
    let free = Terms {
        annual_rate: Rate::ZERO,
        ..few(3)
    };
    assert_eq!(
        rows(&schedule(&free, 100).unwrap()),
        [(33, 0), (33, 0), (34, 0)]
    );
}

#[test]
fn equal_principal_and_bullet_pay_interest_on_what_is_owed() {
    let equal = Terms {
        amortisation: Amortisation::EqualPrincipal,
        ..few(3)
    };
    let expected = [(33_333, 1_000), (33_333, 667), (33_334, 333)];
    assert_eq!(rows(&schedule(&equal, 100_000).unwrap()), expected);
    let bullet = Terms {
        amortisation: Amortisation::Bullet,
        ..few(3)
    };
    let expected = [(0, 1_000), (0, 1_000), (100_000, 1_000)];
    assert_eq!(rows(&schedule(&bullet, 100_000).unwrap()), expected);
}

#[test]
fn grace_defers_waives_and_waits() {
    let mut terms = Terms {
        amortisation: Amortisation::EqualPrincipal,
        ..few(4)
    };
    terms.grace.principal = 2;
    terms.grace.interest = 1;
    let expected = [(0, 0), (0, 2_000), (50_000, 1_000), (50_000, 500)];
    assert_eq!(rows(&schedule(&terms, 100_000).unwrap()), expected);
    terms.grace = Grace {
        interest_free: 2,
        ..Grace::default()
    };
    let expected = [(25_000, 0), (25_000, 0), (25_000, 500), (25_000, 250)];
    assert_eq!(rows(&schedule(&terms, 100_000).unwrap()), expected);
}

#[test]
fn flat_interest_is_that_of_the_whole_loan() {
    let flat = Terms {
        interest: InterestMethod::Flat,
        ..few(3)
    };
    // 10.01 at one percent a month is 0.1001 a month and 0.30 in all.
    let expected = [(334, 10), (334, 10), (333, 10)];
    assert_eq!(rows(&schedule(&flat, 1_001).unwrap()), expected);
}

#[test]
fn rounding_goes_where_it_is_told() {
    let with = |mode, instalment_unit_fen| {
        let mut terms = few(3);
        terms.rounding.mode = mode;
        terms.rounding.instalment_unit_fen = instalment_unit_fen;
        terms.annual_rate = percent("6");
        // 100.10 at half a percent: 0.5005, so 50.05 fen.
        rows(&schedule(&terms, 10_010).unwrap())
    };
    assert_eq!(with(RoundingMode::Down, 1)[0], (3_320, 50));
    assert_eq!(with(RoundingMode::Up, 1)[0], (3_320, 51));
    assert_eq!(
        with(RoundingMode::HalfUp, 100),
        [(3_350, 50), (3_367, 33), (3_293, 16)]
    );
    for (mode, halves) in [
        (RoundingMode::HalfUp, [1, 2, 3]),
        (RoundingMode::HalfEven, [0, 2, 2]),
        (RoundingMode::Down, [0, 1, 2]),
        (RoundingMode::Up, [1, 2, 3]),
    ] {
        let divide = |numerator| rounding::divide(mode, numerator, 2).unwrap();
        assert_eq!([divide(1), divide(3), divide(5)], halves);
        assert_eq!(rounding::divide(mode, i128::MAX, 1), Some(i128::MAX));
        assert_eq!(rounding::divide(mode, 1, 0), None);
    }
}

#[test]
fn an_instalment_below_its_interest_repays_nothing_and_never_lends() {
    // Whole hundreds, rounded down to nothing: all principal with the last one.
    let mut terms = few(3);
    terms.rounding.mode = RoundingMode::Down;
    terms.rounding.instalment_unit_fen = 10_000;
    let expected = [(0, 100), (0, 100), (10_000, 100)];
    assert_eq!(rows(&schedule(&terms, 10_000).unwrap()), expected);
    terms.rounding.mode = RoundingMode::Up;
    assert_eq!(
        rows(&schedule(&terms, 10_000).unwrap()),
        [(9_900, 100), (100, 1), (0, 0)]
    );
}

#[test]
fn fees_are_due_when_they_say() {
    let fee = |base, when| Fee {
        name: "fee".to_owned(),
        base,
        when,
    };
    let mut terms = few(2);
    terms.amortisation = Amortisation::EqualPrincipal;
    terms.fees = vec![
        fee(FeeBase::OfPrincipal(percent("0.5")), FeeTime::Disbursement),
        fee(FeeBase::Fixed(cny(300)), FeeTime::EachInstalment),
        fee(FeeBase::OfBalance(percent("0.1")), FeeTime::EachInstalment),
        fee(FeeBase::Fixed(cny(7)), FeeTime::LastInstalment),
    ];
    let made = schedule(&terms, 100_000).unwrap();
    assert_eq!(made.fees_at_disbursement, cny(500));
    let fees: Vec<_> = made.instalments.iter().map(|one| one.fees.fen()).collect();
    assert_eq!(fees, [300 + 100, 300 + 50 + 7]);
    assert_eq!(
        made.instalments[1].due().total(),
        Ok(cny(50_000 + 500 + 357))
    );
    terms.fees[0].base = FeeBase::Fixed(Money::zero("EUR".parse().unwrap()));
    assert!(matches!(
        schedule(&terms, 100),
        Err(ScheduleError::Money(_))
    ));
}

/// A field and a change that makes it wrong.
type Change = (&'static str, fn(&mut Terms));

#[test]
fn terms_that_contradict_themselves_are_named() {
    let changes: [Change; 12] = [
        ("repayment.instalments", |terms| terms.instalments = 0),
        ("repayment.instalments", |terms| terms.instalments = 1_201),
        ("repayment.every", |terms| terms.frequency.every = 0),
        ("repayment.month_end", |terms| {
            terms.frequency = Frequency {
                month_end: true,
                ..every(1, Unit::Weeks)
            };
        }),
        ("interest.accrual", |terms| {
            terms.frequency.unit = Unit::Days;
            terms.day_count = DayCount::ActAct;
        }),
        ("interest.method", |terms| {
            terms.interest = InterestMethod::Flat;
            terms.amortisation = Amortisation::Bullet;
        }),
        ("grace.principal", |terms| terms.grace.principal = 12),
        ("grace.interest", |terms| terms.grace.interest = 12),
        ("grace.interest_free", |terms| {
            terms.grace.interest_free = 12
        }),
        ("rounding.interest_unit_fen", |terms| {
            terms.rounding.interest_unit_fen = 0
        }),
        ("rounding.instalment_unit_fen", |terms| {
            terms.rounding.instalment_unit_fen = 1_000_001;
        }),
        ("rounding.evened", |terms| {
            terms.rounding.evened = true;
            terms.amortisation = Amortisation::EqualPrincipal;
        }),
    ];
    for (field, change) in changes {
        let mut terms = plain();
        change(&mut terms);
        let Err(ScheduleError::Terms(error)) = schedule(&terms, 100) else {
            panic!("{field}");
        };
        assert_eq!(error.field, field);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(matches!(
        schedule(&plain(), 0),
        Err(ScheduleError::Principal(_))
    ));
    let beyond = schedule(&plain(), MAX_AMOUNT_FEN + 1);
    assert!(matches!(beyond, Err(ScheduleError::Principal(_))));
    let last = calculate(&plain(), cny(1), NaiveDate::MAX, &Calendar::every_day());
    assert_eq!(last, Err(ScheduleError::Date(1)));
    // The largest loan at the highest rate over the longest time there is.
    let huge = Terms {
        annual_rate: Rate::ONE,
        day_count: DayCount::ActAct,
        accrual: Accrual::ByDays,
        amortisation: Amortisation::Bullet,
        ..few(1)
    };
    let period = Period {
        start: NaiveDate::MIN,
        end: NaiveDate::MAX,
        due: NaiveDate::MAX,
    };
    let over = calculate_over(&huge, cny(MAX_AMOUNT_FEN), &[period]);
    assert_eq!(over, Err(ScheduleError::Overflow));
}

#[test]
fn periods_leave_no_day_out_and_count_none_twice() {
    let terms = few(2);
    let period = |start, end, due| Period {
        start: date(start),
        end: date(end),
        due: date(due),
    };
    let first = period("2026-01-01", "2026-02-01", "2026-02-01");
    let over = |second| calculate_over(&terms, cny(100), &[first, second]);
    assert!(over(period("2026-02-01", "2026-03-01", "2026-03-01")).is_ok());
    for wrong in [
        period("2026-02-02", "2026-03-01", "2026-03-01"),
        period("2026-01-31", "2026-03-01", "2026-03-01"),
        period("2026-02-01", "2026-01-15", "2026-03-01"),
        period("2026-02-01", "2026-03-01", "2026-01-20"),
    ] {
        assert_eq!(over(wrong), Err(ScheduleError::Period(2)));
    }
    assert_eq!(
        calculate_over(&terms, cny(100), &[first]),
        Err(ScheduleError::Period(1))
    );
    assert_eq!(
        calculate_over(&terms, cny(100), &[]),
        Err(ScheduleError::Period(0))
    );
}

#[test]
fn percentages_are_text_and_exact() {
    assert_eq!(percent("9.4822").hundred_millionths(), 9_482_200);
    assert_eq!(percent("100"), Rate::ONE);
    assert_eq!(percent("35").complement().to_string(), "65 %");
    assert_eq!(percent("4.350000000").to_string(), "4.35 %");
    for text in [
        "",
        "-1",
        "+1",
        "1.",
        ".5",
        "1e2",
        "100.01",
        "1_0",
        "0.0000001",
        "６",
        "1.2.3",
    ] {
        assert!(Rate::from_percent(text).is_err(), "{text}");
    }
}

/// 360 instalments; see also the property, which makes thousands of schedules.
#[test]
#[ignore = "a measurement: cargo test --release -p credit -- --ignored --nocapture instalments_in"]
fn instalments_in_time() {
    let terms = Terms {
        day_count: DayCount::ActAct,
        accrual: Accrual::ByDays,
        rounding: Rounding {
            evened: true,
            ..Rounding::default()
        },
        ..few(360)
    };
    let rounds = 1_000;
    let start = std::time::Instant::now();
    for round in 0..rounds {
        let made = schedule(&terms, 100_000_000 + round).unwrap();
        assert_eq!(made.instalments.len(), 360);
    }
    println!(
        "{:?} for 360 instalments",
        start.elapsed() / u32::try_from(rounds).unwrap()
    );
}
