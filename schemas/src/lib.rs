//! Vocabulary and pure rules of Tracebond: what is signed, how it is proven, how it is read.
//!
//! No I/O, no clock, no async: every function here answers from its arguments, so that a gateway,
//! the platform, the bank and a stranger's laptop reach the same verdict. The formats are written
//! down in `schemas/docs/`; each module names the section that it implements.

pub mod cbor;
pub mod config;
pub mod cose;
pub mod epcis;
pub mod event;
pub mod hash;
pub mod ids;
pub mod ijson;
pub mod key;
pub mod merkle;
pub mod random;
pub mod statement;
pub mod time;
