//! Where in a file a field stands that a rule refuses.

use schemas::config::ConfigError;

/// An error of a field such as `applicants[1].name` or `exit.plan`: the line is that of the field in
/// its own table, else that of the table's heading, else 0 for the whole file.
pub(super) fn at(file: &str, text: &str, field: &str, problem: impl Into<String>) -> ConfigError {
    let (table, name) = field.rsplit_once('.').unwrap_or(("", field));
    let (heading, nth) = match table.split_once('[') {
        Some((list, number)) => {
            let number = number.trim_end_matches(']').parse().unwrap_or(0);
            (format!("[[{list}]]"), number)
        }
        None => (format!("[{table}]"), 0),
    };
    ConfigError {
        file: file.to_owned(),
        line: line(
            text,
            (!table.is_empty()).then_some((heading.as_str(), nth)),
            name,
        ),
        field: format!("{field}: "),
        problem: problem.into(),
    }
}

fn line(text: &str, table: Option<(&str, usize)>, name: &str) -> usize {
    let lines = || (1..).zip(text.lines().map(str::trim));
    let start = match table {
        None => 0,
        Some((heading, nth)) => {
            let mut headings = lines().filter(|(_, line)| line.starts_with(heading));
            match headings.nth(nth) {
                Some((number, _)) => number,
                None => return 0,
            }
        }
    };
    let own = lines()
        .skip(start)
        .take_while(|(_, line)| !line.starts_with('['));
    let names = |line: &str| {
        let rest = line.strip_prefix(name).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('='))
    };
    own.into_iter()
        .find(|(_, line)| names(line))
        .map_or(start, |(number, _)| number)
}
