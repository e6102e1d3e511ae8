//! A file of lines or named pipe, followed as `tail -f` does. A scanner or a person writes it
//! (type `scan`), or another system (type `file`): the lines have one form, what differs is what
//! their events are worth.
//!
//! The position in a file is committed in the transaction that stores the file's lines as events,
//! so a restart neither loses nor doubles a line. (A pipe has no memory: what its writer has put
//! into it and nobody has read is gone when the last holder closes it.) A bad line is counted,
//! logged with its number and reason, copied to the rejects file, and skipped.

mod follow;
mod rejects;

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use async_trait::async_trait;

use self::follow::{Chunk, FileFollower, FollowError, PipeFollower};
use self::rejects::{Reject, Rejects};
use super::{Source, SourceContext, until_stored};
use crate::compose::line::{self, Composed, LineContext};
use crate::config::LinesConfig;
use crate::outbox::{OutboxError, ScanBatch};

/// Most lines handed over at once.
const LINES_PER_BATCH: usize = 64;
/// Wait after the file could not be read.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

/// One scan file or pipe.
pub struct ScanSource {
    config: LinesConfig,
    time_zone_minutes: i32,
    rejects: Rejects,
}

enum Follower {
    File(FileFollower),
    Pipe(PipeFollower),
}

#[async_trait]
impl Source for ScanSource {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        let mut follower = None;
        let mut done: Option<super::CatchUp> = None;
        loop {
            let wait = match self.catch_up(&context, &mut follower).await {
                Ok(()) => self.config.poll,
                Err(error) => {
                    tracing::warn!(path = %self.config.path.display(), %error, "scans are not read");
                    follower = None;
                    TROUBLE_WAIT
                }
            };
            if let Some(done) = done.take() {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            tokio::select! {
                () = context.shutdown.cancelled() => return,
                Some(request) = context.catch_up.recv() => done = Some(request),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

impl ScanSource {
    /// A source that opens its file when it first looks.
    #[must_use]
    pub fn new(config: LinesConfig, time_zone_minutes: i32) -> Self {
        let rejects = Rejects::new(config.rejects.clone());
        Self {
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
            let from = match context.outbox.scan_position(&self.name()).await {
                Ok(position) => position,
                Err(OutboxError::Closed) => return Ok(()),
                Err(error) => return Err(FollowError::Outbox(error.to_string())),
            };
            let Some(chunk) = self.next_chunk(follower, &from)? else {
                return Ok(());
            };
            let (events, bad_lines) = self.compose(context, &chunk)?;
            let (path, to) = (self.name(), chunk.to);
            let make = || ScanBatch {
                path: path.clone(),
                from: from.clone(),
                to: to.clone(),
                source: self.config.source,
                events: events.clone(),
                bad_lines,
            };
            until_stored(&context.shutdown, || context.outbox.scan(make())).await;
        }
        Ok(())
    }

    /// The next whole lines, if there are some.
    fn next_chunk(
        &self,
        follower: &mut Option<Follower>,
        from: &crate::outbox::ScanPosition,
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

    fn compose(
        &mut self,
        context: &SourceContext,
        chunk: &Chunk,
    ) -> Result<(Vec<Composed>, u64), FollowError> {
        let line_context = LineContext {
            place: &self.config.place,
            biz_location: self.config.biz_location.as_deref(),
            time_zone_minutes: self.time_zone_minutes,
            now: context.clock.now(),
        };
        let (mut events, mut bad) = (Vec::new(), Vec::new());
        for (number, bytes) in &chunk.lines {
            // An empty line is a separator, not a mistake.
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match line::compose(bytes, line_context) {
                Ok(composed) => events.push(composed),
                Err(reason) => bad.push(Reject::new(*number, reason.to_string(), bytes)),
            }
        }
        for reject in &bad {
            let (line, reason) = (reject.line, &reject.reason);
            tracing::warn!(path = %self.config.path.display(), line, reason, "bad scan line");
        }
        self.rejects.append(&bad).map_err(FollowError::Rejects)?;
        Ok((events, bad.len() as u64))
    }
}
