//! Whoever archives is killed, at every call to the database and between them: at no instant is a
//! content in neither database nor checked file, and a repetition finishes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use platform::archive::check::{open, walk};
use platform::archive::{self, Folder, Holder, NewArchive, Part, Removed, Returning, Tombstones};
use platform::erase::{self, Order, What};
use platform::store::erasure::ErasureStore as _;
use platform::store::{Month, Store, StoreError, Stored, TraceStore as _};
use schemas::hash::Hash;
use schemas::time::Clock as _;

use super::{archivist, archivist_with, august, contents, files, peaches};
use crate::world::World;
use crate::world::events::{LOT, inspected};

/// Dies at one call: before it has done anything, or after.
struct Dying {
    holder: Box<dyn Holder>,
    calls: Arc<AtomicUsize>,
    at: usize,
    after: bool,
}

impl Dying {
    fn die(&self, done: bool) -> Stored<()> {
        let call = match done {
            false => self.calls.fetch_add(1, Ordering::SeqCst),
            true => self.calls.load(Ordering::SeqCst) - 1,
        };
        match call == self.at && done == self.after {
            true => Err(StoreError::Corrupt("life")),
            false => Ok(()),
        }
    }
}

macro_rules! dying {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Holder for Dying {
            $(async fn $name(&mut self $(, $argument: $type)*) -> Stored<$answer> {
                self.die(false)?;
                let answer = self.holder.$name($($argument),*).await?;
                self.die(true)?;
                Ok(answer)
            })*
        }
    };
}

dying! {
    months(before: Month) -> Vec<Month>;
    statements(month: Month) -> BTreeSet<Hash>;
    tombstones() -> Tombstones;
    archives() -> BTreeSet<Part>;
    add(archive: &NewArchive) -> ();
    remove(month: Month, statements: &BTreeSet<Hash>, tombstones: usize) -> Option<Removed>;
    put_back(events: &[Returning], tombstones: usize) -> Option<u64>;
    clean() -> ();
}

/// Contents in the files, by statement and place.
fn archived(world: &World) -> BTreeMap<(Hash, u64), Vec<u8>> {
    let mut found = BTreeMap::new();
    for file in files(world) {
        let trusted = world.policy_entry();
        walk(&file, Some(&trusted), |chunk, _| {
            for said in &chunk.statements {
                for (place, kept) in (0..).zip(&said.events) {
                    let opened = kept.content.as_ref().and_then(open);
                    found
                        .extend(opened.map(|(event, _, _)| ((said.id, place), event.into_bytes())));
                }
            }
            Ok(())
        })
        .unwrap();
    }
    found
}

/// Every content that there was is in the database or in a file, as it was.
async fn nothing_is_lost(world: &World, ids: &[Hash], before: &BTreeMap<(Hash, u64), Vec<u8>>) {
    let archived = archived(world);
    for id in ids {
        for event in world.store.events_of_statement(id).await.unwrap() {
            let place = (*id, event.position);
            let kept = event.content.map(|(bytes, _)| bytes);
            let found = kept.as_ref().or(archived.get(&place));
            assert_eq!(found, before.get(&place), "{place:?}");
        }
    }
}

#[tokio::test]
async fn killed_at_any_call_loses_nothing_and_a_repetition_finishes() {
    let mut died = 0;
    for after in [false, true] {
        for at in 0.. {
            let (world, ids) = peaches().await;
            let mut before = BTreeMap::new();
            for id in &ids {
                for event in world.store.events_of_statement(id).await.unwrap() {
                    before.insert((*id, event.position), event.content.unwrap().0);
                }
            }
            let calls = Arc::<AtomicUsize>::default();
            let holder = Box::new(Dying {
                holder: archive::open(&world.config()).await.unwrap(),
                calls: Arc::clone(&calls),
                at,
                after,
            });
            let mut dying = archivist_with(&world, holder);
            let outcome = dying.run(august(), false).await;
            drop(dying);
            if calls.load(Ordering::SeqCst) <= at {
                assert_eq!(outcome.unwrap().len(), 1, "nothing was left to die at");
                break;
            }
            assert!(outcome.is_err(), "call {at}");
            died += 1;
            nothing_is_lost(&world, &ids, &before).await;
            // What was half written when it died is no file.
            let half = world
                .folder()
                .join("archive/contents-2026-07.9.jsonl.gz.new");
            std::fs::write(&half, b"half").unwrap();
            archivist(&world).await.run(august(), false).await.unwrap();
            nothing_is_lost(&world, &ids, &before).await;
            assert_eq!(
                contents(&world, &ids).await,
                [const { None }; 5],
                "call {at}"
            );
            assert_eq!(files(&world).len(), 1, "call {at}: written once");
            assert!(!half.exists());
            let rows = world.store.archived_of_items(&[LOT.into()], 10).await;
            assert_eq!(rows.unwrap().len(), 5);
        }
    }
    assert!(died >= 12, "{died}");
}

