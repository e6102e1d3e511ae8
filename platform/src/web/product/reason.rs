//! Why the verdict is what it is, in sentences that name the actor.

use super::{Scene, Sign};
use crate::trace::curve::{Curve, from_celsius};
use crate::trace::verdict::Spot;
use crate::trace::{Finding, Gap, Reason, Stated, Verdict};
use crate::web::format::{local, measure};

impl Scene<'_> {
    /// The one line below the verdict.
    pub(super) fn reason_line(&self, finding: &Finding) -> String {
        match finding.reasons.first() {
            Some(reason) => self.sentence(reason),
            None => {
                let quorum = self
                    .view
                    .proof
                    .as_ref()
                    .map_or(0, |proof| proof.quorum)
                    .to_string();
                let count = self.view.journey.entries().count();
                self.text
                    .count_with("reason.verified", count, &[("quorum", &quorum)])
            }
        }
    }

    /// All reasons but the first.
    pub(super) fn other_reasons(&self, finding: &Finding) -> Vec<Sign> {
        let sign = |reason: &Reason| {
            let tone = match reason.verdict() {
                Verdict::NotChecked => "none",
                Verdict::Recalled => "bad",
                _ => "warn",
            };
            Sign {
                tone,
                text: self.sentence(reason),
            }
        };
        finding.reasons.iter().skip(1).map(sign).collect()
    }

    fn sentence(&self, reason: &Reason) -> String {
        let text = &self.text;
        match reason {
            Reason::Recalled { organisation, at } => {
                let (who, when) = (self.organisation(organisation), local(*at));
                text.fill(
                    "reason.recalled",
                    &[("organisation", &who), ("time", &when)],
                )
            }
            Reason::ProofRefused { class, entries } => {
                text.count_with("reason.refused", *entries, &[("class", &self.class(class))])
            }
            Reason::SeveralMakers(makers) => {
                let names: Vec<String> = makers.iter().map(|one| self.organisation(one)).collect();
                text.fill("reason.makers", &[("organisations", &names.join(", "))])
            }
            Reason::Excursion { spot, count } => self.excursion(spot, *count),
            Reason::Gap { first, count } => self.gap(first, *count),
            Reason::Late { entries } => text.count("reason.late", *entries),
            Reason::Withheld { entries } => text.count("reason.withheld", *entries),
            Reason::Erased { entries } => text.count("reason.erased", *entries),
            Reason::Archived { entries } => text.count("reason.archived", *entries),
            Reason::Truncated => text.get("reason.truncated").to_owned(),
            Reason::NotChecked { entries } => self.unchecked(*entries),
            Reason::Declared { entries } => text.count("reason.declared", *entries),
            Reason::NotWitnessed { entries } => text.count("reason.unwitnessed", *entries),
        }
    }

    fn unchecked(&self, entries: usize) -> String {
        if entries == self.view.journey.entries().count() {
            self.text.get("reason.unchecked.all").to_owned()
        } else {
            self.text.count("reason.unchecked", entries)
        }
    }

    /// What a class of refusal is called; a class that is not known as it stands.
    pub(super) fn class(&self, class: &str) -> String {
        self.text
            .find(&format!("class.{class}"))
            .unwrap_or(class)
            .to_owned()
    }

    fn excursion(&self, spot: &Spot, count: usize) -> String {
        let curve = &self.view.journey.steps[spot.step].curves[spot.curve];
        let excursion = &curve.excursions[spot.excursion];
        let place = self.place(curve.place.as_deref());
        let peak = curve.readings[excursion.peak].value.unwrap_or_default();
        let peak = measure(peak, &curve.kind, &curve.uom);
        let limits = self.limits(curve);
        let length = curve.length(excursion);
        let key = if length.is_zero() {
            "reason.excursion.short"
        } else {
            "reason.excursion"
        };
        let length = self.length(length);
        let values = [
            ("place", &*place),
            ("peak", &peak),
            ("length", &length),
            ("limits", &limits),
        ];
        let sentence = self.text.fill(key, &values);
        self.with_more("reason.excursion.more", sentence, count)
    }

    /// The limits of a curve in words, in its own unit; empty when it has none.
    pub(super) fn limits(&self, curve: &Curve) -> String {
        let limits = curve.limits.unwrap_or_default();
        let shown = |celsius| measure(from_celsius(celsius, &curve.uom), &curve.kind, &curve.uom);
        match (limits.min.map(shown), limits.max.map(shown)) {
            (Some(min), Some(max)) => self
                .text
                .fill("curve.limits.both", &[("min", &min), ("max", &max)]),
            (Some(min), None) => self.text.fill("curve.limits.min", &[("min", &min)]),
            (None, Some(max)) => self.text.fill("curve.limits.max", &[("max", &max)]),
            (None, None) => String::new(),
        }
    }

    fn gap(&self, gap: &Gap, count: usize) -> String {
        let organisation = self.organisation(&gap.device.organisation);
        let (what, span) = (self.gap_text(gap), self.gap_span(gap));
        let values = [
            ("organisation", &*organisation),
            ("what", &what),
            ("span", &span),
        ];
        let sentence = self.text.fill("reason.gap", &values);
        self.with_more("reason.gap.more", sentence, count)
    }

    fn with_more(&self, key: &str, sentence: String, count: usize) -> String {
        match count.saturating_sub(1) {
            0 => sentence,
            more => self.text.count_with(key, more, &[("sentence", &sentence)]),
        }
    }

    /// A time at the place of a reading.
    pub(super) fn at(&self, at: Stated) -> String {
        local(at)
    }
}
