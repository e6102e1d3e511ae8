//! Progress of long work, on standard error: one line that is rewritten on a terminal, a new line
//! every few seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines where they are not rewritten.
const EVERY: Duration = Duration::from_secs(3);

/// Time between two rewritings.
const REWRITE: Duration = Duration::from_millis(80);

/// Where progress is shown.
pub struct Progress {
    started: Instant,
    shown: Option<Instant>,
    rewrite: bool,
    silent: bool,
    open: bool,
}

impl Progress {
    /// Progress on standard error; `silent` shows nothing.
    pub fn new(silent: bool) -> Progress {
        let rewrite = std::io::stderr().is_terminal();
        Progress {
            started: Instant::now(),
            shown: None,
            rewrite,
            silent,
            open: false,
        }
    }

    /// Shows `text` if the last one was shown long enough ago.
    pub fn step(&mut self, text: impl FnOnce() -> String) {
        let every = if self.rewrite { REWRITE } else { EVERY };
        if self.shown.is_none_or(|shown| shown.elapsed() >= every) {
            self.show(&text());
        }
    }

    /// Shows `text` at once and keeps it.
    pub fn done(&mut self, text: &str) {
        self.show(text);
        self.end();
    }

    fn show(&mut self, text: &str) {
        self.shown = Some(Instant::now());
        if self.silent {
            return;
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let mut out = std::io::stderr().lock();
        // Nobody to tell if standard error is closed.
        let _ = if self.rewrite {
            write!(out, "\r\x1b[2K{seconds:6.1} s  {text}")
        } else {
            writeln!(out, "{seconds:6.1} s  {text}")
        };
        let _ = out.flush();
        self.open = self.rewrite;
    }

    /// Ends a line that would be rewritten.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
