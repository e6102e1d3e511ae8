//! What every page must hold.

use std::collections::BTreeMap;
use std::path::Path;

use super::assets::{CSS_HREF, SPEAK_HREF};
use super::samples::{pages, products};
use super::*;
use crate::report::Sent;
use crate::trace::{Item, Standing};

#[test]
fn every_state_renders_in_both_languages() {
    for lang in Lang::ALL {
        for (name, page) in pages(lang) {
            assert!(
                page.contains(&format!("<html lang=\"{}\">", lang.tag())),
                "{name}"
            );
            assert!(
                page.contains(&format!("?lang={}", lang.other().tag())),
                "{name}"
            );
            assert!(
                !page.contains(" style=") && inline_scripts(&page) == 0,
                "{name}"
            );
        }
    }
}

/// Scripts but the files of ours: the reader's own check in two parts, and what reads aloud.
fn inline_scripts(page: &str) -> usize {
    let own = |href: &str| {
        let script = format!("<script src=\"{href}\" defer></script>");
        let count = page.matches(&script).count();
        assert!(count <= 1);
        count
    };
    let check = own(&kit::verifier::SCRIPT_HREF) + own(&kit::verifier::PAGE_HREF);
    let ours = check + own(&SPEAK_HREF);
    page.matches("<script").count() - ours
}

#[test]
fn states_are_named_as_they_are() {
    let expected = [
        ("verified", "Verified", "已验证"),
        ("excursion", "Doubtful", "有疑点"),
        ("gap", "Doubtful", "有疑点"),
        ("late", "Doubtful", "有疑点"),
        ("waiting", "Doubtful", "有疑点"),
        ("recalled", "Recalled", "已召回"),
        ("unchecked", "Not checked", "未核验"),
        ("refused", "Doubtful", "有疑点"),
        ("withheld", "Doubtful", "有疑点"),
        ("declared", "Doubtful", "有疑点"),
        ("erased", "Doubtful", "有疑点"),
        ("archived", "Doubtful", "有疑点"),
        ("unknown-archived", "Archived", "已归档"),
        ("unknown", "Unknown code", "查无此码"),
    ];
    let (en, zh) = (
        BTreeMap::from_iter(pages(Lang::En)),
        BTreeMap::from_iter(pages(Lang::ZhCn)),
    );
    for (name, english, chinese) in expected {
        assert!(en[name].contains(&format!("</svg>{english}</p>")), "{name}");
        assert!(zh[name].contains(&format!("</svg>{chinese}</p>")), "{name}");
    }
}

#[test]
fn reasons_name_the_actor() {
    let en = BTreeMap::from_iter(pages(Lang::En));
    let holds =
        |name: &str, sentence: &str| assert!(en[name].contains(sentence), "{name}: {sentence}");
    holds(
        "excursion",
        "The sensor at Truck 7 measured 9.8\u{a0}°C and was outside the limits for 35 minutes. Allowed: 0.0\u{a0}°C to 8.0\u{a0}°C.",
    );
    holds(
        "gap",
        "Records of Qinghe Fresh are missing: device cold-1 left statements out (2026-07-11 07:50 to 08:50 +08:00). One more gap.",
    );
    holds(
        "recalled",
        "Qinghe Fresh recalled it on 2026-07-12 15:20 +08:00.",
    );
    holds(
        "refused",
        "The proofs of 2 records do not hold (first: place in the batch).",
    );
    holds(
        "withheld",
        "One record withholds a value that the check needs.",
    );
    holds("erased", "One record was erased on request.");
    holds("erased", "(reason: subject-request)");
    holds("archived", "One record is in an archive.");
    holds("archived", "One record of 2025-06 to 2025-06");
    holds(
        "unknown-archived",
        "12 records of 2025-01 to 2025-03 name this code.",
    );
    holds(
        "declared",
        "All 4 records are only declared: nothing was measured or scanned.",
    );
    holds("bare", "The one record is only declared");
    holds("waiting", "One record is not yet witnessed.");
    holds("replay", "Historical replay");
    holds("replay", "Time jumps back once");
    holds("replay", "12 times repeat");
    holds(
        "replay",
        "Assumed, not in the data: the unit is degrees Celsius",
    );
    assert!(!en["verified"].contains("Historical replay"));
}

