//! A loan that waits for its money, and what is asked of loans.

use credit::desk::{Actor, Role, Wish};
use credit::lending::{Acceptance, NewToken};
use credit::loan::life::Actor as ByWhom;
use credit::loan::review::Choice;
use credit::money::Money;
use schemas::hash::Hash;
use serde_json::json;

use super::{Bank, slug};
use crate::access_table::asks::{Asks, Body};

/// The account that the token is bound to.
const ACCOUNT: &str = "6222 0000 1111";

/// The offer as a loan with a token that nobody has used.
pub async fn opened(bank: &Bank, offer: &str) {
    let desk = &bank.handle.desk;
    // The amount takes two of them.
    for name in ["wang-fang", "hu-bing"] {
        let record = desk.record(offer).await.unwrap();
        let wish = Wish {
            decision_id: offer.to_owned(),
            version: desk.stage(&record.decision).await.unwrap().version(),
            choice: Choice::Accept,
            note: String::new(),
        };
        let officer = Actor {
            name: slug(name),
            role: Role::Officer,
        };
        desk.review(&officer, wish).await.unwrap();
    }
    let lending = bank.handle.lending.as_ref().unwrap();
    let word = Acceptance {
        decision_id: offer.to_owned(),
        supplier: slug("qinghe"),
        instalments: None,
    };
    let loan = lending.accept(&word).await.unwrap().loan;
    let token = NewToken {
        loan: loan.file().id().clone(),
        token: Hash([7; 32]),
        account: ACCOUNT.to_owned(),
        amount: Money::parse("1000.00", "CNY".parse().unwrap()).unwrap(),
        expires: None,
    };
    lending.issue(&token, ByWhom::Machine).await.unwrap();
}

/// What is asked of the loan at the desk. The loan refuses all of it: no refusal of who asks.
fn of_people(asks: &mut Asks, loan: &str) {
    asks.plain(&["/loans"]);
    asks.get_at("GET /loans/{id}", &format!("/loans/{loan}"));
    let word = |text: &str| text.to_owned();
    let seen = || ("seen", word("1"));
    let request = || ("request", word("f/walked"));
    let motion = Hash([6; 32]);
    for (rest, path, fields) in [
        (
            "motions",
            word("motions"),
            vec![
                request(),
                seen(),
                ("what", word("watch-ended")),
                ("reason", word("Walked.")),
            ],
        ),
        (
            "motions/{motion}/agree",
            format!("motions/{motion}/agree"),
            vec![seen()],
        ),
        (
            "motions/{motion}/end",
            format!("motions/{motion}/end"),
            Vec::new(),
        ),
        (
            "tokens",
            word("tokens"),
            vec![seen(), ("account", word("1")), ("amount", word("1"))],
        ),
        (
            "acts",
            word("acts"),
            vec![request(), seen(), ("act", word("close"))],
        ),
    ] {
        let route = format!("POST /loans/{{id}}/{rest}");
        let path = format!("/loans/{loan}/{path}");
        asks.add(&route, &path, Body::Form(fields));
    }
}

/// What is asked of the loan.
pub fn requests(asks: &mut Asks, loan: &str) {
    of_people(asks, loan);
    asks.plain(&["/v1/loans"]);
    for rest in ["", "/acts", "/entries", "/denials"] {
        let route = format!("GET /v1/loans/{{id}}{rest}");
        asks.get_at(&route, &format!("/v1/loans/{loan}{rest}"));
    }
    let accept = json!({ "decision_id": loan, "supplier": "qinghe" });
    asks.add("POST /v1/loans", "/v1/loans", Body::Json(accept))
        .keyed();
    // What comes of the others is a refusal of the loan, of nobody who asks.
    let amount = |amount: &str| json!({ "amount": amount, "currency": "CNY" });
    let mut payment = amount("1.00");
    payment["kind"] = "paid".into();
    let mut token = amount("0.01");
    token["token_sha256"] = Hash([8; 32]).to_string().into();
    token["account"] = ACCOUNT.into();
    let mut limit = amount("99999.00");
    limit["supplier"] = "qinghe".into();
    let mut draw = amount("1000.00");
    draw["supplier"] = "qinghe".into();
    draw["account"] = ACCOUNT.into();
    draw["secret"] = Hash([9; 32]).to_string().into();
    let revoke = json!({ "supplier": "another" });
    for (rest, body) in [
        ("payments", payment),
        ("tokens", token),
        ("tokens/limit", limit),
        ("tokens/revoke", revoke),
        ("tokens/use", draw),
    ] {
        let route = format!("POST /v1/loans/{{id}}/{rest}");
        asks.add(
            &route,
            &format!("/v1/loans/{loan}/{rest}"),
            Body::Json(body),
        )
        .keyed();
    }
}
