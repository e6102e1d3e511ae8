//! What is erased is gone from every table, and stays gone.

use std::slice::from_ref;
use std::sync::Arc;

use platform::erase::{NewList, Removed};
use platform::store::captures::{CapturedEvent, KeptCapture, NewCapture};
use platform::store::erasure::{ArchivedEvent, KeptDisclosure, TOMBSTONES};
use platform::store::{Append, NewLogged, NewQuarantine, NewStatement, Store};
use schemas::hash::{Hash, sha256};
use schemas::statement::{Message, WireEvent};
use schemas::tombstone::TombstoneList;

use super::engine::Engine;
use super::made::{append, at, device, hash, kept, single, statement, unreadable};
use crate::world::events::{LOT, inspected};
use crate::world::people::Device;

/// A thing that only erased events name.
const ALONE: &str = "https://id.gs1.org/01/09521001000017/21/ALONE";

fn list(leaves: &[Hash]) -> NewList {
    let mut leaves = leaves.to_vec();
    leaves.sort_unstable();
    let list = TombstoneList {
        log: hash("log"),
        made: at(500),
        by: "eraser".into(),
        reason: "subject-request".into(),
        leaves,
    };
    NewList::kept(list.encode().unwrap(), Some(7)).unwrap()
}

async fn content(store: &dyn Store, id: &Hash) -> Vec<bool> {
    let events = store.events_of_statement(id).await.unwrap();
    events.iter().map(|event| event.content.is_some()).collect()
}

/// A message over these statements' events that cannot be verified.
fn quarantined(name: &str, bytes: Vec<u8>) -> NewQuarantine {
    NewQuarantine {
        bytes,
        ..unreadable(name, "bad-signature")
    }
}

pub async fn erased_event_is_gone_and_the_others_stay(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("qinghe/line-1");
    let mut three = statement(&mut line, &[1, 2, 3], 0);
    three.events[1].items.push((ALONE.into(), "epc"));
    let (gone, salt) = (three.events[1].leaf, three.events[1].salt);
    let holding = [&b"head"[..], &salt.0, b"tail"].concat();
    let messages = [
        quarantined("holding", holding),
        quarantined("spelled", format!("x{ALONE}x").into_bytes()),
        quarantined("other", b"nothing of it".to_vec()),
    ];
    store.commit(from_ref(&three), &messages).await.unwrap();
    for item in [LOT, ALONE] {
        store.count_scan(item, at(1)).await.unwrap();
        store.count_unknown_scan(item, at(1), 10).await.unwrap();
    }
    let list = list(&[gone]);
    let removed = eraser.apply(&list, &[ALONE.to_owned()]).await.unwrap();
    let expected = Removed {
        events: 1,
        items: 2,
        documents: 0,
        messages: 2,
    };
    assert_eq!(removed, expected);
    assert_eq!(content(store, &three.id).await, [true, false, true]);
    let leaves = store.events_of_statement(&three.id).await.unwrap();
    assert_eq!(leaves[1].leaf, gone, "the leaf stays");
    let named = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    assert_eq!(named.len(), 2);
    assert_eq!(store.totals().await.unwrap().quarantined, 1);
    // The lot has other events, so its page says that one is gone; of the other thing nothing is
    // left, not even that it was looked at.
    let erased = store.erased_of_items(&[LOT.into(), ALONE.into()], 10).await;
    let erased = erased.unwrap();
    assert_eq!(erased.len(), 1);
    assert_eq!(
        (erased[0].leaf, erased[0].statement, erased[0].position),
        (gone, three.id, 1)
    );
    assert_eq!(
        (erased[0].reason.as_str(), erased[0].made),
        ("subject-request", at(500))
    );
    assert!(store.scans_of(LOT).await.unwrap().is_some());
    assert!(store.scans_of(ALONE).await.unwrap().is_none());
    assert!(store.unknown_scans_of(ALONE).await.unwrap().is_none());
    assert_eq!(store.returned().await.unwrap(), 0);
    let again = eraser.apply(&list, &[]).await.unwrap();
    assert_eq!(again, Removed::default(), "a second time changes nothing");
    // Once nothing of the lot is left, nothing says that there was something.
    let rest = [three.events[0].leaf, three.events[2].leaf];
    eraser.apply(&self::list(&rest), &[]).await.unwrap();
    let erased = store.erased_of_items(&[LOT.into()], 10).await.unwrap();
    assert_eq!(erased, []);
    assert!(store.scans_of(LOT).await.unwrap().is_none());
    assert!(!eraser.clean().await.unwrap().is_empty());
}

