//! The head file: a second memory of where the chain ends, outside the database.
//!
//! It is what the first statement of a new epoch names when the database is lost, damaged or an
//! older copy. It is written after the commit that it speaks of, so it never knows more than was
//! durable; a mirror that lags is harmless: it only decides when the database knows even less. So
//! it is brought to the disk now and then and not with every commit ([`Mirror::sync`]).
//!
//! It has two places, each with a check of its own, and the newer of them is never written over: a
//! write that a power cut tears leaves the other. Written in place, since a new file for every
//! commit is a page of the disk and its folder's.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use schemas::hash::sha256;

use crate::status::Head;

/// File name in the state directory.
pub const HEAD_FILE: &str = "head";

/// Bytes of a place; a head and its check have at most 172. A file of one place is of a version
/// before, which wrote it without the spaces behind.
const PLACE: usize = 256;
const PLACES: usize = 2;

/// The head file of a state directory.
#[derive(Clone, Debug)]
pub(super) struct Mirror(PathBuf);

impl Mirror {
    pub fn new(state: &Path) -> Self {
        Self(state.join(HEAD_FILE))
    }

    /// What the file says; `None` if it is missing or both of its places were torn.
    pub fn read(&self) -> Option<Head> {
        let places = self.places().ok()?;
        places.into_iter().flatten().max_by_key(Head::position)
    }

    fn places(&self) -> std::io::Result<[Option<Head>; PLACES]> {
        let mut bytes = Vec::new();
        let whole = (PLACE * PLACES) as u64;
        File::open(&self.0)?.take(whole).read_to_end(&mut bytes)?;
        let mut places = bytes.chunks(PLACE).map(parse);
        Ok([(); PLACES].map(|()| places.next().flatten()))
    }

    /// True if the file is there, readable or not: something has been signed here.
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Writes a place that does not hold what is newest.
    pub fn write(&self, head: &Head) -> std::io::Result<()> {
        let places = match self.places() {
            Err(error) if error.kind() == ErrorKind::NotFound => [None; PLACES],
            places => places?,
        };
        let position = |place: &Option<Head>| place.as_ref().map(Head::position);
        let place = usize::from(position(&places[1]) < position(&places[0]));
        let line = format!("{} {} {}", head.epoch, head.seq, head.id);
        let text = format!("{line}\n{}\n", sha256(line.as_bytes()));
        let text = format!("{text:<PLACE$}");
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.0)?;
        file.write_all_at(text.as_bytes(), (place * PLACE) as u64)
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> std::io::Result<()> {
        File::open(&self.0)?.sync_data()
    }
}

/// What one place says; `None` if it was torn or never written.
fn parse(place: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(place).ok()?;
    // Behind a place of a version before there is a hole.
    let text = text.trim_end_matches(['\0', ' ', '\n']);
    let (line, check) = text.split_once('\n')?;
    if sha256(line.as_bytes()).to_string() != check {
        return None;
    }
    let mut words = line.split(' ');
    let head = Head {
        epoch: words.next()?.parse().ok()?,
        seq: words.next()?.parse().ok()?,
        id: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64) -> Head {
        Head {
            epoch: 2,
            seq,
            id: sha256(b"x"),
        }
    }

    fn mirror() -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().expect("folder");
        let mirror = Mirror::new(folder.path());
        (folder, mirror)
    }

    fn tear(mirror: &Mirror, place: usize) {
        let mut bytes = std::fs::read(&mirror.0).expect("bytes");
        bytes[place * PLACE] ^= 1;
        std::fs::write(&mirror.0, bytes).expect("written");
    }

    #[test]
    fn a_torn_place_leaves_the_other_and_two_say_nothing() {
        let (_folder, mirror) = mirror();
        assert!(!mirror.exists() && mirror.read().is_none());
        for seq in 7..=9 {
            mirror.write(&head(seq)).expect("written");
            mirror.sync().expect("on the disk");
            assert_eq!(mirror.read(), Some(head(seq)));
        }
        // 7 and 9 were written to the first place.
        tear(&mirror, 0);
        assert_eq!(mirror.read(), Some(head(8)));
        mirror.write(&head(10)).expect("written");
        tear(&mirror, 1);
        assert_eq!(mirror.read(), Some(head(10)), "a torn place is used first");
        tear(&mirror, 0);
        assert!(mirror.exists() && mirror.read().is_none());
    }

    #[test]
    fn a_file_of_a_version_before_is_read_and_not_written_over() {
        let (_folder, mirror) = mirror();
        mirror.write(&head(7)).expect("written");
        let text = std::fs::read_to_string(&mirror.0).expect("text");
        std::fs::write(&mirror.0, text.trim_end_matches(' ')).expect("written");
        assert_eq!(mirror.read(), Some(head(7)));
        mirror.write(&head(8)).expect("written");
        assert_eq!(mirror.read(), Some(head(8)));
        tear(&mirror, 1);
        assert_eq!(mirror.read(), Some(head(7)));
    }
}
