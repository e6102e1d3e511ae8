//! Which tables there are and what the service may do to each; a test compares this with the
//! migrations.

use kit::postgres::Privileges;

/// Tables from which nothing is ever changed or removed. The role of the service on PostgreSQL has
/// no UPDATE and no DELETE on them.
pub const APPEND_ONLY: [&str; 8] = [
    "sandbox_limits",
    "decisions",
    "reservations",
    "refusals",
    "evidence",
    "reviews",
    "releases",
    "audit",
];

/// All other tables, with what the service does to them beside reading and adding.
pub const CHANGEABLE: [(&str, &[&str]); 4] = [
    ("sandbox_use", &["UPDATE"]),
    ("people", &["UPDATE"]),
    ("sessions", &["UPDATE", "DELETE"]),
    ("refusal_reasons", &["UPDATE"]),
];

/// Both lists, as the service's role is given them.
pub const PRIVILEGES: Privileges = Privileges {
    append_only: &APPEND_ONLY,
    changeable: &CHANGEABLE,
};
