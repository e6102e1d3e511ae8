//! Log-in by a provider that is played here, so that it can also lie. A real one is asked in the
//! integration tests (`tests/people/`).

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use schemas::hash::sha256;
use serde_json::{Value, json};

use super::super::oidc::{ASKED_LONGEST, Ask, Fetch, FetchError};
use super::super::seal::Seal;
use super::super::*;
use super::engine::Sqlite;
use super::service::{Answer, Browser, PASSWORD, Service};

const ISSUER: &str = "https://login.test";
const OWN: &str = "http://desk.test";

/// A provider that says what it is told to say.
struct Played {
    key: Ed25519KeyPair,
    key_name: Mutex<String>,
    description: Mutex<Value>,
    claims: Mutex<Value>,
    asked: Mutex<Vec<Ask>>,
}

impl Played {
    fn new() -> Self {
        let seed: [u8; 32] = schemas::random::bytes().unwrap();
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&seed).unwrap(),
            key_name: Mutex::new("first".to_owned()),
            description: Mutex::new(json!({
                "issuer": ISSUER,
                "authorization_endpoint": "https://login.test/auth",
                "token_endpoint": "https://login.test/token",
                "jwks_uri": "https://login.test/keys",
                "authorization_response_iss_parameter_supported": true,
            })),
            claims: Mutex::new(Value::Null),
            asked: Mutex::default(),
        }
    }

    fn token(&self) -> String {
        let header = json!({"alg": "EdDSA", "kid": *self.key_name.lock().unwrap()}).to_string();
        let claims = self.claims.lock().unwrap().to_string();
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let covered = format!("{header}.{claims}");
        let signature = self.key.sign(covered.as_bytes());
        format!("{covered}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn times_asked(&self, url: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|ask| ask.url.ends_with(url)).count()
    }
}

#[async_trait]
impl Fetch for Played {
    async fn fetch(&self, ask: Ask) -> Result<Vec<u8>, FetchError> {
        self.asked.lock().unwrap().push(ask.clone());
        let point = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        let name = self.key_name.lock().unwrap().clone();
        let answer = match ask.url.strip_prefix(ISSUER) {
            Some("/.well-known/openid-configuration") => self.description.lock().unwrap().clone(),
            Some("/keys") => json!({"keys": [
                {"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": name, "x": point},
            ]}),
            Some("/token") => json!({"token_type": "Bearer", "id_token": self.token()}),
            _ => return Err(FetchError::Status(404)),
        };
        Ok(answer.to_string().into_bytes())
    }
}

/// A service whose people log in by the played provider; `li-wei` is its subject 7.
struct World {
    file: Sqlite,
    played: Arc<Played>,
    service: Service,
}

impl World {
    async fn new() -> Self {
        let (file, played) = (Sqlite::new().await, Arc::new(Played::new()));
        let seal = Arc::new(Seal::parse(&Seal::new_key().unwrap()).unwrap());
        let settings = ProviderSettings {
            issuer: ISSUER.to_owned(),
            client_id: "desk".to_owned(),
            client_secret: Some("a secret".to_owned()),
            own: OWN.to_owned(),
        };
        let store = Arc::new(file.open().await);
        let extras = Extras {
            provider: Some(Provider::new(settings, store, seal, played.clone())),
            ..Extras::default()
        };
        let service = Service::with(None, extras).await;
        let name = "li-wei".parse().unwrap();
        service.people.link_identity(&name, "7").await.unwrap();
        Self {
            file,
            played,
            service,
        }
    }

    /// Goes to the provider; what it is asked.
    async fn forth(&self, browser: &mut Browser<'_>) -> BTreeMap<String, String> {
        let answer = browser.get("/login/provider?next=%2Fdesk").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let location = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        let (endpoint, query) = location.unwrap().split_once('?').unwrap();
        assert_eq!(endpoint, "https://login.test/auth");
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
        let asked: BTreeMap<String, String> = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        *self.played.claims.lock().unwrap() = json!({
            "iss": ISSUER, "aud": "desk", "sub": "7", "nonce": asked["nonce"],
            "iat": self.service.now().as_seconds(), "exp": self.service.now().as_seconds() + 60,
        });
        asked
    }

