//! Pledges, alarms and streams in words.

use kit::negotiate::Language;
use kit::text::Text;
use rust_decimal::Decimal;
use schemas::time::Instant;

use crate::http::desk::format::{When, exact, money, when};
use crate::money::Money;
use crate::pledge::office::worth_of;
use crate::pledge::stage::{Life, State};
use crate::pledge::step::{Chain, Step};
use crate::pledge::stream::Heard;
use crate::pledge::value::table::Table;
use crate::pledge::value::{Standing, Value, loan_to_value, standing};
use crate::pledge::watch::{Alarm, Noticed};
use crate::store::pledge::Followed;

/// Tone and words of a state.
pub(super) fn state(state: State, t: Text) -> (&'static str, String) {
    let (tone, key) = match state {
        State::Offered => ("info", "pledge.state.offered"),
        State::Pledged => ("ok", "pledge.state.pledged"),
        State::Frozen => ("bad", "pledge.state.frozen"),
        State::Called => ("warn", "pledge.state.called"),
        State::Released => ("none", "pledge.state.released"),
        State::Realised => ("none", "pledge.state.realised"),
        State::Withdrawn => ("none", "pledge.state.withdrawn"),
    };
    (tone, t.get(key).to_owned())
}

/// An alarm on the officer's screen.
#[derive(Debug)]
pub(super) struct AlarmLine {
    /// What happened, in one sentence.
    pub(super) what: String,
    /// Device and sensor.
    pub(super) stream: String,
    /// Since when.
    pub(super) since: When,
    /// Page of the event with its proof.
    pub(super) proof: Option<String>,
}

/// An alarm in words; `event_page` is the platform's page of an event.
pub(super) fn alarm(alarm: &Alarm, event_page: Option<&str>, now: Instant, t: Text) -> AlarmLine {
    let leaf = match &alarm.noticed {
        Noticed::Breach { leaf, .. } => *leaf,
        Noticed::Silence => None,
    };
    let page = event_page.zip(leaf);
    AlarmLine {
        what: noticed(&alarm.noticed, t),
        stream: alarm.stream.clone(),
        since: when(alarm.since, now, t),
        proof: page.map(|(page, leaf)| page.replace(crate::config::LEAF, &leaf.to_string())),
    }
}

fn noticed(noticed: &Noticed, t: Text) -> String {
    match noticed {
        Noticed::Breach {
            value, low, high, ..
        } => t.fill(
            "pledge.alarm.breach",
            &[
                ("value", &degrees(*value)),
                ("low", &degrees(*low)),
                ("high", &degrees(*high)),
            ],
        ),
        Noticed::Silence => t.get("pledge.alarm.silence").to_owned(),
    }
}

/// One place and the unit.
pub(super) fn degrees(value: Decimal) -> String {
    format!("{:.1} °C", value.round_dp(1))
}

/// A figure with its name.
#[derive(Debug)]
pub(super) struct Figure {
    /// What it is.
    pub(super) label: &'static str,
    /// How much.
    pub(super) amount: String,
}

/// What a pledge is worth and how the loan stands against it.
#[derive(Debug)]
pub(super) struct WorthView {
    /// Market value to room.
    pub(super) figures: Vec<Figure>,
    /// Tone of the standing.
    pub(super) tone: &'static str,
    /// The standing in words.
    pub(super) standing: String,
}

/// Value, haircut, loan to value and shortfall; `secured` is everything that secures the loan.
pub(super) fn worth(
    life: &Life,
    secured: (Money, Value),
    table: &Table,
    (t, language): (Text, Language),
) -> WorthView {
    let own = worth_of(&life.offer);
    let amount = |money_: Money| money(money_, language);
    let (drawn, all) = secured;
    let percent = loan_to_value(drawn, all.value).ok().flatten();
    let percent = percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %"));
    let figure = |key: &str, amount: String| Figure {
        label: t.find(key).unwrap_or_default(),
        amount,
    };
    let figures = vec![
        figure("pledge.market", amount(own.market)),
        figure("pledge.value", amount(own.value)),
        figure("pledge.lending", amount(own.lending)),
        figure("pledge.drawn", amount(life.drawn)),
        figure("pledge.room", amount(life.room())),
        figure("pledge.ltv", percent),
    ];
    let (tone, standing) = match standing(drawn, all, table) {
        Ok(Standing::Covered) => ("ok", t.get("pledge.covered").to_owned()),
        Ok(Standing::MarginCall { missing }) => (
            "warn",
            t.fill("pledge.margin-call", &[("missing", &amount(missing))]),
        ),
        Ok(Standing::Shortfall { missing }) => (
            "bad",
            t.fill("pledge.shortfall", &[("missing", &amount(missing))]),
        ),
        Err(_) => ("none", "–".to_owned()),
    };
    WorthView {
        figures,
        tone,
        standing,
    }
}

/// A watched sensor.
#[derive(Debug)]
pub(super) struct StreamLine {
    /// Device and sensor.
    pub(super) name: String,
    /// Tone of what is heard.
    pub(super) tone: &'static str,
    /// What is heard.
    pub(super) heard: String,
    /// Since when.
    pub(super) since: When,
    /// Size of the log up to which it is proven.
    pub(super) size: u64,
    /// Statements that were given up as missing.
    pub(super) missing: u64,
}

/// A stream in words.
pub(super) fn stream(one: &Followed, now: Instant, t: Text) -> StreamLine {
    let (tone, key) = match &one.progress.heard {
        Heard::Nothing => ("none", "pledge.heard.nothing"),
        Heard::Proven => ("ok", "pledge.heard.proven"),
        Heard::Hole => ("warn", "pledge.heard.hole"),
        Heard::Refused { .. } => ("bad", "pledge.heard.refused"),
        Heard::Unreachable { .. } => ("warn", "pledge.heard.unreachable"),
    };
    StreamLine {
        name: one.stream.name(),
        tone,
        heard: t.get(key).to_owned(),
        since: when(one.progress.since, now, t),
        size: one.progress.from_size,
        missing: one.progress.missing,
    }
}

/// A line of the history.
#[derive(Debug)]
pub(super) struct StepLine {
    /// When.
    pub(super) at: String,
    /// Who; nobody for the watch.
    pub(super) who: String,
    /// What.
    pub(super) what: String,
    /// In which words.
    pub(super) detail: String,
}

/// The history in words, newest first.
pub(super) fn history(chain: &Chain, t: Text) -> Vec<StepLine> {
    let line = |step: &Step| {
        let word = crate::audit::PledgeAction::of(&step.said.act).word();
        let person = step.said.person.as_ref().map(ToString::to_string);
        StepLine {
            at: exact(step.at),
            who: person.unwrap_or_else(|| t.get("pledge.watch").to_owned()),
            what: t.find(&format!("action.{word}")).unwrap_or(word).to_owned(),
            detail: step.said.act.in_words(),
        }
    };
    chain.steps().iter().rev().map(line).collect()
}
