//! The way to the broker: rumqttc, MQTT 5, QoS 1, wrapped once.
//!
//! What rumqttc would lose or hang on is kept out of its hands: every connection gets a new client
//! and event loop, so nothing waits in its memory across a reconnect; the window is ours
//! (`window`), so packet ids never collide; the task that polls only ever uses `try_*`.
//! A PUBACK means that the broker has the message, not that it is durable: statements without a
//! receipt are sent again after a reconnect and after the receipt timeout.

mod addresses;
mod back_off;
mod login;
pub(crate) mod reason;
pub mod sending;
mod session;
mod window;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::addresses::Addresses;
use self::back_off::BackOff;
pub(crate) use self::login::Login;
use self::reason::{Again, Objection};
use self::session::{Ended, Lost, Session};
use crate::clock::Floor;
use crate::config::UplinkConfig;
use crate::head::{Comparison, Credentials};
use crate::outbox::Outbox;
use crate::status::{Link, Trouble};
use crate::tls;
use crate::trust::{Enrolment, Trust};

/// A connection that comes back within this goes on with the backlog that it had: what was made
/// since counts as live still.
const LIVE_FOR: Duration = Duration::from_secs(60);
/// Statements without a receipt from which a new connection sends the newest ones first.
const BACKLOG_MIN: u64 = 128;

/// Why nothing is sent while it is not known which statements the platform has of a chain that is
/// not this one.
const APART: &str = "the platform has more of this device than is known here";

/// What the uplink runs with.
pub struct Uplink {
    config: UplinkConfig,
    addresses: Addresses,
    login: Login,
    credentials: watch::Receiver<Credentials>,
    comparison: Comparison,
    capture_topic: String,
    receipt_topic: String,
    outbox: Outbox,
    link: watch::Sender<Link>,
    shutdown: CancellationToken,
    /// Newest position of the backlog, and when the connection that was sending it ended.
    backlog: Option<(i64, Instant)>,
    /// When the first address was left.
    left_home: Option<Instant>,
}

impl Uplink {
    /// Prepares the connection; `link` is told how it stands. Certificates are judged by the
    /// device's clock, or by `floor` where that is later.
    ///
    /// # Errors
    /// [`tls::TlsError`] if TLS is asked for and enrolment brought no usable CA.
    pub fn new(
        config: UplinkConfig,
        (enrolment, trust): (&Enrolment, &Trust),
        floor: Floor,
        outbox: Outbox,
        link: watch::Sender<Link>,
        (credentials, comparison): (watch::Receiver<Credentials>, Comparison),
        shutdown: CancellationToken,
    ) -> Result<Self, tls::TlsError> {
        let first = config.broker.clone();
        let first = first.unwrap_or_else(|| trust.broker.clone());
        let login = Login::new(
            (enrolment, trust),
            floor,
            [&first].into_iter().chain(&config.brokers),
        )?;
        Ok(Self {
            addresses: Addresses::new(first, &config.brokers),
            login,
            credentials,
            comparison,
            capture_topic: trust.device.capture_topic(),
            receipt_topic: trust.device.receipt_topic(),
            config,
            outbox,
            link,
            shutdown,
            backlog: None,
            left_home: None,
        })
    }

    /// Connects, sends and listens until `shutdown`.
    pub async fn run(mut self) {
        let mut back_off = BackOff::new(self.config.back_off_min, self.config.back_off_max);
        while !self.shutdown.is_cancelled() {
            self.tell_address();
            let may_send = tokio::select! {
                () = self.shutdown.cancelled() => return,
                may_send = self.comparison.once() => may_send,
            };
            if !may_send {
                self.object(Some(Trouble::TakenOver), APART);
                tokio::select! {
                    () = self.shutdown.cancelled() => return,
                    () = tokio::time::sleep(back_off.next()) => continue,
                }
            }
            // A new key has a new password.
            if self.credentials.has_changed().unwrap_or(false) {
                self.login.renew(&self.credentials.borrow_and_update());
            }
            let horizon = self.horizon();
            let mut session = Session::new(&self, horizon);
            let home_at = self.left_home.unwrap_or_else(Instant::now) + self.config.return_after;
            let mut due_home = std::pin::pin!(tokio::time::sleep_until(home_at));
            let outcome = session.run(&mut back_off, due_home.as_mut()).await;
            let (works, left) = (session.works(), session.horizon_left());
            drop(session);
            self.backlog = left.map(|horizon| (horizon, Instant::now()));
            if works {
                self.addresses.succeeded();
            }
            let lost = match outcome {
                Ok(Ended::Shutdown) => return,
                Ok(Ended::Home) => {
                    self.addresses.go_home();
                    self.left_home = None;
                    tracing::info!(broker = %self.addresses.current(), "the first address answers again");
                    continue;
                }
                Err(lost) => lost,
            };
            let wait = self.lost(&lost, &mut back_off);
            if lost.objection().trouble == Trouble::TakenOver {
                self.meet_stranger().await;
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Up to where the backlog reaches on the next connection; 0 where all goes in its order.
    fn horizon(&self) -> i64 {
        if let Some((horizon, since)) = self.backlog
            && since.elapsed() < LIVE_FOR
        {
            return horizon;
        }
        let waiting = self.outbox.status().borrow().receipts_waiting;
        if waiting < BACKLOG_MIN {
            return 0;
        }
        *self.outbox.newest().borrow()
    }

    /// Somebody else has connected as this device. This agent never has two connections, and does
    /// not hear on one that it has given up; whose chain the platform has by now is asked before the
    /// next one.
    async fn meet_stranger(&mut self) {
        let problem = "another client has taken this device's session";
        if let Err(error) = self.outbox.stranger(problem).await {
            tracing::error!(%error, "a session that was taken over is not counted");
        }
        self.comparison.again();
    }

    fn tell_address(&self) {
        let (broker, is_second) = (
            self.addresses.current().to_string(),
            self.addresses.is_second(),
        );
        self.link.send_modify(|link| {
            link.broker = broker;
            link.is_second = is_second;
        });
    }

    /// Says why there is no connection, and how long to wait.
    fn lost(&mut self, lost: &Lost, back_off: &mut BackOff) -> Duration {
        let Objection {
            trouble,
            detail,
            again,
        } = lost.objection();
        let broker = self.addresses.current().to_string();
        let moves = self.addresses.failed(again == Again::Elsewhere);
        if again == Again::Late {
            back_off.lengthen();
        }
        let wait = back_off.next();
        tracing::warn!(
            broker,
            trouble = trouble.word(),
            detail,
            ?wait,
            "no connection"
        );
        if moves {
            let left = self.left_home.unwrap_or_else(Instant::now);
            self.left_home = self.addresses.is_second().then_some(left);
            tracing::warn!(broker = %self.addresses.current(), "trying another address");
        }
        self.link.send_modify(|link| {
            link.connected = false;
            link.failures += 1;
            link.trouble = Some(trouble);
            link.detail = detail;
        });
        wait
    }

    /// What stands in the way of a connection that has been made, in words of our own.
    fn object(&self, trouble: Option<Trouble>, detail: &str) {
        self.link.send_if_modified(|link| {
            let same = link.trouble == trouble && link.detail == detail;
            link.trouble = trouble;
            detail.clone_into(&mut link.detail);
            !same
        });
    }
}
