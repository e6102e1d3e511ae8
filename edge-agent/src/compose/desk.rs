//! Scans of bare codes at one source, one after the other, to life-cycle events: single goods,
//! packings, recipes.
//!
//! Pure. What a desk knows besides its rules is the list of codes that no event holds yet
//! ([`Desk::kept`]): which rule was chosen, which order was scanned, what lies in the open case.
//! The outbox keeps just these codes, in the transaction that stores the events and moves the
//! position in the scan file, and a restart scans them again ([`Desk::restore`]). (Storing the
//! state of this machine instead was rejected: it would bind the file to a version of the program
//! and to the rules of the day; codes stay what they are, and those that no rule takes any more
//! can be shown.)
//!
//! No code is dropped: it is in an event, it waits, or it is refused with its line and a reason.

mod goods;

use std::time::Duration;

use schemas::time::Instant;
use serde_json::{Map, json};

use super::code::{CODE_MAX, Code, printed, transaction};
use super::line::{Composed, Parts, Stated};
use super::presence::Amount;
use super::{ComposeError, offset_text, time_text};
use crate::config::{Ending, SCANS_MAX, ScanKind, ScanRule};
use goods::Open;

/// Most bytes of the names in one event, which may have 64 KiB.
const NAMES_MAX: usize = 40 * 1024;

/// A code that no event holds yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Rises from code to code.
    pub number: i64,
    /// Its line in the file, or its count at another source.
    pub line: u64,
    /// When it was scanned.
    pub time: Instant,
    /// As it was read, white space around it left out.
    pub text: String,
}

impl Kept {
    /// True if it is this command code, with or without a symbology identifier before it.
    fn is_command(&self, command: Option<&str>) -> bool {
        command.is_some_and(|command| command == self.text || command == printed(&self.text))
    }
}

/// A change of the codes that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptCodes {
    /// Numbers of those that wait no more.
    pub gone: Vec<i64>,
    /// Those that wait from now on.
    pub new: Vec<Kept>,
}

/// A code of which there will be no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: String,
    /// As it was read.
    pub text: String,
}

impl Refused {
    fn new(kept: &Kept, reason: &str) -> Self {
        Self {
            line: kept.line,
            reason: reason.to_owned(),
            text: kept.text.clone(),
        }
    }
}

/// What came of one code or of the time that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// To be signed, in this order.
    pub events: Vec<Composed>,
    /// For the rejects file.
    pub refused: Vec<Refused>,
}

impl Taken {
    fn and(&mut self, more: Taken) {
        self.events.extend(more.events);
        self.refused.extend(more.refused);
    }
}

/// What one code does; the reason where it is refused.
type Step = Result<Taken, String>;

/// The rules of one source and the codes that wait.
#[derive(Clone, Debug)]
pub struct Desk {
    rules: Vec<ScanRule>,
    time_zone_minutes: i32,
    /// What the scanner sends for FNC1 where it cannot send 0x1D.
    separator: Option<char>,
    /// Index of the rule that holds.
    active: usize,
    /// The code that chose it.
    selected: Option<Kept>,
    /// Business transaction that was scanned, and what it names.
    order: Option<(Kept, String)>,
    /// The thing that was scanned last, to notice a stutter.
    last: Option<(Kept, String)>,
    /// What lies in the open packing or recipe.
    open: Open,
    next: i64,
    /// Codes of before are read again: what they made has been stored.
    restoring: bool,
}

impl Desk {
    /// A desk where nothing was scanned yet; without rules it takes no code.
    #[must_use]
    pub fn new(rules: Vec<ScanRule>, time_zone_minutes: i32) -> Self {
        Self {
            rules,
            time_zone_minutes,
            separator: None,
            active: 0,
            selected: None,
            order: None,
            last: None,
            open: Open::default(),
            next: 1,
            restoring: false,
        }
    }

    /// Reads codes of a scanner that sends `separator` for FNC1. The codes that wait stay as they
    /// were read.
    #[must_use]
    pub fn with_separator(self, separator: Option<char>) -> Self {
        Self { separator, ..self }
    }

    /// True if a line is for the desk: a code, not a line of JSON, and there is a rule.
    #[must_use]
    pub fn takes(&self, line: &[u8]) -> bool {
        !self.rules.is_empty() && !line.trim_ascii_start().starts_with(b"{")
    }

