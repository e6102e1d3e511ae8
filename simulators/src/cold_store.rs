//! Cold stores whose sensors a bank watches, on the real clock: real gateways with a Modbus sensor
//! that is read every second, a real platform with its witnesses, and a bank that asks the platform
//! over HTTP with a reader's token. A test and a measurement make a sensor too warm and look how long
//! it takes until nothing can be drawn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use credit::evidence::{Http, PACK_MAX};
use credit::money::{Currency, Money};
use credit::pledge::PledgeId;
use credit::pledge::desk::PledgeError;
use credit::pledge::invoice::Typed;
use credit::pledge::office::{Asked, Collateral, Deed, Office, OfficeError, Within};
use credit::pledge::step::Chain;
use credit::pledge::stream::Stream;
use credit::pledge::value::PriceSource;
use edge_agent::SystemClock;
use platform::config::{AnchorSection, ReaderSection};
use rust_decimal::Decimal;
use schemas::disclosure::Audience;
use schemas::hash::sha256;
use schemas::ids::Slug;
use schemas::time::{Clock, Instant};
use tokio_util::sync::CancellationToken;

use crate::device::{Curve, Shown};
use crate::gateway::Probe;
use crate::organisation::{Organisation, Registrar};
use crate::scenario::{DEFAULT_SEED, Role};
use crate::script::Script;
use crate::stack::bank::{self, Bank, RECEIVABLES};
use crate::stack::client;
use crate::stack::door::{Door, Open};
use crate::stack::engines::Source;
use crate::stack::operator::{Operator, Setup, platform_tls};
use crate::stack::post::{Equipment, Post};

/// The bank's token at the platform.
const TOKEN: &str = "the bank's own token at the platform";

/// Seconds between two readings.
const READING_SECONDS: u64 = 1;

/// How long, in real time, anything here may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// How often something that is waited for is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Nothing may come for so long.
const SILENCE: Duration = Duration::from_secs(300);

/// One cold store: its sensor shows what it is told.
pub struct Store {
    stream: Stream,
    centi: Arc<AtomicI64>,
    post: Post,
}

impl Store {
    /// Its sensor by name.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// From now on its sensor shows so many hundredths of a degree.
    pub fn show(&self, centi: i64) {
        self.centi.store(centi, Ordering::Relaxed);
    }
}

/// Cold stores, platform and bank.
pub struct ColdStores {
    /// The stores.
    pub stores: Vec<Store>,
    operator: Operator,
    bank: Bank,
    bank_shutdown: CancellationToken,
}

