//! Who gets in at Mosquitto, and what they can do there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use edge_agent::trust::Enrolment;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, PubAckReason};
use schemas::registry::{SignedRecord, State};
use simulators::organisation::hand_over;

use super::LINES;
use super::peer::{Guise, Peer};
use crate::kill::gateway::Gateway;
use crate::kill::process::until;
use crate::kill::world::World;

/// How long an enrolled device may be kept waiting at the door, and a revoked one left inside.
const SECONDS: Duration = Duration::from_secs(5);

/// Name, password and port of a device.
#[derive(Clone)]
pub struct Login {
    /// Address of the device.
    pub username: String,
    /// As made by itself.
    pub password: String,
    /// The listener.
    pub port: u16,
    /// Its signed record.
    record: Vec<u8>,
}

impl Login {
    /// What an enrolment brought.
    pub fn of(gateway: &Gateway) -> Result<Login> {
        let enrolment = Enrolment::load(&gateway.state())?.context("not enrolled")?;
        let port = enrolment.broker.rsplit(':').next().context("no port")?;
        Ok(Login {
            port: port.parse()?,
            username: enrolment.username,
            password: enrolment.password,
            record: enrolment.record,
        })
    }

    /// Where it may publish.
    pub fn capture(&self) -> String {
        format!("tracebond/v1/{}/capture", self.username)
    }

    /// What it may read.
    pub fn receipt(&self) -> String {
        format!("tracebond/v1/{}/receipt", self.username)
    }
}

/// Enrols another device while everything runs; its login.
pub async fn enrolled(world: &World, device: &str) -> Result<Login> {
    let (place, logs) = (world.folder.join(device), world.folder.join("logs"));
    let gateway = Gateway::enrolled(place, logs, &world.owner, device).await?;
    Login::of(&gateway)
}

/// The organisation revokes the key of a device.
pub async fn revoke(world: &World, login: &Login) -> Result<()> {
    let before = SignedRecord::parse(login.record.clone())?;
    let record = before.next(State::Revoked {
        compromised_since: None,
    });
    let signed = SignedRecord::sign(&world.key, record);
    let (http, address) = (world.operator.http(), world.operator.identity().address);
    Ok(hand_over(&http, &address, &signed).await?)
}

/// It is let in before long.
pub async fn comes_in(login: &Login) -> Result<Peer> {
    let what = format!("{} is let in", login.username);
    until(&what, SECONDS, async || {
        Ok(Peer::connect(login, Guise::default()).await?.ok())
    })
    .await
}

/// It is refused before long.
pub async fn stays_out(login: &Login) -> Result<()> {
    let what = format!("{} is refused", login.username);
    until(&what, SECONDS, async || {
        Ok(Peer::connect(login, Guise::default()).await?.err())
    })
    .await
    .map(drop)
}

async fn refused(login: &Login) -> Result<()> {
    let name = &login.username;
    match Peer::connect(login, Guise::default()).await? {
        Err(ConnectReturnCode::NotAuthorized | ConnectReturnCode::BadUserNamePassword) => Ok(()),
        Err(other) => anyhow::bail!("{name}: {other:?}"),
        Ok(_) => anyhow::bail!("{name} was let in at {}", login.port),
    }
}

/// Two devices of one organisation; one of them tries everything.
pub async fn kept_apart(world: &mut World) -> Result<()> {
    let honest = Login::of(&world.gateway)?;
    let other = enrolled(world, "line-2").await?;
    let mut peer = comes_in(&other).await?;
    strangers_are_refused(world, &honest, &other).await?;
    cannot_publish(&mut peer, &honest, &other).await?;
    cannot_take_over(&honest, &other).await?;
    cannot_listen(world, &mut peer, &honest, &other).await?;
    peer.publish_own(&other, b"the end").await?;
    let others: Vec<_> = peer.received.iter().map(|(topic, _)| topic).collect();
    ensure!(others.is_empty(), "it was sent {others:?}");
    // What it said in its own name came through and is kept; nothing of what it said in another's.
    until("its own words are in quarantine", SECONDS, async || {
        let stored = world.operator.stored().await?;
        ensure!(stored.quarantined <= 2, "{stored:?}");
        Ok((stored.quarantined == 2).then_some(()))
    })
    .await?;
    world.gateway.stop(crate::kill::END).await
}

async fn strangers_are_refused(world: &World, honest: &Login, other: &Login) -> Result<()> {
    let with = |username: &str, password: &str, port: u16| Login {
        username: username.to_owned(),
        password: password.to_owned(),
        port,
        record: Vec::new(),
    };
    let ingest_port = {
        let broker = world.operator.site.mosquitto.as_ref();
        broker.context("a real broker")?.place().ports[1]
    };
    let ingest = world.operator.ingest_password()?;
    for stranger in [
        with(&honest.username, &other.password, honest.port),
        with(&other.username, "", other.port),
        with("qinghe/nobody", &other.password, other.port),
        with("+/+", &other.password, other.port),
        // Each door has its own keys.
        with(&other.username, &other.password, ingest_port),
        with("tracebond-ingest", &ingest, honest.port),
        with("tracebond-ingest", &other.password, ingest_port),
    ] {
        refused(&stranger).await?;
    }
    Ok(())
}

async fn cannot_publish(peer: &mut Peer, honest: &Login, other: &Login) -> Result<()> {
    for topic in [honest.capture(), honest.receipt(), other.receipt()] {
        let reason = peer.publish(&topic, b"forged").await?;
        ensure!(reason == PubAckReason::NotAuthorized, "{topic}: {reason:?}");
    }
    peer.publish_own(other, b"no statement").await?;
    let will = Guise {
        will: Some(honest.capture()),
        ..Guise::default()
    };
    // Let in or not, its will reaches nobody.
    if let Ok(dying) = Peer::connect(other, will).await? {
        dying.vanish();
    }
    *peer = comes_in(other).await?;
    Ok(())
}

/// A client id that is another's changes nothing: the broker gives everybody their own.
async fn cannot_take_over(honest: &Login, other: &Login) -> Result<()> {
    let mut first = comes_in(honest).await?;
    let guise = Guise {
        client_id: Some(honest.username.clone()),
        ..Guise::default()
    };
    let thief = Peer::connect(other, guise).await?;
    first.subscribe(&honest.receipt()).await?;
    drop(thief);
    Ok(())
}

/// Whatever it subscribes to, it hears nothing of the other and takes nothing away.
async fn cannot_listen(
    world: &mut World,
    peer: &mut Peer,
    honest: &Login,
    other: &Login,
) -> Result<()> {
    *peer = comes_in(other).await?;
    for filter in [
        honest.receipt(),
        "#".to_owned(),
        "tracebond/v1/+/+/receipt".to_owned(),
        "tracebond/v1/+/+/capture".to_owned(),
        "$share/ingest/tracebond/v1/+/+/capture".to_owned(),
        "$SYS/#".to_owned(),
    ] {
        // Mosquitto's rules are asked at each delivery, so a subscription alone is no success.
        peer.subscribe(&filter).await?;
    }
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.settled(LINES).await
}
