//! The script as it is sent: the same program in fewer bytes. Our sources stay what people read.
//!
//! Four things are done, none of which needs to understand the program:
//! - comments go, and white space that stands between tokens which stay apart without it; a line's
//!   end stays unless no statement can end or begin there, so nothing rests on automatic semicolons;
//! - a comma before a closing bracket goes;
//! - the words of a failed check ([`TELLERS`]) go: a reader is told its class, and `platform verify`
//!   tells the words;
//! - **variables and members get short names.** A member (what stands behind a point or is a key of an
//!   object or a pattern) is renamed one to one and everywhere alike, but for those that somebody else
//!   knows: the platform's and our own interface's (the caller's list), and every word that stands in a
//!   text of the source, since a text may name a member. A variable is renamed wherever it is in
//!   scope ([`regions`]), but for the platform's own. A program is the same under such a renaming. That
//!   no renamed member is one of the platform's is tested in node and in a browser.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Functions and classes whose last words say what failed.
const TELLERS: [&str; 3] = ["need", "blame", "Bad"];

/// Words of the language that our sources use or that a new name must not be.
const LANGUAGE: [&str; 55] = [
    "arguments",
    "as",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "constructor",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "get",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "of",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "set",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "yield",
];
/// After these a slash begins a pattern, as after an operator.
const BEFORE_PATTERN: [&str; 4] = ["return", "typeof", "of", "in"];

