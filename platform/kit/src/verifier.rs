//! The reader's own check: one script of ours, and a page around it, that verify a proof bundle in
//! the browser as `schemas/docs/proof-bundle.md` and `proof-bundle-v2.md` say. Platform, witnesses and credit serve the
//! same bytes ([`routes`]); the platform logs their hash.
//!
//! The script does its work wherever it finds its marks. On the verifier page that is
//! [`PAGE`]'s own markup; on any other page:
//!
//! | mark | meaning |
//! |---|---|
//! | `data-verify="URL"` | the bundle of this page; on the element that frames the verdict |
//! | `data-policy="HEX"` (there too) | SHA-256 of the policy entry that the page claims |
//! | `data-verify-words` | inside it: filled with what this device found; says "not checked" before |
//! | `data-events="ID:0-3,7 ID:0"` | a card: where its events are signed, the first 12 hex digits of each statement's id with the places of events in it. (Not their leaves: an altered event has another one, and could not be found by it) |
//! | `data-more="N"` (there too) | so many further events of the same device, in the span of time that the card shows |
//! | `data-show="step"` | inside a card: its text must be the word of the signed business step |
//! | `data-show="source"` | its text must be the word of the signed source |
//! | `data-show="time"` | its text holds day, time and offset of the signed time (`YYYY-MM-DD HH:MM +hh:mm`), or the first and last of several |
//! | `data-show="place" data-key="URI"` | `data-key` must be the signed place |
//! | `data-show="organisation" data-key="SLUG"` | `data-key` must be the organisation whose device signed |
//! | `data-verify-mark` | inside a card, optional: where its mark goes; else the mark is appended |
//!
//! The page's language is that of `<html lang>`. Marks get the classes `ok`, `bad` and `none`, and
//! use the symbols of these names. Nothing is said to be verified or failed before it was checked.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::RawQuery;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemas::b64;
use schemas::hash::{Hash, sha256};
use tower_http::compression::CompressionLayer;

/// Where the verifier page is, below any origin that serves it.
pub const PAGE: &str = "/verify";
/// Kind of the log entry that holds the script's hash (`log.md` section 2, type 3).
pub const KIND: &str = "verifier-script";
/// The parts of the script, in the order in which they need each other.
const PARTS: [&str; 13] = [
    include_str!("../web/bytes.js"),
    include_str!("../web/signatures.js"),
    include_str!("../web/formats.js"),
    include_str!("../web/bundle.js"),
    include_str!("../web/values.js"),
    include_str!("../web/checks.js"),
    include_str!("../web/api.js"),
    // A block of its own: it has constants of the names of the core's.
    "{",
    include_str!("../web/fallback.js"),
    "}",
    include_str!("../web/words.js"),
    include_str!("../web/page.js"),
    include_str!("../web/drop.js"),
];
const SCRIPT_PATH: &str = "/assets/verify.js";
const STYLE: &str = include_str!("../web/verify.css");
const STYLE_PATH: &str = "/assets/verify.css";
const MARKUP: &str = include_str!("../web/verify.html");

/// The script as it is served: its parts in one strict scope of their own, without the lines that
/// are only comment, which a phone would fetch for nothing.
pub static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let mut script = "'use strict';\n(() => {\n".to_owned();
    for part in PARTS {
        script.push_str(&without_comments(part));
    }
    script.push_str("})();\n");
    script
});
/// SHA-256 of [`SCRIPT`], as the log has it.
pub static SCRIPT_HASH: LazyLock<Hash> = LazyLock::new(|| sha256(SCRIPT.as_bytes()));
/// Address of the script with its hash, so that it may be kept for ever.
pub static SCRIPT_HREF: LazyLock<String> = LazyLock::new(|| href(SCRIPT_PATH, &SCRIPT));
/// The verifier page: the same bytes at every origin.
static HTML: LazyLock<String> = LazyLock::new(|| {
    MARKUP
        .replace("SCRIPT_HREF", &SCRIPT_HREF)
        .replace(
            "SCRIPT_INTEGRITY",
            &format!("sha256-{}", b64::encode(&SCRIPT_HASH.0)),
        )
        .replace("STYLE_HREF", &href(STYLE_PATH, STYLE))
});

/// The source without its comment lines (`// ...`, `/** ... */`), blank lines and indentation. Our
/// sources hold no text that spans lines.
fn without_comments(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines().map(str::trim) {
        let begins = line.starts_with("/**");
        if !in_comment && !begins && !line.is_empty() && !line.starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
        in_comment = (in_comment || begins) && !line.ends_with("*/");
    }
    out
}

fn version(content: &str) -> String {
    let digest = sha256(content.as_bytes()).to_string();
    digest.get(..16).unwrap_or_default().to_owned()
}

fn href(path: &str, content: &str) -> String {
    format!("{path}?v={}", version(content))
}

/// The verifier page, its script and its style sheet, compressed and with the headers of pages.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let script = |RawQuery(query)| async { file("text/javascript; charset=utf-8", &SCRIPT, query) };
    let style = |RawQuery(query)| async { file("text/css; charset=utf-8", STYLE, query) };
    Router::new()
        .route(PAGE, get(|| async { page() }))
        .route(SCRIPT_PATH, get(script))
        .route(STYLE_PATH, get(style))
        .layer(map_response(crate::page::secure))
        .layer(CompressionLayer::new())
}

fn page() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, HTML.as_str()).into_response()
}

/// For ever where the address names the content, else to be asked for again.
fn file(kind: &'static str, content: &'static str, query: Option<String>) -> Response {
    let named = query.as_deref() == Some(&format!("v={}", version(content)));
    let cache = if named {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, cache)], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_not_served() {
        let source =
            "// one\nconst a = 'b//c'; // kept\n/** two\n * lines */\n  f();\n/** x */\n\n";
        assert_eq!(
            without_comments(source),
            "const a = 'b//c'; // kept\nf();\n"
        );
        assert!(!SCRIPT.contains("\n//") && !SCRIPT.contains("/**"));
    }

    /// With a page of 14 KB the whole stays below 40 KB on the wire; gzip takes two thirds.
    #[test]
    fn script_stays_small() {
        assert!(SCRIPT.len() < 84 * 1024, "{} bytes", SCRIPT.len());
    }

    #[test]
    fn page_names_its_own_script() {
        let hash = format!("sha256-{}", b64::encode(&SCRIPT_HASH.0));
        assert!(HTML.contains(&*SCRIPT_HREF) && HTML.contains(&hash));
        assert!(!HTML.contains("SCRIPT_") && !HTML.contains("STYLE_"));
        assert!(!HTML.contains(" style=") && HTML.matches("<script").count() == 1);
    }
}
