//! Attacks, one test each, named for the attack; each says who catches it.

mod agent;
mod consent;
mod device;
mod history;
mod identity;
