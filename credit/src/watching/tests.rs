use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rust_decimal::Decimal;
use schemas::event::Source;

use super::*;
use crate::evidence::{EvidenceError, EvidencePack, InProcess};
use crate::money::{Currency, Money};
use crate::pledge::claim::Goods;
use crate::pledge::stage::{Act, Offer, State};
use crate::pledge::stream::{Heard, Progress, Stream};
use crate::pledge::watch::{Limits, Noticed};
use crate::pledge::{Claims, PledgeId, Pledging};
use crate::store::Sqlite;
use crate::testing::*;

const DEVICE: &str = "qinghe/cold-1";

/// What the platform does.
#[derive(Default)]
struct Platform {
    away: AtomicBool,
    forged: AtomicBool,
    /// Statements that it leaves out, one bit each by order of speaking.
    left_out: AtomicU64,
}

struct Ground {
    world: Arc<Mutex<World>>,
    platform: Arc<Platform>,
    clock: Arc<MovedClock>,
    store: Arc<dyn Tables>,
    watcher: Watcher,
    pledge: PledgeId,
    stream: Stream,
    _folder: tempfile::TempDir,
}

fn chain(world: &Mutex<World>, platform: &Platform) -> Result<Option<EvidencePack>, EvidenceError> {
    if platform.away.load(Ordering::Relaxed) {
        return Err(EvidenceError::Unreachable("no connection".into()));
    }
    if platform.forged.load(Ordering::Relaxed) {
        return Ok(Some(EvidencePack {
            bundle: b"{}".to_vec(),
        }));
    }
    let bits = platform.left_out.load(Ordering::Relaxed);
    let statements = (0..64).filter(|bit| bits & (1 << bit) != 0).collect();
    let hold_back = HoldBack {
        statements,
        ..HoldBack::default()
    };
    let bundle = world.lock().unwrap().bundle(at(23, 0), &hold_back);
    Ok(Some(EvidencePack {
        bundle: bundle.to_json().unwrap(),
    }))
}

impl Ground {
    /// A pledge whose cold store is watched for 2 to 8 degrees and an hour of silence.
    async fn lay() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("credit.sqlite"))
            .await
            .unwrap();
        let store: Arc<dyn Tables> = Arc::new(store);
        let world = World::new(&[(DEVICE, 3600)]);
        let policy = world.trusted();
        let world = Arc::new(Mutex::new(world));
        let platform = Arc::new(Platform::default());
        let (told, does) = (Arc::clone(&world), Arc::clone(&platform));
        let evidence = InProcess::new(|organisation| {
            Box::pin(async move { Err(EvidenceError::Unknown(organisation)) })
        });
        let evidence = evidence.with_chains(move |_, _| {
            let answer = chain(&told, &does);
            Box::pin(async move { answer })
        });
        let clock = Arc::new(MovedClock(Mutex::new(at(1, 0))));
        let watcher = Watcher::new(
            Arc::clone(&store),
            Arc::new(evidence),
            policy,
            Duration::from_secs(48 * 3600),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let pledge = pledged(&*store).await;
        let stream = Stream::new(DEVICE.parse().unwrap(), "probe-1").unwrap();
        let limits = Limits::declared(2.into(), 8.into(), Duration::from_secs(3600)).unwrap();
        let begun = Progress::begin(0, None, at(1, 0));
        store
            .keep_progress(&pledge, 0, &stream, &begun)
            .await
            .unwrap();
        let name = stream.name();
        let watched = Pledging::new(&*store);
        watched
            .watch(&pledge, &name, limits, at(1, 0))
            .await
            .unwrap();
        Self {
            world,
            platform,
            clock,
            store,
            watcher,
            pledge,
            stream,
            _folder: folder,
        }
    }

    /// The sensor says so many degrees, its statement being the next one.
    fn say(&self, minute: i64, celsius: &str) {
        let event = (Source::Sensor, reading(at(1, minute), LOT, celsius));
        self.world
            .lock()
            .unwrap()
            .say(DEVICE, at(1, minute), &[event]);
    }

    /// A round of the watch at an instant.
    async fn round(&self, minute: i64) -> Vec<Heeded> {
        self.clock.set(at(1, minute));
        self.watcher.round().await.unwrap().alarms
    }

    async fn state(&self) -> State {
        let chain = self.store.pledge(&self.pledge).await.unwrap().unwrap();
        chain.stage().state()
    }

    async fn progress(&self) -> Progress {
        let mut all = self.store.followed(9).await.unwrap();
        let one = all.remove(0);
        assert_eq!((one.pledge, &one.stream), (self.pledge, &self.stream));
        one.progress
    }
}

