//! The lint can fail: a bad sample for each thing that it refuses, and good ones that it takes.

use super::schema::{Schema, numbering};
use super::statement::{check, check_source, check_verbs};

const GOOD: &str = "
CREATE TABLE things ( -- spread by id
  id    BYTEA NOT NULL CHECK (length(id) = 32),
  owner TEXT COLLATE \"C\" NOT NULL,
  made  TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (owner, id)
);
CREATE TABLE parts ( -- spread by thing
  thing BYTEA NOT NULL,
  place BIGINT NOT NULL,
  PRIMARY KEY (thing, place)
);
CREATE TABLE owners ( -- spread by name
  name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY
);
CREATE TABLE leases ( -- in one place
  name  TEXT COLLATE \"C\" NOT NULL PRIMARY KEY,
  fence BIGINT NOT NULL UNIQUE
);
CREATE TABLE months ( -- spread by thing
  thing BYTEA NOT NULL,
  made  TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (thing, made)
) PARTITION BY RANGE (made);
CREATE TABLE months_default PARTITION OF months DEFAULT;
CREATE TABLE old ( -- spread by thing
  thing BYTEA NOT NULL PRIMARY KEY
);
ALTER TABLE old RENAME TO older;
INSERT INTO months (thing, made) SELECT o.thing, t.made FROM older o JOIN things t ON t.id = o.thing;
DROP TABLE older;
CREATE UNIQUE INDEX things_id ON things (id);
CREATE INDEX things_made ON things (made) WHERE owner = 'x';
";

fn schema(text: &str) -> Schema {
    let mut schema = Schema::default();
    schema.read("m", text);
    schema.end();
    schema
}

#[test]
fn good_migration_is_taken() {
    let schema = schema(GOOD);
    assert_eq!(schema.complaints, Vec::<String>::new());
    assert_eq!(schema.tables.len(), 5);
}

/// A migration of one table with this line in it, or after it.
fn complaints_of(line: &str, after: &str) -> String {
    let text = format!(
        "CREATE TABLE t ( -- spread by id\n  id BYTEA NOT NULL PRIMARY KEY{line}\n);\n{after}"
    );
    schema(&text).complaints.join("\n")
}

#[test]
fn bad_columns_and_keys_are_refused() {
    assert_eq!(complaints_of("", ""), "");
    let lines = [
        (", n BIGINT UNIQUE", "not in its key (n)"),
        (", n BIGINT, UNIQUE (n)", "not in its key (n)"),
        (", n BIGINT, CONSTRAINT c UNIQUE (n)", "not in its key (n)"),
        (", n BYTEA REFERENCES u (id)", "not in its key (n)"),
        (
            ", n BYTEA, FOREIGN KEY (n) REFERENCES u (id)",
            "not in its key (n)",
        ),
        (", n BIGSERIAL", "`bigserial` is refused"),
        (
            ", n BIGINT GENERATED ALWAYS AS IDENTITY",
            "`identity` is refused",
        ),
        (", n TIMESTAMPTZ DEFAULT now()", "`now`: bind the instant"),
        (", n TIMESTAMP", "TIMESTAMPTZ"),
        (", n TEXT", "does not sort by bytes"),
        (", n TEXT COLLATE \"de_DE\"", "does not sort by bytes"),
        (", n VARCHAR (5)", "is no TEXT"),
        (", n INTEGER", "BIGINT"),
        (", n DOUBLE PRECISION", "`double` is refused"),
        (", EXCLUDE USING gist (n WITH =)", "`exclude` is refused"),
        (" DEFERRABLE", "`deferrable` is refused"),
    ];
    for (line, expected) in lines {
        let found = complaints_of(line, "");
        assert!(found.contains(expected), "{line}: {found}");
    }
}

