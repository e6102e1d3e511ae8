//! The reader's own check: one script of ours, and a page around it, that verify a proof bundle in
//! the browser as `schemas/docs/proof-bundle.md` and `proof-bundle-v2.md` say. Platform, witnesses and
//! credit serve the same bytes ([`routes`]); the platform logs their hash.
//!
//! The script has three parts ([`parts`]), each of which is served by itself:
//!
//! | part | what it does | when it is fetched |
//! |---|---|---|
//! | `verify.js`, the core | everything that a verdict on a bundle needs | always |
//! | `fallback.js` | signatures in plain arithmetic; points of P-256 | by the core, where WebCrypto or its Ed25519 is missing, or a key is of P-256 |
//! | `page.js` | the words and marks of pages, files that are dropped | always |
//!
//! Core and fallback are sent shortened (`shorten`); what people read is in `platform/kit/web`. The
//! core holds the hash of the fallback and runs no other. **The logged hash** is that of the list of
//! all parts ([`LIST`]), which is what `sha256sum verify.js fallback.js page.js` prints.
//!
//! The page's part does its work wherever it finds its marks. On the verifier page that is
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
//! | `data-verify-keys` | anywhere, optional, hidden: filled with as of when the keys' state is known; without it that is said in `data-verify-words` |
//! | `data-verify-mark` | inside a card, optional: where its mark goes; else the mark is appended |
//!
//! The page's language is that of `<html lang>`. Marks get the classes `ok`, `bad` and `none`, and
//! use the symbols of these names. Nothing is said to be verified or failed before it was checked.

pub mod shorten;

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use schemas::b64;
use schemas::hash::{Hash, sha256};
use tower_http::compression::CompressionLayer;

use self::shorten::{Short, shorten};
use crate::routes::{Routes, get};

/// Where the verifier page is, below any origin that serves it.
pub const PAGE: &str = "/verify";
/// Where the list of the parts' hashes is ([`LIST`]).
pub const LIST_PATH: &str = "/assets/verify.sha256";
/// Kind of the log entry that holds the script's hash (`log.md` section 2, type 3).
pub const KIND: &str = "verifier-script";

/// Sources of the core, in the order in which they need each other.
const CORE: [&str; 7] = [
    include_str!("../web/bytes.js"),
    include_str!("../web/signatures.js"),
    include_str!("../web/formats.js"),
    include_str!("../web/bundle.js"),
    include_str!("../web/values.js"),
    include_str!("../web/checks.js"),
    include_str!("../web/api.js"),
];
const FALLBACK: &str = include_str!("../web/fallback.js");
const OF_PAGES: [&str; 4] = [
    include_str!("../web/words.js"),
    include_str!("../web/page.js"),
    include_str!("../web/document.js"),
    include_str!("../web/drop.js"),
];
const STYLE: &str = include_str!("../web/verify.css");
const STYLE_PATH: &str = "/assets/verify.css";
const MARKUP: &str = include_str!("../web/verify.html");
/// Stands in the core for the hash of the fallback.
const INTEGRITY: &str = "FALLBACK_INTEGRITY";

/// Variables of the platform's that core and fallback use.
const GLOBALS: &str = "Array ArrayBuffer BigInt Boolean DataView Date Error Infinity Int32Array JSON \
    Map Math NaN Number Object Promise Set TextDecoder TextEncoder Tracebond Uint8Array atob btoa \
    crypto document globalThis isFinite isNaN parseInt";
/// Members of the platform's that they use.
const MEMBERS: &str = "abs add all append asUintN assign buffer byteOffset catch charCodeAt clear \
    createElement decode delete encode endsWith entries every exec fatal filter find flatMap floor \
    forEach freeze from getBigUint64 getInt32 getTime has hash head ignoreBOM importKey includes \
    indexOf integrity isArray isFinite isInteger isNaN join keys lastIndex length map match message \
    min name namedCurve next onerror onload padStart parse pop push reduce repeat replace reverse \
    setBigUint64 setInt32 setUint32 shift size slice some sort split src subarray subtle test then \
    toISOString toString values verify";
