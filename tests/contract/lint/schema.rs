//! Migrations of PostgreSQL: which tables there are, how each is spread, what its keys are.

use std::collections::{BTreeMap, BTreeSet};

use super::Complaint;
use super::statement::{check, forbidden};
use super::tokens::{find, has, in_parentheses, parts, statements, tokens};

/// Where rows of a table go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Distributed by this column.
    By(String),
    /// Kept whole.
    OnePlace,
}

/// All tables, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Schema {
    pub tables: BTreeMap<String, Spread>,
    /// Partitioned tables, each with the column of its ranges.
    pub partitioned: BTreeMap<String, String>,
    /// Partitions, each with its table.
    pub partitions: BTreeMap<String, String>,
    pub complaints: Vec<Complaint>,
}

/// Things of a migration that a distributed PostgreSQL refuses or that hold a surprise, as words
/// that follow each other.
const REFUSED: [&[&str]; 19] = [
    &["trigger"],
    &["rule"],
    &["create", "sequence"],
    &["serial"],
    &["bigserial"],
    &["smallserial"],
    &["identity"],
    &["deferrable"],
    &["exclude"],
    &["temp"],
    &["temporary"],
    &["unlogged"],
    &["inherits"],
    &["function"],
    &["procedure"],
    &["do", "$$"],
    &["real"],
    &["double"],
    &["float"],
];

impl Schema {
    /// Reads a migration.
    pub fn read(&mut self, place: &str, text: &str) {
        let spreads = spreads(text);
        let tokens = tokens(text);
        for statement in statements(&tokens) {
            let mut complain = |what: String| self.complaints.push(format!("{place}: {what}"));
            for words in REFUSED.iter().filter(|words| has(statement, words)) {
                complain(format!(
                    "`{}` is refused: {}",
                    words.join(" "),
                    shown(statement)
                ));
            }
            self.complaints
                .extend(forbidden(place, &statement.join(" ")));
            match statement.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["create", "table", name, "partition", "of", table, ..] => {
                    self.partition(place, name, table, statement);
                }
                ["create", "table", name, ..] => self.table(place, name, statement, &spreads),
                ["alter", "table", name, "rename", "to", to] => self.renamed(place, name, to),
                ["drop", "table", name] => self.dropped(place, name),
                ["insert", "into", ..] => {
                    let found = check(place, &statement.join(" "), self);
                    self.complaints.extend(found);
                }
                ["create", "unique", "index", ..] => self.unique_index(place, statement),
                ["create", "index", ..] | ["drop", "index", ..] => {}
                ["alter", "table", name, ..] => self.altered(place, name, statement),
                _ => self.complaints.push(format!(
                    "{place}: the lint does not know: {}",
                    shown(statement)
                )),
            }
        }
    }

    fn table(
        &mut self,
        place: &str,
        name: &str,
        statement: &[String],
        spreads: &BTreeMap<String, Spread>,
    ) {
        let Some(spread) = spreads.get(name) else {
            let what = format!("{place}: table {name} does not say `spread by` or `in one place`");
            return self.complaints.push(what);
        };
        self.tables.insert(name.to_owned(), spread.clone());
        let (body, behind) = in_parentheses(statement, 0).unwrap_or((&[][..], statement.len()));
        match ranges(&statement[behind..]) {
            Ok(Some(by)) => {
                self.partitioned.insert(name.to_owned(), by);
            }
            Ok(None) => {}
            Err(what) => self
                .complaints
                .push(format!("{place}: table {name} {what}")),
        }
        let mut has_primary = false;
        for part in parts(body) {
            has_primary |= has(part, &["primary", "key"]);
            self.part(place, name, part);
        }
        if !has_primary {
            self.complaints
                .push(format!("{place}: table {name} has no primary key"));
        }
    }

    /// Only the partition that takes what has none is made by a migration.
    fn partition(&mut self, place: &str, name: &str, table: &str, statement: &[String]) {
        let mut complain = |what: &str| self.complaints.push(format!("{place}: {name} {what}"));
        if !self.partitioned.contains_key(table) {
            complain("is a partition of a table that is not partitioned");
        }
        if statement.last().is_none_or(|word| word != "default") {
            complain("is not the default partition: the owner makes those of months ahead");
        }
        self.partitions.insert(name.to_owned(), table.to_owned());
    }

    fn renamed(&mut self, place: &str, name: &str, to: &str) {
        let Some(spread) = self.tables.remove(name) else {
            let what = format!("{place}: table {name} is renamed and was never made");
            return self.complaints.push(what);
        };
        self.tables.insert(to.to_owned(), spread);
    }

    fn dropped(&mut self, place: &str, name: &str) {
        if self.tables.remove(name).is_none() {
            let what = format!("{place}: table {name} is dropped and was never made");
            self.complaints.push(what);
        }
    }

    /// What shows only once everything was read: a table without a default partition would refuse
    /// rows that fit no other one.
    pub fn end(&mut self) {
        for table in self.partitioned.keys() {
            if !self.partitions.values().any(|of| of == table) {
                let what = format!("table {table} is partitioned and has no default partition");
                self.complaints.push(what);
            }
        }
    }

    /// A column or a constraint.
    fn part(&mut self, place: &str, table: &str, part: &[String]) {
        let constraint = [
            "primary",
            "unique",
            "foreign",
            "constraint",
            "check",
            "exclude",
            "like",
        ];
        let first = part.first().map_or("", String::as_str);
        let is_column = !constraint.contains(&first);
        if is_column {
            for key in [&["primary", "key"][..], &["unique"], &["references"]] {
                if has(part, key) {
                    self.key(place, table, &[first.to_owned()]);
                }
            }
            self.column(place, table, first, part);
            return;
        }
        for key in [&["primary", "key"][..], &["unique"], &["foreign", "key"]] {
            if let Some(at) = find(part, key) {
                let columns = in_parentheses(part, at).map_or(&[][..], |(columns, _)| columns);
                self.key(place, table, columns);
            }
        }
    }

    fn column(&mut self, place: &str, table: &str, name: &str, part: &[String]) {
        let mut complain = |what: &str| {
            self.complaints
                .push(format!("{place}: {table}.{name} {what}"))
        };
        if has(part, &["text"]) && !has(part, &["text", "collate", "\"C\""]) {
            complain("does not sort by bytes: TEXT COLLATE \"C\"");
        }
        if has(part, &["varchar"]) || has(part, &["char"]) {
            complain("is no TEXT COLLATE \"C\"");
        }
        if has(part, &["timestamp"]) || has(part, &["date"]) || has(part, &["time"]) {
            complain("is an instant without a zone: TIMESTAMPTZ");
        }
        if has(part, &["integer"]) || has(part, &["int"]) || has(part, &["smallint"]) {
            complain("is narrower than what the formats hold: BIGINT");
        }
    }

    /// A key must hold the column that its table is spread by, and the one that it is partitioned
    /// by.
    fn key(&mut self, place: &str, table: &str, columns: &[String]) {
        if let Some(by) = self.partitioned.get(table)
            && !columns.contains(by)
        {
            let columns = columns.join(" ");
            self.complaints.push(format!(
                "{place}: {table} is partitioned by {by}, which is not in its key ({columns})"
            ));
        }
        let Some(Spread::By(by)) = self.tables.get(table) else {
            return;
        };
        if !columns.contains(by) {
            let columns = columns.join(" ");
            self.complaints.push(format!(
                "{place}: {table} is spread by {by}, which is not in its key ({columns})"
            ));
        }
    }

    fn unique_index(&mut self, place: &str, statement: &[String]) {
        let Some(on) = find(statement, &["on"]) else {
            return;
        };
        let table = statement[on + 1].clone();
        let columns = in_parentheses(statement, on).map_or(&[][..], |(columns, _)| columns);
        self.key(place, &table, columns);
    }

    fn altered(&mut self, place: &str, table: &str, statement: &[String]) {
        if !self.tables.contains_key(table) {
            let what = format!("{place}: table {table} is altered and was never made");
            return self.complaints.push(what);
        }
        for part in parts(&statement[3..]) {
            match part.first().map(String::as_str) {
                Some("add") => {
                    let skip = if part.get(1).is_some_and(|word| word == "column") {
                        2
                    } else {
                        1
                    };
                    self.part(place, table, &part[skip..]);
                }
                _ => self
                    .complaints
                    .push(format!("{place}: the lint does not know: {}", shown(part))),
            }
        }
    }
}

