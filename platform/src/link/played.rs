//! A link whose broker is played by whoever holds its other end: for simulations of a network that
//! is lost and comes back.

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{Link, Publication, WAITING};

/// The other end of a played link.
#[derive(Debug)]
pub struct Player {
    publications: mpsc::Receiver<Publication>,
    connected: watch::Sender<bool>,
}

impl Player {
    /// Says whether there is a broker; there is one in the beginning.
    pub fn connect(&self, connected: bool) {
        self.connected.send_replace(connected);
    }

    /// What was published since, as (topic, payload), oldest first. [`Link::publish`] waits while
    /// 256 are here.
    pub fn publications(&mut self) -> Vec<(String, Vec<u8>)> {
        let next = || self.publications.try_recv().ok();
        std::iter::from_fn(next)
            .map(|one| (one.topic, one.payload.to_vec()))
            .collect()
    }
}

/// A link and its other end.
#[must_use]
pub fn played() -> (Link, Player) {
    let (publications, theirs) = mpsc::channel(WAITING);
    let (connected, seen) = watch::channel(true);
    let link = Link {
        // Nobody is told: whoever plays the broker sees what was processed.
        acks: mpsc::unbounded_channel().0,
        publications,
        connected: seen,
        ended: CancellationToken::new(),
    };
    let player = Player {
        publications: theirs,
        connected,
    };
    (link, player)
}
