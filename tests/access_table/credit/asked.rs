//! What is asked of pledges, of borrowers' pages and of models.

use schemas::hash::Hash;
use serde_json::json;

use crate::access_table::asks::{Asks, Body};

/// What is asked of pledges.
pub(super) fn of_pledges(asks: &mut Asks, pledge: &str) {
    asks.plain(&["/pledges", "/pledges/new", "/v1/pledges"]);
    asks.get_at("GET /pledges/{id}", &format!("/pledges/{pledge}"));
    asks.get_at("GET /v1/pledges/{id}", &format!("/v1/pledges/{pledge}"));
    let form = vec![("kind", "invoice".to_owned())];
    asks.add("POST /pledges", "/pledges", Body::Form(form));
    let form = vec![
        ("request", "walked".to_owned()),
        ("act", "accept".to_owned()),
    ];
    let path = format!("/pledges/{pledge}/act");
    asks.add("POST /pledges/{id}/act", &path, Body::Form(form));
    let form = vec![("device", "qinghe/line-1".to_owned())];
    let path = format!("/pledges/{pledge}/watch");
    asks.add("POST /pledges/{id}/watch", &path, Body::Form(form));
    let goods = json!({
        "request": "machine", "borrower": "qinghe", "loan": "loan-1", "what": "nothing",
        "category": "metal", "goods": { "thing": "no key" },
    });
    asks.add("POST /v1/pledges", "/v1/pledges", Body::Json(goods))
        .keyed();
}

/// What is asked of the borrower's pages. Forms are whole, so that it is never a field that is refused.
pub(super) fn of_borrowers(asks: &mut Asks, offer: &str) {
    asks.plain(&["/my", "/my/consents"]);
    let never = "0".repeat(32);
    asks.get_at("GET /my/loans/{id}", &format!("/my/loans/{offer}"))
        .never(format!("/my/loans/{never}"));
    let word = |text: &str| text.to_owned();
    let nothing = || "0".repeat(64);
    for (deed, fields) in [
        (
            "accept",
            vec![("version", nothing()), ("instalments", word("1"))],
        ),
        ("limit", vec![("token", nothing()), ("amount", word("1"))]),
        (
            "decline",
            vec![("version", nothing()), ("instalments", word("1"))],
        ),
        (
            "draw",
            vec![
                ("token", nothing()),
                ("secret", nothing()),
                ("account", word("1")),
                ("amount", word("1")),
            ],
        ),
        ("revoke", vec![("token", nothing())]),
    ] {
        let path = format!("/my/loans/{offer}/{deed}");
        let route = format!("POST /my/loans/{{id}}/{deed}");
        asks.add(&route, &path, Body::Form(fields))
            .never(format!("/my/loans/{never}/{deed}"));
    }
}

/// What is asked of models: the built-in table, which is in use, and the card of a draft.
pub(super) fn of_models(asks: &mut Asks, scorecard: &Hash) {
    asks.plain(&["/models"]);
    let card = format!("/models/{scorecard}/card.json");
    asks.get_at("GET /models/{hash}/card.json", &card);
    let table = credit::score::Model::built_in().unwrap().hash;
    let path = format!("/models/{table}");
    asks.get_at("GET /models/{hash}", &path);
    // None of the buttons: what comes is no refusal of the person.
    let form = vec![("act", "walked".to_owned()), ("steps", "0".to_owned())];
    let path = format!("{path}/act");
    asks.add("POST /models/{hash}/act", &path, Body::Form(form));
}
