//! What an application declares, from the request to the page.

use super::*;
use crate::lending::Acceptance;
use crate::loan::life::Actor;

/// A bank that lends on receivables, and lets small ones through.
fn config() -> String {
    let products = concat!(env!("CARGO_MANIFEST_DIR"), "/products");
    let text = CONFIG.replace("receivable-90", "receivable-confirming");
    let text = text.replace("minimum = \"100.00\"", "minimum = \"1000.00\"");
    format!(
        "{text}straight_up_to = \"4000.00\"

[lending]
products = [\"{products}/receivable-confirming.toml\"]
calendars = [\"{products}/calendars/cn.toml\"]
"
    )
}

async fn bank() -> Bank {
    Bank::open_as(journey(&COLD), &config(), async |_: &Config| ()).await
}

/// An application of which every rule knows enough; each invoice has its own fingerprint by number.
fn whole(id: &str, amount: &str, number: &str) -> Value {
    let hash = |text: &str| sha256(text.as_bytes()).to_string();
    let mut body = body(id, amount);
    body["product"] = json!("receivable-confirming");
    body["buyers"] = json!(["market"]);
    body["invoices"] = json!([{
        "number": number, "seller": "qinghe", "buyer": "market",
        "amount": {"amount": "8000.00", "currency": "CNY"}, "issued": "2026-11-20",
        "due": "2026-12-20", "fingerprint": hash(number), "goods": [PALLET],
    }]);
    body["identifiers"] = json!([
        {"party": "market", "kind": "bank_account", "value": hash("one")},
        {"party": "qinghe", "kind": "bank_account", "value": hash("two")},
    ]);
    body["links"] = json!([]);
    body["contract"] = json!({
        "contract_on": "2026-10-01", "buyer": "large-enterprise", "supplier_is_sme": true,
        "settlement": "by-delivery", "inspection": "not-agreed", "pay_when_paid": false,
        "instrument": "transfer", "late_rate": "not-agreed",
    });
    body
}

#[tokio::test]
async fn a_small_clean_application_is_accepted_by_rule_and_the_borrower_accepts_it() {
    let bank = bank().await;
    let (status, decision) = bank.post(&whole("A-1", "4000.00", "17")).await;
    assert_eq!(status, 201, "{decision}");
    assert_eq!(
        decision["judged"]["route"], "straight_through",
        "{decision}"
    );
    let id = decision["decision_id"].as_str().unwrap();
    // Kept with everything that it was made from.
    let kept = bank.json(&format!("/v1/decisions/{id}")).await;
    follows(&kept);
    assert_eq!(kept["inputs"]["format"], "decision-inputs/v4");
    // Nobody of the bank can decide on it any more, and it never runs out.
    let page = bank
        .person("li-wei")
        .await
        .get(&format!("/decisions/{id}"))
        .await;
    assert!(page.has("Straight through") && page.has("Accepted by rule, without a person"));
    assert!(page.has("By these rules: straight through.") && !page.has("name=\"version\""));
    assert!(!page.has("names no buyer"), "{}", page.text);
    let trail = bank.person("sun-li").await.get("/audit").await;
    assert!(
        trail.has("straight-through-v1: ¥4,000.00 asked for, up to ¥4,000.00"),
        "{}",
        trail.text
    );
    // The same application again is the same decision, and still one passage.
    assert_eq!(
        bank.post(&whole("A-1", "4000.00", "17")).await,
        (200, decision.clone())
    );
    let lending = bank.handle.lending.as_ref().unwrap();
    let acceptance = Acceptance {
        decision_id: id.to_owned(),
        supplier: slug("qinghe"),
        instalments: None,
    };
    let done = lending.accept(&acceptance).await.unwrap();
    assert!(done.is_new && done.loan.file().opened().officers.is_empty());
    let loaded = lending.loan(done.loan.file().id()).await.unwrap();
    assert_eq!(loaded.acts[0].by, Actor::Machine);
    bank.close().await;
}

#[tokio::test]
async fn what_is_not_small_waits_for_officers_and_shows_what_the_rules_said() {
    let bank = bank().await;
    let (_, decision) = bank.post(&whole("A-1", "4000.01", "17")).await;
    assert_eq!(decision["judged"]["route"], "officer");
    let id = decision["decision_id"].as_str().unwrap();
    let page = bank
        .person("li-wei")
        .await
        .get(&format!("/decisions/{id}"))
        .await;
    assert!(page.has("As the rules said when it was decided, on 2026-11-21 (version 1)."));
    assert!(page.has("By these rules: an officer looks at it.") && page.has("name=\"version\""));
    let lending = bank.handle.lending.as_ref().unwrap();
    let acceptance = Acceptance {
        decision_id: id.to_owned(),
        supplier: slug("qinghe"),
        instalments: None,
    };
    let early = lending.accept(&acceptance).await.unwrap_err();
    assert!(early.to_string().contains("have not accepted"), "{early}");
    bank.close().await;
}

#[tokio::test]
async fn an_invoice_is_lent_on_once_and_the_second_application_is_told_why() {
    let bank = bank().await;
    let both = [whole("A-1", "3000.00", "17"), whole("A-2", "3000.00", "17")];
    let (one, other) = tokio::join!(bank.post(&both[0]), bank.post(&both[1]));
    let refused = |one: &Value| one["rules"] == json!(["duplicate-invoice"]);
    let offered = |one: &Value| one["judged"]["route"] == "straight_through";
    let both = [&one.1, &other.1];
    assert_eq!(
        both.iter().filter(|one| refused(one)).count(),
        1,
        "{both:?}"
    );
    assert_eq!(
        both.iter().filter(|one| offered(one)).count(),
        1,
        "{both:?}"
    );
    let refused = both.into_iter().find(|one| refused(one)).unwrap();
    assert_eq!(refused["outcome"]["result"], "decline");
    assert_eq!(refused["reasons"][0]["code"], "RULE_REFUSES");
    let id = refused["decision_id"].as_str().unwrap();
    follows(&bank.json(&format!("/v1/decisions/{id}")).await);
    let page = bank
        .person("li-wei")
        .await
        .get(&format!("/decisions/{id}"))
        .await;
    assert!(
        page.has("invoice 17 was handed in before, with A-"),
        "{}",
        page.text
    );
    assert_eq!(bank.used().await, "3000.00");
    bank.close().await;
}

#[tokio::test]
async fn a_field_that_cannot_be_taken_is_named_by_its_path() {
    let bank = bank().await;
    let told = async |change: &dyn Fn(&mut Value)| {
        let mut body = whole("A-1", "3000.00", "17");
        change(&mut body);
        bank.post(&body).await
    };
    let (status, problem) = told(&|body| body["invoices"][0]["due"] = json!("2026-01-01")).await;
    assert_eq!(
        (status, &problem["field"]),
        (422, &json!("invoices[0].due"))
    );
    let (status, problem) =
        told(&|body| body["links"] = json!([{"one": "a", "other": "b", "kind": "c"}])).await;
    assert_eq!((status, &problem["field"]), (422, &json!("links[0].one")));
    let (status, problem) = told(&|body| body["invoices"][0]["fingerprint"] = json!("17")).await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("invoices[0].fingerprint"),
        "{problem}"
    );
    let (status, _) = told(&|body| body["contract"]["unheard"] = json!(1)).await;
    assert_eq!(status, 400);
    let (status, _) = told(&|body| body["links"] = json!([" ".repeat(200 * 1024)])).await;
    assert_eq!(status, 413);
    // Nothing was decided.
    assert_eq!(bank.json("/v1/decisions").await, json!([]));
    bank.close().await;
}

#[test]
fn what_goes_without_a_person_is_within_what_one_officer_may_accept() {
    let wrong = |line: &str| {
        let text = config().replace("\"4000.00\"", line);
        Config::parse("credit.toml", &text).unwrap_err().to_string()
    };
    assert!(wrong("\"4500.01\"").contains("products.straight_up_to"));
    assert!(wrong("\"-1\"").contains("products.straight_up_to"));
    let text = config().replace("second_officer_above", "# second_officer_above");
    let error = Config::parse("credit.toml", &text).unwrap_err().to_string();
    assert!(error.contains("two officers are needed"), "{error}");
}
