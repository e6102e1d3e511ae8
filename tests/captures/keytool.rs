//! An organisation's own key tool against a whole platform: it joins, enrols a gateway, and what it
//! then says of the gateway's key holds at once, also for a connection that is open.

use std::path::Path;
use std::time::{Duration, Instant};

use edge_agent::enrol::{self, EnrolError};
use edge_agent::trust::Enrolment;
use platform::keytool::{self, Change, Folder, KeytoolError, Office, Wish};
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use schemas::enrol::Claim;
use schemas::hash::Hash;
use schemas::ids::Slug;
use schemas::registry::State;
use tokio::task::JoinHandle;

use super::{DEADLINE, PLACE, Stack, TOKEN, key_of};

/// How long a key that does not count may keep a connection open.
const SECONDS: Duration = Duration::from_secs(5);

pub(super) async fn office(stack: &Stack, folder: &Path) -> Office {
    let policy = stack.get(TOKEN, "/v1/policy").await.bytes().await.unwrap();
    let name = "qinghe".parse().unwrap();
    let settings = keytool::settings(name, &stack.handle().url, String::new(), &policy).unwrap();
    Folder::make(folder, &settings).unwrap();
    let office = Office::open(Folder::at(folder)).unwrap();
    let (application, kid) = (office.application(), office.kid().to_string());
    let registrar = key_of("association");
    let other = keytool::admit(&registrar, &application, "00000000").unwrap_err();
    assert!(matches!(other, KeytoolError::Kid { .. }), "{other}");
    let signed = keytool::admit(&registrar, &application, &kid[..8]).unwrap();
    office.join(&signed).await.unwrap();
    office
}

fn wish(device: &str) -> Wish {
    Wish {
        device: device.parse().unwrap(),
        places: vec![PLACE.into()],
        steps: vec!["shipping".into(), "receiving".into()],
        sources: vec![2],
        heartbeat: 3_600,
    }
}

/// A gateway asks, the organisation compares the kid and signs; the claim's id, the enrolment.
async fn enrolled(office: &Office, device: &str, state: &Path) -> (String, Enrolment) {
    let issued = office.claim(wish(device), None).unwrap();
    assert!(keytool::qr(&serde_json::to_string(&issued.claim).unwrap()).is_some());
    let name: Slug = device.parse().unwrap();
    let (kid, asks) = asking(office, &name, &issued.claim, state).await;
    let wrong = office.sign(&name, "00000000").await.unwrap_err();
    assert!(matches!(wrong, KeytoolError::Kid { .. }), "{wrong}");
    signed(office, &name, &kid[..8]).await;
    (issued.claim.claim, asks.await.unwrap().unwrap())
}

/// A gateway that asks with a claim: its kid as the organisation sees it, and what it will be told.
async fn asking(
    office: &Office,
    name: &Slug,
    claim: &Claim,
    state: &Path,
) -> (String, JoinHandle<Result<Enrolment, EnrolError>>) {
    let (device, claim, state) = (name.clone(), claim.clone(), state.to_owned());
    let asks = tokio::spawn(async move { enrol::enrol(&state, &device, &claim, |_| ()).await });
    let until = Instant::now() + DEADLINE;
    loop {
        let waiting = office.waiting().await.unwrap();
        if let Some(kid) = waiting.iter().find_map(|one| one.kid) {
            return (kid.to_string(), asks);
        }
        assert!(Instant::now() < until, "{waiting:?}");
        tokio::task::yield_now().await;
    }
}

/// The organisation signs once the gateway has consented.
async fn signed(office: &Office, name: &Slug, kid: &str) {
    let until = Instant::now() + DEADLINE;
    while office.sign(name, kid).await.unwrap().is_none() {
        assert!(Instant::now() < until, "no consent");
        tokio::task::yield_now().await;
    }
}

