//! What both services need and neither owns: configuration files, telemetry, problem documents,
//! the system's clock, HTTP serving, shutdown, language and page headers, people who log in.
//!
//! It deliberately holds no domain rule (those are in `schemas`) and no table. It depends on
//! `schemas` only; `platform` and `credit` depend on it and never on each other.
//!
//! | module | what it is for |
//! |---|---|
//! | [`check`] | a configuration tested before the start |
//! | [`clock`] | the one place where domain time meets the wall clock and tokio's timers |
//! | [`config`] | reads a TOML file; errors name file, line and field |
//! | [`csv`] | a table as CSV, with nothing in it that is taken for a formula |
//! | [`etag`] | guarded writes: entity tags and `If-Match` |
//! | [`idempotency`] | a write that is sent twice is done once |
//! | [`metrics`] | what is counted, as Prometheus reads it, on a listener of its own |
//! | [`negotiate`] | which of the two languages a page is written in |
//! | [`page`] | security headers of every page |
//! | [`people`] | accounts, log-in, sessions and forms of people inside one organisation |
//! | [`postgres`] | sessions, instants, retries, schema and service role of PostgreSQL |
//! | [`problem`] | RFC 9457 `application/problem+json` |
//! | [`routes`] | one list of routes: router, OpenAPI document, table of access |
//! | [`serve`] | a router on an address, with limits, TLS and a graceful end |
//! | [`shutdown`] | SIGINT and SIGTERM as a cancellation token |
//! | [`telemetry`] | log lines, human or JSON |
//! | [`text`] | texts of pages in two languages |
//! | [`verifier`] | the script and page with which a reader checks a proof bundle |
//! | [`xlsx`] | tables as a workbook, byte for byte the same again |
//! | [`zip`] | files in one archive, byte for byte the same again |

pub mod check;
pub mod clock;
pub mod config;
pub mod csv;
pub mod etag;
pub mod idempotency;
pub mod metrics;
pub mod negotiate;
pub mod page;
pub mod people;
pub mod postgres;
pub mod problem;
pub mod routes;
pub mod serve;
pub mod shutdown;
pub mod sqlite;
pub mod telemetry;
pub mod text;
pub mod verifier;
pub mod xlsx;
pub mod zip;
