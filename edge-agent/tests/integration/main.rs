//! The agent against a real file system, real sockets and a small platform of the tests' own.

mod agent;
mod bench;
mod broker;
mod enrol;
mod kill;
mod modbus;
mod outbox;
mod platform;
mod world;