/// An open connection, or how it was refused.
async fn connect(enrolment: &Enrolment) -> Result<(AsyncClient, EventLoop), ConnectReturnCode> {
    let port = enrolment.broker.rsplit(':').next().unwrap();
    let mut options = MqttOptions::new(&enrolment.username, "127.0.0.1", port.parse().unwrap());
    options.set_credentials(&enrolment.username, &enrolment.password);
    options.set_connection_timeout(DEADLINE.as_secs());
    let (client, mut events) = AsyncClient::new(options, 16);
    loop {
        match tokio::time::timeout(DEADLINE, events.poll()).await.unwrap() {
            Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok((client, events)),
            Ok(_) => {}
            Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How long until the broker ends the connection.
async fn ends(mut events: EventLoop) -> Duration {
    let started = Instant::now();
    let ended = async {
        while let Ok(event) = events.poll().await {
            if matches!(event, Event::Incoming(Packet::Disconnect(_))) {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_organisation_says_of_a_key_ends_its_open_connection() {
    let stack = Stack::small().await;
    let place = tempfile::tempdir().unwrap();
    let office = office(&stack, &place.path().join("org")).await;
    let device: Slug = "line-1".parse().unwrap();
    let (claim, line) = enrolled(&office, "line-1", &place.path().join("line-1")).await;
    let (_, other) = enrolled(&office, "line-2", &place.path().join("line-2")).await;

    let (_client, mut stays) = connect(&other).await.unwrap();
    let (_client, events) = connect(&line).await.unwrap();
    office.change(&device, &Change::Suspend).await.unwrap();
    let suspended = ends(events).await;
    assert!(suspended < SECONDS, "{suspended:?}");
    assert_eq!(
        connect(&line).await.err(),
        Some(ConnectReturnCode::BadUserNamePassword)
    );

    office.change(&device, &Change::Resume).await.unwrap();
    let (_client, events) = connect(&line).await.unwrap();
    let revoke = Change::Revoke {
        compromised_since: None,
    };
    office.change(&device, &revoke).await.unwrap();
    let revoked = ends(events).await;
    assert!(revoked < SECONDS, "{revoked:?}");
    assert_eq!(
        connect(&line).await.err(),
        Some(ConnectReturnCode::BadUserNamePassword)
    );
    let again = office.change(&device, &Change::Resume).await.unwrap_err();
    assert!(matches!(again, KeytoolError::NotInUse(_)), "{again}");

    // Its old claim brings nothing back, for nobody.
    let asked = stack.get(TOKEN, &format!("/v1/enrol/{claim}")).await;
    let asked: serde_json::Value = asked.json().await.unwrap();
    assert_eq!(
        (&asked["state"], &asked["answer"]),
        (&"refused".into(), &serde_json::Value::Null)
    );
    // The other one has not noticed.
    let quiet = tokio::time::timeout(Duration::from_millis(100), stays.poll()).await;
    assert!(quiet.is_err() || quiet.unwrap().is_ok());

    let (_, records) = office.registered(TOKEN).await.unwrap();
    let states: Vec<_> = records
        .iter()
        .map(|signed| {
            let record = &signed.record;
            (record.device.as_ref().map(Slug::as_str), record.state)
        })
        .collect();
    let revoked = State::Revoked {
        compromised_since: None,
    };
    let expected = [
        (None, State::Active),
        (Some("line-1"), revoked),
        (Some("line-2"), State::Active),
    ];
    assert_eq!(states, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_of_a_device_takes_the_place_of_the_one_before() {
    let stack = Stack::small().await;
    let place = tempfile::tempdir().unwrap();
    let office = office(&stack, &place.path().join("org")).await;
    let name: Slug = "line-1".parse().unwrap();
    let (old_claim, old) = enrolled(&office, "line-1", &place.path().join("old")).await;
    let (_client, events) = connect(&old).await.unwrap();
    let last = (
        schemas::statement::Position { epoch: 0, seq: 7 },
        Hash([7; 32]),
    );
    let issued = office.claim(wish("line-1"), Some(last)).unwrap();
    let state = place.path().join("new");
    let (kid, asks) = asking(&office, &name, &issued.claim, &state).await;
    signed(&office, &name, &kid).await;
    let new = asks.await.unwrap().unwrap();
    let states: Vec<State> = office
        .records()
        .unwrap()
        .into_iter()
        .filter(|signed| signed.record.device.is_some())
        .map(|signed| signed.record.state)
        .collect();
    assert!(
        states.contains(&State::Active) && states.contains(&State::Retired { last: Some(last) })
    );
    // Whoever looks at the old claim does not bring the old password back.
    stack.get(TOKEN, &format!("/v1/enrol/{old_claim}")).await;
    assert_eq!(
        connect(&old).await.err(),
        Some(ConnectReturnCode::BadUserNamePassword)
    );
    assert!(connect(&new).await.is_ok());
    assert!(ends(events).await < DEADLINE);
}
