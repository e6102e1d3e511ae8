//! A pledge from a machine's offer to the alarm on the officer's screen and the thaw.

use rust_decimal::Decimal;
use schemas::hash::sha256;

use super::*;
use crate::pledge::watch::Reading;
use crate::pledge::{PledgeId, Pledging};

fn invoice(request: &str, total: &str) -> Value {
    json!({
        "request": request, "borrower": "qinghe", "loan": "loan-1", "what": "peaches, sold",
        "category": "receivable",
        "goods": { "invoice": {
            "seller": "9144030071526726XG", "buyer": "914403001922038216",
            "digital": "26442000000000000001", "date": "2026-11-20", "total": total,
        } },
    })
}

impl Bank {
    async fn pledge(&self, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}/v1/pledges", self.base));
        let key = schemas::random::bytes::<16>().map(u128::from_be_bytes);
        let request = request.header("idempotency-key", format!("\"{:x}\"", key.unwrap()));
        let answer = request.bearer_auth(TOKEN).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

impl Person<'_> {
    /// Presses a button of a pledge's page as it is now.
    async fn act(&mut self, id: &str, act: &str, why: &str) -> Page {
        let page = self.get(&format!("/pledges/{id}")).await;
        let form = [
            ("csrf", page.field("csrf")),
            ("request", format!("{}{act}", page.field("request"))),
            ("act", act.to_owned()),
            ("why", why.to_owned()),
        ];
        self.post(&format!("/pledges/{id}/act"), &form).await
    }
}

/// A pledge that is in force, and two officers.
async fn in_force(bank: &Bank) -> String {
    let (status, offered) = bank.pledge(&invoice("p-1", "10000.00")).await;
    assert_eq!(
        (status, &offered["state"]),
        (201, &json!("offered")),
        "{offered}"
    );
    let id = offered["pledge"].as_str().unwrap().to_owned();
    let mut officer = bank.person("li-wei").await;
    assert_eq!(officer.act(&id, "accept", "").await.status, 303);
    id
}

#[tokio::test]
async fn machine_offers_and_a_person_accepts() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = in_force(&bank).await;
    let (status, again) = bank.pledge(&invoice("p-1", "10000.00")).await;
    assert_eq!((status, again["pledge"].as_str()), (200, Some(&*id)));
    let whole = bank.json(&format!("/v1/pledges/{id}")).await;
    assert_eq!(whole["state"], "pledged");
    // Declared receivable: 60 % of the price, 40 % haircut.
    assert_eq!(whole["worth"]["lending"]["amount"], "3600.00", "{whole}");
    assert_eq!(whole["history"].as_array().unwrap().len(), 2);
    let listed = bank.json("/v1/pledges?state=pledged").await;
    assert_eq!(listed["pledges"][0]["pledge"].as_str(), Some(&*id));
    bank.close().await;
}

#[tokio::test]
async fn refusals_name_what_is_wrong_and_are_kept() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = in_force(&bank).await;
    let (status, problem) = bank.pledge(&invoice("p-2", "10000.00")).await;
    assert_eq!(status, 409);
    assert!(
        problem["type"].as_str().unwrap().ends_with("pledge-held"),
        "{problem}"
    );
    let (status, problem) = bank.pledge(&invoice("p-3", "12000.00")).await;
    assert_eq!(status, 409);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("written down with other details") && detail.contains(&id));
    let mut unseen = invoice("p-4", "1.00");
    unseen["goods"] = json!({ "thing": "https://id.gs1.org/01/09521234543213/21/A1" });
    unseen["price"] = json!({ "amount": "1000.00", "currency": "CNY", "source": "declared" });
    let (status, problem) = bank.pledge(&unseen).await;
    assert_eq!(status, 422);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("does not show"),
        "{problem}"
    );
    let mut wrong = invoice("p-5", "1.00");
    wrong["goods"] = json!({ "thing": "no key" });
    let (status, problem) = bank.pledge(&wrong).await;
    assert_eq!(status, 400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("goods.thing"),
        "{problem}"
    );

    let mut officer = bank.person("li-wei").await;
    let page = officer.get("/pledges?lang=en").await;
    assert!(page.has("written down with other details"), "{}", page.text);
    assert!(page.has("portal"));
    let mut auditor = bank.person("sun-li").await;
    assert_eq!(auditor.get("/pledges/new").await.status, 403);
    let page = auditor.get(&format!("/pledges/{id}?lang=en")).await;
    assert!(page.has("Officers act on pledges"));
    bank.close().await;
}

#[tokio::test]
async fn alarm_stands_on_the_screen_until_a_person_thaws_it_with_a_reason() {
    let bank = Bank::open(journey(&COLD)).await;
    let id = in_force(&bank).await;
    let mut officer = bank.person("wang-fang").await;
    let page = officer.get(&format!("/pledges/{id}?lang=en")).await;
    let mut form = vec![
        ("csrf", page.field("csrf")),
        ("device", "qinghe/cold-1".to_owned()),
        ("sensor", "probe-9".to_owned()),
        ("low", "2".to_owned()),
        ("high", "8".to_owned()),
    ];
    let place = format!("/pledges/{id}/watch");
    assert_eq!(officer.post(&place, &form).await.status, 422);
    form[2].1 = "probe-1".to_owned();
    let begun = officer.post(&place, &form).await;
    assert_eq!(begun.status, 303, "{}", begun.text);

    let pledge: PledgeId = id.parse().unwrap();
    let store = bank.handle.office.store();
    let warm = Reading::new(at(24, 0), Decimal::new(94, 1)).unwrap();
    let leaf = sha256(b"a reading");
    let alarm = Pledging::new(&**store)
        .reading(
            &pledge,
            "qinghe/cold-1 probe-1",
            (warm, Some(leaf)),
            at(24, 0),
        )
        .await;
    alarm.unwrap().unwrap();

    for (language, sentence) in [
        (
            "en",
            "A sensor measured 9.4 °C; 2.0 °C to 8.0 °C is allowed.",
        ),
        ("zh-CN", "传感器测得 9.4 °C，允许范围为 2.0 °C 至 8.0 °C。"),
    ] {
        for path in ["/pledges".to_owned(), format!("/pledges/{id}")] {
            let page = officer.get(&format!("{path}?lang={language}")).await;
            assert_eq!(page.status, 200);
            assert!(page.has(sentence), "{}", page.text);
            assert!(page.has(&format!("https://trace.example/events/{leaf}")));
        }
    }
    assert_eq!(officer.act(&id, "thaw", " ").await.status, 422);
    let thawed = officer
        .act(&id, "thaw", "the door was open for unloading")
        .await;
    assert_eq!(thawed.status, 303, "{}", thawed.text);
    let page = officer.get(&format!("/pledges/{id}?lang=en")).await;
    assert!(page.has("in force") && page.has("the door was open for unloading"));
    // A person's thaw follows no second time.
    assert_eq!(officer.act(&id, "thaw", "again").await.status, 409);
    bank.close().await;
}
