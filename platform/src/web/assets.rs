//! Files that pages link to. They are part of the program: nothing is read at run time, and each is
//! compressed once.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use schemas::hash::sha256;

const CSS: &str = include_str!("../../web/assets/tracebond.css");
const SPEAK: &str = include_str!("../../web/assets/speak.js");
const ICON: &str = include_str!("../../web/assets/icon.svg");

/// The address of the style sheet; its query changes with its content, so that it may be kept for
/// ever ([`Asset::is_named`]).
pub(super) static CSS_HREF: LazyLock<String> = LazyLock::new(|| href("tracebond.css"));
/// The same for the script that reads aloud.
pub(super) static SPEAK_HREF: LazyLock<String> = LazyLock::new(|| href("speak.js"));
/// The same for the icon.
pub(super) static ICON_HREF: LazyLock<String> = LazyLock::new(|| href("icon.svg"));

/// The content security policy of a page that carries the style sheet in itself: nothing else
/// inline, only what has its very hash (CSP level 3, section 2.3.1).
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = schemas::b64::encode(&sha256(CSS.as_bytes()).0);
    let own = format!("style-src 'self' 'sha256-{hash}'");
    kit::page::POLICY.replace("style-src 'self'", &own)
});

static ALL: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("tracebond.css", "text/css; charset=utf-8", CSS),
        Asset::new("speak.js", "text/javascript; charset=utf-8", SPEAK),
        Asset::new("icon.svg", "image/svg+xml", ICON),
    ]
});

/// A file of ours.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    version: String,
    /// Content type.
    pub kind: &'static str,
    /// Its bytes.
    pub plain: &'static [u8],
    /// The same compressed by gzip (RFC 1952).
    pub gzip: Vec<u8>,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, content: &'static str) -> Self {
        let version = sha256(content.as_bytes()).to_string();
        Self {
            name,
            version: version.get(..16).unwrap_or_default().to_owned(),
            kind,
            plain: content.as_bytes(),
            gzip: gzip(content.as_bytes()),
        }
    }

    /// True if a query names this very content: the answer may then be kept for ever.
    pub fn is_named(&self, query: Option<&str>) -> bool {
        query.and_then(|query| query.strip_prefix("v=")) == Some(&self.version)
    }
}

/// Writing to memory does not fail; if it did, the file would be served plain.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

fn href(name: &str) -> String {
    let version = asset(name).map_or("", |asset| asset.version.as_str());
    format!("/assets/{name}?v={version}")
}

/// The style sheet of every page.
pub fn css() -> &'static str {
    CSS
}

/// An asset by its path below `/assets/`, without a leading slash.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ALL.iter().find(|asset| asset.name == path)
}