/// Before the brace of a block.
const BEFORE_BLOCK: [&str; 11] = [
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

/// A shortened script.
#[derive(Debug, PartialEq, Eq)]
pub struct Short {
    /// What is sent.
    pub script: String,
    /// Members that were given other names: old to new.
    pub names: BTreeMap<String, String>,
}

/// Shortens; variables of the platform's (`globals`) and members that others know (`members`) stay as
/// they are.
#[must_use]
pub fn shorten(source: &str, globals: &[&str], members: &[&str]) -> Short {
    let mut tokens = with_members(without_needless(without_last_commas(without_reasons(
        tokens(source),
    ))));
    let names = rename(&mut tokens, globals, members);
    Short {
        script: written(&without_quotes(joined_constants(tokens))),
        names,
    }
}

const fn is_name(letter: char) -> bool {
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

/// Without commas that stand before a closing bracket. A comma behind another one, or behind an
/// opening bracket, stands for an item that is not there: it stays.
fn without_last_commas(tokens: Vec<Token>) -> Vec<Token> {
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
fn without_needless(tokens: Vec<Token>) -> Vec<Token> {
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
fn joined_constants(tokens: Vec<Token>) -> Vec<Token> {
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
fn without_reasons(tokens: Vec<Token>) -> Vec<Token> {
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

/// Gives new names; those of members, old to new.
fn rename(tokens: &mut [Token], globals: &[&str], members: &[&str]) -> BTreeMap<String, String> {
    let members = member_names(tokens, members);
    let variables = variable_names(tokens, globals);
    for (at, token) in tokens.iter_mut().enumerate() {
        let new = match token.kind {
            Kind::Member => members.get(&token.text),
            Kind::Name => variables.get(&at),
            _ => None,
        };
        if let Some(new) = new {
            token.text.clone_from(new);
        }
    }
    members
}

/// New names of members, the shortest for what is met most.
fn member_names(tokens: &[Token], kept: &[&str]) -> BTreeMap<String, String> {
    let words = tokens.iter().filter(|token| token.kind == Kind::Text);
    let words = words.flat_map(|token| token.text.split(|letter| !is_name(letter)));
    let stays: BTreeSet<&str> = LANGUAGE
        .into_iter()
        .chain(kept.iter().copied())
        .chain(words)
        .collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for token in tokens
        .iter()
        .filter(|token| token.kind == Kind::Member && !stays.contains(token.text.as_str()))
    {
        *counts.entry(&token.text).or_default() += 1;
    }
    let mut ours: Vec<(&str, usize)> = counts.into_iter().collect();
    ours.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    let mut free = (0..)
        .map(candidate)
        .filter(|new| !stays.contains(new.as_str()));
    let named = ours
        .into_iter()
        .map(|(old, _)| (old.to_owned(), free.next().unwrap_or_default()));
    named.collect()
}

/// A variable: the places of its tokens, and the region that it is declared in.
struct Variable {
    places: Vec<usize>,
    region: Range<usize>,
}

/// New names of variables by the place of each token: two variables get different names if one is used
/// where the other is in scope.
fn variable_names(tokens: &[Token], globals: &[&str]) -> BTreeMap<usize, String> {
    let stays: BTreeSet<&str> = LANGUAGE
        .into_iter()
        .chain(globals.iter().copied())
        .collect();
    let mut variables = variables(tokens, &stays);
    variables.sort_by_key(|one| (std::cmp::Reverse(one.places.len()), one.places[0]));
    let mut named: Vec<(&Variable, String)> = Vec::new();
    for one in &variables {
        let used_in = |used: &Variable, region: &Range<usize>| {
            used.places.iter().any(|at| region.contains(at))
        };
        // Of two regions that meet one is in the other: what is declared in the inner one hides what is
        // declared in the outer one, which harms nobody who does not use that there.
        let meets = |other: &Variable| used_in(one, &other.region) && used_in(other, &one.region);
        let mut taken = stays.clone();
        taken.extend(
            named
                .iter()
                .filter(|(other, _)| meets(other))
                .map(|(_, name)| name.as_str()),
        );
        let new = (0..)
            .map(candidate)
            .find(|new| !taken.contains(new.as_str()))
            .unwrap_or_default();
        named.push((one, new));
    }
    let places = named
        .into_iter()
        .flat_map(|(one, new)| one.places.iter().map(move |at| (*at, new.clone())));
    places.collect()
}

/// The tokens of each name by the outermost region that holds one of them directly: where no region
/// around a region does, the declaration is within it. What is declared outside every bracket is of
/// the whole.
fn variables(tokens: &[Token], stays: &BTreeSet<&str>) -> Vec<Variable> {
    let regions = regions(tokens);
    let outer = declared_outside(tokens);
    // Regions of one token from the outermost to the innermost.
    let around = |at: usize| {
        regions
            .iter()
            .enumerate()
            .filter(move |(_, region)| region.contains(&at))
            .map(|(number, _)| number)
    };
    let mut direct: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, token) in tokens.iter().enumerate() {
        let name = token.text.as_str();
        if token.kind == Kind::Name && !stays.contains(name) {
            let innermost = if outer.contains(name) {
                Some(0)
            } else {
                around(at).next_back()
            };
            direct.entry(name).or_default().extend(innermost);
            places.entry(name).or_default().push(at);
        }
    }
    let mut found = BTreeMap::new();
    for (name, places) in places {
        for at in places {
            let outermost = around(at)
                .find(|region| direct[name].contains(region))
                .unwrap_or_default();
            found
                .entry((name, outermost))
                .or_insert_with(Vec::new)
                .push(at);
        }
    }
    let variable = |((_, region), places): ((&str, usize), Vec<usize>)| Variable {
        places,
        region: regions[region].clone(),
    };
    found.into_iter().map(variable).collect()
}

/// Names that are declared outside every bracket: from the word of a declaration to what ends its names.
fn declared_outside(tokens: &[Token]) -> BTreeSet<&str> {
    let (mut found, mut depth, mut declares) = (BTreeSet::new(), 0_usize, false);
    for token in tokens {
        match token.text.as_str() {
            "const" | "let" | "function" | "class" if depth == 0 => declares = true,
            "=" | ";" | "(" => declares = false,
            _ if declares && token.kind == Kind::Name => {
                found.insert(token.text.as_str());
            }
            _ => {}
        }
        match (token.kind, token.text.as_str()) {
            (Kind::Sign, "(" | "[" | "{") => depth += 1,
            (Kind::Sign, ")" | "]" | "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// Ranges of tokens out of which no declaration inside can reach, by their beginning: the whole, each
/// statement of the outermost level, blocks, functions, arrows and loops with what stands in their round
/// brackets, and the round brackets of calls and groups. Not the braces of objects and patterns: what
/// they declare belongs to what is around.
fn regions(tokens: &[Token]) -> Vec<Range<usize>> {
    let ends = closing(tokens);
    let text = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .map_or("", |token| token.text.as_str())
    };
    let behind = |at: usize| (at + 1..tokens.len()).find(|at| tokens[*at].kind != Kind::Line);
    let before = |at: usize| (0..at).rev().find(|at| tokens[*at].kind != Kind::Line);
    let mut found = Vec::from([0..tokens.len()]);
    found.extend(statements(tokens));
    found.extend(
        (0..tokens.len())
            .filter(|at| tokens[*at].text == "=>")
            .map(|at| arrow(tokens, &ends, at)),
    );
    for (start, end) in &ends {
        let next = behind(*end);
        let last = match text(Some(*start)) {
            "(" if text(next) == "{" => next.and_then(|body| ends.get(&body)),
            "(" if text(next) != "=>"
                && !["for", "while", "if", "switch", "catch"].contains(&text(before(*start))) =>
            {
                Some(end)
            }
            // A body is one region with its parameters, which it may not declare again.
            "{" if BEFORE_BLOCK.contains(&text(before(*start)))
                && ![")", "=>"].contains(&text(before(*start))) =>
            {
                Some(end)
            }
            _ => None,
        };
        found.extend(last.map(|last| *start..*last + 1));
    }
    found.sort_by_key(|region| (region.start, std::cmp::Reverse(region.end)));
    found.dedup();
    found
}

/// From the parameters of an arrow to the end of its body: that of the block, or of the expression,
/// which ends before a comma, a semicolon or a bracket that it has not opened.
fn arrow(tokens: &[Token], ends: &BTreeMap<usize, usize>, at: usize) -> Range<usize> {
    let opened = ends
        .iter()
        .find(|(_, end)| **end + 1 == at)
        .map(|(start, _)| *start);
    let mut end = at + 1;
    while let Some(token) = tokens.get(end) {
        end = match token.text.as_str() {
            "(" | "[" | "{" if token.kind == Kind::Sign => {
                ends.get(&end).map_or(tokens.len(), |end| end + 1)
            }
            "," | ";" | ")" | "]" | "}" if token.kind == Kind::Sign => break,
            _ => end + 1,
        };
    }
    opened.unwrap_or(at.saturating_sub(1))..end
}

/// Where each bracket that opens is closed.
fn closing(tokens: &[Token]) -> BTreeMap<usize, usize> {
    let (mut open, mut found) = (Vec::new(), BTreeMap::new());
    for (at, token) in tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == Kind::Sign)
    {
        match token.text.as_str() {
            "(" | "[" | "{" => open.push(at),
            ")" | "]" | "}" => found.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    found
}

/// The statements of the outermost level: they end where no bracket is open, with a semicolon or with
/// a brace that ends its line.
fn statements(tokens: &[Token]) -> Vec<Range<usize>> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, token) in tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == Kind::Sign)
    {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends_line = tokens
            .get(at + 1)
            .is_none_or(|next| next.kind == Kind::Line);
        if depth == 0 && (token.text == ";" || (token.text == "}" && ends_line)) {
            found.push(start..at + 1);
            start = at + 1;
        }
    }
    found
}

/// Tells members from variables: what stands behind a point, keys, and names alone in the braces of an
/// object or a pattern, which become a key and a variable.
fn with_members(tokens: Vec<Token>) -> Vec<Token> {
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

/// a, b, ... z, A, ... Z, aa, ba, ...
fn candidate(mut number: usize) -> String {
    const LETTERS: &[u8] = b"etnroasilcudhpmfgybvkwxjqzEANSRTOLICDPUMHBFGVKWXYJZQ";
    let mut name = String::new();
    loop {
        name.push(char::from(LETTERS[number % LETTERS.len()]));
        number /= LETTERS.len();
        if number == 0 {
            return name;
        }
        number -= 1;
    }
}

/// Keys without their quotes where they are names. Their quotes have kept them from being renamed.
fn without_quotes(mut tokens: Vec<Token>) -> Vec<Token> {
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

/// The tokens as text, with the white space that they need.
fn written(tokens: &[Token]) -> String {
    let mut script = String::new();
    let mut before: Option<&Token> = None;
    let mut skip = 0;
    for (at, token) in tokens.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        // A key and a variable of one name are the name alone.
        if let [
            Token {
                kind: Kind::Member,
                text: key,
            },
            colon,
            Token {
                kind: Kind::Name,
                text: name,
            },
            end,
            ..,
        ] = &tokens[at..]
            && (colon.text == ":" && key == name)
            && matches!(end.text.as_str(), "," | "}" | "=")
        {
            skip = 2;
        }
        if token.kind == Kind::Line {
            if !joins(before, tokens.get(at + 1)) {
                script.push('\n');
                before = None;
            }
            continue;
        }
        if before.is_some_and(|before| sticks(before, token)) {
            script.push(' ');
        }
        script.push_str(&token.text);
        before = Some(token);
    }
    script.push('\n');
    script
}

/// Whether a line's end between these two says nothing: no statement ends with what stands before, or
/// none begins with what stands behind, or both could only be one statement in no program at all.
fn joins(before: Option<&Token>, after: Option<&Token>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return true;
    };
    let closes = matches!(before.text.as_str(), ")" | "]" | "}");
    let ends = before.kind != Kind::Sign || closes || matches!(before.text.as_str(), "++" | "--");
    let continues = matches!(
        after.text.as_str(),
        "(" | "[" | "{" | "+" | "-" | "++" | "--" | "!" | "~" | "..."
    );
    let begins = after.kind != Kind::Sign || continues;
    !ends || !begins || (closes && matches!(after.kind, Kind::Name | Kind::Number))
}

/// Whether two tokens would become another one without a space.
fn sticks(before: &Token, after: &Token) -> bool {
    let (Some(last), Some(first)) = (before.text.chars().last(), after.text.chars().next()) else {
        return false;
    };
    let is_number = before.kind == Kind::Number;
    (is_name(last) && is_name(first))
        || (last == first && "+-/&|?".contains(first))
        || (is_number && first == '.')
}
