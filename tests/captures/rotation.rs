//! A gateway changes its key and its card: the real agent with a P-256 key, the organisation's key
//! tool and a whole platform. Nothing is lost, the chain has no gap, and what each key has signed
//! verifies to the log.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use edge_agent::enrol::{self, rotate};
use edge_agent::identity::Algorithm;
use edge_agent::{Config, Handle, Status};
use platform::bundle::Choice;
use platform::keytool::{Office, Wish};
use schemas::hash::Hash;
use schemas::ids::{DeviceAddress, Slug};
use schemas::key::{ALG_ED25519, ALG_ESP256};
use schemas::proof;
use schemas::registry::State;
use schemas::statement::{Note, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::keytool::office;
use super::{DEADLINE, PLACE, Stack};
use crate::world::clock::HandClock;

const NAME: &str = "line-1";

/// A gateway on its disk.
struct Gateway {
    folder: PathBuf,
    lines: u64,
    running: Option<(Handle, DropGuard)>,
}

impl Gateway {
    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    async fn start(&mut self) {
        let text = format!(
            "state = {:?}\n[device]\nname = \"{NAME}\"\nclock = \"synced\"\n\
             [[source]]\ntype = \"scan\"\npath = {:?}\nplace = \"{PLACE}\"\npoll_ms = 20\n",
            self.state(),
            self.folder.join("scans.jsonl")
        );
        let config = Config::parse("gateway", &text).unwrap();
        let shutdown = CancellationToken::new();
        let clock = Arc::new(HandClock::morning());
        let handle = edge_agent::run(config, clock, shutdown.clone()).await;
        self.running = Some((handle.unwrap(), shutdown.drop_guard()));
    }

    async fn stop(&mut self) {
        let (handle, running) = self.running.take().unwrap();
        drop(running);
        handle.join().await.unwrap();
    }

    fn scan(&mut self, lines: u64) {
        let mut text = String::new();
        for serial in self.lines..self.lines + lines {
            let time = "2026-07-11T06:30:00+08:00";
            writeln!(
                text,
                r#"{{"step":"shipping","items":["(01)09521001000017(21)R{serial}"],"time":"{time}"}}"#
            )
            .unwrap();
        }
        self.lines += lines;
        let path = self.folder.join("scans.jsonl");
        let opened = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        opened.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits until every line is an event.
    async fn taken(&self) {
        let mut status = self.running.as_ref().unwrap().0.status();
        let all = status.wait_for(|now| now.events_made >= self.lines);
        all.await.unwrap();
    }

    fn status(&self) -> Status {
        self.running.as_ref().unwrap().0.snapshot()
    }
}

fn wish() -> Wish {
    Wish {
        device: NAME.parse().unwrap(),
        places: vec![PLACE.into()],
        steps: vec!["shipping".into()],
        sources: vec![2],
        heartbeat: 0,
    }
}

/// The organisation signs for the key that asks; its kid.
async fn signed(office: &Office) -> Hash {
    let (name, until): (Slug, _) = (NAME.parse().unwrap(), Instant::now() + DEADLINE);
    let kid = loop {
        let waiting = office.waiting().await.unwrap();
        if let Some(kid) = waiting.iter().find_map(|one| one.kid) {
            break kid;
        }
        assert!(Instant::now() < until, "{waiting:?}");
        tokio::task::yield_now().await;
    };
    while office
        .sign(&name, &kid.to_string()[..8])
        .await
        .unwrap()
        .is_none()
    {
        assert!(Instant::now() < until, "no consent");
        tokio::task::yield_now().await;
    }
    kid
}

async fn enrolled(office: &Office, state: &Path) -> Hash {
    let claim = office.claim(wish(), None).unwrap().claim;
    let (state, name): (_, Slug) = (state.to_owned(), NAME.parse().unwrap());
    let asks = tokio::spawn(async move {
        enrol::enrol_as(&state, &name, Algorithm::P256, &claim, |_| ()).await
    });
    let kid = signed(office).await;
    assert_eq!(asks.await.unwrap().unwrap().kid().unwrap(), kid);
    kid
}

/// The device's chain as the platform has it.
async fn chain(stack: &Stack) -> Vec<Statement> {
    let store = &stack.handle().store;
    let device: DeviceAddress = format!("qinghe/{NAME}").parse().unwrap();
    let mut statements = Vec::new();
    for id in store.chain(&device).await.unwrap() {
        let kept = store.statement(&id).await.unwrap().unwrap();
        statements.push(Statement::parse(kept.bytes).unwrap());
    }
    statements
}

fn check_links(chain: &[Statement]) {
    for (before, after) in chain.iter().zip(&chain[1..]) {
        assert_eq!(
            after.payload.prev,
            before.id(),
            "{:?}",
            after.payload.position
        );
    }
}

async fn verified(stack: &Stack, chain: &[Statement]) {
    let mut choice = Choice::default();
    for statement in chain {
        choice.add_statement(statement.id());
    }
    let handle = stack.handle();
    let made = handle.bundler.make(&choice, |_| false).await.unwrap();
    assert_eq!(made.waiting, Vec::new());
    let report = proof::verify(&made.bytes, Some(&handle.policy_entry)).unwrap();
    assert_eq!(report.statements.len(), chain.len());
}

fn copied(from: &Path, to: &Path) {
    edge_agent::identity::make_state_directory(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_changes_its_key_and_its_card_and_loses_nothing() {
    let stack = Stack::small().await;
    let place = tempfile::tempdir().unwrap();
    let office = office(&stack, &place.path().join("org")).await;
    let mut gateway = Gateway {
        folder: place.path().to_owned(),
        lines: 0,
        running: None,
    };
    let old = enrolled(&office, &gateway.state()).await;

    // Before, with P-256 from enrolment to the witnessed log.
    gateway.start().await;
    gateway.scan(30);
    stack.anchored(30).await;
    let before = chain(&stack).await;
    assert!(
        before
            .iter()
            .all(|one| one.alg == ALG_ESP256 && one.kid == old)
    );
    verified(&stack, &before).await;

    // During: lines come all the while.
    let claim = office.rotation(&NAME.parse().unwrap()).unwrap().claim;
    let next = rotate::ask(&gateway.state(), &claim, Algorithm::Ed25519).unwrap();
    assert_eq!(
        rotate::ask(&gateway.state(), &claim, Algorithm::Ed25519).unwrap(),
        next
    );
    gateway.scan(10);
    let organisation = signed(&office);
    tokio::pin!(organisation);
    let asked = loop {
        tokio::select! {
            kid = &mut organisation => break kid,
            () = gateway.taken() => gateway.scan(3),
        }
    };
    assert_eq!(asked, next);
    let state = gateway.state();
    let followed = rotate::followed(&state, &next);
    tokio::time::timeout(DEADLINE, followed)
        .await
        .unwrap()
        .unwrap();

    // After, in the same chain.
    gateway.scan(30);
    stack.anchored(gateway.lines).await;
    let all = chain(&stack).await;
    check_links(&all);
    assert!(all.iter().all(|one| one.payload.position.epoch == 0));
    let events: u64 = all.iter().map(|one| one.payload.count).sum();
    assert_eq!(events, gateway.lines);
    let last = all.iter().rposition(|one| one.kid == old).unwrap();
    assert_eq!(
        all[last].payload.note.as_ref().and_then(Note::next_key),
        Some(next)
    );
    assert!(
        all[last + 1..]
            .iter()
            .all(|one| one.alg == ALG_ED25519 && one.kid == next)
    );
    assert!(last + 1 < all.len());
    let state = |kid: Hash| {
        let records = office.records().unwrap();
        let record = records.into_iter().find(|one| one.record.kid() == kid);
        record.unwrap().record.state
    };
    let at = (all[last].payload.position, all[last].id());
    assert_eq!(state(old), State::Retired { last: Some(at) });
    assert_eq!(state(next), State::Active);
    verified(&stack, &all).await;
    let device: DeviceAddress = format!("qinghe/{NAME}").parse().unwrap();
    let marks = stack
        .handle()
        .store
        .chain_events(Some(&device))
        .await
        .unwrap();
    assert_eq!(marks, Vec::new());
    assert_eq!(gateway.status().strangers, 0);
    gateway.stop().await;

    // The card is copied, used on, and restored: the copy asks where its chain ends.
    let (state, copy) = (gateway.state(), place.path().join("copy"));
    copied(&state, &copy);
    gateway.start().await;
    gateway.scan(5);
    stack.anchored(gateway.lines).await;
    gateway.stop().await;
    std::fs::rename(&state, place.path().join("worn")).unwrap();
    std::fs::rename(&copy, &state).unwrap();
    gateway.start().await;
    gateway.scan(5);
    // The copy knows less of the scan file too: its lines from the copy on are said again.
    stack.anchored(gateway.lines + 5).await;
    let restored = chain(&stack).await;
    check_links(&restored);
    let epochs = restored
        .iter()
        .filter(|one| matches!(one.payload.note, Some(Note::EpochStart { .. })));
    assert_eq!(epochs.count(), 1);
    assert_eq!(gateway.status().strangers, 1);
    gateway.stop().await;
}
