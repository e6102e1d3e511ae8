//! Loans in words: deeds, who did them, what is proposed.

use kit::text::Text;

use crate::http::desk::format::money;
use crate::lending::{Proposal, What};
use crate::loan::life::{Act, Actor, Bucket, Deed, FreezeCause, Grade, Repaid};
use crate::store::lending::Motion;

/// A label and what stands beside it.
pub(super) type Pair = (&'static str, String);

/// Something in words: a title, and what belongs to it.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) title: &'static str,
    pub(super) pairs: Vec<Pair>,
    pub(super) reason: String,
}

/// A text whose key is a word of this program.
pub(super) fn fixed(t: Text, key: &'static str) -> &'static str {
    t.get(key)
}

/// The text of a key that is made of a word; the word's absence is found by a test.
fn of(t: Text, prefix: &str, word: &str) -> &'static str {
    t.find(&format!("{prefix}{word}")).unwrap_or("?")
}

/// A state of a loan: tone and words.
pub(super) fn state(word: &str, t: Text) -> (&'static str, &'static str) {
    let tone = match word {
        "delinquent" | "written_off" | "recovering" => "bad",
        "restructured" => "warn",
        "active" => "ok",
        "settled" | "closed" => "none",
        _ => "info",
    };
    (tone, of(t, "loan.state.", word))
}

/// What was done.
pub(super) fn deed(word: &str, t: Text) -> &'static str {
    of(t, "loan.deed.", word)
}

/// Days past due as a bucket.
pub(super) fn bucket(bucket: Bucket, t: Text) -> &'static str {
    fixed(
        t,
        match bucket {
            Bucket::Current => "loan.bucket.current",
            Bucket::UpTo30 => "loan.bucket.30",
            Bucket::UpTo60 => "loan.bucket.60",
            Bucket::UpTo90 => "loan.bucket.90",
            Bucket::UpTo180 => "loan.bucket.180",
            Bucket::UpTo360 => "loan.bucket.360",
            Bucket::Beyond360 => "loan.bucket.more",
        },
    )
}

/// A class.
pub(super) fn grade(grade: Grade, t: Text) -> &'static str {
    fixed(
        t,
        match grade {
            Grade::Normal => "loan.grade.normal",
            Grade::SpecialMention => "loan.grade.special_mention",
            Grade::Substandard => "loan.grade.substandard",
            Grade::Doubtful => "loan.grade.doubtful",
            Grade::Loss => "loan.grade.loss",
        },
    )
}

/// Why it is frozen.
pub(super) fn cause(cause: FreezeCause, t: Text) -> &'static str {
    fixed(
        t,
        match cause {
            FreezeCause::Collateral => "loan.cause.collateral",
            FreezeCause::StopLoss => "loan.cause.stop_loss",
        },
    )
}

fn repaid(repaid: Repaid, t: Text) -> &'static str {
    fixed(
        t,
        match repaid {
            Repaid::EqualInstalments => "loan.repaid.equal_instalments",
            Repaid::EqualPrincipal => "loan.repaid.equal_principal",
            Repaid::Bullet => "loan.repaid.bullet",
        },
    )
}

/// Who did something.
fn who(by: &Actor, t: Text) -> String {
    match by {
        Actor::Machine => t.get("loan.by.machine").to_owned(),
        Actor::Bank => t.get("loan.by.bank").to_owned(),
        Actor::Borrower { supplier } => t.fill("loan.by.borrower", &[("name", supplier.as_str())]),
        Actor::One { person } => person.name.to_string(),
        Actor::Two { people } => {
            let (maker, checker) = (&people.maker().name, &people.checker().name);
            let names = [("maker", maker.as_str()), ("checker", checker.as_str())];
            t.fill("loan.by.two", &names)
        }
    }
}

