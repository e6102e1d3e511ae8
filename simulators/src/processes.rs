//! The built `platform` and `edge-agent` as real processes with their own files and sockets, and an
//! auditor who knows every line that was scanned: for tests and for runs in which they are killed.
//!
//! They stand beside the program that starts them: `cargo build --workspace --bins` first.

pub mod gateway;
pub mod operator;
pub mod process;
pub mod scanner;
pub mod second;
pub mod site;
mod verdict;
pub mod world;
