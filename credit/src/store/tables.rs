//! Which tables there are and what the service may do to each; a test compares this with the
//! migrations.

use kit::postgres::Privileges;

/// Tables from which nothing is ever changed or removed. The role of the service on PostgreSQL has
/// no UPDATE and no DELETE on them.
pub const APPEND_ONLY: [&str; 42] = [
    "sandbox_limits",
    "decisions",
    "reservations",
    "refusals",
    "evidence",
    "reviews",
    "releases",
    "audit",
    "ledger_pages",
    "ledger_entries",
    "ledger_postings",
    "trial_records",
    "trial_borrowers",
    "trial_reservations",
    "trial_releases",
    "trial_retakes",
    "trial_refusals",
    "pledge_steps",
    "borrower_accounts",
    "desk_items",
    "desk_files",
    "attestations",
    "loan_terms",
    "loan_acts",
    "loan_payees",
    "loan_denials",
    "loan_motions",
    "loan_motion_ends",
    "loan_rows",
    "loan_rows_told",
    "pledge_refusals",
    "case_uses",
    "case_identifiers",
    "case_links",
    "passages",
    "offer_ends",
    "model_artefacts",
    "model_cards",
    "model_steps",
    "model_uses",
    "model_shadows",
    "model_places",
];

/// All other tables, with what the service does to them beside reading and adding.
pub const CHANGEABLE: [(&str, &[&str]); 22] = [
    ("sandbox_use", &["UPDATE"]),
    ("people", &["UPDATE"]),
    ("sessions", &["UPDATE", "DELETE"]),
    ("second_factors", &["UPDATE", "DELETE"]),
    ("recovery_codes", &["UPDATE", "DELETE"]),
    ("identities", &["DELETE"]),
    ("clients", &["UPDATE"]),
    ("access_tokens", &["DELETE"]),
    ("client_assertions", &["DELETE"]),
    ("kept_answers", &["UPDATE", "DELETE"]),
    ("refusal_reasons", &["UPDATE"]),
    ("trial_guards", &["UPDATE"]),
    ("trial_counters", &["UPDATE"]),
    ("pledge_slots", &["UPDATE"]),
    ("pledge_lots", &["UPDATE"]),
    ("pledge_heads", &["UPDATE"]),
    ("pledge_watches", &["UPDATE"]),
    ("consent_marks", &["UPDATE"]),
    ("loan_heads", &["UPDATE"]),
    ("loan_room", &["UPDATE"]),
    ("lending_leases", &["UPDATE"]),
    ("pledge_streams", &["UPDATE"]),
];

/// Both lists, as the service's role is given them.
pub const PRIVILEGES: Privileges = Privileges {
    append_only: &APPEND_ONLY,
    changeable: &CHANGEABLE,
};
