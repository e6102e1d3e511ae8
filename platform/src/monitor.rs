//! `platform monitor`: follows a log from outside, over HTTP, and trusts nothing but a policy.
//!
//! What it reads it verifies: the checkpoint under the policy, every root rebuilt from the entries
//! themselves, the entries as `log.md` section 9 and `registry.md` section 5 say, the served lists
//! of keys against the heads in the log, and what witnesses say they have cosigned. What does not
//! fit is an alarm, kept for ever in its folder, together with both notes where two contradict.
//!
//! | part | what |
//! |---|---|
//! | [`core`] | the judgement: bytes in, alarms out; no clock, no network, no file |
//! | [`trust`] | who must have signed: a policy of ours or a C2SP `tlog-policy` |
//! | [`own`] | an organisation's own devices and keys |
//! | `fetch` | HTTP with limits |
//! | `kept` | what is on disk: entries, the newest note, alarms, evidence |
//! | `run` | rounds; metrics and state over HTTP |
//!
//! **What a monitor cannot see.** The log names keys only as salted hashes, so that a key that the
//! operator invents shows as one more key of somebody; it becomes visible as soon as it is used in
//! a bundle. Which devices were silent is what the platform itself says (`/v1/chains`): a missing
//! row there is not noticed, a row there is never taken back.

pub mod alarm;
pub mod core;
mod fetch;
mod kept;
pub mod own;
mod registry;
mod run;
mod series;
pub mod shown;
pub mod trust;

pub use alarm::{Alarm, Code};
pub use kept::Raised;
pub use run::{AT_ONCE, Monitor, MonitorConfig, MonitorError, Round, listen};
pub use series::{Shared, Status};
