//! Everything in one process on one injected clock: the operator with its four
//! witnesses, organisations and a registrar with their own keys, gateways with their agents, a
//! bank.
//!
//! The parts meet where they would meet in the world: organisations and gateways talk HTTP to the
//! platform, agents speak MQTT through a link that can be cut, the bank has its own folder. Only
//! the bank's evidence is handed over within the process, as its port allows; it verifies all of
//! it.

pub mod bank;
pub mod door;
pub mod engines;
pub mod equipment;
pub mod operator;
pub mod play;
pub mod post;
pub mod witnesses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use credit::service::LateDeliveries;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use platform::disclosure::PRIVATE_MEMBERS;
use reqwest::Client;
use schemas::disclosure::Audience;
use schemas::ids::{DeviceAddress, Slug};
use schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use self::bank::{Bank, Lending};
use self::door::{Door, Open};
use self::engines::{Databases, Engines};
use self::operator::{Operator, Setup, platform_tls};
use self::post::{Equipment, Post};
use crate::banner::LogIn;
use crate::folder::Decision;
use crate::organisation::{Organisation, Registrar};
use crate::scenario::{self, Role};
use crate::script::Script;

/// Organisations and gateways that are set up at the same time.
const AT_ONCE: usize = 16;

/// Everything that runs.
pub struct Stack {
    /// Witnesses and platform.
    pub operator: Operator,
    /// Gateways by address.
    pub posts: BTreeMap<DeviceAddress, Post>,
    bank: Bank,
    bank_shutdown: CancellationToken,
    owners: BTreeMap<Slug, Organisation>,
    clock: Arc<dyn Clock>,
    /// Address of the platform's database, where that is a server.
    pub database: Option<String>,
    databases: Databases,
}