    /// Scans the codes that waited when the agent stopped. Events and refusals come of it only
    /// where the rules have changed since.
    pub fn restore(&mut self, kept: Vec<Kept>) -> Taken {
        let (rules, zone) = (std::mem::take(&mut self.rules), self.time_zone_minutes);
        *self = Self::new(rules, zone).with_separator(self.separator);
        let mut taken = Taken::default();
        self.restoring = true;
        for kept in kept {
            self.next = self.next.max(kept.number + 1);
            match self.scan(&kept) {
                Ok(more) => taken.and(more),
                Err(reason) => {
                    let reason = format!("the rules have changed: {reason}");
                    taken.refused.push(Refused::new(&kept, &reason));
                }
            }
        }
        self.restoring = false;
        taken
    }

    /// Takes one code. What has timed out before it is over first.
    pub fn take(&mut self, line: u64, text: &str, now: Instant) -> Taken {
        let mut taken = self.expire(now);
        let kept = Kept {
            number: self.next,
            line,
            time: now,
            text: text.trim().to_owned(),
        };
        self.next += 1;
        match self.scan(&kept) {
            Ok(more) => taken.and(more),
            Err(reason) => taken.refused.push(Refused::new(&kept, &reason)),
        }
        taken
    }

    /// When the open packing or recipe times out.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let timeout = self.rule()?.kind.ending()?.timeout?;
        Some(self.open.newest()? + timeout)
    }

    /// Ends what has timed out; it counts as done with its last code. What is not whole is refused.
    pub fn expire(&mut self, now: Instant) -> Taken {
        self.open.settle(now);
        if self.due().is_none_or(|due| now < due) {
            return Taken::default();
        }
        let time = self.open.newest().unwrap_or(now);
        self.close(time).unwrap_or_else(|reason| Taken {
            events: Vec::new(),
            refused: self.open.refuse(&format!("timed out: {reason}")),
        })
    }

    /// How many codes lie in the open packing or recipe.
    #[must_use]
    pub fn open_codes(&self) -> usize {
        self.open.codes()
    }

    /// The codes that wait, in their order.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        let order = self.order.as_ref().map(|(kept, _)| kept);
        let last = self.last.as_ref().map(|(kept, _)| kept);
        let single = self.selected.iter().chain(order).chain(last);
        let mut all: Vec<Kept> = single.chain(self.open.kept()).cloned().collect();
        all.sort_by_key(|kept| kept.number);
        all
    }

    /// How the codes that wait differ from those that waited before; `None` where they do not.
    #[must_use]
    pub fn changes(&self, before: &[Kept]) -> Option<KeptCodes> {
        let now = self.kept();
        let is_in = |list: &[Kept], number: i64| {
            list.binary_search_by_key(&number, |kept| kept.number)
                .is_ok()
        };
        let gone: Vec<i64> = before
            .iter()
            .map(|kept| kept.number)
            .filter(|number| !is_in(&now, *number))
            .collect();
        let new: Vec<Kept> = now
            .into_iter()
            .filter(|kept| !is_in(before, kept.number))
            .collect();
        (!gone.is_empty() || !new.is_empty()).then_some(KeptCodes { gone, new })
    }

    fn rule(&self) -> Option<&ScanRule> {
        self.rules.get(self.active)
    }

    fn scan(&mut self, kept: &Kept) -> Step {
        if kept.text.len() > CODE_MAX {
            return Err(format!("longer than {CODE_MAX} bytes"));
        }
        let selects = |rule: &ScanRule| kept.is_command(rule.select.as_deref());
        if let Some(index) = self.rules.iter().position(selects) {
            return self.select(index, kept);
        }
        let Some(rule) = self.rule().cloned() else {
            return Err("no rule says what a scan means here".to_owned());
        };
        if let Some(done) = self.command(&rule, kept) {
            return done;
        }
        if let Some(order) = rule.transaction.as_ref() {
            if let Some(id) = transaction(&kept.text, self.separator, order) {
                return self.order(kept, id);
            }
            if order.required && self.order.is_none() {
                return Err("no order was scanned before it".to_owned());
            }
        }
        let code = Code::read(&kept.text, self.separator)?;
        match &rule.kind {
            ScanKind::Object { repeat, .. } => self.single(&rule, *repeat, kept, &code),
            ScanKind::Packing { ending, .. } => {
                self.open.pack(kept, code)?;
                self.close_full(ending, self.open.codes() - 1, kept)
            }
            ScanKind::Recipe {
                inputs,
                outputs,
                ending,
            } => {
                self.open.mix(kept, code, inputs, outputs)?;
                self.close_full(ending, self.open.outputs(), kept)
            }
        }
    }

    fn select(&mut self, index: usize, kept: &Kept) -> Step {
        if !self.open.is_empty() {
            let name = self.rule().map_or("", |rule| rule.name.as_str());
            return Err(format!("{name} is open: close or cancel it first"));
        }
        self.active = index;
        self.selected = Some(kept.clone());
        (self.order, self.last) = (None, None);
        Ok(Taken::default())
    }

    fn command(&mut self, rule: &ScanRule, kept: &Kept) -> Option<Step> {
        let ending = rule.kind.ending()?;
        let closes = kept.is_command(ending.close.as_deref());
        let cancels = kept.is_command(ending.cancel.as_deref());
        if !closes && !cancels {
            return None;
        }
        if self.open.is_empty() {
            return Some(Err("nothing is open".to_owned()));
        }
        Some(if closes {
            self.close(kept.time)
        } else {
            Ok(Taken {
                events: Vec::new(),
                refused: self.open.refuse("cancelled"),
            })
        })
    }

    /// The order holds for what is scanned after it, until another one or another rule.
    fn order(&mut self, kept: &Kept, id: String) -> Step {
        let other = self.order.as_ref().is_some_and(|(_, known)| *known != id);
        if other && !self.open.is_empty() {
            return Err("another order while something is open".to_owned());
        }
        self.order = Some((kept.clone(), id));
        Ok(Taken::default())
    }

    fn single(&mut self, rule: &ScanRule, repeat: Duration, kept: &Kept, code: &Code) -> Step {
        let uri = code.uri();
        if !self.restoring {
            let stutter = self.last.as_ref().is_some_and(|(last, known)| {
                // A clock that was set makes no stutter of a scan.
                *known == uri && kept.time >= last.time && kept.time.since(last.time) < repeat
            });
            if stutter && !code.is_class() {
                return Err("the same thing again: the scanner stutters".to_owned());
            }
        }
        // Nobody counted: what the code itself does not state is not said.
        let parts = Parts::Object(vec![code.item(Amount::default())]);
        let taken = if self.restoring {
            Taken::default()
        } else {
            self.made(rule, parts, kept.time)
                .map_err(|error| error.to_string())?
        };
        let remembers = !code.is_class() && !repeat.is_zero();
        self.last = remembers.then(|| (kept.clone(), uri));
        Ok(taken)
    }

    /// Ends what has its full count with this code.
    fn close_full(&mut self, ending: &Ending, count: usize, kept: &Kept) -> Step {
        let too_many = self.open.codes() > SCANS_MAX || self.open.name_bytes() > NAMES_MAX;
        if too_many {
            self.open.undo(kept);
            return Err(format!(
                "more than {SCANS_MAX} codes or {NAMES_MAX} bytes of names: close first"
            ));
        }
        if ending.count.is_none_or(|full| count < full) {
            return Ok(Taken::default());
        }
        let closed = self.close(kept.time);
        if closed.is_err() {
            self.open.undo(kept);
        }
        closed
    }

    /// Makes the event of what is open; where it is not whole, all stays as it is.
    fn close(&mut self, time: Instant) -> Step {
        let Some(rule) = self.rule().cloned() else {
            return Err("no rule".to_owned());
        };
        let parts = self.open.parts(&rule.kind)?;
        let made = self.made(&rule, parts, time);
        let made = made.map_err(|error| error.to_string())?;
        self.open = Open::default();
        Ok(made)
    }

    fn made(&self, rule: &ScanRule, parts: Parts, time: Instant) -> Result<Taken, ComposeError> {
        let mut extra = Map::new();
        if let (Some(order), Some((_, id))) = (&rule.transaction, &self.order) {
            let list = json!([{ "type": order.kind, "bizTransaction": id }]);
            extra.insert("bizTransactionList".to_owned(), list);
        }
        let lists = [
            ("sourceList", "source", false),
            ("destinationList", "destination", true),
        ];
        for (list, member, is_destination) in lists {
            let parties = rule.parties.iter();
            let of_it = parties.filter(|party| party.is_destination == is_destination);
            let entries: Vec<_> = of_it
                .map(|party| json!({ "type": party.kind, member: party.id }))
                .collect();
            if !entries.is_empty() {
                extra.insert(list.to_owned(), entries.into());
            }
        }
        let stated = Stated {
            parts,
            step: &rule.step,
            action: rule.kind.action(),
            disposition: rule.disposition.as_deref(),
            time: time_text(time),
            offset: offset_text(self.time_zone_minutes),
            place: &rule.place,
            biz_location: rule.biz_location.as_deref(),
            presence: rule.presence,
            extra,
        };
        Ok(Taken {
            events: vec![stated.compose()?],
            refused: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests;