/// A form that comes back holds what was entered and names every fault; the page of a number shows
/// neither words nor contact.
#[test]
fn a_report_is_asked_for_and_its_words_are_shown_to_nobody_else() {
    for lang in Lang::ALL {
        let pages = BTreeMap::from_iter(pages(lang));
        let text = text::of(lang);
        let again = &pages["report-faults"];
        for key in ["report.fault.kind", "report.fault.words"] {
            assert!(again.contains(text.get(key)), "{key}");
        }
        assert!(again.contains("role=\"alert\"") && again.contains("value=\"138 0000 0000\""));
        assert!(pages["report-many"].contains(text.get("report.fault.many")));
        assert!(pages["report-many"].contains("It was open &#60;b&#62;."));
        let switch = format!("?lang={}&#38;code=https", lang.other().tag());
        assert!(
            again.contains(&switch),
            "the other language is about the same code"
        );
        let kept = &pages["report"];
        assert!(kept.contains(text.get("report.kind.seal_broken")));
        assert!(!kept.contains("It was open") && !kept.contains("138 0000"));
        assert!(kept.contains("class=\"number\">"));
        assert!(pages["report-closed"].contains(text.get("report.state.closed")));
    }
}

#[test]
fn evidence_names_statement_log_place_and_witnesses() {
    let en = BTreeMap::from_iter(pages(Lang::En));
    for text in [
        "<dt>Log index</dt>",
        "<dt>Batch</dt>",
        "bank.example, run by Lakeside Bank",
        "local-1, run by this platform&#39;s operator",
        "UTC)",
        "class=\"full\"",
        "href=\"/v1/bundles/item?key=https%3A%2F%2Fid.gs1.org%2F01%2F09521001000017%2F10%2FQH-0711\"",
        "href=\"/log/checkpoint\"",
        "by the platform itself",
        "What this does not prove",
    ] {
        assert!(en["verified"].contains(text), "{text}");
    }
}

/// Every text that a stranger can write, on every page.
#[test]
fn no_text_of_a_stranger_becomes_markup() {
    const EVIL: &str = "<script>alert(1)</script>\"'&{{7*7}}";
    let evil = || ByLanguage::from([("en".to_owned(), EVIL.to_owned())]);
    for (_, mut view) in products() {
        poison(&mut view, EVIL);
        view.journey.names = evil();
        for ancestor in &mut view.journey.ancestors {
            ancestor.names = evil();
        }
        view.names
            .organisations
            .values_mut()
            .for_each(|names| *names = evil());
        view.names
            .places
            .values_mut()
            .for_each(|names| *names = evil());
        view.links = Links {
            bundle: EVIL.into(),
            checkpoint: EVIL.into(),
            page: EVIL.into(),
            report: EVIL.into(),
        };
        for lang in Lang::ALL {
            assert_clean(&render_product(&view, lang).unwrap());
        }
    }
    let item = Item::parse("(01)09521001000017(10)L1").unwrap();
    let home = HomeView {
        examples: vec![Example {
            item,
            names: evil(),
        }],
        bad_code: Some(EVIL.to_owned()),
        is_replay: true,
    };
    assert_clean(&render_home(&home, Lang::En).unwrap());
    let unknown = UnknownView {
        code: EVIL.to_owned(),
        report: Some(EVIL.to_owned()),
        ..UnknownView::default()
    };
    assert_clean(&render_unknown(&unknown, Lang::En).unwrap());
    let form = FormView {
        item: Item::parse("(01)09521001000017(10)L1").unwrap(),
        names: evil(),
        sent: Sent {
            kind: EVIL.to_owned(),
            text: EVIL.to_owned(),
            contact: EVIL.to_owned(),
            nonce: EVIL.to_owned(),
        },
        trouble: Trouble::None,
        is_replay: true,
    };
    assert_clean(&render_form(&form, Lang::En).unwrap());
    let look_up = LookUpView {
        entered: Some(EVIL.to_owned()),
        problem: None,
        is_replay: true,
    };
    assert_clean(&render_look_up(&look_up, Lang::En).unwrap());
    let error = ErrorView {
        kind: ErrorKind::Internal,
        reference: EVIL.to_owned(),
    };
    assert_clean(&render_error(&error, Lang::En).unwrap());
}

fn assert_clean(page: &str) {
    assert!(
        inline_scripts(page) == 0 && !page.contains("alert(1)</script>"),
        "{page}"
    );
    assert!(page.contains("alert(1)") && !page.contains("\"'&"));
}

