//! Two platforms on one PostgreSQL and one Mosquitto, as real processes, both taking statements and
//! making batches, one writing the log. Either is killed; what the broker had for it the other one
//! takes, nothing is lost or doubled, and there is one log.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::kill::operator::{Operator, copy, free_address};
use crate::kill::process::{DEADLINE, Process, until};
use crate::kill::site::On;
use crate::kill::world::World;

/// Lines that are scanned in one part of the story.
const LINES: u32 = 120;

const ON: On = On {
    postgres: true,
    mosquitto: true,
    tls: false,
};

/// A second platform beside the operator's, with its keys and a shard of its own.
struct Second {
    folder: PathBuf,
    logs: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
}

impl Second {
    fn prepare(world: &World) -> Result<Self> {
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
        })
    }

    async fn start(&mut self) -> Result<()> {
        let config = self.folder.join("platform.toml").display().to_string();
        let arguments = ["serve", "--config", &config];
        let mut process = Process::start(&self.logs, "second", "platform", &arguments)?;
        process.first_line().await?;
        self.process = Some(process);
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        self.process.take().context("no second platform")?.kill()
    }

    async fn becomes(&self, operator: &Operator, role: &str) -> Result<()> {
        becomes(operator, self.address, role).await
    }
}

async fn becomes(operator: &Operator, address: SocketAddr, role: &str) -> Result<()> {
    let url = format!("http://{address}/health");
    until(&format!("{address} is {role}"), DEADLINE, async || {
        let answer = operator.http().get(&url).send().await?;
        let health: Value = serde_json::from_slice(&answer.bytes().await?)?;
        Ok((health["role"] == role).then_some(()))
    })
    .await
}

/// How many batches of each shard are in the log.
async fn batches(operator: &Operator) -> Result<[i64; 2]> {
    let url = operator.site.database().context("no database")?;
    let mut connection = PgConnection::connect(url).await?;
    let (first, second): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE shard = 0), count(*) FILTER (WHERE shard = 1) FROM batches",
    )
    .fetch_one(&mut connection)
    .await?;
    Ok([first, second])
}

async fn story(world: &mut World) -> Result<()> {
    let mut second = Second::prepare(world)?;
    second.start().await?;
    second.becomes(&world.operator, "worker").await?;
    world.gateway.start()?;
    world.scanner.allow(LINES);
    world.stored(LINES).await?;
    let both = until("both make batches", DEADLINE, async || {
        let counts = batches(&world.operator).await?;
        Ok(counts.iter().all(|count| *count > 0).then_some(counts))
    });
    println!("batches of the two: {:?}", both.await?);

    // What the broker goes on keeping for the dead worker, the leader takes.
    second.kill()?;
    world.scanner.allow(2 * LINES);
    world.stored(2 * LINES).await?;

    second.start().await?;
    second.becomes(&world.operator, "worker").await?;
    world.scanner.allow(3 * LINES);
    world.stored(2 * LINES + LINES / 2).await?;

    // The leader dies with statements in its hands: the worker leads, and takes those, too.
    world.operator.kill()?;
    second.becomes(&world.operator, "leader").await?;
    world.scanner.allow(4 * LINES);
    world.operator.start().await?;
    becomes(&world.operator, world.operator.address(), "worker").await?;
    world.settled(4 * LINES).await?;
    world.gateway.stop(crate::kill::END).await?;
    world.check(4 * LINES).await?;
    second.kill()
}

#[tokio::test]
async fn two_platforms_take_statements_and_either_may_die() {
    World::tell_on(ON, 31, 4 * LINES, story).await;
}