/// Who did an act. A loan is opened by its borrower's word; the act names who accepted for the bank.
pub(super) fn who_of(act: &Act, t: Text) -> String {
    let names: Vec<&str> = act.by.people().map(|one| one.name.as_str()).collect();
    match (&act.deed, names.as_slice()) {
        (Deed::Opened(opened), [_, ..]) => {
            let borrower = [("name", opened.supplier.as_str())];
            let bank = t.fill("loan.by.opened", &[("names", &names.join(", "))]);
            format!("{}, {bank}", t.fill("loan.by.borrower", &borrower))
        }
        (Deed::Opened(opened), []) => {
            t.fill("loan.by.borrower", &[("name", opened.supplier.as_str())])
        }
        _ => who(&act.by, t),
    }
}

/// An act in words.
pub(super) fn act(act: &Act, t: Text) -> Said {
    of_deed(&act.deed, t)
}

/// A proposal in words.
pub(super) fn proposal(motion: &Motion, t: Text) -> Said {
    let Ok(proposal) = Proposal::of(motion) else {
        return Said {
            title: fixed(t, "loan.motion.unknown"),
            pairs: Vec::new(),
            reason: String::new(),
        };
    };
    let mut said = match &proposal.what {
        What::Deed { deed } => of_deed(deed, t),
        What::NewTerms {
            instalments,
            months,
            annual_rate_percent,
            repaid: how,
            reason,
        } => Said {
            title: deed("restructured", t),
            pairs: vec![
                (fixed(t, "field.instalments"), instalments.to_string()),
                (fixed(t, "field.months"), months.to_string()),
                (fixed(t, "field.rate"), annual_rate_percent.clone()),
                (fixed(t, "field.repaid"), repaid(*how, t).to_owned()),
            ],
            reason: reason.clone(),
        },
    };
    if let Some(value) = proposal.value {
        said.pairs
            .push((fixed(t, "field.value"), value.to_string()));
    }
    said
}

fn of_deed(what: &Deed, t: Text) -> Said {
    let mut pairs = Vec::new();
    if let Some(amount) = what.amount() {
        pairs.push((fixed(t, "loan.amount"), money(amount, t.language)));
    }
    let mut reason = String::new();
    match what {
        Deed::PaymentReversed {
            payment,
            reason: why,
        } => {
            pairs.push((fixed(t, "field.payment"), payment.to_string()));
            reason.clone_from(why);
        }
        Deed::PaymentCorrected {
            payment,
            on,
            reason: why,
            ..
        } => {
            pairs.push((fixed(t, "field.payment"), payment.to_string()));
            pairs.push((fixed(t, "field.on"), on.to_string()));
            reason.clone_from(why);
        }
        Deed::Restructured(terms) => {
            pairs.push((
                fixed(t, "field.instalments"),
                terms.periods.len().to_string(),
            ));
            pairs.push((fixed(t, "field.rate"), terms.annual_rate.to_string()));
            pairs.push((fixed(t, "field.repaid"), repaid(terms.repaid, t).to_owned()));
            reason.clone_from(&terms.reason);
        }
        Deed::Graded {
            at_least,
            reason: why,
        } => {
            pairs.push((fixed(t, "field.at_least"), grade(*at_least, t).to_owned()));
            reason.clone_from(why);
        }
        Deed::WatchEnded { reason: why }
        | Deed::WrittenOff { reason: why }
        | Deed::DisbursementRefused { reason: why } => reason.clone_from(why),
        Deed::Frozen { cause: why } | Deed::Thawed { cause: why } => {
            pairs.push((fixed(t, "field.cause"), cause(*why, t).to_owned()));
        }
        Deed::Disbursed { reference, .. } => {
            pairs.push((fixed(t, "loan.reference"), reference.clone()));
        }
        Deed::InstalmentDue { number } => {
            pairs.push((fixed(t, "loan.number"), number.to_string()));
        }
        _ => {}
    }
    Said {
        title: deed(what.word(), t),
        pairs,
        reason,
    }
}
