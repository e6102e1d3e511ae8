//! Short names for variables and members.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::token::{BEFORE_BLOCK, Kind, Token, is_name};

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

/// Gives new names; those of members, old to new.
pub(super) fn rename(
    tokens: &mut [Token],
    globals: &[&str],
    members: &[&str],
) -> BTreeMap<String, String> {
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
    let mut found: Vec<Range<usize>> = std::iter::once(0..tokens.len()).collect();
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
pub(super) fn closing(tokens: &[Token]) -> BTreeMap<usize, usize> {
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
