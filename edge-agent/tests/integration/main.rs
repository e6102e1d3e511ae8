//! The agent against a real file system, real sockets and a small platform of the tests' own.

mod agent;
mod bench;
mod broker;
mod compose;
mod damage;
mod enrol;
mod folders;
mod head;
mod kill;
mod modbus;
mod operation;
mod outbox;
mod platform;
mod preview;
mod programs;
mod quota;
mod rotation;
mod scanner_rules;
mod scanners;
mod site;
mod sources;
mod uplink;
mod version;
mod world;
