//! Parts of a loan's page, made from the loan.

use kit::text::Text;
use schemas::time::Instant;

use super::words::{self, Pair, Said, fixed};
use crate::http::desk::format::{exact, masked, money};
use crate::ledger::{Balances, Class};
use crate::lending::Loaded;
use crate::lending::plan::{Became, Instalment};
use crate::lending::view::{PayoffView, Standing, TokenState, TokenView};
use crate::loan::life::{Act, Deed, FreezeCause, Grade, Loan};
use crate::money::{Currency, Money};

/// Acts that one page shows, the newest ones.
const EVENTS_SHOWN: usize = 200;

/// An instalment in the table.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) number: u32,
    pub(super) due: String,
    pub(super) principal: String,
    pub(super) interest: String,
    pub(super) fees: String,
    pub(super) total: String,
    pub(super) unpaid: String,
    pub(super) tone: &'static str,
    pub(super) became: String,
}

/// A token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) amount: String,
    pub(super) expires: String,
    pub(super) tone: &'static str,
    pub(super) state: &'static str,
    pub(super) is_open: bool,
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) said: Said,
    pub(super) who: String,
    pub(super) at: String,
    /// The day that it counts from.
    pub(super) value: String,
}

/// What the life of the loan may allow now; the loan itself decides when it is asked.
#[derive(Debug)]
pub(super) struct May {
    /// A token is issued.
    pub(super) issue: bool,
    /// The open token is taken back.
    pub(super) revoke: bool,
    /// Its pledged goods are in doubt.
    pub(super) freeze: bool,
    /// The file is closed.
    pub(super) close: bool,
    /// Money came.
    pub(super) paid: bool,
    /// A payment was another one, or none.
    pub(super) correct: bool,
    /// New terms, a class, write-off.
    pub(super) lent: bool,
    /// The watch ends.
    pub(super) watched: bool,
    /// Money came for what was given up.
    pub(super) recover: bool,
    /// The borrower's money goes back.
    pub(super) refund: bool,
    /// A freeze ends.
    pub(super) thaw: bool,
}

impl May {
    pub(super) fn of(loan: &Loan, now: Instant) -> Self {
        let lent = matches!(
            loan,
            Loan::Active(_) | Loan::Delinquent(_) | Loan::Restructured(_)
        );
        let given_up = matches!(loan, Loan::WrittenOff(_) | Loan::Recovering(_));
        let settled = matches!(loan, Loan::Settled(_));
        let credit = loan.position().and_then(|one| one.credit().ok());
        let credit = credit.is_some_and(|credit| credit.fen() > 0);
        let open = matches!(loan, Loan::Drawable(one) if now < one.token().expires());
        let drawable = matches!(loan, Loan::Approved(_) | Loan::Drawable(_));
        let valid = now < loan.file().opened().valid_until;
        let frozen = loan.file().frozen();
        Self {
            issue: drawable && !open && valid && frozen.is_empty(),
            revoke: open,
            freeze: !matches!(loan, Loan::Closed(_)) && !frozen.contains(&FreezeCause::Collateral),
            close: (drawable && !open) || (settled && !credit),
            paid: lent || settled,
            correct: lent || given_up || settled,
            lent,
            watched: matches!(loan, Loan::Restructured(_)),
            recover: given_up,
            refund: (lent || settled) && credit,
            thaw: !frozen.is_empty(),
        }
    }

    /// Whether there is anything that two people may do.
    pub(super) const fn of_two(&self) -> bool {
        self.paid || self.correct || self.lent || self.recover || self.refund || self.thaw
    }
}

/// How late it is, if it is.
pub(super) fn late(standing: Option<&Standing>, t: Text) -> Option<String> {
    let days = standing?.days_past_due;
    let words = words::bucket(standing?.bucket, t);
    let count = usize::try_from(days).unwrap_or(usize::MAX);
    (days > 0).then(|| t.count_with("loan.late", count, &[("bucket", words)]))
}

/// By what it is frozen.
pub(super) fn frozen(loan: &Loan, t: Text) -> Vec<&'static str> {
    let causes = loan.file().frozen().iter();
    causes.map(|cause| words::cause(*cause, t)).collect()
}

