//! Whoever wants to read a supplier's evidence against what the supplier has signed.

use std::time::Duration;

use platform::store::consents::ConsentStore as _;
use schemas::consent::{Act, Consent, Grant, Purpose, SignedConsent};
use schemas::cose;
use schemas::hash::Hash;
use schemas::registry::State;
use schemas::time::{Clock as _, Instant};
use serde_json::Value;

use crate::world::World;
use crate::world::people::{key_of, next_record};
use crate::world::served::{BANK_TOKEN, OTHER_BANK_TOKEN, READER_TOKEN, Served};

const HOUR: Duration = Duration::from_secs(3_600);

fn grant(from: Instant, lasting: Duration) -> Act {
    Act::Grant(Grant {
        from,
        until: from + lasting,
        purposes: vec![Purpose::Assess],
        devices: vec![],
        steps: vec![],
        withheld: vec![],
        attestations: vec![],
    })
}

/// The document that follows `before`, as `qinghe` signs it.
fn consent(world: &World, bank: &str, before: Option<&SignedConsent>, act: Act) -> Consent {
    Consent {
        log: world.policy.log,
        supplier: "qinghe".parse().unwrap(),
        bank: bank.parse().unwrap(),
        number: before.map_or(1, |before| before.consent.number + 1),
        prev: before.map_or(Hash::ZERO, SignedConsent::id),
        made: world.clock.now(),
        act,
    }
}

fn signed(consent: &Consent) -> SignedConsent {
    SignedConsent::sign(&key_of("qinghe"), consent).unwrap()
}

/// The platform's routes, as strangers and readers ask them.
struct Door {
    served: Served,
    http: reqwest::Client,
}

impl Door {
    async fn of(world: &World) -> Self {
        let (served, http) = (world.serve().await, reqwest::Client::new());
        Self { served, http }
    }

    /// Status and body.
    async fn hand_in(&self, document: &[u8]) -> (u16, Value) {
        let url = format!("{}/v1/consents", self.served.url);
        let answer = self.http.post(url).body(document.to_vec()).send().await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.served.url));
        let answer = request.bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// `open`, or the last part of the refusal's type.
    async fn evidence(&self, token: &str) -> String {
        let (status, body) = self.get("/v1/evidence/qinghe", token).await;
        if status == 200 {
            return "open".to_owned();
        }
        assert_eq!(status, 403, "{body}");
        let kind = body["type"].as_str().unwrap();
        kind.rsplit(['/', ':']).next().unwrap().to_owned()
    }
}

/// Caught by the platform, before anything is handed over; and by the bank, which checks the same
/// documents itself (`credit::service`).
#[tokio::test]
async fn a_bank_that_reads_without_a_consent_in_force_is_refused() {
    let mut world = World::with_line_1().await;
    let door = Door::of(&world).await;
    world
        .send("qinghe/line-1", &[crate::world::events::inspected(500)])
        .await
        .id();
    world.anchor().await;
    assert_eq!(door.evidence(BANK_TOKEN).await, "no-consent");
    let first = signed(&consent(
        &world,
        "first-bank",
        None,
        grant(world.clock.now(), 48 * HOUR),
    ));
    let (status, body) = door.hand_in(first.bytes()).await;
    assert_eq!((status, &body["number"]), (200, &1.into()), "{body}");
    assert_eq!(door.evidence(BANK_TOKEN).await, "consent-not-logged");
    world.anchor().await;
    assert_eq!(door.evidence(BANK_TOKEN).await, "open");
    assert_eq!(door.evidence(OTHER_BANK_TOKEN).await, "no-consent");
    assert_eq!(door.evidence("nobody's").await, "no-consent");
    let (status, _) = door.get("/v1/events?organisation=qinghe", BANK_TOKEN).await;
    assert_eq!(status, 200);
    let (status, _) = door
        .get("/v1/events?organisation=qinghe", OTHER_BANK_TOKEN)
        .await;
    assert_eq!(status, 403);

    let end = signed(&consent(
        &world,
        "first-bank",
        Some(&first),
        Act::Withdrawal,
    ));
    assert_eq!(door.hand_in(end.bytes()).await.0, 200);
    // It counts before the log has it.
    assert_eq!(door.evidence(BANK_TOKEN).await, "consent-withdrawn");
    let path = "/v1/consents/qinghe/first-bank";
    let (_, chain) = door.get(path, BANK_TOKEN).await;
    let chain = chain["consents"].as_array().unwrap();
    assert!(chain[0]["proof"].is_object() && chain[1]["proof"].is_null());
    for token in [OTHER_BANK_TOKEN, "nobody's"] {
        assert_eq!(door.get(path, token).await.0, 403);
    }
    world.anchor().await;
    let (_, chain) = door.get(path, BANK_TOKEN).await;
    assert!(chain["consents"][1]["proof"].is_object());
}

