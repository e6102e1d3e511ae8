//! The schema of a service: brought up to date by its owner, only looked at by the service's own
//! role, which can read and add everywhere and change only what is named.

use std::collections::BTreeMap;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Tries of the migrations beyond one for each: another process may be at it, and each of its steps
/// can beat one of ours.
const SPARE_TRIES: usize = 5;

/// What the role of a service may do to the tables. Reading and adding is allowed everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Privileges {
    /// Tables from which nothing is ever changed or removed by the service.
    pub append_only: &'static [&'static str],
    /// Tables that may be changed, each with the SQL verbs that the service needs.
    pub changeable: &'static [(&'static str, &'static [&'static str])],
}

/// The schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database failed or refused.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A migration failed; those before it stay.
    #[error("the schema could not be brought up to date")]
    Migration(#[source] MigrateError),
    /// The tables are older than the program.
    #[error(
        "the schema is at version {found}, this program needs {needed}, and its role may not migrate: run `migrate` as the owner"
    )]
    Behind {
        /// Version in the database; 0 without any table.
        found: i64,
        /// Version of the program.
        needed: i64,
    },
    /// The tables are newer than the program.
    #[error(
        "the schema is at version {found}, newer than this program's {known}: use the newer program"
    )]
    Ahead {
        /// Version in the database.
        found: i64,
        /// Version of the program.
        known: i64,
    },
    /// A migration was made by another text under the same number.
    #[error("migration {0} in the database is not this program's: it was made by another one")]
    Differs(i64),
    /// There is no such role.
    #[error("the database has no role `{0}`: make it first (CREATE ROLE ... LOGIN PASSWORD ...)")]
    NoRole(String),
    /// The role of the service must not be able to change what it may only add to.
    #[error("`{0}` owns the tables or is a superuser: the service needs a role of its own")]
    NoService(String),
}

/// Makes the tables and brings them up to date. Several processes may try at once.
///
/// The library's own lock is an advisory one, which a distributed PostgreSQL refuses or keeps on
/// one node only, so it is off. Instead each migration and the row that says so are one
/// transaction: whoever comes second fails on the row or the table, and looks again.
///
/// # Errors
/// [`SchemaError`].
pub async fn bring_up(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<(), SchemaError> {
    let alone = Migrator {
        migrations: migrator.migrations.clone(),
        locking: false,
        ..Migrator::DEFAULT
    };
    let mut tries = SPARE_TRIES + migrator.iter().count();
    loop {
        tries -= 1;
        let outcome = alone.run_direct(None, connection, false).await;
        match (outcome, verify(connection, migrator).await) {
            (_, Ok(())) => return Ok(()),
            (_, Err(error @ (SchemaError::Ahead { .. } | SchemaError::Differs(_)))) => {
                return Err(error);
            }
            (Err(error), _) if tries == 0 || !is_race(&error) => {
                return Err(SchemaError::Migration(error));
            }
            (Ok(()), Err(error)) if tries == 0 => return Err(error),
            _ => {}
        }
    }
}

/// True if somebody else has just made what we wanted to make, or was about to.
fn is_race(error: &MigrateError) -> bool {
    // unique_violation, duplicate_table, duplicate_object, duplicate_column, then the two of
    // `is_retriable`.
    let made = ["23505", "42P07", "42710", "42701"];
    let source = match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => source,
        _ => return false,
    };
    let code = source.as_database_error().and_then(|error| error.code());
    super::is_retriable(source) || code.is_some_and(|code| made.contains(&&*code))
}

/// Compares what is in the database with what the program was built with.
///
/// # Errors
/// [`SchemaError::Behind`], [`SchemaError::Ahead`], [`SchemaError::Differs`], or the database's.
pub async fn verify(connection: &mut PgConnection, migrator: &Migrator) -> Result<(), SchemaError> {
    let applied = applied(connection).await?;
    let known: BTreeMap<i64, &[u8]> = migrator
        .iter()
        .map(|migration| (migration.version, &*migration.checksum))
        .collect();
    let newest = |versions: Option<&i64>| versions.copied().unwrap_or(0);
    let (found, needed) = (newest(applied.keys().last()), newest(known.keys().last()));
    for (version, checksum) in &applied {
        match known.get(version) {
            Some(known) if known == checksum => {}
            None if *version > needed => {
                return Err(SchemaError::Ahead {
                    found,
                    known: needed,
                });
            }
            _ => return Err(SchemaError::Differs(*version)),
        }
    }
    if applied.len() < known.len() {
        return Err(SchemaError::Behind { found, needed });
    }
    Ok(())
}

