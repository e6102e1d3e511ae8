//! MQTT 5 in bytes of our own, so that a client can say what no library would: over any stream,
//! one packet at a time, nothing sent or acknowledged by itself.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Deadline of every wait for something that must come.
pub const SOON: Duration = Duration::from_secs(30);

/// What a connection runs over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A packet from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Session present, reason.
    Connected(bool, u8),
    /// A message.
    Message(Message),
    /// Packet id, reason.
    Acknowledged(u16, u8),
    /// Reasons, one for each filter.
    Subscribed(Vec<u8>),
    /// The answer to a ping.
    Alive,
    /// Reason.
    Disconnected(u8),
    /// Anything else, by its first byte.
    Other(u8),
}

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// Packet id; 0 without acknowledgement.
    pub id: u16,
    /// What it says.
    pub payload: Vec<u8>,
    /// Whether it was kept for new subscribers.
    pub retained: bool,
}

/// How a client presents itself.
#[derive(Debug, Clone)]
pub struct Hello {
    /// Client id.
    pub client: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Throw an earlier session away.
    pub clean: bool,
    /// A will: topic, and whether it is to be retained.
    pub will: Option<(String, bool)>,
    /// Seconds that the session outlives its connection.
    pub expiry: u32,
    /// Messages that may be on their way to us.
    pub receive_max: u16,
    /// Protocol level: 5, or 4 for MQTT 3.1.1.
    pub level: u8,
}

impl Hello {
    /// An honest one of this user, for a session that lasts.
    pub fn of(user: &str, password: &str) -> Hello {
        Hello {
            client: user.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            clean: false,
            will: None,
            expiry: 3_600,
            receive_max: 200,
            level: 5,
        }
    }

    /// CONNECT.
    pub fn packet(&self) -> Vec<u8> {
        let mut body = text("MQTT");
        let will = self.will.as_ref();
        let mut flags = 0b1100_0000 | u8::from(self.clean) << 1;
        if let Some((_, retained)) = will {
            flags |= 0b0000_1100 | u8::from(*retained) << 5;
        }
        body.extend([self.level, flags, 0, 60]);
        if self.level == 5 {
            let mut properties = vec![0x11];
            properties.extend(self.expiry.to_be_bytes());
            properties.push(0x21);
            properties.extend(self.receive_max.to_be_bytes());
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend(properties);
        }
        body.extend(text(&self.client));
        if let Some((topic, _)) = will {
            if self.level == 5 {
                body.push(0);
            }
            body.extend(text(topic));
            body.extend(text("forged"));
        }
        body.extend(text(&self.user));
        body.extend(text(&self.password));
        packet(0x10, &body)
    }
}

/// PUBLISH.
pub fn publish(topic: &str, payload: &[u8], qos: u8, retain: bool, id: u16) -> Vec<u8> {
    let mut body = text(topic);
    if qos > 0 {
        body.extend(id.to_be_bytes());
    }
    body.push(0);
    body.extend(payload);
    packet(0x30 | qos << 1 | u8::from(retain), &body)
}

/// A packet of any kind around a body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let low = u8::try_from(left % 128).unwrap();
        left /= 128;
        bytes.push(low | u8::from(left > 0) << 7);
        if left == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// A text with its length before it.
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// A connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    next: u16,
    /// Messages that came while something else was waited for.
    kept: VecDeque<Message>,
}

impl Wire {
    /// Over an open stream, before CONNECT.
    pub fn over(stream: impl Stream + 'static) -> Wire {
        Wire {
            stream: Box::new(stream),
            next: 0,
            kept: VecDeque::new(),
        }
    }

    /// Sends bytes, whatever they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next packet; an error when the connection ends.
    pub async fn receive(&mut self) -> Result<Packet> {
        timeout(SOON, self.read())
            .await
            .context("the broker is silent")?
    }

    async fn read(&mut self) -> Result<Packet> {
        let first = self.stream.read_u8().await?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
            ensure!(shift < 28, "no length");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        parse(first, &body).with_context(|| format!("packet {first:#x}: {body:?}"))
    }

    /// Says hello and waits for the answer: session present and reason, 0 for welcome.
    pub async fn hello(&mut self, hello: &Hello) -> Result<(bool, u8)> {
        self.send(&hello.packet()).await?;
        match self.receive().await? {
            Packet::Connected(present, reason) => Ok((present, reason)),
            other => bail!("no CONNACK: {other:?}"),
        }
    }

    /// A packet id that was not used lately.
    pub fn id(&mut self) -> u16 {
        self.next = self.next % u16::MAX + 1;
        self.next
    }

