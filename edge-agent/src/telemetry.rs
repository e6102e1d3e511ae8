//! Log lines on standard error: for people with a time, for the journal with a priority and without,
//! since the journal has its own. Fields follow the message as `name=value`.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Begins to log on standard error by `filter`; what was logged before is gone.
pub fn begin(filter: Targets) {
    // A line that has no room on a full disk is lost; a complaint about it would be a panic.
    let lines = layer()
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    // systemd sets it for a service whose standard error is the journal's (systemd.exec(5)).
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        registry.with(lines.event_format(Journal)).init();
    } else {
        registry.with(lines).init();
    }
}

/// A subscriber that writes lines for the journal.
pub fn journal<W>(filter: Targets, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = layer()
        .with_writer(writer)
        .with_ansi(false)
        .event_format(Journal);
    tracing_subscriber::registry().with(filter).with(lines)
}

/// `<4>the message name=value`: priorities of `syslog(3)`, which `journalctl -p` selects by.
#[derive(Clone, Copy, Debug)]
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = priority(*event.metadata().level());
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        // A second line would be another entry, of the default priority.
        for line in text.lines() {
            writeln!(writer, "<{priority}>{line}")?;
        }
        Ok(())
    }
}

const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lock").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_journal_gets_priorities_and_fields_on_every_line() {
        let kept = Kept::default();
        let writer = kept.clone();
        let filter = Targets::new().with_default(Level::DEBUG);
        let subscriber = journal(filter, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(state = "clock-unknown", count = 3, "no time");
            tracing::error!("one\ntwo");
            tracing::info!("fine");
        });
        let bytes = kept.0.lock().expect("lock").clone();
        let text = String::from_utf8(bytes).expect("text");
        assert_eq!(
            text,
            "<4>no time state=\"clock-unknown\" count=3\n<3>one\n<3>two\n<6>fine\n"
        );
    }
}
