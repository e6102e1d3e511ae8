use proptest::prelude::*;
use schemas::gs1::Identifier;
use schemas::hash::{Hash, sha256};
use schemas::time::Instant;

use super::*;
use crate::money::Currency;
use crate::pledge::claim::{Claims, Goods};
use crate::pledge::ids::Key;
use crate::pledge::step::{Broken, Chain, Next, Row};
use crate::pledge::watch::Noticed;

fn cny(fen: i64) -> Money {
    Money::from_fen(fen, Currency::CNY).unwrap()
}

fn at(second: i64) -> Instant {
    Instant::from_seconds(1_800_000_000 + second)
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn offer() -> Offer {
    let thing = Identifier::from_serial("09521234543213", "A1").unwrap();
    let goods = Goods::Thing {
        thing,
        lot: None,
        around: vec![],
    };
    Offer {
        borrower: "qinghe".parse().unwrap(),
        loan: key("loan-1"),
        what: "one pump".into(),
        lending_value: cny(1_000),
        details: None,
        worth: None,
        evidence: None,
        claims: Claims::of(&goods).unwrap(),
    }
}

fn said(request: &str, person: &str, act: Act) -> Said {
    let person = (!person.is_empty()).then(|| person.parse().unwrap());
    Said {
        request: key(request),
        person,
        act,
    }
}

fn alarm() -> Act {
    Act::Alarm(Alarm {
        stream: "cold-1".into(),
        since: at(0),
        noticed: Noticed::Silence,
    })
}

fn draw(fen: i64) -> Act {
    Act::Draw {
        disbursement: key("d-1"),
        amount: cny(fen),
    }
}

fn paid() -> Way {
    let settled = Settled::of(key("loan-1"), cny(0), sha256(b"posting"));
    Way::Paid(settled.unwrap())
}

/// A pledge as rows.
#[derive(Clone)]
struct Rows(Vec<Next>);

impl Rows {
    fn begin() -> Self {
        let first = said("r-0", "lin", Act::Offer(Box::new(offer())));
        Self(vec![Chain::begin(first, at(0)).unwrap()])
    }

    fn rows(&self) -> Vec<Row> {
        let row = |next: &Next| Row {
            number: next.step.number.into(),
            prev: next.step.prev.as_bytes().to_vec(),
            at: next.step.at,
            body: next.step.body.clone(),
        };
        self.0.iter().map(row).collect()
    }

    fn head(&self) -> (u32, Hash) {
        let last = &self.0.last().unwrap().step;
        (last.number, last.hash())
    }

    fn read(&self, rows: Vec<Row>) -> Result<Chain, Broken> {
        Chain::read(self.0[0].step.pledge, rows, self.head())
    }

    fn say(&mut self, person: &str, act: Act) -> Result<State, Denied> {
        let request = format!("r-{}", self.0.len());
        let chain = self.read(self.rows()).unwrap();
        let next = chain.next(said(&request, person, act), at(self.0.len() as i64))?;
        let state = next.step.state;
        self.0.push(next);
        Ok(state)
    }

    fn accepted() -> Self {
        let mut rows = Self::begin();
        rows.say("wang", Act::Accept).unwrap();
        rows
    }
}

#[test]
fn nobody_accepts_or_confirms_what_he_began() {
    let mut rows = Rows::begin();
    assert_eq!(rows.say("lin", Act::Accept), Err(Denied::SamePerson));
    assert_eq!(rows.say("wang", Act::Accept), Ok(State::Pledged));
    assert_eq!(
        rows.say("lin", Act::Confirm(paid())),
        Err(Denied::NotProposed)
    );
    rows.say("lin", Act::Propose(paid())).unwrap();
    assert_eq!(
        rows.say("lin", Act::Confirm(paid())),
        Err(Denied::SamePerson)
    );
    let other = Settled::of(key("loan-1"), cny(0), sha256(b"other")).unwrap();
    let other = Act::Confirm(Way::Paid(other));
    assert_eq!(rows.say("wang", other), Err(Denied::NotProposed));
    assert_eq!(rows.say("wang", Act::Confirm(paid())), Ok(State::Released));
    assert_eq!(rows.0.last().unwrap().freed.len(), 1);
    assert_eq!(
        rows.say("wang", draw(1)),
        Err(Denied::Stage(State::Released))
    );
    assert_eq!(rows.say("", alarm()), Err(Denied::Stage(State::Released)));
}

#[test]
fn an_alarm_freezes_draws_until_a_person_thaws() {
    let mut rows = Rows::accepted();
    assert_eq!(rows.say("lin", draw(400)), Ok(State::Pledged));
    assert_eq!(rows.say("lin", alarm()), Err(Denied::NotTheWatch));
    assert_eq!(rows.say("", alarm()), Ok(State::Frozen));
    assert_eq!(rows.say("lin", draw(1)), Err(Denied::Stage(State::Frozen)));
    assert_eq!(rows.say("", alarm()), Ok(State::Frozen));
    let thaw = || Act::Thaw("the door stood open; goods inspected".into());
    assert_eq!(rows.say("", thaw()), Err(Denied::Nobody));
    assert_eq!(rows.say("lin", Act::Thaw(" ".into())), Err(Denied::Text));
    assert_eq!(rows.say("lin", thaw()), Ok(State::Pledged));
    assert_eq!(rows.say("lin", draw(600)), Ok(State::Pledged));
    let room = cny(0);
    let wanted = cny(1);
    let denied = Denied::NotCovered { wanted, room };
    assert_eq!(rows.say("lin", draw(1)), Err(denied));
    let foreign = Act::Draw {
        disbursement: key("d"),
        amount: Money::from_fen(1, "EUR".parse().unwrap()).unwrap(),
    };
    assert!(matches!(rows.say("lin", foreign), Err(Denied::Money(_))));
}

#[test]
fn a_draw_takes_a_proposal_to_end_it_away() {
    let mut rows = Rows::accepted();
    rows.say("lin", Act::Propose(paid())).unwrap();
    rows.say("lin", draw(1)).unwrap();
    assert_eq!(
        rows.say("wang", Act::Confirm(paid())),
        Err(Denied::NotProposed)
    );
    rows.say("lin", Act::Propose(paid())).unwrap();
    rows.say("lin", Act::Retract("the payment bounced".into()))
        .unwrap();
    assert_eq!(
        rows.say("wang", Act::Confirm(paid())),
        Err(Denied::NotProposed)
    );
}

#[test]
fn goods_are_sold_only_once_the_loan_was_called() {
    let mut rows = Rows::accepted();
    let sold = || Way::Realised { proceeds: cny(900) };
    let denied = Err(Denied::Stage(State::Pledged));
    assert_eq!(rows.say("lin", Act::Propose(sold())), denied);
    assert_eq!(
        rows.say("lin", Act::Call("90 days late".into())),
        Ok(State::Called)
    );
    assert_eq!(rows.say("lin", draw(1)), Err(Denied::Stage(State::Called)));
    assert_eq!(rows.say("lin", Act::Propose(sold())), Ok(State::Called));
    assert_eq!(rows.say("wang", Act::Confirm(sold())), Ok(State::Realised));
}

#[test]
fn only_a_settled_loan_is_paid() {
    assert_eq!(Settled::of(key("loan-1"), cny(1), Hash::ZERO), None);
    let mut rows = Rows::accepted();
    let other = Settled::of(key("loan-2"), cny(0), Hash::ZERO).unwrap();
    let other = Act::Propose(Way::Paid(other));
    assert_eq!(rows.say("lin", other), Err(Denied::OtherLoan));
}

#[test]
fn a_withdrawn_offer_frees_what_it_claims() {
    let mut rows = Rows::begin();
    assert_eq!(rows.say("lin", draw(1)), Err(Denied::Stage(State::Offered)));
    assert_eq!(rows.say("", alarm()), Err(Denied::Stage(State::Offered)));
    let withdrawn = rows.say("lin", Act::Withdraw("typing error".into()));
    assert_eq!(withdrawn, Ok(State::Withdrawn));
    assert_eq!(rows.0.last().unwrap().freed.len(), 1);
}

#[test]
fn a_clock_that_went_back_repeats_the_last_instant() {
    let rows = Rows::accepted();
    let chain = rows.read(rows.rows()).unwrap();
    let next = chain.next(said("r", "lin", draw(1)), at(-500)).unwrap();
    assert_eq!(next.step.at, at(1));
}

#[test]
fn a_substitute_is_of_the_same_loan_and_has_room() {
    let mut rows = Rows::accepted();
    rows.say("lin", draw(400)).unwrap();
    let old = rows.read(rows.rows()).unwrap();
    let old = old.stage().life().clone();
    let life = Life {
        drawn: cny(0),
        ..old.clone()
    };
    assert_eq!(Pledged(life.clone()).covers(&old), Ok(cny(400)));
    let mut smaller = life.clone();
    smaller.offer.lending_value = cny(399);
    let (wanted, room) = (cny(400), cny(399));
    let denied = Denied::NotCovered { wanted, room };
    assert_eq!(Pledged(smaller).covers(&old), Err(denied));
    let mut other = life.clone();
    other.offer.loan = key("loan-2");
    assert_eq!(Pledged(other).covers(&old), Err(Denied::OtherLoan));
    let mut other = life;
    other.offer.borrower = "yonghe".parse().unwrap();
    assert_eq!(Pledged(other).covers(&old), Err(Denied::OtherLoan));
}

#[test]
fn a_row_that_was_changed_or_is_missing_shows() {
    let mut whole = Rows::accepted();
    whole.say("lin", draw(400)).unwrap();
    whole.say("", alarm()).unwrap();
    let rows = whole.rows();
    assert_eq!(whole.read(rows.clone()).unwrap().steps().len(), 4);
    let broken = |change: &dyn Fn(&mut Vec<Row>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        whole.read(rows).unwrap_err()
    };
    let text = |row: &Row| String::from_utf8(row.body.clone()).unwrap();
    let less = |rows: &mut Vec<Row>| {
        rows[2].body = text(&rows[2]).replace("4.00", "1.00").into_bytes();
    };
    assert_eq!(broken(&less), Broken::Link(4));
    let last = |rows: &mut Vec<Row>| {
        rows[3].body = text(&rows[3]).replace("cold-1", "cold-2").into_bytes();
    };
    assert_eq!(broken(&last), Broken::Head);
    assert_eq!(broken(&|rows| rows[1].at = at(7)), Broken::Link(3));
    assert_eq!(broken(&|rows| drop(rows.pop())), Broken::Head);
    assert_eq!(broken(&|rows| drop(rows.remove(1))), Broken::Link(2));
    assert_eq!(broken(&|rows| rows.swap(1, 2)), Broken::Link(2));
    assert_eq!(
        broken(&|rows| rows[3].body = b"{}".to_vec()),
        Broken::Body(4)
    );
    assert_eq!(broken(&|rows| rows.clear()), Broken::Head);
    let nan = |rows: &mut Vec<Row>| {
        rows[2].body = text(&rows[2]).replace("4.00", "NaN").into_bytes();
    };
    assert_eq!(broken(&nan), Broken::Body(3));
    // A forged row that follows in every hash still has to be possible.
    let mut forged = whole.clone();
    let mut step = forged.0[2].step.clone();
    step.said = said("r-2", "wang", Act::Accept);
    step.body = serde_json::to_vec(&step.said).unwrap();
    forged.0.truncate(2);
    forged.0.push(Next {
        step,
        freed: vec![],
    });
    let denied = Denied::Stage(State::Pledged);
    assert_eq!(
        forged.read(forged.rows()).unwrap_err(),
        Broken::Denied(3, denied)
    );
    let elsewhere = crate::pledge::PledgeId::of(&key("other"));
    let moved = Chain::read(elsewhere, rows.clone(), whole.head());
    assert_eq!(moved.unwrap_err(), Broken::Link(1));
}

fn any_act() -> impl Strategy<Value = (&'static str, Act)> {
    let why = || "why".to_owned();
    let sold = Way::Realised { proceeds: cny(5) };
    let acts = vec![
        Act::Offer(Box::new(offer())),
        Act::Accept,
        Act::Withdraw(why()),
        draw(300),
        alarm(),
        Act::Thaw(why()),
        Act::Call(why()),
        Act::Propose(paid()),
        Act::Confirm(paid()),
        Act::Propose(sold.clone()),
        Act::Confirm(sold),
        Act::Retract(why()),
    ];
    let people = prop::sample::select(vec!["lin", "wang", ""]);
    (people, prop::sample::select(acts))
}

proptest! {
    /// Whatever is tried in whatever order: nothing is drawn beyond the value or while frozen, a
    /// pledge ends once, two people ended it, and the rows read again.
    #[test]
    fn no_order_of_acts_breaks_the_rules(tries in prop::collection::vec(any_act(), 0..40)) {
        let mut rows = Rows::begin();
        for (person, act) in tries {
            let before = rows.read(rows.rows()).unwrap();
            let state = before.stage().state();
            let drawn = before.stage().life().drawn;
            let done = rows.say(person, act.clone()).is_ok();
            let after = rows.read(rows.rows()).unwrap();
            let life = after.stage().life();
            prop_assert!(life.drawn.fen() <= life.offer.lending_value.fen());
            if life.drawn != drawn {
                prop_assert_eq!(state, State::Pledged);
            }
            let over = [State::Released, State::Realised, State::Withdrawn];
            prop_assert!(!(done && over.contains(&state)));
            if let (true, Act::Confirm(_)) = (done, &act) {
                let (_, first) = before.stage().life().proposal.clone().unwrap();
                prop_assert_ne!(first.as_str(), person);
            }
            if let (State::Frozen, State::Pledged) = (state, after.stage().state()) {
                prop_assert!(matches!(act, Act::Thaw(_)) && !person.is_empty());
            }
        }
        let values = rows.0.iter().map(|next| next.step.at.as_seconds());
        prop_assert!(values.collect::<Vec<_>>().is_sorted());
    }
}
