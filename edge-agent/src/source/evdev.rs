//! Scanners that type like a keyboard, read from `/dev/input/event*`
//! (`Documentation/input/event-codes.rst` of the kernel).
//!
//! The device is taken for this program alone (`EVIOCGRAB`), so that codes do not also land in
//! whatever has the keyboard focus. Keys are read by their place on a US keyboard, which is what
//! scanners play unless they were set otherwise. FNC1 comes as Ctrl+] or as Alt with 029 on the
//! number pad, as scanners send control characters; one that cannot is given a `separator`.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use evdev::raw_stream::RawDevice;
use rustix::fs::{Mode, OFlags};
use tokio::net::unix::pipe;

use super::scanner::Typed;
use super::scanner::split::{Collector, Ended};
use super::serial;

/// An open keyboard, or a pipe that plays one.
pub(super) struct Device {
    file: pipe::Receiver,
    /// Holds the grab.
    _grabbed: Option<Box<RawDevice>>,
}

impl Device {
    /// Opens, and with `grab` takes a real device for this program alone.
    pub fn open(path: &Path, grab: bool) -> io::Result<Self> {
        let is_device = std::fs::metadata(path)?.file_type().is_char_device();
        let (file, grabbed) = if grab && is_device {
            let mut device = RawDevice::open(path)?;
            device.grab()?;
            // The grab belongs to the open file, which the copy shares.
            (device.as_fd().try_clone_to_owned()?, Some(Box::new(device)))
        } else {
            // A pipe is opened for writing too, so that a writer that goes leaves no end of file.
            let access = if is_device {
                OFlags::RDONLY
            } else {
                OFlags::RDWR
            };
            let flags = access | OFlags::NONBLOCK | OFlags::CLOEXEC;
            (rustix::fs::open(path, flags, Mode::empty())?, None)
        };
        rustix::fs::fcntl_setfl(&file, rustix::fs::fcntl_getfl(&file)? | OFlags::NONBLOCK)?;
        Ok(Self {
            file: serial::readable(file)?,
            _grabbed: grabbed,
        })
    }

    /// Waits for bytes. Loses nothing when it is dropped.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        serial::read(&mut self.file, buffer).await
    }
}

/// Bytes of a `struct input_event` here: a `timeval` of two longs, type, code, value.
const EVENT_SIZE: usize = 2 * size_of::<usize>() + 8;

const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
/// The kernel's buffer has overflowed.
const SYN_DROPPED: u16 = 3;

const TAB: u16 = 15;
const ENTER: u16 = 28;
const CAPS_LOCK: u16 = 58;
const NUM_LOCK: u16 = 69;
const PAD_ENTER: u16 = 96;

