//! A machine's files, through the whole agent.

use std::path::Path;
use std::time::Duration;

use crate::broker::Faults;
use crate::site::{DEADLINE, Site, stop, taken_over};
use crate::sources::until_state;
use crate::world::{PLACE, World};

/// A world whose record lets the device speak for files.
fn file_world() -> World {
    World {
        sources: vec![1, 2, 3],
        ..World::new()
    }
}

/// Drops a file as a careful machine does: written aside, then renamed.
fn drop_file(folder: &Path, name: &str, text: &str) {
    let aside = folder.join(format!("{name}.part"));
    std::fs::write(&aside, text).expect("written");
    std::fs::rename(aside, folder.join(name)).expect("renamed");
}

fn csv(serials: std::ops::Range<u32>) -> String {
    let rows = serials.map(|serial| format!("010952100100001721S{serial};Einlagern\n"));
    format!("Code;Schritt\n{}", rows.collect::<String>())
}

fn folder_source(folder: &Path, more: &str) -> String {
    format!(
        "[[source]]\ntype = \"folder\"\npath = \"{}\"\nplace = \"{PLACE}\"\nformat = \"csv\"\n\
         delimiter = \";\"\nstable_ms = 1\npoll_ms = 20\n{more}\n\
         [source.columns]\nitem = \"Code\"\nstep = \"Schritt\"\n\
         [source.steps]\nEinlagern = \"storing\"\n",
        folder.display()
    )
}

#[tokio::test]
async fn a_machines_files_are_events_once_whatever_happens_between() {
    let mut site = Site::new(file_world(), Faults::default()).await;
    let folder = site.folder.path().join("drop");
    std::fs::create_dir(&folder).expect("folder");
    // Where finished files should go stands a file: they cannot be moved.
    let done = site.folder.path().join("done");
    std::fs::write(&done, "in the way").expect("written");
    let with_done = format!("done = \"{}\"", done.display());
    site.sources = folder_source(&folder, &with_done);
    drop_file(&folder, "1.csv", &csv(0..150));
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 150).await;
    let stuck = until_state(&handle, |state| state.fault.is_some()).await;
    assert!(
        stuck
            .fault
            .expect("fault")
            .cause
            .contains("cannot be moved")
    );
    stop(handle, shutdown).await;
    // The events are durable, the file is still there: a crash between the two looks like this.
    assert!(folder.join("1.csv").exists());
    std::fs::remove_file(&done).expect("removed");
    drop_file(&folder, "2.csv", &csv(150..160));
    drop_file(&folder, "3.csv", "Kode;Schritt\n1;2\n");
    let bad = "Code;Schritt\n9521001000018;Einlagern\n010952100100001721S160;Einlagern\n";
    drop_file(&folder, "4.csv", bad);
    std::fs::write(folder.join("5.csv.part"), csv(900..901)).expect("written");
    let (handle, shutdown) = site.start().await;
    let state = until_state(&handle, |state| {
        state.counts.rejected == 2 && state.counts.scans == 11
    });
    state.await;
    handle.flush().await.expect("flush");
    let started = std::time::Instant::now();
    while folder.join("4.csv").exists() {
        assert!(started.elapsed() < DEADLINE, "not moved");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    taken_over(&handle).await;
    let status = handle.snapshot();
    assert_eq!((status.events_made, status.bad_lines), (161, 2));
    stop(handle, shutdown).await;
    for name in ["1.csv", "2.csv", "4.csv"] {
        assert!(done.join(name).exists(), "{name}");
    }
    assert!(folder.join("refused/3.csv").exists());
    assert!(folder.join("5.csv.part").exists());
    let rejects = std::fs::read_to_string(folder.join("rejects.jsonl")).expect("rejects");
    assert!(
        rejects.contains("no column `Code`") && rejects.contains("check digit"),
        "{rejects}"
    );
    let found: Vec<_> = site.broker.with(|shared| {
        shared.platform.check_chain();
        let events = shared.platform.events();
        let one =
            |event: &serde_json::Value| event["epcList"][0].as_str().expect("item").to_owned();
        events.iter().map(one).collect()
    });
    let made: Vec<_> = (0..161)
        .map(|n| format!("https://id.gs1.org/01/09521001000017/21/S{n}"))
        .collect();
    assert_eq!(found, made);
}

#[tokio::test]
async fn a_file_that_was_begun_is_finished_before_an_older_one_that_came_since() {
    let mut site = Site::new(file_world(), Faults::default()).await;
    let folder = site.folder.path().join("drop");
    std::fs::create_dir(&folder).expect("folder");
    // It is read and cannot be moved: a stop in its middle looks the same to the next start.
    let done = site.folder.path().join("done");
    std::fs::write(&done, "in the way").expect("written");
    site.sources = folder_source(&folder, &format!("done = \"{}\"", done.display()));
    drop_file(&folder, "new.csv", &csv(0..10));
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.fault.is_some()).await;
    stop(handle, shutdown).await;
    drop_file(&folder, "old.csv", &csv(10..20));
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let old = std::fs::File::options()
        .append(true)
        .open(folder.join("old.csv"));
    let old = old.expect("open");
    old.set_modified(hour_ago).expect("older");
    std::fs::remove_file(&done).expect("removed");
    let (handle, shutdown) = site.start().await;
    until_state(&handle, |state| state.counts.scans == 10).await;
    let started = std::time::Instant::now();
    while folder.join("old.csv").exists() || folder.join("new.csv").exists() {
        assert!(started.elapsed() < DEADLINE, "not moved");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(handle.snapshot().events_made, 20);
    stop(handle, shutdown).await;
}
