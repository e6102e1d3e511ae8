//! Statements of an adapter.

use std::collections::BTreeMap;

use super::Complaint;
use super::schema::{Schema, Spread};
use super::tokens::{find, has, in_parentheses, tokens};

/// What no statement may hold: a distributed PostgreSQL refuses it, or it makes the outcome depend
/// on the server. Words that follow each other.
const FORBIDDEN: [(&[&str], &str); 27] = [
    (&["now"], "bind the instant"),
    (&["current_timestamp"], "bind the instant"),
    (&["current_date"], "bind the instant"),
    (&["current_time"], "bind the instant"),
    (&["localtimestamp"], "bind the instant"),
    (&["clock_timestamp"], "bind the instant"),
    (&["statement_timestamp"], "bind the instant"),
    (&["transaction_timestamp"], "bind the instant"),
    (&["random"], "bind the value"),
    (&["gen_random_uuid"], "ids are made by the client"),
    (&["uuid_generate_v4"], "ids are made by the client"),
    (&["nextval"], "ids are made by the client"),
    (&["currval"], "ids are made by the client"),
    (&["lastval"], "ids are made by the client"),
    (&["pg_advisory_lock"], "a lease row elects"),
    (&["pg_advisory_xact_lock"], "a lease row elects"),
    (&["pg_try_advisory_lock"], "a lease row elects"),
    (&["pg_try_advisory_xact_lock"], "a lease row elects"),
    (&["listen"], "there is none across nodes"),
    (&["notify"], "there is none across nodes"),
    (&["pg_notify"], "there is none across nodes"),
    (&["skip", "locked"], "it is refused across shards"),
    (&["with", "recursive"], "graphs are walked in Rust"),
    (&["temp", "table"], "it is refused"),
    (&["temporary", "table"], "it is refused"),
    (&["lock", "table"], "a lease row elects"),
    (&["merge", "into"], "it is refused across shards"),
];

/// Words that never stand in a statement.
pub fn forbidden(place: &str, sql: &str) -> Vec<Complaint> {
    let tokens = tokens(sql);
    let found = FORBIDDEN.iter().filter(|(words, _)| has(&tokens, words));
    found
        .map(|(words, instead)| format!("{place}: `{}`: {instead}: {sql}", words.join(" ")))
        .collect()
}

/// What only the Rust source shows.
pub fn check_source(place: &str, source: &str) -> Vec<Complaint> {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let counted = code.iter().any(|line| line.contains("rows_affected"));
    let complaint = || format!("{place}: rows_affected: count what RETURNING gives");
    counted.then(complaint).into_iter().collect()
}

/// Everything that is wrong with a statement.
pub fn check(place: &str, sql: &str, schema: &Schema) -> Vec<Complaint> {
    let mut complaints = forbidden(place, sql);
    let tokens = tokens(sql);
    let mut complain = |what: String| complaints.push(format!("{place}: {what}: {sql}"));
    for table in tables(&tokens) {
        if !schema.tables.contains_key(table) {
            complain(format!("no migration makes `{table}`"));
        }
    }
    for partition in schema
        .partitions
        .keys()
        .filter(|name| has(&tokens, &[name]))
    {
        complain(format!("`{partition}` is a partition, name its table"));
    }
    check_conflict(&tokens, schema, &mut complain);
    check_moved(&tokens, schema, &mut complain);
    check_joins(&tokens, &BTreeMap::new(), schema, &mut complain);
    complaints
}

/// Tables that are written.
fn tables(tokens: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    for words in [&["insert", "into"][..], &["delete", "from"], &["update"]] {
        // `FOR UPDATE` and `DO UPDATE SET` write no other table.
        if let Some(at) = find(tokens, words).filter(|at| words.len() == 2 || *at == 0) {
            found.extend(tokens.get(at + words.len()).map(String::as_str));
        }
    }
    found
}

/// `ON CONFLICT` names its target, and that holds the column that the table is spread by.
fn check_conflict(tokens: &[String], schema: &Schema, complain: &mut impl FnMut(String)) {
    let (Some(on), Some(into)) = (find(tokens, &["on", "conflict"]), find(tokens, &["into"]))
    else {
        return;
    };
    let table = &tokens[into + 1];
    if tokens.get(on + 2).is_none_or(|token| token != "(") {
        return complain("ON CONFLICT names no columns".into());
    }
    let columns = in_parentheses(tokens, on).map_or(&[][..], |(columns, _)| columns);
    if let Some(Spread::By(by)) = schema.tables.get(table)
        && !columns.contains(by)
    {
        complain(format!(
            "`{table}` is spread by `{by}`, which is not in ON CONFLICT"
        ));
    }
    if let Some(by) = schema.partitioned.get(table)
        && !columns.contains(by)
    {
        complain(format!(
            "`{table}` is partitioned by `{by}`, which is not in ON CONFLICT"
        ));
    }
}

/// No row moves to another shard.
fn check_moved(tokens: &[String], schema: &Schema, complain: &mut impl FnMut(String)) {
    let Some(set) = find(tokens, &["set"]) else {
        return;
    };
    let table = match find(tokens, &["insert", "into"]) {
        Some(at) => &tokens[at + 2],
        None => &tokens[1],
    };
    let end = find(&tokens[set..], &["where"]).map_or(tokens.len(), |at| set + at);
    if let Some(Spread::By(by)) = schema.tables.get(table) {
        for part in super::tokens::parts(&tokens[set + 1..end]) {
            if part.first() == Some(by) {
                complain(format!(
                    "`{table}` is spread by `{by}`, which may not be set"
                ));
            }
        }
    }
}

