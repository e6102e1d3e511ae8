//! What the store keeps of a trial of the sandbox: the way in [`TrialStore`], the rules in [`Trials`].
//!
//! An adapter only adds records, counts and compares; it decides nothing. [`Trials`] reads, decides
//! by the pure core ([`crate::sandbox`]) and hands the adapter what must still be so when it commits.
//! Three things make that safe, and `credit/docs/sandbox.md` says why:
//!
//! - **The guard.** One row a trial has the number of versions of limits, steps, trips and lifts, and
//!   the newest instant seen. Whatever changes what may be lent moves it by compare and set; each
//!   reservation names the guard that it was decided on in its last statement, which locks the row.
//! - **The counters.** Each is added to by a statement that compares with its cap, in the order of
//!   [`crate::sandbox::limits::charges`], in the transaction of the reservation.
//! - **Records.** Everything that people decide is added once under its name and never changed.

mod adapter;
mod lend;
mod log;
mod office;
mod record;
mod recount;
mod refusal;
pub(crate) mod rows;
mod trials;
mod two;

pub use adapter::{
    Added, Carried, Carry, Counted, FAR, Guard, Offered, PAGE, Plan, Released, Repayment,
    TrialStore, counter_name,
};
pub use lend::{LendError, Offer, ReturnError};
pub use log::LogEntry;
pub use office::{OfficeError, StepError};
pub use record::{Kind, Record};
pub use recount::{Difference, Recount, Row};
pub use refusal::{Refused, TrialRefusal};
pub use trials::{Footing, Trials};
pub use two::{LiftProposal, Motion, RuleProposal, RuleVersion, StepProposal};
