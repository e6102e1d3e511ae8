//! A second platform beside the operator's, on the same database and broker.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::processes::operator::{Operator, copy, free_address};
use crate::processes::process::{DEADLINE, Process, until};
use crate::processes::world::World;

/// With the operator's keys and a shard of its own.
pub struct Second {
    folder: PathBuf,
    logs: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
    starts: u32,
}

impl Second {
    /// Writes its configuration, which is that of the first but for what must differ.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn prepare(world: &World) -> Result<Self> {
        let (folder, address) = (world.folder.join("second"), free_address()?);
        let (data, own) = (world.operator.data(), folder.join("data"));
        copy(&data.join("keys"), &own.join("keys"))?;
        let file = world.folder.join("operator/platform.toml");
        let first = std::fs::read_to_string(&file)?;
        let listen = format!("listen = \"{}\"", world.operator.address());
        let text = first
            .replace(&data.display().to_string(), &own.display().to_string())
            .replace(&listen, &format!("listen = \"{address}\""))
            .replace("[anchor]\n", "[anchor]\nshard = 1\n");
        ensure!(
            text.contains("shard = 1") && text.contains(&address.to_string()),
            "{text}"
        );
        std::fs::write(folder.join("platform.toml"), text)?;
        Ok(Self {
            folder,
            logs: world.folder.join("logs"),
            address,
            process: None,
            starts: 0,
        })
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(&mut self) -> Result<()> {
        self.starts += 1;
        let name = format!("second-{}", self.starts);
        let config = self.folder.join("platform.toml").display().to_string();
        let arguments = ["serve", "--config", &config];
        let mut process = Process::start(&self.logs, &name, "platform", &arguments)?;
        process.first_line().await?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("no second platform")?.kill()
    }

    /// Waits until it says that it has this role.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn becomes(&self, operator: &Operator, role: &str) -> Result<()> {
        becomes(operator, self.address, role).await
    }
}

/// Waits until the platform at an address says that it has this role.
///
/// # Errors
/// When it does not in time.
pub async fn becomes(operator: &Operator, address: SocketAddr, role: &str) -> Result<()> {
    let url = format!("http://{address}/health");
    until(&format!("{address} is {role}"), DEADLINE, async || {
        let answer = operator.http().get(&url).send().await?;
        let health: Value = serde_json::from_slice(&answer.bytes().await?)?;
        Ok((health["role"] == role).then_some(()))
    })
    .await
}
