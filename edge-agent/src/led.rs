//! A light that shows the state: the kernel's LED class (`Documentation/leds/leds-class.rst`), a
//! folder with the files `trigger`, `max_brightness` and `brightness`.
//!
//! Short flashes every three seconds are well, slow blinking waits, fast blinking wants a person. A
//! light that cannot be written is said once and changes nothing else.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::state::{State, states};
use crate::status::Status;

/// Shows the most urgent state on a light.
#[derive(Debug)]
pub struct Light {
    folder: PathBuf,
    bright: String,
}

impl Light {
    /// Takes the light from whatever shows on it now.
    ///
    /// # Errors
    /// Of the operating system: there is no such light, or this user may not write to it.
    pub fn open(folder: PathBuf) -> std::io::Result<Self> {
        std::fs::write(folder.join("trigger"), "none")?;
        let bright = std::fs::read_to_string(folder.join("max_brightness"))?;
        let light = Self {
            folder,
            bright: bright.trim().to_owned(),
        };
        light.set(false)?;
        Ok(light)
    }

    fn set(&self, is_on: bool) -> std::io::Result<()> {
        let value = if is_on { self.bright.as_str() } else { "0" };
        std::fs::write(self.folder.join("brightness"), value)
    }

    /// Blinks until `shutdown`, then leaves the light dark.
    ///
    /// # Errors
    /// The first time that the light cannot be written; the caller says so.
    pub async fn run(
        self,
        mut status: watch::Receiver<Status>,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        while !shutdown.is_cancelled() {
            let now = states(&status.borrow_and_update()).first().copied();
            let pattern = now.unwrap_or(State::Running).blink();
            for (place, milliseconds) in pattern.iter().enumerate() {
                self.set(place % 2 == 0)?;
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(Duration::from_millis(*milliseconds)) => {}
                    _ = status.wait_for(|status| states(status).first().copied() != now) => break,
                }
            }
        }
        self.set(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the file, again and again, until `count` changes have been seen.
    async fn changes(folder: PathBuf, count: usize) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        while seen.len() < count {
            let text = std::fs::read_to_string(folder.join("brightness")).unwrap_or_default();
            if !text.is_empty() && seen.last() != Some(&text) {
                seen.push(text);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seen
    }

    #[tokio::test]
    async fn the_light_blinks_by_state_and_is_left_dark() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().to_owned();
        std::fs::write(path.join("max_brightness"), "255\n").expect("written");
        let ill = Status {
            copied_key: true,
            ..Status::default()
        };
        let (tell, status) = watch::channel(ill);
        let shutdown = CancellationToken::new();
        let light = Light::open(path.clone()).expect("light");
        assert_eq!(
            std::fs::read_to_string(path.join("trigger")).expect("trigger"),
            "none"
        );
        let running = tokio::spawn(light.run(status, shutdown.clone()));
        let seen = tokio::time::timeout(Duration::from_secs(20), changes(path.clone(), 5));
        let seen = seen.await.expect("it blinks");
        assert!(seen.contains(&"255".to_owned()) && seen.contains(&"0".to_owned()));
        shutdown.cancel();
        running.await.expect("ended").expect("written");
        let left = std::fs::read_to_string(path.join("brightness")).expect("left");
        assert_eq!(left, "0");
        drop(tell);
    }

    #[test]
    fn a_light_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(Light::open(folder.path().join("none")).is_err());
    }
}
