//! Placeholder.

pub mod anchor;
pub mod broker;
pub mod bundle;
pub mod config;
pub mod evidence;
pub mod follower;
pub mod http;
pub mod ingest;
pub mod keys;
pub mod link;
pub mod operator;
pub mod registry;
pub mod service;
pub mod store;
pub mod tls;
pub mod trace;
pub mod web;
pub mod witness;
