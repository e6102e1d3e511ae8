//! What goes wrong with the broker, and on the way to it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use platform::mosquitto::file;

use super::stage::Stage;
use super::strike::pause;
use crate::faults::dice::Dice;
use crate::faults::kind::Fault;
use crate::parts::mosquitto::Mosquitto;
use crate::proxy::Line;

/// File in which Mosquitto keeps sessions.
const SESSIONS: &str = "mosquitto.db";
/// Long enough for everybody to see a cut.
const CUT: Duration = Duration::from_millis(20);
/// A line is long for this: some times there and back.
const FAR: Duration = Duration::from_secs(4);

impl Stage {
    /// A fault of the network or of the broker.
    ///
    /// # Errors
    /// When the broker does not start again.
    pub(super) async fn strike_wire(
        &mut self,
        fault: Fault,
        end: u32,
        dice: &mut Dice,
    ) -> Result<()> {
        match fault {
            Fault::Broker => self.kill_broker(false, end, dice).await,
            Fault::Session => self.kill_broker(true, end, dice).await,
            Fault::Hang => self.stop_broker(end, dice).await,
            Fault::Credential => self.refuse(end, dice).await,
            Fault::Cut => self.meet(Line::Cut, end, dice).await,
            Fault::OneWay => {
                let way = [Line::DeafTarget, Line::MuteTarget][dice.below(2)];
                self.meet(way, end, dice).await
            }
            Fault::HalfOpen => self.meet(Line::HalfOpen, end, dice).await,
            Fault::Far => {
                let link = dice.below(2);
                self.lines[link].set(Line::Far);
                self.world.scanner.allow(end);
                tokio::time::sleep(FAR).await;
                self.lines[link].set(Line::Up);
                Ok(())
            }
            _ => self.meet(Line::Slow, end, dice).await,
        }
    }

    /// One of the two ways to the broker is like this for a while.
    async fn meet(&mut self, line: Line, end: u32, dice: &mut Dice) -> Result<()> {
        let link = dice.below(2);
        self.lines[link].set(line);
        self.world.scanner.allow(end);
        pause(dice).await;
        self.lines[link].set(Line::Up);
        Ok(())
    }

    fn broker(&mut self) -> Result<&mut Mosquitto> {
        let broker = self.world.operator.site.mosquitto.as_mut();
        broker.context("no broker")
    }

    async fn kill_broker(&mut self, forget: bool, end: u32, dice: &mut Dice) -> Result<()> {
        self.broker()?.kill9();
        self.world.scanner.allow(end);
        pause(dice).await;
        let broker = self.broker()?;
        let sessions = broker.place().folder.join(SESSIONS);
        if forget && sessions.exists() {
            std::fs::remove_file(sessions)?;
        }
        broker.restart()
    }

    /// The broker answers nobody for a while.
    async fn stop_broker(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let id = self.broker()?.id().context("no broker")?.to_string();
        let signal = |name: &str| -> Result<()> {
            let sent = Command::new("kill").args([name, &id]).status()?;
            ensure!(sent.success(), "no {name} for the broker");
            Ok(())
        };
        signal("-STOP")?;
        self.world.scanner.allow(end);
        pause(dice).await;
        signal("-CONT")
    }

    /// The broker knows the gateway's password no more, until it does again.
    async fn refuse(&mut self, end: u32, dice: &mut Dice) -> Result<()> {
        let passwords = file::DEVICE_PASSWORDS;
        let file = self.broker()?.place().folder.join(passwords);
        let known = std::fs::read_to_string(&file)?;
        ensure!(
            !known.trim().is_empty(),
            "no passwords in {}",
            file.display()
        );
        replace(&file, "")?;
        self.broker()?.reload()?;
        // Open connections stay with Mosquitto: this one ends, and another one is refused.
        self.lines[0].set(Line::Cut);
        tokio::time::sleep(CUT).await;
        self.lines[0].set(Line::Up);
        self.world.scanner.allow(end);
        pause(dice).await;
        replace(&file, &known)?;
        self.broker()?.reload()
    }
}

/// Puts a file in the place of another one, whole: Mosquitto may read it at any moment.
fn replace(file: &Path, text: &str) -> Result<()> {
    let beside = file.with_extension("faults");
    std::fs::write(&beside, text)?;
    std::fs::set_permissions(&beside, std::fs::metadata(file)?.permissions())?;
    Ok(std::fs::rename(&beside, file)?)
}