/// Caught by the platform: its instant is never before what was witnessed.
#[tokio::test]
async fn a_clock_moved_back_opens_no_consent_that_has_ended() {
    let mut world = World::with_line_1().await;
    let door = Door::of(&world).await;
    let first = signed(&consent(
        &world,
        "first-bank",
        None,
        grant(world.clock.now(), HOUR),
    ));
    assert_eq!(door.hand_in(first.bytes()).await.0, 200);
    world
        .send("qinghe/line-1", &[crate::world::events::inspected(500)])
        .await
        .id();
    world.anchor().await;
    assert_eq!(door.evidence(BANK_TOKEN).await, "open");
    world.clock.advance(2 * HOUR);
    assert_eq!(door.evidence(BANK_TOKEN).await, "consent-expired");
    world
        .send("qinghe/line-1", &[crate::world::events::inspected(501)])
        .await
        .id();
    world.anchor().await;
    world.clock.go_back(2 * HOUR);
    assert_eq!(door.evidence(BANK_TOKEN).await, "consent-expired");
}

/// Caught by the platform, each with the member that is wrong; nothing of it is kept.
#[tokio::test]
async fn documents_that_the_supplier_has_not_signed_so_are_refused_by_field() {
    let mut world = World::with_line_1().await;
    world.admit("market").await;
    let door = Door::of(&world).await;
    let now = world.clock.now();
    let honest = consent(&world, "first-bank", None, grant(now, 48 * HOUR));
    let mut flipped = signed(&honest).bytes().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let by = |name: &str| {
        let payload = honest.payload();
        cose::sign(&key_of(name), schemas::consent::TYP_CONSENT, &payload)
    };
    let changed = |change: &dyn Fn(&mut Consent)| {
        let mut consent = honest.clone();
        change(&mut consent);
        signed(&consent).bytes().to_vec()
    };
    let ended = Instant::from_micros(now.as_micros() - 2 * 3_600_000_000);
    let ahead = now + Duration::from_secs(11 * 60);
    let cases = [
        (by("nobody"), 403, "kid"),
        (by("market"), 403, "kid"),
        (by("qinghe/line-1"), 403, "kid"),
        (flipped, 400, "signature"),
        (changed(&|one| one.log = Hash::ZERO), 400, "log"),
        (
            changed(&|one| one.bank = "third-bank".parse().unwrap()),
            400,
            "bank",
        ),
        (
            changed(&|one| one.supplier = "market".parse().unwrap()),
            403,
            "kid",
        ),
        (
            changed(&|one| {
                one.made = ended;
                one.act = grant(ended, HOUR);
            }),
            400,
            "until",
        ),
        (
            changed(&|one| {
                one.made = ahead;
                one.act = grant(ahead, HOUR);
            }),
            400,
            "made",
        ),
        (
            changed(&|one| {
                one.number = 2;
                one.prev = Hash([7; 32]);
            }),
            400,
            "number",
        ),
    ];
    for (document, status, field) in cases {
        let (got, body) = door.hand_in(&document).await;
        assert_eq!((got, &body["field"]), (status, &field.into()), "{body}");
    }
    assert_eq!(door.hand_in(b"no document").await.0, 400);
    let (supplier, bank) = (&honest.supplier, &honest.bank);
    assert_eq!(world.store.consents(supplier, bank).await.unwrap(), []);

    let first = signed(&honest);
    assert_eq!(door.hand_in(first.bytes()).await.0, 200);
    assert_eq!(door.hand_in(first.bytes()).await.0, 200, "the same again");
    let other = changed(&|one| one.act = grant(now, 24 * HOUR));
    let (status, body) = door.hand_in(&other).await;
    assert_eq!((status, &body["field"]), (409, &"number".into()), "{body}");
    let second = signed(&consent(
        &world,
        "first-bank",
        Some(&first),
        Act::Withdrawal,
    ));
    assert_eq!(door.hand_in(second.bytes()).await.0, 200);
    // The older one again is known, and opens nothing.
    assert_eq!(door.hand_in(first.bytes()).await.0, 200);
    world.anchor().await;
    assert_eq!(door.evidence(BANK_TOKEN).await, "consent-withdrawn");

    let registry = world.gate.snapshot();
    let own = registry.key(&key_of("qinghe").kid()).unwrap().clone();
    let gone = State::Revoked {
        compromised_since: None,
    };
    let gone = next_record(&key_of("association"), &own, gone);
    world.admit_record(gone.bytes()).await.unwrap();
    let third = consent(
        &world,
        "first-bank",
        Some(&second),
        grant(world.clock.now(), HOUR),
    );
    let (status, body) = door.hand_in(signed(&third).bytes()).await;
    assert_eq!((status, &body["field"]), (403, &"kid".into()));
    assert!(
        body["detail"].as_str().unwrap().contains("revoked"),
        "{body}"
    );
}

/// What the operator vouches for ends where the supplier has signed that it ends.
#[tokio::test]
async fn an_operator_who_vouches_for_a_consent_that_was_withdrawn_hands_nothing_over() {
    let mut world = World::with_line_1().await;
    let door = Door::of(&world).await;
    world
        .send("qinghe/line-1", &[crate::world::events::inspected(500)])
        .await
        .id();
    world.anchor().await;
    assert_eq!(door.evidence(READER_TOKEN).await, "open");
    let first = signed(&consent(
        &world,
        "own",
        None,
        grant(world.clock.now(), 48 * HOUR),
    ));
    assert_eq!(door.hand_in(first.bytes()).await.0, 200);
    let end = signed(&consent(&world, "own", Some(&first), Act::Withdrawal));
    assert_eq!(door.hand_in(end.bytes()).await.0, 200);
    assert_eq!(door.evidence(READER_TOKEN).await, "consent-withdrawn");
}
