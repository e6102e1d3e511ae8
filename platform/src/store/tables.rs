//! Which tables there are and what the service may do to each; a test compares this with the
//! migrations.

use kit::postgres::Privileges;

/// Tables from which nothing is ever changed or removed. The role of the service on PostgreSQL has
/// no UPDATE and no DELETE on them. Some hold content, which the eraser's role may remove, but not
/// the service (`crate::erase::GRANTS`).
pub const APPEND_ONLY: [&str; 30] = [
    "registry_records",
    "registry_heads",
    "statements",
    "event_leaves",
    "batches",
    "batch_statements",
    "log_entries",
    "log_heads",
    "log_checkpoints",
    "log_handovers",
    "chain_events",
    "quarantine",
    "captures",
    "capture_events",
    "capture_statements",
    "reports",
    "report_steps",
    "capture_documents",
    "event_contents",
    "event_items",
    "tombstones",
    "tombstone_lists",
    "erased_items",
    "erased_messages",
    "disclosures",
    "consents",
    "handed_documents",
    "logged_documents",
    "archives",
    "archived_items",
];

/// All other tables, with what the service does to them beside reading and adding.
pub const CHANGEABLE: [(&str, &[&str]); 22] = [
    ("credentials", &["UPDATE"]),
    ("enrolments", &["UPDATE"]),
    ("batch_queue", &["DELETE"]),
    ("inclusions_due", &["DELETE"]),
    ("leases", &["UPDATE"]),
    ("ingest_gate", &["UPDATE"]),
    ("made_batches", &["DELETE"]),
    ("chain_heads", &["UPDATE"]),
    ("chain_cursors", &["UPDATE"]),
    ("capture_chains", &["UPDATE"]),
    ("people", &["UPDATE"]),
    ("sessions", &["UPDATE", "DELETE"]),
    ("second_factors", &["UPDATE", "DELETE"]),
    ("recovery_codes", &["UPDATE", "DELETE"]),
    ("identities", &["DELETE"]),
    ("clients", &["UPDATE"]),
    ("access_tokens", &["DELETE"]),
    ("client_assertions", &["DELETE"]),
    ("kept_answers", &["UPDATE", "DELETE"]),
    ("scans", &["UPDATE"]),
    ("report_contacts", &["DELETE"]),
    ("unknown_scans", &["UPDATE"]),
];

/// Both lists, as the service's role is given them.
pub const PRIVILEGES: Privileges = Privileges {
    append_only: &APPEND_ONLY,
    changeable: &CHANGEABLE,
};
