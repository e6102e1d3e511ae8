//! Scorecards, their steps, and what was said beside decisions.

use credit::audit::Action;
use credit::logged::Place;
use credit::models::life::{Act, ModelStep};
use credit::store::models::{
    CardToLog, KeptCard, KeptModel, KeptText, ModelKept, Origin, ShadowBody, ShadowRow, TableUse,
};
use credit::store::sandbox::LogEntry;
use schemas::hash::{Hash, sha256};

use super::Bank;
use super::made::{at, entry};
use crate::contract::ingest::join_all;

fn model(name: &str, table: Option<&str>) -> KeptModel {
    KeptModel {
        artefact: sha256(name.as_bytes()),
        name: name.to_owned(),
        version: "1".to_owned(),
        bytes: name.as_bytes().to_vec(),
        settings: "name = \"'x'\"".to_owned(),
        rows_sha256: sha256(b"rows"),
        table: table.map(|text| KeptText::new(text.to_owned())),
        made_at: at(1),
    }
}

fn card(model: &KeptModel, reviewed: bool) -> KeptCard {
    let bytes = format!("{} {reviewed}", model.name).into_bytes();
    KeptCard {
        artefact: model.artefact,
        reviewed,
        sha256: sha256(&bytes),
        bytes,
    }
}

fn step(model: &KeptModel, number: u32, act: Act, person: &str) -> ModelStep {
    ModelStep {
        artefact: model.artefact,
        number,
        act,
        person: person.parse().unwrap(),
        words: "looked 'at'".to_owned(),
        at: at(i64::from(number) + 1),
    }
}

async fn add(bank: &Bank, model: &KeptModel) -> ModelKept {
    let first = step(model, 0, Act::Made, "lin");
    let (draft, entry) = (card(model, false), entry("lin", Action::Model, "m", at(1)));
    let kept = bank.store.add_model(model, &draft, &first, &entry);
    kept.await.unwrap()
}

async fn take(bank: &Bank, step: &ModelStep, card: Option<&KeptCard>) -> ModelKept {
    let entry = entry(step.person.as_str(), Action::Model, "m", step.at);
    bank.store.step_model(step, card, &entry).await.unwrap()
}

pub async fn models_come_back_with_their_steps_and_cards(bank: &Bank) {
    let (one, other) = (model("one", Some("a table\n")), model("other", None));
    for each in [&one, &other] {
        assert_eq!(add(bank, each).await, ModelKept::New);
        assert_eq!(add(bank, each).await, ModelKept::Taken);
        let back = bank.store.model(&each.artefact).await.unwrap();
        assert_eq!(back.as_ref(), Some(each));
    }
    assert_eq!(bank.store.model(&Hash::ZERO).await.unwrap(), None);
    let (draft, reviewed) = (card(&one, false), card(&one, true));
    let review = step(&one, 1, Act::Reviewed, "wang");
    assert_eq!(take(bank, &review, Some(&reviewed)).await, ModelKept::New);
    assert_eq!(bank.store.cards_to_log().await.unwrap(), []);
    let promotion = step(&one, 2, Act::Promoted, "zhao");
    assert_eq!(take(bank, &promotion, None).await, ModelKept::New);
    let cards = bank.store.model_cards(&one.artefact).await.unwrap();
    assert_eq!(cards, [draft, reviewed.clone()]);
    let place = |index| Place {
        index,
        anchored: at(9),
    };
    let mut wanted = CardToLog {
        artefact: one.artefact,
        entry: LogEntry {
            kind: "model-card".to_owned(),
            hash: reviewed.sha256,
            time: promotion.at,
        },
        place: None,
    };
    let cards = async || bank.store.cards_to_log().await.unwrap();
    assert_eq!(cards().await, [wanted.clone()]);
    // The first place that is kept stays.
    for index in [7, 8] {
        let (artefact, card) = (&one.artefact, &reviewed.sha256);
        let place = place(index);
        let kept = bank.store.keep_place(artefact, card, &place).await;
        kept.unwrap();
    }
    wanted.place = Some(place(7));
    assert_eq!(cards().await, [wanted]);
    let heads = bank.store.models().await.unwrap();
    let head = heads.iter().find(|head| head.artefact == one.artefact);
    let first = step(&one, 0, Act::Made, "lin");
    assert_eq!(head.unwrap().steps, [first, review, promotion]);
    assert_eq!(bank.store.model_steps(None).await.unwrap().len(), 4);
    assert_eq!(bank.store.trail(0, 10).await.unwrap().len(), 4);
}

