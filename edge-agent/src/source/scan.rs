//! A file of lines or named pipe, followed as `tail -f` does. A scanner or a person writes it
//! (type `scan`), or another system (type `file`): the lines have one form, what differs is what
//! their events are worth.
//!
//! The position in a file is committed in the transaction that stores the file's lines as events,
//! so a restart neither loses nor doubles a line. (A pipe has no memory: what its writer has put
//! into it and nobody has read is gone when the last holder closes it.) A bad line is counted,
//! logged with its number and reason, copied to the rejects file, and skipped.

mod follow;

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use async_trait::async_trait;

use self::follow::{Chunk, FileFollower, FollowError, PipeFollower};
use super::desk::{Composing, KeptDesk};
use super::rejects::Rejects;
use super::{Batch, Faults, Rounds, Source, SourceContext, Trouble};
use crate::compose::desk::Desk;
use crate::compose::line::{self, LineContext};
use crate::config::LinesConfig;
use crate::outbox::ScanPosition;

/// Most lines handed over at once.
const LINES_PER_BATCH: usize = 64;
/// Wait after the file could not be read.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

/// Where a file ends: behind its last whole line.
pub(crate) fn end_of_file(path: &std::path::Path) -> std::io::Result<ScanPosition> {
    follow::end(path)
}

/// One scan file or pipe.
pub struct ScanSource {
    config: LinesConfig,
    time_zone_minutes: i32,
    rejects: Rejects,
    faults: Faults,
    /// Bare codes by the source's rules.
    desk: KeptDesk,
}

enum Follower {
    File(FileFollower),
    Pipe(PipeFollower),
}

#[async_trait]
impl Source for ScanSource {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        let mut follower = None;
        let mut rounds = Rounds::default();
        loop {
            let wait = match self.catch_up(&context, &mut follower).await {
                Ok(()) => {
                    self.faults.over(&context, context.clock.now()).await;
                    self.config.poll
                }
                Err(FollowError::Outbox(error)) => {
                    tracing::warn!(path = %self.config.path.display(), error, "not read");
                    TROUBLE_WAIT
                }
                Err(error) => {
                    let trouble = Trouble::new(error.to_string(), error.remedy());
                    self.faults
                        .begins(&context, context.clock.now(), &trouble)
                        .await;
                    follower = None;
                    TROUBLE_WAIT
                }
            };
            if !rounds.next(&mut context, wait).await {
                return;
            }
        }
    }
}

impl ScanSource {
    /// A source that opens its file when it first looks.
    #[must_use]
    pub fn new(config: LinesConfig, time_zone_minutes: i32) -> Self {
        let rejects = Rejects::new(config.rejects.clone());
        let desk = Desk::new(config.rules.clone(), time_zone_minutes);
        let name = config.path.display().to_string();
        Self {
            faults: Faults::new(name.clone()),
            desk: KeptDesk::new(name, desk),
            config,
            time_zone_minutes,
            rejects,
        }
    }

    fn name(&self) -> String {
        self.config.path.display().to_string()
    }

    /// Hands over every whole line that is there.
    async fn catch_up(
        &mut self,
        context: &SourceContext,
        follower: &mut Option<Follower>,
    ) -> Result<(), FollowError> {
        while !context.shutdown.is_cancelled() {
            let Ok(from) = context.outbox.scan_position(&self.name()) else {
                return Ok(());
            };
            let restored = self.desk.restore(context, &from).await;
            let restored = restored.map_err(|error| FollowError::Outbox(error.to_string()))?;
            if !restored.is_empty() {
                self.hand_over(context, &from, &from, restored).await?;
                continue;
            }
            let Some(chunk) = self.next_chunk(follower, &from)? else {
                let expired = self.desk.expire(context.clock.now());
                if expired.is_empty() {
                    return Ok(());
                }
                self.hand_over(context, &from, &from, expired).await?;
                continue;
            };
            let composing = self.compose(context, &chunk);
            self.hand_over(context, &from, &chunk.to, composing).await?;
        }
        Ok(())
    }

    /// Bad lines into the rejects file, then all else into the outbox.
    async fn hand_over(
        &mut self,
        context: &SourceContext,
        from: &ScanPosition,
        to: &ScanPosition,
        composing: Composing,
    ) -> Result<(), FollowError> {
        let Composing { events, bad, .. } = composing;
        for reject in &bad {
            let (line, reason) = (reject.line, &reject.reason);
            tracing::warn!(path = %self.config.path.display(), line, reason, "bad scan line");
        }
        self.rejects.append(&bad).map_err(FollowError::Rejects)?;
        let path = self.name();
        let newest = format!("up to line {}", to.line);
        let batch = Batch {
            name: &path,
            from,
            to,
            worth: self.config.source,
            events: &events,
            bad_lines: bad.len() as u64,
            kept: None,
            newest: (!events.is_empty()).then_some(newest.as_str()),
        };
        self.desk.hand_over(context, batch).await;
        Ok(())
    }

    /// The next whole lines, if there are some.
    fn next_chunk(
        &self,
        follower: &mut Option<Follower>,
        from: &ScanPosition,
    ) -> Result<Option<Chunk>, FollowError> {
        if follower.is_none() {
            let path = &self.config.path;
            let Ok(metadata) = std::fs::metadata(path) else {
                return Ok(None);
            };
            *follower = Some(if metadata.file_type().is_fifo() {
                Follower::Pipe(PipeFollower::open(path)?)
            } else {
                Follower::File(FileFollower::new(path.clone()))
            });
        }
        match follower {
            Some(Follower::File(file)) => file.next(from, LINES_PER_BATCH),
            Some(Follower::Pipe(pipe)) => pipe.next(from, LINES_PER_BATCH),
            None => Ok(None),
        }
    }

    fn compose(&mut self, context: &SourceContext, chunk: &Chunk) -> Composing {
        let now = context.clock.now();
        let line_context = LineContext {
            place: &self.config.place,
            biz_location: self.config.biz_location.as_deref(),
            time_zone_minutes: self.time_zone_minutes,
            now,
        };
        let mut composing = Composing::default();
        for (number, bytes) in &chunk.lines {
            // An empty line is a separator, not a mistake.
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.desk.takes(bytes) {
                composing.and(self.desk.take(*number, bytes, now));
                continue;
            }
            match line::compose(bytes, line_context) {
                Ok(composed) => composing.and(composed.into()),
                Err(reason) => composing.and(Composing::bad(*number, reason.to_string(), bytes)),
            }
        }
        composing
    }
}
