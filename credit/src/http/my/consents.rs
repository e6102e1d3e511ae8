//! `GET /my/consents`: what the supplier lets the bank read, until when, and how that is ended.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use kit::negotiate::Language;
use kit::people::Person;
use kit::problem::Problem;
use kit::text::Text;
use schemas::consent::{Act, Consent, Consents, Grant};
use schemas::ids::Slug;
use schemas::time::Instant;

use super::supplier;
use crate::desk::DeskError;
use crate::evidence::kept::{OpenError, Opened};
use crate::http::desk::format::exact;
use crate::http::shell::{self, Shell};
use crate::http::{App, internal};
use crate::service::{ApplyError, Granted};
use crate::store::borrowers::OF_SUPPLIER_MAX;

/// Bundles that are tried at most: each may have megabytes.
const LOOKED_AT: usize = 5;

/// A label and what stands beside it.
type Pair = (&'static str, String);

/// A document in words.
#[derive(Debug)]
struct Document {
    number: u64,
    made: String,
    what: &'static str,
    pairs: Vec<Pair>,
}

/// All of it in words.
#[derive(Debug)]
struct View {
    tone: &'static str,
    /// What holds now, in one sentence.
    state: String,
    /// Whether there may be something to end.
    ends: bool,
    /// Why nothing can be read, if it cannot: for whoever looks closer.
    detail: Option<String>,
    /// The newest first.
    documents: Vec<Document>,
}

#[derive(Template)]
#[template(path = "my_consents.html")]
struct Page {
    shell: Shell,
    view: View,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    person: Person,
    language: Language,
    uri: Uri,
) -> Result<Response, Problem> {
    let supplier = supplier(&app, &person).await?;
    let shell = Shell::of_borrower(&uri, language, &person, supplier.as_str());
    let (t, now) = (shell.t, app.desk.clock().now());
    let evidence = evidence(&app, &supplier).await?;
    let bundle = evidence.as_ref().map(|opened| opened.bundle());
    let view = match app.desk.credit().granted(&supplier, bundle).await {
        Ok(granted) => view(&granted, now, t),
        Err(ApplyError::Evidence(error)) => {
            let detail = Some(schemas::causes::causes(&error));
            plain("warn", t.get("consent.away").to_owned(), detail)
        }
        Err(error) => return Err(internal(&error)),
    };
    shell::page(&uri, StatusCode::OK, &Page { shell, view })
}

/// The newest evidence of the supplier that still holds here, among its newest decisions.
async fn evidence(app: &App, supplier: &Slug) -> Result<Option<Arc<Opened>>, Problem> {
    let store = app.desk.credit().store();
    let decisions = store.decisions_of(supplier, OF_SUPPLIER_MAX).await;
    let mut left = LOOKED_AT;
    for decision in decisions.map_err(|error| internal(&error))? {
        if left == 0 {
            break;
        }
        let record = store.lookup(&decision.decision_id).await;
        let Some(record) = record.map_err(|error| internal(&error))? else {
            continue;
        };
        match app.desk.evidence(&record).await {
            Ok(opened) => return Ok(Some(opened)),
            // Nothing was opened for it.
            Err(DeskError::Evidence(OpenError::Unnamed)) => {}
            Err(DeskError::Evidence(_)) => left -= 1,
            Err(error) => return Err(crate::http::desk::problem(&error)),
        }
    }
    Ok(None)
}

fn plain(tone: &'static str, state: String, detail: Option<String>) -> View {
    View {
        tone,
        state,
        ends: true,
        detail,
        documents: Vec::new(),
    }
}

fn view(granted: &Granted, now: Instant, t: Text) -> View {
    match granted {
        Granted::Waived(why) => {
            let detail = Some(why.clone());
            View {
                ends: false,
                ..plain("none", t.get("consent.waived").to_owned(), detail)
            }
        }
        Granted::Nothing => plain("none", t.get("consent.nothing").to_owned(), None),
        Granted::Unchecked(count) => plain("info", t.count("consent.unchecked", *count), None),
        Granted::Refused(refused) => {
            let detail = Some(format!("{}: {}", refused.class, refused.detail));
            plain("bad", t.get("consent.refused").to_owned(), detail)
        }
        Granted::Chain(chain) => of_chain(chain, now, t),
    }
}

fn of_chain(chain: &Consents, now: Instant, t: Text) -> View {
    let newest = chain.documents().next_back().map(|one| &one.consent);
    let (tone, state) = match newest {
        None => ("none", t.get("consent.nothing").to_owned()),
        Some(Consent {
            act: Act::Withdrawal,
            made,
            ..
        }) => (
            "warn",
            t.fill("consent.withdrawn", &[("at", &exact(*made))]),
        ),
        Some(Consent {
            act: Act::Grant(grant),
            ..
        }) => of_grant(grant, now, t),
    };
    let documents = chain.documents().rev();
    View {
        documents: documents.map(|one| document(&one.consent, t)).collect(),
        ..plain(tone, state, None)
    }
}

fn of_grant(grant: &Grant, now: Instant, t: Text) -> (&'static str, String) {
    let (from, until) = (exact(grant.from), exact(grant.until));
    if now >= grant.until {
        ("warn", t.fill("consent.ended", &[("until", &until)]))
    } else if now < grant.from {
        ("info", t.fill("consent.begins", &[("from", &from)]))
    } else {
        ("ok", t.fill("consent.in-force", &[("until", &until)]))
    }
}

fn document(consent: &Consent, t: Text) -> Document {
    let (what, pairs) = match &consent.act {
        Act::Withdrawal => (t.get("consent.withdrawal"), Vec::new()),
        Act::Grant(grant) => (t.get("consent.grant"), pairs(grant, t)),
    };
    Document {
        number: consent.number,
        made: exact(consent.made),
        what,
        pairs,
    }
}

fn pairs(grant: &Grant, t: Text) -> Vec<Pair> {
    let purposes = grant.purposes.iter().map(|one| {
        let key = format!("consent.purpose.{}", one.word());
        t.find(&key).unwrap_or(one.word()).to_owned()
    });
    let all = |names: Vec<String>, key: &'static str| match names.is_empty() {
        true => t.get(key).to_owned(),
        false => names.join(", "),
    };
    let devices = grant.devices.iter().map(Slug::to_string).collect();
    let attested = grant.attestations.iter().map(|one| one.word().to_owned());
    vec![
        (
            t.get("consent.for"),
            purposes.collect::<Vec<_>>().join(", "),
        ),
        (t.get("consent.from"), exact(grant.from)),
        (t.get("consent.until"), exact(grant.until)),
        (
            t.get("consent.devices"),
            all(devices, "consent.all-devices"),
        ),
        (
            t.get("consent.steps"),
            all(grant.steps.clone(), "consent.all-steps"),
        ),
        (
            t.get("consent.withheld"),
            all(grant.withheld.clone(), "consent.none"),
        ),
        (
            t.get("consent.attestations"),
            all(attested.collect(), "consent.none"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use kit::negotiate::Language;

    use super::*;
    use crate::evidence::consent::fixture::Supplier;
    use crate::testing::at;

    fn shown(supplier: &Supplier, now: Instant) -> View {
        let chain = Granted::Chain(Box::new(supplier.chain()));
        view(&chain, now, shell::text(Language::En))
    }

    #[test]
    fn state_of_a_chain_is_that_of_its_newest_document() {
        let mut supplier = Supplier::granting();
        let Act::Grant(grant) = supplier
            .chain()
            .documents()
            .next()
            .unwrap()
            .consent
            .act
            .clone()
        else {
            panic!("a grant is expected");
        };
        let now = shown(&supplier, at(25, 0));
        assert!(now.state.starts_with("The bank may read"), "{}", now.state);
        assert!(now.state.contains(&exact(grant.until)));
        assert_eq!((now.documents.len(), now.documents[0].number), (1, 1));
        assert!(shown(&supplier, grant.until).state.contains("ended"));
        supplier.sign(at(26, 0), Act::Withdrawal);
        let after = shown(&supplier, at(27, 0));
        assert!(after.state.contains("withdrew") && after.state.contains(&exact(at(26, 0))));
        assert_eq!((after.documents.len(), after.documents[0].number), (2, 2));
    }

    #[test]
    fn what_cannot_be_read_does_not_look_as_nothing() {
        let t = shell::text(Language::En);
        let nothing = view(&Granted::Nothing, at(0, 0), t);
        let unchecked = view(&Granted::Unchecked(2), at(0, 0), t);
        let refused = crate::evidence::verify::Refused {
            class: "consent-document".to_owned(),
            detail: "a document".to_owned(),
        };
        let refused = view(&Granted::Refused(refused), at(0, 0), t);
        let states = [&nothing.state, &unchecked.state, &refused.state];
        assert!(states[0] != states[1] && states[1] != states[2] && states[0] != states[2]);
        assert_eq!((nothing.tone, refused.tone), ("none", "bad"));
        assert!(refused.detail.unwrap().contains("consent-document"));
    }
}