fn capture(document: &str, statement: &NewStatement) -> NewCapture {
    let kept = KeptCapture {
        id: format!("job of {document}"),
        capturer: "qinghe-erp".parse().unwrap(),
        organisation: "qinghe".parse().unwrap(),
        document: hash(document),
        attempt: 0,
        media_type: "application/json".into(),
        behaviour: "rollback".into(),
        registry_version: 1,
        received: at(0),
        events: 1,
        captured: 1,
        errors: "[]".into(),
        warnings: "[]".into(),
    };
    let place = CapturedEvent {
        place: 0,
        statement: statement.id,
        position: 0,
    };
    NewCapture {
        kept,
        document: document.as_bytes().to_vec(),
        chain: None,
        pass: None,
        statements: vec![statement.clone()],
        places: vec![place],
    }
}

pub async fn captured_document_goes_with_its_event(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("operator/qinghe-erp");
    let statements = [single(&mut line, 1, 0), single(&mut line, 2, 1)];
    let captures = ["first", "second"].map(|name| name.to_owned());
    for (document, statement) in captures.iter().zip(&statements) {
        let added = store.add_capture(&capture(document, statement)).await;
        assert!(added.unwrap());
    }
    let first = list(&[statements[0].events[0].leaf]);
    let removed = eraser.apply(&first, &[]).await.unwrap();
    assert_eq!(removed.documents, 1);
    let caller = "qinghe-erp".parse().unwrap();
    for (document, left) in [("first", false), ("second", true)] {
        let id = format!("job of {document}");
        let bytes = store.capture_document(&caller, &hash(document)).await;
        assert_eq!(bytes.unwrap().is_some(), left, "{document}");
        let job = store.capture(&caller, &id).await.unwrap();
        assert_eq!(job.is_some(), left, "a job's id is a hash of its document");
        let places = store.capture_events(&caller, &id).await.unwrap();
        assert_eq!(!places.is_empty(), left);
    }
    let ids = statements.each_ref().map(|one| one.id);
    let declarers = store.declarers(&ids).await.unwrap();
    assert_eq!(declarers.len(), 2, "for whom was signed stays");
    assert_eq!(declarers[&ids[0]].as_str(), "qinghe");
    // A document that named the thing but was never captured goes by its spelling.
    let spelled = format!("a document about {ALONE}");
    let mut rejected = capture(&spelled, &statements[1]);
    (rejected.statements, rejected.places) = (Vec::new(), Vec::new());
    assert!(store.add_capture(&rejected).await.unwrap());
    let other = list(&[hash("a leaf of nobody")]);
    let removed = eraser.apply(&other, &[ALONE.to_owned()]).await.unwrap();
    assert_eq!(removed.documents, 1);
}

/// The same event under the same salt in a statement of its own.
fn repeated(device: &mut Device, event: &WireEvent) -> Message {
    let other = device.say(&[inspected(9)]).events.remove(0);
    let leaves = [other.leaf(), event.leaf()];
    let statement = device.sign_over(&leaves);
    let events = vec![other, event.clone()];
    Message { statement, events }
}

pub async fn erased_event_does_not_come_back(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("qinghe/line-1");
    let message = line.say(&[inspected(1), inspected(2)]);
    let first = kept(&message, 0);
    let salted = quarantined("salted", first.events[0].salt.0.to_vec());
    let all = store.commit(from_ref(&first), from_ref(&salted)).await;
    assert_eq!(all.unwrap(), [true]);
    let gone = list(&[first.events[0].leaf]);
    assert_eq!(eraser.apply(&gone, &[]).await.unwrap().messages, 1);
    // The receipt was lost: the agent sends the same statement again.
    let again = store.commit(from_ref(&first), from_ref(&salted)).await;
    assert_eq!(again.unwrap(), [false]);
    assert_eq!(content(store, &first.id).await, [false, true]);
    assert_eq!(store.totals().await.unwrap().quarantined, 0);
    // The same event in another statement is a leaf and nothing else; its neighbour is kept.
    let second = kept(&repeated(&mut line, &message.events[0]), 1);
    assert_eq!(store.commit(from_ref(&second), &[]).await.unwrap(), [true]);
    assert_eq!(content(store, &second.id).await, [true, false]);
    let leaves = store.events_of_statement(&second.id).await.unwrap();
    assert_eq!(leaves[1].leaf, first.events[0].leaf);
    let named = store.events_of_items(&[LOT.into()], 10).await.unwrap();
    assert_eq!(named.len(), 2);
}