/// How it began.
pub(super) fn about(loaded: &Loaded, t: Text) -> Vec<Pair> {
    let opened = loaded.loan.file().opened();
    let officers: Vec<&str> = opened
        .officers
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let by = match officers.as_slice() {
        [] => t.get("loan.straight-through").to_owned(),
        names => names.join(", "),
    };
    vec![
        (
            fixed(t, "field.instalments"),
            opened.instalments.to_string(),
        ),
        (fixed(t, "loan.drawn-until"), exact(opened.valid_until)),
        (fixed(t, "loan.accepted-by"), by),
    ]
}

/// Where it stands, in amounts.
pub(super) fn standing(standing: Option<&Standing>, t: Text) -> Vec<Pair> {
    let Some(one) = standing else {
        return Vec::new();
    };
    let shown = |amount| money(amount, t.language);
    vec![
        (fixed(t, "loan.principal"), shown(one.principal)),
        (fixed(t, "loan.due"), shown(one.due)),
        (fixed(t, "loan.credit"), shown(one.credit)),
        (fixed(t, "loan.exposure"), shown(one.exposure)),
        (fixed(t, "loan.disbursed"), one.disbursed.to_string()),
        (fixed(t, "loan.day"), one.day.to_string()),
    ]
}

/// Its class and what leads out of it.
pub(super) fn class(loan: &Loan, standing: Option<&Standing>, t: Text) -> Vec<Pair> {
    let (Some(position), Some(one)) = (loan.position(), standing) else {
        return Vec::new();
    };
    let grading = position.grading();
    let mut pairs = vec![
        (
            fixed(t, "loan.grade"),
            words::grade(one.grade, t).to_owned(),
        ),
        (fixed(t, "loan.days"), one.days_past_due.to_string()),
        (
            fixed(t, "loan.bucket"),
            words::bucket(one.bucket, t).to_owned(),
        ),
    ];
    if grading.at_least > Grade::Normal {
        let least = words::grade(grading.at_least, t).to_owned();
        pairs.push((fixed(t, "field.at_least"), least));
    }
    if one.suspended {
        let words = t.get("loan.suspended.yes").to_owned();
        pairs.push((fixed(t, "loan.suspended"), words));
    }
    if grading.watch.is_some() {
        let rules = &loan.file().conditions().rules.grading;
        let until = grading.watch_until(rules);
        let until = until.map_or_else(String::new, |day| day.to_string());
        pairs.push((fixed(t, "loan.watch"), until));
    }
    pairs
}

/// What ends it today.
pub(super) fn payoff(payoff: Option<&PayoffView>, t: Text) -> Vec<Pair> {
    let Some(one) = payoff else {
        return Vec::new();
    };
    let parts = [
        ("loan.due", one.due),
        ("loan.earned", one.earned),
        ("loan.principal-ahead", one.principal),
        ("loan.fee", one.fee),
        ("loan.payoff", one.total),
    ];
    let pair = |(key, amount)| (fixed(t, key), money(amount, t.language));
    parts.into_iter().map(pair).collect()
}

/// The whole schedule.
pub(super) fn plan(plan: &[Instalment], t: Text) -> Vec<Planned> {
    plan.iter().map(|one| planned(one, t)).collect()
}

fn planned(one: &Instalment, t: Text) -> Planned {
    let shown = |amount| money(amount, t.language);
    let on = |key, day: chrono::NaiveDate| t.fill(key, &[("day", &day.to_string())]);
    let (tone, became) = match one.became {
        Became::Ahead => ("none", t.get("loan.became.ahead").to_owned()),
        Became::Due => ("bad", t.get("loan.became.due").to_owned()),
        Became::Paid(day) => ("ok", on("loan.became.paid", day)),
        Became::Replaced(day) => ("warn", on("loan.became.replaced", day)),
        Became::GivenUp(day) => ("bad", on("loan.became.given-up", day)),
    };
    let asked = &one.asked;
    Planned {
        number: one.number,
        due: one.due.to_string(),
        principal: shown(asked.principal),
        interest: shown(asked.interest),
        fees: shown(asked.fees.plus(asked.penalty).unwrap_or(asked.fees)),
        total: shown(asked.total),
        unpaid: shown(one.unpaid),
        tone,
        became,
    }
}

/// Balances of the loan's accounts, each on the side where its class usually stands.
pub(super) fn accounts(balances: &Balances, t: Text) -> Vec<Pair> {
    let pair = |(account, currency, _): (&crate::ledger::Account, Currency, _)| {
        let side = account.class().normal_side();
        let balance = balances.of(account, currency);
        let amount = balance
            .amount(side, currency)
            .map(|amount| money(amount, t.language));
        let other = || balance.amount(side.other(), currency);
        let amount = amount.or_else(|_| other().map(|amount| minus(amount, t)));
        (class_words(account.class(), t), amount.unwrap_or_default())
    };
    balances.iter().map(pair).collect()
}

