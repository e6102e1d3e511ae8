//! What a bad card or a power cut does to the files of an outbox, the same on the virtual clock and
//! with real processes. The agent does not run meanwhile.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::dice::Dice;

/// Bytes of a page of the database, and of what stands before one in the write-ahead log.
const PAGE: u64 = 4_096;
const FRAME_HEADER: u64 = 24;

/// The whole file is in question; what was done to it.
///
/// # Errors
/// Of the operating system.
pub fn damage(database: &Path, dice: &mut Dice) -> io::Result<&'static str> {
    let beside = log_of(database);
    Ok(match dice.below(4) {
        0 => {
            std::fs::remove_file(database)?;
            remove_if_there(&beside)?;
            "is gone"
        }
        1 => {
            remove_if_there(&beside)?;
            // Its first page is of something else.
            let mut open = OpenOptions::new().write(true).open(database)?;
            open.write_all(&[0xa5; 512])?;
            "is overwritten"
        }
        2 => {
            cut(database, length(database) / 2)?;
            remove_if_there(&beside)?;
            "is cut in half"
        }
        _ => {
            tear_off(&beside, dice)?;
            "has lost its newest pages"
        }
    })
}

/// Only what was written last is in question; what was done to it.
///
/// # Errors
/// Of the operating system.
pub fn tear(database: &Path, dice: &mut Dice) -> io::Result<&'static str> {
    let beside = log_of(database);
    Ok(match dice.below(3) {
        0 => {
            tear_off(&beside, dice)?;
            "is torn at its end"
        }
        1 => {
            let whole = length(&beside);
            let last = (PAGE + FRAME_HEADER).min(whole);
            flip(&beside, whole - last, last, dice)?;
            "has another bit in its newest page"
        }
        _ => {
            // A page that was half written, with the rest of what stood there before.
            let whole = length(&beside);
            let torn = (PAGE / 2).min(whole);
            overwrite(&beside, whole - torn, torn)?;
            "has half a newest page"
        }
    })
}

/// The write-ahead log of a database.
fn log_of(database: &Path) -> PathBuf {
    database.with_extension("db-wal")
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

fn tear_off(file: &Path, dice: &mut Dice) -> io::Result<()> {
    let whole = length(file);
    let left = dice.number() % (whole + 1);
    if whole == 0 {
        return Ok(());
    }
    cut(file, left)
}

/// One bit of `count` bytes from `start` is another one.
fn flip(file: &Path, start: u64, count: u64, dice: &mut Dice) -> io::Result<()> {
    let (at, bit) = (dice.number(), dice.below(8));
    if count == 0 {
        return Ok(());
    }
    let (at, open) = (
        start + at % count,
        OpenOptions::new().read(true).write(true).open(file)?,
    );
    let mut byte = [0];
    open.read_exact_at(&mut byte, at)?;
    open.write_all_at(&[byte[0] ^ (1 << bit)], at)
}

fn overwrite(file: &Path, start: u64, count: u64) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let zeros = vec![0; usize::try_from(count).unwrap_or_default()];
    OpenOptions::new()
        .write(true)
        .open(file)?
        .write_all_at(&zeros, start)
}

fn remove_if_there(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn cut(file: &Path, length: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.set_len(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_changes_one_bit_of_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("outbox.db-wal");
        for seed in 0..50 {
            std::fs::write(&file, [0; 100]).unwrap();
            flip(&file, 90, 10, &mut Dice::new(seed)).unwrap();
            let bytes = std::fs::read(&file).unwrap();
            let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
            assert_eq!(ones, 1);
            assert!(bytes[..90].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_torn_file_is_no_longer_and_an_empty_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("outbox.db");
        let beside = log_of(&database);
        for seed in 0..20 {
            std::fs::write(&beside, [7; 9_000]).unwrap();
            tear(&database, &mut Dice::new(seed)).unwrap();
            let bytes = std::fs::read(&beside).unwrap();
            assert!(bytes != [7; 9_000] && bytes.len() <= 9_000);
            std::fs::write(&beside, "").unwrap();
            tear(&database, &mut Dice::new(seed)).unwrap();
            assert_eq!(length(&beside), 0);
        }
    }
}