/// A table of a scope, by its alias.
type Scope = BTreeMap<String, String>;

/// Within one SELECT, tables that are spread meet by the columns that they are spread by; a
/// subquery that names a table of the SELECT around it meets it in the same way. What is kept in
/// one place does not meet what is spread.
fn check_joins(
    tokens: &[String],
    outer: &Scope,
    schema: &Schema,
    complain: &mut impl FnMut(String),
) {
    let (own, below) = split_subqueries(tokens);
    let scope = scope(&own, schema);
    let mut around = outer.clone();
    around.extend(scope.clone());
    check_scope(&own, &scope, outer, schema, complain);
    for subquery in below {
        check_joins(subquery, &around, schema, complain);
    }
}

/// The tokens outside of subqueries, and the subqueries.
fn split_subqueries(tokens: &[String]) -> (Vec<String>, Vec<&[String]>) {
    let (mut own, mut below, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        let opens = tokens[at] == "(" && tokens.get(at + 1).is_some_and(|next| next == "select");
        match in_parentheses(tokens, at).filter(|_| opens) {
            Some((inside, behind)) => {
                below.push(inside);
                own.push("subquery".to_owned());
                at = behind;
            }
            None => {
                own.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (own, below)
}

/// Tables after FROM and JOIN that the schema knows, by alias.
fn scope(tokens: &[String], schema: &Schema) -> Scope {
    let mut found = Scope::new();
    let places = tokens.iter().enumerate();
    let after = places.filter(|(_, token)| ["from", "join", ","].contains(&token.as_str()));
    for (at, _) in after {
        let Some(table) = tokens
            .get(at + 1)
            .filter(|t| schema.tables.contains_key(*t))
        else {
            continue;
        };
        let not_alias = [
            "where", "order", "group", "limit", "join", "left", "on", ",", "for", "on",
        ];
        let next = tokens.get(at + 2).filter(|next| *next != "as");
        let next = next.or_else(|| tokens.get(at + 3));
        let alias = next.filter(|next| {
            !not_alias.contains(&next.as_str()) && next.starts_with(|c: char| c.is_alphabetic())
        });
        found.insert(alias.unwrap_or(table).clone(), table.clone());
    }
    found
}

fn check_scope(
    tokens: &[String],
    scope: &Scope,
    outer: &Scope,
    schema: &Schema,
    complain: &mut impl FnMut(String),
) {
    let mut all = outer.clone();
    all.extend(scope.clone());
    let names_outer = outer.keys().any(|alias| has(tokens, &[alias, "."]));
    let involved: Vec<&String> = all
        .keys()
        .filter(|alias| {
            let own = scope.contains_key(*alias);
            own || (names_outer && has(tokens, &[alias, "."]))
        })
        .collect();
    let spread = |alias: &String| match schema.tables.get(&all[alias]) {
        Some(Spread::By(column)) => Some(column.clone()),
        _ => None,
    };
    let (far, near): (Vec<&String>, Vec<&String>) = involved
        .into_iter()
        .partition(|alias| spread(alias).is_some());
    if !far.is_empty() && !near.is_empty() {
        let (far, near) = (&all[far[0]], &all[near[0]]);
        complain(format!(
            "`{near}` is in one place and meets `{far}`, which is spread"
        ));
    }
    let mut met: Vec<&String> = far.first().copied().into_iter().collect();
    let mut grows = true;
    while grows {
        grows = false;
        for alias in &far {
            let meets =
                |other: &&String| equal(tokens, (alias, &spread(alias)), (other, &spread(other)));
            if !met.contains(alias) && met.iter().any(meets) {
                met.push(alias);
                grows = true;
            }
        }
    }
    if let Some(alone) = far.iter().find(|alias| !met.contains(alias)) {
        let (one, other) = (&all[*alone], &all[met[0]]);
        complain(format!(
            "`{one}` and `{other}` do not meet by what they are spread by"
        ));
    }
}

/// True if `a.column = b.column` stands there, in either order.
fn equal(
    tokens: &[String],
    (a, a_column): (&String, &Option<String>),
    (b, b_column): (&String, &Option<String>),
) -> bool {
    let (Some(a_column), Some(b_column)) = (a_column, b_column) else {
        return false;
    };
    let one = [a, ".", a_column, "=", b, ".", b_column].map(|word: &str| word);
    let other = [b, ".", b_column, "=", a, ".", a_column].map(|word: &str| word);
    has(tokens, &one) || has(tokens, &other)
}

/// A statement changes only tables that may be changed, and only in the way that is named.
pub fn check_verbs(place: &str, sql: &str, changeable: &[(&str, &[&str])]) -> Vec<Complaint> {
    let tokens = tokens(sql);
    let mut wanted = Vec::new();
    match tokens.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["update", table, ..] => wanted.push((table, "UPDATE")),
        ["delete", "from", table, ..] => wanted.push((table, "DELETE")),
        ["insert", "into", table, ..] if has(&tokens, &["do", "update"]) => {
            wanted.push((table, "UPDATE"));
        }
        ["insert", "or", ..] | ["replace", ..] | ["truncate", ..] => wanted.push(("?", "REPLACE")),
        _ => {}
    }
    let allowed = |(table, verb): &(&str, &str)| {
        let verbs = changeable.iter().find(|(named, _)| named == table);
        verbs.is_some_and(|(_, verbs)| verbs.contains(verb))
    };
    let refused = wanted.into_iter().filter(|wanted| !allowed(wanted));
    refused
        .map(|(table, verb)| format!("{place}: {verb} on `{table}` is not allowed: {sql}"))
        .collect()
}