/// Members of what the core gives to pages, to tests and to the fallback.
const INTERFACE: &str = "after anchored by compared detail device events failure forks fresh index key \
    kind leaf marks organisation origin pause policy readable root shown size source state statement \
    statements time tools trusted verdict verify version withheld witnesses \
    L Tracebond base64 bigEndian checkLog checkNoteOfLog decodeCbor hex join littleEndian \
    parsePolicy plain pointOf256 sha256 verifier bytesOfHex soundHalves uncompressed fetchFallback \
    hash times";

/// A part of the script, as it is served.
#[derive(Debug)]
pub struct Part {
    /// Its file name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: Hash,
    /// The text as it goes over the wire where gzip is accepted.
    gzip: Vec<u8>,
}

impl Part {
    fn new(name: &'static str, text: String) -> Self {
        let hash = sha256(text.as_bytes());
        let gzip = gzip(text.as_bytes());
        Self {
            name,
            text,
            hash,
            gzip,
        }
    }

    /// Where it is served, below any origin.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }

    /// Its address with its hash, so that it may be kept for ever.
    #[must_use]
    pub fn href(&self) -> String {
        format!("{}?v={}", self.path(), version(&self.text))
    }

    /// What a page asks of the browser, and the core of the fallback: to run nothing else.
    #[must_use]
    pub fn integrity(&self) -> String {
        format!("sha256-{}", b64::encode(&self.hash.0))
    }
}

/// Bytes of each part on the wire, compressed by gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// `verify.js`: everything that a verdict needs.
    pub core: usize,
    /// `fallback.js`: fetched only where WebCrypto or its Ed25519 is missing, or a key is of P-256.
    pub fallback: usize,
    /// `page.js`: words, marks and files of pages.
    pub page: usize,
}

static PARTS: LazyLock<[Part; 3]> = LazyLock::new(|| {
    let fallback = Part::new("fallback.js", scoped(&shortened(FALLBACK).script));
    let core = shortened(&CORE.concat()).script;
    let core = scoped(&core.replace(INTEGRITY, &fallback.integrity()));
    let page: String = OF_PAGES.into_iter().map(without_comments).collect();
    [
        Part::new("verify.js", core),
        fallback,
        Part::new("page.js", scoped(&page)),
    ]
});
/// Core, fallback and the pages' part, in this order.
#[must_use]
pub fn parts() -> &'static [Part; 3] {
    &PARTS
}

/// What `sha256sum verify.js fallback.js page.js` prints: the hashes of everything that can run.
pub static LIST: LazyLock<String> = LazyLock::new(|| {
    let line = |part: &Part| format!("{}  {}\n", part.hash, part.name);
    PARTS.iter().map(line).collect()
});
/// SHA-256 of [`LIST`], as the log has it.
pub static SCRIPT_HASH: LazyLock<Hash> = LazyLock::new(|| sha256(LIST.as_bytes()));
/// Address of the core, with its hash.
pub static SCRIPT_HREF: LazyLock<String> = LazyLock::new(|| PARTS[0].href());
/// Address of the pages' part, with its hash. A page runs it after the core.
pub static PAGE_HREF: LazyLock<String> = LazyLock::new(|| PARTS[2].href());

/// What each part weighs on the wire.
#[must_use]
pub fn sizes() -> Sizes {
    let [core, fallback, page] = PARTS.each_ref().map(|part| part.gzip.len());
    Sizes {
        core,
        fallback,
        page,
    }
}

/// The core as people read it, with the same interface; tests compare what both say.
#[must_use]
pub fn readable() -> String {
    scoped(&CORE.concat())
}

/// Members of core and fallback that are sent under other names; none may be one of the platform's.
#[must_use]
pub fn renamed() -> Vec<String> {
    let [core, fallback] = [shortened(&CORE.concat()), shortened(FALLBACK)];
    core.names
        .into_keys()
        .chain(fallback.names.into_keys())
        .collect()
}

fn shortened(source: &str) -> Short {
    let split = |words: &'static str| words.split_whitespace();
    let globals: Vec<&str> = split(GLOBALS).collect();
    let members: Vec<&str> = split(MEMBERS).chain(split(INTERFACE)).collect();
    shorten(source, &globals, &members)
}

/// In one strict scope of its own.
fn scoped(script: &str) -> String {
    format!("'use strict';(()=>{{{script}}})();\n")
}