    /// Comes back with a code.
    async fn back(&self, browser: &mut Browser<'_>, state: &str) -> Answer {
        let path = format!("/login/provider/back?code=c%2F1&state={state}&iss=https://login.test");
        browser.get(&path).await
    }

    /// Goes and comes back with other claims; whether somebody is logged in then.
    async fn with_claims(&self, other: Value) -> bool {
        let mut browser = Browser::of(&self.service);
        let asked = self.forth(&mut browser).await;
        if let (Value::Object(claims), Value::Object(other)) =
            (&mut *self.played.claims.lock().unwrap(), other)
        {
            claims.extend(other);
        }
        let answer = self.back(&mut browser, &asked["state"]).await;
        assert!(
            answer.status == 200 || answer.status == 403,
            "{}",
            answer.head
        );
        browser.get("/desk").await.status == 200
    }
}

#[tokio::test]
async fn a_linked_person_logs_in_by_the_provider() {
    let world = World::new().await;
    let mut browser = Browser::of(&world.service);
    let asked = world.forth(&mut browser).await;
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["scope"], "openid");
    assert_eq!(
        asked["redirect_uri"],
        "http%3A%2F%2Fdesk.test%2Flogin%2Fprovider%2Fback"
    );
    assert_eq!(asked["code_challenge_method"], "S256");
    let answer = world.back(&mut browser, &asked["state"]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer.body.contains("content=\"0; url=/desk\""),
        "{}",
        answer.body
    );
    assert!(answer.head.contains("no-store"));
    assert_eq!(browser.get("/desk").await.status, 200);
    let redeemed = world.played.asked.lock().unwrap().last().cloned().unwrap();
    assert_eq!(
        redeemed.basic,
        Some(("desk".to_owned(), "a%20secret".to_owned()))
    );
    let form = redeemed.form.unwrap();
    assert!(
        form.contains("grant_type=authorization_code&code=c%2F1&"),
        "{form}"
    );
    let verifier = form.split("code_verifier=").nth(1).unwrap();
    let challenge = sha256(verifier.as_bytes());
    assert_eq!(
        asked["code_challenge"],
        URL_SAFE_NO_PAD.encode(challenge.as_bytes())
    );
    let again = world.back(&mut browser, &asked["state"]).await;
    assert_eq!(again.status, 403, "a question is answered once");
}

#[tokio::test]
async fn the_cookie_of_the_question_is_lax_and_the_sessions_stays_strict() {
    let world = World::new().await;
    let mut browser = Browser::of(&world.service);
    let answer = browser.get("/login/provider").await;
    let cookie = answer
        .head
        .lines()
        .find(|line| line.starts_with("set-cookie: desk-provider="));
    let cookie = cookie.unwrap();
    assert!(
        cookie.contains("HttpOnly; SameSite=Lax") && cookie.contains("Max-Age=600"),
        "{cookie}"
    );
    let asked = world.forth(&mut browser).await;
    for secret in ["state", "nonce"] {
        assert!(!browser.cookies["desk-provider"].contains(&asked[secret]));
    }
    let answer = world.back(&mut browser, &asked["state"]).await;
    let session = answer
        .head
        .lines()
        .find(|line| line.starts_with("set-cookie: desk="));
    assert!(
        session.unwrap().contains("SameSite=Strict"),
        "{}",
        answer.head
    );
}

#[tokio::test]
async fn nobody_is_logged_in_by_an_answer_that_they_did_not_ask_for() {
    let world = World::new().await;
    let (mut browser, mut other) = (Browser::of(&world.service), Browser::of(&world.service));
    let asked = world.forth(&mut browser).await;
    assert_eq!(
        world.back(&mut other, &asked["state"]).await.status,
        403,
        "no cookie"
    );
    world.forth(&mut other).await;
    assert_eq!(
        world.back(&mut other, &asked["state"]).await.status,
        403,
        "another's state"
    );
    for query in [
        "",
        "code=c&state=&iss=https://login.test",
        "state=STATE&iss=https://login.test",
        "code=c&state=STATE",
        "code=c&state=STATE&iss=https://evil.test",
        "error=access_denied&state=STATE&iss=https://login.test",
        "code=c&code=d&state=STATE&iss=https://login.test",
    ] {
        let asked = world.forth(&mut browser).await;
        let query = query.replace("STATE", &asked["state"]);
        let answer = browser.get(&format!("/login/provider/back?{query}")).await;
        assert_eq!(answer.status, 403, "{query}");
    }
    let asked = world.forth(&mut browser).await;
    world.service.pass(ASKED_LONGEST.as_secs());
    assert_eq!(
        world.back(&mut browser, &asked["state"]).await.status,
        403,
        "too late"
    );
    assert_eq!(world.service.sessions(), 0);
}

