//! Catching up to a broker alone: how fast the agent is where no platform holds it back. A Mosquitto
//! under the platform's certificate, and somebody who counts different messages there.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result};
use edge_agent::config::BrokerAddress;
use schemas::hash::{Hash, sha256};
use tokio::sync::mpsc;

use super::backlog::pile_up;
use super::ground::{Ground, Uplink, loopback};
use super::outbox::Peek;
use crate::mqtt::{Connection, Heard, Login};
use crate::parts::mosquitto::{Mosquitto, Place, in_place};

/// Messages that the one who counts may lag behind.
const HEARD: usize = 1_024;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Events a second from CONNACK until the broker has every statement that waited.
pub(super) async fn measure(ground: &mut Ground) -> Result<f64> {
    pile_up(ground).await?;
    let counts = Peek::open(&ground.state()).await?.counts().await?;
    let (events, statements) = (counts.events as f64, usize::try_from(counts.unreceipted)?);
    let broker = start(ground)?;
    let ports = &broker.place().ports;
    let (tls, plain) = (ports[0], ports[1]);
    let (tell, mut heard) = mpsc::channel(HEARD);
    let login = Login {
        broker: broker_at(plain)?,
        username: "bench/counter".to_owned(),
        password: String::new(),
        ca: String::new(),
        listens_to: ground.address.capture_topic(),
        speaks_on: "nothing".to_owned(),
    };
    let _counter = Connection::open(&login, 0, tell).await?;
    let agent = ground.start(Uplink::Other(tls))?;
    let connected = agent.connected().await?;
    let counting = count(&mut heard, statements);
    let counted = tokio::time::timeout(PATIENCE, counting).await;
    counted.context("the broker does not get everything")??;
    let seconds = connected.elapsed().as_secs_f64();
    agent.stop().await?;
    Ok(events / seconds)
}

fn broker_at(port: u16) -> Result<BrokerAddress> {
    let address = format!("mqtt://{}", loopback(port));
    address.parse().map_err(anyhow::Error::msg)
}

/// Waits for so many different messages.
async fn count(heard: &mut mpsc::Receiver<(usize, Heard)>, due: usize) -> Result<()> {
    let mut seen: HashSet<Hash> = HashSet::new();
    while seen.len() < due {
        match heard.recv().await.context("nobody listens")?.1 {
            Heard::Message { payload, .. } => {
                seen.insert(sha256(&payload));
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok(())
}

fn start(ground: &Ground) -> Result<Mosquitto> {
    let files = ground.operator.server_files();
    Mosquitto::start(2, |place| {
        std::fs::copy(&files.certificate, place.folder.join("server.pem"))?;
        std::fs::copy(&files.key, place.folder.join("server.key"))?;
        Ok(configuration(place))
    })
}

fn configuration(place: &Place) -> String {
    let (tls, plain) = (place.ports[0], place.ports[1]);
    format!(
        "allow_anonymous true
max_inflight_messages 1000
max_queued_messages 100000
max_packet_size 300000
set_tcp_nodelay true
listener {tls} 127.0.0.1
certfile {certificate}
keyfile {key}
listener {plain} 127.0.0.1
",
        certificate = in_place(place, "server.pem"),
        key = in_place(place, "server.key"),
    )
}
