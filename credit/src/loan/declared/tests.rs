use serde_json::{Value, json};

use super::*;
use crate::loan::Application;
use crate::testing::{application, slug};

/// An application with everything in it.
fn full() -> Value {
    json!({
        "application_id": "A-1", "supplier": "qinghe", "product": "receivable-90",
        "requested": {"amount": "500.00", "currency": "CNY"},
        "buyers": ["market", "cafe"],
        "invoices": [{
            "number": "17", "seller": "qinghe", "buyer": "market",
            "amount": {"amount": "800.00", "currency": "CNY"}, "issued": "2026-11-01",
            "due": "2026-12-01", "fingerprint": "11".repeat(32),
            "goods": ["https://id.gs1.org/00/095210010000000015"],
        }],
        "identifiers": [
            {"party": "market", "kind": "bank_account", "value": "22".repeat(32)},
        ],
        "links": [{"one": "market", "other": "qinghe", "kind": "shareholder"}],
        "contract": {"contract_on": "2026-10-01", "agreed_term": {"days": 60}},
    })
}

fn read(value: Value) -> Application {
    serde_json::from_value(value).unwrap()
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = full();
    change(&mut value);
    let application = read(value);
    let Application {
        supplier,
        requested,
        declared,
        ..
    } = application;
    declared.check(&supplier, requested).unwrap_err().path
}

#[test]
fn an_application_without_any_of_it_has_the_bytes_that_it_always_had() {
    let old = r#"{"application_id":"A-1","supplier":"qinghe","product":"receivable-90","requested":{"amount":"500.00","currency":"CNY"}}"#;
    let read: Application = serde_json::from_str(old).unwrap();
    assert_eq!(read, application("A-1", "500.00"));
    assert_eq!(serde_json::to_string(&read).unwrap(), old);
}

#[test]
fn what_is_declared_is_kept_as_it_was_sent() {
    let application = read(full());
    application
        .declared
        .check(&application.supplier, application.requested)
        .unwrap();
    assert_eq!(serde_json::to_value(&application).unwrap(), full());
    // Nothing and none are two things.
    let none = read(json!({
        "application_id": "A-1", "supplier": "qinghe", "product": "receivable-90",
        "requested": {"amount": "500.00", "currency": "CNY"}, "links": [],
    }));
    assert_eq!(none.declared.links, Some(Vec::new()));
    assert_eq!(none.declared.buyers, None);
}

#[test]
fn every_refusal_names_its_field_by_path() {
    let invoice =
        |name: &'static str, to: Value| refused(move |value| value["invoices"][0][name] = to);
    assert_eq!(invoice("number", json!("")), "invoices[0].number");
    assert_eq!(invoice("number", json!(" 17")), "invoices[0].number");
    assert_eq!(
        invoice("number", json!("1".repeat(41))),
        "invoices[0].number"
    );
    assert_eq!(invoice("seller", json!("market")), "invoices[0].seller");
    assert_eq!(invoice("buyer", json!("nobody")), "invoices[0].buyer");
    assert_eq!(invoice("due", json!("2026-10-31")), "invoices[0].due");
    let usd = json!({"amount": "1.00", "currency": "USD"});
    assert_eq!(invoice("amount", usd), "invoices[0].amount");
    let nothing = json!({"amount": "0.00", "currency": "CNY"});
    assert_eq!(invoice("amount", nothing), "invoices[0].amount");
    assert_eq!(invoice("goods", json!([""])), "invoices[0].goods[0]");
    let much = json!(vec!["urn:x:y"; GOODS_MAX + 1]);
    assert_eq!(invoice("goods", much), "invoices[0].goods");
    let twice = refused(|value| value["buyers"] = json!(["market", "market"]));
    assert_eq!(twice, "buyers[1]");
    let other = refused(|value| value["identifiers"][0]["party"] = json!("silk"));
    assert_eq!(other, "identifiers[0].party");
    let far = refused(|value| value["links"] = json!([{"one": "a", "other": "b", "kind": "c"}]));
    assert_eq!(far, "links[0].one");
    let own = refused(|value| value["links"][0]["other"] = json!("market"));
    assert_eq!(own, "links[0].other");
    let term = refused(|value| value["contract"]["agreed_term"] = json!({"days": 3_661}));
    assert_eq!(term, "contract.agreed_term.days");
    let order = refused(|value| {
        value["contract"]["issued_on"] = json!("2026-11-02");
        value["contract"]["matures_on"] = json!("2026-11-01");
    });
    assert_eq!(order, "contract.matures_on");
}

#[test]
fn every_list_has_a_limit() {
    let many = |name: &'static str, count: usize| {
        refused(move |value| {
            let one = value[name][0].clone();
            value[name] = Value::Array(vec![one; count]);
        })
    };
    assert_eq!(many("invoices", INVOICES_MAX + 1), "invoices");
    assert_eq!(many("identifiers", IDENTIFIERS_MAX + 1), "identifiers");
    assert_eq!(many("links", LINKS_MAX + 1), "links");
    let buyers: Vec<String> = (0..=BUYERS_MAX).map(|n| format!("b-{n}")).collect();
    assert_eq!(refused(|value| value["buyers"] = json!(buyers)), "buyers");
}

#[test]
fn the_only_buyer_pays_or_the_one_with_the_largest_invoices() {
    let mut application = read(full());
    assert_eq!(application.declared.payer(), Some(&slug("market")));
    let invoices = application.declared.invoices.as_mut().unwrap();
    let mut more = invoices[0].clone();
    more.buyer = slug("cafe");
    invoices.push(more);
    // The same sum: the first by name.
    assert_eq!(application.declared.payer(), Some(&slug("cafe")));
    application.declared.invoices = None;
    assert_eq!(application.declared.payer(), None);
    application.declared.buyers = Some(vec![slug("cafe")]);
    assert_eq!(application.declared.payer(), Some(&slug("cafe")));
}
