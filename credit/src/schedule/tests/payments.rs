//! Allocation of payments and penalty interest.

use super::*;

fn due(penalty: i64, fees: i64, interest: i64, principal: i64) -> Due {
    Due {
        penalty: cny(penalty),
        fees: cny(fees),
        interest: cny(interest),
        principal: cny(principal),
    }
}

fn order(components: [Component; 4]) -> AllocationOrder {
    components.to_vec().try_into().unwrap()
}

const ALL: [Component; 4] = [
    Component::Penalty,
    Component::Fees,
    Component::Interest,
    Component::Principal,
];

#[test]
fn a_payment_goes_by_the_declared_order() {
    let unpaid = [due(10, 20, 30, 400), due(0, 20, 25, 400)];
    let by_instalment = AllocationRule::default();
    let paid = allocate(by_instalment, cny(500), &unpaid).unwrap();
    assert_eq!(paid.paid, [due(10, 20, 30, 400), due(0, 20, 20, 0)]);
    assert_eq!(paid.rest, cny(0));
    let by_component = AllocationRule {
        across: Across::Component,
        ..by_instalment
    };
    let paid = allocate(by_component, cny(500), &unpaid).unwrap();
    assert_eq!(paid.paid, [due(10, 20, 30, 395), due(0, 20, 25, 0)]);
    let principal_first = AllocationRule {
        order: order([
            Component::Principal,
            Component::Interest,
            Component::Fees,
            Component::Penalty,
        ]),
        across: Across::OldestInstalment,
    };
    let paid = allocate(principal_first, cny(455), &unpaid).unwrap();
    assert_eq!(paid.paid, [due(5, 20, 30, 400), due(0, 0, 0, 0)]);
    let paid = allocate(by_instalment, cny(1_000), &unpaid).unwrap();
    assert_eq!((paid.paid.as_slice(), paid.rest), (&unpaid[..], cny(95)));
}

#[test]
fn two_currencies_are_never_allocated() {
    let eur = Money::from_fen(100, "EUR".parse().unwrap()).unwrap();
    let unpaid = [due(1, 2, 3, 4)];
    let mixed = allocate(AllocationRule::default(), eur, &unpaid);
    assert!(matches!(mixed, Err(MoneyError::CurrencyMismatch { .. })));
}

#[test]
fn an_order_has_each_component_once() {
    assert_eq!(
        AllocationOrder::try_from(ALL.to_vec()),
        Ok(AllocationOrder::default())
    );
    assert_eq!(
        AllocationOrder::try_from(ALL[..3].to_vec()),
        Err(AllocationOrderError)
    );
    let twice = [ALL[0], ALL[1], ALL[2], ALL[2]];
    assert_eq!(
        AllocationOrder::try_from(twice.to_vec()),
        Err(AllocationOrderError)
    );
}

const PENALTY: PenaltyTerms = PenaltyTerms {
    annual_rate: Rate::ZERO,
    day_count: DayCount::Act360,
    grace_days: 3,
    on: PenaltyBase::PrincipalAndInterest,
};

fn charged(terms: &PenaltyTerms, spans: &[(i64, &str, &str)]) -> Result<Money, ScheduleError> {
    let span = |(fen, from, until): &(i64, &str, &str)| Overdue {
        amount: cny(*fen),
        from: date(from),
        until: date(until),
    };
    let spans: Vec<_> = spans.iter().map(span).collect();
    terms.penalty(
        &Rounding::default(),
        Currency::CNY,
        date("2026-03-02"),
        &spans,
    )
}

#[test]
fn lateness_costs_from_the_due_date_once_the_grace_is_over() {
    let terms = PenaltyTerms {
        annual_rate: percent("9"),
        ..PENALTY
    };
    // 10,000.00 at 9 % over 360: 2.50 a day.
    assert_eq!(charged(&terms, &[]), Ok(cny(0)));
    assert_eq!(
        charged(&terms, &[(1_000_000, "2026-03-02", "2026-03-05")]),
        Ok(cny(0))
    );
    assert_eq!(
        charged(&terms, &[(1_000_000, "2026-03-02", "2026-03-06")]),
        Ok(cny(1_000))
    );
    let partly_paid = [
        (1_000_000, "2026-03-02", "2026-03-04"),
        (400_000, "2026-03-04", "2026-03-12"),
    ];
    assert_eq!(charged(&terms, &partly_paid), Ok(cny(500 + 800)));
}

