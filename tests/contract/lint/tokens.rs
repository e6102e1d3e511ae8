//! SQL as words: enough to know a table, a key and a join by.

/// Words in lower case, names in quotes and texts as they stand, all else one character each.
/// Comments are left out.
pub fn tokens(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            '\'' | '"' => quoted(rest, first),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            c if c.is_whitespace() => {}
            '\'' | '"' => found.push(token.to_owned()),
            _ => found.push(token.to_lowercase()),
        }
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Length of a quoted text; a doubled quote stands for itself.
fn quoted(text: &str, quote: char) -> usize {
    let mut inside = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = inside.next() {
        if c == quote {
            match inside.peek() {
                Some((_, next)) if *next == quote => {
                    inside.next();
                }
                _ => return at + 1,
            }
        }
    }
    text.len()
}

/// Statements of a migration.
pub fn statements(tokens: &[String]) -> Vec<&[String]> {
    let parts = tokens.split(|token| token == ";");
    parts.filter(|part| !part.is_empty()).collect()
}

/// Parts between commas that stand in no parentheses.
pub fn parts(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let split = tokens.split(move |token| {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        token == "," && depth == 0
    });
    split.collect()
}

/// What stands in the first parentheses at or after a position, and the position behind them.
pub fn in_parentheses(tokens: &[String], from: usize) -> Option<(&[String], usize)> {
    let open = from + tokens.get(from..)?.iter().position(|token| token == "(")?;
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&tokens[open + 1..at], at + 1));
        }
    }
    None
}

/// Where these words follow each other.
pub fn find(tokens: &[String], words: &[&str]) -> Option<usize> {
    let same = |window: &[String]| window.iter().zip(words).all(|(token, word)| token == word);
    tokens.windows(words.len()).position(same)
}

/// True if these words follow each other somewhere.
pub fn has(tokens: &[String], words: &[&str]) -> bool {
    find(tokens, words).is_some()
}