    /// Publishes at QoS 1; the reason of the acknowledgement, or of the disconnection.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<u8> {
        let id = self.id();
        self.send(&publish(topic, payload, 1, false, id)).await?;
        self.answer(id).await
    }

    /// Waits for the acknowledgement of a message of ours; messages meanwhile are kept.
    pub async fn answer(&mut self, id: u16) -> Result<u8> {
        loop {
            match self.receive().await? {
                Packet::Acknowledged(found, reason) if found == id => return Ok(reason),
                Packet::Disconnected(reason) => return Ok(reason),
                Packet::Message(message) => self.kept.push_back(message),
                _ => {}
            }
        }
    }

    /// Subscribes; the reason.
    pub async fn subscribe(&mut self, filter: &str) -> Result<u8> {
        let mut body = self.id().to_be_bytes().to_vec();
        body.push(0);
        body.extend(text(filter));
        body.push(1);
        self.send(&packet(0x82, &body)).await?;
        loop {
            match self.receive().await? {
                Packet::Subscribed(reasons) => {
                    return reasons.first().copied().context("no reason");
                }
                Packet::Disconnected(reason) => return Ok(reason),
                Packet::Message(message) => self.kept.push_back(message),
                _ => {}
            }
        }
    }

    /// The next message; it is not acknowledged.
    pub async fn message(&mut self) -> Result<Message> {
        self.message_in(SOON).await
    }

    /// The same with a patience of one's own.
    pub async fn message_in(&mut self, patience: Duration) -> Result<Message> {
        if let Some(kept) = self.kept.pop_front() {
            return Ok(kept);
        }
        loop {
            let packet = timeout(patience, self.read()).await;
            match packet.context("the broker is silent")?? {
                Packet::Message(message) => return Ok(message),
                Packet::Disconnected(reason) => bail!("put out: {reason:#x}"),
                _ => {}
            }
        }
    }

    /// Acknowledges a message.
    pub async fn acknowledge(&mut self, message: &Message) -> Result<()> {
        if message.id > 0 {
            self.send(&packet(0x40, &message.id.to_be_bytes())).await?;
        }
        Ok(())
    }

    /// Everything that was sent to us before the answer to a ping.
    pub async fn heard(&mut self) -> Result<Vec<Message>> {
        self.send(&[0xC0, 0]).await?;
        loop {
            match self.receive().await? {
                Packet::Alive => return Ok(self.kept.drain(..).collect()),
                Packet::Message(message) => self.kept.push_back(message),
                Packet::Disconnected(reason) => bail!("put out: {reason:#x}"),
                _ => {}
            }
        }
    }

    /// Leaves as one should.
    pub async fn farewell(mut self) -> Result<()> {
        Ok(self.send(&[0xE0, 0]).await?)
    }

    /// Reads until the broker closes; the reason, if it gave one. An error if it does not close.
    pub async fn ended(&mut self) -> Result<Option<u8>> {
        let mut reason = None;
        let end = async {
            loop {
                match self.read().await {
                    Ok(Packet::Disconnected(code)) => reason = Some(code),
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        };
        timeout(SOON, end).await.context("it is left open")?;
        Ok(reason)
    }
}

fn parse(first: u8, body: &[u8]) -> Option<Packet> {
    let reason = |at: usize| body.get(at).copied().unwrap_or(0);
    let id = || Some(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    Some(match first >> 4 {
        2 => Packet::Connected(body.first()? & 1 == 1, reason(1)),
        3 => Packet::Message(message(first, body)?),
        4 => Packet::Acknowledged(id()?, reason(2)),
        5 => Packet::Acknowledged(id()?, reason(2)),
        9 => {
            let properties = usize::from(*body.get(2)?);
            Packet::Subscribed(body.get(3 + properties..)?.to_vec())
        }
        13 => Packet::Alive,
        14 => Packet::Disconnected(reason(0)),
        _ => Packet::Other(first),
    })
}

fn message(first: u8, body: &[u8]) -> Option<Message> {
    let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let topic = String::from_utf8(body.get(2..2 + length)?.to_vec()).ok()?;
    let mut at = 2 + length;
    let mut id = 0;
    if first & 0b110 != 0 {
        id = u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]);
        at += 2;
    }
    // None of our properties are longer than 127 bytes.
    at += 1 + usize::from(*body.get(at)?);
    Some(Message {
        topic,
        id,
        payload: body.get(at..)?.to_vec(),
        retained: first & 1 == 1,
    })
}
