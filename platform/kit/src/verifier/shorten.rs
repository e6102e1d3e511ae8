//! The script as it is sent: the same program in fewer bytes. Our sources stay what people read.
//!
//! Four things are done, none of which needs to understand the program:
//! - comments go, and white space that stands between tokens which stay apart without it; a line's
//!   end stays unless no statement can end or begin there, so nothing rests on automatic semicolons;
//! - a comma before a closing bracket goes;
//! - the words of a failed check (of `need`, `blame`, `Bad`) go: a reader is told its class, and
//!   `platform verify` tells the words;
//! - **variables and members get short names.** A member (what stands behind a point or is a key of an
//!   object or a pattern) is renamed one to one and everywhere alike, but for those that somebody else
//!   knows: the platform's and our own interface's (the caller's list), and every word that stands in a
//!   text of the source, since a text may name a member. A variable is renamed wherever it is in
//!   scope (`names`), but for the platform's own. A program is the same under such a renaming. That
//!   no renamed member is one of the platform's is tested in node and in a browser.

mod drop;
mod names;
mod token;

use std::collections::BTreeMap;

use self::drop::{
    joined_constants, with_members, without_last_commas, without_needless, without_quotes,
    without_reasons,
};
use self::names::rename;
use self::token::{Kind, Token, is_name, tokens};

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
