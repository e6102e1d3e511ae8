//! Client credentials over HTTP, as a library asks and as somebody who guesses.

use axum::http::Method;
use axum::middleware::from_fn_with_state;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::super::Machine;
use super::super::limit;
use super::super::tests::engine::Sqlite;
use super::super::tests::service::MovedClock;
use super::authenticate::ASSERTION_TYPE;
use super::*;
use crate::routes::get;

const ISSUER: &str = "http://desk.test";

fn slug(text: &str) -> Slug {
    text.parse().unwrap()
}

struct World {
    _file: Sqlite,
    clients: Clients,
    clock: Arc<MovedClock>,
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl World {
    async fn new() -> Self {
        let file = Sqlite::new().await;
        let clock = Arc::new(MovedClock(Mutex::new(Instant::from_seconds(1_700_000_000))));
        let store = Arc::new(file.open().await);
        let clients = Clients::new(slug("bank"), ISSUER, store, clock.clone());
        let reach = Reach::default()
            .open(Method::GET, "/v1/decisions/{id}", "read")
            .open(Method::POST, "/v1/decisions/{id}", "write");
        let who = |machine: Machine| async move { machine.name.to_string() };
        let routes = Routes::new()
            .route("/v1/decisions/{id}", get(who).post(who))
            .route("/v1/other", get(who))
            .layer(from_fn_with_state(
                (clients.clone(), Arc::new(reach)),
                recognise,
            ))
            .merge(clients.routes());
        let (router, _) = routes.into_parts();
        let shutdown = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let served = crate::serve::serve(router, any, None, shutdown.clone());
        let address = served.await.unwrap().address;
        Self {
            _file: file,
            clients,
            clock,
            address,
            shutdown,
        }
    }

    fn pass(&self, seconds: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = *now + Duration::from_secs(seconds);
    }

    async fn ask(&self, method: &str, path: &str, authorization: &str, body: &str) -> Answer {
        let authorization = match authorization {
            "" => String::new(),
            some => format!("authorization: {some}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: desk.test\r\nconnection: close\r\n{authorization}\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_else(|_| json!(body)),
        }
    }

    async fn token(&self, name: &str, secret: &str, more: &str) -> Answer {
        let form = format!("grant_type=client_credentials{more}");
        self.ask("POST", "/oauth2/token", &basic(name, secret), &form)
            .await
    }

    /// A client with both scopes, and a token of it.
    async fn portal(&self) -> (String, String) {
        let scopes = BTreeSet::from([slug("read"), slug("write")]);
        let secret = self.clients.add(&slug("portal"), scopes).await.unwrap();
        let answer = self.token("portal", &secret, "&scope=read").await;
        (
            secret,
            answer.body["access_token"].as_str().unwrap().to_owned(),
        )
    }

    async fn reads(&self, token: &str) -> u16 {
        let shown = format!("Bearer {token}");
        self.ask("GET", "/v1/decisions/7", &shown, "").await.status
    }
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

#[tokio::test]
async fn a_client_is_given_a_token_and_reaches_what_its_scope_opens() {
    let world = World::new().await;
    let scopes = BTreeSet::from([slug("read"), slug("write")]);
    let secret = world.clients.add(&slug("portal"), scopes).await.unwrap();
    let answer = world.token("portal", &secret, "&scope=read").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("cache-control: no-store"));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 600);
    assert_eq!(answer.body["scope"], "read");
    let shown = format!("Bearer {}", answer.body["access_token"].as_str().unwrap());
    let read = world.ask("GET", "/v1/decisions/7", &shown, "").await;
    assert_eq!((read.status, &read.body), (200, &json!("portal")));
    let write = world.ask("POST", "/v1/decisions/7", &shown, "").await;
    assert_eq!(write.status, 403);
    assert!(
        write
            .head
            .contains("error=\"insufficient_scope\", scope=\"write\""),
        "{}",
        write.head
    );
    assert_eq!(
        world.ask("GET", "/v1/other", &shown, "").await.status,
        403,
        "in no list"
    );
    let all = world.token("portal", &secret, "").await;
    assert_eq!(all.body["scope"], "read write");
}

#[tokio::test]
async fn a_token_ends_by_time_by_revocation_and_with_its_client() {
    let world = World::new().await;
    let (secret, token) = world.portal().await;
    assert_eq!(world.reads(&token).await, 200);
    world.pass(TOKEN_SECONDS);
    assert_eq!(world.reads(&token).await, 401);
    let token = world.token("portal", &secret, "").await.body["access_token"].clone();
    let token = token.as_str().unwrap();
    let other = world
        .clients
        .add(&slug("other"), BTreeSet::from([slug("read")]))
        .await
        .unwrap();
    let form = format!("token={token}&token_type_hint=access_token");
    let revoke = |authorization: String| {
        let form = form.clone();
        let world = &world;
        async move {
            world
                .ask("POST", "/oauth2/revoke", &authorization, &form)
                .await
                .status
        }
    };
    assert_eq!(revoke(basic("other", &other)).await, 200);
    assert_eq!(
        world.reads(token).await,
        200,
        "another's revocation does nothing"
    );
    assert_eq!(revoke(basic("portal", "wrong")).await, 401);
    assert_eq!(revoke(basic("portal", &secret)).await, 200);
    assert_eq!(world.reads(token).await, 401);
    assert_eq!(
        revoke(basic("portal", &secret)).await,
        200,
        "it is ended already"
    );
    let token = world.token("portal", &secret, "").await.body["access_token"].clone();
    world
        .clients
        .set_disabled(&slug("portal"), true)
        .await
        .unwrap();
    assert_eq!(world.reads(token.as_str().unwrap()).await, 401);
    assert_eq!(world.token("portal", &secret, "").await.status, 401);
}

/// RFC 6749 section 5.2.
#[tokio::test]
async fn errors_are_those_of_the_rfc() {
    let world = World::new().await;
    let (secret, _) = world.portal().await;
    let right = basic("portal", &secret);
    for (authorization, form, status, error) in [
        (right.as_str(), "", 400, "invalid_request"),
        (&right, "grant_type=password", 400, "unsupported_grant_type"),
        (
            &right,
            "grant_type=client_credentials&scope=admin",
            400,
            "invalid_scope",
        ),
        (
            &right,
            "grant_type=client_credentials&scope=READ",
            400,
            "invalid_scope",
        ),
        (
            &right,
            "grant_type=client_credentials&grant_type=client_credentials",
            400,
            "invalid_request",
        ),
        (
            &right,
            "grant_type=client_credentials&client_id=other",
            400,
            "invalid_request",
        ),
        (
            &right,
            "grant_type=client_credentials&client_assertion=a.b.c",
            400,
            "invalid_request",
        ),
        ("", "grant_type=client_credentials", 400, "invalid_request"),
        (
            "Basic ***",
            "grant_type=client_credentials",
            400,
            "invalid_request",
        ),
        (
            &basic("portal", "wrong"),
            "grant_type=client_credentials",
            401,
            "invalid_client",
        ),
        (
            &basic("nobody", &secret),
            "grant_type=client_credentials",
            401,
            "invalid_client",
        ),
        (
            &basic("No Slug", &secret),
            "grant_type=client_credentials",
            401,
            "invalid_client",
        ),
        (
            "",
            "grant_type=client_credentials&client_assertion_type=x&client_assertion=y",
            400,
            "invalid_request",
        ),
    ] {
        let answer = world
            .ask("POST", "/oauth2/token", authorization, form)
            .await;
        assert_eq!(answer.status, status, "{form} {}", answer.body);
        assert_eq!(answer.body["error"], error, "{form}");
        assert_eq!(
            status == 401,
            answer.head.contains("www-authenticate: Basic"),
            "{form}"
        );
        assert!(answer.head.contains("cache-control: no-store"), "{form}");
    }
    assert_eq!(
        world.ask("GET", "/oauth2/token", &right, "").await.status,
        405
    );
}

#[tokio::test]
async fn guesses_end_and_never_lock_out_who_knows_the_secret() {
    let world = World::new().await;
    let (secret, _) = world.portal().await;
    for _ in 0..limit::TRIES_ACCOUNT {
        assert_eq!(world.token("portal", "wrong", "").await.status, 401);
    }
    let answer = world.token("portal", "wrong", "").await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after"));
    assert_eq!(world.token("portal", &secret, "").await.status, 200);
}

#[tokio::test]
async fn tokens_are_given_so_often_within_a_minute() {
    let world = World::new().await;
    let (secret, _) = world.portal().await;
    for _ in 1..TOKENS_A_MINUTE {
        assert_eq!(world.token("portal", &secret, "").await.status, 200);
    }
    assert_eq!(world.token("portal", &secret, "").await.status, 429);
    world.pass(60);
    assert_eq!(world.token("portal", &secret, "").await.status, 200);
}

fn assertion(key: &Ed25519KeyPair, claims: &Value) -> String {
    let parts = [json!({"alg": "EdDSA"}).to_string(), claims.to_string()];
    let [header, claims] = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
    let covered = format!("{header}.{claims}");
    let signature = key.sign(covered.as_bytes());
    format!("{covered}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[tokio::test]
async fn an_assertion_of_the_clients_key_counts_once() {
    let world = World::new().await;
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let point = key.public_key().as_ref().try_into().unwrap();
    let scopes = BTreeSet::from([slug("read")]);
    world
        .clients
        .add_key(&slug("ledger"), scopes, point)
        .await
        .unwrap();
    let now = 1_700_000_000;
    let good = json!({"iss": "ledger", "sub": "ledger", "jti": "1", "exp": now + 60,
        "aud": "http://desk.test/oauth2/token"});
    let ask = |assertion: String| {
        let form = format!(
            "grant_type=client_credentials&client_assertion_type={}&client_assertion={assertion}",
            ASSERTION_TYPE.replace(':', "%3A")
        );
        let world = &world;
        async move { world.ask("POST", "/oauth2/token", "", &form).await.status }
    };
    assert_eq!(ask(assertion(&key, &good)).await, 200);
    assert_eq!(ask(assertion(&key, &good)).await, 401, "shown before");
    let mut number = 1;
    for (member, value, status) in [
        ("aud", json!(["other", ISSUER]), 200),
        ("aud", json!("https://other.test"), 401),
        ("iss", json!("portal"), 401),
        ("sub", json!("portal"), 401),
        ("exp", json!(now), 401),
        ("exp", json!(now + 301), 401),
        ("jti", json!(""), 401),
        ("jti", json!(null), 401),
    ] {
        number += 1;
        let mut claims = good.clone();
        claims["jti"] = json!(number.to_string());
        claims[member] = value;
        assert_eq!(ask(assertion(&key, &claims)).await, status, "{claims}");
    }
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let mut claims = good.clone();
    claims["jti"] = json!("99");
    assert_eq!(ask(assertion(&other, &claims)).await, 401);
    let secret = basic("ledger", "");
    let answer = world.ask(
        "POST",
        "/oauth2/token",
        &secret,
        "grant_type=client_credentials",
    );
    assert_eq!(
        answer.await.status,
        401,
        "a client with a key has no secret"
    );
}

/// RFC 8414 section 2.
#[tokio::test]
async fn the_description_names_what_there_is() {
    let world = World::new().await;
    let path = "/.well-known/oauth-authorization-server";
    let answer = world.ask("GET", path, "", "").await;
    assert_eq!(answer.body["issuer"], ISSUER);
    assert_eq!(
        answer.body["token_endpoint"],
        "http://desk.test/oauth2/token"
    );
    assert_eq!(
        answer.body["grant_types_supported"],
        json!(["client_credentials"])
    );
}
