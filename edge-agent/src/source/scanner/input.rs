//! Where a scanner's bytes come from.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use super::split::{Lines, Typed};
use crate::config::{ScannerConfig, ScannerInput};
use crate::source::evdev::{self, Keys};
use crate::source::remedy;
use crate::source::{Trouble, serial};
use crate::state::Text;

/// How often a recorded file is looked at for more, in real time.
const POLL: Duration = Duration::from_millis(200);

/// An open scanner.
pub(super) enum Input {
    Serial {
        port: serial::Port,
        lines: Lines,
        opened: Instant,
    },
    Keys {
        device: evdev::Device,
        keys: Keys,
    },
    /// Recorded bytes of a scanner that types.
    Recorded {
        file: File,
        keys: Keys,
    },
    /// Codes that a preview was given.
    Given {
        file: File,
        lines: Lines,
    },
}

impl Input {
    /// Opens a scanner; a file of recorded bytes is read from `offset` on.
    pub fn open(config: &ScannerConfig, offset: u64) -> Result<Self, Trouble> {
        let opened = match &config.input {
            ScannerInput::Serial { port, line } => {
                serial::Port::open(port, line).map(|port| Self::Serial {
                    port,
                    lines: Lines::default(),
                    opened: Instant::now(),
                })
            }
            ScannerInput::Evdev { path, grab } => Self::typing(path, *grab, offset),
            ScannerInput::Given { path } => File::open(path).map(|file| Self::Given {
                file,
                lines: Lines::default(),
            }),
        };
        opened.map_err(|error| {
            let cause = format!("{}: {error}", config.name());
            Trouble::new(cause, remedy(config))
        })
    }

    fn typing(path: &Path, grab: bool, offset: u64) -> io::Result<Self> {
        let keys = Keys::default();
        if std::fs::metadata(path)?.is_file() {
            let mut file = File::open(path)?;
            // A shorter file is another one.
            let from = offset.min(file.metadata()?.len());
            file.seek(SeekFrom::Start(if from < offset { 0 } else { from }))?;
            return Ok(Self::Recorded { file, keys });
        }
        let device = evdev::Device::open(path, grab)?;
        Ok(Self::Keys { device, keys })
    }

    /// Waits for bytes; the codes that end in them, if any. Loses nothing when it is dropped.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<Vec<Typed>> {
        match self {
            Self::Serial {
                port,
                lines,
                opened,
            } => {
                let count = port.read(buffer).await?;
                Ok(lines.push(&buffer[..count], opened.elapsed()))
            }
            Self::Keys { device, keys } => {
                let count = device.read(buffer).await?;
                Ok(keys.push(&buffer[..count]))
            }
            Self::Recorded { file, keys } => {
                let count = more(file, buffer).await?;
                Ok(keys.push(&buffer[..count]))
            }
            Self::Given { file, lines } => {
                let count = more(file, buffer).await?;
                Ok(lines.push(&buffer[..count], Duration::ZERO))
            }
        }
    }
}

/// Waits until a file has more.
async fn more(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let count = file.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What to do about a scanner that cannot be read.
pub(in crate::source) const fn remedy(config: &ScannerConfig) -> Text {
    match &config.input {
        ScannerInput::Serial { .. } | ScannerInput::Given { .. } => remedy::SERIAL,
        ScannerInput::Evdev { .. } => remedy::KEYBOARD,
    }
}

/// Whether the scanner can be opened.
pub(in crate::source) fn is_there(config: &ScannerConfig) -> Result<(), Trouble> {
    Input::open(config, 0).map(drop)
}
