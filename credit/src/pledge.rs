//! Pledges and collateral: what is pledged once, what it is worth, and who watches it.
//!
//! The formats (fingerprint, history) and the rule for each case are in `docs/pledge.md`.
//!
//! | module | what it is |
//! |---|---|
//! | [`fingerprint`] | the hash that names a thing |
//! | [`invoice`], [`written`] | what people write, brought to one form |
//! | [`quantity`] | exact quantities of lots |
//! | [`claim`] | what one pledge takes: the thing, what is in it, what it is in |
//! | [`stage`], [`step`] | what happens to a pledge and its life as types; its rows |
//! | [`desk`] | what people and the watch do, over a store |
//! | [`shown`] | what verified evidence shows of goods |
//! | [`office`] | what the bank's people and machines do, with evidence, value and refusals |
//! | [`cover`] | what stands behind a draw of a loan |
//! | [`value`] | price, haircut, loan to value, margin call, shortfall |
//! | [`stream`] | a watched sensor by name, and how far its chain was proven |
//! | [`watch`] | breaches and silence of the goods' sensors |
//!
//! Invariants: no thing is in two pledges, under any concurrency (the database's unique key and
//! guarded statements of [`crate::store::pledge`]). No pledge draws while it is frozen. No pledge ends
//! without a settled loan or another cover. No person confirms what he proposed. Nothing here is a float.

mod act;
pub mod claim;
pub mod cover;
pub mod desk;
pub mod fingerprint;
pub mod ids;
pub mod invoice;
pub mod office;
pub mod quantity;
pub mod shown;
pub mod stage;
pub mod step;
pub mod stream;
pub mod value;
pub mod watch;
pub mod written;

pub use claim::{Claim, Claims, Goods};
pub use desk::Pledging;
pub use fingerprint::Fingerprint;
pub use ids::{Key, PledgeId};
pub use invoice::Invoice;
pub use quantity::Quantity;
pub use stage::{Act, Offer, Stage, State};
pub use step::{Chain, Step};
