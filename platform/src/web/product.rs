//! The product page: from a [`ProductView`] to HTML.

use std::time::Duration;

use askama::Template;
use schemas::ids::Slug;
use schemas::time::Instant;

use super::assets::SPEAK_HREF;
use super::format::{identifier, local};
use super::pages::{ScanLine, Shell};
use super::qr::qr_svg;
use super::text::{self, Text, choose};
use super::view::{Archived, ProductView};
use super::{Lang, RenderError, format};
use crate::store::erasure::ErasedEvent;
use crate::trace::gap::during;
use crate::trace::{Finding, Gap, GapKind, Stated, Verdict};

mod curve;
mod evidence;
mod reason;
mod step;

/// One line with an icon beside it: colour never stands alone.
struct Sign {
    /// `ok`, `warn`, `bad` or `none`: class and icon.
    tone: &'static str,
    text: String,
}

/// A label with its value, which may link somewhere.
struct Fact {
    label: String,
    value: String,
    /// An identifier beside the value, in small figures.
    id: Option<String>,
    href: Option<String>,
    /// What the reader's own check compares: `place` or `organisation`, and its identifier.
    show: Option<(&'static str, String)>,
}

impl Fact {
    fn new(label: &str, value: String) -> Self {
        Self {
            label: label.to_owned(),
            value,
            id: None,
            href: None,
            show: None,
        }
    }

    /// The same, for the reader's own check to compare with the signed identifier.
    fn compared(self, show: &'static str, key: &str) -> Self {
        let show = Some((show, key.to_owned()));
        Self { show, ..self }
    }
}

/// A row of the journey.
enum Row {
    Step(Box<step::Card>),
    Gap(GapCard),
    Erased(ErasedCard),
    Archived(String),
}

/// An event of which only the leaf is left.
struct ErasedCard {
    text: String,
    leaf: String,
}

struct GapCard {
    text: String,
    span: String,
}

/// The same verifier at somebody else's address.
struct Verifier<'v> {
    href: &'v str,
    text: String,
}

struct Material {
    name: String,
    detail: String,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "product.html", config = "web/askama.toml")]
struct ProductPage<'v> {
    shell: Shell,
    t: Text,
    name: &'v str,
    gtin: &'v str,
    lot: Option<&'v str>,
    serial: Option<&'v str>,
    tone: &'static str,
    word: &'static str,
    reason: String,
    checked: String,
    say: String,
    scans: ScanLine,
    report: &'v str,
    also: Vec<Sign>,
    rows: Vec<Row>,
    materials: Vec<Material>,
    containers: Vec<Fact>,
    bundle: &'v str,
    policy: Option<String>,
    verifiers: Vec<Verifier<'v>>,
    script: &'static str,
    words: &'static str,
    speak: &'static str,
    checkpoint: &'v str,
    log: Option<String>,
    qr: String,
}

/// Writes the product page.
///
/// # Errors
/// Only when the template cannot be written, which is a fault of ours.
pub fn render_product(view: &ProductView, lang: Lang) -> Result<String, RenderError> {
    let scene = Scene {
        view,
        text: text::of(lang),
    };
    Ok(scene.page(&view.finding()).render()?)
}

/// What all parts of the page read from.
struct Scene<'v> {
    view: &'v ProductView,
    text: Text,
}