impl Stack {
    /// Starts everything that a script needs below `root`, on `engines`; people come in by `door`.
    /// Batches are made every `batch_milliseconds` of real time.
    ///
    /// # Errors
    /// When any part cannot start.
    pub async fn start(
        root: &Path,
        script: &Script,
        door: Door,
        engines: &Engines,
        batch_milliseconds: u64,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Stack> {
        let folder = root.join("operator");
        let door = Open::through(door, &platform_tls(&folder), &folder.join("witnesses/tls"))?;
        let http = client(door.ca_pem())?;
        let registrar = Registrar::new(slug_of(script, Role::Registrar)?)?;
        let mut databases = Databases::open(&engines.database)?;
        let database = databases.make("platform").await?;
        let setup = Setup {
            folder: &folder,
            origin: &script.origin()?,
            organisation: &slug_of(script, Role::Operator)?,
            registrar: &registrar,
            door,
            world: script.organisations(),
            batch_milliseconds,
            gap_grace: script.rhythm().gap_grace(),
            database: database.as_deref(),
            broker: &engines.broker,
            readers: Vec::new(),
        };
        let operator = Operator::start(setup, http.clone(), clock.clone()).await?;
        let owners = admit(script, &operator, &registrar, &http, &*clock).await?;
        let posts = set_up(root, script, &operator, &owners, &clock).await?;
        let bank_shutdown = CancellationToken::new();
        let own = databases.make("credit").await?;
        let mut bank = open_bank(
            root,
            &operator,
            own,
            script.lending(),
            clock.clone(),
            bank_shutdown.clone(),
        )
        .await?;
        let suppliers = script.applicants().into_iter();
        let suppliers = suppliers.filter(|(_, conduct)| conduct.is_some());
        let suppliers = suppliers.map(|(one, _)| one.slug.clone());
        bank.welcome(&suppliers.collect::<Vec<Slug>>()).await?;
        Ok(Stack {
            operator,
            posts,
            bank,
            bank_shutdown,
            owners,
            clock,
            database,
            databases,
        })
    }

    /// The bank.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Address of the bank's page.
    pub fn bank_page(&self) -> String {
        self.bank.page()
    }

    /// Who may log in at the bank.
    pub fn bank_people(&self) -> &[LogIn] {
        self.bank.people()
    }

    /// Everybody who wants credit lets the bank read, with the key that nobody else holds, and waits
    /// until the log shows it.
    ///
    /// # Errors
    /// When the platform refuses, or the log takes too long.
    pub async fn consents(&self, script: &Script) -> anyhow::Result<()> {
        let bank: Slug = bank::NAME.parse()?;
        let mut signed = Vec::new();
        for (supplier, _) in script.applicants() {
            let owner = self.owners.get(&supplier.slug);
            let owner = owner.with_context(|| format!("{} has no key", supplier.slug))?;
            signed.push(owner.consent(&bank, self.clock.now()).await?.hash());
        }
        for hash in signed {
            self.operator.logged(&hash).await?;
        }
        Ok(())
    }

    /// Everybody who wants credit applies for it, in the order of the world.
    ///
    /// # Errors
    /// When the bank cannot decide.
    pub async fn applications(&self, script: &Script) -> anyhow::Result<Vec<Decision>> {
        let mut decisions = Vec::new();
        for applicant in script.applicants() {
            decisions.push(self.bank.apply(script, applicant).await?);
        }
        Ok(decisions)
    }

    /// The bank evaluates its model of late delivery over everybody who wants credit; `None` where
    /// the script has no promised orders.
    ///
    /// # Errors
    /// When evidence is refused or cannot be had.
    pub async fn late_deliveries(&self, script: &Script) -> anyhow::Result<Option<LateDeliveries>> {
        if !matches!(script, Script::Deliveries(_)) {
            return Ok(None);
        }
        let suppliers = script.applicants().into_iter();
        let suppliers: Vec<Slug> = suppliers.map(|(one, _)| one.slug.clone()).collect();
        Ok(Some(self.bank.evaluate(&suppliers).await?))
    }

    /// Ends everything in order, each part with what it still holds.
    ///
    /// # Errors
    /// When a gateway does not end.
    pub async fn stop(self) -> anyhow::Result<()> {
        let (ended, databases) = self.end().await;
        databases.remove().await;
        ended
    }

    /// The same, but the databases stay until they are removed.
    pub async fn end(mut self) -> (anyhow::Result<()>, Databases) {
        let ended = join_all(self.posts.values_mut().map(Post::stop)).await;
        self.bank_shutdown.cancel();
        self.bank.drained().await;
        self.operator.stop().await;
        (ended.into_iter().collect(), self.databases)
    }
}

/// A client for talking to this machine only, under one authority where there is one.
///
/// # Errors
/// When it cannot be made.
pub fn client(ca_pem: Option<&str>) -> anyhow::Result<Client> {
    platform::tls::install_provider();
    let mut builder = Client::builder().no_proxy();
    if let Some(ca_pem) = ca_pem {
        let config = platform::tls::client_config(ca_pem)?;
        builder = builder.tls_backend_preconfigured(Arc::unwrap_or_clone(config));
    }
    builder.build().context("no HTTP client")
}

fn slug_of(script: &Script, role: Role) -> anyhow::Result<Slug> {
    let found = script.organisations().iter().find(|one| one.role == role);
    let found = found.with_context(|| format!("the world has no {role:?}"))?;
    Ok(found.slug.clone())
}

/// Everybody but operator and registrar joins the registry with a key of their own, and publishes
/// what it withholds: from consumers and partners the business between the parties.
async fn admit(
    script: &Script,
    operator: &Operator,
    registrar: &Registrar,
    http: &Client,
    clock: &dyn Clock,
) -> anyhow::Result<BTreeMap<Slug, Organisation>> {
    let private: BTreeSet<String> = PRIVATE_MEMBERS.map(str::to_owned).into();
    let withheld = [Audience::Consumer, Audience::Partner].map(|one| (one, private.clone()));
    let withheld = &BTreeMap::from(withheld);
    let joins =
        |one: &&scenario::Organisation| !matches!(one.role, Role::Operator | Role::Registrar);
    let mut owners = BTreeMap::new();
    for one in script.organisations().iter().filter(joins) {
        let owner = Organisation::new(one.slug.clone(), operator.identity()?, http.clone())?;
        owners.insert(one.slug.clone(), owner);
    }
    let joining = stream::iter(owners.values().map(|owner| async move {
        owner.join(registrar).await?;
        owner.disclose(withheld, clock.now()).await.map(drop)
    }));
    joining
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(owners)
}

async fn set_up(
    root: &Path,
    script: &Script,
    operator: &Operator,
    owners: &BTreeMap<Slug, Organisation>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<BTreeMap<DeviceAddress, Post>> {
    let (root, broker) = (&root.join("gateways"), &operator.broker()?);
    let equipment = script.equipment();
    let each = equipment.iter().map(|one: &Equipment| async move {
        let owner = owners.get(&one.address.organisation);
        let owner = owner.with_context(|| format!("nobody owns {}", one.address))?;
        let post = Post::set_up(root, one, owner, broker, clock.clone()).await?;
        anyhow::Ok((one.address.clone(), post))
    });
    stream::iter(each)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn open_bank(
    root: &Path,
    operator: &Operator,
    database: Option<String>,
    lending: Lending,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> anyhow::Result<Bank> {
    let folder = root.join("bank");
    std::fs::create_dir_all(&folder)?;
    // The bank trusts the policy that it was given once, not what the platform says today.
    let policy = folder.join("policy.json");
    std::fs::write(&policy, operator.policy_file()?)?;
    let evidence = Arc::new(operator.evidence_port());
    let database = database.unwrap_or_else(|| "credit.sqlite".to_owned());
    Bank::start(
        &folder,
        (&policy, &database),
        lending,
        evidence,
        clock,
        shutdown,
    )
    .await
}