#[test]
fn overdue_spans_follow_each_other() {
    for spans in [
        &[(1, "2026-03-01", "2026-03-04")][..],
        &[(1, "2026-03-05", "2026-03-04")],
        &[
            (1, "2026-03-02", "2026-03-06"),
            (1, "2026-03-05", "2026-03-08"),
        ],
    ] {
        assert!(
            matches!(charged(&PENALTY, spans), Err(ScheduleError::Span(_))),
            "{spans:?}"
        );
    }
    let far = Overdue {
        amount: cny(i64::MAX),
        from: date("2026-03-02"),
        until: NaiveDate::MAX,
    };
    let terms = PenaltyTerms {
        annual_rate: Rate::ONE,
        ..PENALTY
    };
    let much = terms.penalty(&Rounding::default(), Currency::CNY, far.from, &[far]);
    assert_eq!(much, Err(ScheduleError::Overflow));
}

#[test]
fn penalties_are_on_what_the_product_says() {
    let unpaid = due(7, 5, 30, 400);
    assert_eq!(PENALTY.base(&unpaid), Ok(cny(430)));
    let on_principal = PenaltyTerms {
        on: PenaltyBase::Principal,
        ..PENALTY
    };
    assert_eq!(on_principal.base(&unpaid), Ok(cny(400)));
}

fn any_due() -> impl Strategy<Value = Due> {
    (0i64..100, 0i64..500, 0i64..1_000, 0i64..10_000)
        .prop_map(|(penalty, fees, interest, principal)| due(penalty, fees, interest, principal))
}

fn total(dues: &[Due]) -> Money {
    let totals = dues.iter().map(|one| one.total().unwrap());
    totals.fold(cny(0), |sum, one| sum.plus(one).unwrap())
}

proptest! {
    #[test]
    fn allocation_conserves_money_and_pays_nothing_twice(
        unpaid in prop::collection::vec(any_due(), 0..12),
        payments in prop::collection::vec(0i64..30_000, 1..5),
        order in Just(ALL.to_vec()).prop_shuffle(),
        by_component in any::<bool>(),
    ) {
        let rule = AllocationRule {
            order: order.try_into().unwrap(),
            across: if by_component { Across::Component } else { Across::OldestInstalment },
        };
        let owed = total(&unpaid);
        let whole: i64 = payments.iter().sum();
        let at_once = allocate(rule, cny(whole), &unpaid).unwrap();
        prop_assert_eq!(total(&at_once.paid).plus(at_once.rest).unwrap(), cny(whole));
        prop_assert!(total(&at_once.paid).fen() <= owed.fen());
        // Something is left over only if everything is paid.
        prop_assert!(at_once.rest.fen() == 0 || total(&at_once.paid) == owed);
        let mut left = unpaid.clone();
        let mut rest = 0;
        for payment in payments {
            let allocation = allocate(rule, cny(payment), &left).unwrap();
            rest += allocation.rest.fen();
            for (left, paid) in left.iter_mut().zip(&allocation.paid) {
                let minus = |component| left.get(component).minus(paid.get(component)).unwrap().fen();
                let [penalty, fees, interest, principal] = ALL.map(minus);
                *left = due(penalty, fees, interest, principal);
            }
        }
        // Several payments pay what one of their sum does.
        prop_assert_eq!(rest, at_once.rest.fen());
        prop_assert_eq!(total(&left).plus(total(&at_once.paid)).unwrap(), owed);
        for ((left, paid), unpaid) in left.iter().zip(&at_once.paid).zip(&unpaid) {
            for component in ALL {
                let sum = left.get(component).plus(paid.get(component)).unwrap();
                prop_assert_eq!(sum, unpaid.get(component));
            }
        }
    }

    #[test]
    fn penalties_are_the_same_however_time_is_split(
        fen in 0i64..10_000_000_000, late in 4u64..900, at in 1u64..900, rate in 0u32..=100,
        day_count in prop::sample::select(vec![
            DayCount::ThirtyE360, DayCount::Act360, DayCount::Act365, DayCount::ActAct,
        ]),
    ) {
        let day = |days: u64| date("2026-03-02") + chrono::Days::new(days);
        let span = |from, until| Overdue { amount: cny(fen), from: day(from), until: day(until) };
        let terms = PenaltyTerms { annual_rate: percent(&rate.to_string()), day_count, ..PENALTY };
        let charged = |spans: &[Overdue]| {
            terms.penalty(&Rounding::default(), Currency::CNY, day(0), spans).unwrap()
        };
        let at = at.min(late);
        prop_assert_eq!(charged(&[span(0, late)]), charged(&[span(0, at), span(at, late)]));
        prop_assert!(charged(&[span(0, late)]).fen() <= charged(&[span(0, late + 1)]).fen());
    }
}
