//! The token: bound, limited, revoked, used once.

use super::disbursement::TokenError;
use super::*;

fn story() -> Story {
    Story::opened(conditions(PLAIN, "0"), 300_000, 3, START)
}

fn refused(result: Result<(), Refused>) -> TokenError {
    match result {
        Err(Refused::Token(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_borrower_sees_limits_and_uses_it_once() {
    let mut story = story();
    assert_eq!(story.word(), "approved");
    story.issue(300_000).unwrap();
    let limit = |fen| Deed::TokenLimited { amount: cny(fen) };
    story.act(borrower(), limit(200_000)).unwrap();
    let Loan::Drawable(drawable) = &story.loan else {
        panic!("{}", story.word());
    };
    let token = drawable.token();
    assert_eq!(
        (token.amount(), token.payee()),
        (cny(200_000), story.payee())
    );
    // Only down, and not below what the product lends.
    let most = cny(200_000);
    let asked = cny(200_001);
    assert_eq!(
        refused(story.act(borrower(), limit(200_001))),
        TokenError::TooMuch { asked, most }
    );
    assert!(matches!(
        refused(story.act(borrower(), limit(99_999))),
        TokenError::TooLittle { .. }
    ));
    assert!(matches!(
        refused(story.draw(200_001)),
        TokenError::TooMuch { .. }
    ));
    story.draw(150_000).unwrap();
    assert_eq!(story.word(), "disbursing");
    assert!(matches!(story.draw(150_000), Err(Refused::State { .. })));
    story.disbursed();
    assert_eq!(story.on(Class::Principal), 150_000);
    story.holds();
}

#[test]
fn a_revoked_token_draws_nothing() {
    for by in [borrower(), one("wang-fang")] {
        let mut story = story();
        story.issue(300_000).unwrap();
        story.act(by, Deed::TokenRevoked).unwrap();
        assert!(matches!(story.draw(300_000), Err(Refused::State { .. })));
        story.issue(200_000).unwrap();
        story.draw(200_000).unwrap();
    }
    let mut story = story();
    story.act(Actor::Machine, Deed::Closed).unwrap();
    assert_eq!(story.word(), "closed");
    assert!(matches!(story.issue(1), Err(Refused::State { .. })));
}

#[test]
fn secret_payee_and_time_bind_it() {
    let mut story = story();
    story.issue(300_000).unwrap();
    let draw = |token, payee| Deed::TokenUsed {
        token,
        payee,
        amount: cny(300_000),
    };
    let other = Secret::new([8; 32]).hash();
    let right = story.payee();
    let secret = draw(other, right);
    assert_eq!(refused(story.act(borrower(), secret)), TokenError::Secret);
    let payee = draw(SECRET.hash(), hash("another account"));
    assert_eq!(refused(story.act(borrower(), payee)), TokenError::Payee);
    let mut late = story.clone();
    late.today = date("2026-01-16");
    let expired = noon(late.today);
    assert_eq!(refused(late.draw(300_000)), TokenError::Expired(expired));
    // Only then another one is issued.
    assert!(matches!(refused(story.issue(300_000)), TokenError::Open(_)));
    late.issue(300_000).unwrap();
    late.draw(300_000).unwrap();
    assert_eq!(format!("{SECRET:?}"), "Secret(..)");
}

#[test]
fn it_is_no_more_than_the_offer() {
    let mut story = story();
    assert!(matches!(
        refused(story.issue(300_001)),
        TokenError::TooMuch { .. }
    ));
    assert!(matches!(
        refused(story.issue(99_999)),
        TokenError::TooLittle { .. }
    ));
    story.today = date("2026-01-22");
    assert!(matches!(
        refused(story.issue(300_000)),
        TokenError::Expiry { .. }
    ));
}

#[test]
fn who_accepted_the_offer_does_not_release_its_money() {
    let mut story = story();
    let deed = || Deed::TokenIssued {
        token: SECRET.hash(),
        payee: hash("account"),
        amount: cny(300_000),
        expires: noon(date("2026-01-16")),
    };
    let officer = Err(Refused::Officer(slug("li-wei")));
    assert_eq!(story.act(one("li-wei"), deed()), officer);
    let person = Person {
        name: slug("zhao-min"),
        in_the_name_of: Some(slug("li-wei")),
    };
    assert_eq!(story.act(Actor::One { person }, deed()), officer);
    assert!(story.act(one("zhao-min"), deed()).is_ok());
}

#[test]
fn a_refused_disbursement_asks_for_another_token() {
    let mut story = story();
    story.issue(300_000).unwrap();
    story.draw(300_000).unwrap();
    let reason = text("the account is closed");
    let refused = Deed::DisbursementRefused { reason };
    story.act(Actor::Bank, refused).unwrap();
    assert_eq!(story.word(), "approved");
    assert!(story.entries.is_empty());
    assert!(matches!(story.draw(300_000), Err(Refused::State { .. })));
    story.issue(300_000).unwrap();
}
