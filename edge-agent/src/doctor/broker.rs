//! The broker, as this device: log-in, its own topics, and nobody else's.
//!
//! A device has one session. While an agent runs it is the agent's, and a second log-in would end
//! it: then its own page is believed instead. A statement that waits is sent once more, which
//! changes nothing at the platform; receipts that come are not acknowledged and wait for the agent.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event, EventLoop};

use super::{Check, Device, Patient};
use crate::config::BrokerAddress;
use crate::outbox::{DATABASE_FILE, glance};
use crate::state::State;
use crate::uplink::{Login, reason};

const PATIENCE: Duration = Duration::from_secs(15);
const NAMES: [&str; 4] = [
    "broker log-in",
    "receipt topic",
    "capture topic",
    "own topics only",
];

pub(super) async fn look(patient: &Patient<'_>, checks: &mut Vec<Check>) {
    let skip = |why: &str| NAMES.map(|name| Check::skipped(name, why));
    let (Some(device), Some(broker)) = (&patient.device, patient.brokers().into_iter().next())
    else {
        checks.extend(skip("this device is not enrolled"));
        return;
    };
    if patient.is_running {
        checks.extend(skip(
            "the running agent has the session; see its status page",
        ));
        return;
    }
    let reached = |check: &Check| check.name == "tcp" && check.verdict == super::Verdict::Good;
    if !checks.iter().any(reached) {
        checks.extend(skip("without a connection"));
        return;
    }
    let mut visit = match Visit::new(patient, device, &broker) {
        Ok(visit) => visit,
        Err(problem) => {
            checks.push(Check::bad(
                NAMES[0],
                problem,
                State::CertificateRefused.remedy().en,
            ));
            return;
        }
    };
    let mut found = visit.look(patient).await;
    for name in &NAMES[found.len().min(NAMES.len())..] {
        found.push(Check::skipped(*name, "after a refusal"));
    }
    checks.extend(found);
}

struct Visit<'a> {
    device: &'a Device,
    client: AsyncClient,
    events: EventLoop,
}

/// What the broker said to one question.
enum Said {
    Yes,
    No(State, String),
}

impl<'a> Visit<'a> {
    fn new(
        patient: &Patient<'_>,
        device: &'a Device,
        broker: &BrokerAddress,
    ) -> Result<Self, String> {
        let who = (&device.enrolment, &device.trust);
        let login = Login::new(who, patient.floor.clone(), [broker].into_iter());
        let login = login.map_err(|error| error.to_string())?;
        let (client, events) = AsyncClient::new(login.options(broker, 8), 8);
        Ok(Self {
            device,
            client,
            events,
        })
    }

    /// Asks one thing after the other, until something is refused that the next rests on.
    async fn look(&mut self, patient: &Patient<'_>) -> Vec<Check> {
        let mut checks = Vec::new();
        let said = self.until(|packet| matches!(packet, Packet::ConnAck(_)).then_some(Said::Yes));
        if !note(&mut checks, NAMES[0], said.await, "accepted") {
            return checks;
        }
        let own = self.device.trust.device.receipt_topic();
        let said = self.subscribe(own).await;
        if !note(&mut checks, NAMES[1], said, "granted") {
            return checks;
        }
        checks.push(self.capture(patient).await);
        checks.push(self.foreign().await);
        let _ = self.client.try_disconnect();
        let leave = async { while self.events.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_millis(500), leave).await;
        checks
    }

    /// Polls until a packet answers, or the connection ends.
    async fn until(&mut self, answer: impl Fn(&Packet) -> Option<Said>) -> Said {
        let waiting = async {
            loop {
                match self.events.poll().await {
                    Ok(Event::Incoming(packet)) => {
                        if let Some(said) = answer(&packet) {
                            return said;
                        }
                    }
                    Ok(Event::Outgoing(_)) => {}
                    Err(error) => {
                        let objection = reason::of_error(&error);
                        return Said::No(objection.trouble.into(), objection.detail);
                    }
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(said) => said,
            Err(_) => Said::No(State::WaitingForNetwork, "no answer".to_owned()),
        }
    }

    async fn subscribe(&mut self, topic: String) -> Said {
        if self.client.try_subscribe(topic, QoS::AtLeastOnce).is_err() {
            return Said::No(State::WaitingForNetwork, "not sent".to_owned());
        }
        self.until(|packet| {
            let Packet::SubAck(suback) = packet else {
                return None;
            };
            let no = |code: &&_| !matches!(code, SubscribeReasonCode::Success(_));
            Some(match suback.return_codes.iter().find(no) {
                Some(code) => Said::No(State::TopicRefused, format!("SUBACK {code:?}")),
                None => Said::Yes,
            })
        })
        .await
    }

    /// Sends the oldest statement that waits once more.
    async fn capture(&mut self, patient: &Patient<'_>) -> Check {
        let name = NAMES[2];
        let state = &patient.config.state;
        let oldest = match state.join(DATABASE_FILE).exists() {
            true => glance(state).await.ok().and_then(|glance| glance.oldest),
            false => None,
        };
        let Some(statement) = oldest else {
            return Check::skipped(name, "nothing waits to be sent");
        };
        let topic = self.device.trust.device.capture_topic();
        let sent = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, false, statement.message);
        if sent.is_err() {
            return Check::skipped(name, "not sent");
        }
        let said = self.until(|packet| {
            let Packet::PubAck(ack) = packet else {
                return None;
            };
            Some(match reason::of_puback(ack.reason) {
                None => Said::Yes,
                Some(trouble) => Said::No(trouble.into(), format!("PUBACK {:?}", ack.reason)),
            })
        });
        let mut checks = Vec::new();
        note(
            &mut checks,
            name,
            said.await,
            "a waiting statement was taken",
        );
        checks
            .pop()
            .unwrap_or_else(|| Check::skipped(name, "no answer"))
    }

    /// Another device's receipts must not be for us.
    async fn foreign(&mut self) -> Check {
        let device = &self.device.trust.device;
        let foreign = device.receipt_topic().replace("/receipt", "-x/receipt");
        match self.subscribe(foreign.clone()).await {
            Said::No(..) => Check::good(NAMES[3], "another device's receipts are refused"),
            Said::Yes => {
                let _ = self.client.try_unsubscribe(foreign);
                let found =
                    "the broker does not refuse at subscription; Mosquitto decides at delivery";
                Check::good(NAMES[3], found)
            }
        }
    }
}

/// Notes what was said; true for a yes.
fn note(checks: &mut Vec<Check>, name: &str, said: Said, yes: &str) -> bool {
    match said {
        Said::Yes => {
            checks.push(Check::good(name, yes));
            true
        }
        Said::No(state, detail) => {
            checks.push(Check::bad(name, detail, state.remedy().en));
            false
        }
    }
}
