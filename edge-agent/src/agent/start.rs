//! How the agent's parts are put together, and the order in which they end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::statement::ClockState;
use schemas::time::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::heartbeat::Heartbeat;
use super::who::Identity;
use super::{Handle, RunError, rules, start_sources};
use crate::clock::{DeviceClock, Floor, Keeper, Known};
use crate::config::Config;
use crate::enrol::rotate::Rotator;
use crate::follow::Follower;
use crate::head::{Comparison, Credentials, Platform};
use crate::inquiry::Inquiry;
use crate::outbox::{self, Opening, Outbox, OutboxError};
use crate::peers::{Checkpoints, Peers};
use crate::picture::Parts;
use crate::source::Board;
use crate::status::{Link, Status};
use crate::trust::{Enrolment, Trust};
use crate::uplink::Uplink;

/// What the agent runs by.
pub(super) struct Time {
    pub clock: Arc<dyn Clock>,
    pub known: watch::Receiver<Known>,
    pub floor: Floor,
    /// The clock, where it is a device's own.
    pub device: Option<Arc<DeviceClock>>,
}

pub(super) async fn start(
    config: Config,
    identity: Identity,
    time: Time,
    shutdown: CancellationToken,
) -> Result<Handle, RunError> {
    let Identity {
        key,
        enrolment,
        trust,
    } = identity;
    let clock = time.clock.clone();
    let (credentials, logs_in) = watch::channel(Credentials::of(&enrolment));
    let (trusts, trusted) = watch::channel(trust.clone());
    let ask = || {
        let platform = Platform::new(&enrolment, trusted.clone(), &time.floor, logs_in.clone());
        platform.map_err(RunError::Platform)
    };
    let opening = Opening {
        state: config.state.clone(),
        key,
        trust: trust.clone(),
        clock: clock.clone(),
        clock_state: time.known.clone(),
        rules: rules(&config),
        time_zone_minutes: config.device.time_zone_minutes,
        pages_max: None,
        paced: time.device.is_some(),
        bytes_max: Some(config.outbox.bytes_max),
        known: None,
    };
    let (outbox, writer) = open(opening, ask()?).await?;
    if time.known.borrow().state == ClockState::Unknown {
        // What waits was read by another count of time than what is read from now on.
        outbox.end_count_of_time().await?;
    }
    let (link, link_seen) = watch::channel(Link::default());
    let uplink_shutdown = CancellationToken::new();
    let uplink = Uplink::new(
        config.uplink.clone(),
        (&enrolment, &trust),
        time.floor.clone(),
        outbox.clone(),
        link,
        (logs_in.clone(), Comparison::new(ask()?, outbox.clone())),
        uplink_shutdown.clone(),
    )?;
    let follower = Follower {
        policies: trust.policies.clone(),
        state: config.state.clone(),
        enrolment: enrolment.clone(),
        floor: time.floor.clone(),
    };
    let platforms = std::iter::once(&enrolment.platform).chain(&config.uplink.platforms);
    let inquiry = Inquiry::new(platforms, &enrolment.ca, &time.floor, outbox.clone())
        .map_err(RunError::Platform)?;
    let (found, other_logs) = watch::channel(0);
    let whose = (&enrolment, &trust, &time.floor);
    let peers = start_peers(&config, whose, &outbox, found, &shutdown).await?;
    let started = start_sources(&config, &outbox, &clock, &shutdown);
    let heartbeat = heartbeat_interval(&config, &trust)
        .map(|interval| Heartbeat::new(outbox.clone(), clock.clone(), interval))
        .map(|heartbeat| tokio::spawn(heartbeat.run(shutdown.clone())));
    let keeper = time.device.map(|clock| Keeper::new(clock, outbox.clone()));
    let keeper = keeper.map(|keeper| tokio::spawn(keeper.run(shutdown.clone())));
    let inquiry = tokio::spawn(inquiry.run(shutdown.clone()));
    let follower = tokio::spawn(follower.run(shutdown.clone()));
    let rotator = Rotator {
        state: config.state.clone(),
        outbox: outbox.clone(),
        credentials,
        trust: trusts,
        floor: time.floor,
    };
    let rotator = tokio::spawn(rotator.run(shutdown.clone()));
    let parts = Parts {
        counts: outbox.status(),
        link: link_seen,
        clock: time.known,
        other_logs,
        sources: started.boards.iter().map(Board::watch).collect(),
        shutdown: shutdown.clone(),
        silent_after: config.uplink.receipt_timeout * 2,
    };
    let (status, seen) = watch::channel(parts.join(&Status::default()));
    let tasks = Tasks {
        sources: started
            .tasks
            .into_iter()
            .chain(heartbeat)
            .chain(keeper)
            .chain([inquiry, follower, rotator])
            .chain(peers)
            .collect(),
        uplink: tokio::spawn(uplink.run()),
        uplink_shutdown,
        reporter: tokio::spawn(parts.clone().report(status)),
        writer,
        outbox: outbox.clone(),
    };
    Ok(Handle {
        device: trust.device,
        clock,
        outbox,
        parts,
        status: seen,
        catch_up: started.catch_up,
        boards: started.boards,
        supervisor: tokio::spawn(tasks.supervise(shutdown)),
    })
}