/// The column by whose ranges a table is partitioned, from what stands behind its columns.
fn ranges(behind: &[String]) -> Result<Option<String>, &'static str> {
    if !has(behind, &["partition", "by"]) {
        return Ok(None);
    }
    match behind.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["partition", "by", "range", "(", column, ")"] => Ok(Some(column.to_owned())),
        _ => Err("is partitioned by something else than ranges of one column"),
    }
}

fn shown(statement: &[String]) -> String {
    statement
        .iter()
        .take(8)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the comment on the line of each `CREATE TABLE` says.
fn spreads(text: &str) -> BTreeMap<String, Spread> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let Some((made, comment)) = line.split_once("--") else {
            continue;
        };
        let words: Vec<&str> = made
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let ["CREATE", "TABLE", name, ..] = words[..] else {
            continue;
        };
        let spread = match comment.split_whitespace().collect::<Vec<_>>()[..] {
            ["spread", "by", column] => Spread::By(column.to_owned()),
            ["in", "one", "place"] => Spread::OnePlace,
            _ => continue,
        };
        found.insert(name.to_owned(), spread);
    }
    found
}

/// Names after `CREATE TABLE`.
pub fn tables_made(text: &str) -> BTreeSet<String> {
    let tokens = tokens(text);
    let made = statements(&tokens).into_iter().filter_map(|statement| {
        let name = has(&statement[..2.min(statement.len())], &["create", "table"]);
        name.then(|| statement[2].clone())
    });
    made.collect()
}

/// The text of all comments.
pub fn comments(text: &str) -> String {
    let comment = |line: &str| line.split_once("--").map(|(_, comment)| comment.to_owned());
    text.lines().filter_map(comment).collect()
}

/// `NNNN_name.sql`, each number once.
pub fn numbering(names: &[String]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut numbers = BTreeSet::new();
    for name in names {
        let (number, rest) = name.split_once('_').unwrap_or_default();
        if number.len() != 4 || number.parse::<u16>().is_err() || rest.len() < 5 {
            complaints.push(format!("{name}: NNNN_name.sql was expected"));
        }
        if !numbers.insert(number) {
            complaints.push(format!("{name}: the number is taken"));
        }
    }
    complaints
}
