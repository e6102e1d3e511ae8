//! The bank port under stops at any point: one payment for one token.

use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use super::disbursement::{Answer, BankPort, Instruction, Outcome, Payout, Step, bank, drive};
use super::*;

/// A bank that loses what the script says, and keeps one payment for a key.
struct Bank {
    paid: Mutex<Vec<Hash>>,
    script: Mutex<Vec<Fault>>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The instruction does not arrive.
    Lost,
    /// It arrives, the answer does not.
    Unanswered,
    /// Nothing is wrong.
    None,
}

impl Bank {
    fn new(script: &[Fault]) -> Self {
        Self {
            paid: Mutex::default(),
            script: Mutex::new(script.iter().rev().copied().collect()),
        }
    }

    fn fault(&self) -> Fault {
        self.script.lock().unwrap().pop().unwrap_or(Fault::None)
    }

    fn accepted() -> Answer {
        Answer::Accepted(bank::Receipt {
            reference: text("bank-1"),
            on: date(START),
        })
    }

    fn payments(&self) -> usize {
        self.paid.lock().unwrap().len()
    }
}

#[async_trait::async_trait]
impl BankPort for Bank {
    async fn pay(&self, instruction: &Instruction, _account: &str) -> Answer {
        let fault = self.fault();
        if let Fault::Lost = fault {
            return Answer::Unknown;
        }
        let mut paid = self.paid.lock().unwrap();
        if !paid.contains(&instruction.key()) {
            paid.push(instruction.key());
        }
        match fault {
            Fault::Unanswered => Answer::Unknown,
            Fault::Lost | Fault::None => Self::accepted(),
        }
    }

    async fn look_up(&self, key: &Hash) -> Answer {
        if !matches!(self.fault(), Fault::None) {
            return Answer::Unknown;
        }
        if self.paid.lock().unwrap().contains(key) {
            Self::accepted()
        } else {
            Answer::NotSeen
        }
    }
}

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn disbursing() -> Story {
    let mut story = Story::opened(conditions(PLAIN, "0"), 300_000, 3, START);
    story.issue(300_000).unwrap();
    story.draw(300_000).unwrap();
    story
}

fn instruction(loan: &Loan) -> Instruction {
    match loan {
        Loan::Disbursing(disbursing) => disbursing.instruction().clone(),
        other => panic!("{}", other.word()),
    }
}

#[test]
fn every_loss_and_every_stop_ends_in_one_payment() {
    let faults = [Fault::Lost, Fault::Unanswered, Fault::None];
    let story = disbursing();
    for first in faults {
        for second in faults {
            for third in faults {
                for stop in 0..5 {
                    let bank = Bank::new(&[first, second, third]);
                    let payout = Payout::intended(instruction(&story.loan));
                    drop(now(drive(&bank, payout, "6222", stop)));
                    // The process is gone; the recorded intent is all that is known.
                    let id = story.loan.file().id().clone();
                    let (loan, _) =
                        Loan::replay(id, story.conditions.clone(), story.acts.clone()).unwrap();
                    let payout = Payout::resumed(instruction(&loan));
                    let payout = now(drive(&bank, payout, "6222", 20));
                    assert!(matches!(payout.outcome(), Some(Outcome::Paid(_))));
                    assert_eq!(payout.step(), Step::Record);
                    assert_eq!(bank.payments(), 1, "{first:?} {second:?} {third:?} {stop}");
                }
            }
        }
    }
}

#[test]
fn unknown_is_asked_again_and_nothing_is_sent_meanwhile() {
    let story = disbursing();
    let payout = Payout::intended(instruction(&story.loan));
    assert_eq!(payout.step(), Step::Send);
    let payout = payout.heard(Answer::Unknown);
    assert_eq!(payout.step(), Step::LookUp);
    let payout = payout.heard(Answer::Unknown);
    assert_eq!(payout.step(), Step::LookUp);
    let again = payout.clone().heard(Answer::NotSeen);
    assert_eq!(again.step(), Step::Send);
    assert_eq!(again.instruction().key(), payout.instruction().key());
    let over = again.heard(Answer::Refused(text("closed")));
    assert_eq!(over.outcome(), Some(&Outcome::NotPaid(text("closed"))));
    // What is over is not changed by an answer that comes late.
    assert_eq!(over.clone().heard(Bank::accepted()), over);
}

#[test]
fn another_token_is_another_instruction() {
    let mut story = disbursing();
    let first = instruction(&story.loan);
    let reason = text("no such account");
    story
        .act(Actor::Bank, Deed::DisbursementRefused { reason })
        .unwrap();
    let other = Secret::new([9; 32]).hash();
    let (payee, amount) = (story.payee(), cny(300_000));
    let expires = noon(date("2026-01-16"));
    let issued = Deed::TokenIssued {
        token: other,
        payee,
        amount,
        expires,
    };
    story.act(one("zhao-min"), issued).unwrap();
    let used = Deed::TokenUsed {
        token: other,
        payee,
        amount,
    };
    story.act(borrower(), used).unwrap();
    assert_ne!(instruction(&story.loan).key(), first.key());
}
