//! Bar-code scanners: each code that names a thing becomes an event with the configured step.
//!
//! A scanner on a serial line ([`super::serial`]) sends text that ends with CR or LF; one that types
//! like a keyboard ([`super::evdev`]) ends with Enter or Tab. What differs ends in `Input`; from
//! there on codes are codes. One that names nothing (no GS1 identifier, a wrong check digit) goes to
//! the rejects file with its reason. The same code once more within `repeat_ms` is the scanner's
//! stutter: it is counted, and is no second event.

mod code;
mod input;
pub(super) mod split;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use self::input::Input;
use super::rejects::{Reject, Rejects};
use super::{Batch, CatchUp, Faults, Source, SourceContext, Trouble};
use crate::compose::line::{self, Composed, LineContext};
use crate::config::ScannerConfig;
use crate::outbox::ScanPosition;

pub use code::{Code, read as read_code};
pub(super) use input::{is_there, remedy};
pub(super) use split::Typed;

/// Wait before a scanner that has gone is looked for again, in real time.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);
/// How long a scanner is listened to when its agent is asked to catch up, in real time: what it has
/// sent is in the kernel's buffer by then.
const CATCH_UP_WAIT: Duration = Duration::from_millis(25);
/// Bytes read at once.
const READ_MAX: usize = 4_096;

/// One scanner.
pub struct ScannerSource {
    config: ScannerConfig,
    time_zone_minutes: i32,
    rejects: Rejects,
    faults: Faults,
    stutter: Stutter,
}

/// Tells one scan that came twice from two scans.
#[derive(Default)]
struct Stutter(Option<(Vec<u8>, Duration)>);

impl Stutter {
    /// True if `text` came within `window` before `at`; then the window begins again.
    fn repeats(&mut self, text: &[u8], at: Duration, window: Duration) -> bool {
        let repeats = self.0.as_ref().is_some_and(|(before, then)| {
            before == text && at.checked_sub(*then).is_some_and(|gap| gap < window)
        });
        self.0 = Some((text.to_vec(), at));
        repeats
    }
}

#[async_trait]
impl Source for ScannerSource {
    async fn run(mut self: Box<Self>, mut context: SourceContext) {
        while !context.shutdown.is_cancelled() {
            let Some(from) = self.position(&context) else {
                return;
            };
            let trouble = match Input::open(&self.config, from.offset) {
                Ok(input) => {
                    self.faults.over(&context, context.clock.now()).await;
                    self.listen(&mut context, input).await
                }
                Err(trouble) => Some(trouble),
            };
            let Some(trouble) = trouble else { return };
            let now = context.clock.now();
            self.faults.begins(&context, now, &trouble).await;
            wait(&mut context).await;
        }
    }
}

/// Waits before the next try; a request to catch up finds nothing.
async fn wait(context: &mut SourceContext) {
    let again = tokio::time::sleep(TROUBLE_WAIT);
    tokio::pin!(again);
    loop {
        tokio::select! {
            () = context.shutdown.cancelled() => return,
            Some(done) = context.catch_up.recv() => drop(done.send(())),
            () = &mut again => return,
        }
    }
}

impl ScannerSource {
    /// A source that opens its scanner when it runs; `state` is where rejects go that the
    /// configuration names no file for.
    #[must_use]
    pub fn new(config: ScannerConfig, time_zone_minutes: i32, state: &Path) -> Self {
        let rejects = config.rejects.clone();
        Self {
            rejects: Rejects::new(rejects.unwrap_or_else(|| default_rejects(&config, state))),
            faults: Faults::new(config.name()),
            config,
            time_zone_minutes,
            stutter: Stutter::default(),
        }
    }

    /// Where the outbox stands; `None` if the agent ends.
    fn position(&self, context: &SourceContext) -> Option<ScanPosition> {
        context.outbox.scan_position(&self.config.name()).ok()
    }

