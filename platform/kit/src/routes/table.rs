//! The table of access: Markdown that people review, with one section a service, one line a route,
//! one column a caller.
//!
//! ```text
//! ## credit
//! | route | stranger | officer | foreign |
//! |---|---|---|---|
//! | `GET /decisions/{id}` | log-in | yes | hidden |
//! ```
//!
//! A route whose access depends on its query stands once for each: `GET /v1/events?device`.

use std::collections::BTreeSet;

use super::Entry;

/// What must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// `yes`: any answer but a refusal: not 401, 403, 404 and no way to the log-in.
    Yes,
    /// `log-in`: 401, or a redirect to `/login`.
    LogIn,
    /// `no`: 403.
    No,
    /// `hidden`: 404, word for word as for what does not exist.
    Hidden,
    /// `-`: there is no such case; nobody asks.
    Nothing,
}

impl Verdict {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "yes" => Self::Yes,
            "log-in" => Self::LogIn,
            "no" => Self::No,
            "hidden" => Self::Hidden,
            "-" => Self::Nothing,
            _ => return None,
        })
    }

    /// True if an answer of this status, that leads there, is what must come. A 5xx never is.
    #[must_use]
    pub fn agrees(self, status: u16, location: Option<&str>) -> bool {
        let to_log_in = location.is_some_and(|to| {
            let path = to.split('?').next();
            path == Some("/login")
        });
        match self {
            Self::Yes => status < 500 && !matches!(status, 401 | 403 | 404) && !to_log_in,
            Self::LogIn => status == 401 || (status == 303 && to_log_in),
            Self::No => status == 403,
            Self::Hidden => status == 404,
            Self::Nothing => true,
        }
    }
}

/// One question of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case<'t> {
    /// `GET`.
    pub method: &'t str,
    /// `/decisions/{id}`.
    pub path: &'t str,
    /// Who asks: the name of a column.
    pub caller: &'t str,
    /// What must come.
    pub verdict: Verdict,
}

/// Why a table is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// No section has this heading.
    #[error("there is no section `## {0}`")]
    NoSection(String),
    /// The section has no table, or one without a column `route` in front.
    #[error("the section has no table whose first column is `route`")]
    NoTable,
    /// A line has more or fewer cells than the head.
    #[error("line {0}: not as many cells as the head has")]
    Cells(usize),
    /// A cell is no verdict.
    #[error("line {0}: `{1}` is none of yes, log-in, no, hidden, -")]
    Verdict(usize, String),
    /// The first cell is no route.
    #[error("line {0}: `{1}` is no method and path")]
    Route(usize, String),
    /// A route or a caller stands twice.
    #[error("line {0}: `{1}` stands twice")]
    Twice(usize, String),
}

/// The table of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    callers: Vec<String>,
    rows: Vec<(String, Vec<Verdict>)>,
}

impl Table {
    /// The first table of the section with this heading.
    ///
    /// # Errors
    /// [`TableError`], with the line.
    pub fn parse(markdown: &str, section: &str) -> Result<Self, TableError> {
        let heading = format!("## {section}");
        let mut lines = (1..).zip(markdown.lines().map(str::trim));
        let found = lines.any(|(_, line)| line == heading);
        found
            .then_some(())
            .ok_or_else(|| TableError::NoSection(section.to_owned()))?;
        let lines = lines.take_while(|(_, line)| !line.starts_with("## "));
        let mut lines = lines
            .skip_while(|(_, line)| !line.starts_with('|'))
            .take_while(|(_, line)| line.starts_with('|'));
        let (number, head) = lines.next().ok_or(TableError::NoTable)?;
        let mut callers = cells(head);
        if callers.len() < 2 || callers.remove(0) != "route" {
            return Err(TableError::NoTable);
        }
        once(number, &callers)?;
        let mut table = Self {
            callers,
            rows: Vec::new(),
        };
        // The second line draws the rule below the head.
        for (number, line) in lines.skip(1) {
            table.add(number, line)?;
        }
        Ok(table)
    }

    fn add(&mut self, number: usize, line: &str) -> Result<(), TableError> {
        let mut cells = cells(line);
        if cells.len() != self.callers.len() + 1 {
            return Err(TableError::Cells(number));
        }
        let route = cells.remove(0).trim_matches('`').to_owned();
        let is_route = route.split_once(' ').is_some_and(|(method, path)| {
            let letters = method.bytes().all(|byte| byte.is_ascii_uppercase());
            !method.is_empty() && letters && path.starts_with('/') && !path.contains(' ')
        });
        if !is_route {
            return Err(TableError::Route(number, route));
        }
        if self.rows.iter().any(|(known, _)| *known == route) {
            return Err(TableError::Twice(number, route));
        }
        let verdict = |word: String| Verdict::parse(&word).ok_or(TableError::Verdict(number, word));
        let verdicts = cells.into_iter().map(verdict).collect::<Result<_, _>>()?;
        self.rows.push((route, verdicts));
        Ok(())
    }

