//! SQL out of Rust sources: every string that begins like a statement.

/// How a statement begins.
const BEGINNINGS: [&str; 17] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "ALTER", "DROP", "TRUNCATE", "LOCK",
    "BEGIN", "SET", "LISTEN", "NOTIFY", "COPY", "MERGE", "CALL",
];

/// The strings of a source that are statements.
pub fn statements(source: &str) -> Vec<String> {
    let is_statement = |text: &String| {
        let first = text.split_whitespace().next().unwrap_or_default();
        BEGINNINGS.contains(&first) && text.trim().contains(' ')
    };
    strings(source).into_iter().filter(is_statement).collect()
}

/// All strings, unescaped as far as statements need.
fn strings(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, after) = rest.split_at(at);
        rest = if after.starts_with("//") {
            &after[after.find('\n').unwrap_or(after.len())..]
        } else if after.starts_with('\'') {
            behind_character(after)
        } else if let Some(inside) = after.strip_prefix('"') {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let raw = before.trim_end_matches('#').ends_with('r');
            let (text, behind) = string(inside, raw.then_some(hashes));
            found.push(text);
            behind
        } else {
            &after[1..]
        };
    }
    found
}

/// Behind a character such as `'"'`, or behind the tick of a lifetime.
fn behind_character(text: &str) -> &str {
    let escaped = text.starts_with("'\\");
    let close = text.char_indices().skip(if escaped { 3 } else { 2 });
    match close.take(1).next() {
        Some((at, '\'')) => &text[at + 1..],
        _ => &text[1..],
    }
}

/// The string that begins here, and what is behind it. `raw`: number of its `#`.
fn string(text: &str, raw: Option<usize>) -> (String, &str) {
    if let Some(hashes) = raw {
        let close = format!("\"{}", "#".repeat(hashes));
        let end = text.find(&close).unwrap_or(text.len());
        return (
            text[..end].to_owned(),
            &text[end..][close.len().min(text.len() - end)..],
        );
    }
    let mut made = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (made, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n' | '\n')) => made.push('\n'),
                Some((_, other)) => made.push(other),
                None => break,
            },
            other => made.push(other),
        }
    }
    (made, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_among_other_strings() {
        let source = r##"
            // "SELECT 1 FROM comment"
            fn f<'a>(x: &'a str) { let c = '"'; let d = '\''; let word = "SELECT";
              query("SELECT a FROM b \"x\""); raw(r#"DELETE FROM "t" "#); "UPDATE t
              SET a = 1" }
        "##;
        assert_eq!(
            statements(source),
            [
                "SELECT a FROM b \"x\"",
                "DELETE FROM \"t\" ",
                "UPDATE t\n              SET a = 1"
            ]
        );
    }
}
