//! Bar-code scanners: each code that names a thing becomes an event with the configured step, or
//! codes are put on a desk, where the source's rules make single goods, packings and recipes of them.
//!
//! A scanner on a serial line ([`super::serial`]) sends text that ends with CR or LF; one that types
//! like a keyboard ([`super::evdev`]) ends with Enter or Tab. What differs ends in `Input`; from
//! there on codes are codes. One that names nothing (no GS1 identifier, a wrong check digit) goes to
//! the rejects file with its reason. The same code once more within `repeat_ms` is the scanner's
//! stutter: it is counted, and is no second event, nor a second code on the desk.
//!
//! What waits on the desk is in the outbox (`source/desk.rs`); it times out on the agent's clock, also
//! while nobody scans and while the scanner is gone.

mod code;
mod input;
pub(super) mod split;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use schemas::time::{Clock, Instant};

use self::input::Input;
use super::desk::{Composing, KeptDesk};
use super::rejects::{Reject, Rejects};
use super::{Batch, CatchUp, Faults, RETRY_AFTER, Source, SourceContext, Trouble};
use crate::clock::set_back;
use crate::compose::desk::Desk;
use crate::compose::line::{self, Composed, LineContext};
use crate::config::{ScanMeaning, ScannerConfig};
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
    /// Codes by the scanner's rules.
    desk: KeptDesk,
}

/// What is heard of a scanner next.
enum Heard {
    Codes(Vec<Typed>),
    /// Nothing, while somebody waits for what is there.
    Silence,
    /// Somebody asks for what is there.
    Asked(CatchUp),
    /// What is open on the desk has timed out.
    Due,
    Gone(std::io::Error),
    /// The agent ends.
    End,
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
        // Ends where the agent does.
        let _ = self.run_until_end(&mut context).await;
    }
}

/// Waits for an instant of the agent's clock, or until that clock is set back, by which the instant would
/// be another; for ever where there is none.
async fn reached(clock: &dyn Clock, at: Option<Instant>) {
    let Some(at) = at else {
        return std::future::pending().await;
    };
    tokio::select! {
        () = clock.sleep_until(at) => {}
        () = set_back(clock, clock.now()) => {}
    }
}

// Wherever `?` ends a function here, the agent ends.
impl ScannerSource {
    /// A source that opens its scanner when it runs; `state` is where rejects go that the
    /// configuration names no file for.
    #[must_use]
    pub fn new(config: ScannerConfig, time_zone_minutes: i32, state: &Path) -> Self {
        let rejects = config.rejects.clone();
        let desk = Desk::new(config.rules().to_vec(), time_zone_minutes);
        let desk = desk.with_separator(config.separator);
        Self {
            rejects: Rejects::new(rejects.unwrap_or_else(|| default_rejects(&config, state))),
            faults: Faults::new(config.name()),
            desk: KeptDesk::new(config.name(), desk),
            config,
            time_zone_minutes,
            stutter: Stutter::default(),
        }
    }

    async fn run_until_end(&mut self, context: &mut SourceContext) -> Option<()> {
        // Before the first code is taken, which the scanner would not say again.
        self.restore(context).await?;
        // Its time may have passed, and the clock may be another.
        self.expire(context).await?;
        loop {
            let from = self.position(context)?;
            let trouble = match Input::open(&self.config, from.offset) {
                Ok(input) => {
                    self.faults.over(context, context.clock.now()).await;
                    self.listen(context, input).await?
                }
                Err(trouble) => trouble,
            };
            let now = context.clock.now();
            self.faults.begins(context, now, &trouble).await;
            self.wait(context).await?;
        }
    }

    /// Where the outbox stands.
    fn position(&self, context: &SourceContext) -> Option<ScanPosition> {
        context.outbox.scan_position(&self.config.name()).ok()
    }

    /// Puts the codes that the outbox has kept on the desk.
    async fn restore(&mut self, context: &SourceContext) -> Option<()> {
        let at = self.position(context)?;
        loop {
            match self.desk.restore(context, &at).await {
                Ok(composing) if composing.is_empty() => return Some(()),
                Ok(composing) => return self.hand_over(context, &at, &at, composing).await,
                Err(error) => tracing::warn!(scanner = self.config.name(), %error, "not read yet"),
            }
            tokio::select! {
                () = context.shutdown.cancelled() => return None,
                () = tokio::time::sleep(RETRY_AFTER) => {}
            }
        }
    }

    /// Waits before the next try; a request to catch up finds what has timed out.
    async fn wait(&mut self, context: &mut SourceContext) -> Option<()> {
        let again = tokio::time::sleep(TROUBLE_WAIT);
        tokio::pin!(again);
        loop {
            let asked = tokio::select! {
                () = context.shutdown.cancelled() => return None,
                Some(done) = context.catch_up.recv() => Some(done),
                () = reached(&*context.clock, self.desk.due()) => None,
                () = &mut again => return Some(()),
            };
            self.expire(context).await?;
            answer(asked);
        }
    }