impl ColdStores {
    /// Starts everything below `root`, with at most `stores` of the story's cold stores.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn open(root: &Path, stores: usize) -> Result<Self> {
        let script = Script::story(DEFAULT_SEED);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (operator, registrar) = operator(root, &script, &clock).await?;
        let broker = operator.broker()?;
        let mut open = Vec::new();
        let mut owners: Vec<Organisation> = Vec::new();
        let fitted = script.equipment().into_iter();
        for one in fitted.filter(|one| one.sensor.is_some()).take(stores) {
            let slug = one.address.organisation.clone();
            if !owners.iter().any(|owner| *owner.slug() == slug) {
                let owner = Organisation::new(slug.clone(), operator.identity()?, client(None)?)?;
                owner.join(&registrar).await?;
                let bank = bank::NAME.parse()?;
                let signed = owner.consent(&bank, clock.now()).await?;
                operator.logged(&signed.hash()).await?;
                owners.push(owner);
            }
            let owner = owners.iter().find(|owner| *owner.slug() == slug);
            let owner = owner.context("nobody owns the gateway")?;
            let (one, centi, stream) = watched(one)?;
            let place = root.join("gateways");
            let post = Post::set_up(&place, &one, owner, &broker, Arc::clone(&clock)).await?;
            open.push(Store {
                stream,
                centi,
                post,
            });
        }
        let bank_shutdown = CancellationToken::new();
        let bank = bank(root, &operator, clock, bank_shutdown.clone()).await?;
        Ok(Self {
            stores: open,
            operator,
            bank,
            bank_shutdown,
        })
    }

    /// The bank's office.
    #[must_use]
    pub fn office(&self) -> &Arc<Office> {
        self.bank.office()
    }

    /// The bank.
    #[must_use]
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// An invoice of the store's owner is pledged, accepted and watched by its sensor for 2 to 8 degrees,
    /// as soon as the bank has proof that the sensor speaks.
    ///
    /// # Errors
    /// When it is refused, or the sensor does not speak in time.
    pub async fn pledge(&self, store: &Store, number: u32) -> Result<PledgeId> {
        let office = self.office();
        let (first, second): (Slug, Slug) = ("li-wei".parse()?, "wang-fang".parse()?);
        let asked = invoice(&store.stream.device().organisation, number, office.now())?;
        let pledge = office.offer(&first, asked).await?.pledge;
        let request = format!("accept-{number}").parse()?;
        office.act(&second, &pledge, request, Deed::Accept).await?;
        let within = Within::Declared {
            low: Decimal::TWO,
            high: Decimal::from(8),
            silence: SILENCE,
        };
        let began = std::time::Instant::now();
        loop {
            let stream = store.stream.clone();
            match office.watch(&second, &pledge, stream, within.clone()).await {
                Ok(()) => return Ok(pledge),
                Err(OfficeError::NeverHeard(_) | OfficeError::Evidence(_))
                    if began.elapsed() < DEADLINE => {}
                Err(error) => return Err(error).context("the sensor cannot be watched"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until a pledge is where `seen` wants it.
    ///
    /// # Errors
    /// When that takes longer than half a minute.
    pub async fn wait(&self, pledge: &PledgeId, seen: impl Fn(&Chain) -> bool) -> Result<Chain> {
        let began = std::time::Instant::now();
        loop {
            let chain = match self.office().read(pledge).await {
                Ok(chain) => chain,
                Err(OfficeError::Pledge(PledgeError::Unknown)) => bail!("there is no such pledge"),
                Err(error) => return Err(error.into()),
            };
            if seen(&chain) {
                return Ok(chain);
            }
            if began.elapsed() > DEADLINE {
                bail!("the pledge stays {}", chain.stage().state().word());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When a gateway does not end.
    pub async fn close(mut self) -> Result<()> {
        for store in &mut self.stores {
            store.post.stop().await?;
        }
        self.bank_shutdown.cancel();
        self.bank.drained().await;
        self.operator.stop().await;
        Ok(())
    }
}

async fn operator(
    root: &Path,
    script: &Script,
    clock: &Arc<dyn Clock>,
) -> Result<(Operator, Registrar)> {
    let folder = root.join("operator");
    let (tls, witnesses) = (platform_tls(&folder), folder.join("witnesses/tls"));
    let door = Open::through(Door::any(), &tls, &witnesses)?;
    let slug = |role: Role| {
        let found = script.organisations().iter().find(|one| one.role == role);
        found
            .map(|one| one.slug.clone())
            .context("the world lacks somebody")
    };
    let registrar = Registrar::new(slug(Role::Registrar)?)?;
    let readers = vec![ReaderSection {
        name: bank::NAME.to_owned(),
        token_sha256: Some(sha256(TOKEN.as_bytes())),
        organisations: Vec::new(),
        unsigned_consent: false,
        audience: Audience::Bank,
        documents: false,
    }];
    let setup = Setup {
        folder: &folder,
        origin: &"cold.example.org/tracebond".parse()?,
        organisation: &slug(Role::Operator)?,
        registrar: &registrar,
        door,
        world: script.organisations(),
        batch_milliseconds: AnchorSection::default().batch_ms,
        gap_grace: Duration::from_secs(60),
        database: None,
        broker: &Source::Embedded,
        readers,
    };
    let operator = Operator::start(setup, client(None)?, Arc::clone(clock)).await?;
    Ok((operator, registrar))
}

async fn bank(
    root: &Path,
    operator: &Operator,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Bank> {
    let folder = root.join("bank");
    std::fs::create_dir_all(&folder)?;
    let policy = folder.join("policy.json");
    std::fs::write(&policy, operator.policy_file()?)?;
    let evidence = Http::new(operator.url(), DEADLINE, PACK_MAX)?.with_token(TOKEN.to_owned());
    let database = (&*policy, "credit.sqlite");
    Bank::start(
        &folder,
        database,
        RECEIVABLES,
        Arc::new(evidence),
        clock,
        shutdown,
    )
    .await
}

/// The same equipment with a sensor that is read every second and shows what it is told: 5 degrees at
/// first.
fn watched(one: Equipment) -> Result<(Equipment, Arc<AtomicI64>, Stream)> {
    let (probe, _) = one.sensor.context("there is no sensor")?;
    let centi = Arc::new(AtomicI64::new(500));
    let shown = Arc::clone(&centi);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred hundredths")]
    let curve: Curve = Arc::new(move |time: Instant| Shown {
        value: shown.load(Ordering::Relaxed) as f64 / 100.0,
        time,
    });
    let stream = Stream::new(one.address.clone(), &probe.giai)?;
    let probe = Probe {
        alarm: None,
        interval_seconds: READING_SECONDS,
        readings_per_event: 1,
        ..probe
    };
    let equipment = Equipment {
        sensor: Some((probe, curve)),
        ..one
    };
    Ok((equipment, centi, stream))
}

/// An invoice that nobody else has; its sum is what may be lent on, less the table's share.
fn invoice(borrower: &Slug, number: u32, now: Instant) -> Result<Asked> {
    let day = now.to_rfc3339();
    let (day, year) = (
        day.get(..10).context("no day")?,
        day.get(2..4).context("no year")?,
    );
    Ok(Asked {
        request: format!("pledge-{number}").parse()?,
        borrower: borrower.clone(),
        loan: format!("loan-{number}").parse()?,
        what: "frozen goods in the watched cold store".to_owned(),
        collateral: Collateral::Invoice(Typed {
            seller: "9144030071526726XG".to_owned(),
            buyer: "914403001922038216".to_owned(),
            digital: format!("{year}{number:018}"),
            date: day.to_owned(),
            total: "10000.00".to_owned(),
            ..Typed::default()
        }),
        category: "receivable".parse()?,
        price: Some(Money::parse("10000.00", Currency::CNY)?),
        per: None,
        price_source: PriceSource::Declared,
    })
}
