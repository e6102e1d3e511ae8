//! Models over HTTP: three people, the watermark, scores beside decisions, replay unchanged.

use super::*;
use crate::audit::{Action, Entry};
use crate::evidence::offline::{Again, replay_all};
use crate::logged::Place;
use crate::models::fit::fit;
use crate::models::life::{Act, ModelStep};
use crate::models::office::{OfficeError, Wish};
use crate::models::shadow::Shadows;
use crate::models::sheet::Sheet;
use crate::models::tests::{SETTINGS, rows};
use crate::store::models::{KeptText, ModelKept, Origin, TableUse};

/// A draft that this person made.
async fn draft(bank: &Bank, operator: &str) -> String {
    draft_of(bank, operator, "1").await
}

/// The same of this version.
async fn draft_of(bank: &Bank, operator: &str, version: &str) -> String {
    let version = format!("version = \"{version}\"");
    let settings = SETTINGS.replacen("version = \"1\"", &version, 1);
    let sheet = Sheet::parse("settings.toml", &settings).unwrap();
    let rows = rows(1_200);
    let made = fit(&sheet, rows.as_bytes(), &slug(operator), at(23, 0)).unwrap();
    let models = bank.handle.credit.models();
    models.make("command-line", &made).await.unwrap();
    made.card.artefact.to_string()
}

