use schemas::event::Source;
use schemas::hash::Hash;

use super::*;
use crate::money::{Currency, MoneyError};
use crate::testing::*;

fn sandbox(per_loan: &str, outstanding: &str, used: &str) -> Sandbox {
    let used = Money::parse(used, Currency::CNY).unwrap();
    Sandbox {
        limits: limits(1, per_loan, outstanding),
        used,
        room: None,
    }
}

fn decided(facts: &Facts, requested: &str, sandbox: &Sandbox) -> Decision {
    let model = Model::built_in().unwrap();
    let application = application("A-1", requested);
    let record = decide(
        &application,
        facts,
        Hash::ZERO,
        &model,
        &product(),
        sandbox,
        at(24, 0),
    )
    .unwrap();
    record.explain(&model).unwrap();
    let inputs: Inputs = serde_json::from_slice(&record.inputs).unwrap();
    assert_eq!(inputs.format, "decision-inputs/v1");
    record.decision
}

fn offered(decision: &Decision) -> i64 {
    match decision.outcome {
        Outcome::Offer { amount } => amount.fen(),
        Outcome::Decline => panic!("declined: {:?}", decision.rules),
    }
}

#[test]
fn a_good_supplier_is_offered_the_smallest_of_the_limits() {
    let facts = facts_of(&mut journey(&COLD));
    let roomy = sandbox("500000.00", "2000000.00", "0.00");
    let asked = decided(&facts, "5000.00", &roomy);
    assert_eq!((offered(&asked), asked.rules.len()), (500_000, 0));
    // 0.6 of a confirmed turnover of 12,000.00.
    let cut = decided(&facts, "90000.00", &roomy);
    assert_eq!(
        (offered(&cut), cut.rules),
        (720_000, vec![RULE_CUT.to_owned()])
    );
    assert_eq!(cut.limit.unwrap().bound, Bound::ConfirmedTurnover);
    let cut = decided(
        &facts,
        "90000.00",
        &sandbox("5000.00", "2000000.00", "0.00"),
    );
    assert_eq!(offered(&cut), 500_000);
    assert_eq!(cut.limit.unwrap().bound, Bound::SandboxPerLoan);
    let cut = decided(
        &facts,
        "90000.00",
        &sandbox("5000.00", "9000.00", "8000.00"),
    );
    assert_eq!(offered(&cut), 100_000);
    assert_eq!(cut.limit.unwrap().bound, Bound::SandboxFree);
}

#[test]
fn a_full_sandbox_declines_and_says_so_first() {
    let facts = facts_of(&mut journey(&COLD));
    let decision = decided(&facts, "5000.00", &sandbox("5000.00", "9000.00", "9000.00"));
    assert_eq!(
        (decision.outcome, decision.rules),
        (Outcome::Decline, vec![RULE_LIMIT.to_owned()])
    );
    assert_eq!(decision.reasons[0].code, ReasonCode::SandboxLimit);
    let lowered = decided(&facts, "5000.00", &sandbox("5000.00", "1000.00", "9000.00"));
    assert_eq!(lowered.outcome, Outcome::Decline);
}

#[test]
fn an_excursion_declines_with_that_reason_first() {
    let facts = facts_of(&mut journey(&WARM));
    let decision = decided(&facts, "5000.00", &sandbox("5000.00", "9000.00", "0.00"));
    assert_eq!(
        (&decision.outcome, decision.limit),
        (&Outcome::Decline, None)
    );
    assert_eq!(decision.rules, ["cold-chain-broken"]);
    assert_eq!(decision.reasons[0].code, ReasonCode::ColdChainExcursion);
}

#[test]
fn a_hidden_statement_declines_with_that_reason_first() {
    let mut world = journey(&COLD);
    world.swallow("qinghe/cold-1");
    let time = at(5, 0);
    world.say(
        "qinghe/cold-1",
        time,
        &[(Source::Sensor, reading(time, PALLET, "4.0"))],
    );
    let decision = decided(
        &facts_of(&mut world),
        "5000.00",
        &sandbox("5000.00", "9000.00", "0.00"),
    );
    assert_eq!(decision.rules, ["chain-with-gaps"]);
    assert_eq!(decision.reasons[0].code, ReasonCode::EvidenceGap);
}

#[test]
fn nothing_known_declines() {
    let mut world = World::new(&DEVICES);
    world.say(
        "market/dock-1",
        at(1, 0),
        &[(Source::Scan, receiving(at(1, 0), PALLET))],
    );
    let decision = decided(
        &facts_of(&mut world),
        "5000.00",
        &sandbox("5000.00", "9000.00", "0.00"),
    );
    assert_eq!(decision.rules, ["too-little-evidence"]);
    assert_eq!(decision.reasons[0].code, ReasonCode::InsufficientEvidence);
}

#[test]
fn a_replay_is_marked() {
    let mut world = World::with_origin("log.test/replay", &DEVICES);
    tell_journey(&mut world, &COLD);
    let decision = decided(
        &facts_of(&mut world),
        "5000.00",
        &sandbox("5000.00", "9000.00", "0.00"),
    );
    assert!(decision.replay);
}

#[test]
fn another_currency_is_refused() {
    let eur: Currency = "EUR".parse().unwrap();
    let mut other = application("A-1", "5000.00");
    other.requested = Money::parse("5000.00", eur).unwrap();
    let wrong = MoneyError::CurrencyMismatch {
        left: eur,
        right: Currency::CNY,
    };
    let refused = other.fits(&product());
    assert_eq!(refused, Err(crate::loan::ApplicationError::Amount(wrong)));
    let facts = facts_of(&mut journey(&COLD));
    let model = Model::built_in().unwrap();
    let sandbox = sandbox("5000.00", "9000.00", "0.00");
    let decision = decide(
        &other,
        &facts,
        Hash::ZERO,
        &model,
        &product(),
        &sandbox,
        at(24, 0),
    );
    assert!(matches!(decision, Err(DecideError::Money(_))));
}

#[test]
fn a_record_that_was_touched_explains_nothing() {
    let facts = facts_of(&mut journey(&WARM));
    let model = Model::built_in().unwrap();
    let sandbox = sandbox("5000.00", "9000.00", "0.00");
    let application = application("A-1", "5000.00");
    let record = decide(
        &application,
        &facts,
        Hash::ZERO,
        &model,
        &product(),
        &sandbox,
        at(24, 0),
    )
    .unwrap();
    let mut touched = record.clone();
    touched.decision.reasons.remove(0);
    assert!(matches!(touched.explain(&model), Err(Unexplained::Differs)));
    let mut touched = record.clone();
    touched.facts = facts_of(&mut journey(&COLD)).to_bytes().unwrap();
    assert!(matches!(
        touched.explain(&model),
        Err(Unexplained::Hash("facts"))
    ));
    let mut touched = record;
    touched.inputs.push(b' ');
    assert!(matches!(
        touched.explain(&model),
        Err(Unexplained::Hash("inputs"))
    ));
}