/// Keys 2 to 13, 16 to 27, 30 to 41, 43 to 53 and 57, without and with shift.
const ROWS: [(u16, &[u8], &[u8]); 5] = [
    (2, b"1234567890-=", b"!@#$%^&*()_+"),
    (16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
    (30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
    (43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
    (57, b" ", b" "),
];
/// Keys 71 to 83 of the number pad, and two that stand elsewhere.
const PAD: (u16, &[u8]) = (71, b"789-456+1230.");
const PAD_TIMES: u16 = 55;
const PAD_DIVIDE: u16 = 98;

/// One event of the kernel.
struct InputEvent {
    at: Duration,
    kind: u16,
    code: u16,
    value: i32,
}

/// Turns keys into codes.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Bytes of an event that is not whole yet.
    partial: Vec<u8>,
    shift: bool,
    control: bool,
    alt: bool,
    caps_lock: bool,
    /// Digits typed on the number pad while Alt is down.
    digits: String,
    collector: Collector,
    used: u64,
}

impl Keys {
    /// The codes that end in `bytes`.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Typed> {
        self.partial.extend_from_slice(bytes);
        let mut typed = Vec::new();
        let whole = self.partial.len() - self.partial.len() % EVENT_SIZE;
        let events: Vec<u8> = self.partial.drain(..whole).collect();
        for bytes in events.chunks_exact(EVENT_SIZE) {
            let event = input_event(bytes);
            let cut = self.collector.cut_off(event.at);
            self.finish(cut, &mut typed);
            self.used += EVENT_SIZE as u64;
            let ended = self.event(&event);
            self.finish(ended, &mut typed);
        }
        typed
    }

    fn finish(&mut self, ended: Ended, typed: &mut Vec<Typed>) {
        if let Some((code, at)) = ended {
            let used = std::mem::take(&mut self.used);
            typed.push(Typed { code, at, used });
        }
    }

    fn event(&mut self, event: &InputEvent) -> Ended {
        match (event.kind, event.code, event.value) {
            (EV_SYN, SYN_DROPPED, _) => {
                let reason = "the kernel has dropped keys of it";
                self.collector.spoil(reason.to_owned());
                None
            }
            (EV_KEY, ENTER | PAD_ENTER | TAB, 1) => self.collector.end(event.at),
            (EV_KEY, code, value @ (0 | 1)) => {
                self.key(code, value == 1, event.at);
                None
            }
            // Repeats of a key that is held, and what is no key.
            _ => None,
        }
    }

    fn key(&mut self, code: u16, down: bool, at: Duration) {
        match code {
            42 | 54 => self.shift = down,
            29 | 97 => self.control = down,
            56 | 100 => {
                self.alt = down;
                if !down {
                    self.end_of_digits(at);
                }
            }
            CAPS_LOCK => self.caps_lock ^= down,
            NUM_LOCK => {}
            _ if down => self.character(code, at),
            _ => {}
        }
    }

    fn character(&mut self, code: u16, at: Duration) {
        let Some(byte) = self.byte(code) else {
            let reason = format!("key {code} has no character");
            return self.collector.spoil(reason);
        };
        if self.alt && byte.is_ascii_digit() {
            return self.digits.push(char::from(byte));
        }
        let byte = if self.control { byte & 0x1f } else { byte };
        self.collector.push(byte, at);
    }

    /// Alt with digits on the number pad is the character of that number.
    fn end_of_digits(&mut self, at: Duration) {
        let digits = std::mem::take(&mut self.digits);
        match digits.parse::<u8>() {
            Ok(byte) => self.collector.push(byte, at),
            Err(_) if digits.is_empty() => {}
            Err(_) => self
                .collector
                .spoil(format!("Alt+{digits:.8} is no character")),
        }
    }

    fn byte(&self, code: u16) -> Option<u8> {
        match code {
            PAD_TIMES => return Some(b'*'),
            PAD_DIVIDE => return Some(b'/'),
            _ => {}
        }
        if let Some(byte) = place(PAD.0, PAD.1, code) {
            return Some(byte);
        }
        let (plain, shifted) = ROWS.iter().find_map(|(first, plain, shifted)| {
            Some((place(*first, plain, code)?, place(*first, shifted, code)?))
        })?;
        // Caps lock reverses shift for letters only.
        let upper = self.shift ^ (self.caps_lock && plain.is_ascii_lowercase());
        Some(if upper { shifted } else { plain })
    }
}

fn place(first: u16, row: &[u8], code: u16) -> Option<u8> {
    row.get(usize::from(code.checked_sub(first)?)).copied()
}

fn input_event(bytes: &[u8]) -> InputEvent {
    const LONG: usize = size_of::<usize>();
    let long = |at: usize| {
        let mut long = [0; LONG];
        long.copy_from_slice(&bytes[at..at + LONG]);
        usize::from_ne_bytes(long) as u64
    };
    let short = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[2 * LONG + 4..]);
    InputEvent {
        at: Duration::from_secs(long(0) & 0xffff_ffff) + Duration::from_micros(long(LONG)),
        kind: short(2 * LONG),
        code: short(2 * LONG + 2),
        value: i32::from_ne_bytes(value),
    }
}

#[cfg(test)]
mod tests;