async fn pledged(store: &dyn Tables) -> PledgeId {
    let thing = schemas::gs1::Identifier::from_serial("09521234543213", "A1").unwrap();
    let goods = Goods::Thing {
        thing,
        lot: None,
        around: vec![],
    };
    let offer = Offer {
        borrower: slug("qinghe"),
        loan: "loan-1".parse().unwrap(),
        what: "one pallet".into(),
        lending_value: Money::from_fen(100_000, Currency::CNY).unwrap(),
        details: None,
        worth: None,
        evidence: None,
        claims: Claims::of(&goods).unwrap(),
    };
    let pledging = Pledging::new(store);
    let key = |text: &str| text.parse().unwrap();
    let done = pledging
        .offer(key("r-1"), slug("li-wei"), offer, at(0, 30))
        .await
        .unwrap();
    let accepted = pledging.act(
        &done.pledge,
        key("r-2"),
        slug("wang-fang"),
        Act::Accept,
        at(0, 31),
    );
    accepted.await.unwrap();
    done.pledge
}

#[tokio::test]
async fn breach_freezes_once_and_names_its_event() {
    let ground = Ground::lay().await;
    ground.say(1, "5.0");
    assert!(ground.round(2).await.is_empty());
    assert_eq!(ground.progress().await.heard, Heard::Proven);
    ground.say(3, "9.4");
    let raised = ground.round(4).await;
    let [Heeded { alarm, .. }] = &raised[..] else {
        panic!("{raised:?}");
    };
    let Noticed::Breach { value, leaf, .. } = &alarm.noticed else {
        panic!("{alarm:?}");
    };
    assert_eq!(
        (value.normalize(), alarm.since),
        (Decimal::new(94, 1), at(1, 3))
    );
    assert!(leaf.is_some());
    assert_eq!(ground.state().await, State::Frozen);
    ground.say(5, "9.9");
    assert!(ground.round(6).await.is_empty());
    // The trail has the freeze, by the service.
    let rows = ground
        .store
        .newest(None, Some(&ground.pledge.to_string()), 9)
        .await
        .unwrap();
    assert_eq!(
        (&*rows[0].action, &*rows[0].actor),
        ("pledge-freeze", "service")
    );
}

#[tokio::test]
async fn platform_that_is_away_ends_as_silence() {
    let ground = Ground::lay().await;
    ground.say(1, "5.0");
    assert!(ground.round(2).await.is_empty());
    ground.platform.away.store(true, Ordering::Relaxed);
    ground.say(3, "9.4");
    assert!(ground.round(60).await.is_empty());
    assert!(matches!(
        ground.progress().await.heard,
        Heard::Unreachable { .. }
    ));
    let raised = ground.round(62).await;
    assert_eq!(raised[0].alarm.noticed, Noticed::Silence);
    assert_eq!(ground.state().await, State::Frozen);
    // What happened meanwhile is judged when it comes.
    ground.platform.away.store(false, Ordering::Relaxed);
    let raised = ground.round(63).await;
    assert!(matches!(raised[0].alarm.noticed, Noticed::Breach { .. }));
}

#[tokio::test]
async fn bundle_that_does_not_verify_is_no_reading() {
    let ground = Ground::lay().await;
    ground.say(1, "5.0");
    ground.round(2).await;
    let before = ground.progress().await;
    ground.platform.forged.store(true, Ordering::Relaxed);
    assert!(ground.round(3).await.is_empty());
    let after = ground.progress().await;
    assert!(matches!(after.heard, Heard::Refused { .. }));
    assert_eq!((after.refused, after.from_size), (1, before.from_size));
    assert_eq!(ground.round(62).await[0].alarm.noticed, Noticed::Silence);
}

#[tokio::test]
async fn what_is_left_out_is_silence_and_what_is_bad_is_believed_at_once() {
    let ground = Ground::lay().await;
    ground.say(1, "5.0");
    ground.round(2).await;
    // The second statement is left out: the third one is no sign of life.
    ground.platform.left_out.store(0b10, Ordering::Relaxed);
    ground.say(3, "5.0");
    ground.say(40, "5.1");
    let before = ground.progress().await;
    assert!(ground.round(41).await.is_empty());
    let progress = ground.progress().await;
    assert_eq!(
        (progress.heard, progress.from_size),
        (Heard::Hole, before.from_size)
    );
    assert_eq!(ground.round(62).await[0].alarm.noticed, Noticed::Silence);
    // Given up with that alarm, it goes on behind the hole.
    ground.round(63).await;
    ground.round(64).await;
    let progress = ground.progress().await;
    assert_eq!((progress.heard, progress.missing), (Heard::Proven, 1));

    let ground = Ground::lay().await;
    ground.say(1, "5.0");
    ground.round(2).await;
    ground.platform.left_out.store(0b10, Ordering::Relaxed);
    ground.say(3, "5.0");
    ground.say(4, "9.0");
    assert!(matches!(
        ground.round(5).await[0].alarm.noticed,
        Noticed::Breach { .. }
    ));
}

#[tokio::test]
async fn nobody_s_word_is_a_sign_of_life() {
    let ground = Ground::lay().await;
    let declared = (Source::Declared, reading(at(1, 50), LOT, "5.0"));
    ground
        .world
        .lock()
        .unwrap()
        .say(DEVICE, at(1, 50), &[declared]);
    assert!(ground.round(51).await.is_empty());
    assert_eq!(ground.round(61).await[0].alarm.noticed, Noticed::Silence);
}
