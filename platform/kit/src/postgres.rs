//! PostgreSQL as both services use it: the address of a database, a pool whose every session is
//! durable and bounded, instants to the microsecond, tries that a distributed PostgreSQL asks for,
//! and the schema with its service role.
//!
//! [`open`] and [`migrate`] are what a service calls. Nothing here knows a table of either service:
//! they hand in their migrations and their [`Privileges`].

mod connect;
mod open;
mod retry;
mod schema;
mod timestamp;
mod url;

pub use connect::{CONNECTIONS, ConnectError, connect, connect_once, text};
pub use open::{Migration, OpenError, WrongVariable, address_in, allow, migrate, open};
pub use retry::{Attempts, is_retriable};
pub use schema::{Privileges, SchemaError, bring_up, grant, grant_only, is_owner, verify};
pub use timestamp::Timestamp;
pub use url::{DatabaseUrl, DatabaseUrlError};
