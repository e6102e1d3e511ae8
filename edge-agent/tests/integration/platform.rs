//! What the platform does for a device, small: take messages over, sign receipts, anchor, witness.

use std::collections::BTreeMap;

use schemas::hash::Hash;
use schemas::key::PublicKey;
use schemas::log::{BatchHeader, Entry, entry_hash};
use schemas::merkle::Tree;
use schemas::note::{Checkpoint, Note};
use schemas::receipt::{Included, Inclusion, Receipt, Reply};
use schemas::registry::Head;
use schemas::statement::{Message, Statement};
use schemas::time::Instant;
use schemas::tlog::LogTree;

use crate::world::{WITNESSES, World};

pub struct Platform {
    pub world: World,
    pub device: PublicKey,
    /// Messages by (epoch, seq), as first taken over.
    pub messages: BTreeMap<(u64, u64), Message>,
    /// How often any message came.
    pub deliveries: u64,
    pub deadline: Instant,
    tree: LogTree,
    batches: u64,
    prev: Hash,
}

impl Platform {
    pub fn new(world: World, device: PublicKey) -> Self {
        let mut tree = LogTree::new();
        let policy = Entry::Policy(world.policy.clone()).encode();
        tree.push(entry_hash(&policy)).expect("policy");
        let deadline = Instant::from_seconds(4_000_000_000);
        let messages = BTreeMap::new();
        Self {
            world,
            device,
            messages,
            deliveries: 0,
            deadline,
            tree,
            batches: 0,
            prev: Hash::ZERO,
        }
    }

    /// Checks a message as ingest does and takes it over; a redelivery changes nothing.
    pub fn take(&mut self, bytes: &[u8]) -> Statement {
        let message = Message::decode(bytes).expect("message");
        message.check_root().expect("root");
        message.statement.verify(&self.device).expect("signature");
        for event in &message.events {
            let value = serde_json::from_slice(event.event.bytes()).expect("json");
            schemas::epcis::validate(&value).expect("EPCIS");
        }
        self.deliveries += 1;
        let statement = message.statement.clone();
        let position = statement.payload.position;
        let known = self
            .messages
            .entry((position.epoch, position.seq))
            .or_insert(message);
        assert_eq!(
            known.statement.id(),
            statement.id(),
            "a fork at {position:?}"
        );
        statement
    }

    /// The chain from its first statement on has no gap and every `prev` follows.
    pub fn check_chain(&self) {
        let mut before: Option<&Message> = None;
        for message in self.messages.values() {
            let payload = &message.statement.payload;
            let expected = before.map_or(Hash::ZERO, |before| before.statement.id());
            assert_eq!(payload.prev, expected, "at {:?}", payload.position);
            if let Some(before) = before {
                let last = before.statement.payload.position;
                let follows = (payload.position.epoch, payload.position.seq)
                    == (last.epoch, last.seq + 1)
                    || (payload.position.epoch > last.epoch && payload.position.seq == 0);
                assert!(follows, "a gap before {:?}", payload.position);
            }
            before = Some(message);
        }
    }

    /// Bytes of all events, in the order of the chain.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let events = self.messages.values().flat_map(|message| &message.events);
        events
            .map(|event| serde_json::from_slice(event.event.bytes()).expect("json"))
            .collect()
    }

    pub fn receipt(&self, statement: &Statement, refused: Vec<(u64, u64, String)>) -> Vec<u8> {
        let payload = &statement.payload;
        let receipt = Receipt {
            log: payload.log,
            device: payload.device.clone(),
            epoch: payload.position.epoch,
            ranges: vec![(payload.position.seq, payload.position.seq)],
            last: statement.id(),
            time: Instant::from_seconds(1_795_000_100),
            deadline: self.deadline,
            refused,
            ids: vec![statement.id()],
        };
        Reply::Receipt(receipt.sign(&self.world.receipt)).encode()
    }

    /// Anchors statements in a batch of their own under a checkpoint of `cosigners` witnesses.
    pub fn include(&mut self, ids: &[Hash], cosigners: usize) -> Vec<u8> {
        let batch = Tree::new(ids).expect("batch");
        let header = Entry::Header(BatchHeader {
            log: self.world.log(),
            shard: 0,
            seq: self.batches,
            statements: ids.len() as u64,
            events: 0,
            root: batch.root(),
            refused: Hash::ZERO,
            registry: Head {
                version: 1,
                count: 1,
                root: schemas::hash::sha256(b"registry"),
            },
            first: Instant::from_seconds(1_795_000_100),
            last: Instant::from_seconds(1_795_000_100),
            prev: self.prev,
        })
        .encode();
        self.prev = entry_hash(&header);
        self.batches += 1;
        let log_index = self.tree.size();
        self.tree.push(self.prev).expect("pushed");
        let size = self.tree.size();
        let row = |(index, id): (usize, &Hash)| Included {
            id: *id,
            index: index as u64,
            path: batch.path(index).expect("path"),
        };
        Reply::Inclusion(Inclusion {
            header,
            log_index,
            log_path: self.tree.inclusion(log_index, size).expect("path"),
            checkpoint: self.checkpoint(cosigners),
            statements: ids.iter().enumerate().map(row).collect(),
        })
        .encode()
    }

    fn checkpoint(&self, cosigners: usize) -> Vec<u8> {
        let size = self.tree.size();
        let root = self.tree.root(size).expect("root");
        let origin = self.world.origin.clone();
        let mut note = Note::sign(Checkpoint { origin, size, root }, &self.world.log_key);
        for (name, key) in WITNESSES.iter().zip(&self.world.witnesses).take(cosigners) {
            let line = note.cosign(name, key, Instant::from_seconds(1_795_000_200));
            note.lines.push(line);
        }
        note.encode()
    }
}
