//! One connection from CONNECT to its loss. Two tasks: one polls rumqttc and does nothing else;
//! the other, here, decides, and only ever calls rumqttc's `try_` functions.

use std::collections::VecDeque;
use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, SubAck, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::window::{Deliveries, LIMIT, Publications};
use super::{Delivery, Ports};

/// How long what is acknowledged and published may take to go out at shutdown.
const DRAIN: Duration = Duration::from_secs(2);
/// Events of rumqttc that wait for us; we never wait for anything else, so few are enough.
const EVENTS: usize = 256;

/// How a connection ended.
pub(super) enum Ended {
    /// As wished.
    Shutdown,
    /// By the network, the broker or a refusal.
    Lost {
        /// Whether it had been of use.
        subscribed: bool,
    },
}

type Polled = Result<Event, ConnectionError>;

pub(super) struct Connection {
    client: AsyncClient,
    events: mpsc::Receiver<Polled>,
    polling: AbortHandle,
    deliveries: Deliveries,
    publications: Publications,
    /// How many publications may be open, given what the broker said.
    limit: usize,
    /// Received, not yet in the caller's channel; bounded by our receive maximum.
    ready: VecDeque<Delivery>,
    subscribed: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl Connection {
    /// Begins to connect. Publications left over from the connection before are sent first.
    pub(super) fn open(
        epoch: u64,
        options: MqttOptions,
        inflight: u16,
        mut publications: Publications,
    ) -> Self {
        // Room for every acknowledgement and publication that may be open, and the subscription:
        // so `try_` never finds rumqttc's channel full.
        let room = usize::from(inflight) + usize::from(LIMIT) + 8;
        let (client, eventloop) = AsyncClient::new(options, room);
        let (tx, events) = mpsc::channel(EVENTS);
        let polling = tokio::spawn(poll(eventloop, tx)).abort_handle();
        publications.reset();
        Self {
            client,
            events,
            polling,
            deliveries: Deliveries::new(epoch),
            publications,
            limit: usize::from(LIMIT) - 1,
            ready: VecDeque::new(),
            subscribed: false,
        }
    }

    /// Runs until the connection is lost or `shutdown`; gives back what was not acknowledged.
    pub(super) async fn run(
        mut self,
        filter: &str,
        ports: &mut Ports,
        shutdown: &CancellationToken,
    ) -> (Ended, Publications) {
        let ended = loop {
            match self.step(filter, ports, shutdown).await {
                Step::On => {}
                Step::Shutdown => {
                    self.drain(filter, ports).await;
                    break Ended::Shutdown;
                }
                Step::Lost => {
                    break Ended::Lost {
                        subscribed: self.subscribed,
                    };
                }
            }
        };
        (ended, std::mem::take(&mut self.publications))
    }

    /// Waits for one thing to happen. Every arm can be cancelled without loss.
    async fn step(
        &mut self,
        filter: &str,
        ports: &mut Ports,
        shutdown: &CancellationToken,
    ) -> Step {
        let room = self.subscribed && self.publications.len() < self.limit;
        tokio::select! {
            event = self.events.recv() => return self.event(event, filter, ports),
            Some(tag) = ports.acks.recv() => self.deliveries.acknowledge(tag),
            Some(publication) = ports.publications.recv(), if room => {
                self.publications.add(publication);
            }
            place = ports.deliveries.reserve(), if !self.ready.is_empty() => match place {
                Ok(place) => {
                    if let Some(delivery) = self.ready.pop_front() {
                        place.send(delivery);
                    }
                }
                // The caller has let go of the channel: nobody will ever acknowledge.
                Err(_) => return Step::Shutdown,
            },
            () = shutdown.cancelled() => return Step::Shutdown,
        }
        self.send()
    }

    fn event(&mut self, event: Option<Polled>, filter: &str, ports: &Ports) -> Step {
        let packet = match event {
            Some(Ok(Event::Incoming(packet))) => packet,
            Some(Ok(Event::Outgoing(Outgoing::Publish(id)))) => {
                self.publications.sent(id);
                return Step::On;
            }
            Some(Ok(Event::Outgoing(_))) => return Step::On,
            Some(Err(error)) => {
                tracing::warn!(%error, "the link to the broker is lost");
                return Step::Lost;
            }
            None => return Step::Lost,
        };
        match packet {
            Packet::ConnAck(ack) => {
                let receive_max = ack.properties.and_then(|properties| properties.receive_max);
                let max = receive_max.unwrap_or(u16::MAX).min(LIMIT);
                // One less than rumqttc's own limit, at which it would not send our
                // acknowledgements either.
                self.limit = usize::from(max.saturating_sub(1).max(1));
                Step::lost_unless(self.client.try_subscribe(filter, QoS::AtLeastOnce).is_ok())
            }
            Packet::SubAck(ack) => self.subscription(&ack, ports),
            Packet::Publish(packet) => {
                self.receive(packet);
                Step::On
            }
            Packet::PubAck(ack) => {
                self.publications.acknowledged(ack.pkid);
                self.send()
            }
            _ => Step::On,
        }
    }

    fn subscription(&mut self, ack: &SubAck, ports: &Ports) -> Step {
        let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
        if !ack.return_codes.iter().all(granted) {
            tracing::error!(codes = ?ack.return_codes, "the broker refuses the subscription");
            return Step::Lost;
        }
        self.subscribed = true;
        ports.connected.send_replace(true);
        self.send()
    }

    fn receive(&mut self, mut packet: Publish) {
        let payload = std::mem::take(&mut packet.payload);
        let topic = String::from_utf8_lossy(&packet.topic).into_owned();
        let tag = self.deliveries.add(packet);
        self.ready.push_back(Delivery {
            topic,
            payload,
            tag,
        });
    }

    /// Gives rumqttc what is due.
    fn send(&mut self) -> Step {
        while let Some(packet) = self.deliveries.next_done() {
            if self.client.try_ack(&packet).is_err() {
                return Step::Lost;
            }
        }
        // Publications before the subscription's packet id is used up could collide with it.
        while self.subscribed
            && let Some(next) = self.publications.next_to_give()
        {
            let (topic, payload) = (next.topic.clone(), next.payload.clone());
            if self
                .client
                .try_publish(topic, QoS::AtLeastOnce, false, payload)
                .is_err()
            {
                return Step::Lost;
            }
            self.publications.gave();
        }
        Step::On
    }

    /// Sends what was acknowledged and published before shutdown, then takes leave.
    async fn drain(&mut self, filter: &str, ports: &mut Ports) {
        if !self.subscribed {
            return;
        }
        while let Ok(tag) = ports.acks.try_recv() {
            self.deliveries.acknowledge(tag);
        }
        ports.publications.close();
        let leaving = timeout(DRAIN, self.leave(filter, ports)).await;
        if leaving.is_err() {
            tracing::warn!(
                open = self.publications.len(),
                "publications were not acknowledged"
            );
        }
    }

    async fn leave(&mut self, filter: &str, ports: &mut Ports) {
        loop {
            while self.publications.len() < self.limit
                && let Ok(publication) = ports.publications.try_recv()
            {
                self.publications.add(publication);
            }
            if matches!(self.send(), Step::Lost) || self.publications.len() == 0 {
                break;
            }
            let event = self.events.recv().await;
            if matches!(self.event(event, filter, ports), Step::Lost) {
                return;
            }
        }
        if self.client.try_disconnect().is_ok() {
            // Acknowledgements are ahead of it in rumqttc's channel.
            let gone = |event| {
                matches!(
                    event,
                    Some(Ok(Event::Outgoing(Outgoing::Disconnect))) | None
                )
            };
            while !gone(self.events.recv().await) {}
        }
    }
}

enum Step {
    On,
    Shutdown,
    Lost,
}

impl Step {
    fn lost_unless(fine: bool) -> Self {
        if fine { Self::On } else { Self::Lost }
    }
}

/// Polls until the connection is lost. Nothing here waits for anything but the network and the
/// other task, which always listens.
async fn poll(mut eventloop: EventLoop, events: mpsc::Sender<Polled>) {
    loop {
        let event = eventloop.poll().await;
        let lost = event.is_err();
        if events.send(event).await.is_err() || lost {
            return;
        }
    }
}
