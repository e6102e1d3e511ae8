//! `GET /models/{hash}`: a scorecard with its card, or a points table that scored.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::hash::{Hash, sha256};

use super::view::{self, Beside, Chart, FairnessView, Feature, ShiftView, StepView};
use super::{hash, origin, problem, tone};
use crate::desk::Role;
use crate::http::desk::format::exact;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::models::life::Act;
use crate::models::office::{Kept, OfficeError};
use crate::models::shadow::compare;
use crate::models::table;
use crate::store::models::{CardToLog, SHADOWS_MAX, TableUse};

/// A step that this person can take.
#[derive(Debug)]
struct Move {
    act: &'static str,
    title: &'static str,
    next: &'static str,
    /// Label of the words, and whether they must be there.
    words: &'static str,
    needed: bool,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "model.html")]
struct Page {
    shell: Shell,
    title: String,
    hash: Hash,
    tone: &'static str,
    state: String,
    more: Vec<String>,
    watermark: Option<String>,
    figure: String,
    hashes: Vec<(&'static str, String)>,
    log: String,
    logged: bool,
    statement: Vec<(&'static str, String)>,
    development: Vec<(&'static str, String)>,
    holdout: Option<Vec<(&'static str, String)>>,
    stability: Vec<ShiftView>,
    base: i32,
    features: Vec<Feature>,
    dropped: Vec<String>,
    fairness: Vec<FairnessView>,
    chart: Chart,
    beside: Option<Beside>,
    steps: Vec<StepView>,
    count: u32,
    moves: Vec<Move>,
    why_not: Vec<&'static str>,
    table: Option<String>,
    settings: String,
}

#[derive(Template)]
#[template(path = "points_table.html")]
struct TablePage {
    shell: Shell,
    title: String,
    hash: Hash,
    origin: &'static str,
    artefact: Option<Hash>,
    uses: Vec<String>,
    now: bool,
    text: String,
}

/// A scorecard, or a table that scored.
pub(super) async fn show(
    State(app): State<App>,
    Path(named): Path<String>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let shell = Shell::new(&uri, language, &person, "models")?;
    let hash = hash(&named)?;
    let credit = app.desk.credit();
    match credit.models().find(&hash).await {
        Ok(kept) => {
            let page = page(&app, shell, &person, kept).await?;
            shell::page(&uri, StatusCode::OK, &page)
        }
        Err(OfficeError::Unknown) => {
            let uses = credit.store().table_uses(Some(&hash)).await;
            let uses = uses.map_err(|error| internal(&error))?;
            let now = credit.table() == hash;
            let page = table_page(shell, &uses, now);
            let page = page.ok_or_else(|| problem(&OfficeError::Unknown))?;
            shell::page(&uri, StatusCode::OK, &page)
        }
        Err(error) => Err(problem(&error)),
    }
}

/// The newest card: the reviewed one, if there is one. The log holds the hash of these bytes.
pub(super) async fn card(
    State(app): State<App>,
    Path(named): Path<String>,
    person: Person,
) -> Result<Response, Problem> {
    if !shell::actor(&person)?.role.reads_desk() {
        return Err(problem(&OfficeError::NotAllowed));
    }
    let kept = app.desk.credit().models().find(&hash(&named)?).await;
    let card = kept.map_err(|error| problem(&error))?.card;
    let bytes = card.to_bytes().map_err(|error| internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!(
                "attachment; filename=\"model-card-{}.json\"",
                sha256(&bytes)
            ),
        ),
    ];
    Ok((headers, bytes).into_response())
}

/// Where the card's hash stands in the log, or why it does not.
fn in_log(found: Option<&CardToLog>, hands_over: bool, t: Text) -> String {
    let place = found.map(|one| one.place);
    match place {
        None => t.get("model.log.later").to_owned(),
        Some(None) if hands_over => t.get("model.log.waits").to_owned(),
        Some(None) => t.get("model.log.off").to_owned(),
        Some(Some(place)) => {
            let (index, by) = (place.index.to_string(), exact(place.anchored));
            t.fill("model.log.entry", &[("index", &index), ("by", &by)])
        }
    }
}

fn table_page(shell: Shell, uses: &[TableUse], now: bool) -> Option<TablePage> {
    let newest = uses.first()?;
    Some(TablePage {
        title: format!("{} {}", newest.name, newest.version),
        hash: newest.table.sha256,
        origin: origin(newest.origin, &shell),
        artefact: newest.artefact,
        uses: uses.iter().map(|one| exact(one.since)).collect(),
        now,
        text: newest.table.text.clone(),
        shell,
    })
}

async fn page(app: &App, shell: Shell, person: &Person, kept: Kept) -> Result<Page, Problem> {
    let (t, credit) = (shell.t, app.desk.credit());
    let hash = kept.model.artefact;
    let rows = credit.store().shadows_of(&hash, SHADOWS_MAX).await;
    let rows = rows.map_err(|error| internal(&error))?;
    let found = compare(&kept.artefact, &kept.card, &rows);
    let in_use = credit.models().in_use() == Some(hash);
    let cards = credit.cards_to_log().await;
    let cards = cards.map_err(|error| internal(&error))?;
    let own = cards.iter().find(|one| one.artefact == hash);
    let state = kept.life.standing.word();
    let card_hash = kept.card.hash().map_err(|error| internal(&error))?;
    let mut hashes = vec![
        (t.get("model.hash"), hash.to_string()),
        (t.get("model.card-hash"), card_hash.to_string()),
        (t.get("model.data-hash"), kept.artefact.data.to_string()),
        (t.get("model.rows-hash"), kept.model.rows_sha256.to_string()),
    ];
    if let Some(table) = &kept.model.table {
        hashes.push((t.get("model.table-hash"), table.sha256.to_string()));
    }
    let (moves, why_not) = moves(&shell, person, &kept, in_use);
    let more = [
        kept.life.shadowing.map(|_| t.get("models.shadowing")),
        in_use.then(|| t.get("models.in-use")),
    ];
    let card = &kept.card;
    let dropped = card.dropped.iter();
    let judged = card.holdout.as_ref().unwrap_or(&card.development);
    Ok(Page {
        title: format!("{} {}", kept.model.name, kept.model.version),
        hash,
        tone: tone(state),
        state: t.get(&format!("models.{state}")).to_owned(),
        more: more.into_iter().flatten().map(str::to_owned).collect(),
        watermark: card.watermark.clone(),
        figure: card.figure.clone(),
        hashes,
        log: in_log(own, credit.hands_over(), t),
        logged: own.is_some_and(|one| one.place.is_some()),
        statement: view::statement(card, t),
        development: view::figures(&card.development, t),
        holdout: card.holdout.as_ref().map(|held| view::figures(held, t)),
        stability: view::shifts(&card.stability, t),
        base: kept.artefact.table.base,
        features: view::features(&kept.artefact, t),
        dropped: dropped
            .map(|one| view::feature_name(&one.feature, t))
            .collect(),
        fairness: view::fairness(card, t),
        chart: view::chart(&judged.calibration, t),
        beside: view::beside(&found, t),
        steps: view::steps(&kept.life, t),
        count: kept.life.next(),
        moves,
        why_not,
        table: kept.model.table.as_ref().map(|table| table.text.clone()),
        settings: kept.model.settings.clone(),
        shell,
    })
}

/// What this person can do now, and why not more.
fn moves(
    shell: &Shell,
    person: &Person,
    kept: &Kept,
    in_use: bool,
) -> (Vec<Move>, Vec<&'static str>) {
    let t = shell.t;
    let keeps = shell
        .person
        .as_ref()
        .and_then(|who| who.role)
        .is_some_and(Role::keeps_models);
    if !keeps {
        return (Vec::new(), vec![t.get("model.not.role")]);
    }
    let (life, state) = (&kept.life, kept.life.standing.word());
    let of = |act: Act, title, next, words, needed, class| Move {
        act: act.word(),
        title: t.get(title),
        next: t.get(next),
        words: t.get(words),
        needed,
        class,
    };
    let (mut can, mut not) = (Vec::new(), Vec::new());
    let acted = life.has_acted(&person.name);
    match state {
        "draft" | "reviewed" if acted => not.push(t.get("model.not.same")),
        "draft" => can.push(of(
            Act::Reviewed,
            "model.do.review",
            "model.next.review",
            "model.findings",
            true,
            "main",
        )),
        "reviewed" => can.push(of(
            Act::Promoted,
            "model.do.promote",
            "model.next.promote",
            "model.remark",
            false,
            "main accept",
        )),
        "retired" => not.push(t.get("model.not.retired")),
        _ => {}
    }
    if life.shadowing.is_some() {
        can.push(of(
            Act::ShadowEnded,
            "model.do.end",
            "model.next.end",
            "model.reason",
            true,
            "",
        ));
    } else if matches!(state, "reviewed" | "promoted") {
        if table::facts(&kept.artefact).is_ok() {
            can.push(of(
                Act::Shadowing,
                "model.do.shadow",
                "model.next.shadow",
                "model.reason",
                true,
                "",
            ));
        } else {
            not.push(t.get("model.not.facts"));
        }
    }
    if in_use {
        not.push(t.get("model.not.in-use"));
    } else if state != "retired" {
        can.push(of(
            Act::Retired,
            "model.do.retire",
            "model.next.retire",
            "model.reason",
            true,
            "refuse",
        ));
    }
    (can, not)
}
