//! Properties of any schedule, and many of them for somebody else to calculate again.

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::*;

/// Terms that pass their own check.
pub(super) fn any_terms() -> impl Strategy<Value = Terms> {
    let enums = (
        prop::sample::select(vec![
            DayCount::Thirty360,
            DayCount::ThirtyE360,
            DayCount::Act360,
            DayCount::Act364,
            DayCount::Act365,
            DayCount::ActAct,
        ]),
        prop::sample::select(vec![
            Amortisation::EqualInstalments,
            Amortisation::EqualPrincipal,
            Amortisation::Bullet,
        ]),
        prop::sample::select(vec![Unit::Days, Unit::Weeks, Unit::Months]),
        prop::sample::select(vec![
            RoundingMode::HalfUp,
            RoundingMode::HalfEven,
            RoundingMode::Down,
            RoundingMode::Up,
        ]),
        prop::sample::select(vec![
            ShiftRule::None,
            ShiftRule::Following,
            ShiftRule::ModifiedFollowing,
            ShiftRule::Preceding,
        ]),
    );
    let flags = prop::array::uniform5(any::<bool>());
    let numbers = (
        1u32..60,
        1u32..40,
        0u32..60,
        0u32..60,
        0u32..60,
        0i64..100_000_000,
    );
    let units = prop::sample::select(vec![1u32, 10, 100, 10_000]);
    (enums, flags, numbers, units).prop_map(|(enums, flags, numbers, unit)| {
        let (day_count, amortisation, every_unit, mode, rule) = enums;
        let [flat, equal, month_end, follows, evened] = flags;
        let (instalments, times, principal, interest, interest_free, rate) = numbers;
        let bullet = amortisation == Amortisation::Bullet;
        let fixed = every_unit == Unit::Months || day_count != DayCount::ActAct;
        Terms {
            annual_rate: Rate::from_percent(&format!(
                "{}.{:06}",
                rate / 1_000_000,
                rate % 1_000_000
            ))
            .unwrap(),
            interest: if flat && !bullet {
                InterestMethod::Flat
            } else {
                InterestMethod::DecliningBalance
            },
            day_count,
            accrual: if equal && fixed {
                Accrual::EqualPeriods
            } else {
                Accrual::ByDays
            },
            amortisation,
            instalments,
            frequency: Frequency {
                every: times,
                unit: every_unit,
                month_end: month_end && every_unit == Unit::Months,
            },
            grace: Grace {
                principal: if bullet { 0 } else { principal % instalments },
                interest: interest % instalments,
                interest_free: interest_free % instalments,
            },
            shift: Shift {
                rule,
                interest_follows: follows,
            },
            rounding: Rounding {
                mode,
                interest_unit_fen: unit.min(10),
                instalment_unit_fen: unit,
                evened: evened && amortisation == Amortisation::EqualInstalments,
            },
            fees: Vec::new(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn principal_sums_exactly_and_no_balance_is_negative(
        terms in any_terms(), fen in 1i64..=MAX_AMOUNT_FEN, small in any::<bool>(), start in any_date(),
    ) {
        let fen = if small { fen % 100_000 + 1 } else { fen };
        let made = calculate(&terms, cny(fen), start, &calendar());
        // A hundred years of months at a hundred percent may be more than there is money.
        let made = match made {
            Err(ScheduleError::Overflow) => return Ok(()),
            made => made.unwrap(),
        };
        prop_assert_eq!(made.instalments.len(), terms.instalments as usize);
        let mut balance = fen;
        let mut due = start;
        for one in &made.instalments {
            balance -= one.principal.fen();
            prop_assert!(balance >= 0);
            prop_assert_eq!(one.balance.fen(), balance);
            prop_assert!(one.period.due >= due);
            due = one.period.due;
            if one.number <= terms.grace.principal {
                prop_assert_eq!(one.principal.fen(), 0);
            }
            if one.number <= terms.grace.interest.max(terms.grace.interest_free) {
                prop_assert_eq!(one.interest.fen(), 0);
            }
            prop_assert_eq!(one.interest.fen() % i64::from(terms.rounding.interest_unit_fen), 0);
        }
        prop_assert_eq!(balance, 0);
        // The same again is the same.
        prop_assert_eq!(calculate(&terms, cny(fen), start, &calendar()), Ok(made));
    }

    #[test]
    fn equal_instalments_are_equal(rate in 0u32..40, fen in 100_000i64..1_000_000_000, months in 2u32..60) {
        let mut terms = Terms { annual_rate: percent(&rate.to_string()), instalments: months, ..plain() };
        let totals = |terms: &Terms| {
            let rows = rows(&calculate(terms, cny(fen), date("2026-01-15"), &Calendar::every_day()).unwrap());
            rows.iter().map(|(principal, interest)| principal + interest).collect::<Vec<_>>()
        };
        let absorbed = totals(&terms);
        let (last, others) = absorbed.split_last().unwrap();
        prop_assert!(others.iter().all(|one| *one == others[0]));
        terms.rounding.evened = true;
        let evened = totals(&terms);
        let (nearer, evened) = evened.split_last().unwrap();
        prop_assert!(evened.iter().all(|one| *one == evened[0]));
        prop_assert!((nearer - evened[0]).abs() <= (last - others[0]).abs());
    }
}

/// Writes schedules as JSON lines to the file that `SCHEDULES` names, for `tests/schedules.py`.
#[test]
#[ignore = "writes a file for tests/schedules.py, which says how to run it"]
fn written_for_somebody_else() {
    let file = std::env::var_os("SCHEDULES").expect("SCHEDULES names a file");
    let mut runner = TestRunner::deterministic();
    let any = (any_terms(), 1i64..=MAX_AMOUNT_FEN, 0u32..10, any_date());
    let mut lines = String::new();
    for _ in 0..3_000 {
        let (terms, fen, digits, start) = any.new_tree(&mut runner).unwrap().current();
        let fen = fen / 10i64.pow(digits) + 1;
        let made = calculate(&terms, cny(fen), start, &calendar()).unwrap();
        // QuantLib's dates end with 2199.
        let last = made.instalments.last().unwrap().period;
        if last.end.max(last.due) < date("2199-12-01") {
            lines += &format!("{}\n", line(&terms, start, &made));
        }
    }
    std::fs::write(file, lines).unwrap();
}

fn line(terms: &Terms, start: NaiveDate, made: &Schedule) -> serde_json::Value {
    let row = |one: &Instalment| json!([one.period.due, one.principal.fen(), one.interest.fen()]);
    json!({
        "fen": made.principal.fen(),
        "start": start,
        "rate": terms.annual_rate.hundred_millionths(),
        "flat": terms.interest == InterestMethod::Flat,
        "day_count": format!("{:?}", terms.day_count),
        "equal_periods": terms.accrual == Accrual::EqualPeriods,
        "amortisation": format!("{:?}", terms.amortisation),
        "instalments": terms.instalments,
        "every": terms.frequency.every,
        "unit": format!("{:?}", terms.frequency.unit),
        "month_end": terms.frequency.month_end,
        "grace": [terms.grace.principal, terms.grace.interest, terms.grace.interest_free],
        "shift": format!("{:?}", terms.shift.rule),
        "interest_follows": terms.shift.interest_follows,
        "mode": format!("{:?}", terms.rounding.mode),
        "interest_unit": terms.rounding.interest_unit_fen,
        "instalment_unit": terms.rounding.instalment_unit_fen,
        "evened": terms.rounding.evened,
        "rows": made.instalments.iter().map(row).collect::<Vec<_>>(),
    })
}
