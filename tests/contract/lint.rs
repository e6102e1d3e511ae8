//! Migrations and statements keep to what a distributed PostgreSQL takes (`GUIDE.md`, "SQL"), and
//! both engines have the same migrations. Read from the sources, so a new file is read too.
//!
//! What is refused is a [`Complaint`] in words; [`bad`] shows that each can be raised.

mod bad;
mod rust;
mod schema;
mod statement;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schema::Schema;

/// What is wrong, and where.
type Complaint = String;

/// A service with tables.
struct Service {
    folder: &'static str,
    append_only: &'static [&'static str],
    changeable: &'static [(&'static str, &'static [&'static str])],
}

const SERVICES: [Service; 2] = [
    Service {
        folder: "platform",
        append_only: &platform::store::tables::APPEND_ONLY,
        changeable: &platform::store::tables::CHANGEABLE,
    },
    Service {
        folder: "credit",
        append_only: &credit::store::tables::APPEND_ONLY,
        changeable: &credit::store::tables::CHANGEABLE,
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files of a folder and below, by path.
fn files(folder: &Path, ends: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ends));
        } else if path.to_string_lossy().ends_with(ends) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
    found
}

impl Service {
    fn migrations(&self, engine: &str) -> BTreeMap<PathBuf, String> {
        files(
            &root().join(self.folder).join("migrations").join(engine),
            ".sql",
        )
    }

    fn schema(&self) -> Schema {
        let mut schema = Schema::default();
        for (path, text) in self.migrations("postgres") {
            schema.read(&path.display().to_string(), &text);
        }
        schema.end();
        schema
    }

    /// Rust sources of an adapter: the module, what is below it, and what the kit does for it.
    fn adapter(&self, engine: &str) -> BTreeMap<PathBuf, String> {
        let store = root().join(self.folder).join("src/store");
        let people = root().join("platform/kit/src/people/tables");
        let mut found = files(&store.join(engine), ".rs");
        for folder in [store, people] {
            let module = folder.join(format!("{engine}.rs"));
            let text = std::fs::read_to_string(&module).unwrap();
            found.insert(module, text);
        }
        // Written once for both engines.
        for module in [
            "people/tables/factors.rs",
            "people/tables/clients.rs",
            "people/tables/identities.rs",
            "idempotency/tables.rs",
        ] {
            let module = root().join("platform/kit/src").join(module);
            let text = std::fs::read_to_string(&module).unwrap();
            found.insert(module, text);
        }
        found.retain(|path, _| !path.ends_with("tests.rs"));
        found
    }
}

fn assert_none(complaints: &[Complaint]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn both_engines_have_the_same_migrations() {
    for service in SERVICES {
        let names = |engine| -> Vec<String> {
            let files = service.migrations(engine).into_keys();
            let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            files.map(name).collect()
        };
        let (sqlite, postgres) = (names("sqlite"), names("postgres"));
        assert_eq!(sqlite, postgres, "{}", service.folder);
        assert_none(&schema::numbering(&sqlite));
    }
}

#[test]
fn both_engines_have_the_same_tables() {
    for service in SERVICES {
        let mut sqlite = BTreeSet::new();
        for text in service.migrations("sqlite").values() {
            sqlite.extend(schema::tables_made(text));
        }
        let postgres = service.schema();
        let postgres: BTreeSet<String> = postgres.tables.into_keys().collect();
        assert_eq!(sqlite, postgres, "{}", service.folder);
        let changeable = service.changeable.iter().map(|(table, _)| *table);
        let named: BTreeSet<&str> = service
            .append_only
            .iter()
            .copied()
            .chain(changeable)
            .collect();
        let made: BTreeSet<&str> = postgres.iter().map(String::as_str).collect();
        assert_eq!(named, made, "src/store/tables.rs of {}", service.folder);
    }
}

#[test]
fn migrations_keep_to_what_a_distributed_postgresql_takes() {
    for service in SERVICES {
        let schema = service.schema();
        assert!(schema.tables.len() > 4, "nothing was read");
        assert_none(&schema.complaints);
    }
}

#[test]
fn statements_keep_to_what_a_distributed_postgresql_takes() {
    for service in SERVICES {
        let (schema, mut complaints, mut read) = (service.schema(), Vec::new(), 0);
        for (path, text) in service.adapter("postgres") {
            let place = path.display().to_string();
            for sql in rust::statements(&text) {
                read += 1;
                complaints.extend(statement::check(&place, &sql, &schema));
            }
            complaints.extend(statement::check_source(&place, &text));
        }
        assert!(read > 8, "nothing was read");
        assert_none(&complaints);
    }
    let kit = root().join("platform/kit/src");
    let mut complaints = Vec::new();
    for (path, text) in files(&kit, ".rs") {
        for sql in rust::statements(&text) {
            complaints.extend(statement::forbidden(&path.display().to_string(), &sql));
        }
    }
    assert_none(&complaints);
}

#[test]
fn neither_adapter_changes_what_is_append_only() {
    for service in SERVICES {
        for engine in ["sqlite", "postgres"] {
            let (mut complaints, mut read) = (Vec::new(), 0);
            for (path, text) in service.adapter(engine) {
                for sql in rust::statements(&text) {
                    read += 1;
                    let place = path.display().to_string();
                    complaints.extend(statement::check_verbs(&place, &sql, service.changeable));
                }
            }
            assert!(read > 8, "nothing was read");
            assert_none(&complaints);
        }
    }
}

#[test]
fn migrations_say_which_tables_are_append_only() {
    for service in SERVICES {
        for engine in ["sqlite", "postgres"] {
            let texts: Vec<String> = service.migrations(engine).into_values().collect();
            let comments = schema::comments(&texts.join("\n"));
            for table in service.append_only {
                assert!(comments.contains(*table), "{engine}: {table}");
            }
        }
    }
}

/// Methods of the stores' traits, called somewhere in the contract.
#[test]
fn contract_calls_every_method_of_the_traits() {
    let contract = files(&root().join("tests/contract"), ".rs");
    let contract: String = contract.into_values().collect();
    let mut declared = BTreeSet::new();
    for file in [
        "platform/src/store.rs",
        "platform/src/store/erasure.rs",
        "credit/src/store.rs",
        "credit/src/store/desk.rs",
        "credit/src/store/ledger.rs",
        "credit/src/store/pledge.rs",
        "credit/src/store/reviews.rs",
        "credit/src/store/sandbox/adapter.rs",
        "platform/kit/src/people.rs",
    ] {
        declared.extend(methods(file));
    }
    assert!(declared.len() > 60, "{declared:?}");
    declared.retain(|name| !contract.contains(&format!(".{name}(")));
    assert_eq!(declared, BTreeSet::new(), "not in the contract");
}

/// Asynchronous methods of the traits in a file.
fn methods(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    let traits = text.split("\npub trait ").skip(1);
    let bodies = traits.filter_map(|rest| rest.split("\n}\n").next());
    let lines = bodies.flat_map(str::lines);
    lines
        .filter_map(|line| line.trim().strip_prefix("async fn "))
        .filter_map(|rest| Some(rest.split(['(', '<']).next()?.to_owned()))
        .collect()
}