impl<'v> Scene<'v> {
    fn page(&self, finding: &Finding) -> ProductPage<'v> {
        let (view, text) = (self.view, self.text);
        let journey = &view.journey;
        let name = choose(&journey.names, text.language).unwrap_or(text.get("product.unnamed"));
        let (tone, word) = word(&text, finding.verdict);
        let replay = view.proof.as_ref().is_some_and(|proof| proof.is_replay());
        let reason = self.reason_line(finding);
        ProductPage {
            shell: Shell::new(text, &format!("{name} · {word}"), replay).with_its_style(),
            t: text,
            name,
            gtin: journey.item.gtin(),
            lot: journey
                .item
                .lot()
                .filter(|_| journey.item.serial().is_none()),
            serial: journey.item.serial(),
            tone,
            word,
            say: text.fill(
                "product.say",
                &[("verdict", word), ("product", name), ("reason", &reason)],
            ),
            reason,
            checked: self.checked_line(),
            scans: ScanLine::new(&text, view.scans, view.offset_minutes),
            report: &view.links.report,
            also: self.other_reasons(finding),
            rows: self.rows(),
            materials: self.materials(),
            containers: self.containers(),
            bundle: &view.links.bundle,
            policy: view.policy.map(|hash| hash.to_string()),
            verifiers: self.verifiers(),
            script: &kit::verifier::SCRIPT_HREF,
            words: &kit::verifier::PAGE_HREF,
            speak: &SPEAK_HREF,
            checkpoint: &view.links.checkpoint,
            log: self.log_line(),
            qr: if view.links.page.is_empty() {
                String::new()
            } else {
                qr_svg(&view.links.page)
            },
        }
    }

    fn checked_line(&self) -> String {
        match &self.view.proof {
            Some(proof) => {
                let (shown, _) = self.own_time(proof.checked_at);
                self.text.fill("product.checked", &[("time", &shown)])
            }
            None => self.text.get("product.unchecked").to_owned(),
        }
    }

    fn log_line(&self) -> Option<String> {
        let proof = self.view.proof.as_ref()?;
        let size = proof.checkpoint_size.to_string();
        Some(self.text.fill(
            "product.proof.log",
            &[("origin", &proof.origin), ("size", &size)],
        ))
    }

    /// A time of the page's own: shown and machine-readable.
    fn own_time(&self, instant: Instant) -> (String, String) {
        let at = Stated {
            instant,
            offset_minutes: self.view.offset_minutes,
        };
        (local(at), format::iso(instant))
    }

    /// Steps with the gaps between them where they began.
    fn rows(&self) -> Vec<Row> {
        let gaps = during(&self.view.journey, &self.view.gaps);
        let mut waiting = gaps.iter().peekable();
        let mut rows = Vec::new();
        for (index, step) in self.view.journey.steps.iter().enumerate() {
            while let Some(gap) = waiting.next_if(|gap| starts_before(gap, step.time.instant)) {
                rows.push(Row::Gap(self.gap_card(gap)));
            }
            rows.push(Row::Step(Box::new(self.card(index, step))));
        }
        rows.extend(waiting.map(|gap| Row::Gap(self.gap_card(gap))));
        // When they happened is erased, too: they stand at the end.
        rows.extend(
            self.view
                .erased
                .iter()
                .map(|one| Row::Erased(self.erased(one))),
        );
        // They say no more when they happened either, but for their months.
        let archived = Archived::of(&self.view.archived);
        rows.extend(archived.map(|some| Row::Archived(some.words(&self.text, "archived.text"))));
        rows
    }

    fn erased(&self, event: &ErasedEvent) -> ErasedCard {
        let (time, _) = self.own_time(event.made);
        let values = [("time", &*time), ("reason", &event.reason)];
        ErasedCard {
            text: self.text.fill("erased.text", &values),
            leaf: event.leaf.to_string(),
        }
    }

    fn gap_card(&self, gap: &Gap) -> GapCard {
        let organisation = self.organisation(&gap.device.organisation);
        let what = self.gap_text(gap);
        let text = self.text.fill(
            "gap.of",
            &[("organisation", &organisation), ("what", &what)],
        );
        GapCard {
            text,
            span: self.gap_span(gap),
        }
    }

    fn gap_text(&self, gap: &Gap) -> String {
        let key = match gap.kind {
            GapKind::Missing => "gap.missing",
            GapKind::Restarted => "gap.restarted",
            GapKind::Silent => "gap.silent",
            GapKind::Forked => "gap.forked",
            GapKind::Thinned => "gap.thinned",
        };
        self.text
            .fill(key, &[("device", gap.device.device.as_str())])
    }

    fn gap_span(&self, gap: &Gap) -> String {
        let stated = |instant| Stated {
            instant,
            offset_minutes: self.view.offset_minutes,
        };
        let shown = |instant| local(stated(instant));
        match (gap.from, gap.until) {
            (Some(from), Some(until)) => self.span(stated(from), stated(until)),
            (Some(from), None) => self.text.fill("gap.since", &[("from", &shown(from))]),
            (None, Some(until)) => self.text.fill("gap.before", &[("until", &shown(until))]),
            (None, None) => self.text.get("gap.unknown").to_owned(),
        }
    }

    fn materials(&self) -> Vec<Material> {
        let of = |ancestor: &crate::trace::Ancestor| {
            let id = identifier(&self.text, &ancestor.thing.item);
            let named = choose(&ancestor.names, self.text.language).map(str::to_owned);
            let by = ancestor.organisation.as_ref().map(|slug| {
                let organisation = self.organisation(slug);
                self.text
                    .fill("product.made_from.by", &[("organisation", &organisation)])
            });
            let amount = format::quantity(&self.text, &ancestor.thing);
            let beside = named.is_some().then(|| id.clone());
            let detail: Vec<String> = [amount, beside, by].into_iter().flatten().collect();
            Material {
                name: named.unwrap_or(id),
                detail: detail.join(" · "),
                href: page_of(&ancestor.thing.item),
            }
        };
        self.view
            .journey
            .ancestors
            .iter()
            .take(step::MAX_LISTED)
            .map(of)
            .collect()
    }

    fn containers(&self) -> Vec<Fact> {
        let of = |followed: &crate::trace::collect::Followed| {
            let from = self.own_time(followed.span.from).0;
            let span = match followed.span.until {
                Some(until) => {
                    let until = self.own_time(until).0;
                    self.text
                        .fill("step.lookback", &[("from", &from), ("until", &until)])
                }
                None => from,
            };
            Fact::new(&identifier(&self.text, &followed.key), span)
        };
        self.view
            .journey
            .containers
            .iter()
            .take(step::MAX_LISTED)
            .map(of)
            .collect()
    }

    fn organisation(&self, slug: &Slug) -> String {
        let named = self.view.names.organisations.get(slug);
        let name = named.and_then(|names| choose(names, self.text.language));
        name.unwrap_or(slug.as_str()).to_owned()
    }

    fn place(&self, uri: Option<&str>) -> String {
        let Some(uri) = uri else {
            return self.text.get("curve.nowhere").to_owned();
        };
        let named = self.view.names.places.get(uri);
        let name = named.and_then(|names| choose(names, self.text.language));
        name.map_or_else(|| identifier(&self.text, uri), str::to_owned)
    }

    fn length(&self, length: Duration) -> String {
        format::length(&self.text, length)
    }
}

fn starts_before(gap: &Gap, at: Instant) -> bool {
    gap.from.is_none_or(|from| from <= at)
}

/// The product page of a thing, if it is a lot or a piece.
fn page_of(uri: &str) -> Option<String> {
    crate::trace::Item::parse(uri).map(|item| item.path().to_owned())
}

/// Tone and word of a verdict.
fn word(text: &Text, verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Verified => ("ok", text.get("state.verified")),
        Verdict::Doubtful => ("warn", text.get("state.doubtful")),
        Verdict::Recalled => ("bad", text.get("state.recalled")),
        Verdict::NotChecked => ("none", text.get("state.not_checked")),
    }
}
