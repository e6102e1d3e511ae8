//! The double-entry ledger: every fen that moves is booked twice, once on the debit and once on the
//! credit side, and no entry is ever changed. What was booked wrongly is booked back.
//!
//! [`account`] says which accounts there are, [`entry`] what an entry is; [`balance`] adds entries
//! up. Everything here is pure: no clock, no I/O, no float. The store that keeps entries is
//! [`crate::store::ledger`].
//!
//! Absences: no type here changes an entry; no entry that does not balance can be made; no sum
//! wraps.

pub mod account;
pub mod balance;
pub mod chain;
pub mod entry;

pub use account::{Account, AccountError, Class, Group, LoanId, Scope, Side};
pub use balance::{Balance, BalanceError, Balances, Imbalance, TrialBalance};
pub use entry::{Draft, Entry, EntryError, EntryKey, EntryKind, Posting};