    /// Who asks.
    #[must_use]
    pub fn callers(&self) -> &[String] {
        &self.callers
    }

    /// Every question, route by route. [`Verdict::Nothing`] is among them.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        self.rows.iter().flat_map(|(route, verdicts)| {
            let (method, path) = route.split_once(' ').unwrap_or_default();
            let callers = self.callers.iter().zip(verdicts);
            callers.map(move |(caller, verdict)| Case {
                method,
                path,
                caller,
                verdict: *verdict,
            })
        })
    }

    /// Routes that stand in the table or in the code only, in words; empty if they agree.
    #[must_use]
    pub fn differences(&self, list: &[Entry]) -> Vec<String> {
        let plain = |route: &str| route.split('?').next().unwrap_or_default().to_owned();
        let written: BTreeSet<String> = self.rows.iter().map(|(route, _)| plain(route)).collect();
        let there: BTreeSet<String> = list.iter().map(Entry::name).collect();
        let missing = there.difference(&written);
        let missing = missing.map(|route| format!("`{route}` is not in the table"));
        let gone = written.difference(&there);
        let gone = gone.map(|route| format!("`{route}` is not in the code"));
        missing.chain(gone).collect()
    }

    /// What a route says of a caller.
    #[must_use]
    pub fn verdict(&self, route: &str, caller: &str) -> Option<Verdict> {
        let place = self.callers.iter().position(|known| known == caller)?;
        let (_, verdicts) = self.rows.iter().find(|(known, _)| known == route)?;
        verdicts.get(place).copied()
    }
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

fn once(number: usize, names: &[String]) -> Result<(), TableError> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(TableError::Twice(number, name.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "# Access\n\n## one\nwords\n\n| route | stranger | officer |\n|---|---|---|\n\
        | `GET /a/{id}` | log-in | yes |\n| `POST /a?b` | no | hidden |\n\nmore\n\n## two\n";

    #[test]
    fn a_table_is_read_case_by_case() {
        let table = Table::parse(TEXT, "one").unwrap();
        assert_eq!(table.callers(), ["stranger", "officer"]);
        let cases: Vec<_> = table
            .cases()
            .map(|case| (case.method, case.path, case.verdict))
            .collect();
        assert_eq!(
            cases,
            [
                ("GET", "/a/{id}", Verdict::LogIn),
                ("GET", "/a/{id}", Verdict::Yes),
                ("POST", "/a?b", Verdict::No),
                ("POST", "/a?b", Verdict::Hidden),
            ]
        );
        assert_eq!(table.verdict("POST /a?b", "officer"), Some(Verdict::Hidden));
        let entry = |method, path| Entry {
            method,
            path: str::to_owned(path),
        };
        let list = [entry(Method::GET, "/a/{id}"), entry(Method::GET, "/b")];
        let found = table.differences(&list);
        assert_eq!(
            found,
            [
                "`GET /b` is not in the table",
                "`POST /a` is not in the code"
            ]
        );
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let of = |line: &str| {
            let text = format!("## one\n| route | a | b |\n|---|---|---|\n{line}\n");
            Table::parse(&text, "one").unwrap_err()
        };
        assert_eq!(of("| GET /a | yes |"), TableError::Cells(4));
        assert_eq!(
            of("| GET /a | yes | maybe |"),
            TableError::Verdict(4, "maybe".to_owned())
        );
        assert_eq!(
            of("| get /a | yes | no |"),
            TableError::Route(4, "get /a".to_owned())
        );
        let twice = "| GET /a | yes | no |\n| GET /a | no | no |";
        assert_eq!(of(twice), TableError::Twice(5, "GET /a".to_owned()));
        assert_eq!(Table::parse(TEXT, "two"), Err(TableError::NoTable));
        let none = Table::parse(TEXT, "three");
        assert_eq!(none, Err(TableError::NoSection("three".to_owned())));
        let same = Table::parse("## one\n| route | a | a |\n", "one");
        assert_eq!(same, Err(TableError::Twice(2, "a".to_owned())));
    }

    #[test]
    fn an_answer_agrees_with_one_verdict_only() {
        for (status, location, verdict) in [
            (200, None, Verdict::Yes),
            (303, Some("/reasons"), Verdict::Yes),
            (422, None, Verdict::Yes),
            (401, None, Verdict::LogIn),
            (303, Some("/login?next=/a"), Verdict::LogIn),
            (403, None, Verdict::No),
            (404, None, Verdict::Hidden),
        ] {
            let all = [Verdict::Yes, Verdict::LogIn, Verdict::No, Verdict::Hidden];
            let agree: Vec<_> = all
                .into_iter()
                .filter(|one| one.agrees(status, location))
                .collect();
            assert_eq!(agree, [verdict], "{status}");
        }
        assert!(!Verdict::Yes.agrees(500, None));
        assert!(!Verdict::LogIn.agrees(303, Some("/login-help")));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fail(text in "(## one\n)?([|a-z `/\\-\n]){0,200}") {
            let _ = Table::parse(&text, "one");
        }
    }
}
