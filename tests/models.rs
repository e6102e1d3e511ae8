//! Scorecards of a bank: into the log, into use, and out of it again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use credit::StartError;
use credit::evidence::{EvidenceError, EvidencePack, EvidencePort, Http, InProcess};
use credit::loan::{Application, Declared, Record};
use credit::models::in_use::InUseError;
use credit::models::life::Act;
use credit::models::office::OfficeError;
use credit::money::Money;
use schemas::hash::{Hash, sha256};
use schemas::ids::Slug;
use schemas::log::PolicyFile;
use schemas::proof::verify_document;
use simulators::processes::process::{Ended, Process};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::browser::desk::{CONFIG, supplier};
use crate::world::World;
use crate::world::scorecards::{promoted, step};
use crate::world::served::{BANK_TOKEN, Served};

/// A running bank.
struct Bank {
    handle: credit::Handle,
    shutdown: CancellationToken,
    _running: DropGuard,
}

impl Bank {
    async fn start(
        world: &World,
        folder: &Path,
        config: &str,
        evidence: Arc<dyn EvidencePort>,
    ) -> Result<Self, StartError> {
        let policy = serde_json::to_vec(&PolicyFile::new(world.policy_entry())).unwrap();
        std::fs::write(folder.join("policy.json"), policy).unwrap();
        let file = folder.join("credit.toml");
        std::fs::write(&file, config).unwrap();
        credit::desk::sealed::load_or_make_key(&folder.join("export.key")).unwrap();
        let config = credit::Config::load(&file).unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::clone(&world.clock) as _;
        let handle = credit::run(config, evidence, clock, shutdown.clone()).await?;
        Ok(Self {
            handle,
            _running: shutdown.clone().drop_guard(),
            shutdown,
        })
    }

    async fn decide(&self, id: &str) -> Record {
        let application = Application {
            application_id: id.parse().unwrap(),
            supplier: "qinghe".parse().unwrap(),
            product: "receivable-90".parse().unwrap(),
            requested: Money::parse("1000.00", "CNY".parse().unwrap()).unwrap(),
            declared: Declared::default(),
        };
        self.handle.credit.apply(application).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.handle.join);
        ended.await.unwrap().unwrap();
    }
}

async fn packed(world: &World) -> Arc<dyn EvidencePort> {
    let bundle = world.bundler().evidence(&"qinghe".parse().unwrap()).await;
    let bundle = bundle.unwrap().bytes;
    Arc::new(InProcess::new(move |organisation: Slug| {
        let bundle = bundle.clone();
        Box::pin(async move {
            match organisation.as_str() {
                "qinghe" => Ok(EvidencePack { bundle }),
                _ => Err(EvidenceError::Unknown(organisation)),
            }
        })
    }))
}

/// A line of the terminal in the bank's folder.
async fn credit(folder: &Path, arguments: &[&str]) -> Ended {
    let file = folder.join("credit.toml");
    let arguments: Vec<_> = arguments.iter().map(|one| (*one).into()).collect();
    let config = ["--config".into(), file.into_os_string()];
    let arguments: Vec<std::ffi::OsString> = arguments.into_iter().chain(config).collect();
    let ended = Process::run(folder, "command", "credit", &arguments).await;
    ended.unwrap()
}

fn said(ended: &Ended) -> String {
    format!("{}{}", ended.out, ended.err)
}

