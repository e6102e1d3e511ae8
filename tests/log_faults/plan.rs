//! Which call fails, and how.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// Of which kind the calls are that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Of the database.
    Store,
    /// Of the file system.
    Files,
}

/// What happens at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and has done nothing.
    Before,
    /// It does all of it and says that it failed.
    After,
    /// The process ends there; a file is half written.
    KillBefore,
    /// The process ends there, all of it done.
    KillAfter,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    /// Nothing.
    Nothing,
    /// The fault.
    Fault(Fault),
    /// A process that has ended.
    Dead,
}

/// One fault at one call.
#[derive(Debug)]
pub struct Plan {
    calls: Calls,
    at: u64,
    fault: Fault,
    count: AtomicU64,
    met: Mutex<Option<String>>,
    dead: AtomicBool,
    /// Ends with the process.
    pub killed: CancellationToken,
}

impl Plan {
    pub fn new(calls: Calls, at: u64, fault: Fault) -> Self {
        Self {
            calls,
            at,
            fault,
            count: AtomicU64::new(0),
            met: Mutex::default(),
            dead: AtomicBool::new(false),
            killed: CancellationToken::new(),
        }
    }

    /// A plan without a fault.
    pub fn none() -> Self {
        Self::new(Calls::Store, u64::MAX, Fault::Before)
    }

    /// The call that has met the fault.
    pub fn met(&self) -> Option<String> {
        self.met.lock().unwrap().clone()
    }

    /// Counts a call.
    pub fn meets(&self, calls: Calls, name: &str) -> Meets {
        if self.dead.load(Ordering::SeqCst) {
            return Meets::Dead;
        }
        if calls != self.calls || self.count.fetch_add(1, Ordering::SeqCst) != self.at {
            return Meets::Nothing;
        }
        *self.met.lock().unwrap() = Some(name.to_owned());
        if matches!(self.fault, Fault::KillBefore | Fault::KillAfter) {
            self.dead.store(true, Ordering::SeqCst);
            self.killed.cancel();
        }
        Meets::Fault(self.fault)
    }
}

/// What a call says that failed.
pub fn broken() -> io::Error {
    io::Error::other("a fault that the test has put here")
}
