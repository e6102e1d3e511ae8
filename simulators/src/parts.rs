//! Real parts from Debian as private instances: PostgreSQL and Mosquitto, each in a temporary
//! folder, on a free loopback port, for as long as its handle lives.
//!
//! Nothing here is a component of Tracebond: the parts are what a company would run, and the
//! platform and the bank reach them by an address in their configuration, like anybody's. An
//! instance is stopped by its process id when its handle is dropped, also while a test unwinds;
//! should the process that started it be killed, the kernel stops the instance.
//!
//! Durability is that of a real one: `fsync` and `synchronous_commit` are on, since what survives
//! a `kill -9` is what the tests ask for and what a measurement has to pay for.

pub mod mosquitto;
pub mod postgres;
pub(crate) mod server;

use std::path::PathBuf;

/// A program that Debian brings and this workspace does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// Mosquitto 2.
    Mosquitto,
}

impl Part {
    /// The part's server program, if it is installed.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        match self {
            Part::Postgres => postgres::program("postgres"),
            Part::Mosquitto => mosquitto::program(),
        }
    }

    /// Debian's package.
    #[must_use]
    pub const fn package(self) -> &'static str {
        match self {
            Part::Postgres => "postgresql",
            Part::Mosquitto => "mosquitto",
        }
    }

    /// For the first line of a test: true where the part is not installed, which is said plainly.
    ///
    /// # Panics
    /// Where `CI` is `true`: there, a test that is left out is a test that fails.
    #[must_use]
    pub fn skip(self) -> bool {
        if self.program().is_some() {
            return false;
        }
        let how = format!("apt-get install {}", self.package());
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "{self:?} is not installed, and CI leaves nothing out: {how}"
        );
        eprintln!("SKIPPED: {self:?} is not installed ({how})");
        true
    }
}