pub async fn what_a_backup_brings_back_is_noticed_and_goes_again(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("qinghe/line-1");
    let one = single(&mut line, 1, 0);
    store.commit(from_ref(&one), &[]).await.unwrap();
    let gone = list(&[one.events[0].leaf]);
    eraser.apply(&gone, &[]).await.unwrap();
    assert_eq!(store.returned().await.unwrap(), 0);
    let id = format!("$'{}'", one.id);
    let (bytes, salt) = (hex::encode(&one.events[0].bytes), "07".repeat(16));
    let (column, month) = engine.month();
    let tables = [
        format!(
            "INSERT INTO event_contents (statement, position, bytes, salt{column})
             VALUES ({id}, 0, $'{bytes}', $'{salt}'{month})"
        ),
        format!(
            "INSERT INTO capture_events (capturer, capture, place, statement, position)
             VALUES ('c', 'j', 0, {id}, 0)"
        ),
    ];
    for restored in tables {
        engine.restore(&restored).await;
        assert_eq!(store.returned().await.unwrap(), 1, "{restored}");
        eraser.apply(&gone, &[]).await.unwrap();
        assert_eq!(store.returned().await.unwrap(), 0, "{restored}");
    }
    let document = "INSERT INTO capture_documents (capturer, hash, bytes)";
    let hash = sha256(b"a document whose job is gone");
    let restored = format!("{document} VALUES ('c', $'{hash}', $'00')");
    engine.restore(&restored).await;
    let removed = eraser.apply(&gone, &[]).await.unwrap();
    assert_eq!(removed.documents, 1);
}

/// What an archive holds is said by leaf and month; erased, nothing is said of it any more.
pub async fn archived_event_is_said_until_it_is_erased(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("qinghe/line-1");
    let one = single(&mut line, 1, 0);
    store.commit(from_ref(&one), &[]).await.unwrap();
    let (id, leaf) = (one.id, one.events[0].leaf);
    engine
        .restore("DELETE FROM event_items; DELETE FROM event_contents")
        .await;
    let item = format!(
        "INSERT INTO archived_items (item, statement, position, leaf, month)
         VALUES ('{LOT}', $'{id}', 0, $'{leaf}', '2026-07')"
    );
    engine.restore(&item).await;
    let manifest = hash("manifest");
    let archive = format!(
        "INSERT INTO archives (hash, month, part, events, made)
         VALUES ($'{manifest}', '2026-07', 1, 1, '2026-08-01T00:00:00.000000Z')"
    );
    engine.restore(&archive).await;
    let waiting = store.unlogged().await.unwrap();
    assert_eq!((waiting[0].kind, waiting[0].hash), ("archive", manifest));
    let archived = store.archived_of_items(&[LOT.into()], 10).await.unwrap();
    let expected = ArchivedEvent {
        statement: id,
        position: 0,
        leaf,
        month: "2026-07".into(),
    };
    assert_eq!(archived, [expected]);
    let said = async || {
        let found = store.events_in(&[id]).await.unwrap();
        (found[0].is_archived, found[0].is_erased)
    };
    assert_eq!(said().await, (true, false));
    let gone = list(&[leaf]);
    for back in [false, true] {
        if back {
            engine.restore(&item).await;
            assert_eq!(store.returned().await.unwrap(), 1);
        }
        eraser.apply(&gone, &[]).await.unwrap();
        assert_eq!(store.returned().await.unwrap(), 0);
        let left = store.archived_of_items(&[LOT.into()], 10).await.unwrap();
        assert_eq!(left, []);
        assert_eq!(said().await, (false, true));
    }
}

