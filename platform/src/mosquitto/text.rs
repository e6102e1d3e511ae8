//! The texts of Mosquitto's files: pure.

use std::fmt::Write as _;

use schemas::enrol::Verifier;

use super::file;
use crate::broker::{Limits, MAX_PACKET};
use crate::config::MosquittoSection;
use crate::tls;

/// Messages in flight to the ingest; its own receive maximum is the same.
const INFLIGHT: u32 = 1_000;
/// Messages that wait for one client, at most; the bytes below are reached first by captures.
const QUEUED: u32 = 100_000;
/// Connections of ingests: workers of one platform.
const INGESTS: u32 = 64;
/// Heap that it may take, as a multiple of what may wait for one client: for its sessions and what
/// waits for all others. Beyond, it refuses clients and messages instead of growing.
const HEAP: u64 = 8;
/// Heap that it may take at least, in bytes.
const HEAP_MIN: u64 = 256 * 1024 * 1024;

/// Rules of the gateways' listener; `%u` is the user name, `org/device`.
pub(super) const DEVICE_RULES: &str = "# Written by `platform broker-config`.
pattern write tracebond/v1/%u/capture
pattern read tracebond/v1/%u/receipt
";

/// Rules of the ingest's listener.
pub(super) fn ingest_rules(username: &str) -> String {
    format!(
        "# Written by `platform broker-config`.
user {username}
topic read tracebond/v1/+/+/capture
topic write tracebond/v1/+/+/receipt
"
    )
}

/// A line of a password file for a password in clear: a salted SHA-512, since the password is
/// long and random unless somebody has chosen it, and then it crosses loopback only.
pub(super) fn password_line(username: &str, password: &str, salt: [u8; 12]) -> String {
    let verifier = Verifier::of_text(password, salt);
    passwords([(username, &verifier)])
}

/// A password file.
pub(super) fn passwords<'d>(devices: impl IntoIterator<Item = (&'d str, &'d Verifier)>) -> String {
    let lines = devices.into_iter();
    lines.fold(String::new(), |mut text, (name, verifier)| {
        let _ = writeln!(text, "{name}:{}", verifier.mosquitto());
        text
    })
}

/// Where Mosquitto listens.
pub(super) struct Listener {
    pub(super) port: u16,
    pub(super) bind: Option<String>,
    /// Certificate with its chain, and key.
    pub(super) tls: Option<tls::Files>,
}

/// `mosquitto.conf`.
pub(super) fn configuration(
    (gateways, websocket): (&Listener, Option<&Listener>),
    ingest: &Listener,
    section: &MosquittoSection,
    limits: &Limits,
) -> String {
    let queued_bytes = u64::from(limits.backlog_kib) * 1024;
    let heap = (queued_bytes * HEAP).max(HEAP_MIN);
    let expiry = expiry(limits);
    let keepalive = limits.keepalive_s;
    let message = schemas::statement::MESSAGE_MAX;
    let mut text = format!(
        "# Written by `platform broker-config`: changes here are lost. Mosquitto 2.0 or later.
per_listener_settings true
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
persistence true
persistence_location {persistence}/
autosave_interval 60
persistent_client_expiration {expiry}
max_inflight_messages {INFLIGHT}
max_queued_messages {QUEUED}
max_inflight_bytes 0
max_queued_bytes {queued_bytes}
memory_limit {heap}
message_size_limit {message}
max_packet_size {MAX_PACKET}
max_keepalive {keepalive}
retain_available false
queue_qos0_messages false
set_tcp_nodelay true
sys_interval 0
",
        persistence = section.persistence.display(),
    );
    if let Some(pid_file) = &section.pid_file {
        let _ = writeln!(text, "pid_file {}", pid_file.display());
    }
    text.push_str("\n# Gateways: each under its own name, which is its client id too.\n");
    let files = (file::DEVICE_PASSWORDS, file::DEVICE_RULES);
    listener(&mut text, gateways, section, files, limits.connections);
    text.push_str("use_username_as_clientid true\n");
    if let Some(websocket) = websocket {
        text.push_str("\n# The same over WebSocket.\n");
        listener(&mut text, websocket, section, files, limits.connections);
        text.push_str("protocol websockets\nuse_username_as_clientid true\n");
    }
    text.push_str("\n# The platform's ingest.\n");
    let files = (file::INGEST_PASSWORD, file::INGEST_RULES);
    listener(&mut text, ingest, section, files, INGESTS as usize);
    text
}

/// How long a session outlives its connection: in hours, which is the least that it knows.
fn expiry(limits: &Limits) -> String {
    format!(
        "{}h",
        limits.session_expiry.as_secs().div_ceil(3_600).max(1)
    )
}

fn listener(
    text: &mut String,
    listener: &Listener,
    section: &MosquittoSection,
    (passwords, rules): (&str, &str),
    connections: usize,
) {
    let bind = listener.bind.as_deref().unwrap_or_default();
    let folder = section.folder.display();
    let _ = write!(
        text,
        "listener {} {bind}
allow_anonymous false
allow_zero_length_clientid false
password_file {folder}/{passwords}
acl_file {folder}/{rules}
max_connections {connections}
max_qos 1
max_topic_alias 0
",
        listener.port,
    );
    if let Some(files) = &listener.tls {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let _ = write!(
            text,
            "certfile {certificate}\nkeyfile {key}\ntls_version tlsv1.2\n"
        );
    }
}
