//! The page: verdict first, then what to do, then the figures that it rests on.

use std::fmt::Write as _;
use std::time::Duration;

use schemas::statement::ClockState;
use schemas::time::Instant;

use super::{Look, sources, words};
use crate::state::{Language, Severity, State, Text, states};

/// One calm sheet (`LOOKS`): paper, ink, and four colours that never stand alone.
const STYLE: &str = "\
:root{--bg:#fbfbf8;--panel:#fff;--line:#d9ded9;--ink:#17211d;--muted:#55615b;--ok:#0b6b4f;--warn:#8a5300;--bad:#b3261e;--info:#245a8d}\
@media (prefers-color-scheme:dark){:root{--bg:#111613;--panel:#1a211d;--line:#333d37;--ink:#e9eeea;--muted:#a3afa8;--ok:#5cc9a0;--warn:#e7b15a;--bad:#f28b82;--info:#86b7e8}}\
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI','PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}\
:lang(zh){line-height:1.7}main,header,footer{max-width:960px;margin:0 auto;padding:16px}\
header{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline}header .who{font-family:ui-monospace,monospace;overflow-wrap:anywhere}header nav{margin-left:auto;display:flex;gap:16px}\
h1{font-size:20px;margin:0}h2{font-size:16px;margin:0 0 8px}a{color:var(--info)}a:focus-visible{outline:2px solid var(--info);outline-offset:2px}\
section{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:16px}\
.verdict{display:grid;grid-template-columns:28px 1fr;gap:4px 12px;margin-bottom:16px}.verdict svg{width:28px;height:28px;margin-top:4px}\
.verdict p{margin:0;max-width:68ch}.word{font-size:28px;line-height:1.3}:lang(zh) .verdict p{max-width:34em}.todo{color:var(--muted)}\
.fine{color:var(--ok)}.warning{color:var(--warn)}.bad{color:var(--bad)}.also{grid-column:2;margin:8px 0 0;padding:0;list-style:none}.also li{margin-top:8px}\
.cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,280px),1fr))}\
dl{margin:0}dl div{display:flex;flex-wrap:wrap;gap:0 16px}dl div+div{margin-top:4px}dt{flex:1 1 4em;color:var(--muted)}dd{margin:0 0 0 auto;text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\
.sources{margin-top:16px}.each{margin:0;padding:0;list-style:none}.each li{display:grid;grid-template-columns:28px 1fr;gap:4px 12px}.each li+li{margin-top:16px;padding-top:16px;border-top:1px solid var(--line)}\
.each svg{width:24px;height:24px}.each p{margin:0;max-width:68ch;overflow-wrap:anywhere}.each b{font-variant-numeric:tabular-nums}\
.hash,code{font-family:ui-monospace,monospace;font-size:13px}footer{color:var(--muted);font-size:13px}footer h2{font-size:13px;margin:0}footer p{margin:0 0 8px;max-width:68ch}";

/// The whole page.
pub(super) fn page(look: &Look<'_>, language: Language) -> String {
    let say = |text: Text| text.get(language);
    let (tag, other) = match language {
        Language::Chinese => ("zh-CN", "en"),
        Language::English => ("en", "zh"),
    };
    let device = escaped(&look.device.to_string());
    let title = say(words::TITLE);
    let mut page = format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} {device}</title><style>{STYLE}</style></head><body>\
         <header><h1>{title}</h1><span class=\"who\">{device}</span><nav>\
         <a href=\"?lang={same}\">{reload}</a><a href=\"?lang={other}\" lang=\"{other}\">{name}</a>\
         </nav></header><main>",
        same = if other == "en" { "zh" } else { "en" },
        reload = say(words::RELOAD),
        name = say(words::OTHER_LANGUAGE),
    );
    verdict(&mut page, look, language);
    page.push_str("<div class=\"cards\">");
    let cards = [way(look, language), outbox(look, language)];
    let more = [chain(look, language), alarms(look, language)];
    let rest = [readings(look, language), clock(look, language)];
    for Card { title, rows } in cards.into_iter().chain(more).chain(rest) {
        let _ = write!(page, "<section><h2>{}</h2><dl>", say(title));
        for (name, value) in rows {
            let _ = write!(page, "<div><dt>{}</dt><dd>{value}</dd></div>", say(name));
        }
        page.push_str("</dl></section>");
    }
    page.push_str("</div>");
    sources::section(&mut page, look, language);
    let _ = write!(
        page,
        "</main><footer><h2>{}</h2><p>{}</p><p>edge-agent {}</p></footer></body></html>",
        say(words::NOT_PROVEN),
        say(words::NOT_PROVEN_TEXT),
        env!("CARGO_PKG_VERSION")
    );
    page
}

