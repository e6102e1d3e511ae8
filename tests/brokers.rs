//! The brokers' doors: the embedded one and Mosquitto under the generated configuration, by the
//! same tests, over TLS under the platform's CA, with a client that can say anything.

mod abuse;
mod agent;
mod rules;
mod sessions;
mod site;
mod wire;
