//! Content that leaves the database is in a file that proves it, and comes back: the whole way with
//! real processes on both engines, every way to be interrupted, every way to change such a file.

mod altered;
mod killed;
mod story;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::archive::{self, Archivist, Folder, Holder};
use platform::store::{Month, Store, TraceStore as _};
use schemas::event::Salt;
use schemas::hash::Hash;
use schemas::time::Clock as _;

use crate::world::World;
use crate::world::events::{commissioned, inspected, shipped};

const LINE: &str = "qinghe/line-1";

/// A world in whose log are three statements with five events of July 2026, and one that waits.
pub(super) async fn peaches() -> (World, Vec<Hash>) {
    let mut world = World::with_line_1().await;
    let mut ids = Vec::new();
    ids.push(world.send(LINE, &[commissioned(), inspected(1)]).await.id());
    world.anchor().await;
    ids.push(world.send(LINE, &[inspected(2), inspected(3)]).await.id());
    ids.push(world.send(LINE, &[shipped()]).await.id());
    world.anchor().await;
    (world, ids)
}

/// The month behind all of it.
pub(super) fn august() -> Month {
    "2026-08".parse().unwrap()
}

pub(super) async fn archivist(world: &World) -> Archivist {
    let holder = archive::open(&world.config()).await.unwrap();
    archivist_with(world, holder)
}

pub(super) fn archivist_with(world: &World, holder: Box<dyn Holder>) -> Archivist {
    Archivist {
        store: Arc::clone(&world.store) as Arc<dyn Store>,
        bundler: world.bundler(),
        holder,
        folder: Folder::take(&world.config()).unwrap(),
        now: world.clock.now(),
    }
}

/// What the events of statements say, as far as the database has it.
pub(super) async fn contents(world: &World, ids: &[Hash]) -> Vec<Option<(Vec<u8>, Salt)>> {
    let mut contents = Vec::new();
    for id in ids {
        let events = world.store.events_of_statement(id).await.unwrap();
        contents.extend(events.into_iter().map(|event| event.content));
    }
    contents
}

/// Files in the folder of archives.
pub(super) fn files(world: &World) -> Vec<PathBuf> {
    let folder = world.folder().join("archive");
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths.filter(|path| is_archive(path)).collect();
    files.sort();
    files
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "gz")
}
