//! What the `platform` program does: one module for each subcommand.

pub mod archive;
pub mod check;
pub mod client;
pub mod erase;
pub mod fsck;
pub mod init;
pub mod monitor;
pub mod policy;
pub mod prove;
pub mod user;
pub mod verify;