/// A heading and rows of name and value, values as HTML.
struct Card {
    title: Text,
    rows: Vec<(Text, String)>,
}

/// The most urgent state large, every other one below it, each with what to do.
fn verdict(page: &mut String, look: &Look<'_>, language: Language) {
    let all = states(look.status);
    let (worst, others) = all.split_first().unwrap_or((&State::Running, &[]));
    let (class, icon) = mark(worst.severity());
    let _ = write!(
        page,
        "<section class=\"verdict\" data-state=\"{}\"><span class=\"{class}\">{icon}</span>\
         <div><p class=\"word {class}\">{}</p><p>{}</p></div>",
        worst.word(),
        worst.sentence().get(language),
        worst.remedy().get(language),
    );
    let detail = &look.status.link.detail;
    if !detail.is_empty() {
        let _ = write!(
            page,
            "<span></span><p class=\"todo\">{}</p>",
            escaped(detail)
        );
    }
    if !others.is_empty() {
        let _ = write!(
            page,
            "<ul class=\"also\" aria-label=\"{}\">",
            words::ALSO.get(language)
        );
        for state in others {
            let (class, _) = mark(state.severity());
            let _ = write!(
                page,
                "<li data-state=\"{}\"><span class=\"{class}\">{}</span> <span class=\"todo\">{}</span></li>",
                state.word(),
                state.sentence().get(language),
                state.remedy().get(language),
            );
        }
        page.push_str("</ul>");
    }
    page.push_str("</section>");
}

/// Class and icon; the word beside it says the same.
pub(super) const fn mark(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Fine => (
            "fine",
            "<svg viewBox=\"0 0 28 28\" aria-hidden=\"true\"><circle cx=\"14\" cy=\"14\" r=\"12\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M8 14l4 4 8-8\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/></svg>",
        ),
        Severity::Warning => (
            "warning",
            "<svg viewBox=\"0 0 28 28\" aria-hidden=\"true\"><path d=\"M14 3l12 22H2z\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M14 11v7m0 2v2\" stroke=\"currentColor\" stroke-width=\"2\"/></svg>",
        ),
        Severity::Bad => (
            "bad",
            "<svg viewBox=\"0 0 28 28\" aria-hidden=\"true\"><path d=\"M9 2h10l7 7v10l-7 7H9l-7-7V9z\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M9 9l10 10m0-10L9 19\" stroke=\"currentColor\" stroke-width=\"2\"/></svg>",
        ),
    }
}

fn way(look: &Look<'_>, language: Language) -> Card {
    let status = look.status;
    let connected = if status.connected {
        words::CONNECTED
    } else {
        words::NOT_CONNECTED
    };
    let receipt = status.last_receipt.map_or_else(
        || words::NO_RECEIPT.get(language).to_owned(),
        |at| instant(at, look, language),
    );
    Card {
        title: words::WAY,
        rows: vec![
            (words::WAY, connected.get(language).to_owned()),
            (words::ADDRESS, escaped(&status.link.broker)),
            (words::LAST_RECEIPT, receipt),
            (words::CONNECTIONS, status.link.connections.to_string()),
        ],
    }
}

