//! A gateway's side of MQTT 5, as lean as a load generator needs it: it shares two cores with what
//! it measures, so packets are made by hand and a payload is never copied before the socket.
//!
//! QoS 1 both ways. A connection is two tasks, one that writes and one that reads; what is heard
//! comes out of a channel that all connections of a [`crate::fleet`] share. Nothing is sent again
//! here: the caller knows what has no receipt.

mod packet;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use edge_agent::config::BrokerAddress;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use packet::Incoming;

/// Time for TCP, TLS and CONNACK.
const CONNECT: Duration = Duration::from_secs(10);
/// Seconds without a packet after which the broker gives a connection up.
const KEEP_ALIVE_S: u16 = 60;
/// Time between two pings.
const PING: Duration = Duration::from_secs(25);
/// Longest packet that is taken: the largest message with room for its envelope.
const PACKET_MAX: usize = schemas::statement::MESSAGE_MAX + 4_096;
/// Packets that wait for the socket.
const WAITING: usize = 4_096;
/// Packets that are written before the socket is flushed.
const FLUSH: usize = 64;
/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// Who connects, and where.
#[derive(Clone)]
pub struct Login {
    /// The broker.
    pub broker: BrokerAddress,
    /// `org/device`: user name and client id.
    pub username: String,
    /// Password.
    pub password: String,
    /// The authority behind the broker's certificate, PEM; for TLS.
    pub ca: String,
    /// Topic to subscribe to.
    pub listens_to: String,
    /// Topic to publish to.
    pub speaks_on: String,
}

/// What a connection hears.
#[derive(Debug)]
pub enum Heard {
    /// A message on the topic that it listens to.
    Message {
        /// Its bytes.
        payload: Vec<u8>,
        /// When it was read.
        at: Instant,
    },
    /// The broker did not take a publication: its reason code, 0x80 or above.
    NotTaken(u8),
    /// The connection is gone, and why.
    Lost(String),
}

/// What is written.
enum Out {
    Publish(u16, Arc<[u8]>),
    Ack(u16),
}

