//! What may go from a script, and marks on its members.

use std::collections::BTreeSet;

use super::names::closing;
use super::token::{BEFORE_BLOCK, Kind, Token};

/// Functions and classes whose last words say what failed.
pub(super) const TELLERS: [&str; 3] = ["need", "blame", "Bad"];

/// Without commas that stand before a closing bracket. A comma behind another one, or behind an
/// opening bracket, stands for an item that is not there: it stays.
pub(super) fn without_last_commas(tokens: Vec<Token>) -> Vec<Token> {
    let is = |token: Option<&Token>, signs: &[&str]| {
        token.is_some_and(|one| one.kind == Kind::Sign && signs.contains(&one.text.as_str()))
    };
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if is(Some(&token), &["}", ")", "]"]) {
            let at = kept.iter().rposition(|one| one.kind != Kind::Line);
            if let Some(at) = at.filter(|at| *at > 0 && is(kept.get(*at), &[","]))
                && !is(kept.get(at - 1), &[",", "[", "(", "{"])
            {
                kept.truncate(at);
            }
        }
        kept.push(token);
    }
    kept
}

/// Without the round brackets of a single parameter, and without the semicolon before a closing brace
/// unless it is a statement of its own: the empty one of a loop or a condition.
pub(super) fn without_needless(tokens: Vec<Token>) -> Vec<Token> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let next = |at: usize| {
        (at + 1..tokens.len())
            .find(|at| tokens[*at].kind != Kind::Line)
            .unwrap_or(tokens.len())
    };
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    for (start, end) in closing(&tokens) {
        let is_single =
            text(start) == "(" && end == start + 2 && tokens[start + 1].kind == Kind::Name;
        if is_single && text(next(end)) == "=>" {
            gone.extend([start, end]);
        }
        let has_empty =
            start > 0 && matches!(text(start - 1), "while" | "for" | "if") && text(end + 1) == ";";
        if has_empty {
            gone.insert(end + 1);
        }
    }
    // What was found last is what must stay; what must go is the rest.
    let empty: BTreeSet<usize> = gone.iter().copied().filter(|at| text(*at) == ";").collect();
    let last = |at: usize| text(at) == ";" && text(next(at)) == "}" && !empty.contains(&at);
    let goes = |at: usize| (gone.contains(&at) && !empty.contains(&at)) || last(at);
    let numbers: Vec<bool> = (0..tokens.len()).map(goes).collect();
    tokens
        .into_iter()
        .zip(numbers)
        .filter(|(_, goes)| !goes)
        .map(|(token, _)| token)
        .collect()
}

/// One declaration of constants that follow each other.
pub(super) fn joined_constants(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    // For each open bracket, and outside of all, whether a declaration of constants stands there, and
    // whether a statement may begin here.
    let mut open: Vec<(bool, bool)> = vec![(false, true)];
    for token in tokens {
        let Some((constant, begins)) = open.last_mut() else {
            return out;
        };
        match (token.kind, token.text.as_str()) {
            (Kind::Line, _) => {
                out.push(token);
                continue;
            }
            (Kind::Name, "const") if *begins && *constant => {
                // What ended the declaration before goes on with this one.
                if let Some(end) = out.iter_mut().rev().find(|one| one.kind != Kind::Line) {
                    ",".clone_into(&mut end.text);
                }
                *begins = false;
                continue;
            }
            (Kind::Name, word) if *begins => {
                *constant = word == "const";
                *begins = false;
            }
            (Kind::Sign, ";") => *begins = true,
            _ if *begins => {
                *constant = false;
                *begins = false;
            }
            _ => {}
        }
        match (token.kind, token.text.as_str()) {
            (Kind::Sign, "(" | "[") => open.push((false, false)),
            (Kind::Sign, "{") => open.push((false, true)),
            (Kind::Sign, ")" | "]") => {
                open.pop();
            }
            (Kind::Sign, "}") => {
                open.pop();
                // A block ends a statement; so does no declaration.
                if let Some((constant, begins)) = open.last_mut()
                    && !*constant
                {
                    *begins = true;
                }
            }
            _ => {}
        }
        out.push(token);
    }
    out
}

/// Without what [`TELLERS`] say: their last text, or 0 in its place where a value follows.
pub(super) fn without_reasons(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    // For each open bracket whether it is the call of a teller.
    let mut open: Vec<bool> = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let before = out.iter().rposition(|one| one.kind != Kind::Line);
        let before = before.map_or("", |at| out[at].text.as_str());
        match (token.kind, token.text.as_str()) {
            (Kind::Sign, "(" | "[" | "{") => {
                open.push(token.text == "(" && TELLERS.contains(&before))
            }
            (Kind::Sign, ")" | "]" | "}") => {
                open.pop();
            }
            (Kind::Text, text)
                if open.last() == Some(&true)
                    && text.starts_with(['\'', '"'])
                    && matches!(before, "," | "(") =>
            {
                let follows = rest.peek().is_some_and(|next| next.text == ",");
                if follows {
                    out.push(Token {
                        kind: Kind::Number,
                        text: "0".to_owned(),
                    });
                } else if let Some(comma) = out
                    .iter()
                    .rposition(|one| one.text == ",")
                    .filter(|_| before == ",")
                {
                    out.remove(comma);
                }
                continue;
            }
            _ => {}
        }
        out.push(token);
    }
    out
}

/// Tells members from variables: what stands behind a point, keys, and names alone in the braces of an
/// object or a pattern, which become a key and a variable.
pub(super) fn with_members(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    // For each open bracket whether it is the brace of an object or a pattern.
    let mut open: Vec<bool> = Vec::new();
    let mut before = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let after = tokens[at + 1..]
            .iter()
            .find(|one| one.kind != Kind::Line)
            .map_or("", |one| one.text.as_str());
        match (token.kind, token.text.as_str()) {
            (Kind::Line, _) => {
                out.push(token.clone());
                continue;
            }
            (Kind::Sign, "(" | "[") => open.push(false),
            (Kind::Sign, "{") => open.push(!BEFORE_BLOCK.contains(&before.as_str())),
            (Kind::Sign, ")" | "]" | "}") => {
                open.pop();
            }
            _ => {}
        }
        let is_key = open.last() == Some(&true) && matches!(before.as_str(), "{" | ",");
        let member = matches!(before.as_str(), "." | "?.") || (is_key && after == ":");
        let alone = is_key && matches!(after, "}" | "," | "=");
        if token.kind == Kind::Name && (member || alone) {
            out.push(Token {
                kind: Kind::Member,
                text: token.text.clone(),
            });
            if alone {
                out.push(Token {
                    kind: Kind::Sign,
                    text: ":".to_owned(),
                });
                out.push(token.clone());
            }
        } else {
            out.push(token.clone());
        }
        before.clone_from(&token.text);
    }
    out
}

/// Keys without their quotes where they are names. Their quotes have kept them from being renamed.
pub(super) fn without_quotes(mut tokens: Vec<Token>) -> Vec<Token> {
    for at in 1..tokens.len().saturating_sub(1) {
        let before = (0..at)
            .rev()
            .find(|before| tokens[*before].kind != Kind::Line);
        let is_key = before.is_some_and(|before| matches!(tokens[before].text.as_str(), "{" | ","))
            && tokens[at + 1].text == ":"
            && tokens[at].kind == Kind::Text;
        let name = tokens[at].text.trim_matches('\'').to_owned();
        if is_key && name.chars().all(|letter| letter.is_ascii_alphabetic()) {
            tokens[at] = Token {
                kind: Kind::Member,
                text: name,
            };
        }
    }
    tokens
}
