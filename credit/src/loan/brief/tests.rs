use schemas::hash::Hash;

use super::*;
use crate::evidence::verify;
use crate::facts::{Facts, Rules, With};
use crate::loan::decision::{Inputs, Outcome, Proven, decide};
use crate::loan::review::{Act, NoStage, Passage, ReviewRules, Stage};
use crate::loan::warning::{FactName, RuleName, Severity};
use crate::loan::{Product, Record};
use crate::money::Currency;
use crate::score::Model;
use crate::testing::*;

fn cny(text: &str) -> Money {
    Money::parse(text, Currency::CNY).unwrap()
}

fn facts() -> Facts {
    let mut world = journey(&COLD);
    let bundle = world.pack(at(24, 0));
    let evidence = verify(&bundle, &world.trusted()).unwrap();
    let with = With {
        sources: None,
        trade: true,
    };
    Facts::read_all(
        &evidence,
        &slug("qinghe"),
        at(24, 0),
        Rules::default(),
        with,
    )
    .unwrap()
}

/// An application of which every rule knows enough.
fn whole() -> Application {
    let mut application = application("A-1", "500.00");
    let declared = serde_json::json!({
        "buyers": ["market"],
        "invoices": [{
            "number": "17", "seller": "qinghe", "buyer": "market",
            "amount": {"amount": "800.00", "currency": "CNY"}, "issued": "2026-11-20",
            "due": "2026-12-20", "fingerprint": Hash([1; 32]), "goods": [PALLET],
        }],
        "identifiers": [
            {"party": "market", "kind": "bank_account", "value": Hash([2; 32])},
            {"party": "qinghe", "kind": "bank_account", "value": Hash([3; 32])},
        ],
        "links": [],
        "contract": {
            "contract_on": "2026-10-01", "buyer": "large-enterprise", "supplier_is_sme": true,
            "settlement": "by-delivery", "inspection": "not-agreed", "pay_when_paid": false,
            "instrument": "transfer", "late_rate": "not-agreed",
        },
    });
    application.declared = serde_json::from_value(declared).unwrap();
    application
        .declared
        .check(&application.supplier, application.requested)
        .unwrap();
    application
}

fn books() -> Books {
    let text = include_str!("../../../products/calendars/cn.toml");
    Books {
        basis: Some(Basis::Receivable),
        holidays: Some(Calendar::parse("cn.toml", text).unwrap()),
        ..Books::default()
    }
}

fn lends(up_to: Option<&str>) -> Product {
    Product {
        straight_up_to: up_to.map(cny),
        ..product()
    }
}

fn decided(application: &Application, books: Books, product: &Product) -> Record {
    let sandbox = crate::sandbox::Sandbox {
        limits: limits(1, "500000.00", "2000000.00"),
        used: cny("0.00"),
        room: None,
    };
    let proof = Proven {
        books: Some(books),
        ..Proven::from(Hash::ZERO)
    };
    let model = Model::built_in().unwrap();
    let record = decide(
        application,
        &facts(),
        proof,
        &model,
        product,
        &sandbox,
        at(24, 0),
    );
    let record = record.unwrap();
    // What is kept is enough to decide again.
    record.explain(&model).unwrap();
    let inputs: Inputs = serde_json::from_slice(&record.inputs).unwrap();
    assert_eq!(inputs.format, "decision-inputs/v4");
    record
}

fn judged(record: &Record) -> &Judgement {
    record.decision.judged.as_ref().unwrap()
}

#[test]
fn a_small_clean_application_goes_straight_through_and_a_larger_one_does_not() {
    let through = decided(&whole(), books(), &lends(Some("500.00")));
    for one in &judged(&through).law {
        assert!(is_settled(one), "{one:?}");
    }
    assert_eq!(judged(&through).route, Route::StraightThrough);
    assert!(through.decision.rules.is_empty());
    for line in [Some("499.99"), None] {
        let looked_at = decided(&whole(), books(), &lends(line));
        assert_eq!(judged(&looked_at).route, Route::Officer, "{line:?}");
        assert!(matches!(looked_at.decision.outcome, Outcome::Offer { .. }));
    }
}

#[test]
fn an_old_application_is_for_an_officer_and_every_rule_says_what_it_lacks() {
    let record = decided(
        &application("A-1", "500.00"),
        books(),
        &lends(Some("500.00")),
    );
    assert_eq!(judged(&record).route, Route::Officer);
    let missing = |rule: RuleName| {
        let found = judged(&record).warnings.iter().find(|one| one.rule == rule);
        found.unwrap().finding.clone()
    };
    use warning::Finding::{Clear, Unknown};
    let unknown = |missing| Unknown { missing };
    assert_eq!(
        missing(RuleName::DuplicateInvoice),
        unknown(FactName::Invoices)
    );
    assert_eq!(missing(RuleName::RelatedParties), unknown(FactName::Buyers));
    // These two are known from evidence alone.
    assert_eq!(missing(RuleName::CircularTrade), Clear);
    assert_eq!(missing(RuleName::SharedDevice), Clear);
}

