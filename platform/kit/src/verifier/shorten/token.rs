//! Tokens of a script.

/// After these a slash begins a pattern, as after an operator.
const BEFORE_PATTERN: [&str; 4] = ["return", "typeof", "of", "in"];

/// Before the brace of a block.
pub(super) const BEFORE_BLOCK: [&str; 11] = [
    "", ";", "{", "}", ")", "=>", "else", "try", "finally", "do", "catch",
];

/// What a token is; its text says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A variable or a word of the language.
    Name,
    /// What stands behind a point, or a key.
    Member,
    /// A number, with its letters.
    Number,
    /// A text in quotes, or a part of a template between its marks.
    Text,
    /// A pattern with its flags.
    Pattern,
    /// An operator or a bracket.
    Sign,
    /// One or more line ends.
    Line,
}

/// A piece of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// As it stands in the source.
    pub text: String,
}

pub(super) const fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$')
}

/// The tokens of a source without its comments and white space; ends of lines stay.
///
/// It reads what our sources hold: a template's inner parts may hold anything but another template's
/// closing brace on its own level.
#[must_use]
pub fn tokens(source: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    // For each template that is open, how many braces are open in its inner part.
    let mut templates: Vec<usize> = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let inner_ends = first == '}' && templates.last() == Some(&0);
        let (kind, length) = if inner_ends || first == '`' {
            if inner_ends {
                templates.pop();
            }
            let length = template_part(rest);
            if rest[..length].ends_with("${") {
                templates.push(0);
            }
            (Some(Kind::Text), length)
        } else {
            token(rest, &found)
        };
        let (text, after) = rest.split_at(length);
        match (text, templates.last_mut()) {
            ("{", Some(open)) => *open += 1,
            ("}", Some(open)) if !inner_ends => *open -= 1,
            _ => {}
        }
        let again =
            kind == Some(Kind::Line) && found.last().is_none_or(|last| last.kind == Kind::Line);
        if let (Some(kind), false) = (kind, again) {
            let text = if kind == Kind::Line { "\n" } else { text };
            found.push(Token {
                kind,
                text: text.to_owned(),
            });
        }
        rest = after;
    }
    found
}

/// Kind and length of what begins here; no kind for what is left out.
fn token(rest: &str, before: &[Token]) -> (Option<Kind>, usize) {
    let first = rest.chars().next().unwrap_or_default();
    let run = |holds: fn(char) -> bool| rest.find(|letter| !holds(letter)).unwrap_or(rest.len());
    if first.is_whitespace() {
        let length = run(char::is_whitespace);
        return (rest[..length].contains('\n').then_some(Kind::Line), length);
    }
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if first.is_ascii_digit() {
        return (
            Some(Kind::Number),
            run(|letter| is_name(letter) || letter == '.'),
        );
    }
    if is_name(first) {
        return (Some(Kind::Name), run(is_name));
    }
    if matches!(first, '\'' | '"') {
        return (Some(Kind::Text), closed(rest, first));
    }
    if first == '/' && begins_pattern(before) {
        let end = pattern(rest);
        let flags = rest[end..]
            .find(|letter| !is_name(letter))
            .unwrap_or(rest.len() - end);
        return (Some(Kind::Pattern), end + flags);
    }
    let signs = [
        "...", "===", "!==", "**", "=>", "&&", "||", "??", "?.", "++", "--", ">>>", ">=", "<=",
    ];
    let sign = signs.iter().find(|sign| rest.starts_with(**sign));
    (
        Some(Kind::Sign),
        sign.map_or(first.len_utf8(), |sign| sign.len()),
    )
}

/// Length up to and with the closing quote.
fn closed(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a pattern with both slashes; one within a class does not end it.
fn pattern(rest: &str) -> usize {
    let (mut escaped, mut in_class) = (false, false);
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a template's text, from its back quote or closing brace to the next.
fn template_part(rest: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '`' => return at + 1,
            '$' if rest[at..].starts_with("${") => return at + 2,
            _ => {}
        }
    }
    rest.len()
}

fn begins_pattern(before: &[Token]) -> bool {
    let last = before.iter().rev().find(|token| token.kind != Kind::Line);
    last.is_none_or(|last| match last.kind {
        Kind::Sign => !matches!(last.text.as_str(), ")" | "]" | "}"),
        Kind::Name => BEFORE_PATTERN.contains(&last.text.as_str()),
        _ => false,
    })
}