/// The verifier page: the same bytes at every origin.
static HTML: LazyLock<String> = LazyLock::new(|| {
    MARKUP
        .replace("SCRIPT_HREF", &PARTS[0].href())
        .replace("SCRIPT_INTEGRITY", &PARTS[0].integrity())
        .replace("WORDS_HREF", &PARTS[2].href())
        .replace("WORDS_INTEGRITY", &PARTS[2].integrity())
        .replace("STYLE_HREF", &format!("{STYLE_PATH}?v={}", version(STYLE)))
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

/// Compressed as well as gzip can. Writing to memory does not fail; a failure would show in the sizes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// The verifier page, the parts of its script, the list of their hashes and its style sheet,
/// compressed and with the headers of pages.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S> {
    let style = |RawQuery(query): RawQuery| async move {
        let named = query == Some(format!("v={}", version(STYLE)));
        (
            [
                (CONTENT_TYPE, "text/css; charset=utf-8"),
                (CACHE_CONTROL, lasting(named)),
            ],
            STYLE,
        )
    };
    let list = || async {
        (
            [
                (CONTENT_TYPE, "text/plain; charset=utf-8"),
                (CACHE_CONTROL, "no-cache"),
            ],
            LIST.as_str(),
        )
    };
    let mut router = Routes::new()
        .route(PAGE, get(|| async { page() }))
        .route(LIST_PATH, get(list))
        .route(STYLE_PATH, get(style));
    for part in PARTS.iter() {
        let answer = move |RawQuery(query): RawQuery, headers: HeaderMap| async move {
            script(part, query.as_deref(), &headers)
        };
        router = router.route(&part.path(), get(answer));
    }
    router
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

/// A part of the script, compressed beforehand where the client takes gzip.
fn script(part: &'static Part, query: Option<&str>, headers: &HeaderMap) -> Response {
    let asked = query.and_then(|query| query.strip_prefix("v="));
    let named =
        asked.is_some_and(|asked| asked == version(&part.text) || asked == part.integrity());
    let common = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, lasting(named)),
        (VARY, "accept-encoding"),
    ];
    if takes_gzip(headers) {
        return (common, [(CONTENT_ENCODING, "gzip")], part.gzip.as_slice()).into_response();
    }
    (common, part.text.as_str()).into_response()
}

/// Whether gzip stands in `Accept-Encoding` (RFC 9110 section 12.5.3) and is not refused by weight 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = matches!(
            weight.trim().trim_start_matches("q="),
            "0" | "0." | "0.0" | "0.00" | "0.000"
        );
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// For ever where the address names the content, else to be asked for again.
const fn lasting(named: bool) -> &'static str {
    if named {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The aim of the core, in bytes on the wire.
    const CORE_MOST: usize = 10_400;

    #[test]
    fn comments_are_not_served() {
        let source =
            "// one\nconst a = 'b//c'; // kept\n/** two\n * lines */\n  f();\n/** x */\n\n";
        assert_eq!(
            without_comments(source),
            "const a = 'b//c'; // kept\nf();\n"
        );
        for part in parts() {
            assert!(
                !part.text.contains("\n//") && !part.text.contains("/**"),
                "{}",
                part.name
            );
        }
    }

    #[test]
    fn core_stays_small() {
        let sizes = sizes();
        println!("{sizes:?}");
        assert!(sizes.core <= CORE_MOST, "{sizes:?}");
        assert!(
            sizes.fallback < 4 * 1024 && sizes.page < 14 * 1024,
            "{sizes:?}"
        );
    }

    #[test]
    fn page_and_core_name_what_they_run() {
        let [core, fallback, page] = parts();
        for part in [core, page] {
            assert!(
                HTML.contains(&part.href()) && HTML.contains(&part.integrity()),
                "{}",
                part.name
            );
        }
        assert!(core.text.contains(&fallback.integrity()) && !core.text.contains(INTEGRITY));
        assert!(!HTML.contains("_HREF") && !HTML.contains("_INTEGRITY"));
        assert!(!HTML.contains(" style=") && HTML.matches("<script").count() == 2);
        let list = parts()
            .each_ref()
            .map(|part| format!("{}  {}\n", part.hash, part.name))
            .concat();
        assert_eq!((&*LIST, *SCRIPT_HASH), (&list, sha256(list.as_bytes())));
    }

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        for (value, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