/// What comes late for an archived month is a second file; what waits for its checkpoint stays.
#[tokio::test]
async fn late_statements_are_another_file_and_waiting_ones_stay() {
    let (mut world, mut ids) = peaches().await;
    archivist(&world).await.run(august(), false).await.unwrap();
    ids.push(world.send(super::LINE, &[inspected(9)]).await.id());
    let outcomes = archivist(&world).await.run(august(), false).await.unwrap();
    assert_eq!((outcomes[0].waiting, &outcomes[0].part), (1, &None));
    assert_eq!(files(&world).len(), 1);
    assert!(contents(&world, &ids).await[5].is_some());
    world.anchor().await;
    let outcomes = archivist(&world).await.run(august(), false).await.unwrap();
    assert_eq!(outcomes[0].part.as_ref().unwrap().number, 2);
    assert_eq!(contents(&world, &ids).await, [const { None }; 6]);
    assert_eq!(archived(&world).len(), 6);
    assert_eq!(world.monitor().await, Vec::<String>::new());
    // Nothing is left to do, and nothing is done.
    let outcomes = archivist(&world).await.run(august(), false).await.unwrap();
    assert_eq!(outcomes, []);
}

/// An event is erased after its file was written and before its content was removed (the archivist
/// died in between): the file forgets it all the same, and a restored one does not bring it back.
#[tokio::test]
async fn erased_event_leaves_files_that_nobody_has_told_of() {
    let (world, ids) = peaches().await;
    let calls = Arc::<AtomicUsize>::default();
    let holder = Box::new(Dying {
        holder: archive::open(&world.config()).await.unwrap(),
        calls,
        // tombstones, months, statements, archives, then the file is there: it is told of.
        at: 4,
        after: false,
    });
    let mut dying = archivist_with(&world, holder);
    dying.run(august(), false).await.unwrap_err();
    drop(dying);
    let [file] = &files(&world)[..] else {
        panic!("no file");
    };
    let old = std::fs::read(file).unwrap();
    assert_eq!(archived(&world).len(), 5);
    let leaf = world.store.events_of_statement(&ids[0]).await.unwrap()[1].leaf;
    let order = without(leaf);
    let mut eraser = world.eraser().await;
    let store = &*world.store as &dyn Store;
    let folder = Folder::take(&world.config()).unwrap();
    let now = world.clock.now();
    let done = erase::erase_with_archives(&mut eraser, store, &order, now, &folder).await;
    drop(folder);
    assert_eq!(done.unwrap().archives, ["contents-2026-07.1.jsonl.gz"]);
    assert_eq!(archived(&world).len(), 4);
    archivist(&world).await.run(august(), false).await.unwrap();
    assert_eq!(contents(&world, &ids).await, [const { None }; 5]);
    // A backup of the file comes back with the event: the next run takes it out again.
    std::fs::write(file, old).unwrap();
    assert_eq!(archived(&world).len(), 5);
    let mut holder = archive::open(&world.config()).await.unwrap();
    let store = Arc::clone(&world.store) as Arc<dyn Store>;
    let trusted = world.policy_entry();
    let trust = (world.policy.log, Some(&*trusted));
    let restored = archive::restore(file, &store, &mut *holder, trust).await;
    let restored = restored.unwrap();
    assert_eq!((restored.events, restored.erased), (4, 1));
    let now = contents(&world, &ids).await;
    assert_eq!(now.iter().flatten().count(), 4);
    assert!(now[1].is_none());
    assert_eq!(world.store.returned().await.unwrap(), 0);
    archivist(&world).await.run(august(), false).await.unwrap();
    assert_eq!(archived(&world).len(), 4);
    assert_eq!(contents(&world, &ids).await, [const { None }; 5]);
    // The log is told of the file as it is.
    let waiting = world.store.unlogged().await.unwrap();
    let archives = waiting.iter().filter(|one| one.kind == archive::KIND);
    assert_eq!(archives.count(), 1);
}

/// A file that the database names and that is kept elsewhere: erasing says so until it is there.
#[tokio::test]
async fn erasing_asks_for_a_file_that_is_elsewhere() {
    let (world, ids) = peaches().await;
    archivist(&world).await.run(august(), false).await.unwrap();
    let file = files(&world).remove(0);
    let elsewhere = world.folder().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    let leaf = world.store.events_of_statement(&ids[2]).await.unwrap()[0].leaf;
    let order = without(leaf);
    let mut eraser = world.eraser().await;
    let store = &*world.store as &dyn Store;
    let folder = Folder::take(&world.config()).unwrap();
    let now = world.clock.now();
    for _ in 0..2 {
        let done = erase::erase_with_archives(&mut eraser, store, &order, now, &folder).await;
        let said = schemas::causes::causes(&done.unwrap_err());
        assert!(
            said.contains("contents-2026-07.1.jsonl.gz is not in"),
            "{said}"
        );
    }
    std::fs::rename(&elsewhere, &file).unwrap();
    let done = erase::erase_with_archives(&mut eraser, store, &order, now, &folder).await;
    assert_eq!(done.unwrap().archives.len(), 1);
    assert_eq!(archived(&world).len(), 4);
    // By item everything that archives hold is found, too.
    let item = Order {
        what: What::Item(LOT.parse().unwrap()),
        ..order
    };
    let done = erase::erase_with_archives(&mut eraser, store, &item, now, &folder).await;
    assert_eq!(done.unwrap().places.len(), 4);
    assert_eq!(archived(&world).len(), 0);
    let left = world.store.archived_of_items(&[LOT.into()], 10).await;
    assert_eq!(left.unwrap(), []);
    let left = world.store.erased_of_items(&[LOT.into()], 10).await;
    assert_eq!(left.unwrap(), [], "nothing says that there was such a lot");
}

/// An order to erase one event.
fn without(leaf: Hash) -> Order {
    Order {
        what: What::Leaves([leaf].into()),
        reason: "subject-request".into(),
        by: None,
        dry_run: false,
    }
}
