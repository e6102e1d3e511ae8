//! MQTT over WebSocket (MQTT 5 section 6) at the platform's own HTTPS port, for gateways behind a
//! firewall that lets nothing else out: bytes of binary messages go to the plain listener and back.
//!
//! What holds at the TLS listener holds here: places for all and for one address, a time for the
//! log-in, and an end for clients that do not read. Who speaks is the broker's to judge.

use std::io;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::time::timeout;

use super::front::Inside;
use super::places::{Place, Places};
use super::{Limits, refused};

/// Bytes between the WebSocket and the broker, each way.
const BUFFER: usize = 64 * 1024;
/// Bytes of one message to a client.
const MESSAGE: usize = 16 * 1024;

/// The door. Cheap to clone; all clones share its places.
#[derive(Clone)]
pub struct Bridge {
    inside: Inside,
    places: Places,
}

impl Bridge {
    /// Largest WebSocket message in bytes: MQTT packets may be cut anywhere, so none needs more.
    pub const MESSAGE_MAX: usize = super::MAX_PACKET;

    /// To a broker's plain listener.
    #[must_use]
    pub fn new(plain: SocketAddr, limits: &Limits) -> Self {
        Self {
            inside: Inside::new(plain, limits),
            places: Places::new(limits),
        }
    }

    /// A place for somebody from this address; none where they are all taken, which is counted.
    #[must_use]
    pub fn enter(&self, from: IpAddr) -> Option<Visit> {
        let place = self.places.take(from);
        let place = place.inspect_err(|full| refused(full.word())).ok()?;
        Some(Visit {
            inside: self.inside.clone(),
            place,
        })
    }
}

/// One client's place, taken before its connection becomes a WebSocket.
pub struct Visit {
    inside: Inside,
    place: Place,
}

impl Visit {
    /// Passes bytes until either side has closed.
    pub async fn serve(self, socket: WebSocket) {
        let (near, far) = duplex(BUFFER);
        let pump = pump(socket, near);
        let broker = self.converse(far);
        let ended = tokio::select! {
            ended = pump => ended,
            ended = broker => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a WebSocket ended");
        }
    }

    async fn converse(mut self, mut outside: DuplexStream) -> io::Result<()> {
        let entering = self.inside.enter(&mut outside);
        let inside = match timeout(self.inside.greeting, entering).await {
            Ok(entered) => entered?,
            Err(_) => {
                refused("silent");
                return Err(io::ErrorKind::TimedOut.into());
            }
        };
        self.place.settled();
        self.inside.pass_on(outside, inside).await
    }
}

/// Binary messages to bytes and back. A text message is no MQTT and ends it (section 6.0).
async fn pump(socket: WebSocket, stream: DuplexStream) -> io::Result<()> {
    let (mut sink, mut source) = socket.split();
    let (mut from, mut to) = split(stream);
    let inward = async {
        while let Some(message) = source.next().await {
            match message.map_err(io::Error::other)? {
                Message::Binary(bytes) => to.write_all(&bytes).await?,
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Text(_) | Message::Close(_) => break,
            }
        }
        to.shutdown().await
    };
    let outward = async {
        let mut buffer = vec![0; MESSAGE];
        loop {
            let count = from.read(&mut buffer).await?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return sink.close().await.map_err(io::Error::other);
            }
            let message = Message::Binary(bytes.to_vec().into());
            sink.send(message).await.map_err(io::Error::other)?;
        }
    };
    tokio::select! {
        ended = inward => ended,
        ended = outward => ended,
    }
}