#[test]
fn bad_statements_of_migrations_are_refused() {
    let statements = [
        ("CREATE UNIQUE INDEX i ON t (n);", "not in its key (n)"),
        (
            "ALTER TABLE t ADD CONSTRAINT c UNIQUE (n);",
            "not in its key (n)",
        ),
        ("ALTER TABLE t ADD COLUMN n TEXT;", "does not sort by bytes"),
        ("ALTER TABLE t DROP COLUMN n;", "does not know"),
        ("ALTER TABLE u ADD COLUMN n BIGINT;", "never made"),
        (
            "CREATE TRIGGER x AFTER INSERT ON t EXECUTE PROCEDURE f();",
            "`trigger`",
        ),
        ("CREATE RULE x AS ON INSERT TO t DO NOTHING;", "`rule`"),
        ("CREATE SEQUENCE s;", "`create sequence`"),
        ("CREATE TEMP TABLE x (y BIGINT PRIMARY KEY);", "`temp`"),
        (
            "CREATE UNLOGGED TABLE x (y BIGINT PRIMARY KEY);",
            "`unlogged`",
        ),
        ("CREATE FUNCTION f() RETURNS x AS 'y';", "`function`"),
        ("LISTEN x;", "`listen`"),
        ("CREATE TABLE u (id BYTEA PRIMARY KEY);", "does not say"),
        (
            "CREATE TABLE u ( -- in one place\n id BYTEA);",
            "no primary key",
        ),
        (
            "CREATE TABLE u ( -- spread by a\n a BIGINT, b BIGINT PRIMARY KEY);",
            "not in its key",
        ),
        ("UPDATE t SET id = 'x';", "does not know"),
        ("DROP TABLE u;", "is dropped and was never made"),
        (
            "ALTER TABLE u RENAME TO v;",
            "is renamed and was never made",
        ),
        (
            "CREATE TABLE u PARTITION OF t DEFAULT;",
            "a table that is not partitioned",
        ),
        (
            "CREATE TABLE m ( -- spread by id\n id BYTEA, made TIMESTAMPTZ, PRIMARY KEY (id, made)
             ) PARTITION BY RANGE (made);",
            "has no default partition",
        ),
        (
            "CREATE TABLE m ( -- spread by id\n id BYTEA PRIMARY KEY, made TIMESTAMPTZ
             ) PARTITION BY RANGE (made); CREATE TABLE m_default PARTITION OF m DEFAULT;",
            "partitioned by made, which is not in its key (id)",
        ),
        (
            "CREATE TABLE m ( -- spread by id\n id BYTEA PRIMARY KEY) PARTITION BY HASH (id);",
            "something else than ranges",
        ),
        (
            "CREATE TABLE m ( -- spread by id\n id BYTEA, made TIMESTAMPTZ, PRIMARY KEY (id, made)
             ) PARTITION BY RANGE (made); CREATE TABLE m_1 PARTITION OF m FOR VALUES
             FROM ('2026-01-01T00:00:00Z') TO ('2026-02-01T00:00:00Z');",
            "is not the default partition",
        ),
        (
            "INSERT INTO t (id) SELECT x.id FROM t x JOIN t y ON y.n = x.n;",
            "do not meet",
        ),
    ];
    for (statement, expected) in statements {
        let found = complaints_of("", statement);
        assert!(found.contains(expected), "{statement}: {found}");
    }
    let good = [
        "CREATE UNIQUE INDEX i ON t (n, id);",
        "ALTER TABLE t ADD COLUMN n TEXT COLLATE \"C\";",
    ];
    for statement in good {
        assert_eq!(complaints_of("", statement), "");
    }
}

fn said_of(sql: &str) -> String {
    check("s", sql, &schema(GOOD)).join("\n")
}

#[test]
fn good_statements_are_taken() {
    let statements = [
        "SELECT id FROM things WHERE owner = $1 ORDER BY made",
        "SELECT t.id FROM things t JOIN parts p ON p.thing = t.id",
        "SELECT t.id FROM parts AS p JOIN unnest($1::bytea[]) AS n (id) ON n.id = p.thing
         JOIN things t ON t.id = p.thing",
        "SELECT (SELECT count(*) FROM things), (SELECT count(*) FROM owners)",
        "SELECT t.id FROM things t WHERE EXISTS (SELECT 1 FROM parts p WHERE p.thing = t.id)",
        "INSERT INTO things (id, owner, made) VALUES ($1, $2, $3) ON CONFLICT (owner, id) DO NOTHING",
        "INSERT INTO leases (name, fence) VALUES ($1, 1)
         ON CONFLICT (name) DO UPDATE SET fence = leases.fence + 1 RETURNING fence",
        "UPDATE things SET owner = $2 WHERE id = $1",
        "SELECT fence FROM leases WHERE name = 'log' FOR UPDATE",
    ];
    for sql in statements {
        assert_eq!(said_of(sql), "");
    }
}