fn poison(view: &mut ProductView, evil: &str) {
    for step in &mut view.journey.steps {
        let evil = || Some(evil.to_owned());
        step.step = evil();
        step.disposition = evil();
        step.place = evil();
        step.parent = evil();
        step.container = evil();
        step.assumptions.extend(evil());
        for thing in step
            .thing
            .iter_mut()
            .chain(&mut step.inputs)
            .chain(&mut step.outputs)
        {
            (thing.item, thing.uom, thing.quantity) = (evil().unwrap(), evil(), evil());
        }
        for curve in &mut step.curves {
            curve.place = evil();
            (curve.kind, curve.uom) = (evil().unwrap(), evil().unwrap());
        }
        if let Some(crate::trace::Correction::Declares { reason, .. }) = &mut step.correction {
            *reason = evil();
        }
    }
    if let Some(proof) = &mut view.proof {
        proof.origin = evil.to_owned();
        for witness in &mut proof.witnesses {
            (witness.name, witness.owner) = (evil.to_owned(), Some(evil.to_owned()));
        }
        for standing in proof.standings.values_mut().take(3) {
            *standing = Standing::Refused(evil.to_owned());
        }
    }
}

#[test]
fn a_page_is_well_formed() {
    for lang in Lang::ALL {
        for (name, page) in pages(lang) {
            for tag in [
                "div", "dl", "ul", "ol", "li", "section", "details", "summary", "figure", "svg",
                "p", "a", "table", "main",
            ] {
                let opened = page.matches(&format!("<{tag}>")).count()
                    + page.matches(&format!("<{tag} ")).count();
                let closed = page.matches(&format!("</{tag}>")).count();
                assert_eq!(opened, closed, "{name}: <{tag}>");
            }
            let mut ids: Vec<&str> = page
                .split(" id=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect();
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), all, "{name}: an id twice");
        }
    }
}

/// Nine steps and 60 readings were 5.7 KB gzipped at 28 KB: the aim is 14 KB gzipped.
#[test]
fn a_page_stays_small() {
    for lang in Lang::ALL {
        for (name, page) in pages(lang) {
            assert!(page.len() < 48 * 1024, "{name}: {} bytes", page.len());
        }
    }
}

/// The reader's own check compares a card's words with its own table: both say the same.
#[test]
fn the_check_knows_the_words_of_steps_sources_and_classes() {
    let (en, zh) = (text::of(Lang::En), text::of(Lang::ZhCn));
    let told = ["source.", "class."];
    let keys = en
        .keys()
        .filter(|key| told.iter().any(|of| key.starts_with(of)));
    let said = keys.map(|key| (key.to_owned(), zh.get(key), en.get(key)));
    let [en_steps, zh_steps] = [Lang::En, Lang::ZhCn].map(kit::text::steps);
    let steps = en_steps
        .keys()
        .map(|key| (format!("word.{key}"), zh_steps.get(key), en_steps.get(key)));
    for (key, zh, en) in said.chain(steps) {
        let quoted = |text: &str| text.replace('\'', "\\'");
        let row = format!("'{key}': ['{}', '{}'],", quoted(zh), quoted(en));
        assert!(
            kit::verifier::parts()[2].text.contains(&row),
            "{row} stands in platform/kit/web/words.js"
        );
    }
}

#[test]
fn assets_are_served_by_their_path() {
    let sheet = asset("tracebond.css").unwrap();
    assert_eq!(sheet.plain, css().as_bytes());
    assert!(sheet.gzip.len() * 2 < sheet.plain.len());
    assert!(sheet.is_named(CSS_HREF.split('?').nth(1)));
    assert!(!sheet.is_named(Some("v=0")) && !sheet.is_named(None));
    for (name, kind) in [
        ("icon.svg", "image/svg+xml"),
        ("speak.js", "text/javascript; charset=utf-8"),
    ] {
        assert_eq!(asset(name).map(|asset| asset.kind), Some(kind));
    }
    assert!(asset("../Cargo.toml").is_none());
}

/// Writes every page in both languages and themes to `TRACEBOND_SAMPLES`, to be looked at.
#[test]
fn samples_can_be_looked_at() {
    let Some(folder) = std::env::var_os("TRACEBOND_SAMPLES") else {
        return;
    };
    let folder = Path::new(&folder);
    for (theme, query) in [("light", "not all"), ("dark", "all")] {
        let sheet = css().replace("(prefers-color-scheme: dark)", query);
        std::fs::write(folder.join(format!("{theme}.css")), sheet).unwrap();
        for lang in Lang::ALL {
            for (name, page) in pages(lang) {
                let href = format!("href=\"{theme}.css");
                let page = page.replace("href=\"/assets/tracebond.css", &href);
                let page = page.replace("(prefers-color-scheme: dark)", query);
                std::fs::write(
                    folder.join(format!("{name}.{}.{theme}.html", lang.tag())),
                    page,
                )
                .unwrap();
            }
        }
    }
}