#[test]
fn a_fact_that_is_taken_away_is_unknown_and_goes_to_an_officer() {
    let without = |change: fn(&mut Application)| {
        let mut application = whole();
        change(&mut application);
        let record = decided(&application, books(), &lends(Some("500.00")));
        assert_eq!(judged(&record).route, Route::Officer);
        let unknown = judged(&record)
            .law
            .iter()
            .any(|one| matches!(one.finding, Finding::Unknown(_)));
        let cannot = |one: &Judged| matches!(one.finding, warning::Finding::Unknown { .. });
        assert!(unknown || judged(&record).warnings.iter().any(cannot));
    };
    without(|one| one.declared.buyers = None);
    without(|one| one.declared.links = None);
    without(|one| one.declared.identifiers.as_mut().unwrap().truncate(1));
    without(|one| one.declared.invoices = Some(Vec::new()));
    without(|one| one.declared.invoices.as_mut().unwrap()[0].goods.clear());
    without(|one| one.declared.contract = None);
    // A buyer to whom no sale is seen.
    without(|one| one.declared.buyers = Some(vec![slug("cafe"), slug("market")]));
}

#[test]
fn an_invoice_that_is_out_already_declines_with_the_rule_as_the_reason() {
    let mut before = as_handed_in(&whole(), &whole().declared.invoices.unwrap()[0]);
    before.application = "A-0".parse().unwrap();
    let books = Books {
        invoices: vec![before],
        ..books()
    };
    let record = decided(&whole(), books, &lends(Some("500.00")));
    assert_eq!(record.decision.outcome, Outcome::Decline);
    assert_eq!(record.decision.rules, ["duplicate-invoice"]);
    assert_eq!(record.decision.reasons[0].code.to_string(), "RULE_REFUSES");
    assert_eq!(judged(&record).route, Route::Refused);
    let warned = &judged(&record).warnings[1].finding;
    assert_eq!(warned.severity(), Some(Severity::Refuse));
}

#[test]
fn a_broken_rule_of_law_fires_and_is_for_an_officer() {
    let mut application = whole();
    application
        .declared
        .contract
        .as_mut()
        .unwrap()
        .pay_when_paid = Some(true);
    let record = decided(&application, books(), &lends(Some("500.00")));
    let fired = ["d802-9-pay-when-paid", "no-pay-when-paid"];
    assert_eq!(record.decision.rules, fired);
    assert_eq!(judged(&record).route, Route::Officer);
    // Acceptance on another day than the events show.
    let mut application = whole();
    let invoices = application.declared.invoices.as_mut().unwrap();
    invoices[0].accepted = "2026-11-19".parse().ok();
    let record = decided(&application, books(), &lends(Some("500.00")));
    assert_eq!(record.decision.rules, ["acceptance-anchored"]);
}

#[test]
fn of_several_invoices_the_worst_is_said_with_its_number() {
    let mut application = whole();
    let invoices = application.declared.invoices.as_mut().unwrap();
    let mut second = invoices[0].clone();
    (second.number, second.fingerprint) = ("18".to_owned(), Hash([8; 32]));
    second.goods = vec!["urn:example:never-shipped".to_owned()];
    invoices.push(second);
    let record = decided(&application, books(), &lends(None));
    let law = judged(&record).law.iter();
    let anchored = law
        .clone()
        .find(|one| one.rule == RuleId::AcceptanceAnchored)
        .unwrap();
    assert_eq!(anchored.invoice.as_deref(), Some("18"));
    assert!(matches!(anchored.finding, Finding::Broken(_)));
}

#[test]
fn a_passage_is_a_stage_of_its_own_and_of_nothing_but_a_straight_decision() {
    let product = lends(Some("500.00"));
    let straight = decided(&whole(), books(), &product).decision;
    let passage = Passage::of(&straight, product.straight_up_to).unwrap();
    let review = passage.review.clone();
    assert_eq!(
        (review.act, &review.person, review.settles),
        (Act::Pass, &None, true)
    );
    assert_eq!(review.reason.as_ref().unwrap().as_str(), STRAIGHT_THROUGH);
    let rules = ReviewRules {
        second_officer_above: cny("0.00"),
        offer_valid: std::time::Duration::from_secs(60),
    };
    let stage = Stage::read(&straight, vec![review.clone()], &rules).unwrap();
    assert!(matches!(stage, Stage::Passed(_)) && stage.is_settled());
    assert!(stage.lapse(at(99, 0)).is_none());
    // A row that somebody put beside another decision is no passage.
    let looked_at = decided(&whole(), books(), &lends(None)).decision;
    assert_eq!(Passage::of(&looked_at, Some(cny("500.00"))), None);
    assert_eq!(Passage::of(&straight, Some(cny("499.99"))), None);
    let forged = Stage::read(&looked_at, vec![review.clone()], &rules);
    assert_eq!(forged.unwrap_err(), NoStage::Broken);
    let mut faked = review;
    faked.person = Some(slug("li-wei"));
    assert_eq!(
        Stage::read(&straight, vec![faked], &rules).unwrap_err(),
        NoStage::Broken
    );
}
