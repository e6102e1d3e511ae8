//! Which of the waiting offers: mine, nobody's, those of the second officer's inbox, overdue ones;
//! and the tasks of whoever looks.

use kit::text::Text;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::format::{When, when};
use crate::desk::deadline::{Waits, Why};
use crate::desk::item::{Item, What};

/// A part of the waiting offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    All,
    /// Looked after by the person.
    Mine,
    /// Looked after by nobody.
    Unassigned,
    /// Waiting for a second officer who is not the person that proposed.
    Second,
    Overdue,
}

impl Show {
    pub(super) const ALL: [Self; 5] = [
        Self::All,
        Self::Mine,
        Self::Unassigned,
        Self::Second,
        Self::Overdue,
    ];

    /// Its word in addresses and texts.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Mine => "mine",
            Self::Unassigned => "unassigned",
            Self::Second => "second",
            Self::Overdue => "overdue",
        }
    }

    pub(super) fn of_word(word: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|show| show.word() == word).unwrap_or(Self::All)
    }

    pub(super) fn has(self, place: &Place) -> bool {
        match self {
            Self::All => true,
            Self::Mine => place.mine,
            Self::Unassigned => place.officer.is_none(),
            Self::Second => place.second,
            Self::Overdue => place.overdue,
        }
    }
}

/// Where a waiting offer stands for the person who looks.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Who looks after it.
    pub(super) officer: Option<String>,
    /// True if that is the person.
    pub(super) mine: bool,
    /// True if the person may be its second officer.
    pub(super) second: bool,
    pub(super) overdue: bool,
    /// Why it is on the desk.
    pub(super) why: String,
    /// By when somebody should have decided.
    pub(super) due: Option<When>,
    pub(super) due_at: Option<Instant>,
}

impl Place {
    /// `decides` is whether the person's role decides at all.
    pub(super) fn of(
        waits: Option<&Waits>,
        officer: Option<&Slug>,
        (me, decides): (&Slug, bool),
        now: Instant,
        t: Text,
    ) -> Self {
        let Some(waits) = waits else {
            return Self::default();
        };
        let why = match &waits.why {
            Why::OneOfficer => t.get("why.one").to_owned(),
            Why::TwoOfficers => t.get("why.two").to_owned(),
            Why::SecondOfficer(first) => t.fill("why.second-by", &[("person", first.as_str())]),
        };
        Self {
            officer: officer.map(Slug::to_string),
            mine: officer == Some(me),
            second: decides && waits.is_for_second(me),
            overdue: waits.is_overdue(now),
            why,
            due: Some(when(waits.due, now, t)),
            due_at: Some(waits.due),
        }
    }
}

/// A link to a part of the waiting offers.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) label: String,
    pub(super) href: String,
    pub(super) here: bool,
    pub(super) count: usize,
    /// The letter that opens it, or nothing.
    pub(super) key: &'static str,
}

/// An open task of the person.
#[derive(Debug)]
pub(super) struct TaskLine {
    pub(super) id: String,
    pub(super) what: String,
    pub(super) by: String,
    pub(super) until: When,
    pub(super) overdue: bool,
}

/// Tasks as lines, those that are due first at the top.
pub(super) fn task_lines(items: Vec<Item>, now: Instant, t: Text) -> Vec<TaskLine> {
    let mut lines: Vec<(Instant, TaskLine)> = items
        .into_iter()
        .filter_map(|item| {
            let What::Task { what, until, .. } = item.what else {
                return None;
            };
            let line = TaskLine {
                id: item.decision_id,
                what,
                by: item.by.to_string(),
                until: when(until, now, t),
                overdue: until < now,
            };
            Some((until, line))
        })
        .collect();
    lines.sort_by_key(|(until, _)| *until);
    lines.into_iter().map(|(_, line)| line).collect()
}
