//! What of an event could be left, and where one would look for it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use schemas::epcis::cbv_hash;
use schemas::event::{Event, Salt};
use schemas::hash::sha256;
use schemas::proof::VerifiedEvent;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{AMOUNT, MARKER};
use crate::kill::world::World;

/// Byte strings that tell of the event.
pub struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    /// Its text, its bytes, its salts, and every unsalted hash of its values and of itself.
    pub async fn of(event: &VerifiedEvent, world: &World) -> Result<Self> {
        let (bytes, salt) = stored(event, world).await?;
        let parsed = Event::parse(bytes.clone())?;
        let value: serde_json::Value = serde_json::from_slice(&bytes)?;
        let mut found = Self(Vec::new());
        found.add("the marker", MARKER.as_bytes());
        // As a member's value it begins with a quote, and base64 of it is another one.
        found.add("the marker's value", format!("\"{MARKER}\"").as_bytes());
        found.add("the amount", format!("\"{AMOUNT}\"").as_bytes());
        found.add("the event", &bytes);
        found.add("the salt", &salt.0);
        found.hash("the event", &bytes);
        let cbv = cbv_hash(&value);
        let hex = cbv.trim_start_matches("ni:///sha-256;").split('?').next();
        found.add("the CBV hash", cbv.as_bytes());
        found.add("the CBV hash", &hex::decode(hex.context("no hash")?)?);
        for (index, (name, value)) in parsed.members().enumerate() {
            found.add(&format!("salt of {name}"), &salt.field(index).0);
            // Of other members the other events of the thing have the same values.
            if name == "tb:buyer" || name == "tb:amount" {
                found.hash(name, value);
                found.hash(name, value.trim_ascii_start().trim_ascii_end());
                found.hash(
                    name,
                    String::from_utf8_lossy(value).trim_matches('"').as_bytes(),
                );
            }
        }
        Ok(found)
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.push((name.to_owned(), bytes.to_vec()));
        let hex = hex::encode(bytes);
        self.0
            .push((format!("{name} in hex"), hex.clone().into_bytes()));
        self.0
            .push((format!("{name} in HEX"), hex.to_uppercase().into_bytes()));
        let base64 = schemas::b64::encode(bytes);
        let base64 = base64.trim_end_matches('=');
        // The last digit before padding depends on what would follow.
        let base64 = &base64[..base64.len() - 1];
        self.0
            .push((format!("{name} in base64"), base64.as_bytes().to_vec()));
    }

    fn hash(&mut self, name: &str, bytes: &[u8]) {
        self.add(&format!("SHA-256 of {name}"), &sha256(bytes).0);
    }

    fn first(&self, bytes: &[u8]) -> Option<&str> {
        let is_in = |(_, needle): &&(String, Vec<u8>)| contains(bytes, needle);
        self.0.iter().find(is_in).map(|(name, _)| name.as_str())
    }

    /// The first file below a folder that holds one of them, with its name.
    pub fn first_in(&self, folder: &Path) -> Result<Option<(PathBuf, String)>> {
        for file in files(folder)? {
            // A file of a database may be gone or replaced meanwhile.
            let Ok(bytes) = std::fs::read(&file) else {
                continue;
            };
            if let Some(name) = self.first(&bytes) {
                return Ok(Some((file, name.to_owned())));
            }
        }
        Ok(None)
    }

    /// One of them stands in these bytes, so that a search that finds none there means something.
    pub fn must_be_in(&self, what: &str, bytes: &[u8]) -> Result<()> {
        ensure!(self.first(bytes).is_some(), "{what} holds nothing of it");
        Ok(())
    }

    /// None of them stands in these bytes.
    pub fn must_not_be_in(&self, what: &str, bytes: &[u8]) -> Result<()> {
        let found = self.first(bytes);
        ensure!(
            found.is_none(),
            "{what} holds {}",
            found.unwrap_or_default()
        );
        Ok(())
    }

    /// Before it is erased the search finds it, so that it can find what is left.
    pub async fn must_be_found(&self, world: &World) -> Result<()> {
        let in_database = match world.operator.site.database() {
            None => self.first_in(&world.operator.data())?.is_some(),
            Some(url) => self.first(&tables(url).await?).is_some(),
        };
        ensure!(in_database, "the search finds nothing where it must");
        let scans = std::fs::read(world.gateway.scans())?;
        ensure!(self.first(&scans).is_some(), "the marker was never scanned");
        Ok(())
    }

    /// Nowhere: the platform's folder, every table, the agent's folder, every log of a process.
    pub async fn must_be_gone(&self, world: &World) -> Result<()> {
        let folders = [
            world.operator.data(),
            world.gateway.state(),
            world.folder.join("logs"),
        ];
        for folder in folders {
            let found = self.first_in(&folder)?;
            ensure!(found.is_none(), "left: {found:?}");
        }
        if let Some(url) = world.operator.site.database() {
            self.must_not_be_in("a table", &tables(url).await?)?;
        }
        Ok(())
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// Bytes and salt of an event as the platform keeps them.
async fn stored(event: &VerifiedEvent, world: &World) -> Result<(Vec<u8>, Salt)> {
    let sql = "SELECT c.bytes, c.salt FROM event_leaves l
               JOIN event_contents c ON c.statement = l.statement AND c.position = l.position
               WHERE l.leaf = $1";
    let leaf = event.leaf.0.to_vec();
    let (bytes, salt): (Vec<u8>, Vec<u8>) = match world.operator.site.database() {
        None => {
            let file = world.operator.data().join("platform.db");
            let options = SqliteConnectOptions::new().filename(file).read_only(true);
            let mut connection = options.connect().await?;
            let row = sqlx::query_as(sql)
                .bind(leaf)
                .fetch_one(&mut connection)
                .await?;
            connection.close().await?;
            row
        }
        Some(url) => {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::query_as(sql)
                .bind(leaf)
                .fetch_one(&mut connection)
                .await?
        }
    };
    Ok((bytes, Salt::from_slice(&salt).context("salt")?))
}

/// Every row of every table as text, bytes in hexadecimal digits.
async fn tables(url: &str) -> Result<Vec<u8>> {
    let mut connection = PgConnection::connect(url).await?;
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .fetch_all(&mut connection)
    .await?;
    let mut all = Vec::new();
    for (name,) in names {
        let rows = AssertSqlSafe(format!("SELECT t::text FROM {name} t"));
        let rows: Vec<(String,)> = sqlx::query_as(rows).fetch_all(&mut connection).await?;
        for (row,) in rows {
            all.extend(row.as_bytes());
            all.push(b'\n');
        }
    }
    // Bytes of texts are shown in hexadecimal digits: the marker is looked for in them, too.
    Ok(all)
}