    /// Reads until the scanner goes: its trouble.
    async fn listen(&mut self, context: &mut SourceContext, mut input: Input) -> Option<Trouble> {
        let mut buffer = vec![0; READ_MAX];
        let mut asked: Option<CatchUp> = None;
        loop {
            let is_asked = asked.is_some();
            match self.hear(context, &mut input, &mut buffer, is_asked).await {
                Heard::Codes(typed) => self.take(context, &typed).await?,
                Heard::Asked(done) => asked = Some(done),
                Heard::Due => self.expire(context).await?,
                Heard::Silence => answer(asked.take()),
                Heard::Gone(error) => {
                    self.expire(context).await?;
                    answer(asked.take());
                    let cause = format!("{}: {error}", self.config.name());
                    return Some(Trouble::new(cause, remedy(&self.config)));
                }
                Heard::End => return None,
            }
        }
    }

    /// Waits for what comes next; codes that are there come before what is due, and that before
    /// silence.
    async fn hear(
        &self,
        context: &mut SourceContext,
        input: &mut Input,
        buffer: &mut [u8],
        is_asked: bool,
    ) -> Heard {
        // While somebody waits for what is there, silence is an answer.
        let patience = if is_asked {
            CATCH_UP_WAIT
        } else {
            Duration::MAX
        };
        tokio::select! {
            biased;
            () = context.shutdown.cancelled() => Heard::End,
            read = tokio::time::timeout(patience, input.read(buffer)) => match read {
                Ok(Ok(typed)) => Heard::Codes(typed),
                Ok(Err(error)) => Heard::Gone(error),
                Err(_silence) => Heard::Silence,
            },
            Some(done) = context.catch_up.recv(), if !is_asked => Heard::Asked(done),
            () = reached(&*context.clock, self.desk.due()) => Heard::Due,
        }
    }

    /// Hands codes over.
    async fn take(&mut self, context: &SourceContext, typed: &[Typed]) -> Option<()> {
        if typed.is_empty() {
            return Some(());
        }
        let from = self.position(context)?;
        let (mut all, mut to) = (Composing::default(), from.clone());
        for one in typed {
            to.offset += one.used;
            to.line += 1;
            all.and(self.code(context, one, to.line));
        }
        self.hand_over(context, &from, &to, all).await
    }

    /// Ends what has timed out on the desk.
    async fn expire(&mut self, context: &SourceContext) -> Option<()> {
        let expired = self.desk.expire(context.clock.now());
        if expired.is_empty() {
            return Some(());
        }
        let at = self.position(context)?;
        self.hand_over(context, &at, &at, expired).await
    }

    /// Bad codes into the rejects file, then all else into the outbox.
    async fn hand_over(
        &mut self,
        context: &SourceContext,
        from: &ScanPosition,
        to: &ScanPosition,
        composing: Composing,
    ) -> Option<()> {
        self.reject(&composing.bad);
        let batch = Batch {
            name: &self.config.name(),
            from,
            to,
            worth: schemas::event::Source::Scan,
            events: &composing.events,
            bad_lines: composing.bad.len() as u64,
            kept: None,
            newest: composing.newest.as_deref(),
        };
        self.desk.hand_over(context, batch).await.then_some(())
    }

    /// What one code comes to; nothing of a stutter.
    fn code(&mut self, context: &SourceContext, typed: &Typed, number: u64) -> Composing {
        let bytes = match &typed.code {
            Ok(bytes) => bytes,
            Err((reason, _)) => return Composing::bad(number, reason.clone(), typed.bytes()),
        };
        if self.stutter.repeats(bytes, typed.at, self.config.repeat) {
            context.board.repeated();
            return Composing::default();
        }
        let now = context.clock.now();
        match &self.config.meaning {
            ScanMeaning::Step { step, disposition } => {
                match self.event(bytes, (step, disposition.as_deref()), now) {
                    Ok((uri, composed)) => Composing::from(composed).shown_as(|| uri),
                    Err(reason) => Composing::bad(number, reason, bytes),
                }
            }
            ScanMeaning::Rules(_) => {
                let shown = || String::from_utf8_lossy(bytes).replace(char::is_control, " ");
                self.desk.take(number, bytes, now).shown_as(shown)
            }
        }
    }

    /// The event of one code with the scanner's own step and disposition, and what the code names.
    fn event(
        &self,
        bytes: &[u8],
        (step, disposition): (&str, Option<&str>),
        now: Instant,
    ) -> Result<(String, Composed), String> {
        let code = code::read(bytes, self.config.separator)?;
        let mut line = serde_json::json!({ "step": step, "items": [code.uri] });
        if let Some(disposition) = disposition {
            line["disposition"] = disposition.into();
        }
        let line_context = LineContext {
            place: &self.config.place,
            biz_location: self.config.biz_location.as_deref(),
            time_zone_minutes: self.time_zone_minutes,
            now,
        };
        let composed = line::compose(line.to_string().as_bytes(), line_context);
        let composed = composed.map_err(|error| error.to_string())?;
        Ok((code.uri, composed))
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