pub async fn nobody_acts_twice_on_a_model(bank: &Bank) {
    let one = model("one", None);
    add(bank, &one).await;
    let own = step(&one, 1, Act::Reviewed, "lin");
    assert_eq!(take(bank, &own, None).await, ModelKept::SamePerson);
    let review = step(&one, 1, Act::Reviewed, "wang");
    assert_eq!(take(bank, &review, None).await, ModelKept::New);
    let stale = step(&one, 1, Act::Promoted, "zhao");
    assert_eq!(take(bank, &stale, None).await, ModelKept::Taken);
    for person in ["lin", "wang"] {
        let promotion = step(&one, 2, Act::Promoted, person);
        assert_eq!(take(bank, &promotion, None).await, ModelKept::SamePerson);
    }
    let names = ["an", "bo", "cai", "deng"];
    let tries = names.map(|name| {
        let (store, promotion) = (bank.store.clone(), step(&one, 2, Act::Promoted, name));
        async move {
            let entry = entry(name, Action::Model, "m", promotion.at);
            store.step_model(&promotion, None, &entry).await.unwrap()
        }
    });
    let kept = join_all(tries.into_iter()).await;
    assert_eq!(
        kept.iter().filter(|kept| **kept == ModelKept::New).count(),
        1
    );
    // Whoever reviewed may end it: that is no part of the way into use.
    let end = step(&one, 3, Act::Retired, "wang");
    assert_eq!(take(bank, &end, None).await, ModelKept::New);
    assert_eq!(bank.store.trail(0, 20).await.unwrap().len(), 4);
}

pub async fn tables_in_use_and_shadow_scores_are_kept_once(bank: &Bank) {
    let taken = |text: &str, second| TableUse {
        table: KeptText::new(text.to_owned()),
        since: at(second),
        origin: Origin::Promoted,
        artefact: Some(sha256(b"one")),
        name: "one".to_owned(),
        version: "1".to_owned(),
    };
    let uses = [taken("b", 3), taken("a", 2), taken("b", 1)];
    let entry = entry("service", Action::Model, "b", at(3));
    for one in uses.iter().chain(&uses) {
        bank.store.use_table(one, &entry).await.unwrap();
    }
    assert_eq!(bank.store.table_uses(None).await.unwrap(), uses);
    let own = bank.store.table_uses(Some(&sha256(b"b"))).await.unwrap();
    assert_eq!(own, [uses[0].clone(), uses[2].clone()]);
    assert_eq!(bank.store.trail(0, 10).await.unwrap().len(), 3);
    let row = |decision: &str, second| ShadowRow {
        decision_id: decision.to_owned(),
        artefact: sha256(b"one"),
        decided_at: at(second),
        body: ShadowBody {
            table: sha256(b"b"),
            total: 512,
            offerable: true,
            said: Err("gaps: absent".to_owned()),
        },
    };
    let rows = [row("d-2", 2), row("d-1", 1)];
    for one in rows.iter().chain(&rows) {
        bank.store.keep_shadow(one).await.unwrap();
    }
    assert_eq!(
        bank.store.shadows_of(&sha256(b"one"), 9).await.unwrap(),
        rows
    );
    assert_eq!(
        bank.store.shadows_of(&sha256(b"one"), 1).await.unwrap(),
        rows[..1]
    );
    assert_eq!(bank.store.shadows_beside("d-1").await.unwrap(), rows[1..]);
    assert_eq!(bank.store.shadows_beside("d-3").await.unwrap(), []);
}
