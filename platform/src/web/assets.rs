//! Files that pages link to. They are part of the program: nothing is read at run time.

use std::sync::LazyLock;

use schemas::hash::sha256;

const CSS: &str = include_str!("../../web/assets/tracebond.css");
const ICON: &str = include_str!("../../web/assets/icon.svg");

/// The address of the style sheet; its query changes with its content, so that it may be kept for
/// ever (`Cache-Control: public, max-age=31536000, immutable`).
pub(super) static CSS_HREF: LazyLock<String> = LazyLock::new(|| {
    let digest = sha256(CSS.as_bytes()).to_string();
    format!(
        "/assets/tracebond.css?v={}",
        digest.get(..8).unwrap_or_default()
    )
});

/// The style sheet of every page.
pub fn css() -> &'static str {
    CSS
}

/// Content type and bytes of an asset by its path below `/assets/`, without a leading slash.
pub fn asset(path: &str) -> Option<(&'static str, &'static [u8])> {
    match path {
        "tracebond.css" => Some(("text/css; charset=utf-8", CSS.as_bytes())),
        "icon.svg" => Some(("image/svg+xml", ICON.as_bytes())),
        _ => None,
    }
}
