//! Clients that mean no good, and a well-behaved device beside them: they are refused or throttled,
//! each with a count, and the device's answers come as they came before.
//!
//! The bound on the device's latency is generous (a busy machine is no fault of the broker), since
//! what it must catch is a device that waits for somebody else's abuse to end.

mod connections;
mod honest;
mod messages;
mod packets;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

pub use honest::Honest;

/// Where the abuse comes from: an address of its own.
const ABUSER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(40);

/// A TCP connection of the abuser's.
async fn connect(to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((ABUSER, 0).into())?;
    // Little is on its way to somebody who does not read.
    socket.set_recv_buffer_size(8 * 1024)?;
    Ok(socket.connect(to).await?)
}

/// What this process has counted.
struct Counts(Box<dyn Fn() -> String + Send + Sync>);

impl Counts {
    fn begin() -> Result<Counts> {
        let handle = kit::metrics::install(platform::metrics::ALL)?;
        Ok(Counts(Box::new(move || handle.render())))
    }

    /// The value of a series, such as `name{label="value"}`; 0 where it has never been counted.
    fn of(&self, series: &str) -> f64 {
        let text = (self.0)();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|rest| rest.trim().parse().ok())
            .unwrap_or(0.0)
    }

    fn refusals(&self, reason: &str) -> f64 {
        self.of(&format!(
            "tracebond_broker_refusals_total{{reason=\"{reason}\"}}"
        ))
    }

    fn held_back(&self, reason: &str) -> f64 {
        self.of(&format!(
            "tracebond_broker_held_back_total{{reason=\"{reason}\"}}"
        ))
    }
}

/// Waits until something is so.
async fn until(what: &str, mut so: impl FnMut() -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !so() {
        ensure!(Instant::now() < end, "too late: {what}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
