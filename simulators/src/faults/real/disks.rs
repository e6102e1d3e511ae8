//! Disks of one process: small ones that fill up, and one whose power fails. Both need the right
//! to mount.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// Size of a gateway's card.
const CARD_BYTES: u64 = 24 << 20;
/// Room that a full disk leaves.
const NO_ROOM_BYTES: u64 = 16 << 10;
/// Attempts to take room that others take, too.
const FILLS: u32 = 20;
/// File that takes the room of others.
const BALLAST: &str = "ballast";

/// Whether this process may mount, tried once.
pub fn may_mount() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let Ok(place) = tempfile::tempdir() else {
            return false;
        };
        let tried = Card::insert(place.path());
        if let Err(error) = &tried {
            eprintln!("power cuts and full disks of their own are left out: {error:#}");
        }
        tried.is_ok()
    })
}

fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = command.output().with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// A mounted folder; unmounted when this is dropped, also where somebody still uses it.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // At the worst it stays in a temporary folder.
        let _ = run("umount", &["-l".as_ref(), self.0.as_os_str()]);
    }
}

/// Takes all room of a file system but a little; what it takes is given back by [`empty`].
/// Whoever writes meanwhile takes of what was free a moment ago: then once more.
fn fill(at: &Path) -> Result<()> {
    let mut filled = take_room(at);
    for _ in 1..FILLS {
        if filled.is_ok() {
            break;
        }
        filled = take_room(at);
    }
    filled
}

fn take_room(at: &Path) -> Result<()> {
    let at_text = at.display().to_string();
    let output = Command::new("df")
        .args(["--output=avail", "-B1", &at_text])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let free: u64 = text.lines().last().context("df")?.trim().parse()?;
    let size = free.saturating_sub(NO_ROOM_BYTES).max(1).to_string();
    let file = at.join(BALLAST);
    run(
        "fallocate",
        &["-l".as_ref(), size.as_ref(), file.as_os_str()],
    )
}

fn empty(at: &Path) -> Result<()> {
    Ok(std::fs::remove_file(at.join(BALLAST))?)
}

/// The card of a gateway: a file system in a file. What the file holds is what was written to the
/// card; what was not is in the kernel's memory, and gone when the power is.
pub struct Card {
    image: PathBuf,
    at: PathBuf,
    mounted: Option<Mounted>,
    cuts: u32,
}

impl Card {
    /// An empty card below a folder.
    ///
    /// # Errors
    /// Without the right to mount, or mkfs.ext4 of e2fsprogs.
    pub fn insert(folder: &Path) -> Result<Card> {
        let (image, at) = (folder.join("card-0.img"), folder.join("card"));
        std::fs::create_dir_all(&at)?;
        std::fs::File::create(&image)?.set_len(CARD_BYTES)?;
        run("mkfs.ext4", &["-qFm0".as_ref(), image.as_os_str()])?;
        let mut card = Card {
            image,
            at,
            mounted: None,
            cuts: 0,
        };
        card.mount()?;
        Ok(card)
    }

    /// The kernel writes by itself so seldom that it does not while a run lasts: only what was
    /// asked for is on the card.
    fn mount(&mut self) -> Result<()> {
        let options = "-oloop,commit=600,noatime";
        run(
            "mount",
            &[
                options.as_ref(),
                self.image.as_os_str(),
                self.at.as_os_str(),
            ],
        )?;
        self.mounted = Some(Mounted(self.at.clone()));
        Ok(())
    }

    /// Where its files are.
    #[must_use]
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// The power fails: the card is as it was written. Nobody may use it meanwhile.
    ///
    /// # Errors
    /// When it cannot be copied or mounted.
    pub fn lose_power(&mut self) -> Result<()> {
        self.cuts += 1;
        let image = self.image.with_file_name(format!("card-{}.img", self.cuts));
        std::fs::copy(&self.image, &image)?;
        self.mounted = None;
        std::fs::remove_file(&self.image)?;
        self.image = image;
        self.mount()
    }

    /// See [`fill`].
    ///
    /// # Errors
    /// Of the operating system.
    pub fn fill(&self) -> Result<()> {
        fill(&self.at)
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it was not filled.
    pub fn empty(&self) -> Result<()> {
        empty(&self.at)
    }
}

/// The disk of a database: a small file system in memory in the place of its folder, whose server
/// must not run.
pub struct Small(Mounted);

impl Small {
    /// Moves the files of a folder onto a disk of so many bytes more than they have.
    ///
    /// # Errors
    /// Without the right to mount.
    pub fn under(folder: &Path, more: u64) -> Result<Small> {
        let aside = folder.with_extension("aside");
        std::fs::rename(folder, &aside)?;
        let owner = std::fs::metadata(&aside)?;
        std::fs::create_dir(folder)?;
        let has: u64 = {
            let aside = aside.display().to_string();
            let output = Command::new("du").args(["-sb", &aside]).output()?;
            let text = String::from_utf8(output.stdout)?;
            text.split_whitespace().next().context("du")?.parse()?
        };
        let (uid, gid) = {
            use std::os::unix::fs::MetadataExt as _;
            (owner.uid(), owner.gid())
        };
        // Small files take whole pages.
        let size = has + has / 4 + more;
        let options = format!("-osize={size},mode=0700,uid={uid},gid={gid}");
        let arguments = ["-t", "tmpfs", &options, "tmpfs"].map(AsRef::<OsStr>::as_ref);
        run("mount", &[&arguments[..], &[folder.as_os_str()]].concat())?;
        let mounted = Mounted(folder.to_owned());
        let from = format!("{}/.", aside.display());
        run("cp", &["-a".as_ref(), from.as_ref(), folder.as_os_str()])?;
        std::fs::remove_dir_all(&aside)?;
        Ok(Small(mounted))
    }

    /// See [`fill`].
    ///
    /// # Errors
    /// Of the operating system.
    pub fn fill(&self) -> Result<()> {
        fill(&self.0.0)
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it was not filled.
    pub fn empty(&self) -> Result<()> {
        empty(&self.0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_card_that_loses_its_power_has_what_was_synced_only() {
        if !may_mount() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let mut card = Card::insert(place.path()).unwrap();
        let mut synced = std::fs::File::create(card.at().join("synced")).unwrap();
        synced.write_all(b"kept").unwrap();
        synced.sync_all().unwrap();
        std::fs::write(card.at().join("unsynced"), b"lost").unwrap();
        drop(synced);
        card.lose_power().unwrap();
        let found = std::fs::read(card.at().join("synced")).unwrap();
        assert_eq!(found, b"kept");
        let lost = std::fs::read(card.at().join("unsynced")).unwrap_or_default();
        assert!(lost.is_empty());
        card.fill().unwrap();
        let more = vec![7; 1 << 20];
        let full = std::fs::write(card.at().join("more"), &more).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        card.empty().unwrap();
        std::fs::write(card.at().join("more"), &more).unwrap();
    }
}
