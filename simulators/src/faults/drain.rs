//! The end of a run: everything is healed, and everything that was said is taken over.

use std::time::Duration;

use anyhow::{Result, bail};

use super::gateway::Did;
use super::network::PLATFORM;
use super::operator::{DEADLINE, GRACE};
use super::world::World;

/// Rounds after which everything must be taken over.
const ROUNDS: usize = 40;
/// Exchanges with one gateway in a round: its window opens with each.
const TURNS: usize = 24;
/// Beyond every step, so that all faults are over.
const AFTER: usize = 1_000_000;
/// An overdue receipt, and a bit.
const PAUSE: Duration = Duration::from_secs(11);
/// Agents ask for so many inclusions at once.
const QUESTIONS: u32 = 64;
/// How long a writer may take to look at its deadlines, in real time.
const LOOK: Duration = Duration::from_secs(20);

impl World<'_> {
    /// Heals everything and lets everything be taken over.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn drain(&mut self) -> Result<()> {
        self.step = AFTER;
        self.crash = None;
        self.recover().await?;
        for place in 0..self.gateways.len() {
            self.gateways[place].clock.jump(0);
        }
        for round in 0..ROUNDS {
            self.step = AFTER + round;
            self.recover().await?;
            self.exchange().await?;
            if self.is_quiet().await? {
                if self.ask_for_inclusions().await? {
                    self.trace.note(format_args!("drained after {round}"));
                    return self.see_gaps().await;
                }
                continue;
            }
            self.clock.advance(PAUSE);
        }
        bail!(
            "not everything was taken over: {}",
            self.what_waits().await?
        )
    }

    /// Every gateway says what it has to say, and hears what there is to hear.
    async fn exchange(&mut self) -> Result<()> {
        for place in 0..self.gateways.len() {
            let gateway = &mut self.gateways[place];
            if !gateway.is_up() {
                continue;
            }
            if let Did::Done(items) = gateway.scan().await? {
                self.ledger.accept(items);
            }
            self.gateways[place].flush(true).await?;
            self.note_made(place).await?;
            let client = self.gateways[place].client;
            for _ in 0..TURNS {
                self.uplink(place).await?;
                self.carry(Some(client)).await?;
                self.take_in().await?;
                if self.hear(client).await? {
                    break;
                }
            }
            self.anchor().await?;
            for _ in 0..TURNS {
                if self.hear(client).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Replies travel to a gateway, and its word that it has them; true when nothing is left.
    async fn hear(&mut self, client: usize) -> Result<bool> {
        self.publish();
        self.carry(Some(PLATFORM)).await?;
        self.carry(Some(client)).await?;
        Ok(self.network.is_idle() && self.replies.is_empty() && self.inbox.is_empty())
    }

    /// The platform works until nothing is left for it.
    async fn take_in(&mut self) -> Result<()> {
        for _ in 0..ROUNDS {
            self.work().await?;
            self.carry(Some(PLATFORM)).await?;
            if self.inbox.is_empty() && self.network.wires[PLATFORM].up.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Nothing travels, and every statement has its receipt and its batch.
    async fn is_quiet(&self) -> Result<bool> {
        let Some(operator) = &self.operator else {
            return Ok(false);
        };
        for gateway in &self.gateways {
            if !gateway.is_up() || gateway.outbox()?.status().borrow().receipts_waiting > 0 {
                return Ok(false);
            }
        }
        let idle = self.network.is_idle() && self.replies.is_empty();
        Ok(idle && !operator.waits().await? && operator.is_witnessed().await?)
    }

    /// An inclusion is sent once: an agent that never had it asks when its deadline is over. True
    /// when none was missing.
    async fn ask_for_inclusions(&mut self) -> Result<bool> {
        let mut none = true;
        for place in 0..self.gateways.len() {
            let status = self.gateways[place].outbox()?.status();
            let missing = status.borrow().inclusions_waiting;
            drop(status);
            if missing == 0 {
                continue;
            }
            if none {
                self.clock.advance(DEADLINE + PAUSE);
                none = false;
            }
            // A writer looks at its deadlines when it starts.
            let to = self.new_folder("agent");
            self.network.disconnect(self.gateways[place].client);
            self.gateways[place].kill(to).await?;
            self.start_gateway(place).await?;
            self.ask(place, missing).await?;
        }
        Ok(none)
    }

    async fn ask(&mut self, place: usize, missing: u64) -> Result<()> {
        let outbox = self.gateways[place].outbox()?.clone();
        let most = missing.min(u64::from(QUESTIONS));
        let end = tokio::time::Instant::now() + LOOK;
        let mut late = outbox.late(QUESTIONS).await?;
        while (late.len() as u64) < most {
            if tokio::time::Instant::now() > end {
                bail!("{} of {missing} inclusions are late", late.len());
            }
            tokio::task::yield_now().await;
            late = outbox.late(QUESTIONS).await?;
        }
        let Some(operator) = &self.operator else {
            return Ok(());
        };
        for id in &late {
            if let Some(reply) = operator.inclusion(id).await? {
                outbox.reply(&reply).await?;
            }
        }
        let name = &self.gateways[place].name;
        self.trace
            .note(format_args!("{name} asks for {}", late.len()));
        Ok(())
    }

    /// Rounds of the follower until every gap is open or closed for good.
    async fn see_gaps(&mut self) -> Result<()> {
        self.follow().await?;
        self.clock.advance(GRACE + PAUSE);
        self.follow().await?;
        self.follow().await
    }

    async fn what_waits(&self) -> Result<String> {
        let mut waits = vec![format!(
            "network idle {}, inbox {}, replies {}, platform {}",
            self.network.is_idle(),
            self.inbox.len(),
            self.replies.len(),
            self.operator.is_some(),
        )];
        for gateway in self.gateways.iter().filter(|one| one.is_up()) {
            let unreceipted = gateway.unreceipted().await?;
            let status = gateway.outbox()?.status().borrow().clone();
            let labels: Vec<String> = unreceipted.keys().map(|id| self.ledger.label(id)).collect();
            waits.push(format!(
                "{}: bodies {}, receipts {}, inclusions {}, {:.9?} {}",
                gateway.name,
                status.bodies_waiting,
                status.receipts_waiting,
                status.inclusions_waiting,
                labels,
                status.trouble,
            ));
        }
        Ok(waits.join("; "))
    }
}
