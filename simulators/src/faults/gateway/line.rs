//! What goes over a gateway's line, and what comes.

use anyhow::{Context, Result};
use edge_agent::uplink::sending::Sending;
use schemas::statement::{Message as Wire, Position};

use super::{Did, Gateway, IN_FLIGHT, RECEIPT_TIMEOUT, done};
use crate::faults::network::{Message, Network, PLATFORM, Packet};

impl Gateway {
    /// Connects if it can, and sends what is due; what it sent.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn send(&mut self, network: &mut Network, step: usize) -> Result<Vec<Position>> {
        let now = self.base + self.true_time.elapsed();
        if !network.wires[self.client].connected {
            if !network.connect(self.client, step) {
                return Ok(Vec::new());
            }
            if let Some(process) = &mut self.process {
                process.sending = Sending::new(IN_FLIGHT);
                process.next_packet = 0;
            }
        }
        let process = self.process.as_mut().context("the agent does not run")?;
        let (outbox, sending) = (&process.outbox, &mut process.sending);
        sending.find_overdue(outbox, RECEIPT_TIMEOUT, now).await?;
        let mut sent = Vec::new();
        for waiting in sending.next(outbox, now).await? {
            process.next_packet = process.next_packet.checked_add(1).unwrap_or(1);
            sending.left(process.next_packet);
            let message = Message {
                session: PLATFORM,
                device: self.device,
                bytes: waiting.message,
            };
            sent.push(Wire::decode(&message.bytes)?.statement.payload.position);
            let wire = &mut network.wires[self.client];
            let packet = Packet::Publish(process.next_packet, message);
            wire.up.push_back(packet);
        }
        Ok(sent)
    }

    /// Takes what arrived. A reply that cannot be stored is not acknowledged: the connection ends.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn receive(&mut self, packets: Vec<Packet>, network: &mut Network) -> Result<usize> {
        let mut replies = 0;
        for packet in packets {
            let process = self.process.as_mut().context("the agent does not run")?;
            match packet {
                Packet::Ack(id) => process.sending.acknowledged(id),
                Packet::Publish(id, message) => {
                    if done(process.outbox.reply(&message.bytes).await)? == Did::Refused {
                        network.disconnect(self.client);
                        return Ok(replies);
                    }
                    replies += 1;
                    network.wires[self.client].up.push_back(Packet::Ack(id));
                }
            }
        }
        Ok(replies)
    }
}
