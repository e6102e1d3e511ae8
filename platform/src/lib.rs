//! Tracebond's traceability service: verifies what gateways sign, keeps it, anchors it in a witnessed
//! log, and shows each product's journey. See `platform/README.md`.
//!
//! The way of a message: [`broker`] -> [`link`] -> [`ingest`] -> [`store`] -> [`anchor`] -> witnesses;
//! back to the device as receipt and inclusion; out to readers through [`http`] as pages ([`web`],
//! over [`trace`]) and proof bundles ([`bundle`], [`evidence`]). [`service`] puts it together.
//!
//! Absences that are invariants: no code path updates or deletes an anchored row; nothing is
//! acknowledged before it is durable; no key of an organisation is held here but the operator's own.

pub mod anchor;
pub mod archive;
pub mod broker;
pub mod bundle;
pub mod capture;
pub mod command;
pub mod config;
pub mod consent;
pub mod disclosure;
pub mod duty;
pub mod erase;
pub mod evidence;
pub mod files;
pub mod folder;
pub mod follower;
pub mod handed;
pub mod http;
pub mod ingest;
pub mod keys;
pub mod keytool;
pub mod link;
pub mod metrics;
pub mod monitor;
pub mod mosquitto;
pub mod operator;
pub mod partition;
pub mod people;
pub mod policies;
pub mod registry;
pub mod report;
pub mod search;
pub mod service;
pub mod standing;
pub mod store;
pub mod tls;
pub mod trace;
pub mod web;
pub mod witness;