#[tokio::test]
async fn only_a_token_for_us_of_now_and_of_this_question_counts() {
    let world = World::new().await;
    let now = world.service.now().as_seconds();
    assert!(world.with_claims(json!({})).await);
    assert!(world.with_claims(json!({"aud": ["desk"]})).await);
    assert!(
        world
            .with_claims(json!({"aud": ["desk", "b"], "azp": "desk"}))
            .await
    );
    for wrong in [
        json!({"iss": "https://login.test/"}),
        json!({"aud": "other"}),
        json!({"aud": []}),
        json!({"aud": ["desk", "other"]}),
        json!({"azp": "other"}),
        json!({"exp": now - 60}),
        json!({"iat": now + 120}),
        json!({"iat": now - 700}),
        json!({"nonce": "other"}),
        json!({"nonce": null}),
        json!({"sub": ""}),
        json!({"sub": "8"}),
        json!({"sub": 7}),
        json!({"exp": "tomorrow"}),
    ] {
        assert!(!world.with_claims(wrong.clone()).await, "{wrong}");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_and_a_wrong_one_refused() {
    let world = World::new().await;
    assert!(world.with_claims(json!({})).await);
    *world.played.key_name.lock().unwrap() = "second".to_owned();
    assert!(
        !world.with_claims(json!({})).await,
        "not asked again within a minute"
    );
    world.service.pass(61);
    assert!(world.with_claims(json!({})).await);
    assert_eq!(world.played.times_asked("/keys"), 2);
    assert_eq!(world.played.times_asked("/openid-configuration"), 1);
    world.service.pass(3600);
    assert!(world.with_claims(json!({})).await);
    assert_eq!(world.played.times_asked("/openid-configuration"), 2);
}

#[tokio::test]
async fn a_description_that_cannot_be_used_is_not() {
    for (member, value) in [
        ("issuer", json!("https://evil.test")),
        ("token_endpoint", json!("http://login.test/token")),
        ("jwks_uri", json!(null)),
    ] {
        let world = World::new().await;
        world.played.description.lock().unwrap()[member] = value;
        let mut browser = Browser::of(&world.service);
        assert_eq!(browser.get("/login/provider").await.status, 403, "{member}");
    }
}

#[tokio::test]
async fn links_are_made_by_hand_and_end_with_the_account() {
    let world = World::new().await;
    let people = &world.service.people;
    let (li, wang): (Slug, Slug) = ("li-wei".parse().unwrap(), "wang-fang".parse().unwrap());
    assert!(matches!(
        people.link_identity(&wang, "9").await,
        Err(AccountError::Unknown(_))
    ));
    people
        .add(&wang, &"clerk".parse().unwrap(), PASSWORD)
        .await
        .unwrap();
    assert!(matches!(
        people.link_identity(&wang, "7").await,
        Err(AccountError::Linked)
    ));
    assert!(matches!(
        people.link_identity(&wang, " ").await,
        Err(AccountError::Subject)
    ));
    people.link_identity(&wang, "9").await.unwrap();
    assert!(world.with_claims(json!({"sub": "9"})).await);
    people.set_disabled(&wang, true).await.unwrap();
    assert!(!world.with_claims(json!({"sub": "9"})).await);
    assert_eq!(people.unlink_identities(&li).await.unwrap(), 1);
    assert!(!world.with_claims(json!({})).await);
    let store = world.file.open().await;
    let bank = "bank".parse().unwrap();
    assert_eq!(store.identity(&bank, ISSUER, "7").await.unwrap(), None);
}