fn minus(amount: Money, t: Text) -> String {
    format!("−{}", money(amount, t.language))
}

fn class_words(class: Class, t: Text) -> &'static str {
    let key = format!("account.{}", class.word());
    t.find(&key).unwrap_or(class.word())
}

/// Its tokens, the newest first, accounts masked.
pub(super) fn tokens(tokens: &[TokenView], t: Text) -> Vec<Token> {
    let token = |one: &TokenView| {
        let (tone, key) = match one.state {
            TokenState::Open => ("ok", "my.token.open"),
            TokenState::Expired => ("none", "my.token.expired"),
            TokenState::Revoked => ("none", "my.token.revoked"),
            TokenState::Used => ("info", "my.token.used"),
        };
        Token {
            id: one.token.to_string(),
            account: one.account.as_deref().map_or_else(String::new, masked),
            amount: money(one.amount, t.language),
            expires: exact(one.expires),
            tone,
            state: fixed(t, key),
            is_open: one.state == TokenState::Open,
        }
    };
    tokens.iter().map(token).collect()
}

/// Acts as events, the newest first; how many of the daily run are left out, and how many do not fit.
pub(super) fn events(acts: &[Act], all: bool, t: Text) -> (Vec<Event>, usize, usize) {
    let shown = |act: &&Act| all || !act.deed.is_of_the_run();
    let kept: Vec<&Act> = acts.iter().filter(shown).collect();
    let event = |act: &&Act| Event {
        said: words::act(act, t),
        who: words::who_of(act, t),
        at: exact(act.booked),
        value: act.value.to_string(),
    };
    let events = kept.iter().rev().take(EVENTS_SHOWN).map(event).collect();
    let cut = kept.len().saturating_sub(EVENTS_SHOWN);
    (events, acts.len() - kept.len(), cut)
}

/// Payments that stand, the newest first: their keys and what they were.
pub(super) fn payments(acts: &[Act], t: Text) -> Vec<(String, String)> {
    let mut payments: Vec<(String, String)> = Vec::new();
    for act in acts {
        match &act.deed {
            Deed::Paid { amount } | Deed::RepaidEarly { amount } | Deed::Recovered { amount } => {
                let words = format!("{} · {}", act.value, money(*amount, t.language));
                payments.push((act.key.to_string(), words));
            }
            Deed::PaymentReversed { payment, .. } => {
                payments.retain(|(key, _)| key != payment.as_str());
            }
            Deed::PaymentCorrected {
                payment,
                amount,
                on,
                ..
            } => {
                let words = format!("{on} · {}", money(*amount, t.language));
                let known = payments.iter_mut().find(|(key, _)| key == payment.as_str());
                if let Some((_, before)) = known {
                    *before = words;
                }
            }
            _ => {}
        }
    }
    payments.reverse();
    payments
}

/// Classes to choose from.
pub(super) fn grades(t: Text) -> Vec<(&'static str, &'static str)> {
    [
        ("normal", Grade::Normal),
        ("special_mention", Grade::SpecialMention),
        ("substandard", Grade::Substandard),
        ("doubtful", Grade::Doubtful),
        ("loss", Grade::Loss),
    ]
    .into_iter()
    .map(|(word, grade)| (word, words::grade(grade, t)))
    .collect()
}

/// Causes that may be taken away.
pub(super) fn causes(loan: &Loan, t: Text) -> Vec<(&'static str, &'static str)> {
    let word = |cause: FreezeCause| match cause {
        FreezeCause::Collateral => "collateral",
        FreezeCause::StopLoss => "stop_loss",
    };
    let causes = loan.file().frozen().iter();
    causes
        .map(|cause| (word(*cause), words::cause(*cause, t)))
        .collect()
}

/// Ways of repayment to choose from.
pub(super) fn repaid(t: Text) -> Vec<(&'static str, &'static str)> {
    ["equal_instalments", "equal_principal", "bullet"]
        .into_iter()
        .map(|word| {
            let key = format!("loan.repaid.{word}");
            (word, t.find(&key).unwrap_or(word))
        })
        .collect()
}
