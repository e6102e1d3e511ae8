//! QR codes as SVG.

use qrcode::{Color, EcLevel, QrCode};

/// White modules around a code (ISO/IEC 18004: four).
const QUIET: usize = 4;

/// An SVG of the QR code of `url`: black on white in both themes, so that cameras read it. Empty
/// when the text is too long for any code (about 2,900 bytes).
pub fn qr_svg(url: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(url, EcLevel::M) else {
        return String::new();
    };
    let (width, side) = (code.width(), code.width() + 2 * QUIET);
    format!(
        r##"<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path fill="#000" d="{}"/></svg>"##,
        modules(&code.to_colors(), width)
    )
}

/// One horizontal bar for each run of dark modules.
fn modules(colors: &[Color], width: usize) -> String {
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let length = run.len();
            if run[0] == Color::Dark {
                path.push_str(&format!(
                    "M{} {}h{length}v1h-{length}z",
                    x + QUIET,
                    y + QUIET
                ));
            }
            x += length;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_draws_every_dark_module() {
        let url = "https://example.org/01/09521001000017/10/L1";
        let code = QrCode::with_error_correction_level(url, EcLevel::M).unwrap();
        let colors = code.to_colors();
        let dark = colors.iter().filter(|color| **color == Color::Dark).count();
        let svg = qr_svg(url);
        let bars = svg
            .split('h')
            .filter_map(|part| part.split_once("v1")?.0.parse::<usize>().ok());
        assert_eq!(bars.sum::<usize>(), dark);
    }

    #[test]
    fn too_long_a_text_has_no_code() {
        assert_eq!(qr_svg(&"x".repeat(4_000)), "");
    }
}