    /// Reads until the scanner goes (its trouble) or the agent ends (`None`).
    async fn listen(&mut self, context: &mut SourceContext, mut input: Input) -> Option<Trouble> {
        let mut buffer = vec![0; READ_MAX];
        let mut asked: Option<CatchUp> = None;
        loop {
            // While somebody waits for what is there, silence is an answer.
            let patience = if asked.is_some() {
                CATCH_UP_WAIT
            } else {
                Duration::MAX
            };
            let read = tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return None,
                read = tokio::time::timeout(patience, input.read(&mut buffer)) => read,
                Some(done) = context.catch_up.recv(), if asked.is_none() => {
                    asked = Some(done);
                    continue;
                }
            };
            match read {
                Ok(Ok(typed)) => self.take(context, &typed).await?,
                Ok(Err(error)) => {
                    answer(asked.take());
                    let cause = format!("{}: {error}", self.config.name());
                    return Some(Trouble::new(cause, remedy(&self.config)));
                }
                Err(_silence) => answer(asked.take()),
            }
        }
    }

    /// Hands codes over; what the outer `?` ends with is the agent's end.
    async fn take(&mut self, context: &SourceContext, typed: &[Typed]) -> Option<()> {
        if typed.is_empty() {
            return Some(());
        }
        let from = self.position(context)?;
        let (mut events, mut bad) = (Vec::new(), Vec::new());
        let (mut to, mut newest) = (from.clone(), None);
        for one in typed {
            to.offset += one.used;
            to.line += 1;
            match self.event(context, one) {
                Ok(Some((code, composed))) => {
                    newest = Some(code);
                    events.push(composed);
                }
                Ok(None) => context.board.repeated(),
                Err(reason) => bad.push(Reject::new(to.line, reason, one.bytes())),
            }
        }
        self.reject(&bad);
        let batch = Batch {
            name: &self.config.name(),
            from: &from,
            to: &to,
            worth: schemas::event::Source::Scan,
            events: &events,
            bad_lines: bad.len() as u64,
            kept: None,
            newest: newest.as_deref(),
        };
        batch.hand_over(context).await.then_some(())
    }

    /// The event of one code; `None` for a stutter, the reason for one that names nothing.
    fn event(
        &mut self,
        context: &SourceContext,
        typed: &Typed,
    ) -> Result<Option<(String, Composed)>, String> {
        let bytes = typed.code.as_ref().map_err(|(reason, _)| reason.clone())?;
        if self.stutter.repeats(bytes, typed.at, self.config.repeat) {
            return Ok(None);
        }
        let code = code::read(bytes, self.config.separator)?;
        let mut line = serde_json::json!({ "step": self.config.step, "items": [code.uri] });
        if let Some(disposition) = &self.config.disposition {
            line["disposition"] = disposition.as_str().into();
        }
        let line_context = LineContext {
            place: &self.config.place,
            biz_location: self.config.biz_location.as_deref(),
            time_zone_minutes: self.time_zone_minutes,
            now: context.clock.now(),
        };
        let composed = line::compose(line.to_string().as_bytes(), line_context);
        let composed = composed.map_err(|error| error.to_string())?;
        Ok(Some((code.uri, composed)))
    }

    /// A rejects file that cannot be written must not stop the scanner: the log has the codes too.
    fn reject(&self, bad: &[Reject]) {
        let name = self.config.name();
        for reject in bad {
            let (reason, text) = (&reject.reason, &reject.text);
            tracing::warn!(scanner = name, reason, text, "bad code");
        }
        if let Err(error) = self.rejects.append(bad) {
            tracing::error!(scanner = name, %error, "the rejects file cannot be written");
        }
    }
}

fn answer(asked: Option<CatchUp>) {
    if let Some(done) = asked {
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

/// `STATE/rejects/ttyUSB0.jsonl`.
fn default_rejects(config: &ScannerConfig, state: &Path) -> PathBuf {
    let name = config.path().file_name().unwrap_or_default();
    let name = format!("{}.jsonl", name.to_string_lossy());
    state.join("rejects").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stutter_is_one_scan_for_as_long_as_it_lasts() {
        let mut stutter = Stutter::default();
        let window = Duration::from_millis(1_000);
        let mut at =
            |text: &[u8], millis| stutter.repeats(text, Duration::from_millis(millis), window);
        assert!(!at(b"A", 0));
        assert!(at(b"A", 900));
        assert!(at(b"A", 1_800));
        assert!(!at(b"A", 2_800));
        assert!(!at(b"B", 2_900));
        assert!(!at(b"A", 3_000));
        // A clock that went back makes no stutter of a scan.
        assert!(!at(b"A", 10));
    }
}
