//! Text of a scanner on a serial line, cut into codes.

use std::time::Duration;

/// Longest code in bytes: what a GS1 identifier may have (`schemas::gs1::MAX_INPUT_BYTES`).
pub(in crate::source) const CODE_MAX: usize = schemas::gs1::MAX_INPUT_BYTES;
/// A code whose next byte takes longer has lost its end: a plug was pulled.
pub(in crate::source) const PAUSE_MAX: Duration = Duration::from_secs(1);

/// One code as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Typed {
    /// Its bytes without their end, or why they are none, and what there was.
    pub code: Result<Vec<u8>, (String, Vec<u8>)>,
    /// When it ended, on the input's own clock.
    pub at: Duration,
    /// Bytes of the input that it took, with its end.
    pub used: u64,
}

impl Typed {
    /// What there was, good or not.
    pub fn bytes(&self) -> &[u8] {
        match &self.code {
            Ok(bytes) | Err((_, bytes)) => bytes,
        }
    }
}

/// A code that has ended, as in [`Typed`], and when.
pub(in crate::source) type Ended = Option<(Result<Vec<u8>, (String, Vec<u8>)>, Duration)>;

/// Bytes of a code that has no end yet.
#[derive(Debug, Default)]
pub(in crate::source) struct Collector {
    bytes: Vec<u8>,
    /// Why this code cannot be one.
    bad: Option<String>,
    last: Duration,
}

impl Collector {
    /// Adds a byte that came at `at`; more than [`CODE_MAX`] are counted, not kept.
    pub fn push(&mut self, byte: u8, at: Duration) {
        self.last = at;
        if self.bytes.len() < CODE_MAX {
            self.bytes.push(byte);
        } else {
            self.spoil(format!("longer than {CODE_MAX} bytes"));
        }
    }

    /// This code is none; the first reason counts.
    pub fn spoil(&mut self, reason: String) {
        self.bad.get_or_insert(reason);
    }

    /// The end of a code at `at`; `None` where nothing stood before it.
    pub fn end(&mut self, at: Duration) -> Ended {
        let bytes = std::mem::take(&mut self.bytes);
        match self.bad.take() {
            Some(reason) => Some((Err((reason, bytes)), at)),
            None if bytes.is_empty() => None,
            None => Some((Ok(bytes), at)),
        }
    }

    /// What a pause before `at` has cut off.
    pub fn cut_off(&mut self, at: Duration) -> Ended {
        let paused = at.saturating_sub(self.last) > PAUSE_MAX;
        if !paused || self.bytes.is_empty() {
            return None;
        }
        self.spoil("has no end".to_owned());
        self.end(at)
    }
}

/// Cuts at CR and LF; STX and ETX, which some scanners send around a code, are left out.
#[derive(Debug, Default)]
pub(in crate::source) struct Lines {
    collector: Collector,
    used: u64,
}

impl Lines {
    /// The codes that end in `bytes`, which came at `at`.
    pub fn push(&mut self, bytes: &[u8], at: Duration) -> Vec<Typed> {
        let mut typed = Vec::new();
        let ended = self.collector.cut_off(at);
        self.finish(ended, &mut typed);
        for &byte in bytes {
            self.used += 1;
            match byte {
                b'\r' | b'\n' => {
                    let ended = self.collector.end(at);
                    self.finish(ended, &mut typed);
                }
                0x02 | 0x03 => {}
                _ => self.collector.push(byte, at),
            }
        }
        typed
    }

    fn finish(&mut self, ended: Ended, typed: &mut Vec<Typed>) {
        if let Some((code, at)) = ended {
            let used = std::mem::take(&mut self.used);
            typed.push(Typed { code, at, used });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(typed: &[Typed]) -> Vec<Result<&[u8], &str>> {
        typed
            .iter()
            .map(|typed| match &typed.code {
                Ok(bytes) => Ok(&bytes[..]),
                Err((reason, _)) => Err(reason.as_str()),
            })
            .collect()
    }

    #[test]
    fn codes_end_with_cr_or_lf_or_both() {
        let mut lines = Lines::default();
        let at = Duration::from_secs(1);
        let typed = lines.push(b"\x02A\x03\r\nB\n\n\rC", at);
        assert_eq!(codes(&typed), [Ok(&b"A"[..]), Ok(&b"B"[..])]);
        assert_eq!(typed.iter().map(|one| one.used).sum::<u64>(), 7);
        let typed = lines.push(b"C\r", at);
        assert_eq!(codes(&typed), [Ok(&b"CC"[..])]);
    }

    #[test]
    fn an_endless_code_is_cut_and_an_unfinished_one_does_not_spoil_the_next() {
        let mut lines = Lines::default();
        let at = Duration::from_secs;
        assert!(lines.push(&[b'9'; 3 * CODE_MAX], at(1)).is_empty());
        let typed = lines.push(b"9\nA\n", at(1));
        assert_eq!(
            codes(&typed),
            [Err("longer than 1024 bytes"), Ok(&b"A"[..])]
        );
        assert_eq!(typed[0].bytes().len(), CODE_MAX);
        assert!(lines.push(b"0109521", at(2)).is_empty());
        let typed = lines.push(b"9521001000017\n", at(9));
        assert_eq!(
            codes(&typed),
            [Err("has no end"), Ok(&b"9521001000017"[..])]
        );
    }
}