#[test]
fn bad_statements_are_refused() {
    let statements = [
        (
            "INSERT INTO things (id) VALUES ($1) ON CONFLICT DO NOTHING",
            "names no columns",
        ),
        (
            "INSERT INTO things (id) VALUES ($1) ON CONFLICT (owner) DO NOTHING",
            "spread by `id`, which is not in ON CONFLICT",
        ),
        (
            "UPDATE things SET id = $1 WHERE owner = $2",
            "which may not be set",
        ),
        (
            "INSERT INTO owners (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = $2",
            "which may not be set",
        ),
        ("UPDATE things SET made = now() WHERE id = $1", "`now`"),
        (
            "SELECT id FROM things WHERE made < CURRENT_TIMESTAMP",
            "`current_timestamp`",
        ),
        ("SELECT pg_advisory_lock(1)", "`pg_advisory_lock`"),
        (
            "SELECT id FROM things FOR UPDATE SKIP LOCKED",
            "`skip locked`",
        ),
        (
            "WITH RECURSIVE w AS (SELECT 1) SELECT * FROM w",
            "`with recursive`",
        ),
        ("LISTEN things", "`listen`"),
        ("SELECT nextval('s')", "`nextval`"),
        ("CREATE TEMP TABLE x (y BIGINT)", "`temp table`"),
        (
            "SELECT t.id FROM things t JOIN owners o ON o.name = t.owner",
            "do not meet",
        ),
        (
            "SELECT t.id FROM things t JOIN parts p ON p.place = t.place",
            "do not meet",
        ),
        (
            "SELECT t.id FROM things t, parts p WHERE p.place = 1",
            "do not meet",
        ),
        (
            "SELECT t.id FROM things t JOIN leases l ON l.name = t.owner",
            "is in one place and meets",
        ),
        (
            "SELECT t.id FROM things t WHERE EXISTS (SELECT 1 FROM owners o WHERE o.name = t.owner)",
            "do not meet",
        ),
        (
            "SELECT t.id FROM things t WHERE EXISTS (SELECT 1 FROM leases l WHERE l.name = t.owner)",
            "is in one place and meets",
        ),
        (
            "INSERT INTO months (thing, made) VALUES ($1, $2) ON CONFLICT (thing) DO NOTHING",
            "partitioned by `made`, which is not in ON CONFLICT",
        ),
        (
            "SELECT thing FROM months_default",
            "`months_default` is a partition",
        ),
        (
            "INSERT INTO thing (id) VALUES ($1)",
            "no migration makes `thing`",
        ),
        (
            "DELETE FROM thing WHERE id = $1",
            "no migration makes `thing`",
        ),
    ];
    for (sql, expected) in statements {
        let found = said_of(sql);
        assert!(found.contains(expected), "{sql}: {found}");
    }
}

#[test]
fn other_bad_samples_are_refused() {
    let changeable: &[(&str, &[&str])] = &[("leases", &["UPDATE"])];
    let verbs = |sql| check_verbs("s", sql, changeable).len();
    assert_eq!(verbs("UPDATE leases SET fence = 1"), 0);
    assert_eq!(verbs("INSERT INTO things (id) VALUES ($1)"), 0);
    assert_eq!(
        verbs("INSERT INTO leases (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET x = 1"),
        0
    );
    for sql in [
        "DELETE FROM leases",
        "UPDATE things SET owner = 'x'",
        "DELETE FROM things",
        "INSERT INTO things (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET owner = 'x'",
        "INSERT OR REPLACE INTO things (id) VALUES ($1)",
        "TRUNCATE things",
    ] {
        assert_eq!(verbs(sql), 1, "{sql}");
    }
    assert_eq!(check_source("s", "let n = done.rows_affected();").len(), 1);
    assert_eq!(
        check_source("s", "// rows_affected counts wrongly here").len(),
        0
    );
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
    assert!(numbering(&names(&["0001_a.sql", "0002_b.sql"])).is_empty());
    assert_eq!(numbering(&names(&["0001_a.sql", "0001_b.sql"])).len(), 1);
    assert_eq!(numbering(&names(&["1_a.sql"])).len(), 1);
}
