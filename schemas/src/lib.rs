//! Vocabulary and pure rules of Tracebond: what is signed, how it is proven, how it is read.
//!
//! No I/O, no clock, no async: every function here answers from its arguments, so that a gateway,
//! the platform, the bank and a stranger's laptop reach the same verdict. The formats are written
//! down in `schemas/docs/`; each module names the section that it implements.

pub mod attestation;
pub mod audit;
pub mod b64;
pub mod causes;
pub mod cbor;
pub mod config;
pub mod consent;
pub mod cose;
pub mod disclosure;
pub mod document;
pub mod enrol;
pub mod epcis;
pub mod event;
pub mod gs1;
pub mod hash;
pub mod ids;
pub mod ijson;
pub mod key;
pub mod log;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod random;
pub mod receipt;
pub mod registry;
pub mod statement;
pub mod time;
pub mod tlog;
pub mod tlog_policy;
pub mod tombstone;
