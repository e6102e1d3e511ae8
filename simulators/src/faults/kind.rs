//! Which faults a run may meet.

use std::fmt;
use std::str::FromStr;

use super::dice::Dice;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// kill -9 of an agent, which starts again on its files.
    Agent,
    /// kill -9 of the platform.
    Worker,
    /// kill -9 of the broker, with or without its sessions.
    Broker,
    /// The connection to the database ends in the middle of a call, done or not.
    Database,
    /// Connections are cut, and new ones refused for a while.
    Cut,
    /// One direction of a connection is dead.
    OneWay,
    /// A packet now and then.
    Slow,
    /// The disk of the database is full.
    FullDatabase,
    /// The disk of the log's folder is full.
    FullLog,
    /// The disk of an outbox is full.
    FullOutbox,
    /// The power fails: what was not synced is gone.
    Unsynced,
    /// A device's clock jumps by up to two days.
    Clock,
    /// The file of an outbox is torn, overwritten or gone.
    Damage,
    /// A copy of an agent's disk runs beside it, with the same key.
    Fork,
    /// A witness is down.
    Witness,
    /// The broker answers nobody for a while, and closes nothing.
    Hang,
    /// The broker starts again without its sessions.
    Session,
    /// Both directions of a connection are dead, and it stays open.
    HalfOpen,
    /// Two seconds each way, and one packet of fifty is lost and sent again.
    Far,
    /// kill -9 of the platform with messages in its hands, before they are in the database.
    BeforeCommit,
    /// The same when they are, and the broker has not heard of it.
    BeforeAck,
    /// The same when the broker has, and no receipt has left.
    BeforeReceipt,
    /// The newest pages of an outbox are torn or changed.
    Torn,
    /// A gateway starts without knowing the time, and learns it later.
    NoClock,
    /// The broker refuses a client's credential for a while.
    Credential,
    /// A sensor does not answer for a while.
    Sensor,
    /// One of two platforms on one database and one broker is killed.
    Platforms,
}

/// All of them, with the names that `--kind` knows.
const FAULTS: [(&str, Fault); 27] = [
    ("agent", Fault::Agent),
    ("worker", Fault::Worker),
    ("broker", Fault::Broker),
    ("database", Fault::Database),
    ("cut", Fault::Cut),
    ("one-way", Fault::OneWay),
    ("slow", Fault::Slow),
    ("full-database", Fault::FullDatabase),
    ("full-log", Fault::FullLog),
    ("full-outbox", Fault::FullOutbox),
    ("unsynced", Fault::Unsynced),
    ("clock", Fault::Clock),
    ("damage", Fault::Damage),
    ("fork", Fault::Fork),
    ("witness", Fault::Witness),
    ("hang", Fault::Hang),
    ("session", Fault::Session),
    ("half-open", Fault::HalfOpen),
    ("far", Fault::Far),
    ("before-commit", Fault::BeforeCommit),
    ("before-ack", Fault::BeforeAck),
    ("before-receipt", Fault::BeforeReceipt),
    ("torn", Fault::Torn),
    ("no-clock", Fault::NoClock),
    ("credential", Fault::Credential),
    ("sensor", Fault::Sensor),
    ("platforms", Fault::Platforms),
];

/// Those that befall a gateway, or all on which it rests.
const GATEWAY: [Fault; 20] = [
    Fault::Agent,
    Fault::Unsynced,
    Fault::Broker,
    Fault::Hang,
    Fault::BeforeCommit,
    Fault::BeforeAck,
    Fault::BeforeReceipt,
    Fault::Cut,
    Fault::OneWay,
    Fault::HalfOpen,
    Fault::Far,
    Fault::Session,
    Fault::FullOutbox,
    Fault::Torn,
    Fault::Damage,
    Fault::Clock,
    Fault::NoClock,
    Fault::Fork,
    Fault::Credential,
    Fault::Sensor,
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = FAULTS.iter().find(|(_, fault)| fault == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl Fault {
    /// Met on the virtual clock: one database file has one platform.
    #[must_use]
    pub fn is_virtual(self) -> bool {
        self != Self::Platforms
    }
}

/// What `--kind` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Some of all, drawn from the seed.
    #[default]
    Mixture,
    /// Some of those that befall a gateway.
    Gateway,
    /// One alone.
    Only(Fault),
}

impl Kind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        let only = FAULTS.iter().map(|(_, fault)| Self::Only(*fault));
        [Self::Mixture, Self::Gateway].into_iter().chain(only)
    }

    /// Every fault that it may mean.
    #[must_use]
    pub fn possible(self) -> Vec<Fault> {
        match self {
            Self::Mixture => FAULTS.iter().map(|(_, fault)| *fault).collect(),
            Self::Gateway => GATEWAY.to_vec(),
            Self::Only(fault) => vec![fault],
        }
    }

    /// The faults of one run.
    ///
    /// # Errors
    /// Where none of it can be met on the virtual clock.
    pub fn faults(self, dice: &mut Dice) -> anyhow::Result<Vec<Fault>> {
        let mut all = self.possible();
        all.retain(|fault| fault.is_virtual());
        anyhow::ensure!(!all.is_empty(), "`{self}` is met with --real only");
        let count = dice.between(2, 6);
        let mut some = dice.take(&mut all, count);
        some.sort();
        Ok(some)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixture => f.write_str("mixture"),
            Self::Gateway => f.write_str("gateway"),
            Self::Only(fault) => fault.fmt(f),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<String> = Self::all().map(|kind| kind.to_string()).collect();
        let found = Self::all().find(|kind| kind.to_string() == text);
        found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_that_is_understood() {
        for kind in Kind::all() {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("earthquake".parse::<Kind>().is_err());
        assert_eq!(Kind::all().count(), FAULTS.len() + 2);
    }

    #[test]
    fn two_platforms_are_met_by_real_processes_only() {
        let mut dice = Dice::new(1);
        assert!(Kind::Only(Fault::Platforms).faults(&mut dice).is_err());
        for seed in 0..100 {
            let drawn = Kind::Mixture.faults(&mut Dice::new(seed)).unwrap();
            assert!(!drawn.contains(&Fault::Platforms));
        }
    }

    #[test]
    fn a_mixture_is_drawn_from_the_seed() {
        let drawn = |seed| Kind::Mixture.faults(&mut Dice::new(seed)).unwrap();
        assert_eq!(drawn(7), drawn(7));
        assert!((2..=6).contains(&drawn(7).len()));
        assert!((0..20).any(|seed| drawn(seed) != drawn(7)));
    }
}
