//! Every page in every language, and every text in both.

use kit::negotiate::Language;
use schemas::event::Source;

use super::*;
use crate::audit::Action;
use crate::http::shell;

#[test]
fn every_text_stands_in_both_languages_and_every_key_of_a_page_exists() {
    assert_eq!(shell::text_differences(), [""; 0]);
    let text = shell::text(Language::En);
    let pages = [
        include_str!("../../../web/templates/base.html"),
        include_str!("../../../web/templates/event.html"),
        include_str!("../../../web/templates/model.html"),
        include_str!("../../../web/templates/models.html"),
        include_str!("../../../web/templates/points_table.html"),
        include_str!("../models.rs"),
        include_str!("../models/beside.rs"),
        include_str!("../models/show.rs"),
        include_str!("../models/view.rs"),
        include_str!("../../../web/templates/my.html"),
        include_str!("../../../web/templates/my_loan.html"),
        include_str!("../../../web/templates/my_consents.html"),
        include_str!("../my/consents.rs"),
        include_str!("../my/view.rs"),
        include_str!("../../../web/templates/loan.html"),
        include_str!("../../../web/templates/loan_token.html"),
        include_str!("../../../web/templates/loans.html"),
        include_str!("../loan_desk/look.rs"),
        include_str!("../loan_desk/words.rs"),
        include_str!("../problem_page.rs"),
        include_str!("../../../web/templates/login.html"),
        include_str!("../../../web/templates/offer.html"),
        include_str!("../../../web/templates/pieces.html"),
        include_str!("../../../web/templates/pledge.html"),
        include_str!("../../../web/templates/pledge_new.html"),
        include_str!("../../../web/templates/pledges.html"),
        include_str!("../pledges/words.rs"),
        include_str!("../../../web/templates/problem.html"),
        include_str!("../../../web/templates/queue.html"),
        include_str!("../../../web/templates/reasons.html"),
        include_str!("../../../web/templates/trail.html"),
        include_str!("../desk/event.rs"),
        include_str!("../desk/format.rs"),
        include_str!("../desk/offer.rs"),
        include_str!("../desk/queue.rs"),
        include_str!("../desk/queue_filter.rs"),
        include_str!("../desk/look.rs"),
        include_str!("../../desk/export.rs"),
        include_str!("../desk.rs"),
    ];
    let mut met = 0;
    for page in pages {
        for call in [
            "t.get(\"",
            "t.fill(\"",
            "t.count(\"",
            "\"model.",
            "\"models.",
            "\"shadow.",
            "\"refused.",
            "\"step.",
            "\"stage.",
            "\"login.",
            "\"show.",
            "\"why.",
            "\"exposure.",
            "\"compare.",
            "\"loan.",
            "\"field.",
            "\"account.",
            "\"problem.",
            "\"consent.",
            "fixed(t, \"",
        ] {
            for (at, _) in page.match_indices(call) {
                let from = at + call.find('"').unwrap() + 1;
                let key = page[from..].split('"').next().unwrap();
                let known = text.find(key).or_else(|| text.find(&format!("{key}.one")));
                assert!(
                    known.is_some()
                        || key.ends_with('.')
                        || key.ends_with(".html")
                        || key.contains('{'),
                    "{key}"
                );
                met += 1;
            }
        }
    }
    assert!(met > 90, "{met}");
    for what in crate::desk::export::What::ALL {
        let keys = what.columns().iter().copied().chain([what.word()]);
        for key in keys {
            assert!(text.find(&format!("export.{key}")).is_some(), "{key}");
        }
    }
    for action in Action::ALL {
        assert!(
            text.find(&format!("action.{}", action.word())).is_some(),
            "{action:?}"
        );
    }
}

#[tokio::test]
async fn every_kind_of_decision_has_a_page_in_every_language() {
    let mut gaps = journey(&COLD);
    gaps.swallow("qinghe/line-1");
    let lot = (Source::Scan, commissioning(at(13, 0), LOT));
    gaps.say("qinghe/line-1", at(13, 0), &[lot]);
    let mut bare = World::new(&DEVICES);
    bare.say(
        "market/dock-1",
        at(1, 0),
        &[(Source::Scan, receiving(at(1, 0), PALLET))],
    );
    let mut replay = World::with_origin("log.test/replay", &DEVICES);
    tell_journey(&mut replay, &COLD);
    for (world, is_replay) in [
        (journey(&COLD), false),
        (journey(&WARM), false),
        (gaps, false),
        (bare, false),
        (replay, true),
    ] {
        let bank = Bank::open(world).await;
        let (_, decision) = bank.post(&body("A-1", "4000.00")).await;
        let id = decision["decision_id"].as_str().unwrap();
        for name in ["li-wei", "zhao-min"] {
            let mut person = bank.person(name).await;
            for (language, not_proven, replay) in [
                ("en", "What this does not prove", "Historical replay"),
                ("zh-CN", "本结果不能证明什么", "历史回放"),
            ] {
                let page = person
                    .get(&format!("/decisions/{id}?lang={language}"))
                    .await;
                assert!(page.status == 200 && page.has(not_proven), "{}", page.text);
                assert!(page.has(&format!("lang=\"{language}\"")));
                assert_eq!(page.has(replay), is_replay);
                for path in [
                    "/",
                    "/?state=settled",
                    "/?state=declined&sort=amount&dir=desc",
                    "/reasons",
                ] {
                    let page = person.get(path).await;
                    assert!(
                        page.status == 200 && page.has(&format!("<html lang=\"{language}\"")),
                        "{path}"
                    );
                }
            }
        }
        bank.close().await;
    }
}