/// Opens the outbox; where nobody here knows where the chain ended, the platform is asked.
async fn open(opening: Opening, platform: Platform) -> Result<(Outbox, JoinHandle<()>), RunError> {
    match outbox::open(opening.clone()).await {
        Err(OutboxError::NothingKnown) => {}
        opened => return Ok(opened?),
    }
    let known = platform.head().await.map_err(RunError::Platform)?;
    if known.is_none() {
        return Err(OutboxError::NothingKnown.into());
    }
    Ok(outbox::open(Opening { known, ..opening }).await?)
}

/// Shows other gateways what this one has seen, where the configuration names them.
async fn start_peers(
    config: &Config,
    (enrolment, trust, floor): (&Enrolment, &Trust, &Floor),
    outbox: &Outbox,
    found: watch::Sender<u64>,
    shutdown: &CancellationToken,
) -> Result<Option<JoinHandle<()>>, RunError> {
    let Some(section) = config.peers.clone() else {
        return Ok(None);
    };
    let own = Arc::new(outbox.clone());
    let platform = (&*enrolment.platform, &*enrolment.ca, floor);
    let policies = trust.policies.clone();
    let peers = Peers::new(section, own, policies, platform, &config.state, found);
    let peers = peers.map_err(RunError::Platform)?;
    let listener = peers.bind().await.map_err(RunError::Peers)?;
    Ok(Some(tokio::spawn(peers.run(listener, shutdown.clone()))))
}

#[async_trait]
impl Checkpoints for Outbox {
    async fn newest(&self) -> Option<Vec<u8>> {
        let note = self.checkpoint().await;
        note.inspect_err(|error| tracing::warn!(%error, "the newest checkpoint cannot be read"))
            .ok()?
    }
}

/// The shorter of what the configuration and what the device's record ask for.
fn heartbeat_interval(config: &Config, trust: &Trust) -> Option<Duration> {
    let recorded = Some(Duration::from_secs(trust.record.heartbeat)).filter(|time| !time.is_zero());
    [config.device.heartbeat, recorded]
        .into_iter()
        .flatten()
        .min()
}

struct Tasks {
    sources: Vec<JoinHandle<()>>,
    uplink: JoinHandle<()>,
    uplink_shutdown: CancellationToken,
    reporter: JoinHandle<()>,
    writer: JoinHandle<()>,
    outbox: Outbox,
}

impl Tasks {
    async fn supervise(self, shutdown: CancellationToken) -> Result<(), RunError> {
        shutdown.cancelled().await;
        let mut failed = None;
        for source in self.sources {
            failed = source.await.err().or(failed);
        }
        if let Err(error) = self.outbox.drain().await {
            tracing::error!(%error, "the open statement is not stored; its events are");
        }
        self.uplink_shutdown.cancel();
        failed = self.uplink.await.err().or(failed);
        drop(self.outbox);
        failed = self.writer.await.err().or(failed);
        self.reporter.abort();
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}