/// Whoever writes an event while it is erased: in whatever order they meet, nothing of it is left.
pub async fn writers_and_eraser_at_once_leave_nothing(engine: &Engine) {
    let mut line = device("qinghe/line-1");
    for round in 0..8 {
        let message = line.say(&[inspected(round)]);
        let first = kept(&message, 0);
        let store = &engine.store;
        store.commit(from_ref(&first), &[]).await.unwrap();
        let again = kept(&repeated(&mut line, &message.events[0]), 1);
        let (store, other) = (Arc::clone(store), engine.second().await);
        let written = [again.clone(), first.clone()];
        let writer = tokio::spawn(async move { store.commit(&written, &[]).await.unwrap() });
        let later = kept(&repeated(&mut line, &message.events[0]), 2);
        let written = [later.clone()];
        let second = tokio::spawn(async move { other.commit(&written, &[]).await.unwrap() });
        let gone = list(&[first.events[0].leaf]);
        engine.eraser().await.apply(&gone, &[]).await.unwrap();
        writer.await.unwrap();
        second.await.unwrap();
        let store = &*engine.store;
        assert_eq!(content(store, &first.id).await, [false], "{round}");
        for statement in [&again, &later] {
            let left = content(store, &statement.id).await;
            assert_eq!(left, [true, false], "{round}");
        }
    }
}

pub async fn lists_and_documents_wait_for_the_log(engine: &Engine) {
    let (store, mut eraser) = (&*engine.store, engine.eraser().await);
    let mut line = device("qinghe/line-1");
    let one = single(&mut line, 1, 0);
    store.commit(from_ref(&one), &[]).await.unwrap();
    let mut waiting = list(&[one.events[0].leaf]);
    waiting.log_index = None;
    eraser.apply(&waiting, &[]).await.unwrap();
    let document = disclosed("qinghe", 1);
    assert!(store.add_disclosure(&document).await.unwrap());
    let unlogged = store.unlogged().await.unwrap();
    let kinds: Vec<_> = unlogged.iter().map(|one| (one.kind, one.hash)).collect();
    assert_eq!(
        kinds,
        [(TOMBSTONES, waiting.hash), ("disclosure", document.hash)]
    );
    let bytes = store.tombstone_list(&waiting.hash).await.unwrap();
    assert_eq!(bytes.as_deref(), Some(&waiting.bytes[..]));
    assert_eq!(store.tombstone_lists().await.unwrap(), []);
    let fence = store.take_lease("log", "a", at(0), at(30)).await.unwrap();
    let logged = unlogged.iter().zip(0..).map(|(one, log_index)| NewLogged {
        kind: one.kind,
        hash: one.hash,
        log_index,
    });
    let append = Append {
        logged: logged.collect(),
        ..append(fence.unwrap(), 0, &["\u{4}list", "\u{3}document"])
    };
    store.append(&append).await.unwrap();
    assert_eq!(store.unlogged().await.unwrap(), []);
    let lists = store.tombstone_lists().await.unwrap();
    assert_eq!(lists.len(), 1);
    assert_eq!(
        (lists[0].hash, lists[0].count, lists[0].log_index),
        (waiting.hash, 1, 0)
    );
    let entries = store.tombstone_entries().await.unwrap();
    assert_eq!(entries, [(0, b"\x04list".to_vec())]);
}

fn disclosed(organisation: &str, version: u64) -> KeptDisclosure {
    let bytes = format!("{organisation} {version}").into_bytes();
    KeptDisclosure {
        organisation: organisation.parse().unwrap(),
        version,
        hash: sha256(&bytes),
        bytes,
        received: at(i64::try_from(version).unwrap()),
    }
}

pub async fn disclosure_documents_are_kept_by_version(engine: &Engine) {
    let store = &*engine.store;
    let (first, second) = (disclosed("qinghe", 1), disclosed("qinghe", 2));
    let other = disclosed("northroad", 1);
    for document in [&first, &second, &other] {
        assert!(store.add_disclosure(document).await.unwrap());
        assert!(!store.add_disclosure(document).await.unwrap(), "taken");
    }
    let qinghe = "qinghe".parse().unwrap();
    let newest = store.disclosure(&qinghe, None).await.unwrap();
    assert_eq!(newest.as_ref(), Some(&second));
    let old = store.disclosure(&qinghe, Some(1)).await.unwrap();
    assert_eq!(old, Some(first));
    assert_eq!(store.disclosure(&qinghe, Some(3)).await.unwrap(), None);
    let unknown = "nobody".parse().unwrap();
    assert_eq!(store.disclosure(&unknown, None).await.unwrap(), None);
    let all = store.newest_disclosures().await.unwrap();
    assert_eq!(all, [other, second]);
}