/// A connection that has subscribed. Dropped, it is closed without a farewell.
pub struct Connection {
    out: mpsc::Sender<Out>,
    next_id: u16,
    tasks: [AbortHandle; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = BufWriter<Box<dyn AsyncWrite + Send + Unpin>>;

impl Connection {
    /// Connects and subscribes; what is heard goes to `heard` under `name`.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub async fn open(
        login: &Login,
        name: usize,
        heard: mpsc::Sender<(usize, Heard)>,
    ) -> Result<Connection> {
        let opened = tokio::time::timeout(CONNECT, connect(login)).await;
        let opened = opened.context("the broker does not answer")?;
        let (stream, writer) =
            opened.with_context(|| format!("{} at {}", login.username, login.broker))?;
        let (out, outgoing) = mpsc::channel(WAITING);
        let writing = tokio::spawn(write(writer, login.speaks_on.clone(), outgoing));
        let listening = listen(stream, name, out.clone(), heard);
        let reading = tokio::spawn(listening);
        Ok(Connection {
            out,
            next_id: 1,
            tasks: [writing.abort_handle(), reading.abort_handle()],
        })
    }

    /// Publishes. At most 65,535 publications may wait for the broker's word, far more than
    /// [`crate::fleet`] lets wait.
    pub async fn publish(&mut self, payload: Arc<[u8]>) {
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        // A lost connection has said so to whoever listens.
        let _ = self.out.send(Out::Publish(id, payload)).await;
    }
}

/// Packets of one connection, read from its socket.
struct Stream {
    reader: Reader,
    bytes: Vec<u8>,
    /// Bytes of `bytes` that have been read as packets.
    taken: usize,
}

impl Stream {
    async fn next(&mut self) -> Result<Incoming> {
        loop {
            if let Some((packet, length)) = packet::read(&self.bytes[self.taken..], PACKET_MAX)? {
                self.taken += length;
                return Ok(packet);
            }
            self.bytes.drain(..self.taken);
            self.taken = 0;
            self.bytes.reserve(READ);
            let count = self.reader.read_buf(&mut self.bytes).await?;
            ensure!(count > 0, "the broker has closed the connection");
        }
    }
}

async fn connect(login: &Login) -> Result<(Stream, Writer)> {
    let (reader, mut writer) = socket(login).await?;
    let mut stream = Stream {
        reader,
        bytes: Vec::new(),
        taken: 0,
    };
    let hello = packet::connect(&login.username, &login.password, KEEP_ALIVE_S);
    writer.write_all(&hello).await?;
    writer.flush().await?;
    match stream.next().await? {
        Incoming::ConnAck(0) => {}
        Incoming::ConnAck(code) => bail!("refused with 0x{code:02x}"),
        other => bail!("{other:?} instead of a CONNACK"),
    }
    let wish = packet::subscribe(1, &login.listens_to);
    writer.write_all(&wish).await?;
    writer.flush().await?;
    loop {
        match stream.next().await? {
            Incoming::SubAck(code) if code < 0x80 => return Ok((stream, writer)),
            Incoming::SubAck(code) => bail!("the subscription is refused with 0x{code:02x}"),
            // Left over in a session of before; its sender will say it again.
            Incoming::Publish { .. } => {}
            other => bail!("{other:?} instead of a SUBACK"),
        }
    }
}

async fn socket(login: &Login) -> Result<(Reader, Writer)> {
    let broker = &login.broker;
    let stream = TcpStream::connect((broker.host.as_str(), broker.port)).await?;
    stream.set_nodelay(true)?;
    if !broker.tls {
        let (reader, writer) = stream.into_split();
        return Ok((Box::new(reader), BufWriter::new(Box::new(writer))));
    }
    let config = edge_agent::tls::under_ca(&login.ca)?;
    let name = ServerName::try_from(broker.host.clone())?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let (reader, writer) = tokio::io::split(stream);
    Ok((Box::new(reader), BufWriter::new(Box::new(writer))))
}

/// Writes what there is, and a ping when there was nothing for long.
async fn write(mut writer: Writer, topic: String, mut outgoing: mpsc::Receiver<Out>) {
    let mut packets = Vec::new();
    loop {
        let waited = tokio::time::timeout(PING, outgoing.recv_many(&mut packets, FLUSH)).await;
        let written = match waited {
            Ok(0) => return,
            Ok(_) => write_all(&mut writer, &topic, packets.drain(..)).await,
            Err(_) => writer.write_all(&packet::PING).await,
        };
        // The reader hears of a lost connection, and says so.
        if written.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn write_all(
    writer: &mut Writer,
    topic: &str,
    packets: impl Iterator<Item = Out>,
) -> std::io::Result<()> {
    for packet in packets {
        match packet {
            Out::Publish(id, payload) => {
                writer
                    .write_all(&packet::publish(topic, id, payload.len()))
                    .await?;
                writer.write_all(&payload).await?;
            }
            Out::Ack(id) => writer.write_all(&packet::puback(id)).await?,
        }
    }
    Ok(())
}

async fn listen(
    mut stream: Stream,
    name: usize,
    out: mpsc::Sender<Out>,
    heard: mpsc::Sender<(usize, Heard)>,
) {
    loop {
        let said = match stream.next().await {
            Ok(Incoming::Publish { id, payload }) => {
                if let Some(id) = id {
                    let _ = out.send(Out::Ack(id)).await;
                }
                let at = Instant::now();
                Heard::Message { payload, at }
            }
            Ok(Incoming::PubAck(code)) if code >= 0x80 => Heard::NotTaken(code),
            Ok(Incoming::Disconnect(code)) => {
                Heard::Lost(format!("the broker took leave with 0x{code:02x}"))
            }
            Ok(_) => continue,
            Err(error) => Heard::Lost(format!("{error:#}")),
        };
        let ends = matches!(said, Heard::Lost(_));
        if heard.send((name, said)).await.is_err() || ends {
            return;
        }
    }
}
