//! A device of the storm: what it says, and the rows that must come of it.

use std::collections::BTreeSet;

use platform::store::NewStatement;
use schemas::hash::{Hash, sha256};
use schemas::ids::DeviceAddress;
use schemas::statement::Position;
use schemas::time::Instant;

use super::{Dice, LATE, Row, SILENCE, SLOW};

/// How often something happens to a device: once in so many statements.
const TROUBLE: u64 = 120;
/// Most statements that are lost one after the other.
const LOST: u64 = 5;
/// Statements that come through after a trouble before the next one.
const REST: u64 = 4;

/// A statement, and what becomes of it.
pub(super) enum Said {
    /// It is sent.
    Now(NewStatement),
    /// It comes long after the others.
    Late(NewStatement),
    /// It never comes.
    Lost,
}

/// What becomes of the statements of a hole.
#[derive(Clone, Copy)]
enum Fate {
    Filled,
    FilledInPart,
    Lost,
    /// Lost, and the device begins a new epoch behind it.
    Tail,
}

struct Hole {
    from: u64,
    left: u64,
    fate: Fate,
}

pub(super) struct Device {
    address: DeviceAddress,
    is_slow: bool,
    /// Milliseconds between two statements.
    every: u64,
    /// When it speaks next, in milliseconds.
    next: u64,
    place: Position,
    prev: Hash,
    hole: Option<Hole>,
    rest: u64,
    /// Until when something lost may still come.
    late_until: i64,
    silent_until: i64,
    rows: BTreeSet<(&'static str, u64, u64, u64)>,
    allowed: BTreeSet<(&'static str, u64, u64, u64)>,
}

impl Device {
    pub(super) fn new(number: u64, every: u64, dice: &mut Dice) -> anyhow::Result<Self> {
        Ok(Self {
            address: format!("maker-0/line-{number}").parse()?,
            is_slow: every >= SLOW,
            every,
            next: 1_000_000_000 + dice.below(every),
            place: Position { epoch: 0, seq: 0 },
            prev: Hash::ZERO,
            hole: None,
            rest: REST,
            late_until: 0,
            silent_until: 0,
            rows: BTreeSet::new(),
            allowed: BTreeSet::new(),
        })
    }

    /// The rows that must be there.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        self.named(&self.rows)
    }

    /// Rows that say the same as one of them once more, where the order of arrival has it so.
    pub(super) fn allowed(&self) -> impl Iterator<Item = Row> {
        self.named(&self.allowed)
    }

    fn named(&self, rows: &BTreeSet<(&'static str, u64, u64, u64)>) -> impl Iterator<Item = Row> {
        let device = self.address.to_string();
        rows.iter()
            .map(move |&(kind, epoch, from, to)| (device.clone(), kind.to_owned(), epoch, from, to))
    }

    /// Nothing is left to come of what happened to it.
    pub(super) fn is_quiet(&self, now: i64) -> bool {
        let settled = self.late_until < now && self.silent_until < now;
        self.hole.is_none() && self.rest == 0 && settled
    }

    /// What it says until `now`; without `troubles` nothing new happens to it.
    pub(super) fn speak(&mut self, now: i64, troubles: bool, dice: &mut Dice) -> Vec<Said> {
        let mut said = Vec::new();
        let until = now.unsigned_abs() * 1_000;
        while self.next <= until {
            self.next += self.every / 2 + dice.below(self.every + 1);
            self.say(now, troubles, dice, &mut said);
        }
        said
    }

    fn say(&mut self, now: i64, troubles: bool, dice: &mut Dice, said: &mut Vec<Said>) {
        if let Some(hole) = self.hole.take() {
            self.lose(hole, now, said);
            return;
        }
        self.rest = self.rest.saturating_sub(1);
        let trouble = troubles && self.rest == 0 && dice.once_in(TROUBLE);
        if !trouble {
            said.push(Said::Now(self.statement(self.prev, "")));
            self.go_on("");
            return;
        }
        self.rest = REST;
        let Position { epoch, seq } = self.place;
        match dice.below(if self.is_slow { 3 } else { 5 }) {
            // Two statements in one place; the device goes on from the first.
            0 => {
                said.push(Said::Now(self.statement(self.prev, "")));
                said.push(Said::Now(self.statement(self.prev, "its double")));
                self.rows.insert(("fork", epoch, seq, seq));
                // Where the double comes first, the next statement names what is not there yet.
                self.allowed.insert(("fork", epoch, seq + 1, seq + 1));
                self.go_on("");
            }
            // It names what nobody ever sent.
            1 if seq > 0 => {
                let prev = sha256(format!("{} {epoch} {seq} never sent", self.address).as_bytes());
                said.push(Said::Now(self.statement(prev, "")));
                self.rows.insert(("fork", epoch, seq, seq));
                self.go_on("");
            }
            1 | 2 => self.begin_epoch(said),
            3 if self.late_until < now => self.fall_silent(now, said),
            _ => {
                let fate = match dice.below(4) {
                    0 => Fate::Filled,
                    1 => Fate::FilledInPart,
                    2 => Fate::Lost,
                    _ => Fate::Tail,
                };
                let hole = Hole {
                    from: seq,
                    left: 1 + dice.below(LOST),
                    fate,
                };
                self.lose(hole, now, said);
            }
        }
    }

    /// One more statement of a hole.
    fn lose(&mut self, hole: Hole, now: i64, said: &mut Vec<Said>) {
        let Position { epoch, seq } = self.place;
        let is_last = hole.left == 1;
        let comes = match hole.fate {
            Fate::Filled => true,
            // Never the last one: what comes must leave something missing.
            Fate::FilledInPart => seq == hole.from && !is_last,
            Fate::Lost | Fate::Tail => false,
        };
        if comes {
            said.push(Said::Late(self.statement(self.prev, "")));
            self.late_until = now + LATE + 1;
        } else {
            said.push(Said::Lost);
        }
        self.go_on("");
        if !is_last {
            self.hole = Some(Hole {
                left: hole.left - 1,
                ..hole
            });
            return;
        }
        match hole.fate {
            Fate::Tail => self.begin_epoch(said),
            Fate::Filled => {
                self.rows.insert(("gap-opened", epoch, hole.from, seq));
                self.rows.insert(("gap-closed", epoch, hole.from, seq));
            }
            Fate::FilledInPart | Fate::Lost => {
                self.rows.insert(("gap-opened", epoch, hole.from, seq));
            }
        }
    }

    fn begin_epoch(&mut self, said: &mut Vec<Said>) {
        self.place = Position {
            epoch: self.place.epoch + 1,
            seq: 0,
        };
        self.rows.insert(("gap-opened", self.place.epoch, 0, 0));
        said.push(Said::Now(self.statement(self.prev, "")));
        self.go_on("");
    }

    /// One last statement for a long time.
    fn fall_silent(&mut self, now: i64, said: &mut Vec<Said>) {
        let Position { epoch, seq } = self.place;
        said.push(Said::Now(self.statement(self.prev, "")));
        self.go_on("");
        self.rows.insert(("silent", epoch, seq, seq));
        self.rows.insert(("silence-ended", epoch, seq, seq));
        self.silent_until = now + SILENCE;
        self.next = (now + SILENCE).unsigned_abs() * 1_000;
    }

    fn id(&self, which: &str) -> Hash {
        let Position { epoch, seq } = self.place;
        sha256(format!("{} {epoch} {seq} {which}", self.address).as_bytes())
    }

    fn statement(&self, prev: Hash, which: &str) -> NewStatement {
        NewStatement {
            id: self.id(which),
            device: self.address.clone(),
            position: self.place,
            kid: Hash([7; 32]),
            prev,
            bytes: b"a statement".to_vec(),
            received: Instant::from_seconds(0),
            made: Instant::from_seconds(0),
            registry_version: 1,
            events: Vec::new(),
        }
    }

    fn go_on(&mut self, which: &str) {
        self.prev = self.id(which);
        self.place.seq += 1;
    }
}
