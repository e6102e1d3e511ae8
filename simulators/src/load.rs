//! A load of many devices against a platform that runs somewhere: `cargo run --release -- load`.
//!
//! Each device has a key of its own, enrols with its organisation as a gateway does, and speaks at
//! the pace that was asked for. How long everything takes is measured from the moment at which a
//! statement is first sent: to the receipt, and to the inclusion that the device has verified under
//! the log's policies. Nothing here knows how many platforms there are behind the broker.
//!
//! A statement is lost if it has no receipt, or no inclusion, when nothing has been heard for
//! `--patience` seconds twice, and the device has sent it again in between.

mod grounds;
mod report;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use edge_agent::config::BrokerAddress;
use kit::clock::TokioClock;
use schemas::ids::Slug;

use crate::fleet::Device;
use crate::fleet::chain::{Chains, Items};
use crate::fleet::play::{Fleet, Pace, Played, Until};
use crate::progress::Progress;

pub use report::Report;

/// Most devices of one load: each holds a connection.
const DEVICES_MOST: u64 = 5_000;
/// Most events of one load: what is noted of each statement stays in memory.
const EVENTS_MOST: f64 = 100_000_000.0;

/// What is loaded, and how much.
#[derive(Debug, Clone, Args)]
pub struct Wish {
    /// Address of a running platform, such as https://host:8443; without it a platform of this
    /// load's own is started.
    #[arg(long, value_name = "URL")]
    platform: Option<String>,
    /// The platform's certificate authority, PEM, where it serves HTTPS.
    #[arg(long, value_name = "FILE", requires = "platform")]
    ca: Option<PathBuf>,
    /// The organisation whose devices speak; with its key this program answers the devices'
    /// requests, as the organisation's own tool would.
    #[arg(long, value_name = "SLUG", requires_all = ["platform", "organisation_key"])]
    organisation: Option<Slug>,
    /// File with the organisation's key: 64 hex digits, mode 600.
    #[arg(long, value_name = "FILE", requires = "organisation")]
    organisation_key: Option<PathBuf>,
    /// File with a registrar's key, for an organisation that the platform does not know yet.
    #[arg(long, value_name = "FILE", requires = "organisation")]
    registrar_key: Option<PathBuf>,
    /// Folder of claims (*.json), one for each device, whose organisation answers by its own tool;
    /// instead of its key.
    #[arg(long, value_name = "DIR", requires = "platform", conflicts_with_all = ["organisation", "devices"])]
    claims: Option<PathBuf>,
    /// Another address of the broker than the platform tells devices.
    #[arg(long, value_name = "mqtt[s]://HOST:PORT", requires = "platform")]
    broker: Option<BrokerAddress>,
    /// With a platform of this load's own: on PostgreSQL and Mosquitto from Debian.
    #[arg(long, conflicts_with = "platform")]
    real: bool,
    /// How many devices.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=DEVICES_MOST))]
    devices: u64,
    /// Events a second, of all devices together.
    #[arg(long, default_value_t = 500.0, value_parser = positive)]
    rate: f64,
    /// Events of a statement.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
    size: u32,
    /// For how long events are made.
    #[arg(long, default_value_t = 20.0, value_parser = positive)]
    seconds: f64,
    /// Seconds without a word after which a statement is sent again, and after which one that was
    /// is lost.
    #[arg(long, default_value_t = 15.0, value_parser = positive)]
    patience: f64,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number > 0.0 && number <= 1e9 {
        Ok(number)
    } else {
        Err("expected a number above 0".to_owned())
    }
}

/// Runs a load to its end.
///
/// # Errors
/// When the platform or the broker cannot be reached, or a device is not admitted. Losses are no
/// error: see [`Report::lost`].
pub async fn run(wish: &Wish) -> Result<Report> {
    let events = wish.rate * wish.seconds;
    anyhow::ensure!(
        events <= EVENTS_MOST,
        "{events} events, at most {EVENTS_MOST}"
    );
    let mut progress = Progress::new(wish.json);
    let grounds = grounds::open(wish, &mut progress).await?;
    let patience = Duration::from_secs_f64(wish.patience);
    let mut fleet = Fleet::connect(grounds.devices.clone(), true, patience).await?;
    progress.done(&format!("{} devices speak", grounds.devices.len()));
    let played = play(wish, events as u64, &grounds.devices, &mut fleet).await?;
    Ok(Report::of(wish, grounds.devices.len(), &played))
}

async fn play(wish: &Wish, events: u64, devices: &[Device], fleet: &mut Fleet) -> Result<Played> {
    let events = events.max(1);
    let mut chains = Chains::new(devices, Items::for_load(events));
    let statements = chains.saying(events, wish.size, &TokioClock);
    fleet
        .play(statements, Pace::at(wish.rate), Until::Inclusions)
        .await
}

/// Plain HTTP would show an organisation's requests to whoever listens.
fn is_safe(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let safe = |text: &str| is_safe(&text.parse().unwrap());
        assert!(safe("https://host.example") && safe("http://127.0.0.1:80"));
        assert!(safe("http://[::1]:80") && safe("http://localhost"));
        assert!(!safe("http://host.example") && !safe("ftp://127.0.0.1"));
    }

    #[test]
    fn numbers_that_no_load_can_have_are_refused() {
        assert_eq!(positive("0.5"), Ok(0.5));
        for bad in ["0", "-1", "nan", "inf", "much"] {
            assert!(positive(bad).is_err(), "{bad}");
        }
    }
}
