//! How much strangers and devices can make a broker hold: `[broker.limits]` of the configuration.
//!
//! The embedded broker keeps all of them; what a Mosquitto can be told of them stands in its
//! generated configuration (`mosquitto/text.rs`).

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Limits of what strangers and devices can make the broker hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Capture messages in the broker at once, in KiB; each counts its payload in begun KiB and
    /// one more for itself.
    pub backlog_kib: u32,
    /// Of these, messages of one device.
    pub device_backlog_kib: u32,
    /// How long a publisher waits for room before it is disconnected.
    #[serde(rename = "patience_s", deserialize_with = "seconds")]
    pub patience: Duration,
    /// Messages a second that are taken from one device, in the long run: above, its connection is
    /// read more slowly, and nothing is refused.
    pub device_messages_per_s: u32,
    /// Messages that a device may send at once after a rest.
    pub device_burst: u32,
    /// Receipts queued for one device.
    pub receipts: usize,
    /// Receipts in the broker at once, for all devices, in KiB; counted as `backlog_kib`.
    pub receipts_kib: u32,
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Sessions of one device, connected or not.
    pub device_sessions: usize,
    /// Connections on the TLS listener.
    pub connections: usize,
    /// Connections of one address (of one /64 network in IPv6) on the TLS listener.
    pub connections_per_address: usize,
    /// Connections that nobody has logged in on yet.
    pub pending: usize,
    /// The same of one address.
    pub pending_per_address: usize,
    /// From a connection's beginning to the answer to its log-in.
    #[serde(rename = "greeting_s", deserialize_with = "seconds")]
    pub greeting: Duration,
    /// How long a client may leave what it is sent unread before it is closed.
    #[serde(rename = "stall_s", deserialize_with = "seconds")]
    pub stall: Duration,
    /// Longest keep-alive, in seconds: a device that is gone is noticed within one and a half of
    /// it. At least 15.
    pub keepalive_s: u16,
    /// The longest that a session outlives its connection, whatever its client asks for.
    #[serde(rename = "session_expiry_s", deserialize_with = "seconds")]
    pub session_expiry: Duration,
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_secs)
}

/// Shortest keep-alive that is granted, in seconds: it must outlast [`Limits::patience`].
pub(super) const MIN_KEEPALIVE: u16 = 15;
/// The longest patience: a connection that waits is not read, so its keep-alive is not seen.
const PATIENCE_MAX: Duration = Duration::from_secs(MIN_KEEPALIVE as u64);
/// KiB that the largest message counts.
const LARGEST_KIB: u32 = (schemas::statement::MESSAGE_MAX / 1024) as u32 + 2;

impl Default for Limits {
    /// 64 MiB of messages, 8 of one device; 10 s of patience; 500 messages a second and device,
    /// 2,000 at once; 1,000 receipts a device, 64 MiB of all; 20,000 sessions, 8 a device; 10,000
    /// connections, 2,000 an address; 1,000 pending, 200 an address, for 20 s; 20 s unread;
    /// 5 minutes of keep-alive; 7 days.
    fn default() -> Self {
        Self {
            backlog_kib: 64 * 1024,
            device_backlog_kib: 8 * 1024,
            patience: Duration::from_secs(10),
            device_messages_per_s: 500,
            device_burst: 2_000,
            receipts: 1000,
            receipts_kib: 64 * 1024,
            sessions: 20_000,
            device_sessions: 8,
            connections: 10_000,
            connections_per_address: 2_000,
            pending: 1_000,
            pending_per_address: 200,
            greeting: Duration::from_secs(20),
            stall: Duration::from_secs(20),
            keepalive_s: 300,
            session_expiry: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

impl Limits {
    /// (field, problem) of the first limit that nothing could live with.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        let room = "at least 258 KiB, the largest message";
        if self.device_backlog_kib < LARGEST_KIB {
            return Some(("broker.limits.device_backlog_kib", room.into()));
        }
        if self.backlog_kib < self.device_backlog_kib {
            let problem = "at least broker.limits.device_backlog_kib".into();
            return Some(("broker.limits.backlog_kib", problem));
        }
        if self.receipts_kib < LARGEST_KIB {
            return Some(("broker.limits.receipts_kib", room.into()));
        }
        if self.patience.is_zero() || self.patience > PATIENCE_MAX {
            return Some(("broker.limits.patience_s", "1 to 15".into()));
        }
        if self.keepalive_s < MIN_KEEPALIVE {
            return Some(("broker.limits.keepalive_s", "at least 15".into()));
        }
        if self.greeting.is_zero() {
            return Some(("broker.limits.greeting_s", "above 0".into()));
        }
        if self.stall.is_zero() {
            return Some(("broker.limits.stall_s", "above 0".into()));
        }
        let counts = [
            (
                "broker.limits.device_messages_per_s",
                self.device_messages_per_s as usize,
            ),
            ("broker.limits.device_burst", self.device_burst as usize),
            ("broker.limits.receipts", self.receipts),
            ("broker.limits.sessions", self.sessions),
            ("broker.limits.device_sessions", self.device_sessions),
            ("broker.limits.connections", self.connections),
            (
                "broker.limits.connections_per_address",
                self.connections_per_address,
            ),
            ("broker.limits.pending", self.pending),
            (
                "broker.limits.pending_per_address",
                self.pending_per_address,
            ),
        ];
        let zero = counts.into_iter().find(|(_, count)| *count == 0);
        zero.map(|(field, _)| (field, "above 0".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_and_a_file_may_say_each() {
        assert!(Limits::default().problem().is_none());
        let text =
            "patience_s = 3\ndevice_messages_per_s = 50\ngreeting_s = 2\nsession_expiry_s = 60";
        let read: Limits = schemas::config::parse("limits", text).unwrap();
        assert_eq!(read.patience, Duration::from_secs(3));
        assert_eq!((read.device_messages_per_s, read.receipts), (50, 1000));
        assert!(schemas::config::parse::<Limits>("limits", "patience = 3").is_err());
    }

    #[test]
    fn a_limit_that_lets_nobody_in_is_named() {
        for (text, field) in [
            (
                "device_backlog_kib = 100",
                "broker.limits.device_backlog_kib",
            ),
            ("backlog_kib = 1000", "broker.limits.backlog_kib"),
            ("patience_s = 60", "broker.limits.patience_s"),
            ("keepalive_s = 5", "broker.limits.keepalive_s"),
            ("pending = 0", "broker.limits.pending"),
        ] {
            let limits: Limits = schemas::config::parse("limits", text).unwrap();
            assert_eq!(limits.problem().unwrap().0, field);
        }
    }
}