/// Every kept decision comes out again, whatever table the bank scores by now.
async fn replays(folder: &Path, decisions: usize) {
    let whole = credit(folder, &["score", "replay", "--all", "--check"]).await;
    let text = said(&whole);
    let count = format!("{decisions} decisions made again: ");
    assert!(whole.success && text.starts_with(&count), "{text}");
    assert!(text.contains(" 0 differing bytes, 0 not proven"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_card_is_in_the_log_with_its_place() {
    let mut world = World::start().await;
    let served: Served = world.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let source = Http::new(&served.url, Duration::from_secs(30), usize::MAX).unwrap();
    let source: Arc<dyn EvidencePort> = Arc::new(source.with_token(BANK_TOKEN.to_owned()));
    let config = format!("{CONFIG}\n[evidence]\ndocuments = true\n");
    let bank = Bank::start(&world, folder.path(), &config, Arc::clone(&source));
    let bank = bank.await.unwrap();
    let artefact = promoted(&bank.handle.credit, &*world.clock).await;
    // The service does it by itself, each minute of its clock.
    let deadline = Instant::now() + Duration::from_secs(30);
    let place = loop {
        assert!(Instant::now() < deadline, "the card is not in the log");
        let cards = bank.handle.credit.cards_to_log().await.unwrap();
        if let Some(place) = cards[0].place {
            break place;
        }
        world.clock.advance(Duration::from_secs(61));
        world.anchor().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let card = bank.handle.credit.cards_to_log().await.unwrap()[0]
        .entry
        .hash;
    bank.stop().await;
    // What the log holds is what the command prints, and anybody finds its proof.
    let named = artefact.to_string();
    let printed = credit(folder.path(), &["scorecard", "card", &named, "--json"]).await;
    assert_eq!(sha256(printed.out.as_bytes()), card, "{}", printed.err);
    let url = format!("{}/v1/documents/{card}", served.url);
    let proof = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    let proof = verify_document(&proof, Some(&world.policy_entry())).unwrap();
    assert_eq!((proof.hash, proof.index), (card, place.index));
    assert_eq!(proof.kind.as_deref(), Some("model-card"));
    // The place is kept: a start without the log still knows it.
    let bank = Bank::start(&world, folder.path(), CONFIG, source)
        .await
        .unwrap();
    let cards = bank.handle.credit.cards_to_log().await.unwrap();
    assert_eq!(cards[0].place, Some(place));
    bank.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_table_decides_only_as_promoted_and_older_decisions_come_out_again() {
    let world = supplier().await;
    let evidence = packed(&world).await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let start = async |config: &str| Bank::start(&world, here, config, Arc::clone(&evidence)).await;
    let bank = start(CONFIG).await.unwrap();
    let first = bank.decide("a-1").await;
    let artefact = promoted(&bank.handle.credit, &*world.clock).await;
    step(&bank.handle.credit, artefact, ("wang", Act::Shadowing))
        .await
        .unwrap();
    let second = bank.decide("a-2").await;
    let store = bank.handle.credit.store();
    let beside = store
        .shadows_beside(&second.decision.decision_id)
        .await
        .unwrap();
    assert_eq!((beside.len(), beside[0].artefact), (1, artefact));
    assert_eq!(second.decision.model.hash, first.decision.model.hash);
    bank.stop().await;

    let with_table = format!("scorecard = \"table.toml\"\n{CONFIG}");
    assert!(matches!(
        start(&with_table).await,
        Err(StartError::TableFile { .. })
    ));
    let table = here.join("table.toml");
    let (out, named) = (table.to_str().unwrap(), artefact.to_string());
    let export = ["scorecard", "export", &named, "--out", out];
    let written = credit(here, &export).await;
    assert!(written.success, "{}", said(&written));
    assert!(!credit(here, &export).await.success, "it was overwritten");
    let text = std::fs::read_to_string(&table).unwrap();
    refused(&start, &with_table, &table, &text, artefact).await;

    std::fs::write(&table, &text).unwrap();
    let bank = start(&with_table).await.unwrap();
    let third = bank.decide("a-3").await;
    assert_eq!(third.decision.model.hash, sha256(text.as_bytes()));
    let trail = bank.handle.credit.store().trail(0, 100).await.unwrap();
    let told = trail.iter().filter(|row| row.detail.contains("(promoted)"));
    assert_eq!(told.count(), 1);
    let retire = step(&bank.handle.credit, artefact, ("wang", Act::Retired)).await;
    assert!(matches!(retire, Err(OfficeError::InUse)), "{retire:?}");
    bank.stop().await;
    replays(here, 3).await;

    // Back to the built-in table: what the promoted one decided still comes out, also elsewhere.
    let bank = start(CONFIG).await.unwrap();
    step(&bank.handle.credit, artefact, ("wang", Act::Retired))
        .await
        .unwrap();
    bank.stop().await;
    replays(here, 3).await;
    let (id, file) = (&*third.decision.decision_id, here.join("decision.json"));
    let file = file.to_str().unwrap();
    let exported = credit(here, &["score", "export", id, "--out", file]).await;
    assert!(exported.success, "{}", said(&exported));
    assert!(std::fs::read_to_string(file).unwrap().contains(&named));
    match start(&with_table).await {
        Err(StartError::InUse(InUseError::NotPromoted { state, .. })) => {
            assert_eq!(state, "retired");
        }
        other => panic!("{:?}", other.err()),
    }
}

/// A table that says it came from a scorecard and is not what was promoted starts nothing.
async fn refused(
    start: &impl AsyncFn(&str) -> Result<Bank, StartError>,
    config: &str,
    table: &Path,
    text: &str,
    artefact: Hash,
) {
    let altered = text.replacen("at_least = 540", "at_least = 539", 1);
    assert_ne!(altered, text);
    std::fs::write(table, altered).unwrap();
    match start(config).await {
        Err(StartError::InUse(InUseError::Altered(named))) => assert_eq!(named, artefact),
        other => panic!("{:?}", other.err()),
    }
    let other = sha256(b"a scorecard of somebody else");
    let unknown = text.replace(&artefact.to_string(), &other.to_string());
    std::fs::write(table, unknown).unwrap();
    match start(config).await {
        Err(StartError::InUse(InUseError::Unknown(named))) => assert_eq!(named, other),
        other => panic!("{:?}", other.err()),
    }
    // Nothing of these starts says that another table scores.
}