/// Number and checksum of the migrations that were applied; none where there is no table of them.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, SchemaError> {
    let (exists,): (bool,) = sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// True if the session's role may migrate: it owns the tables or, where there are none, may make
/// them.
///
/// # Errors
/// The database's.
pub async fn is_owner(connection: &mut PgConnection) -> Result<bool, SchemaError> {
    let (owns,): (Option<bool>,) = sqlx::query_as(
        "SELECT CASE WHEN to_regclass('_sqlx_migrations') IS NULL
                     THEN has_schema_privilege(current_schema(), 'CREATE')
                     ELSE (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
                           WHERE oid = to_regclass('_sqlx_migrations')) END",
    )
    .fetch_one(connection)
    .await?;
    Ok(owns.unwrap_or(false))
}

/// Gives the role of the service what it needs and takes away what it does not.
///
/// # Errors
/// [`SchemaError::NoRole`], [`SchemaError::NoService`], or the database's.
pub async fn grant(
    connection: &mut PgConnection,
    privileges: &Privileges,
    role: &str,
) -> Result<(), SchemaError> {
    let schema = bounded(connection, role).await?;
    carry_out(connection, grants(privileges, &quoted(role), &schema)).await
}

/// Gives a role exactly these verbs on these tables and nothing else.
///
/// # Errors
/// [`SchemaError::NoRole`], [`SchemaError::NoService`], or the database's.
pub async fn grant_only(
    connection: &mut PgConnection,
    role: &str,
    tables: &[(&str, &[&str])],
) -> Result<(), SchemaError> {
    let schema = bounded(connection, role).await?;
    let role = quoted(role);
    let verbs = |(table, verbs): &(&str, &[&str])| {
        let (table, verbs) = (quoted(table), verbs.join(", "));
        format!("GRANT {verbs} ON {schema}.{table} TO {role}")
    };
    let first = [
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"),
    ];
    let statements = first.into_iter().chain(tables.iter().map(verbs));
    carry_out(connection, statements.collect()).await
}

/// The schema, quoted, if the role is one that can be kept in bounds.
async fn bounded(connection: &mut PgConnection, role: &str) -> Result<String, SchemaError> {
    let found: Option<(bool,)> = sqlx::query_as(
        "SELECT rolsuper OR pg_has_role(pg_roles.oid, relowner, 'MEMBER')
         FROM pg_roles, pg_class
         WHERE rolname = $1 AND pg_class.oid = to_regclass('_sqlx_migrations')",
    )
    .bind(role)
    .fetch_optional(&mut *connection)
    .await?;
    match found {
        None => return Err(SchemaError::NoRole(role.to_owned())),
        Some((true,)) => return Err(SchemaError::NoService(role.to_owned())),
        Some((false,)) => {}
    }
    let (schema,): (String,) = sqlx::query_as("SELECT current_schema()::text")
        .fetch_one(&mut *connection)
        .await?;
    Ok(quoted(&schema))
}

async fn carry_out(
    connection: &mut PgConnection,
    statements: Vec<String>,
) -> Result<(), SchemaError> {
    let mut transaction = connection.begin().await?;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await?;
    }
    Ok(transaction.commit().await?)
}

fn grants(privileges: &Privileges, role: &str, schema: &str) -> Vec<String> {
    let mut statements = vec![
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"),
        format!("GRANT SELECT ON {schema}._sqlx_migrations TO {role}"),
    ];
    let mut allow = |table: &str, verbs: &str| {
        statements.push(format!(
            "GRANT SELECT, INSERT{verbs} ON {schema}.{} TO {role}",
            quoted(table)
        ));
    };
    for table in privileges.append_only {
        allow(table, "");
    }
    for (table, verbs) in privileges.changeable {
        let verbs: String = verbs.iter().map(|verb| format!(", {verb}")).collect();
        allow(table, &verbs);
    }
    statements
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_may_be_changed() {
        let privileges = Privileges {
            append_only: &["statements"],
            changeable: &[("leases", &["UPDATE"])],
        };
        let statements = grants(&privileges, &quoted("a\"b"), &quoted("public"));
        assert_eq!(
            statements[3..],
            [
                "GRANT SELECT, INSERT ON \"public\".\"statements\" TO \"a\"\"b\"",
                "GRANT SELECT, INSERT, UPDATE ON \"public\".\"leases\" TO \"a\"\"b\"",
            ]
        );
    }
}