fn outbox(look: &Look<'_>, language: Language) -> Card {
    let status = look.status;
    let mut taken = size(status.outbox_bytes);
    if let Some(quota) = status.outbox_quota {
        let _ = write!(taken, "{} {}", words::OF_QUOTA.get(language), size(quota));
    }
    Card {
        title: words::OUTBOX,
        rows: vec![
            (words::EVENTS_MADE, status.events_made.to_string()),
            (words::WAIT_RECEIPT, status.receipts_waiting.to_string()),
            (words::WAIT_BODIES, status.bodies_waiting.to_string()),
            (words::WAIT_ANCHOR, status.inclusions_waiting.to_string()),
            (words::TAKEN, taken),
        ],
    }
}

fn chain(look: &Look<'_>, language: Language) -> Card {
    let status = look.status;
    let nothing = || words::NO_HEAD.get(language).to_owned();
    let head = status.head.map_or_else(nothing, |head| {
        let id = head.id.to_string();
        let short = format!("{}…{}", &id[..8], &id[id.len() - 6..]);
        format!(
            "{}/{} <span class=\"hash\" title=\"{id}\">{short}</span>",
            head.epoch, head.seq
        )
    });
    let said = status
        .last_said
        .map_or_else(nothing, |at| instant(at, look, language));
    let epochs = status.head.map_or(0, |head| head.epoch);
    Card {
        title: words::CHAIN,
        rows: vec![
            (words::HEAD, head),
            (words::SAID, said),
            (words::EPOCHS, epochs.to_string()),
        ],
    }
}

fn alarms(look: &Look<'_>, _: Language) -> Card {
    let status = look.status;
    Card {
        title: words::ALARMS,
        rows: vec![
            (words::ALARMS, status.alarms.to_string()),
            (words::LATE, status.late.to_string()),
            (words::REFUSED, status.events_refused.to_string()),
            (words::OTHER_LOGS, status.other_logs.to_string()),
        ],
    }
}

fn readings(look: &Look<'_>, _: Language) -> Card {
    let status = look.status;
    Card {
        title: words::SOURCES,
        rows: vec![
            (words::READINGS, status.readings.to_string()),
            (words::BEYOND, status.readings_beyond_limits.to_string()),
            (words::BAD_LINES, status.bad_lines.to_string()),
        ],
    }
}

fn clock(look: &Look<'_>, language: Language) -> Card {
    let state = match look.status.clock {
        ClockState::Synced => words::CLOCK_SYNCED,
        ClockState::Unsynced => words::CLOCK_UNSYNCED,
        ClockState::Unknown => words::CLOCK_UNKNOWN,
    };
    Card {
        title: words::CLOCK,
        rows: vec![
            (words::CLOCK, state.get(language).to_owned()),
            (words::CLOCK_STEPS, look.status.clock_steps.to_string()),
        ],
    }
}

/// How long ago, and exactly when in a title.
pub(super) fn instant(at: Instant, look: &Look<'_>, language: Language) -> String {
    let exact = at.to_rfc3339();
    let ago = duration(look.now.since(at), language);
    let gap = match language {
        Language::Chinese => "",
        Language::English => " ",
    };
    let word = words::AGO.get(language);
    format!("<time datetime=\"{exact}\" title=\"{exact}\">{ago}{gap}{word}</time>")
}

/// In the largest unit that is at least one.
fn duration(time: Duration, language: Language) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..=119 => (seconds, words::SECONDS),
        120..=7_199 => (seconds / 60, words::MINUTES),
        7_200..=172_799 => (seconds / 3_600, words::HOURS),
        _ => (seconds / 86_400, words::DAYS),
    };
    format!("{number} {}", unit.get(language))
}

fn size(bytes: u64) -> String {
    if bytes < 1024 * 1024 {
        format!("{} KiB", bytes.div_ceil(1024))
    } else {
        format!("{} MiB", bytes / (1024 * 1024))
    }
}

pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