/// Sends a step, as the page that the person has open offers it.
async fn act(person: &mut Person<'_>, hash: &str, act: &str, steps: &str) -> Page {
    let home = person.get(&format!("/models/{hash}")).await;
    let form = [
        ("csrf", home.field("csrf")),
        ("act", act.to_owned()),
        ("steps", steps.to_owned()),
        ("words", "looked at it".to_owned()),
    ];
    person.post(&format!("/models/{hash}/act"), &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_promote_a_model_and_it_scores_beside_decisions() {
    let bank = Bank::open(journey(&COLD)).await;
    let hash = draft(&bank, "zhao-min").await;
    let mut zhao = bank.person("zhao-min").await;
    let list = zhao.get("/models?lang=en").await;
    assert!(list.has("built into the program") && list.has("late-delivery-points 1"));
    let page = zhao.get(&format!("/models/{hash}")).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.has("SIMULATED") && page.has("You have acted on this model before"));
    assert!(page.has("chart-description") && !page.has("NaN"));
    // Whoever made it cannot review it, whatever the page offers.
    let refused = act(&mut zhao, &hash, "reviewed", "1").await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.has("You have acted on this model before"));
    let mut li = bank.person("li-wei").await;
    assert_eq!(act(&mut li, &hash, "reviewed", "1").await.status, 403);
    let mut chen = bank.person("chen-jie").await;
    assert_eq!(act(&mut chen, &hash, "promoted", "1").await.status, 409);
    assert_eq!(act(&mut chen, &hash, "reviewed", "0").await.status, 412);
    assert_eq!(act(&mut chen, &hash, "reviewed", "1").await.status, 303);
    assert_eq!(act(&mut chen, &hash, "promoted", "2").await.status, 403);
    assert_eq!(act(&mut chen, &hash, "shadowing", "2").await.status, 303);
    let credit = &bank.handle.credit;
    assert_eq!(credit.cards_to_log().await.unwrap(), []);
    let early = chen.get(&format!("/models/{hash}?lang=en")).await;
    assert!(early.has("its hash goes there once the model is promoted"));

    let before = credit.terms_for_tests();
    let offer = bank.offer("A-1", "1000.00").await;
    let store = credit.store();
    let kept = store.shadows_beside(&offer).await.unwrap();
    let said = kept[0].body.said.as_ref().unwrap();
    assert_eq!(said.artefact.to_string(), hash);
    assert!(said.reasons.len() <= 4);
    let shown = li.get(&format!("/decisions/{offer}?lang=en")).await;
    assert!(shown.has("Scored beside") && shown.has("(SIMULATED)"));
    let page = chen.get(&format!("/models/{hash}")).await;
    assert!(page.has("Rank correlation") && page.has("too few to judge"));
    let under = Again {
        policy: &before.0,
        rules: before.1,
        model: &before.2,
    };
    let tally = replay_all(&**store, &under).await.unwrap();
    assert!(tally.holds() && tally.decisions == 1, "{tally}");

    bank.handle
        .accounts
        .add("test", &slug("qian-yi"), Role::Supervisor, PASSWORD)
        .await
        .unwrap();
    let mut qian = bank.person("qian-yi").await;
    assert_eq!(act(&mut qian, &hash, "promoted", "3").await.status, 303);
    let log = credit.cards_to_log().await.unwrap();
    let card = credit
        .models()
        .find(&hash.parse().unwrap())
        .await
        .unwrap()
        .card;
    let card_hash = card.hash().unwrap();
    assert_eq!((log.len(), log[0].entry.hash), (1, card_hash));
    assert_eq!((&*log[0].entry.kind, log[0].place), ("model-card", None));
    // Nothing is handed over here: the page says why, and shows a place once one is kept.
    let page = chen.get(&format!("/models/{hash}?lang=en")).await;
    assert!(page.has("the configuration does not say evidence.documents = true"));
    let place = Place {
        index: 4_711,
        anchored: at(25, 0),
    };
    let artefact = hash.parse().unwrap();
    store
        .keep_place(&artefact, &card_hash, &place)
        .await
        .unwrap();
    let page = chen.get(&format!("/models/{hash}?lang=en")).await;
    assert!(page.has("entry 4711, seen by the witnesses by 2026-11-21"));
    let file = sun_reads(&bank, &format!("/models/{hash}/card.json")).await;
    assert_eq!(sha256(&file.bytes), card_hash);
    assert_eq!(act(&mut chen, &hash, "retired", "4").await.status, 303);
    assert_eq!(act(&mut chen, &hash, "retired", "5").await.status, 409);
    bank.offer("A-2", "1000.00").await;
    assert_eq!(
        store
            .shadows_of(&hash.parse().unwrap(), 9)
            .await
            .unwrap()
            .len(),
        1
    );
    bank.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_in_use_is_shown_as_what_it_is() {
    let bank = Bank::open(journey(&COLD)).await;
    let table = bank.handle.credit.table().to_string();
    let mut sun = bank.person("sun-li").await;
    for language in ["en", "zh-CN"] {
        let page = sun.get(&format!("/models/{table}?lang={language}")).await;
        assert_eq!(page.status, 200);
        assert!(page.has("supplier-evidence 1.0.0") && page.has("longest_excursion_minutes"));
    }
    let none = sun.get(&format!("/models/{}", "0".repeat(64))).await;
    assert_eq!(none.status, 404);
    assert_eq!(sun.get("/models/what").await.status, 404);
    let trail = sun.get("/audit?lang=en").await;
    assert!(trail.has("scores from now on: supplier-evidence 1.0.0 (built-in)"));
    bank.close().await;
}

/// What the auditor reads at an address.
async fn sun_reads(bank: &Bank, path: &str) -> Page {
    let page = bank.person("sun-li").await.get(path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_made_a_model_never_checks_it_by_any_route() {
    let bank = Bank::open(journey(&COLD)).await;
    let hash = draft(&bank, "zhao-min").await;
    let artefact = hash.parse().unwrap();
    let office = bank.handle.credit.models();
    let actor = |name: &str, role| crate::desk::Actor {
        name: slug(name),
        role,
    };
    let wish = |act, steps| Wish {
        artefact,
        act,
        steps,
        words: "looked at it".to_owned(),
    };
    // The use case, below the pages, with the right number of steps and with a wrong one.
    let zhao = actor("zhao-min", Role::Supervisor);
    for steps in [0, 1, 9] {
        let refused = office.act(&zhao, wish(Act::Reviewed, steps)).await;
        assert!(refused.unwrap_err().is_same_person(), "{steps}");
    }
    for role in [Role::Officer, Role::Auditor, Role::Regulator] {
        let li = actor("li-wei", role);
        let refused = office.act(&li, wish(Act::Reviewed, 1));
        assert!(
            matches!(refused.await, Err(OfficeError::NotAllowed)),
            "{role:?}"
        );
    }
    // Making is no step of the pages, and nobody makes the same scorecard a second time.
    let mut chen = bank.person("chen-jie").await;
    assert_eq!(act(&mut chen, &hash, "made", "1").await.status, 400);
    assert_eq!(act(&mut chen, &hash, "reviewed", "1").await.status, 303);
    // Both people before may not promote, and neither may with another name of the step's.
    let mut maker = bank.person("zhao-min").await;
    for person in [&mut maker, &mut chen] {
        assert_eq!(act(person, &hash, "promoted", "2").await.status, 403);
        assert_eq!(act(person, &hash, "Promoted", "2").await.status, 400);
    }
    // A machine's token opens none of this.
    let url = format!("{}/models/{hash}/act", bank.base);
    let request = bank.client.post(url).bearer_auth(TOKEN);
    let answer = request.body("act=promoted&steps=2").send().await.unwrap();
    assert!(!answer.status().is_success(), "{}", answer.status());
    let life = office.find(&artefact).await.unwrap().life;
    assert_eq!((life.standing.word(), life.steps.len()), ("reviewed", 2));
    let trail = sun_reads(&bank, "/audit?lang=en").await;
    assert!(trail.has("zhao-min") && trail.has("promoted"));
    let store = bank.handle.credit.store();
    let kept = store.trail(0, 100).await.unwrap();
    let tried = |row: &&crate::audit::Row| row.action == Action::SamePerson.word();
    assert_eq!(kept.iter().filter(tried).count(), 5);
    bank.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_challenger_stops_neither_decisions_nor_another_challenger() {
    let bank = Bank::open(journey(&COLD)).await;
    let mut hashes = Vec::new();
    let mut chen = bank.person("chen-jie").await;
    for version in ["1", "2"] {
        let hash = draft_of(&bank, "zhao-min", version).await;
        assert_eq!(act(&mut chen, &hash, "reviewed", "1").await.status, 303);
        assert_eq!(act(&mut chen, &hash, "shadowing", "2").await.status, 303);
        hashes.push(hash);
    }
    let file = bank.folder.path().join("credit.sqlite");
    let url = format!("sqlite:{}", file.display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    let broken: schemas::hash::Hash = hashes[0].parse().unwrap();
    let points =
        "UPDATE model_artefacts SET bytes = CAST(bytes || ' ' AS BLOB) WHERE artefact = $1";
    let changed = sqlx::query(points).bind(&broken.0[..]);
    assert_eq!(changed.execute(&database).await.unwrap().rows_affected(), 1);
    database.close().await;
    let decision = bank.offer("A-1", "1000.00").await;
    let store = bank.handle.credit.store();
    let beside = store.shadows_beside(&decision).await.unwrap();
    let names: Vec<String> = beside.iter().map(|row| row.artefact.to_string()).collect();
    assert_eq!(names, hashes[1..]);
    let altered = chen.get(&format!("/models/{}", hashes[0])).await;
    assert_eq!(altered.status, 500);
    bank.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_end_left_out_is_made_good_since_the_scorecard_began_to_be_tried() {
    let bank = Bank::open(journey(&COLD)).await;
    let store = bank.handle.credit.store();
    let offer = bank.offer("A-1", "1000.00").await;
    let decided = store.lookup(&offer).await.unwrap().unwrap();
    let decided = decided.decision.decided_at;
    let [tried, used] = [
        draft(&bank, "zhao-min").await,
        draft_of(&bank, "zhao-min", "2").await,
    ];
    let [tried, used]: [schemas::hash::Hash; 2] = [tried, used].map(|hash| hash.parse().unwrap());
    // As if the service had ended between the decision and its scores: it was tried before, and its
    // last step is of later.
    let hour = std::time::Duration::from_secs(3_600);
    for (number, act, at) in [
        (1, Act::Shadowing, decided - hour),
        (2, Act::Promoted, decided + hour),
    ] {
        let step = ModelStep {
            artefact: tried,
            number,
            act,
            person: slug(if number == 1 { "chen-jie" } else { "qian-yi" }),
            words: "a reason".to_owned(),
            at,
        };
        let entry = Entry {
            at,
            actor: step.person.to_string(),
            action: Action::Model,
            subject: tried.to_string(),
            detail: String::new(),
        };
        let kept = store.step_model(&step, None, &entry).await.unwrap();
        assert_eq!(kept, ModelKept::New);
    }
    // The other one's table decides since then only.
    let table = KeptText::new("a table".to_owned());
    let taken = TableUse {
        table,
        since: decided + hour,
        origin: Origin::Promoted,
        artefact: Some(used),
        name: "late-delivery-points".to_owned(),
        version: "2".to_owned(),
    };
    let entry = Entry {
        at: taken.since,
        actor: "service".to_owned(),
        action: Action::Model,
        subject: taken.table.sha256.to_string(),
        detail: String::new(),
    };
    store.use_table(&taken, &entry).await.unwrap();
    for _ in 0..2 {
        let shadows = Shadows::default();
        shadows.catch_up(&**store, Some(used)).await.unwrap();
        let said = store.shadows_of(&tried, 9).await.unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].decision_id, offer);
        assert_eq!(store.shadows_of(&used, 9).await.unwrap(), []);
    }
    bank.close().await;
}
