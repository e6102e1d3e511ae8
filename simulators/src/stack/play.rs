//! The player: moves the clock from action to action and carries each out at its gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use platform::config::AnchorSection;
use schemas::ids::DeviceAddress;
use schemas::time::{Clock, Instant};

use super::post::Post;
use crate::clock::VirtualClock;
use crate::progress::Progress;
use crate::proxy::Line;
use crate::scenario::{Action, Deed};
use crate::summary::grouped;

/// Simulated time after which everybody hands over what they have: no event is anchored much
/// later than this after its own time, unless its network is cut.
pub const STEP: Duration = Duration::from_secs(6 * 3_600);

/// How long agents may take, in real time, to lie down.
const ASSEMBLY: Duration = Duration::from_secs(20);

/// When gateways hand over what they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Everybody, each time that this much simulated time has passed.
    Every(Duration),
    /// Whoever has something, after every action.
    AfterActions,
}

impl Rhythm {
    /// How long a missing statement is waited for: hours pass here while one commit waits for
    /// another, and what was sent is stored for certain only when everybody has handed over.
    pub fn gap_grace(self) -> Duration {
        match self {
            Rhythm::Every(step) => step,
            Rhythm::AfterActions => Duration::from_secs(AnchorSection::default().gap_grace_s),
        }
    }
}

/// A world that is being played.
pub struct Play<'a> {
    /// Its time.
    pub clock: &'a VirtualClock,
    /// Its gateways.
    pub posts: &'a mut BTreeMap<DeviceAddress, Post>,
    /// What is still to be done, in order.
    pub actions: &'a [Action],
    /// When gateways hand over.
    pub rhythm: Rhythm,
    /// What the line of progress calls the present; given the time.
    pub caption: &'a (dyn Fn(Instant) -> String + Send + Sync),
}

impl Play<'_> {
    /// Plays until a time and hands over everything.
    ///
    /// # Errors
    /// When the clock stalls, an action fails, or something is not handed over.
    pub async fn until(&mut self, end: Instant, progress: &mut Progress) -> anyhow::Result<()> {
        let mut hand_over = self.next_hand_over();
        while self.clock.now() < end {
            let action = self.actions.first().map_or(end, |action| action.at);
            let stop = hand_over.map_or(action, |at| action.min(at)).min(end);
            self.assemble().await?;
            self.clock.advance(stop).await?;
            self.act(stop).await?;
            if stop == end {
                try_join_all(self.posts.values().map(Post::close)).await?;
            }
            if hand_over.is_none_or(|at| at == stop) || stop == end {
                self.hand_over().await?;
                hand_over = self.next_hand_over();
            }
            progress.step(|| self.line());
        }
        Ok(())
    }

    fn next_hand_over(&self) -> Option<Instant> {
        match self.rhythm {
            Rhythm::Every(step) => Some(self.clock.now() + step),
            Rhythm::AfterActions => None,
        }
    }

    /// Waits until every timer of every agent sleeps on the clock. An agent that has just started,
    /// or was just asked for something, may not have lain down again: time that moves then would
    /// pass it by, and a reading would be missed or come late.
    async fn assemble(&self) -> anyhow::Result<()> {
        let timers = self.posts.values().map(Post::timers).sum();
        let deadline = tokio::time::Instant::now() + ASSEMBLY;
        while self.clock.sleepers() < timers {
            let asleep = self.clock.sleepers();
            ensure!(
                tokio::time::Instant::now() < deadline,
                "{asleep} of {timers} timers sleep"
            );
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Carries out everything that is due.
    async fn act(&mut self, now: Instant) -> anyhow::Result<()> {
        let due = self.actions.partition_point(|action| action.at <= now);
        let (due, rest) = self.actions.split_at(due);
        self.actions = rest;
        for action in due {
            let post = self.posts.get_mut(&action.gateway);
            let post = post.with_context(|| format!("there is no {}", action.gateway))?;
            perform(post, &action.deed)
                .await
                .with_context(|| format!("at {now}"))?;
        }
        self.export(due).await.with_context(|| format!("at {now}"))
    }

    /// Systems do not wait for each other: every export of an instant at once.
    async fn export(&self, due: &[Action]) -> anyhow::Result<()> {
        let exports = due.iter().filter_map(|action| match &action.deed {
            Deed::Export(lines) => Some((self.posts.get(&action.gateway)?, lines)),
            _ => None,
        });
        let each = exports.map(|(post, lines)| post.export(lines));
        try_join_all(each).await.map(drop)
    }

    /// Everybody whose network works hands over, or only who has something.
    async fn hand_over(&self) -> anyhow::Result<()> {
        let everybody = self.rhythm != Rhythm::AfterActions;
        let wanted =
            |post: &&Post| post.is_reachable() && (everybody || !post.status().is_drained());
        let posts = self.posts.values().filter(wanted);
        try_join_all(posts.map(Post::hand_over)).await.map(drop)
    }

    fn line(&self) -> String {
        let made: u64 = self
            .posts
            .values()
            .map(|post| post.status().events_made)
            .sum();
        let waiting: u64 = self
            .posts
            .values()
            .map(|post| post.status().bodies_waiting)
            .sum();
        let caption = (self.caption)(self.clock.now());
        format!(
            "{caption}: {} events made, {} on their way",
            grouped(made),
            grouped(waiting)
        )
    }
}

async fn perform(post: &mut Post, deed: &Deed) -> anyhow::Result<()> {
    match deed {
        Deed::Scan(line) => post.scan(line).await,
        // All of an instant at once, see `Play::export`.
        Deed::Export(_) => Ok(()),
        Deed::Cut => {
            // What was said before is sent before, so that what is deleted later does not depend
            // on how fast this machine is.
            post.close().await?;
            post.hand_over().await?;
            post.set_line(Line::Cut);
            Ok(())
        }
        Deed::Hide => post.hide().await,
        Deed::Restore => {
            post.set_line(Line::Up);
            Ok(())
        }
    }
}
